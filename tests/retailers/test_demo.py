"""The demo retailer's files agree with each other and with the standards they cite."""

import itertools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from cli.stock import facts_file
from deploy.local.environment import LOCKER_BANKS
from kit.times import from_proto
from kit.values.gs1 import is_gln, is_gtin
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import merchandising_service_pb2 as merchandising
from oms.type.v1 import type_pb2 as types
from retailers.demo import data
from retailers.demo.data import Retailer
from services.inventory.domain.import_records import RecordReader
from services.orders.domain.settings import check_life_cycle
from services.orders.translate import to_life_cycle
from services.promise import checks, ruleset_checks, ruleset_text, translate


@pytest.fixture(scope="module")
def retailer() -> Retailer:
    return data.read()


def test_it_has_the_size_of_a_small_retailer(retailer: Retailer) -> None:
    kinds = [point.type for point in retailer.points]
    assert kinds.count(types.POINT_TYPE_WAREHOUSE) == 1
    assert kinds.count(types.POINT_TYPE_STORE) == 12
    assert kinds.count(types.POINT_TYPE_SUPPLIER) == 1
    assert 250 <= len(retailer.items) <= 350
    assert len(retailer.channels) == 4
    assert len(retailer.carriers) == 5
    assert {item.brand for item in retailer.items} == {"Ondelle", "Cairn"}


def test_each_id_is_given_once(retailer: Retailer) -> None:
    for ids in (
        [item.sku for item in retailer.items],
        [item.gtin for item in retailer.items],
        [point.point_id for point in retailer.points],
        [point.gln for point in retailer.points],
        [(area.country, area.prefix) for area in retailer.areas],
        [zone.zone_id for zone in retailer.zones],
        [service.service_id for carrier in retailer.carriers for service in carrier.services],
    ):
        assert len(ids) == len(set(ids))


def test_items_have_right_gtins_sizes_and_a_price_on_each_channel(retailer: Retailer) -> None:
    for item in retailer.items:
        assert is_gtin(item.gtin), item.sku
        assert item.weight_grams > 0, item.sku
        assert min(item.length_millimetres, item.width_millimetres, item.height_millimetres) > 0, item.sku
        assert {price.channel_id for price in item.prices} == {c.channel_id for c in retailer.channels}
        assert all(price.price.amount_minor > 0 for price in item.prices)


def test_what_is_given_instead_exists_and_costs_the_same(retailer: Retailer) -> None:
    items = {item.sku: item for item in retailer.items}
    pairs = [(item, items[sku]) for item in retailer.items for sku in item.substitutes]
    assert pairs
    assert all(one.prices == other.prices and one.sku != other.sku for one, other in pairs)


def test_bundles_have_parts_that_exist_and_no_stock_and_a_sample_shares_a_reference(retailer: Retailer) -> None:
    items = {item.sku: item for item in retailer.items}
    bundles = {sku for sku, item in items.items() if item.parts}
    assert len(bundles) == 2
    assert {part.sku for sku in bundles for part in items[sku].parts} <= items.keys() - bundles
    assert not bundles & {delta.sku for deltas in retailer.opening_stock.values() for delta in deltas}
    formats = {(item.reference, item.format) for item in retailer.items if item.reference}
    assert formats == {("CFAU-VELOURS-TC", ""), ("CFAU-VELOURS-TC", "sample")}


def test_what_is_put_on_articles_can_be_done_where_some_lie(retailer: Retailer) -> None:
    capable = {point.point_id: set(point.capabilities) for point in retailer.points}
    fields = {item.sku: item.personalisations[0] for item in retailer.items if item.personalisations}
    assert {(one.name, one.max_characters, one.capability, one.work_minutes) for one in fields.values()} == {
        ("engraved_name", 12, "engraving", 480),
        ("embroidered_initials", 3, "embroidery", 240),
    }
    stocked = {(point_id, delta.sku) for point_id, deltas in retailer.opening_stock.items() for delta in deltas}
    for sku, field in fields.items():
        assert any(here == sku and field.capability in capable[point_id] for point_id, here in stocked), sku


