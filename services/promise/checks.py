"""Guards of requests: each raises InvalidArgument with the path of the field as the caller wrote it."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.errors import InvalidArgument
from kit.values.money import Money, is_currency
from services.promise.domain.geography import normalise_postcode
from services.promise.domain.network import (
    Appointment,
    Box,
    Carrier,
    CarrierService,
    Destination,
    PlanRequest,
    Position,
    PostcodeArea,
    RateStep,
    Zone,
    ZoneTerms,
)

# As many as an order may have.
MAX_LINES = 2_000
MAX_UNITS = 1_000_000_000
MAX_TRANSIT_DAYS = 60
MAX_APPOINTMENTS = 20
# As many as a page shows.
MAX_LISTED = 50
MAX_BOXES = 100
MAX_SIDE = 10_000
MAX_WALL = 1_000
_LIMITS = (
    "volumetric_divisor",
    "max_width_millimetres",
    "max_height_millimetres",
    "max_girth_millimetres",
    "max_distance_kilometres",
)
_MINUTES_A_DAY = 1_440


def carriers(found: Sequence[Carrier]) -> None:
    """Ids, services, zones and rates."""
    _unique((carrier.carrier_id for carrier in found), "carriers[{}].carrier_id")
    for i, carrier in enumerate(found):
        for j, pause in enumerate(carrier.pauses):
            _require(
                pause.until_at is None or pause.from_at < pause.until_at,
                f"carriers[{i}].pauses[{j}].until_at",
                "must be after from_at",
            )
        where = f"carriers[{i}].services"
        _unique((service.service_id for service in carrier.services), where + "[{}].service_id")
        for j, service in enumerate(carrier.services):
            _service(service, f"{where}[{j}]")


def _service(service: CarrierService, where: str) -> None:
    _require(service.max_weight_grams >= 1, f"{where}.max_weight_grams", "must be 1 gram or more")
    _require(service.max_length_millimetres >= 1, f"{where}.max_length_millimetres", "must be 1 mm or more")
    days = service.delivery_weekdays
    _require(
        bool(days) and all(1 <= day <= 7 for day in days),
        f"{where}.delivery_weekdays",
        "must name weekdays from 1 (Monday) to 7 (Sunday)",
    )
    _require(
        0 <= service.delivery_from_minute < _MINUTES_A_DAY,
        f"{where}.delivery_from_minute",
        "must be from 0 to 1439 minutes after midnight",
    )
    _require(
        service.delivery_from_minute < service.delivery_until_minute <= _MINUTES_A_DAY,
        f"{where}.delivery_until_minute",
        "must be after delivery_from_minute and at most 1440",
    )
    _carbon(service, where)
    for limit in _LIMITS:
        _require(getattr(service, limit) >= 0, f"{where}.{limit}", "must be 0 (none) or more")
    if service.max_height_millimetres or service.max_width_millimetres:
        _require(
            service.max_length_millimetres >= service.max_width_millimetres >= service.max_height_millimetres > 0,
            f"{where}.max_width_millimetres",
            "must be from max_height_millimetres (which is given too) to max_length_millimetres",
        )
    _require(service.surcharge_basis_points >= 0, f"{where}.surcharge_basis_points", "must be 0 or more")
    _unique((zone.zone_id for zone in service.zones), f"{where}.zones[{{}}].zone_id")
    for k, zone in enumerate(service.zones):
        _zone_terms(zone, f"{where}.zones[{k}]")


def _carbon(service: CarrierService, where: str) -> None:
    legs = service.carbon_legs
    for k, leg in enumerate(legs):
        at = f"{where}.carbon_legs[{k}]"
        factor = leg.grams_per_tonne_kilometre
        _require(bool(leg.transport), f"{at}.transport", "is required")
        _require(leg.kilometres >= 0, f"{at}.kilometres", "must be 0 (the rest of the way) or more")
        _require(0 <= factor < float("inf"), f"{at}.grams_per_tonne_kilometre", "must be 0 or more")
    rest = sum(leg.kilometres == 0 for leg in legs)
    _require(rest == 1 or not legs, f"{where}.carbon_legs", "one and only one must be the rest of the way (0 km)")
    _require(
        not legs or bool(service.carbon_factor), f"{where}.carbon_factor", "must name the source of the factors"
    )


def _zone_terms(terms: ZoneTerms, where: str) -> None:
    _require(terms.transit_days_min >= 0, f"{where}.transit_days_min", "must be 0 or more")
    _require(
        terms.transit_days_min <= terms.transit_days_max <= MAX_TRANSIT_DAYS,
        f"{where}.transit_days_max",
        f"must be from transit_days_min to {MAX_TRANSIT_DAYS}",
    )
    _money(terms.customer_price, f"{where}.customer_price")
    _rates(terms.rates, f"{where}.rates")


def _rates(steps: Sequence[RateStep], where: str) -> None:
    _require(bool(steps), where, "at least one step is required")
    for i, step in enumerate(steps):
        _money(step.price, f"{where}[{i}].price")
        before = steps[i - 1] if i else RateStep(0, Money(0, step.price.currency))
        _require(before.up_to_grams < step.up_to_grams, where, "must ascend by up_to_grams", index=i)
        _require(before.price.currency == step.price.currency, where, "must have one currency", index=i)
        _require(
            before.price.amount_minor <= step.price.amount_minor,
            where,
            "must not fall in price with weight",
            index=i,
        )


def boxes(found: Sequence[Box]) -> None:
    """A catalogue of boxes."""
    _require(len(found) <= MAX_BOXES, "boxes", f"must be at most {MAX_BOXES}")
    _unique((box.box_id for box in found), "boxes[{}].box_id")
    for i, box in enumerate(found):
        where = f"boxes[{i}]"
        for side in ("length_millimetres", "width_millimetres", "height_millimetres"):
            _require(
                1 <= getattr(box, side) <= MAX_SIDE, f"{where}.{side}", f"must be from 1 to {MAX_SIDE} mm, inside"
            )
        _require(box.tare_grams >= 0, f"{where}.tare_grams", "must be 0 or more")
        _require(
            box.max_weight_grams > box.tare_grams,
            f"{where}.max_weight_grams",
            "must be more than tare_grams: it is the weight with goods and box",
        )
        _require(0 <= box.wall_millimetres <= MAX_WALL, f"{where}.wall_millimetres", f"must be 0 to {MAX_WALL} mm")
        _require(1 <= box.fill_percent <= 100, f"{where}.fill_percent", "must be from 1 to 100")
        _money(box.cost, f"{where}.cost")


def geography(zones: Sequence[Zone], areas: Sequence[PostcodeArea]) -> None:
    """Zones and postcode areas."""
    _unique((zone.zone_id for zone in zones), "zones[{}].zone_id")
    for i, zone in enumerate(zones):
        _country(zone.country, f"zones[{i}].country")
        _require(bool(zone.postcode_prefixes), f"zones[{i}].postcode_prefixes", "at least one is required")
        _require(_is_time_zone(zone.time_zone), f"zones[{i}].time_zone", "must be an IANA time zone")
    _unique((f"{a.country} {normalise_postcode(a.prefix)}" for a in areas), "areas[{}].prefix")
    for i, area in enumerate(areas):
        _country(area.country, f"areas[{i}].country")
        _position(area.position, f"areas[{i}].position")


def question(request: PlanRequest) -> None:
    """A basket and where it goes, with all that the planner is told to believe."""
    _require(bool(request.channel_id), "channel_id", "a channel is required")
    destination(request.destination)
    _require(1 <= len(request.lines) <= MAX_LINES, "lines", f"must be 1 to {MAX_LINES} lines")
    _unique((line.line_number for line in request.lines), "lines[{}].line_number")
    for i, line in enumerate(request.lines):
        _require(bool(line.sku), f"lines[{i}].sku", "a SKU is required")
        _require(1 <= line.quantity <= MAX_UNITS, f"lines[{i}].quantity", f"must be from 1 to {MAX_UNITS}")
    if request.appointment is not None:
        appointment(request.appointment, "appointment")
    for i, excluded in enumerate(request.exclusions):
        _require(bool(excluded.point_id), f"excluded_points[{i}].point_id", "a point is required")
        _require(bool(excluded.reason), f"excluded_points[{i}].reason", "a reason is required")
    for i, overlay in enumerate(request.overlays):
        _require(bool(overlay.sku), f"overlays[{i}].sku", "a SKU is required")
        _require(bool(overlay.point_id), f"overlays[{i}].point_id", "a point is required")
    for i, hold in enumerate(request.own_holds):
        _require(bool(hold.sku), f"own_holds[{i}].sku", "a SKU is required")
        _require(bool(hold.point_id), f"own_holds[{i}].point_id", "a point is required")
        _require(hold.quantity >= 0, f"own_holds[{i}].quantity", "must be 0 or more")
    for i, awaited in enumerate(request.supply_overlays):
        for name in ("sku", "point_id", "supply_id"):
            _require(bool(getattr(awaited, name)), f"supply_overlays[{i}].{name}", "must be said")
        _require(awaited.units >= 0, f"supply_overlays[{i}].units", "must be 0 or more")


def listing(request: PlanRequest) -> None:
    """Articles of a page, as `skus`."""
    skus = [line.sku for line in request.lines]
    _require(1 <= len(skus) <= MAX_LISTED, "skus", f"must be 1 to {MAX_LISTED} SKUs")
    _unique(skus, "skus[{}]")


def destination(found: Destination) -> None:
    """A country and a postcode; both may be left out where a store is named."""
    if found.point_id and not found.country and not found.postcode:
        return
    _country(found.country, "destination.country")
    _require(bool(normalise_postcode(found.postcode)), "destination.postcode", "a postcode is required")


def appointments(found: Sequence[Appointment]) -> None:
    """What a customer could choose from."""
    _require(len(found) <= MAX_APPOINTMENTS, "appointments", f"must be at most {MAX_APPOINTMENTS}")
    for i, one in enumerate(found):
        appointment(one, f"appointments[{i}]")


def appointment(found: Appointment, field: str) -> None:
    """It ends after it begins."""
    _require(found.window.start < found.window.end, f"{field}.window.end", "must be after its start")


def required(value: str, field: str) -> None:
    """An id that must not be empty."""
    _require(bool(value), field, "is required")


def _unique(ids: Iterable[object], field: str) -> None:
    """Ids are given, each once. `field` has a place for the index."""
    seen: set[object] = set()
    for i, found in enumerate(ids):
        _require(found != "", field.format(i), "is required")
        _require(found not in seen, field.format(i), f"{found} stands twice")
        seen.add(found)


def _country(code: str, field: str) -> None:
    is_code = len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
    _require(is_code, field, "must be an ISO 3166-1 code of two upper case letters")


def _position(position: Position, field: str) -> None:
    _require(-90 <= position.latitude <= 90, f"{field}.latitude", "must be from -90 to 90")
    _require(-180 <= position.longitude <= 180, f"{field}.longitude", "must be from -180 to 180")


def _money(money: Money, field: str) -> None:
    _require(is_currency(money.currency), f"{field}.currency", "must be an ISO 4217 code")
    _require(money.amount_minor >= 0, f"{field}.amount_minor", "must be 0 or more")


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def _require(holds: bool, field: str, detail: str, **facts: int) -> None:
    if not holds:
        raise InvalidArgument(field, f"{field}: {detail}", "INVALID_FIELD", **facts)
