"""What tests of payments say often: an order's payment, its books here and at the provider, its events."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text

from kit.db import AsyncEngine
from kit.times import now
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.commands import Authorize, ChangeAmount, Move, Part, Unwind
from services.payments.domain.model import Means, MeansKind, Tender
from services.payments.domain.movement import Statement
from services.payments.service import PaymentsService
from tests.simulators.payment_provider import RunningProvider

_numbers = itertools.count(1)


def token(means: str = "pm_card_visa") -> Means:
    return Means(MeansKind.PAYMENT_METHOD_TOKEN, means)


def authorize(
    order_id: str, minor: int = 10_000, currency: str = "EUR", *, tender: Means | None = None, key: str = ""
) -> Authorize:
    return Authorize(
        request_id=key or f"{order_id}/authorize",
        order_id=order_id,
        channel_id="web",
        amount=Money(minor, currency),
        tenders=[Part(tender or token())],
        cause="placement",
        actor="workflow",
    )


def move(order_id: str, minor: int | None = None, currency: str = "EUR", key: str = "", cause: str = "") -> Move:
    number = next(_numbers)
    return Move(
        request_id=key or f"{order_id}/{number}",
        order_id=order_id,
        amount=None if minor is None else Money(minor, currency),
        cause=cause or f"parcel/par_{number}",
        actor="workflow",
    )


def change(
    order_id: str, minor: int, key: str = "", *, means: Means | None = None, until: datetime | None = None
) -> ChangeAmount:
    """To another total; `until`: the end of a link."""
    return ChangeAmount(
        request_id=key or f"{order_id}/change/{next(_numbers)}",
        order_id=order_id,
        total=Money(minor, "EUR"),
        means=Part(means, expires_at=until) if means else None,
        cause="modification",
        actor="workflow",
    )


def unwind(order_id: str) -> Unwind:
    return Unwind(f"{order_id}/unwind", order_id, "cancellation", "workflow")


@dataclass
class World:
    """`hasty` is the same service, giving up on the provider after 0.3 s."""

    engine: AsyncEngine
    provider: RunningProvider
    service: PaymentsService
    hasty: PaymentsService
    # Makes the same service with another clock.
    at: Callable[[Callable[[], datetime]], PaymentsService]
    order_id: str = field(default_factory=lambda: new_id("ord"))

    async def pay(self, minor: int = 10_000, currency: str = "EUR", means: str = "pm_card_visa") -> Statement:
        """The order's payment, authorised."""
        return await self.service.authorize(authorize(self.order_id, minor, currency, tender=token(means)))

    async def totals(self) -> tuple[int, int, int, int]:
        """authorised, captured, voided, refunded."""
        payment = (await self.service.get_payment(self.order_id)).payment
        return payment.authorized, payment.captured, payment.voided, payment.refunded

    async def tender(self) -> Tender:
        """The order's first."""
        return (await self.service.get_payment(self.order_id)).payment.tenders[0]

    async def rest(self) -> None:
        """Everything works, and what was lost is resolved."""
        self.provider.heal()
        resolved, unknown = await self.service.resolve_unknown(now(), 500)
        assert unknown == 0, f"{unknown} of {resolved + unknown} are still unknown"

    async def assert_books_agree(self) -> None:
        """Ours, the ledger's and the provider's, at rest. What we gave up in part may still be held there."""
        assert await self.service.differences() == []
        books = {one["id"]: one for one in self.provider.books(self.order_id)}
        for tender in (await self.service.get_payment(self.order_id)).payment.tenders:
            book = books.pop(tender.provider_payment_id, None)
            if book is None:
                assert tender.authorized == 0
                continue
            found = (book["authorised"], book["captured"], book["refunded"])
            assert found == (tender.authorized - tender.taken_back, tender.captured, tender.refunded)
            rest = tender.uncaptured
            assert book["capturable"] == (rest + tender.voided - tender.taken_back if rest else 0)
        assert all(book["authorised"] == 0 for book in books.values())

    async def events(self) -> list[Any]:
        """The outbox's events of the order, oldest first."""
        async with self.engine.connect() as tx:
            rows = await tx.execute(
                text("SELECT type, subject, data FROM outbox WHERE order_id = :id ORDER BY id"),
                {"id": self.order_id},
            )
            return list(rows.all())

    async def event_types(self) -> list[str]:
        """Their types, without the common head."""
        return [event.type.removeprefix("oms.payments.") for event in await self.events()]