def test_points_stand_in_metropolitan_france_with_right_glns(retailer: Retailer) -> None:
    for point in retailer.points:
        assert is_gln(point.gln), point.point_id
        assert 41 < point.position.latitude < 51.2
        assert -5.2 < point.position.longitude < 9.6
        assert any(
            area.subdivision == point.subdivision and point.postcode.startswith(area.prefix)
            for area in retailer.areas
        ), point.point_id


def test_a_point_that_ships_has_a_collection_while_it_is_open(retailer: Retailer) -> None:
    for point in retailer.points:
        opening = {hours.weekday: hours for hours in point.opening_hours}
        if point.type == types.POINT_TYPE_STORE:
            assert bool(point.collections) == ("ship_from_store" in point.capabilities)
        for visit in point.collections:
            hours = opening[visit.weekday]
            assert hours.opens_minute < visit.cut_off_minute <= hours.closes_minute, point.point_id


def test_limits_of_capacity_are_of_points_carriers_and_services_that_exist_and_each_is_one(
    retailer: Retailer,
) -> None:
    points = {"", *(point.point_id for point in retailer.points)}
    carriers = {"", *(carrier.carrier_id for carrier in retailer.carriers)}
    services = {"", *(service.service_id for carrier in retailer.carriers for service in carrier.services)}
    scopes = set()
    for limit in retailer.capacity:
        assert limit.point_id in points
        assert limit.carrier_id in carriers
        assert limit.service_id in services
        assert limit.point_id or limit.carrier_id
        scopes.add((limit.point_id, limit.carrier_id, limit.service_id, limit.weekday, limit.date))
    assert len(scopes) == len(retailer.capacity) == 9


def test_boxes_hold_what_is_sold_but_furniture_and_the_like(retailer: Retailer) -> None:
    boxes = [translate.to_box(box) for box in retailer.boxes]
    checks.boxes(boxes)
    items = [translate.to_item(item) for item in retailer.items]
    fitting = [item for item in items if any(box.may_hold(item) for box in boxes)]
    assert len(items) * 0.7 < len(fitting) < len(items)


def test_collections_are_by_carriers_that_exist(retailer: Retailer) -> None:
    visiting = {visit.carrier_id for point in retailer.points for visit in point.collections}
    assert visiting == {
        carrier.carrier_id for carrier in retailer.carriers if any(service.zones for service in carrier.services)
    }


def test_a_store_with_lockers_has_compartments_of_a_size_that_something_fits(retailer: Retailer) -> None:
    assert [one.point_id for one in retailer.points if "locker" in one.capabilities] == list(LOCKER_BANKS)
    (room,) = (
        service
        for carrier in retailer.carriers
        for service in carrier.services
        if service.mode == types.DELIVERY_MODE_STORE_LOCKER
    )
    assert not room.zones
    fitting = [
        one
        for one in retailer.items
        if 0 < one.weight_grams <= room.max_weight_grams and one.length_millimetres <= room.max_length_millimetres
    ]
    assert len(fitting) > len(retailer.items) / 2


def test_channels_name_points_items_and_categories_that_exist(retailer: Retailer) -> None:
    points = {point.point_id for point in retailer.points}
    skus = {item.sku for item in retailer.items}
    tags = {tag for item in retailer.items for tag in item.tags}
    brands = {item.brand for item in retailer.items}
    categories = {
        "/".join(item.category_path[:depth])
        for item in retailer.items
        for depth in range(1, len(item.category_path) + 1)
    }
    for channel in retailer.channels:
        assert set(channel.activated_points) <= points
        assert {one.point_id for one in channel.activations} <= points - set(channel.activated_points)
        rules: Iterator[inventory.Exclusion | inventory.SafetyStockRule] = iter(
            [*channel.exclusions, *channel.safety_stock, *channel.routing_buffers]
        )
        for rule in rules:
            assert rule.sku in skus | {""}
            assert rule.category in categories | {""}
            assert rule.point_id in points | {""}
        assert {rule.tag for rule in channel.exclusions} <= tags | {""}
        assert {rule.brand for rule in channel.exclusions} <= brands | {""}


def test_channels_live_by_a_life_cycle_that_exists(retailer: Retailer) -> None:
    known = {life_cycle.life_cycle_id for life_cycle in retailer.life_cycles}
    assert {channel.life_cycle_id for channel in retailer.sales_channels} <= known
    trades = {trade.name: trade.life_cycle_id for one in retailer.sales_channels for trade in one.trades}
    assert set(trades) == {"fashion", "try_at_home", "fresh_food", "heavy_goods", "luxury", "pre_order"}
    assert set(trades.values()) <= known
    assert [c.channel_id for c in retailer.sales_channels] == [c.channel_id for c in retailer.channels]


