"""Random lives of stock to come against a plain model: nothing oversold, no unit lost or doubled."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kit import db
from kit.errors import FailedPrecondition
from services.inventory.domain.catalogue import BufferRule
from services.inventory.domain.supply import FutureRules
from tests.conftest import MakeDatabase
from tests.infra import Database
from tests.services.inventory.shop import NOON, Shop
from tests.services.inventory.supply_shop import OPEN, Supply, delivery, of

T = TypeVar("T")
KEPT = 2
TTL_SECONDS = 60
NAMES = ("po-1", "po-2")
HOLDERS = ("ord_a", "ord_b", "basket_c")

names = st.sampled_from(NAMES)
holders = st.sampled_from(HOLDERS)
units = st.integers(1, 6)


class Coming:
    """What the model knows of one delivery: its takes, oldest first, as [holder, units]."""

    def __init__(self, quantity: int) -> None:
        self.quantity = quantity
        self.received = 0
        self.ended = False
        self.takes: list[list[Any]] = []

    @property
    def left(self) -> int:
        return 0 if self.ended else self.quantity - self.received

    @property
    def held(self) -> int:
        return sum(take[1] for take in self.takes)

    def settle(self) -> None:
        """Ends when all came; what is waited for in vain is lost by those who took last."""
        self.ended = self.ended or self.received >= self.quantity
        self.drop(self.held - self.left, newest_first=True)

    def drop(self, count: int, *, newest_first: bool, holder: str | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        for take in reversed(self.takes) if newest_first else self.takes:
            if holder in (None, take[0]):
                given = max(0, min(count, take[1]))
                take[1] -= given
                count -= given
                found[take[0]] = found.get(take[0], 0) + given
        self.takes = [take for take in self.takes if take[1]]
        return {name: given for name, given in found.items() if given}


class SupplyMachine(RuleBasedStateMachine):
    """Drives both services of stock to come; both deliveries are of one position, so they share a protection."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        database.clean()
        self.runner = asyncio.Runner()
        self.supply = Supply(Shop(db.connect(database.url, pool_size=2)))
        self.run(self.supply.shop.open())
        protection = (BufferRule(quantity=KEPT),)
        self.run(self.supply.open(FutureRules(OPEN.kinds, 60, 0, protection)))
        self.seconds = 0
        self.coming: dict[str, Coming] = {}
        self.on_hand = self.unavailable = 0
        self.reserved: dict[str, int] = {}
        self.expires: dict[str, int | None] = {}

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def teardown(self) -> None:
        self.run(self.supply.shop.engine.dispose())
        self.runner.close()

    def now(self) -> Any:
        return NOON + timedelta(seconds=self.seconds)

    # -- the model ----------------------------------------------------------------------------------------

    def available(self, name: str) -> int:
        kept = KEPT
        for each in NAMES:
            known = self.coming.get(each)
            free = known.left - known.held if known else 0
            if each == name:
                return max(0, free - kept)
            kept -= min(kept, free)
        raise AssertionError(name)

    def waits(self, holder: str) -> int:
        return sum(take[1] for known in self.coming.values() for take in known.takes if take[0] == holder)

    def lapse(self, *, only: str | None = None) -> set[str]:
        """Those whose time has passed give everything back: all of them, or who waits for one delivery."""
        waiting = {take[0] for each, known in self.coming.items() if only in (None, each) for take in known.takes}
        due = {one for one in waiting if (at := self.expires.get(one)) is not None and at <= self.seconds}
        for known in self.coming.values():
            known.takes = [take for take in known.takes if take[0] not in due]
        return due

    # -- what may happen ----------------------------------------------------------------------------------

    @rule(name=names, quantity=units)
    def put(self, name: str, quantity: int) -> None:
        self.run(self.supply.put(delivery(name, quantity), as_of=self.now()))
        known = self.coming.setdefault(name, Coming(quantity))
        if not known.ended and known.quantity != quantity:
            self.lapse(only=name)
            known.quantity = quantity
            known.settle()

    @rule(holder=holders, name=names, quantity=units, partial=st.booleans(), forever=st.booleans())
    def reserve(self, holder: str, name: str, quantity: int, partial: bool, forever: bool) -> None:
        if name not in self.coming:
            return
        available = self.available(name)
        answer = self.run(
            self.supply.reserve(
                holder,
                of(quantity, name),
                seconds=0 if forever else TTL_SECONDS,
                partial=partial,
                as_of=self.now(),
            )
        )
        granted = quantity if quantity <= available else available if partial else 0
        assert answer.done == bool(granted)
        assert [one.available for one in answer.shortfalls] == ([available] if quantity > available else [])
        if not granted:
            return
        until = None if forever else self.seconds + TTL_SECONDS
        before = self.expires.get(holder)
        if not self.waits(holder):
            self.expires[holder] = until
        elif before is not None:
            self.expires[holder] = None if until is None else max(before, until)
        self.coming[name].takes.append([holder, granted])

    @rule(holder=holders, name=names, quantity=units)
    def release(self, holder: str, name: str, quantity: int) -> None:
        released = self.run(self.supply.release(holder, of(quantity, name)))
        known = self.coming.get(name, Coming(0))
        dropped = known.drop(quantity, newest_first=True, holder=holder)
        assert [one.quantity for one in released] == list(dropped.values())

    @rule(holder=holders)
    def confirm(self, holder: str) -> None:
        at = self.expires.get(holder)
        if self.waits(holder) and (at is None or at > self.seconds):
            self.run(self.supply.future.confirm(holder, self.now()))
            self.expires[holder] = None

    @rule(seconds=st.integers(1, TTL_SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds

    @rule()
    def expire(self) -> None:
        assert set(self.run(self.supply.future.expire(self.now(), 100))) == self.lapse()

    @rule(name=names, quantity=st.integers(0, 6), damaged=st.integers(0, 2), close=st.booleans())
    def receive(self, name: str, quantity: int, damaged: int, close: bool) -> None:
        known = self.coming.get(name)
        if known is None or not (quantity or damaged or close):
            return
        receiving = self.supply.receive(quantity, name, damaged=damaged, close=close, as_of=self.now())
        if known.ended:
            with pytest.raises(FailedPrecondition, match="DELIVERY_ENDED"):
                self.run(receiving)
            return
        self.lapse(only=name)
        self.on_hand += quantity + damaged
        self.unavailable += damaged
        free = self.on_hand - self.unavailable - sum(self.reserved.values())
        served = known.drop(min(quantity, max(0, free)), newest_first=False)
        for holder, given in served.items():
            self.reserved[holder] = self.reserved.get(holder, 0) + given
        known.received += quantity + damaged
        known.ended = close
        known.settle()
        answer = self.run(receiving)
        assert {one.reservation_id: one.quantity for one in answer.served} == served

    @rule(name=names)
    def cancel(self, name: str) -> None:
        known = self.coming.get(name)
        if known is None or known.ended:
            return
        self.run(self.supply.cancel(name, as_of=self.now()))
        self.lapse(only=name)
        known.ended = True
        known.settle()

    @rule(quantity=st.integers(1, 3))
    def a_count_finds_units_missing(self, quantity: int) -> None:
        missing = min(quantity, self.on_hand)
        if missing:
            self.on_hand -= missing
            self.run(self.supply.shop.adjust(-missing, cause="count"))

    # -- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def deliveries_are_the_models(self) -> None:
        for name, known in self.coming.items():
            view = self.run(self.supply.view(name))
            assert (view.delivery.outstanding, view.held) == (known.left, known.held), name
            assert known.held <= known.left
        shown = self.run(self.supply.shown(as_of=self.now()))
        assert shown == {name: units for name in self.coming if (units := self.available(name))}

    @invariant()
    def stock_is_the_models(self) -> None:
        balance = self.run(self.supply.shop.balance())
        assert (balance.on_hand, balance.unavailable) == (self.on_hand, self.unavailable)
        assert balance.reserved == sum(self.reserved.values())
        self.run(self.supply.assert_sound())


def test_stock_to_come_keeps_its_rules_through_any_life(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=8, steps=25)


@pytest.mark.attack
@pytest.mark.timeout(1200)
def test_stock_to_come_keeps_its_rules_through_a_hundred_long_lives(make_database: MakeDatabase) -> None:
    live(make_database("inventory"), lives=100, steps=50)


def live(database: Database, lives: int, steps: int) -> None:
    class OnThisDatabase(SupplyMachine):
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
