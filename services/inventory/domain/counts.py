"""Cycle counts (SPEC STK-16): somebody counts some articles without seeing what the books say.

A count takes every unit that the shop holds: on the shelf, laid aside, damaged, in a customer's hands. It is true
at the moment of counting: what was moved after it is applied again on top when the count is closed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition
from services.inventory.domain import declarations
from services.inventory.domain.declarations import Declaration, Ending, Reason
from services.inventory.domain.ledger import Book, Cause, Position


class CountState(StrEnum):
    """Where a count is in its life."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


_TRANSITIONS: Mapping[CountState, frozenset[CountState]] = {
    CountState.OPEN: frozenset({CountState.CLOSED, CountState.CANCELLED}),
    CountState.CLOSED: frozenset(),
    CountState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class CountLine:
    """One article. `expected` is what the books said at the opening; the last three are set at the closing."""

    sku: str
    expected: int
    counted: int | None = None
    damaged: int = 0
    counted_at: datetime | None = None
    counted_by: str = ""
    moved: int | None = None
    difference: int | None = None
    adjusted: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """A count of some articles at a point, in SKU order. `last_movement_id` is the ledger's at the opening."""

    count_id: str
    point_id: str
    state: CountState
    opened_by: str
    opened_at: datetime
    last_movement_id: int
    lines: tuple[CountLine, ...]
    ended_by: str = ""
    ended_at: datetime | None = None
    line_count: int = 0


@dataclass(frozen=True, slots=True)
class Since:
    """What happened at a position after it was counted.

    moved: the sum of the ledger; unknown: units that the till sold and the books did not have; looked: whether a
    snapshot or another count has set the books right since.
    """

    moved: int = 0
    unknown: int = 0
    looked: bool = False


def record(count: Count, counted: Sequence[CountLine]) -> Count:
    """open -> open: what was counted of some of its articles; again replaces it."""
    _must_be_open(count)
    by_sku = {line.sku: line for line in counted}
    return replace(
        count,
        lines=tuple(
            replace(
                line,
                counted=found.counted,
                damaged=found.damaged,
                counted_at=found.counted_at,
                counted_by=found.counted_by,
            )
            if (found := by_sku.get(line.sku))
            else line
            for line in count.lines
        ),
    )


def close(
    book: Book,
    count: Count,
    since: Mapping[str, Since],
    declared: Mapping[Position, Sequence[Declaration]],
    actor: str,
    now: datetime,
) -> tuple[Count, tuple[Declaration, ...]]:
    """open -> closed: each difference becomes a movement; with the declarations that ended or began.

    Raises NOTHING_COUNTED. Articles that nobody counted stay as they are.
    """
    closed = _to(count, CountState.CLOSED, actor, now)
    if all(line.counted is None for line in count.lines):
        raise FailedPrecondition("NOTHING_COUNTED", "no article was counted yet", count_id=count.count_id)
    lines: list[CountLine] = []
    changed: list[Declaration] = []
    for line in count.lines:
        if line.counted is None:
            lines.append(line)
            continue
        position = Position(line.sku, count.point_id)
        after, touched = _close_line(book, count, line, since.get(line.sku, Since()), declared.get(position, ()))
        lines.append(after)
        changed += touched
    return replace(closed, lines=tuple(lines)), tuple(changed)


def cancel(count: Count, actor: str, now: datetime) -> Count:
    """open -> cancelled: nothing changes."""
    return _to(count, CountState.CANCELLED, actor, now)


def _close_line(
    book: Book, count: Count, line: CountLine, since: Since, declared: Sequence[Declaration]
) -> tuple[CountLine, tuple[Declaration, ...]]:
    position = Position(line.sku, count.point_id)
    assert line.counted is not None
    assert line.counted_at is not None
    on_hand = book.balance(position).on_hand
    booked_then = on_hand - since.moved
    judged = replace(line, moved=booked_then - line.expected, difference=line.counted - booked_then, adjusted=0)
    if since.looked:
        return judged, ()
    seen = [one for one in declared if one.declared_at <= line.counted_at]
    ended = declarations.used(seen, sum(one.remaining for one in seen), Ending.COUNT, line.counted_at)
    target = max(0, line.counted + since.moved - since.unknown)
    cause = Cause("count", line.counted_by, count.count_id)
    gone = declarations.taken(declared, ended)
    # What was damaged when it was counted is on the shelf still, unless fewer units are.
    others = sum(one.remaining for one in declared) - gone
    damaged = max(0, min(line.damaged, target - others))
    if target != on_hand or damaged != gone:
        book.move(position, cause, on_hand=target - on_hand, unavailable=damaged - gone)
    after = replace(judged, adjusted=target - on_hand)
    if not damaged:
        return after, ended
    begun = declarations.opened(
        count.count_id, position, damaged, Reason.DAMAGED, line.counted_by, count.count_id, line.counted_at
    )
    return after, (*ended, begun)


def _must_be_open(count: Count) -> None:
    if count.state is not CountState.OPEN:
        raise _not_open(count)


def _to(count: Count, state: CountState, actor: str, now: datetime) -> Count:
    if state not in _TRANSITIONS[count.state]:
        raise _not_open(count)
    return replace(count, state=state, ended_by=actor, ended_at=now)


def _not_open(count: Count) -> FailedPrecondition:
    return FailedPrecondition(
        "COUNT_NOT_OPEN", f"the count is {count.state}", count_id=count.count_id, state=count.state.value
    )
