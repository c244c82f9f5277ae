"""Guards of limits of capacity: each raises InvalidArgument with the path of the field as the caller wrote it."""

from collections.abc import Container, Mapping, Sequence
from datetime import date, timedelta

from kit.errors import InvalidArgument
from services.promise.domain.capacity import ALL_DAY, Limit
from services.promise.domain.network import Carrier

MAX_LIMITS = 1_000
MAX_MOST = 1_000_000
MAX_DAYS = 92
_MINUTES_A_DAY = 1_440


def limits(found: Sequence[Limit], carriers: Mapping[str, Carrier], points: Container[str]) -> None:
    """What each limit is of, and how high it is."""
    scopes(found)
    for i, limit in enumerate(found):
        where = f"limits[{i}]"
        _require(
            limit.most is None or 0 <= limit.most <= MAX_MOST, f"{where}.most", f"must be from 0 to {MAX_MOST}"
        )
        if limit.point_id and limit.point_id not in points:
            _refuse(f"{where}.point_id", f"there is no point {limit.point_id}", "UNKNOWN_POINT")
        if not limit.carrier_id:
            continue
        carrier = carriers.get(limit.carrier_id)
        if carrier is None:
            _refuse(f"{where}.carrier_id", f"there is no carrier {limit.carrier_id}", "UNKNOWN_CARRIER")
        elif limit.service_id and limit.service_id not in {one.service_id for one in carrier.services}:
            problem = f"{limit.carrier_id} has no service {limit.service_id}"
            _refuse(f"{where}.service_id", problem, "UNKNOWN_SERVICE")


def scopes(found: Sequence[Limit]) -> None:
    """What limits are of, whether or not it exists."""
    _require(1 <= len(found) <= MAX_LIMITS, "limits", f"must be 1 to {MAX_LIMITS}")
    seen: dict[object, int] = {}
    for i, limit in enumerate(found):
        where = f"limits[{i}]"
        if not limit.carrier_id:
            _require(bool(limit.point_id), f"{where}.point_id", "must name a point, or carrier_id a carrier")
            _require(
                not limit.service_id, f"{where}.service_id", "is of a carrier: carrier_id is required with it"
            )
            _require(
                limit.cut_off_minute == ALL_DAY,
                f"{where}.cut_off_minute",
                "is of a carrier: carrier_id is required with it",
            )
        _require(
            limit.cut_off_minute == ALL_DAY or 0 <= limit.cut_off_minute <= _MINUTES_A_DAY,
            f"{where}.cut_off_minute",
            "must be from 0 to 1440 minutes after midnight",
        )
        _require(
            0 <= limit.weekday <= 7, f"{where}.weekday", "must be 1 (Monday) to 7 (Sunday), or 0 for every day"
        )
        _require(limit.on is None or not limit.weekday, f"{where}.date", "must stand alone, without weekday")
        first = seen.setdefault(limit.scope, i)
        if first != i:
            _refuse(where, f"is of the same as limits[{first}]", "DUPLICATE")


def days(first: date, last: date) -> None:
    """A time of which figures are asked."""
    _require(first <= last, "until_date", "must not be before from_date")
    _require(last - first < timedelta(days=MAX_DAYS), "until_date", f"must be within {MAX_DAYS} days of from_date")


def _require(holds: bool, field: str, rule: str) -> None:
    if not holds:
        _refuse(field, rule)


def _refuse(field: str, rule: str, reason: str = "INVALID_FIELD") -> None:
    raise InvalidArgument(field, f"{field}: {rule}", reason)
