"""Random lives of stock against a plain model: balances equal the ledger, nothing negative, nothing leaked."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kit import db
from kit.errors import FailedPrecondition, NotFound
from services.inventory.domain.catalogue import SafetyStockRule
from services.inventory.domain.holds import HoldLine, HoldMove, ReservationState
from services.inventory.domain.ledger import Balance, Position
from tests.conftest import MakeDatabase
from tests.infra import Database
from tests.services.inventory.shop import NOON, POINTS, SKUS, Shop, with_rules

T = TypeVar("T")
KEPT = 1
TTL_SECONDS = 60


def hold_line(position: Position, quantity: int) -> HoldLine:
    return HoldLine(position.sku, position.point_id, quantity)


positions = st.builds(Position, st.sampled_from(SKUS[:2]), st.sampled_from(POINTS[:2]))
holders = st.sampled_from(["ord_a", "ord_b", "basket_c"])
wishes = st.lists(st.builds(hold_line, positions, st.integers(1, 4)), min_size=1, max_size=4)


class Life:
    """What the model knows of one reservation."""

    def __init__(self) -> None:
        self.state = ReservationState.HELD
        self.expires_at: float | None = None
        self.held: Counter[Position] = Counter()

    @property
    def ended(self) -> bool:
        return self.state in (ReservationState.CLOSED, ReservationState.EXPIRED)

    def settle(self) -> None:
        self.held = +self.held
        if not self.held and not self.ended:
            self.state = ReservationState.CLOSED


class StockMachine(RuleBasedStateMachine):
    """Drives InventoryService on a real database; the model is three counters and a dictionary."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        database.clean()
        self.runner = asyncio.Runner()
        self.shop = Shop(db.connect(database.url, pool_size=2))
        self.run(self.shop.open(with_rules(safety_stock=(SafetyStockRule(quantity=KEPT),))))
        self.seconds = 0.0
        self.on_hand: Counter[Position] = Counter()
        self.unavailable: Counter[Position] = Counter()
        self.lives: dict[str, Life] = {}

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def refusal(self, what: Coroutine[Any, Any, object]) -> str:
        """Why it was refused; empty if it was not."""
        try:
            self.run(what)
        except (FailedPrecondition, NotFound) as error:
            return error.reason
        return ""

    def not_held(self, holder: str) -> str:
        return "NOT_HELD" if holder in self.lives else "RESERVATION_NOT_FOUND"

    def teardown(self) -> None:
        self.run(self.shop.engine.dispose())
        self.runner.close()

    # -- the model ----------------------------------------------------------------------------------------

    def reserved(self, position: Position) -> int:
        return sum(life.held[position] for life in self.lives.values())

    def short(self, position: Position) -> int:
        return max(0, self.reserved(position) - self.on_hand[position])

    def available(self, position: Position) -> int:
        free = self.on_hand[position] - self.reserved(position) - self.unavailable[position]
        return max(0, free - KEPT)

    def now(self) -> Any:
        return NOON + timedelta(seconds=self.seconds)

    # -- what may happen ----------------------------------------------------------------------------------

    @rule(position=positions, quantity=st.integers(-4, 6).filter(bool), count=st.booleans())
    def adjust(self, position: Position, quantity: int, count: bool) -> None:
        after = self.on_hand[position] + quantity
        allowed = after >= 0 and (quantity > 0 or count or after >= self.reserved(position))
        refusal = self.refusal(self.shop.adjust(quantity, *position, cause="count" if count else "receipt"))
        if allowed:
            assert refusal == ""
            self.on_hand[position] = after
        else:
            assert refusal == ("STOCK_BELOW_ZERO" if after < 0 else "STOCK_RESERVED")

    @rule(position=positions, quantity=st.integers(1, 3))
    def declare_unavailable(self, position: Position, quantity: int) -> None:
        allowed = self.unavailable[position] + quantity <= self.on_hand[position]
        assert self.refusal(self.shop.declare(quantity, *position)) == ("" if allowed else "NOT_ON_HAND")
        self.unavailable[position] += quantity if allowed else 0

    @rule(position=positions, quantity=st.integers(1, 3))
    def release_unavailable(self, position: Position, quantity: int) -> None:
        allowed = quantity <= self.unavailable[position]
        assert self.refusal(self.shop.give_back(quantity, *position)) == ("" if allowed else "NOT_UNAVAILABLE")
        self.unavailable[position] -= quantity if allowed else 0

    @rule(holder=holders, lines=wishes, partial=st.booleans(), forever=st.booleans())
    def reserve(self, holder: str, lines: list[HoldLine], partial: bool, forever: bool) -> None:
        wanted: Counter[Position] = Counter()
        for line in lines:
            wanted[line.position] += line.quantity
        granted = {p: min(q, self.available(p)) for p, q in wanted.items()}
        lacking = {p for p, q in wanted.items() if granted[p] < q}
        done = any(granted.values()) and (partial or not lacking)
        answer = self.run(
            self.shop.reserve(
                holder, *lines, seconds=0 if forever else TTL_SECONDS, partial=partial, as_of=self.now()
            )
        )
        assert answer.done == done
        assert {Position(s.sku, s.point_id): s.available for s in answer.shortfalls} == {
            p: self.available(p) for p in lacking
        }
        if not done:
            return
        life = self.lives.setdefault(holder, Life())
        expires_at = None if forever else self.seconds + TTL_SECONDS
        if not life.held:
            life.expires_at = expires_at
        elif life.expires_at is not None:
            life.expires_at = None if expires_at is None else max(expires_at, life.expires_at)
        life.state = ReservationState.CONFIRMED if life.expires_at is None else ReservationState.HELD
        life.held.update({p: q for p, q in granted.items() if q})

    @rule(holder=holders)
    def confirm(self, holder: str) -> None:
        refusal = self.refusal(self.shop.service.confirm(holder, self.now()))
        life = self.lives.get(holder)
        if life is None:
            assert refusal == "RESERVATION_NOT_FOUND"
        elif life.expires_at is None:
            assert refusal == "", "confirmed already"
        elif life.state is ReservationState.CLOSED:
            assert refusal == "RESERVATION_CLOSED"
        elif life.state is ReservationState.EXPIRED or life.expires_at <= self.seconds:
            assert refusal == "RESERVATION_EXPIRED"
        else:
            assert refusal == ""
            life.state, life.expires_at = ReservationState.CONFIRMED, None

    @rule(holder=holders, lines=wishes | st.just([]))
    def release(self, holder: str, lines: list[HoldLine]) -> None:
        released = self.run(self.shop.release(holder, *lines))
        life = self.lives.get(holder, Life())
        wanted: Counter[Position] = Counter()
        for line in lines:
            wanted[line.position] += line.quantity
        expected = (life.held & wanted) if lines else life.held.copy()
        assert {line.position: line.quantity for line in released} == dict(expected)
        life.held -= expected
        life.settle()

    @rule(holder=holders, position=positions, quantity=st.integers(1, 2))
    def issue(self, holder: str, position: Position, quantity: int) -> None:
        refusal = self.refusal(self.shop.issue(holder, HoldLine(*position, quantity)))
        life = self.lives.get(holder, Life())
        if life.held[position] < quantity:
            assert refusal == self.not_held(holder)
        elif self.on_hand[position] < quantity:
            assert refusal == "STOCK_BELOW_ZERO"
        else:
            assert refusal == ""
            self.on_hand[position] -= quantity
            life.held[position] -= quantity
            life.settle()

    @rule(holder=holders, position=positions, quantity=st.integers(1, 2))
    def report_short(self, holder: str, position: Position, quantity: int) -> None:
        refusal = self.refusal(self.shop.report_short(holder, HoldLine(*position, quantity)))
        life = self.lives.get(holder, Life())
        known_missing = min(quantity, self.short(position))
        if life.held[position] < quantity:
            assert refusal == self.not_held(holder)
        else:
            assert refusal == ""
            self.unavailable[position] += quantity - known_missing
            life.held[position] -= quantity
            life.settle()

    @rule(holder=holders, position=positions, quantity=st.integers(1, 2))
    def move(self, holder: str, position: Position, quantity: int) -> None:
        life = self.lives.get(holder, Life())
        to = Position(position.sku, next(p for p in POINTS[:2] if p != position.point_id))
        moving = self.shop.move(holder, HoldMove(*position, to.point_id, quantity))
        if life.held[position] < quantity:
            assert self.refusal(moving) == self.not_held(holder)
            return
        fits = self.available(to) >= quantity
        assert self.run(moving).done == fits
        if fits:
            life.held[position] -= quantity
            life.held[to] += quantity
            life.settle()

    @rule(seconds=st.integers(1, TTL_SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds

    @rule()
    @precondition(lambda self: self.lives)
    def expire(self) -> None:
        due = {
            holder
            for holder, life in self.lives.items()
            if life.state is ReservationState.HELD and (life.expires_at or 0) <= self.seconds
        }
        assert set(self.run(self.shop.service.expire_reservations(self.now(), 100))) == due
        for holder in due:
            self.lives[holder].held.clear()
            self.lives[holder].state = ReservationState.EXPIRED

    # -- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def balances_are_the_models_and_the_ledgers(self) -> None:
        found = self.run(self.shop.service.list_balances([], [], Position("", ""), 100))
        touched = {b.position for b in found}
        assert found == [
            Balance(*p, self.on_hand[p], self.reserved(p), self.unavailable[p], self.short(p))
            for p in sorted(touched)
        ]
        assert {p for p, q in self.on_hand.items() if q} <= touched
        self.run(self.shop.assert_sound())

    @invariant()
    def reservations_are_the_models(self) -> None:
        for holder, life in self.lives.items():
            found = self.run(self.shop.service.get_reservation(holder))
            assert (found.state, found.held()) == (life.state, +life.held)


def test_stock_keeps_its_rules_through_any_life(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=15, steps=30)


@pytest.mark.attack
@pytest.mark.timeout(1200)
def test_stock_keeps_its_rules_through_a_hundred_long_lives(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=120, steps=50)


def live(database: Database, lives: int, steps: int) -> None:
    class OnThisDatabase(StockMachine):
        def __init__(self) -> None:
            super().__init__(database)

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
