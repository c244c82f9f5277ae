"""Reasons, components and figures in words. Knows no decision; an unknown reason is its own word."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.values.money import Money
from services.promise.domain.network import Mode, Window

# After "not used, because ..." or "N points: ...": what holds for the point.
DROPPED = {
    "ABOVE_QUOTED_PRICE": "its service costs the customer more than was quoted",
    "AFTER_APPOINTMENT": "its parcel would arrive after the appointment",
    "AFTER_QUOTED_WINDOW": "its parcel would arrive after the quoted window",
    "BRAND_NOT_CARRIED": "it does not carry the brand",
    "CARRIER_PAUSED": "the carrier collects nothing there for now",
    "CLOSED": "it is closed, without working time to prepare a parcel",
    "COLLECTIONS_FULL": "the carrier takes no more parcels there",
    "EXCLUDED": "it was ruled out for this order",
    "LATER_TIER": "the rules ask points of other types first, and those had all",
    "MUST_TRAVEL_TOGETHER": "it has only a part of what must travel together",
    "NO_CAPACITY": "it can prepare no more orders in time",
    "NO_COLLECTION": "the carrier does not collect there",
    "NO_DELIVERY_DAY": "the service has no delivery day within reach",
    "NO_SHIP_FROM_STORE": "the store does not ship",
    "NO_STOCK": "no unit that the channel may take",
    "NO_ZONE": "the service does not deliver to this postcode",
    "NOT_TODAY": "its parcel would not arrive on the same day",
    "NOT_ACTIVATED": "the channel may not sell from there",
    "OTHER_CURRENCY": "the service is priced in another currency",
    "OTHER_APPOINTMENT": "the appointment is with another service",
    "ROUTING_BUFFER": "its units are kept back for the shop",
    "SEVERAL_PARCELS": "the service has room for one parcel only",
    "TIER": "the rules ask points of other types first",
    "TOO_FAR": "it is further away than the rules allow",
    "TOO_HEAVY": "the articles are too heavy for the service",
    "TOO_LARGE": "the articles are too large for the service",
    "TOO_LATE": "its parcel would arrive later than the rules allow",
    "TOO_LONG": "the articles are too long for the service",
}

# After "units were not planned: ...".
UNPLANNED = {
    "ABOVE_QUOTED_PRICE": "sending them costs the customer more than was quoted",
    "AFTER_APPOINTMENT": "they would arrive after the appointment",
    "AFTER_QUOTED_WINDOW": "they would arrive after the quoted window",
    "BELOW_SPLIT_VALUE": "the parcel would be worth less than the rules ask of a split",
    "CARRIER_PAUSED": "the carrier that would take them collects nothing for now",
    "MUST_TRAVEL_TOGETHER": "no point has all of what must travel together, within what the rules ask of a split",
    "NO_CAPACITY": "the points that have them, or the carriers there, have no room for them in time",
    "NO_APPOINTMENT": "no appointment was given",
    "NO_CARRIER": "no carrier takes them to this destination from where they lie",
    "NOT_COLLECTED_THERE": "the store hands nothing over that way",
    "NOT_TODAY": "they would not arrive on the same day",
    "NO_STOCK": "there are not enough units that the channel may take",
    "ONE_SHIPMENT": "the service makes one shipment of an order, and no point has all of it",
    "OTHER_APPOINTMENT": "the appointment is with another service",
    "SEVERAL_PARCELS": "they need more than the one parcel that there is room for",
    "TOO_FAR": "they lie further away than the rules allow",
    "TOO_HEAVY": "one unit is too heavy for the services that could take it",
    "TOO_LARGE": "one unit is too large for the services that could take it",
    "TOO_LATE": "they would arrive later than the rules allow",
    "TOO_LONG": "one unit is too long for the services that could take it",
    "TOO_MANY_PARCELS": "they would need more parcels than the rules allow",
    "UNKNOWN_DESTINATION": "no zone or no position is known for this postcode",
    "UNKNOWN_STORE": "the destination names no store that is known",
    "UNKNOWN_ITEM": "the article is not known",
}

COMPONENTS = {
    "shipping": "carriage by the carriers' rates",
    "preparation": "preparation",
    "split": "splitting the order",
    "distance": "distance",
    "lateness": "days after the promise",
    "priority": "what the business would rather use",
    "capacity": "how much of the points' days is taken",
    "waiting": "waiting for stock to come",
    "low_cover": "units that the points would soon miss",
    "markdown": "units sold that would be marked down soon",
    "consolidation": "joining parcels at the hub",
    "packaging": "boxes",
    "short_pick": "how often the points do not find such articles",
}

QUOTE_PROBLEMS = {
    "UNKNOWN_QUOTE": "the quote is not known, or was forgotten",
    "EXPIRED": "the quote had expired",
    "MODE_NOT_QUOTED": "the quote did not offer this mode",
    "MUST_WAIT": "what was quoted waits for stock to come, and the order may not",
    "NOT_KEPT": "no plan for the whole order is as early and as cheap for the customer as was quoted",
}

MODES = {
    Mode.HOME_STANDARD: "home delivery",
    Mode.HOME_EXPRESS: "express home delivery",
    Mode.SAME_DAY: "same day delivery",
    Mode.WHITE_GLOVE: "white glove delivery",
    Mode.APPOINTMENT: "delivery by appointment",
    Mode.RELAY_POINT: "delivery to a relay point",
    Mode.LOCKER: "delivery to a locker",
    Mode.CLICK_AND_COLLECT: "click and collect",
    Mode.SHIP_TO_STORE: "delivery to a store",
    Mode.E_RESERVATION: "reservation in a store",
    Mode.STORE_LOCKER: "collection from a locker in a store",
}


def reason(code: str, words: dict[str, str]) -> str:
    """In words; the code itself where there are none yet."""
    return words.get(code, code)


def amount(minor: int, currency: str) -> str:
    """In major units, for example `12.50 EUR`."""
    return str(Money(minor, currency))


def instant(at: datetime, time_zone: str) -> str:
    """In a zone, for example `Mon 1 Jun 2026 17:00 (Europe/Paris)`; in UTC where none is known."""
    local, zone = _local(at, time_zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} ({zone})"


def iso(at: datetime) -> str:
    """For machines: ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat()


