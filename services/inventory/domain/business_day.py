"""The end of a point's business day: what is still declared unavailable is written off (SPEC STK-6).

A business day is a date of the point's own time zone, from midnight to midnight. It is closed once: by the point's
people on the day itself, or by the process some hours after its end, when the last till sales have come in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.inventory.domain import declarations
from services.inventory.domain.declarations import Declaration, Ending, Reason
from services.inventory.domain.ledger import Book, Cause

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WriteOffRules:
    """What is written off, and how many hours after the end of a day the process does it by itself."""

    reasons: frozenset[Reason] = frozenset(Reason) - {Reason.PACKED}
    hours_after: int = 2


@dataclass(frozen=True, slots=True)
class AdjustmentLine:
    """One declaration that was written off: what was left of it, and by how much on_hand fell for it."""

    sku: str
    reason: Reason
    declaration_id: str
    declared: int
    quantity: int


@dataclass(frozen=True, slots=True)
class AdjustmentReport:
    """What was written off at a point on a business date. Lists leave the lines out."""

    report_id: str
    point_id: str
    business_date: date
    created_at: datetime
    declared_until: datetime
    line_count: int = 0
    units: int = 0
    lines: tuple[AdjustmentLine, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenDays:
    """A point with units to write off: since when they are declared, and the dates that are closed since then."""

    point_id: str
    time_zone: str
    declared_since: datetime
    closed: frozenset[date]


def date_at(time_zone: str, instant: datetime) -> date:
    """The date that it is there."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def end_of(time_zone: str, day: date) -> datetime:
    """The instant at which the date ends there."""
    return datetime.combine(day + DAY, time(), ZoneInfo(time_zone)).astimezone(UTC)


def first_due(point: OpenDays, now: datetime, rules: WriteOffRules) -> date | None:
    """The oldest date of the point that ended long enough ago, is not closed and has something to write off."""
    last = date_at(point.time_zone, now - timedelta(hours=rules.hours_after)) - DAY
    day = date_at(point.time_zone, point.declared_since)
    while day in point.closed:
        day += DAY
    return day if day <= last else None


def filled(report: AdjustmentReport, lines: tuple[AdjustmentLine, ...]) -> AdjustmentReport:
    """The report with its lines."""
    return replace(report, lines=lines, line_count=len(lines), units=sum(line.quantity for line in lines))


def write_off(
    book: Book, declared: Iterable[Declaration], rules: WriteOffRules, until: datetime, cause: Cause, now: datetime
) -> tuple[tuple[AdjustmentLine, ...], tuple[Declaration, ...]]:
    """Ends what was declared up to an instant: on_hand and unavailable fall together, reserved units become short.

    Lines in (SKU, declaration) order; the declarations as they ended, with a movement for each in their order.
    """
    due = [one for one in declared if one.reason in rules.reasons and one.declared_at <= until]
    due.sort(key=lambda one: (one.position, one.declared_at, one.declaration_id))
    lines = sorted((_write_off(book, one, cause) for one in due), key=lambda line: (line.sku, line.declaration_id))
    ended = declarations.used(due, sum(one.remaining for one in due), Ending.END_OF_DAY, now)
    return tuple(lines), ended


def _write_off(book: Book, one: Declaration, cause: Cause) -> AdjustmentLine:
    # A correction may have taken the unit off the books while it was still declared.
    gone = min(one.remaining, book.balance(one.position).on_hand)
    book.move(one.position, cause, on_hand=-gone, unavailable=-one.remaining)
    return AdjustmentLine(one.sku, one.reason, one.declaration_id, one.remaining, gone)
