"""Changing an order that stands (SPEC ORD-7): units that are not wanted, another address, or other content.

Each function decides on the aggregate that the caller has locked. What a change takes back or needs more of stock
and money follows by the order's story; while that is open, the order is held or at least not closed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import derived_id
from services.orders.domain import awaiting, changes, holds, refunds
from services.orders.domain import order as life
from services.orders.domain.dues import due_minor, is_settled_ahead, no_longer_due_minor
from services.orders.domain.fulfilment import moved
from services.orders.domain.model import (
    Change,
    ChangeKind,
    Decision,
    Fulfilment,
    FulfilmentLine,
    Happening,
    HoldKind,
    Order,
    OrderChange,
    Stage,
    Units,
)
from services.orders.domain.money_back import left_of, sent_units
from services.orders.domain.offers import claimed, withdrawn
from services.orders.domain.plan import (
    check_units,
    counted,
    counted_ranges,
    fewer,
    lines_of,
    unit_facts,
    units_in_words,
)
from services.orders.domain.pricing import goods_minor
from services.orders.domain.ranges import LineRange, in_fulfilment, in_state, quantity, take, within
from services.orders.domain.states import (
    CaptureState,
    ChangeState,
    FulfilmentState,
    OrderState,
    UnitState,
)

# What the story of the order is told, and does.
LINES_CANCELLED = "order.lines_cancelled"
# Why the work of a point was cancelled, as its event tells.
CANCELLED_LINES = "lines_cancelled"
TOO_LATE = "TOO_LATE_TO_CHANGE"
_STANDS = (OrderState.VALIDATED, OrderState.RELEASED)
# Work whose units are still on the shelf, those first that nobody has begun.
NOT_PICKED = (FulfilmentState.PLANNED, FulfilmentState.OFFERED, FulfilmentState.ACCEPTED)


def find(order: Order, change_id: str) -> OrderChange:
    """The change of this order. NotFound / CHANGE_NOT_FOUND."""
    for one in order.changes:
        if one.change_id == change_id:
            return one
    raise NotFound("CHANGE_NOT_FOUND", "the order has no such change", field="change_id", change_id=change_id)


# -- units that are not wanted ----------------------------------------------------------------------------


def cancel_lines(
    order: Order, wanted: Sequence[Units], reason: str, actor: str, roles: Sequence[str], as_of: datetime
) -> Decision:
    """Cancels so many units of lines, all or none; those first that nobody has begun to prepare.

    The delivery fee stays due while a unit that is sent is kept. Without one the order is cancelled, but for what
    was taken along; where all of it is sent again, its units alone are: what was lost had left.
    """
    _check_lines(order, wanted)
    check_open(order)
    counts = counted(wanted)
    works = _cancellable(order, roles)
    _check_enough(order, works, counts, roles)
    if counts.total() == quantity(sent_units(order)) and not any(one.has_left for one in order.sent):
        cancelled = life.request_cancellation(order, reason, actor, as_of, roles)
        return replace(cancelled, order=having(cancelled.order, applied(order, ChangeKind.LINES, actor, as_of)))
    if order.charge and not is_settled_ahead(order):
        raise FailedPrecondition(
            "CAPTURE_NOT_SETTLED",
            "the money of the whole order is being taken: ask again when it is settled",
            capture_state=order.charge.state.value,
        )
    change = replace(applied(order, ChangeKind.LINES, actor, as_of), settled=False)
    after, released, stopped = _without_units(order, works, counts, actor, as_of)
    after = having(replace(after, updated_at=as_of), change)
    if order.state is OrderState.VALIDATED:
        hold = replace(holds.begin(order, HoldKind.CHANGE, "stock and money follow a change", as_of), until=None)
        after = replace(after, holds=(*after.holds, hold))
    return _told_of_cancelled(order, after, change, released, lines_of(order.content, counts), reason, stopped)


def _check_lines(order: Order, wanted: Sequence[Units]) -> None:
    if not wanted:
        raise InvalidArgument("lines", "say which units are not wanted")
    check_units(order.content, wanted, "lines")
    numbers = [one.line_number for one in wanted]
    for i, number in enumerate(numbers):
        if number in numbers[:i]:
            raise InvalidArgument(f"lines[{i}].line_number", "a line is said once")


def check_open(order: Order) -> None:
    """Raises FailedPrecondition unless the order stands and no other change of it is open."""
    if order.state in (OrderState.RECORDED, OrderState.ACTION_REQUIRED):
        raise FailedPrecondition("NOT_PLACED", "the order is still being placed", state=order.state.value)
    if order.state not in _STANDS:
        raise FailedPrecondition(TOO_LATE, f"too late: the order is {order.state.value}", state=order.state.value)
    for one in order.changes:
        if one.state is ChangeState.PROPOSED:
            raise FailedPrecondition(
                "CHANGE_OPEN", "another change of the order is not decided yet", change_id=one.change_id
            )


def _cancellable(order: Order, roles: Sequence[str]) -> list[Fulfilment]:
    """Work whose units may still be cancelled: the least advanced first, of several the one made last.

    Not while its stock is being moved to the point that took it: then nobody knows where the units are.
    """
    limit = changes.until(order, Change.LINES, roles)
    works = [
        one
        for one in order.fulfilments
        if one.state in NOT_PICKED
        and not claimed(one)
        and changes.is_before(changes.reached_by(order, one), limit)
    ]
    return sorted(works, key=lambda one: (NOT_PICKED.index(one.state), -one.round, -one.position))


def _check_enough(order: Order, works: Sequence[Fulfilment], counts: Counter[int], roles: Sequence[str]) -> None:
    ids = {one.fulfilment_id for one in works}
    left = counted_ranges(one for one in order.ranges if one.fulfilment_id in ids and _is_at_home(one))
    for line_number, count in sorted(counts.items()):
        if count <= left[line_number]:
            continue
        limit = changes.until(order, Change.LINES, roles)
        words = "it may not be changed so" if limit is Stage.NEVER else f"only before {limit.value}"
        raise FailedPrecondition(
            TOO_LATE,
            f"too late: {left[line_number]} units of line {line_number} can still be cancelled ({words})",
            change=Change.LINES.value,
            line_number=line_number,
            cancellable=left[line_number],
            wanted=count,
            until=limit.value,
        )


def _without_units(
    order: Order, works: Sequence[Fulfilment], counts: Counter[int], actor: str, as_of: datetime
) -> tuple[Order, list[dict[str, object]], tuple[Happening, ...]]:
    """The order without the units; what of them lay where; and the points that have less to do."""
    missing = Counter(counts)
    ranges, after, released, told = order.ranges, order, list[dict[str, object]](), list[Happening]()
    for work in works:
        whole = counted_ranges(in_fulfilment(ranges, work.fulfilment_id))
        has = counted_ranges(filter(_is_at_home, in_fulfilment(ranges, work.fulfilment_id)))
        taken = Counter({number: min(missing[number], has[number]) for number in has if missing[number]})
        if not taken.total():
            continue
        missing -= taken
        ranges = take(ranges, taken, _at_home_in(work), UnitState.CANCELLED)
        waiting, given_up = awaiting.without(work, taken)
        less = _with_less(waiting, whole - taken)
        gone = lines_of(order.content, taken)
        after = _with_work(after, less)
        is_empty = less.state is FulfilmentState.CANCELLED
        released.append(
            {
                "fulfilment_id": work.fulfilment_id,
                "point_id": work.point_id,
                "lines": unit_facts(gone),
                "emptied": is_empty,
                "supplies": [
                    {"supply_id": one.supply_id, "sku": one.sku, "quantity": one.quantity} for one in given_up
                ],
            }
        )
        facts = {"reason": CANCELLED_LINES, "lines": unit_facts(gone), "left": unit_facts(less.lines)}
        what = "cancelled" if is_empty else CANCELLED_LINES
        text = f"{units_in_words(gone)} of the work of {work.point_id} were cancelled."
        told.append(Happening(f"fulfilment.{what}", text, as_of, facts, fulfilment=less, actor=actor))
    let_go = awaiting.going_on(replace(after, ranges=ranges), as_of)
    return let_go.order, released, (*told, *let_go.happenings)


def _is_at_home(one: LineRange) -> bool:
    """What came to a hub from another point has been prepared there."""
    return one.state is not UnitState.RECEIVED


def _at_home_in(work: Fulfilment) -> Callable[[LineRange], bool]:
    return lambda one: one.fulfilment_id == work.fulfilment_id and _is_at_home(one)


def _with_less(work: Fulfilment, left: Counter[int]) -> Fulfilment:
    """The work with these units; without any, it is cancelled as it was."""
    if not left.total() and not work.consolidates:
        return moved(withdrawn(work), FulfilmentState.CANCELLED)
    return replace(work, lines=fewer(work.lines, left))


def _with_work(order: Order, work: Fulfilment) -> Order:
    works = tuple(work if one.fulfilment_id == work.fulfilment_id else one for one in order.fulfilments)
    return replace(order, fulfilments=works)


def _told_of_cancelled(
    before: Order,
    after: Order,
    change: OrderChange,
    released: list[dict[str, object]],
    gone: Sequence[FulfilmentLine],
    reason: str,
    stopped: tuple[Happening, ...],
) -> Decision:
    """With the money: refunded where it was taken, as of what is sent again, else no longer due."""
    refunded: tuple[Happening, ...] = ()
    given_up = no_longer_due_minor(before, after)
    if before.payment_outcome != "paid_by_channel":
        # While they had their place, it was known what they were paid with.
        back = refunds.of_cancelled_units(before, after, left_of(before), CANCELLED_LINES, change.asked_at)
        # What was taken is authorised no more, given back before or not.
        lost = in_state(after.ranges, UnitState.CANCELLED)
        units = [(one.line_number, one.from_unit, one.to_unit) for one in lost]
        taken = within(left_of(replace(before, refunds=())).units, units)
        is_settled = after.charge is not None and after.charge.state is CaptureState.CAPTURED
        given_up = 0 if is_settled else given_up - goods_minor(before.content.lines, taken)
        after, refunded = back.order, back.happenings
    facts = {
        "change_id": change.change_id,
        "lines": unit_facts(gone),
        "released": released,
        "no_longer_due_minor": given_up,
        "due_minor": due_minor(after),
        "currency": after.content.total.currency,
    }
    text = f"{units_in_words(gone)} were cancelled."
    notes = {"reason": reason} if reason else {}
    told = Happening(LINES_CANCELLED, text, change.asked_at, facts, notes, actor=change.actor)
    return Decision(after, (told, *stopped, *refunded))


# -- the address ------------------------------------------------------------------------------------------


def change_address(order: Order, actor: str, roles: Sequence[str], as_of: datetime) -> Decision:
    """Another address in the same place: written at once, by the caller, into the buyer's record."""
    check_open(order)
    changes.check_in_time(order, Change.ADDRESS, roles)
    after = replace(having(order, applied(order, ChangeKind.ADDRESS, actor, as_of)), updated_at=as_of)
    facts = {"change_id": after.changes[-1].change_id}
    return Decision(
        after, (Happening("order.address_changed", "The address was changed.", as_of, facts, actor=actor),)
    )


