"""Orders for tests: plausible ones by default, any part replaced."""

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import OmsError
from kit.values.money import Money
from services.orders.changing import Asked
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    Address,
    Buyer,
    Content,
    Customer,
    Decision,
    DeliveryMode,
    DiscountShare,
    Fulfilment,
    Leg,
    LifeCycle,
    Line,
    Order,
    PaymentTerms,
    SalesChannel,
    Units,
    Window,
)
from services.orders.domain.parcels import Scan
from services.orders.domain.pricing import payable_minor
from services.orders.identities import Identities
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from services.orders.translate_parcels import asked_by

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# Cooling-off is over.
COOLED = NOON + timedelta(minutes=30)
PROMISE = Window(NOON + timedelta(days=2), NOON + timedelta(days=3))
LIFE_CYCLE = LifeCycle("standard", 1, 1800, 3600, 900, 3)
CHANNEL = SalesChannel("web-fr", "Web shop", "EUR", (), "standard")
BUYER = Buyer(
    Customer("cus_1", "Zoé Plantée", "zoe.plantee@example.org", "+33612345678"),
    Address("Zoé Plantée", ("7 impasse du Secret",), "69002", "Lyon", "FR"),
    gift_message="De ta cousine Hermine",
)
IDENTITIES = Identities("a key of tests")
# None of these may be found outside the table of customers.
PLANTED = ("Zoé", "Plantée", "zoe.plantee", "12345678", "impasse", "Secret", "Hermine")


def line(number: int = 1, quantity: int = 2, **changes: Any) -> Line:
    """A line whose tax is its rate on net."""
    made = Line(number, f"SKU-{number}", "maison", f"Title {number}", quantity, 5000, 1000, 2000, 490, ())
    return replace(made, **changes)


def content(*lines: Line, **changes: Any) -> Content:
    """An order of these lines with the total that they come to."""
    chosen = lines or (line(),)
    made = Content(
        "web-fr",
        "W-1001",
        chosen,
        Money(payable_minor(chosen), "EUR"),
        DeliveryMode.HOME_STANDARD,
        "",
        PaymentTerms("payment_method_token", "pm_card_visa"),
    )
    return replace(made, **changes)


def discounted(one: Line, *amounts: int) -> Line:
    return replace(one, discounts=tuple(DiscountShare("WELCOME", amount) for amount in amounts))


def leg(*units: tuple[int, int], point: str = "store-lyon", hours: int = 6) -> Leg:
    """A leg of (line number, quantity) pairs."""
    lines = tuple(Units(number, f"SKU-{number}", quantity) for number, quantity in units)
    return Leg(point, "colis", "standard", lines, PROMISE, NOON + timedelta(hours=hours))


def recorded(*lines: Line, life_cycle: LifeCycle = LIFE_CYCLE, **changes: Any) -> Order:
    return life.record("ord_1", content(*lines, **changes), life_cycle, NOON, NOON).order


def accepted(order: Order, *legs: Leg) -> Decision:
    """With the money of what is taken along captured."""
    return life.accept(order, legs, PROMISE, "dec_1", "authorized", NOON, taken="captured")


def released(*legs: Leg, lines: Sequence[Line] = ()) -> Order:
    """An order whose fulfilments may be offered."""
    return life.release(accepted(recorded(*lines), *legs).order, COOLED).order


def found(*units: tuple[int, int]) -> list[Units]:
    return [Units(number, f"SKU-{number}", quantity) for number, quantity in units]


@dataclass
class Shop:
    """The service with a channel, and requests that number themselves."""

    service: OrdersService
    tracking: Tracking
    _numbers: Iterator[int] = field(default_factory=count)

    async def open(self, **changes: Any) -> None:
        await self.service.publish_life_cycle(LIFE_CYCLE)
        await self.service.put_sales_channels([replace(CHANNEL, **changes)])

    def asked(self) -> Asked:
        return Asked(f"req-{next(self._numbers)}", b"")

    async def record(self, key: str = "key-1", *lines: Line, **changes: Any) -> str:
        view, _ = await self.service.record_order(key, content(*lines, **changes), BUYER, NOON, NOON)
        return view.order.order_id

    async def accept(self, order_id: str, *legs: Leg) -> list[str]:
        """The ids of the fulfilments."""
        planned = await self.service.accept_order(
            self.asked(), order_id, legs or (leg((1, 2)),), PROMISE, "dec_1", "authorized", NOON
        )
        return [one.fulfilment_id for one in planned.fulfilments]

    async def release(self, key: str, *legs: Leg, lines: Sequence[Line] = ()) -> tuple[str, list[str]]:
        """An order in preparation and its fulfilments, each offered."""
        order_id = await self.record(key, *lines)
        fulfilment_ids = await self.accept(order_id, *legs)
        await self.service.release_order(self.asked(), order_id, COOLED)
        for one in fulfilment_ids:
            await self.service.offer_fulfilment(self.asked(), one, NOON)
        return order_id, fulfilment_ids

    async def scan(
        self, event_id: str, code: str, status: str, at: datetime = NOON, now: datetime | None = None, **more: Any
    ) -> tuple[Fulfilment, bool]:
        """A scan of the carrier `colis`, and whether it was known."""
        scan = Scan(event_id, code, status, at, **more)
        return await self.tracking.record(asked_by("colis", scan), "colis", scan, now or at)

    async def pack(self, fulfilment_id: str, captured: bool = True) -> None:
        """From offered to packed, everything found."""
        work = await self.service.accept_offer(self.asked(), fulfilment_id, "anna", NOON)
        everything = [Units(one.line_number, one.sku, one.quantity) for one in work.lines]
        await self.service.record_pick(self.asked(), fulfilment_id, everything, "anna", NOON)
        await self.service.close_parcel(self.asked(), fulfilment_id, 900, "anna", NOON)
        if captured:
            await self.service.record_capture(self.asked(), fulfilment_id, Outcome("captured", "", "", NOON))


async def rows(engine: AsyncEngine, query: str) -> list[Any]:
    async with engine.connect() as tx:
        return list((await tx.execute(text(query))).all())


async def outcome(act: Awaitable[Any]) -> str:
    try:
        await act
    except OmsError as error:
        return error.reason
    return "done"
