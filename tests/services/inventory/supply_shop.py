"""The small network of `shop`, with stock to come: short words for what tests do to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from services.inventory.domain import supply_commands as commands
from services.inventory.domain.future_holds import FutureLine, FutureReservation, Source, SourceKind
from services.inventory.domain.holds import HoldLine
from services.inventory.domain.preorder import Preorder
from services.inventory.domain.supply import ExpectedDelivery, ExpectedKind, FutureRules, PutOutcome
from services.inventory.future import FutureFigures, FutureService
from services.inventory.store.supply import Filters
from services.inventory.supply import SupplyService
from services.inventory.supply_answers import ConvertAnswer, DeliveryView, FutureAnswer, ReceiptAnswer
from tests.services.inventory.shop import NOON, Shop

TODAY = date(2026, 11, 20)
OPEN = FutureRules(tuple(ExpectedKind), longest_promise_days=60)
_numbers = count(1)


def delivery(delivery_id: str = "po-1", quantity: int = 10, **changes: object) -> ExpectedDelivery:
    """Of DRESS to LYON, in five to seven days."""
    usual = ExpectedDelivery(
        delivery_id,
        "DRESS",
        "LYON",
        ExpectedKind.ON_ORDER,
        quantity,
        TODAY + timedelta(days=5),
        TODAY + timedelta(days=7),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def presale(preorder_id: str = "pre-1", quantity: int = 5, **changes: object) -> Preorder:
    """Of DRESS on every channel, open since yesterday and for ten days."""
    usual = Preorder(
        preorder_id,
        "DRESS",
        "",
        quantity,
        NOON - timedelta(days=1),
        NOON + timedelta(days=10),
        NOON + timedelta(days=30),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def of(quantity: int, delivery_id: str = "po-1") -> FutureLine:
    return FutureLine(Source(SourceKind.DELIVERY, delivery_id), quantity)


def pre(quantity: int, preorder_id: str = "pre-1") -> FutureLine:
    return FutureLine(Source(SourceKind.PREORDER, preorder_id), quantity)


class Supply:
    """The two services of stock to come beside a shop on a real database."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.service = SupplyService(shop.engine, shop.bell)
        self.future = FutureService(shop.engine, shop.bell)

    async def open(self, rules: FutureRules = OPEN) -> "Supply":
        await self.future.put_rules("web", rules)
        return self

    async def put(self, *sent: ExpectedDelivery, as_of: datetime = NOON) -> list[PutOutcome]:
        return await self.service.put_deliveries(sent, as_of)

    async def receive(
        self,
        quantity: int,
        delivery_id: str = "po-1",
        *,
        damaged: int = 0,
        close: bool = False,
        request: str = "",
        at_points: Sequence[str] = (),
        as_of: datetime = NOON,
    ) -> ReceiptAnswer:
        return await self.service.receive(
            commands.ReceiveExpected(
                request or self.request(),
                delivery_id,
                quantity,
                damaged,
                close,
                "assoc_1",
                "dock/1",
                tuple(at_points),
                as_of,
            )
        )

    async def cancel(self, delivery_id: str = "po-1", request: str = "", as_of: datetime = NOON) -> ReceiptAnswer:
        return await self.service.cancel(
            commands.CancelExpected(request or self.request(), delivery_id, "lost at sea", as_of)
        )

    async def reserve(
        self,
        reservation_id: str,
        *lines: FutureLine,
        seconds: int = 0,
        partial: bool = False,
        request: str = "",
        as_of: datetime = NOON,
        channel_id: str = "web",
    ) -> FutureAnswer:
        return await self.future.reserve(
            commands.ReserveFuture(
                request or self.request(), reservation_id, channel_id, lines, seconds, partial, as_of
            )
        )

    async def release(self, reservation_id: str, *lines: FutureLine, request: str = "") -> tuple[FutureLine, ...]:
        return await self.future.release(
            commands.ReleaseFuture(request or self.request(), reservation_id, lines, NOON)
        )

    async def convert(
        self, reservation_id: str, *lines: HoldLine, request: str = "", as_of: datetime = NOON
    ) -> ConvertAnswer:
        return await self.future.convert_preorder(
            commands.ConvertPreorder(request or self.request(), reservation_id, lines, as_of)
        )

    async def waiting(self, reservation_id: str) -> FutureReservation:
        return await self.future.get_reservation(reservation_id)

    async def figures(
        self, sku: str = "DRESS", as_of: datetime = NOON, channel_id: str = "web", time_zone: str = "UTC"
    ) -> FutureFigures:
        return (await self.future.get_availability(channel_id, [sku], as_of, time_zone))[0]

    async def shown(self, sku: str = "DRESS", as_of: datetime = NOON, channel_id: str = "web") -> dict[str, int]:
        """What may be promised, by delivery."""
        found = (await self.figures(sku, as_of, channel_id)).prospects
        return {one.delivery.delivery_id: one.available for one in found if one.available}

    async def reasons(self, sku: str = "DRESS", as_of: datetime = NOON) -> dict[str, str]:
        """Why deliveries are not promised."""
        found = (await self.figures(sku, as_of)).prospects
        return {one.delivery.delivery_id: one.zero_reason for one in found}

    async def preorderable(self, as_of: datetime = NOON, channel_id: str = "web") -> int:
        found = await self.figures(as_of=as_of, channel_id=channel_id)
        return sum(one.available for one in found.preorders)

    async def view(self, delivery_id: str = "po-1", as_of: datetime = NOON) -> DeliveryView:
        return (await self.service.list_deliveries(Filters([delivery_id]), "", 1, as_of))[0]

    async def told(self, kind: str) -> list[tuple[str, str, int]]:
        """Events of a kind: subject, order, quantity."""
        async with self.shop.engine.begin() as tx:
            rows = await tx.execute(
                text("SELECT subject, order_id, data FROM outbox WHERE type = :type ORDER BY id"),
                {"type": f"oms.inventory.{kind}"},
            )
            return [(row.subject, row.order_id, row.data.get("quantity", 0)) for row in rows]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The data of events of a kind."""
        async with self.shop.engine.begin() as tx:
            rows = await tx.execute(
                text("SELECT data FROM outbox WHERE type = :type ORDER BY id"), {"type": f"oms.inventory.{kind}"}
            )
            return [row.data for row in rows]

    async def assert_sound(self) -> None:
        """No unit to come is held twice, and stock agrees with its ledger and its declarations."""
        assert await self.service.find_differences() == []
        await self.shop.assert_sound()
        async with self.shop.engine.begin() as tx:
            apart = await tx.execute(
                text(
                    """SELECT sku, point_id, unavailable, sum(remaining) FROM balance
                       LEFT JOIN declaration USING (sku, point_id)
                       GROUP BY sku, point_id, unavailable HAVING unavailable <> coalesce(sum(remaining), 0)"""
                )
            )
            assert apart.all() == []

    @staticmethod
    def request() -> str:
        return f"sup-{next(_numbers)}"