def test_every_life_cycle_is_one_that_may_be_published(retailer: Retailer) -> None:
    for one in retailer.life_cycles:
        check_life_cycle(to_life_cycle(one))
    by_id = {one.life_cycle_id: one for one in retailer.life_cycles}
    assert {label.language for label in by_id["fashion"].labels} == {"fr", "en"}
    assert [one.until for one in by_id["luxury"].change_rules if one.change == "cancel"] == ["pick"]
    assert by_id["fresh_food"].cooling_off_seconds == 0
    assert by_id["heavy_goods"].prepare_ahead_seconds > by_id["pre_order"].prepare_ahead_seconds > 0


def test_a_game_can_be_ordered_before_its_day(retailer: Retailer) -> None:
    (game,) = [item for item in retailer.items if item.category_path[-1] == "board-games"]
    (preorder,) = [one for one in retailer.preorders if one.sku == game.sku]
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    assert from_proto(preorder.release_at).astimezone(paris).date().isoformat() == game.release_date
    opening = [delta for deltas in retailer.opening_stock.values() for delta in deltas]
    assert sum(delta.quantity for delta in opening if delta.sku == game.sku) >= preorder.quantity


def test_opening_stock_is_of_known_items_at_points_that_carry_their_brand(retailer: Retailer) -> None:
    brands = {item.sku: item.brand for item in retailer.items}
    carried = {point.point_id: list(point.brands) for point in retailer.points}
    for point_id, deltas in retailer.opening_stock.items():
        for delta in deltas:
            assert delta.quantity > 0
            assert not carried[point_id] or brands[delta.sku] in carried[point_id]


def test_stock_to_come_is_of_known_items_to_points_of_known_channels(retailer: Retailer) -> None:
    skus = {item.sku: item for item in retailer.items}
    points = {point.point_id for point in retailer.points}
    channels = {channel.channel_id for channel in retailer.channels}
    for coming in retailer.deliveries:
        assert coming.delivery.sku in skus
        assert coming.delivery.point_id in points
        assert 0 < coming.in_days[0] <= coming.in_days[1]
    assert {rules.channel_id for rules in retailer.future_rules} <= channels
    for preorder in retailer.preorders:
        released = datetime.fromtimestamp(preorder.release_at.seconds, zoneinfo.ZoneInfo("Europe/Paris"))
        assert skus[preorder.sku].release_date == released.date().isoformat()
        assert preorder.opens_at.seconds < preorder.closes_at.seconds <= preorder.release_at.seconds


def test_facts_are_of_known_items_at_stores_that_carry_their_brand(retailer: Retailer) -> None:
    brands = {item.sku: item.brand for item in retailer.items}
    stores = {point.point_id: point.brands for point in retailer.points if point.type == types.POINT_TYPE_STORE}
    assert len({(one.sku, one.point_id) for one in retailer.facts}) == len(retailer.facts) <= 1_000
    assert {one.point_id for one in retailer.facts} == set(stores)
    for one in retailer.facts:
        assert brands[one.sku] in (stores[one.point_id] or brands.values())
        assert one.plan.min_quantity <= one.plan.target_quantity
        if one.HasField("plan"):
            assert one.assortment.in_assortment, "what is not carried is not refilled"


def test_all_that_a_point_may_pick_lies_on_one_shelf_and_shelves_are_walked_in_turn(retailer: Retailer) -> None:
    places = {(one.sku, one.point_id): one.location for one in retailer.locations}
    assert len(places) == len(retailer.locations)
    picking = {point.point_id for point in retailer.points if point.type != types.POINT_TYPE_SUPPLIER}
    stocked = {
        (delta.sku, point_id)
        for point_id, deltas in retailer.opening_stock.items()
        for delta in deltas
        if point_id in picking
    }
    assert not stocked - set(places)
    assert {point_id for _, point_id in places} == picking
    for point_id in picking:
        walk = {place.walk_order: place.location for (_, at), place in places.items() if at == point_id}
        assert list(walk) == list(range(1, len(walk) + 1))
        assert list(walk.values()) == sorted(set(walk.values()))


