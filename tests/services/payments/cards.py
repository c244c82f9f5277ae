"""What tests of stored value say often: a card, an order that pays with it, its books and events."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from kit.db import AsyncEngine
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.domain.model import Kind, Means, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome
from services.payments.domain.rules import open_payment, open_tender
from services.payments.domain.stored_value import Instrument, InstrumentKind
from services.payments.providers.stored_value import StoredValueProvider
from services.payments.stored_value import Issue, Steer, StoredValueService
from services.payments.stored_value_codes import CodeBook

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = "a key of tests"
_numbers = itertools.count(1)


def issue(minor: int = 5_000, kind: InstrumentKind = InstrumentKind.GIFT_CARD, **terms: Any) -> Issue:
    """A card of 50.00 that anybody may use anywhere, unless told otherwise."""
    asked = Issue(
        request_id=f"issue/{next(_numbers)}",
        kind=kind,
        amount=Money(minor, terms.pop("currency", "EUR")),
        valid_until=None,
        channels=(),
        single_use=False,
        customer_ref="",
        cause="sold",
        actor="finance",
    )
    return replace(asked, **terms)


def voucher(minor: int, **terms: Any) -> Issue:
    """Used up by the first order that it pays."""
    return issue(minor, InstrumentKind.LOYALTY_VOUCHER, single_use=True, **terms)


def steer(of: Instrument | str, key: str = "") -> Steer:
    """An act of a person."""
    instrument_id = of if isinstance(of, str) else of.instrument_id
    return Steer(key or f"steer/{next(_numbers)}", instrument_id, "a mistake", "finance")


@dataclass
class Paying:
    """An order that pays with a code: its tender as the provider is shown it."""

    provider: StoredValueProvider
    tender: Tender

    async def act(self, kind: Kind, minor: int, currency: str = "EUR", *, final: bool = False) -> Outcome:
        """The outcome of one operation."""
        return await self.provider.perform(self.tender, self.operation(kind, minor, currency, final=final))

    def operation(self, kind: Kind, minor: int, currency: str = "EUR", *, final: bool = False) -> Operation:
        """One operation, not performed yet."""
        return Operation(
            operation_id=new_id("pop"),
            request_id=f"{kind}/{next(_numbers)}",
            order_id=self.tender.order_id,
            tender_id=self.tender.tender_id,
            kind=kind,
            state=State.INTENDED,
            amount_minor=minor,
            currency=currency,
            cause="parcel/par_1",
            actor="workflow",
            intended_at=NOON,
            provider="stored_value",
            final=final,
        )

    async def authorize(self, minor: int, currency: str = "EUR") -> Outcome:
        """Asked with the code; what follows goes by the hold."""
        outcome = await self.act(Kind.AUTHORIZE, minor, currency)
        self.take(outcome)
        return outcome

    def take(self, outcome: Outcome) -> None:
        """What was answered to the authorisation."""
        self.tender = replace(self.tender, provider_payment_id=outcome.reference)

    async def capture(self, minor: int, *, final: bool = False) -> Outcome:
        return await self.act(Kind.CAPTURE, minor, final=final)

    async def refund(self, minor: int) -> Outcome:
        return await self.act(Kind.REFUND, minor)

    async def void(self) -> Outcome:
        return await self.act(Kind.VOID, 1)


@dataclass
class Cards:
    """The use cases and the provider on one database, at `now`."""

    engine: AsyncEngine
    now: datetime = NOON
    service: StoredValueService = field(init=False)
    provider: StoredValueProvider = field(init=False)

    def __post_init__(self) -> None:
        bell, book = Bell(), CodeBook(KEY)
        self.service = StoredValueService(self.engine, bell, book, lambda: self.now)
        self.provider = StoredValueProvider(self.engine, bell, book, lambda: self.now)

    async def issue(self, minor: int = 5_000, **terms: Any) -> tuple[Instrument, str]:
        return await self.service.issue(issue(minor, **terms))

    def paying(self, code: str, channel_id: str = "web", customer_ref: str = "") -> Paying:
        """A new order that pays with this code."""
        means = Means(MeansKind.STORED_VALUE, code, customer_ref)
        payment = open_payment(new_id("ord"), channel_id, "EUR")
        return Paying(self.provider, open_tender(payment, new_id("ten"), 1, means, 1, "stripe"))

    async def held(self, code: str, minor: int, customer_ref: str = "") -> Paying:
        """An order that holds this much."""
        paying = self.paying(code, customer_ref=customer_ref)
        assert (await paying.authorize(minor)).state is State.SUCCEEDED
        return paying

    def later(self, **span: int) -> None:
        """The clock goes on."""
        self.now += timedelta(**span)

    async def books(self, of: Instrument | str) -> tuple[int, int]:
        """Balance and held."""
        found = await self.service.get(of if isinstance(of, str) else of.instrument_id)
        return found.balance, found.held

    async def acts(self, of: Instrument | str) -> Sequence[str]:
        """What its lines are about, with their amounts."""
        rows, _ = await self.service.lines(of if isinstance(of, str) else of.instrument_id, 0, 500)
        return [f"{line.act} {line.amount_minor}" for _, line in rows]

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything that was told, oldest first."""
        async with self.engine.connect() as tx:
            rows = await tx.execute(text("SELECT type, data FROM outbox ORDER BY id"))
            return [(row.type.removeprefix("oms.payments.stored_value."), row.data) for row in rows]

    async def assert_books_agree(self) -> None:
        assert list(await self.service.wrong_totals()) == []
