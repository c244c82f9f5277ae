"""Which line of a provider is which operation of ours, where they differ, and when a missing one is an alarm.

A line and an operation meet at most once. Whatever names one operation for sure decides; an amount decides only
between operations of one payment; what could be two is nobody's: it is left to a person.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from services.payments.domain.model import Kind
from services.payments.domain.settlement_file import Line, LineKind

# A provider's day may end earlier or later than ours, and a line may be booked there after midnight: what a file
# leaves out is awaited from the file of the next day, or, when that does not come, until so long after the day.
GRACE = timedelta(days=2)
T = TypeVar("T")

_OURS: dict[LineKind, Kind] = {
    kind: Kind(kind.value) for kind in LineKind if kind not in (LineKind.ADJUSTMENT, LineKind.FEE)
}
# Operations that a provider's file tells.
TOLD = frozenset(_OURS.values())


class Verdict(StrEnum):
    """What became of a line."""

    MATCHED = "matched"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_CURRENCY = "different_currency"
    # Theirs, not ours.
    EXTRA = "extra"
    # Only a fee: nothing to match.
    FEE = "fee"


class DifferenceKind(StrEnum):
    """What a person has to look at."""

    # Ours, not theirs.
    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_CURRENCY = "different_currency"


class DifferenceState(StrEnum):
    """WAITING: within the grace, so not yet an alarm. CLOSED stays closed."""

    WAITING = "waiting"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Booked:
    """An operation of ours that succeeded and moved money, as far as a line can name it."""

    operation_id: str
    kind: Kind
    # Of its payment at the provider, and of itself (a refund's own id).
    payment_reference: str
    reference: str
    amount_minor: int
    currency: str
    # An earlier line has it.
    matched: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A line and what became of it; the operation it was matched with."""

    line: Line
    verdict: Verdict
    operation: Booked | None = None


def judge(lines: Sequence[Line], booked: Iterable[Booked]) -> list[Judged]:
    """Every line once, in their order. `booked`: what the lines may mean.

    In this order: our operation's id, the provider's id of a refund or dispute, then within one payment the same
    amount, and what is left over when it is one line and one operation. A second line for one operation is EXTRA.
    """
    ours = sorted(booked, key=lambda one: one.operation_id)
    known = {(one.operation_id, one.kind) for one in ours}
    free = {one.operation_id: one for one in ours if not one.matched}
    found: dict[int, Booked] = {}

    def take(line: Line, operation: Booked) -> None:
        found[line.number] = free.pop(operation.operation_id)

    for line in lines:
        operation = free.get(line.operation_id)
        if operation is not None and _OURS.get(line.kind) is operation.kind:
            take(line, operation)
    left = [
        line
        for line in lines
        if line.kind in _OURS and line.number not in found and (line.operation_id, _OURS[line.kind]) not in known
    ]
    for of_line, of_operation, alone in _WAYS:
        lines_by, operations_by = _group(left, of_line), _group(free.values(), of_operation)
        for key, same in lines_by.items():
            candidates = operations_by.get(key, [])
            if alone and (len(same), len(candidates)) != (1, 1):
                continue
            for line, operation in zip(same, candidates, strict=False):
                take(line, operation)
        left = [line for line in left if line.number not in found]
    return [_judged(line, found.get(line.number)) for line in lines]


def awaits(day: date, later_file_done: bool, now: datetime) -> DifferenceState:
    """The state of an operation of `day` that the day's file left out and that is still missing."""
    over = later_file_done or now >= end_of(day) + GRACE
    return DifferenceState.OPEN if over else DifferenceState.WAITING


def start_of(day: date) -> datetime:
    """Days are those of UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """Not part of the day any more."""
    return start_of(day) + timedelta(days=1)


_Key = Hashable | None
# How a line and an operation may meet without our id: keys that must be equal, and whether both must be alone.
_WAYS: Sequence[tuple[Callable[[Line], _Key], Callable[[Booked], _Key], bool]] = (
    (
        lambda line: (_OURS[line.kind], line.reference) if line.reference else None,
        lambda one: (
            (one.kind, one.reference) if one.reference and one.reference != one.payment_reference else None
        ),
        True,
    ),
    (
        lambda line: (_payment_of(line), line.amount_minor, line.currency) if line.payment_reference else None,
        lambda one: ((one.kind, one.payment_reference), one.amount_minor, one.currency),
        False,
    ),
    (
        lambda line: _payment_of(line) if line.payment_reference else None,
        lambda one: (one.kind, one.payment_reference),
        True,
    ),
)


def _payment_of(line: Line) -> tuple[Kind, str]:
    return _OURS[line.kind], line.payment_reference


def _group(things: Iterable[T], key_of: Callable[[T], _Key]) -> Mapping[_Key, list[T]]:
    groups: dict[_Key, list[T]] = defaultdict(list)
    for thing in things:
        if (key := key_of(thing)) is not None:
            groups[key].append(thing)
    return groups


def _judged(line: Line, operation: Booked | None) -> Judged:
    if line.kind is LineKind.FEE:
        return Judged(line, Verdict.FEE)
    if operation is None:
        return Judged(line, Verdict.EXTRA)
    if line.currency != operation.currency:
        return Judged(line, Verdict.DIFFERENT_CURRENCY, operation)
    if line.amount_minor != operation.amount_minor:
        return Judged(line, Verdict.DIFFERENT_AMOUNT, operation)
    return Judged(line, Verdict.MATCHED, operation)
