"""Units that are still to come: they came, will not come, or come at another time (SPEC STK-9, RTE-9).

Work with units to come is held until it has them all; which units of a line come with which delivery makes no
difference. Each function decides on the aggregate that the caller has locked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.orders.domain import holds
from services.orders.domain.model import (
    AwaitedUnits,
    Decision,
    Fulfilment,
    Happening,
    HoldKind,
    Order,
    Units,
    Window,
)
from services.orders.domain.plan import counted_ranges, lines_of, unit_facts, units_in_words
from services.orders.domain.ranges import LineRange, in_fulfilment, take
from services.orders.domain.states import (
    FULFILMENT_MOVES,
    OPEN_FULFILMENT,
    UNDONE,
    FulfilmentState,
    UnitState,
    move,
)

_DAY = timedelta(days=1)


class Outcome(StrEnum):
    """What became of a delivery."""

    SERVED = "served"
    LOST = "lost"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Share:
    """Units of a fulfilment. `emptied`: it has no others, and is cancelled. `window`: of its parcel."""

    fulfilment_id: str
    point_id: str
    lines: tuple[Units, ...]
    emptied: bool
    window: Window | None


@dataclass(frozen=True, slots=True)
class Supplied:
    """The order after it, and the units that it was about."""

    decision: Decision
    shares: tuple[Share, ...] = ()


def awaits(order: Order) -> bool:
    """Whether something of the order is still to come."""
    return any(work.awaited for work in order.fulfilments if work.state in OPEN_FULFILMENT)


def served(order: Order, supply_id: str, quantity: int, as_of: datetime) -> Supplied:
    """Units came, and are held at their points: work that waits for nothing more goes on."""
    after, shares = _taken(order, _waiting(order, supply_id), supply_id, quantity)
    if not shares:
        return Supplied(Decision(order))
    text = f"{_words(shares)} of {supply_id} came."
    told = Happening("order.supply_served", text, as_of, _facts(supply_id, shares), told=False)
    let_go = going_on(replace(after, updated_at=as_of), as_of)
    return Supplied(replace(let_go, happenings=(told, *let_go.happenings)), shares)


def lost(order: Order, supply_id: str, quantity: int, reason: str, as_of: datetime) -> Supplied:
    """Units will not come, or are not waited for any more: they look for another place, the last planned first."""
    works = _waiting(order, supply_id)[::-1]
    after, shares = _taken(order, works, supply_id, quantity)
    if not shares:
        return Supplied(Decision(order))
    told: list[Happening] = []
    for i, share in enumerate(shares):
        work = after.fulfilment(share.fulfilment_id)
        gone = Counter({line.line_number: line.quantity for line in share.lines})
        left = counted_ranges(in_fulfilment(after.ranges, work.fulfilment_id)) - gone
        ranges = take(after.ranges, gone, _in(work), UnitState.UNPLACED, work.replaces)
        work = replace(work, lines=lines_of(order.content, left)) if left.total() else _cancelled(work)
        after = replace(_with(after, work), ranges=ranges)
        if not left.total():
            shares = (*shares[:i], replace(share, emptied=True), *shares[i + 1 :])
            text = f"The work of {work.point_id} was cancelled: its units will not come."
            facts = {"reason": reason, "lines": unit_facts(share.lines)}
            told.append(Happening("fulfilment.cancelled", text, as_of, facts, fulfilment=work))
    text = f"{_words(shares)} of {supply_id} are not waited for any more: {reason.replace('_', ' ')}."
    facts = {**_facts(supply_id, shares), "reason": reason}
    first = Happening("order.supply_lost", text, as_of, facts)
    let_go = going_on(replace(after, updated_at=as_of), as_of)
    return Supplied(replace(let_go, happenings=(first, *told, *let_go.happenings)), shares)


def moved(order: Order, supply_id: str, due_at: datetime | None, as_of: datetime) -> Supplied:
    """Units come at another time; the parcels that wait for them are expected so many days later.

    Earlier is no news: what was planned stands. When nobody knows the time, neither does the order.
    """
    shares = []
    after = order
    for work in _waiting(order, supply_id):
        later = _delayed(work, supply_id, due_at)
        after = _with(after, later)
        until = max(one.due_at for one in later.awaited) if due_at else None
        after = holds.expect(after, work.fulfilment_id, holds.waits_for(later), until, as_of)
        lines = _units(one for one in later.awaited if one.supply_id == supply_id)
        shares.append(Share(work.fulfilment_id, work.point_id, lines, emptied=False, window=later.window))
    if not shares:
        return Supplied(Decision(order))
    when = (
        f"are expected by {due_at:%-d %b %Y %H:%M %Z} now" if due_at else "are late, and nobody knows until when"
    )
    facts = {**_facts(supply_id, shares), "due_at": due_at.isoformat() if due_at else None}
    told = Happening("order.supply_moved", f"{_words(shares)} of {supply_id} {when}.", as_of, facts)
    return Supplied(Decision(replace(after, updated_at=as_of), (told,)), tuple(shares))


def without(work: Fulfilment, gone: Mapping[int, int]) -> tuple[Fulfilment, list[AwaitedUnits]]:
    """The work without units of lines that are not wanted, and those of them that are not waited for any more.

    What is to come goes first, the last to come before all.
    """
    left, given_up, kept = Counter(gone), list[AwaitedUnits](), list[AwaitedUnits]()
    for one in reversed(work.awaited):
        count = min(one.quantity, left[one.line_number])
        left[one.line_number] -= count
        given_up += [replace(one, quantity=count)] if count else []
        kept += [replace(one, quantity=one.quantity - count)] if count < one.quantity else []
    return replace(work, awaited=tuple(reversed(kept))), given_up


def going_on(order: Order, as_of: datetime) -> Decision:
    """Work that waits for nothing more may go on; of other work the hold says what it still waits for."""
    decision = Decision(order)
    for work in order.fulfilments:
        if work.state not in OPEN_FULFILMENT:
            continue
        if not work.awaited:
            met = holds.meet(decision.order, HoldKind.STOCK, work.fulfilment_id, as_of)
            decision = replace(met, happenings=(*decision.happenings, *met.happenings))
        else:
            until = max(one.due_at for one in work.awaited)
            after = holds.expect(decision.order, work.fulfilment_id, holds.waits_for(work), until, as_of)
            decision = replace(decision, order=after)
    return decision


# -- what they share --------------------------------------------------------------------------------------


def _waiting(order: Order, supply_id: str) -> list[Fulfilment]:
    if order.state in UNDONE:
        return []
    return [
        work
        for work in order.fulfilments
        if work.state in OPEN_FULFILMENT and any(one.supply_id == supply_id for one in work.awaited)
    ]


def _taken(
    order: Order, works: Sequence[Fulfilment], supply_id: str, quantity: int
) -> tuple[Order, tuple[Share, ...]]:
    """So many units of the delivery are not to come any more, of the works in this order; and of which works."""
    shares: list[Share] = []
    for work in works:
        taken, kept = list[AwaitedUnits](), list[AwaitedUnits]()
        for one in work.awaited:
            count = min(one.quantity, quantity) if one.supply_id == supply_id else 0
            quantity -= count
            taken += [replace(one, quantity=count)] if count else []
            kept += [replace(one, quantity=one.quantity - count)] if count < one.quantity else []
        if taken:
            order = _with(order, replace(work, awaited=tuple(kept)))
            share = Share(work.fulfilment_id, work.point_id, _units(taken), emptied=False, window=work.window)
            shares.append(share)
    return order, tuple(shares)


def _delayed(work: Fulfilment, supply_id: str, due_at: datetime | None) -> Fulfilment:
    if due_at is None:
        return work
    before = max(one.due_at for one in work.awaited)
    awaited = tuple(replace(one, due_at=due_at) if one.supply_id == supply_id else one for one in work.awaited)
    days = -((before - max(one.due_at for one in awaited)) // _DAY) * _DAY
    after = replace(work, awaited=awaited)
    if days <= timedelta(0):
        return after
    return replace(
        after,
        hand_over_by=work.hand_over_by + days,
        window=_later(work.window, days),
        latest_start=work.latest_start + days if work.latest_start else None,
        next_hand_over_by=work.next_hand_over_by + days if work.next_hand_over_by else None,
        next_window=_later(work.next_window, days),
    )


def _later(window: Window | None, days: timedelta) -> Window | None:
    return Window(window.start + days, window.end + days) if window else None


def _units(awaited: Iterable[AwaitedUnits]) -> tuple[Units, ...]:
    units: Counter[tuple[int, str]] = Counter()
    for one in awaited:
        units[one.line_number, one.sku] += one.quantity
    return tuple(Units(line_number, sku, count) for (line_number, sku), count in sorted(units.items()))


def _cancelled(work: Fulfilment) -> Fulfilment:
    state = move("fulfilment", FULFILMENT_MOVES, work.state, FulfilmentState.CANCELLED)
    return replace(work, state=state)


def _with(order: Order, work: Fulfilment) -> Order:
    works = tuple(work if one.fulfilment_id == work.fulfilment_id else one for one in order.fulfilments)
    return replace(order, fulfilments=works)


def _in(work: Fulfilment) -> Callable[[LineRange], bool]:
    return lambda one: one.fulfilment_id == work.fulfilment_id


def _words(shares: Sequence[Share]) -> str:
    return units_in_words([line for share in shares for line in share.lines])


def _facts(supply_id: str, shares: Sequence[Share]) -> dict[str, Any]:
    return {
        "supply_id": supply_id,
        "fulfilments": [
            {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.lines)}
            for one in shares
        ],
    }
