"""What a request may say whatever the state of stock. Yields problems that name the field, in field order."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kit.values import gs1
from kit.values.money import is_currency
from services.inventory.domain.catalogue import BufferRule, Channel, Edit, Exclusion, Purpose, StockPoint
from services.inventory.domain.commands import StockDelta
from services.inventory.domain.holds import HoldLine, HoldMove, ShortReason
from services.inventory.domain.ledger import Cause

MAX_QUANTITY = 1_000_000_000
MAX_LINES = 5_000
MAX_TIME_TO_LIVE_SECONDS = 366 * 24 * 3600
DAY_MINUTES = 24 * 60
# What only an import and the end of a day may say.
KEPT_CAUSES = frozenset({"snapshot", "end_of_day"})
OWNERSHIPS = ("owned", "franchise", "reseller")

_SKU = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_CAUSE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that breaks a rule whatever the state: `items[3].gtin` and why."""

    field: str
    detail: str
    reason: str = "INVALID_FIELD"


# -- catalogue --------------------------------------------------------------------------------------------


def check_points(points: Sequence[StockPoint]) -> Iterator[Problem]:
    """Points of one PutStockPoints."""
    yield from unique("points", "point_id", [point.point_id for point in points])
    for i, point in enumerate(points):
        yield from _check_point(f"points[{i}]", point)


def _check_point(at: str, point: StockPoint) -> Iterator[Problem]:
    yield from name(f"{at}.point_id", point.point_id)
    yield from text(f"{at}.name", point.name)
    if point.gln and not gs1.is_gln(point.gln):
        yield Problem(f"{at}.gln", "not a Global Location Number of 13 digits with a right check digit")
    for axis, value, limit in (("latitude", point.latitude, 90), ("longitude", point.longitude, 180)):
        if not math.isfinite(value) or abs(value) > limit:
            yield Problem(f"{at}.position.{axis}", f"not between -{limit} and {limit} degrees")
    if not re.fullmatch("[A-Z]{2}", point.country):
        yield Problem(f"{at}.country", "not an ISO 3166-1 alpha-2 code")
    if point.subdivision and not re.fullmatch(f"{point.country}-[A-Z0-9]{{1,3}}", point.subdivision):
        yield Problem(f"{at}.subdivision", f"not an ISO 3166-2 code of {point.country}")
    yield from text(f"{at}.postcode", point.postcode)
    yield from text(f"{at}.city", point.city)
    if not is_time_zone(point.time_zone):
        yield Problem(f"{at}.time_zone", "not an IANA time zone")
    yield from _check_calendar(at, point)
    yield from texts(f"{at}.capabilities", point.capabilities)
    for figure in ("daily_capacity", "handling_minutes"):
        if getattr(point, figure) < 0:
            yield Problem(f"{at}.{figure}", "negative")
    if point.ownership not in OWNERSHIPS:
        yield Problem(f"{at}.ownership", f"not one of {', '.join(OWNERSHIPS)}")
    yield from texts(f"{at}.brands", point.brands)


def _check_calendar(at: str, point: StockPoint) -> Iterator[Problem]:
    closes: dict[int, int] = {}
    ordered = sorted(enumerate(point.opening_hours), key=lambda entry: (entry[1].weekday, entry[1].opens_minute))
    for i, hours in ordered:
        here = f"{at}.opening_hours[{i}]"
        if not 1 <= hours.weekday <= 7:
            yield Problem(f"{here}.weekday", "not between 1 (Monday) and 7 (Sunday)")
        if not 0 <= hours.opens_minute < hours.closes_minute <= DAY_MINUTES:
            yield Problem(f"{here}.closes_minute", f"not 0 <= opens < closes <= {DAY_MINUTES}")
        if hours.opens_minute < closes.get(hours.weekday, 0):
            yield Problem(f"{here}.opens_minute", "overlaps another interval of the day")
        closes[hours.weekday] = hours.closes_minute
    for i, day in enumerate(point.closed_dates):
        if not is_date(day):
            yield Problem(f"{at}.closed_dates[{i}]", "not a date of ISO 8601, for example 2027-01-02")
    for i, collection in enumerate(point.collections):
        here = f"{at}.collections[{i}]"
        yield from name(f"{here}.carrier_id", collection.carrier_id)
        if not 1 <= collection.weekday <= 7:
            yield Problem(f"{here}.weekday", "not between 1 (Monday) and 7 (Sunday)")
        if not 0 <= collection.cut_off_minute <= DAY_MINUTES:
            yield Problem(f"{here}.cut_off_minute", f"not between 0 and {DAY_MINUTES}")


