"""The replica's own rules, without a network."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import Unavailable
from services.promise.domain import network as n
from services.promise.replica import Change, StockReplica
from tests.services.promise.conftest import shop_stock
from tests.services.promise.network import CHANNEL, NOW, block, point


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def position(free: int) -> n.StockPosition:
    return n.StockPosition(free, {CHANNEL: 0})


def test_nothing_is_answered_before_the_snapshot_is_complete() -> None:
    replica = StockReplica()
    replica.opened()
    replica.take(replace(shop_stock(), completes_snapshot=False), NOW)
    assert not replica.is_ready
    assert replica.resume_after == 0
    with pytest.raises(Unavailable, match="STOCK_UNKNOWN"):
        replica.slice(["x"])
    replica.take(Change(41, is_snapshot=True, completes_snapshot=True, sent_at=NOW), NOW)
    assert replica.is_ready
    assert replica.slice(["x"]).positions["x"]["lille"].free == 3
    assert replica.resume_after == 41


def test_a_slice_does_not_move_when_the_stock_does(replica: StockReplica) -> None:
    before = replica.slice(["x", "nothing"])
    replica.take(Change(41, points=(point("new"),), positions=block(("x", "lille", position(0)))), NOW)
    assert before.positions["x"]["lille"].free == 3
    assert "new" not in before.points
    assert "nothing" not in before.items
    after = replica.slice(["x"])
    assert after.positions["x"]["lille"].free == 0
    assert after.view.sequence == 41


def test_a_new_snapshot_replaces_everything_at_once(replica: StockReplica) -> None:
    replica.opened()
    replica.take(
        Change(90, is_snapshot=True, items=(n.Item("z"),), positions=block(("z", "lille", position(1)))), NOW
    )
    assert "x" in replica.slice(["x"]).items, "the old one serves until the new one is complete"
    replica.take(Change(90, is_snapshot=True, completes_snapshot=True), NOW)
    assert replica.slice(["x"]).items == {}
    assert replica.status(NOW).positions == 1


def test_a_snapshot_that_broke_off_is_forgotten(replica: StockReplica) -> None:
    replica.opened()
    replica.take(Change(90, is_snapshot=True, positions=block(("old", "lille", position(1)))), NOW)
    replica.lost()
    replica.opened()
    replica.take(Change(91, is_snapshot=True, completes_snapshot=True), NOW)
    assert replica.status(NOW).positions == 0


def test_silence_and_a_lost_stream_make_it_stale() -> None:
    clock = Clock()
    replica = StockReplica(stale_after_seconds=3, monotonic=clock)
    assert replica.view().stale
    replica.opened()
    replica.take(shop_stock(), NOW)
    assert not replica.view().stale
    clock.seconds += 3.1
    assert replica.view().stale
    replica.take(Change(40, sent_at=NOW + timedelta(seconds=3)), NOW)
    assert not replica.view().stale, "a heartbeat is enough"
    replica.lost()
    assert replica.view().stale
    assert replica.view().as_of == NOW + timedelta(seconds=3)


def test_the_lag_is_the_age_of_the_last_message(replica: StockReplica) -> None:
    status = replica.status(NOW + timedelta(milliseconds=250))
    assert (status.lag, status.positions) == (timedelta(milliseconds=250), 3)
    assert replica.status(NOW - timedelta(seconds=1)).lag == timedelta(0)


def test_what_comes_to_a_position_replaces_what_came_before(replica: StockReplica) -> None:
    def told(point_id: str, *supply_ids: str) -> None:
        deliveries = tuple(n.Coming(one, {CHANNEL: n.ComingUnits(4, NOW, frozenset())}) for one in supply_ids)
        replica.take(Change(41, coming={("x", point_id): deliveries}), NOW)

    def known() -> dict[str, list[str]]:
        coming = replica.slice(["x", "y"]).coming.get("x", {})
        return {point_id: [one.supply_id for one in found] for point_id, found in coming.items()}

    told("lille", "po-1", "po-2")
    told("lyon", "po-3")
    before = replica.slice(["x"])
    assert known() == {"lille": ["po-1", "po-2"], "lyon": ["po-3"]}
    told("lille", "po-2")
    told("lyon")
    assert known() == {"lille": ["po-2"]}
    told("lille")
    assert replica.slice(["x", "y"]).coming == {}
    assert len(before.coming["x"]["lille"]) == 2, "a slice does not move"
    told("lyon", "po-3")
    replica.opened()
    replica.take(Change(90, is_snapshot=True, completes_snapshot=True), NOW)
    assert known() == {}, "a snapshot tells all that comes"
