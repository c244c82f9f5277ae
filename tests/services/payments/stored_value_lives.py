"""Lives of instruments at random against a plain model, by two services on one database: what is repeated, refused
or lost on the way changes no sum."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kit.errors import FailedPrecondition
from kit.values.money import Money
from services.payments.domain.model import Kind, Operation, State
from services.payments.domain.outcome import Outcome
from services.payments.domain.stored_value import InstrumentKind
from tests.services.payments.cards import NOON, Cards, Paying, issue, steer

T = TypeVar("T")
ISSUED = 1_000
LIFE = timedelta(days=10)


@dataclass
class Order:
    """What one order holds, has spent and was given back."""

    paying: Paying
    held: int = 0
    spent: int = 0
    refunded: int = 0


@dataclass
class Model:
    """One instrument, and credit notes by what they were made for."""

    single_use: bool
    balance: int = ISSUED
    held: int = 0
    used: bool = False
    frozen: bool = False
    ended: bool = False
    notes: dict[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.balance - self.held

    def pays(self, amount: int) -> bool:
        in_use = self.single_use and (self.used or self.held > 0)
        return not (self.frozen or self.ended or in_use) and amount <= self.available

    def comes_back(self, amount: int, reference: str) -> None:
        """To the instrument, or to the note that the outcome names."""
        if self.ended or (self.single_use and self.used):
            self.notes[reference] = amount
        else:
            self.balance += amount

    def lapse(self) -> None:
        if self.single_use and self.used and self.held == 0:
            self.balance = 0


class StoredValueLives(RuleBasedStateMachine):
    """Set by the test: the loop, and two services on one database."""

    loop: asyncio.AbstractEventLoop
    cards: Cards
    other: Cards

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(single_use=st.booleans())
    def begin(self, single_use: bool) -> None:
        self.model = Model(single_use)
        self.cards.now = self.other.now = NOON
        kind = InstrumentKind.LOYALTY_VOUCHER if single_use else InstrumentKind.GIFT_CARD
        asked = issue(ISSUED, kind, single_use=single_use, valid_until=NOON + LIFE)
        self.card, self.code = self.run(self.cards.service.issue(asked))

    def perform(self, paying: Paying, operation: Operation, how: str) -> Outcome:
        """Once, again, by both at once, or with its first answer lost: always the same answer."""
        here, there = self.cards.provider, self.other.provider

        async def act() -> list[Outcome | None]:
            if how == "at once":
                return list(
                    await asyncio.gather(*(one.perform(paying.tender, operation) for one in (here, there)))
                )
            first = await here.perform(paying.tender, operation)
            if how == "lost":
                return [await there.look(paying.tender, operation), first]
            return [first, await there.perform(paying.tender, operation)] if how == "again" else [first]

        answers = self.run(act())
        assert all(one == answers[0] for one in answers)
        assert answers[0] is not None
        return answers[0]

    @rule(amount=st.integers(1, 600), how=st.sampled_from(["once", "again", "at once", "lost"]))
    def hold(self, amount: int, how: str) -> None:
        paying = self.cards.paying(self.code)
        outcome = self.perform(paying, paying.operation(Kind.AUTHORIZE, amount), how)
        assert (outcome.state is State.SUCCEEDED) == self.model.pays(amount)
        if outcome.state is State.SUCCEEDED:
            paying.take(outcome)
            self.model.held += amount
            self.model.orders.append(Order(paying, held=amount))

    @rule(
        data=st.data(), amount=st.integers(1, 600), final=st.booleans(), how=st.sampled_from(["once", "at once"])
    )
    @precondition(lambda self: self.model.orders)
    def spend(self, data: st.DataObject, amount: int, final: bool, how: str) -> None:
        order = data.draw(st.sampled_from(self.model.orders))
        outcome = self.perform(order.paying, order.paying.operation(Kind.CAPTURE, amount, final=final), how)
        assert (outcome.state is State.SUCCEEDED) == (amount <= order.held)
        if outcome.state is not State.SUCCEEDED:
            return
        model = self.model
        order.held -= amount
        order.spent += amount
        model.held -= amount
        model.balance -= amount
        model.used = True
        model.lapse()
        if final and order.held:
            self.let_go(order, "")

    @rule(data=st.data(), how=st.sampled_from(["once", "again", "at once", "lost"]))
    @precondition(lambda self: self.model.orders)
    def give_back(self, data: st.DataObject, how: str) -> None:
        order = data.draw(st.sampled_from(self.model.orders))
        outcome = self.perform(order.paying, order.paying.operation(Kind.VOID, 1), how)
        self.let_go(order, outcome.reference)

    def let_go(self, order: Order, reference: str) -> None:
        """A note that is made beside a capture is found by its sum only: the outcome names the hold."""
        amount, order.held = order.held, 0
        if amount == 0:
            return
        self.model.held -= amount
        self.model.balance -= amount
        self.model.comes_back(amount, reference)
        self.model.notes.pop("", None)
        self.model.lapse()

    @rule(data=st.data(), amount=st.integers(1, 600), how=st.sampled_from(["once", "again", "at once", "lost"]))
    @precondition(lambda self: self.model.orders)
    def refund(self, data: st.DataObject, amount: int, how: str) -> None:
        order = data.draw(st.sampled_from(self.model.orders))
        outcome = self.perform(order.paying, order.paying.operation(Kind.REFUND, amount), how)
        assert (outcome.state is State.SUCCEEDED) == (amount <= order.spent - order.refunded)
        if outcome.state is State.SUCCEEDED:
            order.refunded += amount
            self.model.comes_back(amount, outcome.reference)

    @rule()
    def freeze(self) -> None:
        self.model.frozen = not self.model.frozen
        self.run(self.other.service.freeze(steer(self.card), frozen=self.model.frozen))

    @rule(delta=st.integers(-400, 400).filter(bool))
    def adjust(self, delta: int) -> None:
        model = self.model
        lost = delta > 0 and (model.ended or (model.single_use and model.used))
        allowed = not lost and -delta <= model.available
        try:
            self.run(self.other.service.adjust(steer(self.card), Money(delta, "EUR")))
        except FailedPrecondition:
            assert not allowed
        else:
            assert allowed
            model.balance += delta

    @rule()
    @precondition(lambda self: len(self.model.orders) > 2)
    def end(self) -> None:
        self.cards.now = self.other.now = NOON + LIFE
        self.model.ended = True
        for one in (self.cards, self.other):
            self.run(one.service.expire(one.now, 500))
        self.model.balance = self.model.held

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.run(self.cards.books(self.card)) == (self.model.balance, self.model.held)
        for order in self.model.orders:
            found = self.run(self.other.provider.authorisation(order.paying.tender.provider_payment_id))
            assert found is not None
            assert (found.ended, found.captured, found.refunded) == (order.held == 0, order.spent, order.refunded)
        for note, amount in self.model.notes.items():
            assert self.run(self.cards.books(note)) == (amount, 0)
        self.run(self.cards.assert_books_agree())


def live(cards: Cards, other: Cards, loop: asyncio.AbstractEventLoop, examples: int, steps: int) -> None:
    """So many lives, the same each time."""
    StoredValueLives.loop, StoredValueLives.cards, StoredValueLives.other = loop, cards, other
    run_state_machine_as_test(
        StoredValueLives,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
