"""What planning is told of inventory's feed."""

from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.type.v1 import type_pb2
from services.promise.domain import network as n
from services.promise.translate import to_item, to_stock_position

SHIP, COLLECT, SHOW = inv.STOCK_PURPOSE_SHIP, inv.STOCK_PURPOSE_COLLECT, inv.STOCK_PURPOSE_SHOW


def test_an_item_has_its_tags_and_the_price_of_each_channel() -> None:
    prices = [
        inv.ChannelPrice(channel_id="web", price=type_pb2.Money(amount_minor=1999, currency="EUR")),
        inv.ChannelPrice(channel_id="uk", price=type_pb2.Money(amount_minor=1799, currency="GBP")),
    ]
    item = inv.Item(
        sku="x",
        brand="b",
        weight_grams=400,
        length_millimetres=1,
        height_millimetres=3,
        tags=["sale"],
        prices=prices,
    )
    assert to_item(item) == n.Item(
        "x", "b", 400, 3, (1, 0), frozenset({"sale"}), {"web": Money(1999, "EUR"), "uk": Money(1799, "GBP")}
    )


def test_a_position_has_the_terms_of_the_channels_that_may_ship_or_hand_over_there() -> None:
    channels = [
        inv.ChannelTerms(channel_id="web", safety_stock=1, routing_buffer=2, purposes=[SHIP, COLLECT]),
        inv.ChannelTerms(channel_id="plain", safety_stock=3, purposes=[SHIP]),
        inv.ChannelTerms(channel_id="counter", safety_stock=4, routing_buffer=5, purposes=[COLLECT, SHOW]),
    ]
    position = to_stock_position(inv.StockPosition(sku="x", point_id="lille", free=-7, channels=channels))
    assert position == n.StockPosition(
        -7,
        {"web": 1, "plain": 3, "counter": 4},
        {"web": 2, "counter": 5},
        not_shipped=frozenset({"counter"}),
        not_collected=frozenset({"plain"}),
    )


def test_a_channel_that_only_shows_an_article_sells_none_of_it() -> None:
    window = [inv.ChannelTerms(channel_id="window", safety_stock=1, purposes=[SHOW])]
    position = to_stock_position(inv.StockPosition(sku="x", point_id="lille", free=9, channels=window))
    assert position == n.StockPosition(9, {})


def test_an_inventory_that_names_no_purposes_lets_every_channel_do_all() -> None:
    channels = [inv.ChannelTerms(channel_id="web", safety_stock=1, routing_buffer=2)]
    position = to_stock_position(inv.StockPosition(sku="x", point_id="lille", free=9, channels=channels))
    assert position == n.StockPosition(9, {"web": 1}, {"web": 2})
