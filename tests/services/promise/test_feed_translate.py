"""What the replica takes of a message of inventory's feed."""

from datetime import date

from kit import times
from oms.inventory.v1 import inventory_service_pb2 as pb
from services.promise.domain import network as n
from services.promise.feed_translate import to_change
from services.promise.replica import StockReplica
from tests.services.promise.network import NOW

SHIP, COLLECT, SHOW = pb.STOCK_PURPOSE_SHIP, pb.STOCK_PURPOSE_COLLECT, pb.STOCK_PURPOSE_SHOW


def test_a_block_becomes_the_positions_that_it_tells() -> None:
    web = pb.ChannelTerms(channel_id="web", safety_stock=1, routing_buffer=2, purposes=[SHIP, SHOW])
    counter = pb.ChannelTerms(channel_id="counter", safety_stock=4, purposes=[COLLECT])
    stock = pb.StockBlock(
        skus=["x", "y"],
        rows=[2, 1],
        point_ids=["lille", "lyon"],
        terms=[
            pb.PositionTerms(channels=[web, counter]),
            pb.PositionTerms(markdown_from_date="2026-07-01", markdown_basis_points=2_950),
        ],
        point_indexes=[0, 1, 1],
        terms_indexes=[0, 1, 0],
        free=[-7, 8, 9],
        daily_sales_thousandths=[0, 1_250, 0],
    )
    rates = pb.FindRateTable(
        rows=[
            pb.FindRateRow(basis_points=[10_000] * 4),
            pb.FindRateRow(category="home/kitchen", point_id="lyon", basis_points=[9_000, 9_100, 9_200, 9_300]),
        ]
    )
    replica = StockReplica()
    replica.opened()
    message = pb.WatchStockResponse(
        sequence=4,
        snapshot=True,
        snapshot_complete=True,
        stock=stock,
        items=[pb.Item(sku="y", category_path=["home", "kitchen"])],
        find_rates=rates,
    )
    replica.take(to_change(message), NOW)
    positions = replica.slice(["x", "y"]).positions
    purposes = {"web": frozenset({n.SHIP, n.SHOW}), "counter": frozenset({n.COLLECT})}
    assert positions["x"] == {
        "lille": n.StockPosition(-7, {"web": 1, "counter": 4}, {"web": 2}, n.NO_FACTS, purposes),
        "lyon": n.StockPosition(8, {}, {}, n.Facts(1.25, date(2026, 7, 1), 30)),
    }
    found = n.Facts(find_rate=0.93)
    assert positions["y"] == {"lyon": n.StockPosition(9, {"web": 1, "counter": 4}, {"web": 2}, found, purposes)}


def test_find_rates_stay_until_others_are_told() -> None:
    replica = StockReplica()
    replica.opened()
    stock = pb.StockBlock(
        skus=["x"],
        rows=[1],
        point_ids=["a"],
        terms=[pb.PositionTerms()],
        point_indexes=[0],
        terms_indexes=[0],
        free=[1],
    )

    def told(*rates: int) -> float:
        table = pb.FindRateTable(rows=[pb.FindRateRow(basis_points=[one] * 4) for one in rates])
        replica.take(to_change(pb.WatchStockResponse(sequence=2, find_rates=table)), NOW)
        return replica.slice(["x"]).positions["x"]["a"].facts.find_rate

    replica.take(to_change(pb.WatchStockResponse(snapshot=True, snapshot_complete=True, stock=stock)), NOW)
    assert told(9_000) == 0.9
    before = replica.slice(["x"])
    replica.take(to_change(pb.WatchStockResponse(sequence=3)), NOW)
    assert told(8_000) == 0.8
    assert before.positions["x"]["a"].facts.find_rate == 0.9
    assert told() == 1.0, "nobody picks any more: nothing is known"


def test_what_comes_and_release_dates_are_taken_as_told() -> None:
    web = pb.ComingUnits(channel_id="web", units=4, due_at=times.to_proto(NOW), purposes=[SHIP])
    counter = pb.ComingUnits(channel_id="counter", units=6, due_at=times.to_proto(NOW), purposes=[COLLECT])
    delivery = pb.ComingDelivery(delivery_id="po-1", channels=[web, counter])
    message = pb.WatchStockResponse(
        items=[pb.Item(sku="x", release_date="2026-07-01"), pb.Item(sku="y")],
        coming=[
            pb.ComingStock(sku="x", point_id="lille", deliveries=[delivery]),
            pb.ComingStock(sku="x", point_id="lyon"),
        ],
    )
    change = to_change(message)
    assert [item.release_date for item in change.items] == [date(2026, 7, 1), None]
    units = {
        "web": n.ComingUnits(4, NOW, frozenset({n.SHIP})),
        "counter": n.ComingUnits(6, NOW, frozenset({n.COLLECT})),
    }
    assert change.coming == {("x", "lille"): (n.Coming("po-1", units),), ("x", "lyon"): ()}