def check_channels(channels: Sequence[Channel]) -> Iterator[Problem]:
    """Channels of one PutChannels, but for whether their points exist."""
    yield from unique("channels", "channel_id", [channel.channel_id for channel in channels])
    for i, channel in enumerate(channels):
        at = f"channels[{i}]"
        yield from name(f"{at}.channel_id", channel.channel_id)
        yield from text(f"{at}.name", channel.name)
        if not is_currency(channel.currency):
            yield Problem(f"{at}.currency", "not an ISO 4217 code")
        yield from _check_activations(at, channel)
        yield from texts(f"{at}.brands", channel.brands)
        for j, exclusion in enumerate(channel.exclusions):
            yield from _check_exclusion(f"{at}.exclusions[{j}]", exclusion)
        for j, rule in enumerate(channel.safety_stock):
            yield from check_rule(f"{at}.safety_stock[{j}]", rule)
        for j, rule in enumerate(channel.routing_buffers):
            yield from check_rule(f"{at}.routing_buffers[{j}]", rule)


def _check_activations(at: str, channel: Channel) -> Iterator[Problem]:
    yield from unique(f"{at}.activated_points", "", channel.activated_points)
    yield from unique(f"{at}.activations", "point_id", [one.point_id for one in channel.activations])
    for j, one in enumerate(channel.activations):
        if not one.purposes:
            yield Problem(f"{at}.activations[{j}].purposes", "empty: a point is activated for something")
        if one.point_id in channel.activated_points:
            yield Problem(f"{at}.activations[{j}].point_id", f"{one.point_id} is among the activated points")


def _check_exclusion(at: str, exclusion: Exclusion) -> Iterator[Problem]:
    named = (
        exclusion.sku,
        exclusion.category,
        exclusion.tag,
        exclusion.brand,
        exclusion.point_id,
        exclusion.point_type,
    )
    if not any(named):
        yield Problem(at, "it must name an item, category, tag, brand, point or point type")
    yield from sku(f"{at}.sku", exclusion.sku) if exclusion.sku else ()
    for field in ("category", "tag", "brand", "reason"):
        yield from text(f"{at}.{field}", getattr(exclusion, field))
    if exclusion.point_id and exclusion.point_type:
        yield Problem(f"{at}.point_type", "an exclusion is for a point or for a type of points")
    if exclusion.from_at and exclusion.until_at and exclusion.from_at >= exclusion.until_at:
        yield Problem(f"{at}.until_at", "not after from_at")


def check_rule(at: str, rule: BufferRule) -> Iterator[Problem]:
    """A rule that keeps units back."""
    # Only the levels that have a place in the precedence (SPEC STK-5) mean anything.
    if rule.sku:
        yield from sku(f"{at}.sku", rule.sku)
    yield from text(f"{at}.category", rule.category)
    if rule.sku and rule.category:
        yield Problem(f"{at}.category", "a rule is for an item or for a category")
    if rule.point_type and (rule.sku or rule.category or rule.point_id):
        yield Problem(f"{at}.point_type", "a point type stands alone")
    if not 0 <= rule.quantity <= MAX_QUANTITY:
        yield Problem(f"{at}.quantity", f"not between 0 and {MAX_QUANTITY}")
    if not 0 <= rule.percent <= 100:
        yield Problem(f"{at}.percent", "not between 0 and 100")
    if rule.quantity and rule.percent:
        yield Problem(f"{at}.percent", "a rule keeps back units or a share, not both")


