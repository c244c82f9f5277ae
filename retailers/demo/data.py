"""Reads the retailer's files into the messages that the services take. Knows the files' short forms, no service.

Days are `mon` or `mon-sat`, times of day `HH:MM`, hours `HH:MM-HH:MM`. A mistake in a file raises ValueError or
KeyError where it is read.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kit.times import to_proto
from oms.booking.v1 import booking_service_pb2 as booking
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import merchandising_service_pb2 as merchandising
from oms.inventory.v1 import supply_service_pb2 as supply
from oms.inventory.v1 import transfer_service_pb2 as transfers
from oms.orders.v1 import orders_service_pb2 as orders
from oms.promise.v1 import capacity_service_pb2 as capacity
from oms.promise.v1 import promise_service_pb2 as promise
from oms.type.v1 import type_pb2 as types
from retailers.demo import shelves

_FOLDER = Path(__file__).parent / "data"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Coming:
    """A delivery without its window: that lies so many days after the load that puts it."""

    delivery: supply.ExpectedDelivery
    in_days: tuple[int, int]


@dataclass(frozen=True)
class Retailer:
    """Everything that the demo retailer is made of."""

    items: list[inventory.Item]
    points: list[inventory.StockPoint]
    channels: list[inventory.Channel]
    opening_stock: dict[str, list[inventory.StockDelta]]
    lanes: list[transfers.Lane]
    carriers: list[promise.Carrier]
    boxes: list[promise.Box]
    zones: list[promise.Zone]
    areas: list[promise.PostcodeArea]
    capacity: list[capacity.CapacityLimit]
    ruleset: str
    life_cycles: list[orders.LifeCycle]
    sales_channels: list[orders.SalesChannel]
    future_rules: list[supply.PutFutureRulesRequest]
    deliveries: list[Coming]
    preorders: list[supply.Preorder]
    facts: list[merchandising.PositionFacts]
    locations: list[merchandising.PositionFacts]
    slots: list[booking.SlotPattern]


def read() -> Retailer:
    """The demo retailer. `opening_stock` is by point; positions without a unit are left out.

    `ruleset` is text that promise reads.
    """
    channels, policies, to_come = _yaml("channels"), _yaml("policies"), _yaml("supply")
    items = [_item(row, channels) for row in _csv("items")]
    points = [_point(entry) for entry in _yaml("points")]
    return Retailer(
        items=items,
        points=points,
        channels=[_channel(entry) for entry in channels],
        opening_stock=_opening_stock(),
        lanes=[_lane(entry) for entry in _yaml("lanes")],
        carriers=[_carrier(entry) for entry in _yaml("carriers")],
        boxes=[_box(entry) for entry in _yaml("boxes")],
        zones=[_zone(entry) for entry in _yaml("zones")],
        areas=[_area(row) for row in _csv("areas")],
        capacity=[limit for entry in _yaml("capacity") for limit in _limits(entry)],
        ruleset=(_FOLDER / "ruleset.yaml").read_text(encoding="utf-8"),
        life_cycles=[orders.LifeCycle(**entry) for entry in policies["life_cycles"]],
        sales_channels=[_sales_channel(entry) for entry in channels],
        future_rules=[_future_rules(entry) for entry in to_come["rules"]],
        deliveries=[_coming(entry) for entry in to_come["deliveries"]],
        preorders=[_preorder(entry) for entry in to_come["preorders"]],
        facts=[_facts(row) for row in _csv("facts")],
        locations=_locations(points, items),
        slots=[_slot_pattern(entry) for entry in _yaml("slots")],
    )


@cache
def _yaml(name: str) -> Any:
    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def _csv(name: str) -> Iterator[dict[str, str]]:
    with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        # Columns at the end that few rows need are left out of the others.
        yield from csv.DictReader(file, restval="")


# -- stock ------------------------------------------------------------------------------------------------


def _item(row: Mapping[str, str], channels: list[dict[str, Any]]) -> inventory.Item:
    return inventory.Item(
        sku=row["sku"],
        gtin=row["gtin"],
        title=row["title"],
        brand=row["brand"],
        category_path=row["category"].split("/"),
        weight_grams=int(row["weight_grams"]),
        length_millimetres=int(row["length_millimetres"]),
        width_millimetres=int(row["width_millimetres"]),
        height_millimetres=int(row["height_millimetres"]),
        tags=row["tags"].split(),
        release_date=row["release_date"],
        reference=row["reference"],
        format=row["format"],
        parts=[
            inventory.BundlePart(sku=sku, quantity=int(units))
            for sku, units in (part.split("*") for part in row["parts"].split())
        ],
        personalisations=[_personalisation(field, channels) for field in row["personalisations"].split()],
        substitutes=row["substitutes"].split(),
        prices=[
            inventory.ChannelPrice(
                channel_id=channel["channel_id"],
                price=types.Money(amount_minor=int(row[channel["price_column"]]), currency=channel["currency"]),
            )
            for channel in channels
        ],
    )


def _personalisation(field: str, channels: list[dict[str, Any]]) -> inventory.PersonalisationField:
    name, characters, cents, capability, minutes = field.split(":")
    return inventory.PersonalisationField(
        name=name,
        max_characters=int(characters),
        capability=capability,
        work_minutes=int(minutes),
        surcharges=[
            inventory.ChannelPrice(
                channel_id=channel["channel_id"],
                price=types.Money(amount_minor=int(cents), currency=channel["currency"]),
            )
            for channel in channels
        ],
    )


def _point(entry: Mapping[str, Any]) -> inventory.StockPoint:
    latitude, longitude = entry["position"]
    return inventory.StockPoint(
        point_id=entry["point_id"],
        name=entry["name"],
        type=_point_type(entry["type"]),
        gln=entry["gln"],
        position=types.Position(latitude=latitude, longitude=longitude),
        country="FR",
        subdivision=entry["subdivision"],
        postcode=entry["postcode"],
        city=entry["city"],
        time_zone="Europe/Paris",
        opening_hours=[
            inventory.OpeningHours(weekday=day, opens_minute=opens, closes_minute=closes)
            for days, hours in entry["hours"].items()
            for opens, closes in [_hours(hours)]
            for day in _weekdays(days)
        ],
        closed_dates=entry.get("closed_dates", []),
        open_on_public_holidays=entry.get("open_on_public_holidays", False),
        collections=[
            inventory.Collection(
                carrier_id=visit["carrier"], weekday=day, cut_off_minute=_minute(visit["cut_off"])
            )
            for visit in entry["collections"]
            for day in _weekdays(visit["days"])
        ],
        capabilities=entry["capabilities"],
        daily_capacity=entry["daily_capacity"],
        handling_minutes=entry["handling_minutes"],
        ownership=entry.get("ownership", "owned"),
        brands=entry.get("brands", []),
    )


def _channel(entry: Mapping[str, Any]) -> inventory.Channel:
    return inventory.Channel(
        channel_id=entry["channel_id"],
        name=entry["name"],
        currency=entry["currency"],
        activated_points=entry["activated"],
        exclusions=[_exclusion(exclusion) for exclusion in entry["exclusions"]],
        safety_stock=[_buffer(rule) for rule in entry["safety_stock"]],
        activations=[_activation(one) for one in entry.get("activations", [])],
        routing_buffers=[_buffer(rule) for rule in entry.get("routing_buffers", [])],
        brands=entry["brands"],
    )


def _activation(entry: Mapping[str, Any]) -> inventory.Activation:
    purposes = [inventory.StockPurpose.Value(f"STOCK_PURPOSE_{one.upper()}") for one in entry["purposes"]]
    return inventory.Activation(point_id=entry["point_id"], purposes=purposes)


def _exclusion(entry: Mapping[str, Any]) -> inventory.Exclusion:
    # YAML reads an instant with an offset as an aware datetime.
    instants = {name: to_proto(entry[name]) for name in ("from_at", "until_at") if name in entry}
    point_type = _point_type(entry.get("point_type", "unspecified"))
    return inventory.Exclusion(**{**entry, **instants, "point_type": point_type})


def _buffer(rule: Mapping[str, Any]) -> inventory.SafetyStockRule:
    point_type = _point_type(rule.get("point_type", "unspecified"))
    return inventory.SafetyStockRule(**{**rule, "point_type": point_type})


def _opening_stock() -> dict[str, list[inventory.StockDelta]]:
    by_point: dict[str, list[inventory.StockDelta]] = {}
    for row in _csv("stock"):
        sku = row.pop("sku")
        for point_id, units in row.items():
            if int(units):
                delta = inventory.StockDelta(sku=sku, point_id=point_id, quantity=int(units))
                by_point.setdefault(point_id, []).append(delta)
    return by_point


def _lane(entry: Mapping[str, Any]) -> transfers.Lane:
    return transfers.Lane(
        lane_id=entry["lane"],
        origin_id=entry["from"],
        destination_id=entry["to"],
        departures=[
            transfers.LaneDeparture(weekday=day, cut_off_minute=_minute(ready_by))
            for days, ready_by in entry["leaves"].items()
            for day in _weekdays(days)
        ],
        transit_days=entry["transit_days"],
        cost=transfers.LaneCost(
            currency="EUR",
            per_parcel_minor=entry.get("parcel", 0),
            per_unit_minor=entry.get("unit", 0),
            per_kilogram_minor=entry.get("kilogram", 0),
        ),
    )


# -- stock to come ----------------------------------------------------------------------------------------


def _future_rules(entry: Mapping[str, Any]) -> supply.PutFutureRulesRequest:
    return supply.PutFutureRulesRequest(
        channel_id=entry["channel_id"],
        rules=supply.FutureRules(
            kinds=[_expected_kind(kind) for kind in entry["kinds"]],
            longest_promise_days=entry["longest_promise_days"],
            protection=[_buffer(rule) for rule in entry["protection"]],
        ),
    )


def _coming(entry: Mapping[str, Any]) -> Coming:
    fields = {name: value for name, value in entry.items() if name != "in_days"}
    first, last = entry["in_days"]
    kind = _expected_kind(entry["kind"])
    return Coming(supply.ExpectedDelivery(**{**fields, "kind": kind, "source": "retailers/demo"}), (first, last))


def _preorder(entry: Mapping[str, Any]) -> supply.Preorder:
    instants = {name: to_proto(entry[name]) for name in ("opens_at", "closes_at", "release_at")}
    return supply.Preorder(**{**entry, **instants})


def _expected_kind(name: str) -> "supply.ExpectedKind.ValueType":
    return supply.ExpectedKind.Value(f"EXPECTED_KIND_{name.upper()}")


# -- merchandising ----------------------------------------------------------------------------------------


def _facts(row: Mapping[str, str]) -> merchandising.PositionFacts:
    """What a row says of a position; an empty cell says nothing."""
    found = merchandising.PositionFacts(sku=row["sku"], point_id=row["point_id"], source="retailers/demo")
    if row["in_assortment"]:
        found.assortment.in_assortment = row["in_assortment"] == "yes"
    if row["target_quantity"]:
        found.plan.is_replenished = True
        found.plan.min_quantity = int(row["min_quantity"])
        found.plan.target_quantity = int(row["target_quantity"])
    if row["markdown_date"]:
        found.markdown.from_date = row["markdown_date"]
    if row["markdown_percent"]:
        found.markdown.basis_points = int(Decimal(row["markdown_percent"]) * 100)
    if row["daily_sales"]:
        found.sales_rate.daily_thousandths = int(Decimal(row["daily_sales"]) * 1000)
    return found


def _locations(
    points: list[inventory.StockPoint], items: list[inventory.Item]
) -> list[merchandising.PositionFacts]:
    areas = {_point_type(name): entry for name, entry in _yaml("shelves").items()}
    return [one for point in points for one in shelves.locations(point, items, areas.get(point.type, {}))]


# -- booking ----------------------------------------------------------------------------------------------


def _slot_pattern(entry: Mapping[str, Any]) -> booking.SlotPattern:
    from_minute, until_minute = _hours(entry["between"])
    price = entry.get("price")
    return booking.SlotPattern(
        pattern_id=entry["pattern"],
        carrier_id=entry["carrier"],
        service_id=entry["service"],
        country="FR",
        postcode_prefixes=entry.get("to", []),
        weekdays=_weekdays(entry["days"]),
        from_minute=from_minute,
        until_minute=until_minute,
        time_zone="Europe/Paris",
        capacity=entry["places"],
        lead_days=entry["lead_days"],
        price=types.Money(amount_minor=price, currency="EUR") if price else None,
        valid_from=entry["from"],
        closed_dates=entry.get("closed", []),
    )


# -- promise ----------------------------------------------------------------------------------------------


def _box(entry: Mapping[str, Any]) -> promise.Box:
    length, width, height = entry["inside"]
    return promise.Box(
        box_id=entry["box_id"],
        name=entry["name"],
        length_millimetres=length,
        width_millimetres=width,
        height_millimetres=height,
        max_weight_grams=entry["max_weight_grams"],
        tare_grams=entry["tare_grams"],
        cost=types.Money(amount_minor=entry["cost"], currency="EUR"),
        wall_millimetres=entry["wall_millimetres"],
        fill_percent=entry["fill_percent"],
    )


def _carrier(entry: Mapping[str, Any]) -> promise.Carrier:
    return promise.Carrier(
        carrier_id=entry["carrier_id"],
        name=entry["name"],
        services=[_service(service) for service in entry["services"]],
    )


def _service(entry: Mapping[str, Any]) -> promise.CarrierService:
    from_minute, until_minute = _hours(entry["between"])
    return promise.CarrierService(
        service_id=entry["service_id"],
        name=entry["name"],
        mode=types.DeliveryMode.Value(f"DELIVERY_MODE_{entry['mode'].upper()}"),
        max_weight_grams=entry["max_weight_grams"],
        max_length_millimetres=entry["max_length_millimetres"],
        max_width_millimetres=entry.get("max_width_millimetres", 0),
        max_height_millimetres=entry.get("max_height_millimetres", 0),
        max_girth_millimetres=entry.get("max_girth_millimetres", 0),
        max_distance_kilometres=entry.get("max_distance_kilometres", 0),
        volumetric_divisor=entry.get("volumetric_divisor", 0),
        one_shipment=entry.get("one_shipment", False),
        delivery_weekdays=_weekdays(entry["days"]),
        delivery_from_minute=from_minute,
        delivery_until_minute=until_minute,
        zones=[_zone_terms(zone_id, terms) for zone_id, terms in entry["zones"].items()],
        carbon_legs=[
            promise.CarbonLeg(
                transport=leg["transport"],
                kilometres=leg.get("kilometres", 0),
                grams_per_tonne_kilometre=leg["grams_per_tonne_kilometre"],
            )
            for leg in entry["carbon"]["legs"]
        ],
        carbon_factor=entry["carbon"]["factor"],
        surcharge_basis_points=entry["surcharge_basis_points"],
    )


def _zone_terms(zone_id: str, terms: Mapping[str, Any]) -> promise.ZoneTerms:
    least, most = terms["transit"]
    return promise.ZoneTerms(
        zone_id=zone_id,
        transit_days_min=least,
        transit_days_max=most,
        rates=[
            promise.RateStep(up_to_grams=grams, price=_euros(cents))
            for grams, cents in sorted(terms["rates"].items())
        ],
        customer_price=_euros(terms["customer"]),
    )


def _limits(entry: Mapping[str, Any]) -> Iterator[capacity.CapacityLimit]:
    """One for each weekday or date that is named; one for every day without any."""
    cut_off = _minute(entry["cut_off"]) if "cut_off" in entry else None
    days: list[dict[str, Any]] = [{"weekday": day} for day in _weekdays(entry["days"])] if "days" in entry else []
    days += [{"date": day} for day in entry.get("dates", [])]
    for day in days or [{}]:
        yield capacity.CapacityLimit(
            point_id=entry.get("point", ""),
            carrier_id=entry.get("carrier", ""),
            service_id=entry.get("service", ""),
            cut_off_minute=cut_off,
            most=entry["most"],
            **day,
        )


def _zone(entry: Mapping[str, Any]) -> promise.Zone:
    return promise.Zone(
        zone_id=entry["zone_id"],
        country=entry["country"],
        postcode_prefixes=entry["prefixes"],
        time_zone=entry["time_zone"],
    )


def _area(row: Mapping[str, str]) -> promise.PostcodeArea:
    return promise.PostcodeArea(
        country=row["country"],
        prefix=row["prefix"],
        position=types.Position(latitude=float(row["latitude"]), longitude=float(row["longitude"])),
        subdivision=row["subdivision"],
    )


# -- orders -----------------------------------------------------------------------------------------------


def _sales_channel(entry: Mapping[str, Any]) -> orders.SalesChannel:
    return orders.SalesChannel(
        channel_id=entry["channel_id"],
        name=entry["name"],
        currency=entry["currency"],
        brands=entry["brands"],
        till_payments=entry.get("till_payments", []),
        life_cycle_id=entry["life_cycle"],
        documents=orders.DocumentTerms(
            series=entry["documents"]["series"],
            time_zone=entry["documents"]["time_zone"],
            seller_name=entry["documents"]["seller"][0],
            seller_lines=entry["documents"]["seller"][1:],
        ),
        trades=[
            orders.Trade(name=name, life_cycle_id=life_cycle_id)
            for name, life_cycle_id in entry.get("trades", {}).items()
        ],
    )


# -- short forms ------------------------------------------------------------------------------------------


def _weekdays(days: str) -> list[int]:
    """`mon-wed` is [1, 2, 3]."""
    first, _, last = days.partition("-")
    return list(range(_DAYS.index(first) + 1, _DAYS.index(last or first) + 2))


def _minute(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)


def _hours(interval: str) -> tuple[int, int]:
    opens, closes = interval.split("-")
    return _minute(opens), _minute(closes)


def _point_type(name: str) -> "types.PointType.ValueType":
    return types.PointType.Value(f"POINT_TYPE_{name.upper()}")


def _euros(cents: int) -> types.Money:
    return types.Money(amount_minor=cents, currency="EUR")
