"""Random lives of stock against a plain model: balances equal the ledger, nothing negative, nothing leaked."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
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
from kit.errors import FailedPrecondition, NotFound
from services.inventory.domain.bundles import Part, Parts, spread
from services.inventory.domain.catalogue import BufferRule
from services.inventory.domain.declarations import Reason
from services.inventory.domain.holds import HoldLine, HoldMove, ReservationState
from services.inventory.domain.ledger import Balance, Position
from services.inventory.domain.till import Effect
from tests.conftest import MakeDatabase
from tests.infra import Database
from tests.services.inventory.shelves import NIGHT, ShelfShop
from tests.services.inventory.shop import EDIT, NOON, POINTS, SKUS, item, with_rules

T = TypeVar("T")
KEPT = 1
TTL_SECONDS = 60


def hold_line(position: Position, quantity: int) -> HoldLine:
    return HoldLine(position.sku, position.point_id, quantity)


positions = st.builds(Position, st.sampled_from(SKUS[:2]), st.sampled_from(POINTS[:2]))
# What can be held, and sold at a till: a bundle of the two articles too.
SET = "SET"
COMPOSITIONS = ((Part(SKUS[0], 1), Part(SKUS[1], 2)), (Part(SKUS[1], 1), Part(SKUS[0], 1)))
sellable = st.builds(Position, st.sampled_from((*SKUS[:2], SET)), st.sampled_from(POINTS[:2]))
holders = st.sampled_from(["ord_a", "ord_b", "basket_c"])
# A holder and a position: mostly, by number, some that are held; else any.
targets = st.tuples(st.integers(0, 9), holders, sellable)
wishes = st.lists(st.builds(hold_line, sellable, st.integers(1, 4)), min_size=1, max_size=4)


class Life:
    """What the model knows of one reservation."""

    def __init__(self) -> None:
        self.state = ReservationState.HELD
        self.expires_at: float | None = None
        self.held: Counter[Position] = Counter()
        self.parts: dict[Position, Parts] = {}

    def stock(self, position: Position, quantity: int) -> list[tuple[Position, int]]:
        """The units of stock that so many held units are."""
        return list(spread(self.parts.get(position, ()), position, quantity))

    @property
    def ended(self) -> bool:
        return self.state in (ReservationState.CLOSED, ReservationState.EXPIRED)

    def settle(self) -> None:
        self.held = +self.held
        self.parts = {position: parts for position, parts in self.parts.items() if position in self.held}
        if not self.held and not self.ended:
            self.state = ReservationState.CLOSED


@dataclass
class Declared:
    """What the model knows of one declaration; in the order of their time; `seen` by a later count."""

    reason: Reason
    left: int
    seen: bool = False


@dataclass
class Count:
    """What the model knows of the open count of one article: counted, moved since, overruled by a later look."""

    count_id: str
    position: Position
    counted: int
    damaged: int
    since: int = 0
    overruled: bool = False


class StockMachine(RuleBasedStateMachine):
    """Drives stock on a real database; the model is two counters, some lists and a dictionary."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        database.clean()
        self.runner = asyncio.Runner()
        self.shop = ShelfShop(db.connect(database.url, pool_size=2))
        self.run(self.shop.open(with_rules(safety_stock=(BufferRule(quantity=KEPT),))))
        self.parts: Parts = ()
        self.compose(COMPOSITIONS[0])
        self.seconds = 0.0
        self.on_hand: Counter[Position] = Counter()
        self.declared: dict[Position, list[Declared]] = defaultdict(list)
        self.written_off_as_sold: Counter[Position] = Counter()
        self.days = 0
        self.count: Count | None = None
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
        return sum(
            units
            for life in self.lives.values()
            for held, quantity in life.held.items()
            for one, units in life.stock(held, quantity)
            if one == position
        )

    def unavailable(self, position: Position) -> int:
        return sum(one.left for one in self.declared[position])

    def use(self, position: Position, quantity: int, *which: Reason) -> int:
        """Takes up to so many declared units of some reasons, the oldest first; how many."""
        left = quantity
        for one in self.declared[position]:
            if one.reason in which:
                taken = min(max(left, 0), one.left)
                one.left -= taken
                left -= taken
        return quantity - left

    def leave(self, position: Position, quantity: int) -> int:
        """Units go off the books, as many as there are; how many."""
        gone = min(quantity, self.on_hand[position])
        self.on_hand[position] -= gone
        return gone

    def short(self, position: Position) -> int:
        return max(0, self.reserved(position) - self.on_hand[position])

    def available(self, position: Position, claimed: Counter[Position] | None = None) -> int:
        taken = self.reserved(position) + (claimed or Counter())[position]
        return max(0, self.on_hand[position] - taken - self.unavailable(position) - KEPT)

    def takeable(self, life: "Life", position: Position, claimed: Counter[Position] | None = None) -> int:
        return min(self.available(one, claimed) // units for one, units in life.stock(position, 1))

    def target(self, drawn: tuple[int, str, Position]) -> tuple[str, Position]:
        nth, holder, position = drawn
        held = sorted((one, p) for one, life in self.lives.items() for p in life.held)
        return held[nth % len(held)] if held and nth < 8 else (holder, position)

    def parts_of(self, position: Position) -> Parts:
        return self.parts if position.sku == SET else ()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    # -- what may happen ----------------------------------------------------------------------------------

    @initialize(units=st.lists(st.integers(3, 12), min_size=4, max_size=4))
    def stock_up(self, units: list[int]) -> None:
        # Without it most lives would be about refusals.
        for (sku, point_id), quantity in zip(product(SKUS[:2], POINTS[:2]), units, strict=True):
            self.adjust(Position(sku, point_id), quantity, False)

    @rule(parts=st.sampled_from(COMPOSITIONS))
    def compose(self, parts: Parts) -> None:
        self.parts = parts
        self.run(self.shop.service.put_items([replace(item(SET), parts=parts)], EDIT))

    @rule(position=positions, quantity=st.integers(-4, 6).filter(bool), count=st.booleans())
    def adjust(self, position: Position, quantity: int, count: bool) -> None:
        after = self.on_hand[position] + quantity
        allowed = after >= 0 and (quantity > 0 or count or after >= self.reserved(position))
        cause = "count" if count else "receipt"
        refusal = self.refusal(self.shop.adjust(quantity, *position, cause=cause, as_of=self.tick()))
        if allowed:
            assert refusal == ""
            self.on_hand[position] = after
            self.happened(position, quantity)
            if count and self.count is not None and self.count.position == position:
                self.count.overruled = True
        else:
            assert refusal == ("STOCK_BELOW_ZERO" if after < 0 else "STOCK_RESERVED")

    @rule(position=positions, quantity=st.integers(1, 3), reason=st.sampled_from(Reason))
    def declare_unavailable(self, position: Position, quantity: int, reason: Reason) -> None:
        allowed = self.unavailable(position) + quantity <= self.on_hand[position]
        declaring = self.shop.declare(quantity, *position, reason=reason, as_of=self.tick())
        assert self.refusal(declaring) == ("" if allowed else "NOT_ON_HAND")
        if allowed:
            self.declared[position].append(Declared(reason, quantity))

    @rule(position=positions, quantity=st.integers(1, 3))
    def release_unavailable(self, position: Position, quantity: int) -> None:
        allowed = quantity <= self.unavailable(position)
        assert self.refusal(self.shop.give_back(quantity, *position)) == ("" if allowed else "NOT_UNAVAILABLE")
        if allowed:
            self.use(position, quantity, *Reason)

    @rule(position=sellable, quantity=st.integers(1, 4))
    def till_sale(self, position: Position, quantity: int) -> None:
        effect = self.run(self.shop.sell(quantity, *position, as_of=self.tick())).effect
        expected = [self.sold(*one) for one in spread(self.parts_of(position), position, quantity)]
        assert effect == sum(expected, Effect())

    def sold(self, position: Position, quantity: int) -> Effect:
        whole = max(0, self.on_hand[position] - self.unavailable(position))
        known = min(quantity, self.written_off_as_sold[position])
        self.written_off_as_sold[position] -= known
        leaving = quantity - known
        used = self.use(position, leaving, Reason.BEING_SOLD)
        used += self.use(position, leaving - used, Reason.NOT_FOUND, Reason.OTHER)
        used += self.use(position, leaving - used - whole, Reason.DAMAGED, Reason.PACKED)
        gone = self.leave(position, leaving)
        self.happened(position, -leaving)
        return Effect(gone, used, known, leaving - gone)

    @rule(position=sellable, quantity=st.integers(1, 2))
    def till_return(self, position: Position, quantity: int) -> None:
        self.run(self.shop.take_back(quantity, *position, as_of=self.tick()))
        for one, units in spread(self.parts_of(position), position, quantity):
            self.on_hand[one] += units
            self.happened(one, units)

    @rule(point_id=st.sampled_from(POINTS[:2]))
    def end_of_day(self, point_id: str) -> None:
        # Far in the future of everything else here: each time the end of another date.
        self.days += 1
        report = self.run(self.shop.close_day(point_id, as_of=NIGHT + timedelta(days=self.days)))
        expected = 0
        for position, some in self.declared.items():
            for one in some if position.point_id == point_id else ():
                if one.reason is Reason.PACKED:
                    continue
                gone = self.leave(position, one.left)
                one.left = 0
                expected += gone
                self.written_off_as_sold[position] += gone if one.reason is Reason.BEING_SOLD else 0
                if not one.seen:
                    self.happened(position, -gone)
        assert report.units == expected

    @rule(position=positions, quantity=st.integers(0, 5), damaged=st.integers(0, 2))
    @precondition(lambda self: self.count is None)
    def count_an_article(self, position: Position, quantity: int, damaged: int) -> None:
        sku, point_id = position
        opened = self.run(self.shop.open_count(sku, point_id=point_id, as_of=self.tick()))
        damaged = min(damaged, quantity)
        self.run(self.shop.count(opened.count_id, quantity, sku, damaged=damaged, as_of=self.tick()))
        self.count = Count(opened.count_id, position, quantity, damaged)
        for one in self.declared[position]:
            one.seen = True

    @rule()
    @precondition(lambda self: self.count is not None)
    def give_the_count_up(self) -> None:
        assert self.count is not None
        self.run(self.shop.cancel_count(self.count.count_id, self.tick()))
        self.count = None

    @rule()
    @precondition(lambda self: self.count is not None)
    def close_the_count(self) -> None:
        count, self.count = self.count, None
        assert count is not None
        (line,) = self.run(self.shop.close_count(count.count_id, as_of=self.tick())).lines
        if count.overruled:
            assert line.adjusted == 0
            return
        declared = self.declared[count.position]
        self.on_hand[count.position] = max(0, count.counted + count.since)
        seen = [one for one in declared if one.seen]
        for one in seen:
            one.left = 0
        room = self.on_hand[count.position] - self.unavailable(count.position)
        if damaged := max(0, min(count.damaged, room)):
            declared.insert(len(seen), Declared(Reason.DAMAGED, damaged))

    def happened(self, position: Position, quantity: int) -> None:
        """What moved after an article was counted comes on top of the count."""
        if self.count is not None and self.count.position == position:
            self.count.since += quantity

    def tick(self) -> datetime:
        """A later moment, however short."""
        self.seconds += 1 / 1024  # no float is rounded
        return self.now()

    @rule(holder=holders, lines=wishes, partial=st.booleans(), forever=st.booleans())
    def reserve(self, holder: str, lines: list[HoldLine], partial: bool, forever: bool) -> None:
        self.hold(holder, lines, partial, forever)

    def hold(self, holder: str, lines: list[HoldLine], partial: bool, forever: bool) -> None:
        wanted: Counter[Position] = Counter()
        for line in lines:
            wanted[line.position] += line.quantity
        before = self.lives.get(holder, Life())
        life = Life()
        life.parts = {p: before.parts.get(p) or self.parts_of(p) for p in wanted}
        granted, could, claimed = dict[Position, int](), dict[Position, int](), Counter[Position]()
        for p, q in wanted.items():
            could[p] = self.takeable(life, p, claimed)
            granted[p] = min(q, could[p])
            claimed.update(dict(life.stock(p, granted[p])))
        lacking = {p for p, q in wanted.items() if granted[p] < q}
        done = any(granted.values()) and (partial or not lacking)
        answer = self.run(
            self.shop.reserve(
                holder, *lines, seconds=0 if forever else TTL_SECONDS, partial=partial, as_of=self.now()
            )
        )
        assert answer.done == done
        assert {Position(s.sku, s.point_id): s.available for s in answer.shortfalls} == {
            p: could[p] for p in lacking
        }
        if not done:
            return
        parts = {p: life.parts[p] for p, q in granted.items() if q and life.parts[p]}
        life = self.lives.setdefault(holder, Life())
        life.parts.update(parts)
        expires_at = None if forever else self.seconds + TTL_SECONDS
        if not life.held:
            life.expires_at = expires_at
        elif life.expires_at is not None:
            life.expires_at = None if expires_at is None else max(expires_at, life.expires_at)
        life.state = ReservationState.CONFIRMED if life.expires_at is None else ReservationState.HELD
        life.held.update({p: q for p, q in granted.items() if q})

    # Holding is drawn as often as what may become of a hold.

    @rule(holder=holders, lines=wishes, forever=st.booleans())
    def hold_what_there_is(self, holder: str, lines: list[HoldLine], forever: bool) -> None:
        self.hold(holder, lines, True, forever)

    @rule(holder=holders, point_id=st.sampled_from(POINTS[:2]), sets=st.integers(1, 2), more=wishes | st.just([]))
    def hold_a_set(self, holder: str, point_id: str, sets: int, more: list[HoldLine]) -> None:
        self.hold(holder, [HoldLine(SET, point_id, sets), *more], False, False)

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

    @rule(drawn=targets, quantity=st.integers(1, 2))
    def issue(self, drawn: tuple[int, str, Position], quantity: int) -> None:
        holder, position = self.target(drawn)
        refusal = self.refusal(self.shop.issue(holder, HoldLine(*position, quantity), as_of=self.tick()))
        life = self.lives.get(holder, Life())
        if life.held[position] < quantity:
            assert refusal == self.not_held(holder)
        elif any(self.on_hand[one] < units for one, units in life.stock(position, quantity)):
            assert refusal == "STOCK_BELOW_ZERO"
        else:
            assert refusal == ""
            for one, units in life.stock(position, quantity):
                self.on_hand[one] -= units
                self.happened(one, -units)
            life.held[position] -= quantity
            life.settle()

    @rule(drawn=targets, quantity=st.integers(1, 2))
    def report_short(self, drawn: tuple[int, str, Position], quantity: int) -> None:
        holder, position = self.target(drawn)
        refusal = self.refusal(self.shop.report_short(holder, HoldLine(*position, quantity), as_of=self.tick()))
        life = self.lives.get(holder, Life())
        if life.held[position] < quantity:
            assert refusal == self.not_held(holder)
        else:
            assert refusal == ""
            for one, units in life.stock(position, quantity):
                known_missing = min(units, self.short(one))
                undeclared = max(0, self.on_hand[one] - self.unavailable(one))
                if declared := min(units - known_missing, undeclared):
                    self.declared[one].append(Declared(Reason.NOT_FOUND, declared))
            life.held[position] -= quantity
            life.settle()

    @rule(drawn=targets, quantity=st.integers(1, 2))
    def move(self, drawn: tuple[int, str, Position], quantity: int) -> None:
        holder, position = self.target(drawn)
        life = self.lives.get(holder, Life())
        to = Position(position.sku, next(p for p in POINTS[:2] if p != position.point_id))
        moving = self.shop.move(holder, HoldMove(*position, to.point_id, quantity))
        if life.held[position] < quantity:
            assert self.refusal(moving) == self.not_held(holder)
            return
        if to in life.held and life.parts.get(to) != life.parts.get(position):
            assert self.refusal(moving) == "OTHER_PARTS"
            return
        stock = life.stock(position, 1)
        fits = all(self.available(Position(one.sku, to.point_id)) >= units * quantity for one, units in stock)
        assert self.run(moving).done == fits
        if fits:
            if position in life.parts:
                life.parts[to] = life.parts[position]
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
            self.lives[holder].parts.clear()
            self.lives[holder].state = ReservationState.EXPIRED

    # -- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def balances_are_the_models_and_the_ledgers(self) -> None:
        found = self.run(self.shop.service.list_balances([], [], Position("", ""), 100))
        touched = {b.position for b in found}
        assert found == [
            Balance(*p, self.on_hand[p], self.reserved(p), self.unavailable(p), self.short(p))
            for p in sorted(touched)
        ]
        assert {p for p, q in self.on_hand.items() if q} <= touched
        self.run(self.shop.assert_sound())

    @invariant()
    def reservations_are_the_models(self) -> None:
        for holder, life in self.lives.items():
            found = self.run(self.shop.service.get_reservation(holder))
            assert (found.state, found.held(), found.parts) == (life.state, +life.held, life.parts)


def test_stock_keeps_its_rules_through_any_life(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=12, steps=30)


@pytest.mark.attack
@pytest.mark.timeout(1200)
def test_stock_keeps_its_rules_through_a_hundred_long_lives(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=100, steps=50)


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