def points_named(channel: Channel) -> Iterator[tuple[str, str]]:
    """Every point that the channel names: where it stands, and its id."""
    for j, point_id in enumerate(channel.activated_points):
        yield f"activated_points[{j}]", point_id
    for part in ("activations", "exclusions", "safety_stock", "routing_buffers"):
        for j, one in enumerate(getattr(channel, part)):
            if one.point_id:
                yield f"{part}[{j}].point_id", one.point_id


def check_known_points(channels: Sequence[Channel], known: Iterable[str]) -> Iterator[Problem]:
    """Channels must name points that exist."""
    points = frozenset(known)
    for i, channel in enumerate(channels):
        for field, point_id in points_named(channel):
            if point_id not in points:
                yield _unknown(f"channels[{i}].{field}", "point", point_id)


def check_edit(edit: Edit) -> Iterator[Problem]:
    """Who changes a setting."""
    yield from text("actor", edit.actor, required=True)


# -- stock ------------------------------------------------------------------------------------------------


def check_deltas(deltas: Sequence[StockDelta]) -> Iterator[Problem]:
    """Deltas of one AdjustStock."""
    yield from _count("deltas", deltas)
    for i, delta in enumerate(deltas):
        yield from sku(f"deltas[{i}].sku", delta.sku)
        yield from name(f"deltas[{i}].point_id", delta.point_id)
        if delta.quantity == 0 or abs(delta.quantity) > MAX_QUANTITY:
            yield Problem(f"deltas[{i}].quantity", f"zero, or beyond {MAX_QUANTITY}")


def check_known_positions(
    deltas: Sequence[StockDelta], skus: frozenset[str], point_ids: frozenset[str]
) -> Iterator[Problem]:
    """Stock needs an item and a point."""
    for i, delta in enumerate(deltas):
        if delta.sku not in skus:
            yield _unknown(f"deltas[{i}].sku", "item", delta.sku)
        if delta.point_id not in point_ids:
            yield _unknown(f"deltas[{i}].point_id", "point", delta.point_id)


def check_cause(cause: Cause) -> Iterator[Problem]:
    """Why and by whom."""
    if not is_cause(cause.cause):
        yield Problem("cause.cause", "lower case words with underscores are needed")
    if cause.cause in KEPT_CAUSES:
        yield Problem("cause.cause", f"{cause.cause} is kept for what the system itself does")
    yield from text("cause.actor", cause.actor, required=True)
    yield from text("cause.source", cause.source)


def check_lines(lines: Sequence[HoldLine], *, required: bool = True) -> Iterator[Problem]:
    """Lines of a reservation's request."""
    if lines or required:
        yield from _count("lines", lines)
    for i, line in enumerate(lines):
        yield from sku(f"lines[{i}].sku", line.sku)
        yield from name(f"lines[{i}].point_id", line.point_id)
        yield from quantity(f"lines[{i}].quantity", line.quantity)


def gtins(values: Sequence[str]) -> Iterator[Problem]:
    """Codes that scanners read."""
    if len(values) > MAX_LINES:
        yield Problem("gtins", f"at most {MAX_LINES}")
    for i, value in enumerate(values):
        if not gs1.is_gtin(value):
            yield Problem(f"gtins[{i}]", "not a GTIN-8, -12, -13 or -14 with a right check digit")


def check_short_reasons(reasons: Sequence[ShortReason], lines: Sequence[HoldLine]) -> Iterator[Problem]:
    """Reasons of one ReportShort: of its lines, and of no more units than they have."""
    left = Counter({line.position: 0 for line in lines})
    for line in lines:
        left[line.position] += line.quantity
    for i, one in enumerate(reasons):
        yield from quantity(f"reasons[{i}].quantity", one.quantity)
        left[one.position] -= one.quantity
        if left[one.position] < 0:
            yield Problem(f"reasons[{i}].quantity", f"more units of {one.position.sku} than are missing")


def check_moves(moves: Sequence[HoldMove]) -> Iterator[Problem]:
    """Moves of one MoveReservation."""
    yield from _count("moves", moves)
    for i, move in enumerate(moves):
        yield from sku(f"moves[{i}].sku", move.sku)
        yield from name(f"moves[{i}].from_point_id", move.from_point_id)
        yield from name(f"moves[{i}].to_point_id", move.to_point_id)
        if move.from_point_id == move.to_point_id:
            yield Problem(f"moves[{i}].to_point_id", "the units are there already")
        yield from quantity(f"moves[{i}].quantity", move.quantity)