def window(found: Window, time_zone: str) -> str:
    """For example `Tue 2 Jun 2026 08:00 to Wed 3 Jun 2026 18:00 (Europe/Paris)`; a day is named once."""
    start, zone = _local(found.start, time_zone)
    end, _ = _local(found.end, time_zone)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a} {end.day} {end:%b %Y %H:%M}"
    return f"{start:%a} {start.day} {start:%b %Y %H:%M} to {until} ({zone})"


def distance(kilometres: float) -> str:
    """Whole kilometres; tenths below ten."""
    return f"{kilometres:.1f} km" if kilometres < 9.95 else f"{kilometres:.0f} km"


def weight(grams: int) -> str:
    """For example `850 g` or `12.4 kg`."""
    return f"{grams} g" if grams < 1_000 else f"{grams / 1_000:.1f} kg"


def age(past: timedelta) -> str:
    """For example `4 s`, `12 min` or `3 h`."""
    seconds = max(0, round(past.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def counted(number: int, noun: str) -> str:
    """For example `1 unit`, `2 units`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(words: Sequence[str], most: int) -> str:
    """For example `a, b and 40 more`; `a, b and c` when all fit."""
    shown, more = list(words[:most]), len(words) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def _local(at: datetime, time_zone: str) -> tuple[datetime, str]:
    try:
        return at.astimezone(ZoneInfo(time_zone or "UTC")), time_zone or "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return at.astimezone(ZoneInfo("UTC")), "UTC"
