"""Guards of requests: each raises InvalidArgument with the path of the field as the caller wrote it."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.errors import InvalidArgument
from kit.values.money import is_currency
from services.booking.domain.patterns import MINUTES_A_DAY, Pattern, Place

MOST_PATTERNS = 1_000
MOST_DAYS = 62
MOST_SLOTS = 5_000
_MOST_PLACES = 10_000
_LONGEST_LEAD_DAYS = 90
_MOST_PREFIXES = 1_000
_MOST_DATES = 1_000
_MOST_MINOR = 10**9
_LONGEST_ID = 64
_SHORTEST_HOLD, _LONGEST_HOLD, _HOLD = 60, 7_200, 900
# Its own id ends where the date of a slot begins: at a full stop.
_PATTERN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_POSTCODE = re.compile(r"[A-Za-z0-9 -]{1,16}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{0,64}")


def patterns(found: Sequence[Pattern]) -> None:
    """Ids that differ, and each by itself."""
    _require(0 < len(found) <= MOST_PATTERNS, "patterns", f"must be 1 to {MOST_PATTERNS}")
    seen: dict[str, int] = {}
    for i, one in enumerate(found):
        first = seen.setdefault(one.pattern_id, i)
        _require(first == i, f"patterns[{i}].pattern_id", f"is that of patterns[{first}]", "DUPLICATE")
        _pattern(one, f"patterns[{i}]")


def _pattern(one: Pattern, where: str) -> None:
    _require(
        bool(_PATTERN_ID.fullmatch(one.pattern_id)),
        f"{where}.pattern_id",
        "must be 1 to 80 letters, digits, hyphens and underscores",
    )
    for name in ("carrier_id", "service_id"):
        value = getattr(one, name)
        _require(bool(_ID.fullmatch(value)) and len(value) <= _LONGEST_ID, f"{where}.{name}", "must be an id")
    _require(bool(_COUNTRY.fullmatch(one.country)), f"{where}.country", "must be ISO 3166-1 alpha-2")
    _require(len(one.postcode_prefixes) <= _MOST_PREFIXES, f"{where}.postcode_prefixes", "must be at most 1,000")
    for j, prefix in enumerate(one.postcode_prefixes):
        _require(
            bool(_POSTCODE.fullmatch(prefix)),
            f"{where}.postcode_prefixes[{j}]",
            "must be 1 to 16 letters, digits, spaces and hyphens",
        )
    weekdays = one.weekdays
    _require(
        bool(weekdays) and all(1 <= day <= 7 for day in weekdays) and len(set(weekdays)) == len(weekdays),
        f"{where}.weekdays",
        "must be days from 1 (Monday) to 7 (Sunday), each once",
    )
    _require(
        0 <= one.from_minute < one.until_minute <= MINUTES_A_DAY,
        f"{where}.until_minute",
        "must be after from_minute, both from 0 to 1440",
    )
    _time_zone(one.time_zone, f"{where}.time_zone")
    _require(0 <= one.capacity <= _MOST_PLACES, f"{where}.capacity", f"must be 0 to {_MOST_PLACES}")
    _require(0 <= one.lead_days <= _LONGEST_LEAD_DAYS, f"{where}.lead_days", f"must be 0 to {_LONGEST_LEAD_DAYS}")
    if one.price is not None:
        _require(is_currency(one.price.currency), f"{where}.price.currency", "must be ISO 4217")
        _require(0 <= one.price.amount_minor <= _MOST_MINOR, f"{where}.price.amount_minor", "must not be negative")
    _require(
        one.valid_until is None or one.valid_from <= one.valid_until,
        f"{where}.valid_until",
        "must not be before valid_from",
    )
    _require(len(one.closed_dates) <= _MOST_DATES, f"{where}.closed_dates", f"must be at most {_MOST_DATES}")


def _time_zone(name: str, field: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _require(False, field, "must be an IANA zone, for example Europe/Paris", "UNKNOWN_TIME_ZONE")


def place(found: Place, field: str) -> None:
    """A country and a postcode."""
    _require(bool(_COUNTRY.fullmatch(found.country)), f"{field}.country", "must be ISO 3166-1 alpha-2")
    _require(bool(_POSTCODE.fullmatch(found.postcode)), f"{field}.postcode", "is required")


def days(first: date, last: date) -> None:
    """A time in which slots are asked for."""
    _require(first <= last, "until_date", "must not be before from_date")
    _require(
        last - first < timedelta(days=MOST_DAYS), "until_date", f"must be within {MOST_DAYS} days of from_date"
    )


def time_to_live(seconds: int) -> int:
    """Of a hold; its default for 0."""
    _require(
        seconds == 0 or _SHORTEST_HOLD <= seconds <= _LONGEST_HOLD,
        "time_to_live_seconds",
        f"must be {_SHORTEST_HOLD} to {_LONGEST_HOLD}, or 0 for {_HOLD}",
    )
    return seconds or _HOLD


def required(value: str, field: str) -> None:
    """An id that must be there."""
    _require(bool(_ID.fullmatch(value)), field, "is required: letters, digits, full stops, hyphens, underscores")


def code(value: str, field: str) -> None:
    """A word of a program, or nothing."""
    _require(bool(_CODE.fullmatch(value)), field, "must be a code of at most 64 letters, digits, hyphens")


def actor(value: str) -> None:
    """Who asks."""
    _require(0 < len(value) <= 200 and "\x00" not in value, "actor", "is required: at most 200 characters")


def _require(holds: bool, field: str, rule: str, reason: str = "INVALID_FIELD") -> None:
    if not holds:
        raise InvalidArgument(field, f"{field}: {rule}", reason)
