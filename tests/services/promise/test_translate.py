"""What planning is told of inventory's feed."""

from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.type.v1 import type_pb2
from services.promise.domain import network as n
from services.promise.translate import to_item


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