def test_the_file_of_facts_is_one_that_the_command_imports(retailer: Retailer) -> None:
    rows = list(facts_file.rows(Path(data.__file__).parent / "data/facts.csv", "retailers/demo"))
    assert not [row for row in rows if row.problem]
    assert [ParseDict(row.record, merchandising.PositionFacts()) for row in rows] == retailer.facts


def test_rates_rise_with_weight_and_reach_the_service_s_limit(retailer: Retailer) -> None:
    zones = {zone.zone_id for zone in retailer.zones}
    for carrier in retailer.carriers:
        for service in carrier.services:
            if not service.zones:
                # It carries nothing: a compartment.
                continue
            assert service.carbon_factor
            assert all(leg.grams_per_tonne_kilometre > 0 for leg in service.carbon_legs)
            assert sum(leg.kilometres == 0 for leg in service.carbon_legs) == 1
            for terms in service.zones:
                assert terms.zone_id in zones
                assert 0 <= terms.transit_days_min <= terms.transit_days_max
                steps = [(step.up_to_grams, step.price.amount_minor) for step in terms.rates]
                assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(steps))
                assert steps[-1][0] == service.max_weight_grams


def test_every_item_fits_some_carrier(retailer: Retailer) -> None:
    services = [service for carrier in retailer.carriers for service in carrier.services]
    for item in retailer.items:
        longest = max(item.length_millimetres, item.width_millimetres, item.height_millimetres)
        assert any(
            item.weight_grams <= service.max_weight_grams and longest <= service.max_length_millimetres
            for service in services
        ), item.sku


def test_each_departement_of_metropolitan_france_is_an_area(retailer: Retailer) -> None:
    assert len({area.subdivision for area in retailer.areas if area.country == "FR"}) == 96


def test_zones_lie_in_time_zones_that_exist(retailer: Retailer) -> None:
    for zone in retailer.zones:
        zoneinfo.ZoneInfo(zone.time_zone)


def test_no_carrier_serves_the_overseas_departements(retailer: Retailer) -> None:
    served = {t.zone_id for c in retailer.carriers for s in c.services for t in s.zones}
    overseas = {zone.zone_id for zone in retailer.zones if zone.time_zone.partition("/")[0] != "Europe"}
    assert overseas
    assert not served & overseas


def test_every_store_is_served_by_a_lane_that_arrives_while_it_is_open(retailer: Retailer) -> None:
    points = {point.point_id: point for point in retailer.points}
    stores = {point.point_id for point in retailer.points if point.type == types.POINT_TYPE_STORE}
    assert stores == {lane.destination_id for lane in retailer.lanes if lane.origin_id == "wh-orleans"}
    assert len({lane.lane_id for lane in retailer.lanes}) == len(retailer.lanes)
    for lane in retailer.lanes:
        assert lane.origin_id in points
        assert lane.departures
        cost = lane.cost
        assert cost.per_parcel_minor + cost.per_unit_minor + cost.per_kilogram_minor > 0
        if lane.transit_days == 0:
            # What leaves on a day on which the destination is closed would wait for the next one.
            open_on = {hours.weekday for hours in points[lane.destination_id].opening_hours}
            assert {departure.weekday for departure in lane.departures} <= open_on, lane.lane_id


def test_its_rules_are_right_and_written_as_the_system_writes_them(retailer: Retailer) -> None:
    ruleset = ruleset_text.read(retailer.ruleset).ruleset
    ruleset_checks.check(ruleset)
    assert ruleset_text.write(ruleset) == retailer.ruleset
    assert {channel.currency for channel in retailer.channels} == {ruleset.currency}


def test_the_count_of_a_shop_can_be_imported_as_a_snapshot(retailer: Retailer) -> None:
    reader = RecordReader("snapshot", "csv", frozenset({"st-lyon"}), None, datetime.now(UTC))
    block = reader.feed((Path(data.__file__).parent / "data/snapshot-st-lyon.csv").read_bytes())
    assert not reader.end().rejections + block.rejections
    articles = {item.sku for item in retailer.items if not item.parts}
    assert {row.split("\t")[1] for row in block.rows.splitlines()} == articles
