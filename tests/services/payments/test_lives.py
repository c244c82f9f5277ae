"""Lives of payments at random against a plain model: at rest, the provider's books, our totals, our ledger and the
model agree, whatever was repeated, refused or lost, and by however many tenders the order is paid."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kit import db
from kit.errors import FailedPrecondition, Unavailable
from kit.feed import Bell
from kit.times import now
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.commands import Move, Part
from services.payments.domain.model import Operation, State, Status
from services.payments.service import PaymentsService
from tests.conftest import MakeDatabase
from tests.services.payments.conftest import stripe_at
from tests.services.payments.world import World, authorize, change, move, token, unwind
from tests.simulators.payment_provider import RunningProvider

T = TypeVar("T")
AUTHORIZED = 1_000
# What the provider authorises at least.
SMALLEST = 50
# Faults after which it is unknown whether the thing was done. None of them makes us wait.
LOSSES = ["down", "error_500", "error_500_after_success"]
CALLS = {"capture": "capture", "void": "cancel", "refund": "refund"}


@dataclass
class Model:
    """What a payment is: four totals, and what is reserved while its outcome is unknown."""

    authorized: int = AUTHORIZED
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    owed: int = 0
    closing: bool = False
    reserved: dict[str, tuple[str, int]] = field(default_factory=dict)

    def held(self, *verbs: str) -> int:
        return sum(amount for verb, amount in self.reserved.values() if verb in verbs)

    def free(self, verb: str) -> int:
        if verb == "refund":
            return self.captured - self.refunded - self.owed - self.held("refund")
        if verb == "capture" and self.closing:
            return 0
        return self.authorized - self.captured - self.voided - self.held("capture", "void")

    def learn(self, verb: str, operation: Operation) -> None:
        self.reserved.pop(operation.operation_id, None)
        if operation.unsettled:
            self.reserved[operation.operation_id] = (verb, operation.amount_minor)
        elif operation.state is State.FAILED and verb == "refund":
            self.owed += operation.amount_minor
        elif operation.state is State.SUCCEEDED:
            name = {"authorize": "authorized", "capture": "captured", "void": "voided", "refund": "refunded"}[verb]
            setattr(self, name, getattr(self, name) + operation.amount_minor)


class Lives(RuleBasedStateMachine):
    """One payment. Set by the fixture: the loop and the world."""

    loop: asyncio.AbstractEventLoop
    world: World

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(shares=st.sampled_from([(), (300,), (100, 450)]))
    def authorise(self, shares: tuple[int, ...]) -> None:
        self.world.order_id = new_id("ord")
        self.world.provider.heal()
        self.model = Model()
        self.last: tuple[str, Move, Sequence[Operation]] | None = None
        tenders = [*(Part(token(), Money(share, "EUR")) for share in shares), Part(token())]
        asked = replace(authorize(self.world.order_id, AUTHORIZED), tenders=tenders, save_means=True)
        paid = self.run(self.world.service.authorize(asked))
        assert paid.payment.status is Status.AUTHORIZED

    @rule(
        verb=st.sampled_from(["capture", "capture", "void", "refund"]),
        share=st.integers(1, 110),
        fault=st.sampled_from(["", "", "", "decline", *LOSSES]),
    )
    def move_money(self, verb: str, share: int, fault: str) -> None:
        free = self.model.free(verb)
        amount = max(1, max(free, 10) * share // 100)
        asked = move(self.world.order_id, amount)
        if fault:
            self.world.provider.fault(CALLS[verb], fault, order_id=self.world.order_id)
        operations = self.unless_refused(verb, asked)
        assert (operations == []) == (amount > free)
        if operations:
            # A void in part asks nobody, so nothing of it is lost. A fault meets one tender.
            expected = State.UNKNOWN if fault in LOSSES else State.FAILED if fault else State.SUCCEEDED
            assert expected in {one.state for one in operations} or verb == "void"
            self.learn(verb, operations)
            self.last = (verb, asked, operations)
        self.world.provider.heal()

    @rule()
    @precondition(lambda self: not self.model.closing)
    def void_the_rest(self) -> None:
        free = self.model.free("void")
        asked = move(self.world.order_id)
        operations = self.run(self.moved("void", asked))
        assert sum(one.amount_minor for one in operations) == free
        self.learn("void", operations)
        self.last = ("void", asked, operations)

    @rule(share=st.integers(50, 150), fault=st.sampled_from(["", "", "decline", *LOSSES]))
    @precondition(lambda self: not self.model.closing)
    def change_the_amount(self, share: int, fault: str) -> None:
        self.learn_all()
        model = self.model
        before = model.authorized - model.voided
        total = max(1, before * share // 100)
        asked = change(self.world.order_id, total)
        if fault:
            for call in ("increment", "create"):
                self.world.provider.fault(call, fault, order_id=self.world.order_id)
        if model.reserved or total < model.captured:
            with pytest.raises(Unavailable if model.reserved else FailedPrecondition) as refused:
                self.run(self.world.service.change_amount(asked))
            assert refused.value.reason == ("MONEY_IN_FLIGHT" if model.reserved else "TOTAL_BELOW_CAPTURE")
            self.world.provider.heal()
            return
        told = self.run(self.world.service.change_amount(asked))
        if told.status is Status.PENDING:
            self.run(self.world.rest())
            told = self.run(self.world.service.change_amount(asked))
        self.world.provider.heal()
        self.learn_all()
        stands = told.status is Status.AUTHORIZED
        assert self.model.authorized - self.model.voided == (total if stands else before)
        assert stands or (fault == "decline" and total > before) or total - before < SMALLEST

    @rule()
    @precondition(lambda self: self.last is not None)
    def repeat_the_last(self) -> None:
        assert self.last is not None
        verb, asked, before = self.last
        again = self.run(self.moved(verb, asked))
        assert [one.operation_id for one in again] == [one.operation_id for one in before]
        self.learn(verb, [one for one in again if one.operation_id in self.model.reserved])

    @rule()
    def resolve(self) -> None:
        self.run(self.world.rest())
        self.learn_all()

    @rule(fault=st.sampled_from(["", *LOSSES]), call=st.sampled_from(["cancel", "refund"]))
    def begin_to_undo(self, fault: str, call: str) -> None:
        if fault:
            self.world.provider.fault(call, fault, order_id=self.world.order_id)
        self.run(self.world.service.unwind(unwind(self.world.order_id)))
        self.world.provider.heal()
        self.model.closing = True
        self.learn_all()

    def unless_refused(self, verb: str, asked: Move) -> Sequence[Operation]:
        try:
            return self.run(self.moved(verb, asked))
        except FailedPrecondition:
            return []

    async def moved(self, verb: str, asked: Move) -> Sequence[Operation]:
        done = await getattr(self.world.service, verb)(asked)
        return list(done.operations) if done else []

    def learn(self, verb: str, operations: Sequence[Operation]) -> None:
        for operation in operations:
            self.model.learn(verb, operation)

    def learn_all(self) -> None:
        """After acts whose operations we did not get back: the totals are what the operations say."""
        statement = self.run(self.world.service.get_payment(self.world.order_id))
        closing = self.model.closing
        self.model = Model(closing=closing)
        self.model.authorized = 0
        for operation in statement.operations:
            self.model.learn(operation.kind.value, operation)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.resolve()
        model = self.model
        assert self.run(self.world.totals()) == (model.authorized, model.captured, model.voided, model.refunded)
        assert not model.reserved
        self.run(self.world.assert_books_agree())
        if model.closing:
            done = False
            for _ in range(3):
                done = done or self.run(self.world.service.unwind(unwind(self.world.order_id)))[1]
            assert done
            books = self.world.provider.books(self.world.order_id)
            kept = sum(book["captured"] - book["refunded"] for book in books)
            assert (sum(book["capturable"] for book in books), kept) == (0, model.owed)
            self.run(self.world.assert_books_agree())


@pytest.fixture
def lives(make_database: MakeDatabase, provider: RunningProvider) -> Iterator[type[Lives]]:
    loop = asyncio.new_event_loop()
    engine = db.connect(make_database("payments").url)
    stripe = stripe_at(provider.url, 20)
    service = PaymentsService(engine, Bell(), {"stripe": stripe}, "stripe")
    Lives.loop, Lives.world = loop, World(engine, provider, service, service, lambda clock: service)
    yield Lives
    loop.run_until_complete(stripe.close())
    loop.run_until_complete(engine.dispose())
    loop.close()


def _live(lives: type[Lives], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_books_agree_after_any_life(lives: type[Lives]) -> None:
    _live(lives, examples=12, steps=10)


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_books_agree_after_a_hundred_long_lives(lives: type[Lives]) -> None:
    _live(lives, examples=100, steps=25)


async def test_many_payments_live_at_once_with_a_provider_that_fails_at_times(world: World) -> None:
    orders = [new_id("ord") for _ in range(12)]
    for call in ("create", "capture", "cancel", "refund"):
        for kind in LOSSES:
            world.provider.fault(call, kind, count=2)

    async def live(order_id: str) -> None:
        await world.service.authorize(authorize(order_id, 900, tender=token()))
        await asyncio.gather(
            *(world.service.capture(move(order_id, 300)) for _ in range(4)),
            world.service.void(move(order_id)),
            world.service.refund(move(order_id, 100)),
            return_exceptions=True,
        )

    await asyncio.gather(*(live(order_id) for order_id in orders))
    await world.rest()
    for order_id in orders:
        world.order_id = order_id
        await world.assert_books_agree()
    assert await world.service.resolve_unknown(now()) == (0, 0)
