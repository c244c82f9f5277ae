"""What planning is told of inventory's feed, of carriers and by who asks; and what it answers."""

from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.promise.v1 import promise_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.promise import translate
from services.promise.domain import engine
from services.promise.domain import network as n
from services.promise.domain.plans import Decision
from services.promise.translate import to_item
from tests.services.promise.domain.test_consolidating import asked, best, shop
from tests.services.promise.domain.test_modes import RULES, TO_RIVOLI, store
from tests.services.promise.network import point, request, service, snapshot, stock


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


def test_a_carrier_comes_back_as_it_was_put() -> None:
    carrier = n.Carrier("post", (service(one_shipment=True), service("other")), "Poste")
    assert translate.to_carriers([translate.carrier_proto(carrier)]) == [carrier]


def test_whoever_asks_says_whether_units_to_come_may_be_waited_for() -> None:
    for is_allowed in (False, True):
        quoted = translate.to_quote_question(pb.QuoteRequest(may_wait=is_allowed))
        listed = translate.to_listing_question(pb.QuoteListingRequest(may_wait=is_allowed))
        assert (quoted.may_wait, listed.may_wait) == (is_allowed, is_allowed)


def test_whoever_asks_says_whether_parcels_may_meet_at_a_hub() -> None:
    for is_allowed in (False, True):
        quoted = pb.QuoteRequest(may_consolidate=is_allowed)
        assert translate.to_quote_question(quoted).may_consolidate is is_allowed
        planned = pb.PlanOrderRequest(may_consolidate=is_allowed, mode=type_pb2.DELIVERY_MODE_HOME_STANDARD)
        assert translate.to_plan_request(planned).may_consolidate is is_allowed
    # It is a part of what a repeat of the request must have too.
    contents = {translate.plan_order_content(pb.PlanOrderRequest(may_consolidate=one)) for one in (False, True)}
    assert len(contents) == 2


def test_a_plan_by_way_of_a_hub_tells_its_legs_and_what_goes_on() -> None:
    told = translate.plan_proto(best(shop(), asked()))
    assert [(leg.point_id, leg.carrier_id, leg.via_point_id, leg.parcels) for leg in told.legs] == [
        ("hub", "", "hub", 0),
        ("lyon", "post", "hub", 1),
    ]
    assert (told.onward.point_id, told.onward.service_id, told.onward.via_point_id) == ("hub", "home", "")
    assert told.onward.window == told.window


def test_the_plan_of_an_order_that_is_collected_says_to_which_store_its_legs_go() -> None:
    to_store = [n.Carrier("post", (service("it", mode=n.Mode.SHIP_TO_STORE),))]
    shops = snapshot([store("rivoli"), point("w")], stock({"x": {"w": 1}, "y": {"rivoli": 1}}), to_store)
    question = request(("x", 1), ("y", 1), mode=n.Mode.SHIP_TO_STORE, destination=TO_RIVOLI)
    decision = Decision(
        "dec_1", "ord_1", question, "", "rules", 1, shops.stock.view, engine.plan(shops, question, RULES)
    )
    (plan,) = translate.plan_order_proto(decision).plans[:1]
    assert {leg.point_id: leg.via_point_id for leg in plan.legs} == {"w": "rivoli", "rivoli": ""}
