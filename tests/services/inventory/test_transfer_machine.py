"""Random lives of transfers among customers' orders against a plain model: no unit is made, lost or sold twice."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kit import db
from kit.errors import FailedPrecondition
from services.inventory.domain.ledger import Balance, Position
from services.inventory.domain.transfers import Outcome, Quantity, Receipt
from tests.conftest import MakeDatabase
from tests.infra import Database
from tests.services.inventory.roads import Roads
from tests.services.inventory.shop import POINTS, SKUS, Shop, line

T = TypeVar("T")
skus = st.sampled_from(SKUS[:2])
points = st.sampled_from(POINTS[:2])
wishes = st.dictionaries(skus, st.integers(1, 4), min_size=1)
# How many fewer (or more) than expected, by article.
beside = st.fixed_dictionaries({sku: st.integers(-1, 1) for sku in SKUS[:2]})
# One in four acts is tried on any transfer, whatever its state.
anyone = st.integers(0, 11)


REACHED = {
    *Outcome,
    "cancelled",
    "over",
    "received",
    "not found",
    "dispatch refused",
    "NOT_HELD",
    "NOT_ENOUGH_FREE",
}


def quantities(units: dict[str, int]) -> list[Quantity]:
    return [Quantity(sku, quantity) for sku, quantity in units.items()]


@dataclass
class Journey:
    """What the model knows of one transfer: a dictionary of counters."""

    transfer_id: str
    origin: str
    destination: str
    held: Counter[str]
    on_the_way: Counter[str] = field(default_factory=Counter)
    state: str = "requested"


class TransferMachine(RuleBasedStateMachine):
    """Drives Transfers and InventoryService on a real database; `reached` is what happened in any life."""

    reached: set[str]

    def __init__(self, database: Database) -> None:
        super().__init__()
        database.clean()
        self.runner = asyncio.Runner()
        self.shop = Shop(db.connect(database.url, pool_size=2))
        self.roads = Roads(self.shop)
        self.run(self.shop.open())
        self.on_hand: Counter[Position] = Counter()
        self.unavailable: Counter[Position] = Counter()
        self.customers: Counter[Position] = Counter()
        self.orders: list[tuple[str, Position, int]] = []
        self.journeys: list[Journey] = []
        # Conservation: what came from outside, and what is gone for good.
        self.brought: Counter[str] = Counter()
        self.gone: Counter[str] = Counter()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def refusal(self, what: Coroutine[Any, Any, object]) -> str:
        """Why it was refused; empty if it was not."""
        try:
            self.run(what)
        except FailedPrecondition as error:
            return error.reason
        return ""

    def teardown(self) -> None:
        self.run(self.shop.engine.dispose())
        self.runner.close()

    # -- the model ----------------------------------------------------------------------------------------

    def reserved(self, position: Position) -> int:
        mine = sum(j.held[position.sku] for j in self.journeys if j.origin == position.point_id)
        return mine + self.customers[position]

    def free(self, position: Position) -> int:
        return self.on_hand[position] - self.reserved(position) - self.unavailable[position]

    def journey(self, nth: int, *states: str) -> Journey:
        fitting = [one for one in self.journeys if one.state in states] if nth % 4 else []
        among = fitting or self.journeys
        return among[nth % len(among)]

    @initialize()
    def a_busy_morning(self) -> None:
        """Stock at both points, a customer, a transfer each way, one of them on its way."""
        for point_id in POINTS[:2]:
            for sku in SKUS[:2]:
                self.bring(sku, point_id, 6)
            self.sell(SKUS[0], point_id, 1)
            self.ask(dict.fromkeys(SKUS[:2], 3), point_id)
        self.dispatch(1, dict.fromkeys(SKUS[:2], 0), whole=True, not_found=False)

    # -- what may happen ----------------------------------------------------------------------------------

    @rule(sku=skus, point_id=points, quantity=st.integers(3, 8))
    def bring(self, sku: str, point_id: str, quantity: int) -> None:
        self.run(self.shop.adjust(quantity, sku, point_id))
        self.on_hand[Position(sku, point_id)] += quantity
        self.brought[sku] += quantity

    @rule(sku=skus, point_id=points, quantity=st.integers(2, 5))
    def count_too_few(self, sku: str, point_id: str, quantity: int) -> None:
        position = Position(sku, point_id)
        quantity = min(quantity, self.on_hand[position])
        if quantity:
            self.run(self.shop.adjust(-quantity, sku, point_id, cause="count"))
            self.on_hand[position] -= quantity
            self.gone[sku] += quantity

    @rule(sku=skus, point_id=points, quantity=st.integers(1, 3))
    def sell(self, sku: str, point_id: str, quantity: int) -> None:
        position = Position(sku, point_id)
        order_id = f"ord_{len(self.orders)}"
        answer = self.run(self.shop.reserve(order_id, line(sku, quantity, point_id), seconds=0))
        assert answer.done == (self.free(position) >= quantity)
        if answer.done:
            self.orders.append((order_id, position, quantity))
            self.customers[position] += quantity

    @rule()
    def hand_over(self) -> None:
        if not self.orders:
            return
        order_id, position, quantity = self.orders[0]
        refusal = self.refusal(self.shop.issue(order_id, line(position.sku, quantity, position.point_id)))
        assert refusal == ("" if self.on_hand[position] >= quantity else "STOCK_BELOW_ZERO")
        if not refusal:
            del self.orders[0]
            self.customers[position] -= quantity
            self.on_hand[position] -= quantity
            self.gone[position.sku] += quantity

    @rule(units=wishes, origin=points)
    def ask(self, units: dict[str, int], origin: str) -> None:
        destination = next(p for p in POINTS[:2] if p != origin)
        answer = self.run(self.roads.ask(*quantities(units), origin=origin, destination=destination))
        lacking = {sku: max(0, self.free(Position(sku, origin))) for sku in units}
        lacking = {sku: free for sku, free in lacking.items() if free < units[sku]}
        assert {one.sku: one.available for one in answer.shortfalls} == lacking
        assert (answer.transfer is None) == bool(lacking)
        if answer.transfer:
            journey = Journey(answer.transfer.transfer_id, origin, destination, Counter(units))
            self.journeys.append(journey)

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone, differs=beside, whole=st.sampled_from([False, False, True]), not_found=st.booleans())
    def dispatch(self, nth: int, differs: dict[str, int], whole: bool, not_found: bool) -> None:
        journey = self.journey(nth, "requested")
        leaving = {sku: max(0, units + differs[sku]) for sku, units in journey.held.items()}
        lines = [] if whole else quantities(leaving)
        refusal = self.refusal(self.roads.dispatch(journey.transfer_id, *lines, not_found=not_found))
        if journey.state != "requested":
            assert refusal == "ILLEGAL_TRANSITION"
            self.reached.add("dispatch refused")
            return
        taken_along = +(journey.held.copy() if whole else Counter(leaving))
        at = {sku: Position(sku, journey.origin) for sku in journey.held}
        too_many = any(taken_along[sku] > journey.held[sku] for sku in taken_along)
        customers = any(self.free(at[sku]) + journey.held[sku] < taken_along[sku] for sku in taken_along)
        if not taken_along or too_many or customers:
            assert refusal in ("NOTHING_DISPATCHED", "NOT_HELD", "NOT_ENOUGH_FREE")
            self.reached.add(refusal)
            return
        assert refusal == ""
        for sku in journey.held:
            rest = journey.held[sku] - taken_along[sku]
            self.on_hand[at[sku]] -= taken_along[sku]
            if not_found:
                # What a count missed already is in no image.
                short = max(0, self.reserved(at[sku]) - taken_along[sku] - self.on_hand[at[sku]])
                undeclared = max(0, self.on_hand[at[sku]] - self.unavailable[at[sku]])
                self.unavailable[at[sku]] += min(rest - min(rest, short), undeclared)
                self.reached.add("not found" if rest else "dispatched")
            journey.held[sku] = 0
        journey.on_the_way, journey.state = taken_along, "dispatched"

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone, missing=skus)
    def dispatch_less_than_was_held(self, nth: int, missing: str) -> None:
        # By chance alone it is too rare: both differences must fit, and the rest be declared.
        self.dispatch(nth, {sku: -1 if sku == missing else 0 for sku in SKUS[:2]}, False, True)

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone, more=skus)
    def dispatch_more_than_was_held(self, nth: int, more: str) -> None:
        self.dispatch(nth, {sku: int(sku == more) for sku in SKUS[:2]}, False, False)

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone)
    def find_nothing_sellable_to_dispatch(self, nth: int) -> None:
        journey = self.journey(nth, "requested")
        if journey.state != "requested":
            return
        at = Position(next(iter(journey.held)), journey.origin)
        whole = self.on_hand[at] - self.unavailable[at]
        if whole <= 0:
            return
        self.run(self.shop.declare(whole, *at))
        assert self.refusal(self.roads.dispatch(journey.transfer_id)) == "NOT_ENOUGH_FREE"
        self.reached.add("NOT_ENOUGH_FREE")
        self.run(self.shop.give_back(whole, *at))

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone)
    def cancel(self, nth: int) -> None:
        journey = self.journey(nth, "requested")
        refusal = self.refusal(self.roads.cancel(journey.transfer_id))
        assert refusal == ("" if journey.state == "requested" else "ILLEGAL_TRANSITION")
        if not refusal:
            journey.held.clear()
            journey.state = "cancelled"
            self.reached.add("cancelled")

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone, differs=beside, broken=st.booleans())
    def receive(self, nth: int, differs: dict[str, int], broken: bool) -> None:
        journey = self.journey(nth, "dispatched", "received")
        units = {sku: max(1, journey.on_the_way[sku] + differs[sku]) for sku in differs}
        lines = [Receipt(sku, quantity, damaged=int(broken)) for sku, quantity in units.items()]
        refusal = self.refusal(self.roads.receive(journey.transfer_id, *lines))
        if journey.state not in ("dispatched", "received"):
            assert refusal == "ILLEGAL_TRANSITION"
            return
        assert refusal == ""
        for sku, quantity in units.items():
            at = Position(sku, journey.destination)
            over = max(0, quantity - journey.on_the_way[sku])
            self.on_hand[at] += quantity
            self.unavailable[at] += int(broken)
            self.brought[sku] += over
            self.reached.add("over" if over else "received")
            journey.on_the_way[sku] -= quantity - over
        self.arrived(journey, "received")

    @precondition(lambda self: self.journeys)
    @rule(nth=anyone, sku=skus, quantity=st.integers(1, 2), outcome=st.sampled_from(Outcome))
    def settle(self, nth: int, sku: str, quantity: int, outcome: Outcome) -> None:
        journey = self.journey(nth, "dispatched", "received")
        refusal = self.refusal(self.roads.settle(journey.transfer_id, sku, quantity, outcome))
        if journey.state not in ("dispatched", "received"):
            assert refusal == "ILLEGAL_TRANSITION"
        elif quantity > journey.on_the_way[sku]:
            assert refusal == "NOT_IN_TRANSIT"
        else:
            assert refusal == ""
            journey.on_the_way[sku] -= quantity
            self.reached.add(outcome)
            if outcome is Outcome.LOST:
                self.gone[sku] += quantity
            else:
                end = journey.origin if outcome is Outcome.RETURNED else journey.destination
                self.on_hand[Position(sku, end)] += quantity
            self.arrived(journey, journey.state)

    def arrived(self, journey: Journey, state: str) -> None:
        journey.on_the_way = +journey.on_the_way
        journey.state = state if journey.on_the_way else "closed"

    # -- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def balances_are_the_models(self) -> None:
        balances = self.run(self.shop.service.list_balances([], [], Position("", ""), 100))
        for balance in balances:
            at = balance.position
            short = max(0, self.reserved(at) - self.on_hand[at])
            assert balance == Balance(*at, self.on_hand[at], self.reserved(at), self.unavailable[at], short)
        assert {at for at, units in self.on_hand.items() if units} <= {one.position for one in balances}

    @invariant()
    def no_unit_is_made_or_lost(self) -> None:
        balances = self.run(self.shop.service.list_balances([], [], Position("", ""), 100))
        there = Counter[str]()
        for balance in balances:
            there[balance.sku] += balance.on_hand
        for one in self.run(self.roads.transfers.in_transit([], [], ("", "", ""), 1000)):
            there[one.sku] += one.quantity
        for sku in SKUS:
            assert there[sku] + self.gone[sku] == self.brought[sku]

    @invariant()
    def transfers_are_the_models_and_everything_agrees(self) -> None:
        for journey in self.journeys:
            transfer, _ = self.run(self.roads.transfers.get(journey.transfer_id))
            assert transfer.state == journey.state
            assert (
                Counter({one.sku: one.in_transit for one in transfer.lines if one.in_transit})
                == +journey.on_the_way
            )
        self.run(self.roads.assert_sound())


def test_transfers_make_and_lose_no_unit_through_any_life(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=12, steps=40)


@pytest.mark.attack
@pytest.mark.timeout(1200)
def test_transfers_make_and_lose_no_unit_through_a_hundred_long_lives(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=100, steps=50)


def live(database: Database, lives: int, steps: int) -> None:
    reached: set[str] = set()

    class OnThisDatabase(TransferMachine):
        def __init__(self) -> None:
            super().__init__(database)
            self.reached = reached

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert reached >= REACHED, "these lives were too dull to prove anything"