def check_time_to_live(seconds: int) -> Iterator[Problem]:
    """How long a hold lasts."""
    if not 0 <= seconds <= MAX_TIME_TO_LIVE_SECONDS:
        yield Problem("time_to_live_seconds", f"not between 0 and {MAX_TIME_TO_LIVE_SECONDS}")


def check_sold(purpose: Purpose | None) -> Iterator[Problem]:
    """What units are held for."""
    if purpose is Purpose.SHOW:
        yield Problem("purpose", "what is only shown is not sold: ship or collect")


# -- fields -----------------------------------------------------------------------------------------------


def sku(field: str, value: str) -> Iterator[Problem]:
    """1 to 64 characters: letters, digits, dot, dash, underscore, slash."""
    if not is_sku(value):
        yield Problem(field, "1 to 64 letters, digits, dots, dashes, underscores or slashes are needed")


def name(field: str, value: str) -> Iterator[Problem]:
    """The id of a point, a channel or a carrier."""
    if not is_name(value):
        yield Problem(field, "1 to 64 letters, digits, dots, dashes or underscores are needed")


def identifier(field: str, value: str) -> Iterator[Problem]:
    """A request's or a reservation's id: visible ASCII."""
    if not _ID.fullmatch(value):
        yield Problem(field, "1 to 200 visible ASCII characters are needed")


def quantity(field: str, value: int) -> Iterator[Problem]:
    """Units asked for."""
    if not 1 <= value <= MAX_QUANTITY:
        yield Problem(field, f"not between 1 and {MAX_QUANTITY}")


def text(field: str, value: str, *, required: bool = False) -> Iterator[Problem]:
    """Words for people: no control characters, at most 500."""
    if required and not value:
        yield Problem(field, "empty")
    if len(value) > 500 or _CONTROL.search(value):
        yield Problem(field, "longer than 500 characters, or with a control character")


def is_sku(value: str) -> bool:
    """See `sku`."""
    return _SKU.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """See `name`."""
    return _NAME.fullmatch(value) is not None


def is_cause(value: str) -> bool:
    """Lower case words with underscores, at most 64 characters."""
    return _CAUSE.fullmatch(value) is not None


def skus(values: Sequence[str]) -> Iterator[Problem]:
    """A list of SKUs to look for."""
    for i, value in enumerate(values):
        yield from sku(f"skus[{i}]", value)


def names(field: str, values: Sequence[str]) -> Iterator[Problem]:
    """A list of ids to look for."""
    for i, value in enumerate(values):
        yield from name(f"{field}[{i}]", value)


def texts(field: str, values: Sequence[str], forbidden: str = "") -> Iterator[Problem]:
    """Texts that say something, without a character that has a meaning of its own."""
    for i, value in enumerate(values):
        yield from text(f"{field}[{i}]", value, required=True)
        if forbidden and forbidden in value:
            yield Problem(f"{field}[{i}]", f"contains {forbidden!r}")


def unique(field: str, key: str, values: Sequence[str]) -> Iterator[Problem]:
    """No value stands twice. `key`: the part of each element that it is."""
    seen: set[str] = set()
    for i, value in enumerate(values):
        if value in seen:
            yield Problem(f"{field}[{i}]{'.' if key else ''}{key}", f"{value} stands here twice")
        seen.add(value)


def _count(field: str, values: Sequence[object]) -> Iterator[Problem]:
    if not 1 <= len(values) <= MAX_LINES:
        yield Problem(field, f"1 to {MAX_LINES} are needed")


def _unknown(field: str, kind: str, value: str) -> Problem:
    return Problem(field, f"there is no {kind} {value}", f"UNKNOWN_{kind.upper()}")


def is_date(value: str) -> bool:
    """A calendar date of ISO 8601, with dashes."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


@cache
def is_time_zone(value: str) -> bool:
    """An IANA zone that is known here."""
    if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", value):
        return False
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