# -- what stock and money make of it ----------------------------------------------------------------------


def settle(order: Order, change_id: str, as_of: datetime) -> Decision:
    """Stock, room and money follow the change: what was held because of it may go on."""
    change = find(order, change_id)
    if change.settled:
        return Decision(order)
    after = replace(having(order, replace(change, settled=True)), updated_at=as_of)
    text = "Stock and money follow the change of the order."
    told = Happening("order.change_settled", text, as_of, {"change_id": change_id}, told=False)
    if not all(one.settled for one in after.changes):
        return Decision(after, (told,))
    met = holds.meet(after, HoldKind.CHANGE, "", as_of)
    return replace(met, happenings=(told, *met.happenings))


# -- what they share --------------------------------------------------------------------------------------


def begun(order: Order, kind: ChangeKind, state: ChangeState, actor: str, as_of: datetime) -> OrderChange:
    """A new change of the order."""
    change_id = derived_id("chg", order.order_id, str(len(order.changes) + 1))
    return OrderChange(change_id, kind, state, as_of, actor)


def applied(order: Order, kind: ChangeKind, actor: str, as_of: datetime) -> OrderChange:
    """A change that was made as soon as it was asked for."""
    return replace(begun(order, kind, ChangeState.APPLIED, actor, as_of), decided_at=as_of)


def having(order: Order, change: OrderChange) -> Order:
    """The order with this change, new or as it is now."""
    others = tuple(one for one in order.changes if one.change_id != change.change_id)
    if len(others) == len(order.changes):
        return replace(order, changes=(*others, change))
    known = tuple(change if one.change_id == change.change_id else one for one in order.changes)
    return replace(order, changes=known)
