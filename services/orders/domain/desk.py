"""What people may do about an order now, and what would come of it: the rules, tried on a copy (SPEC ORD-9).

Has no rule of its own. Whoever acts afterwards is decided on again, under the order's lock.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, OmsError
from kit.values.money import Money
from services.orders.domain import (
    amending,
    appointments,
    awaiting,
    capture,
    holds,
    offers,
    order,
    parcels,
    planning_again,
    refunds,
    replacing,
)
from services.orders.domain.dues import no_longer_due_minor
from services.orders.domain.model import (
    Decision,
    Fulfilment,
    HoldDefault,
    Order,
    RefundKind,
    RefundWish,
    Slot,
    Units,
    Wanted,
    Window,
)
from services.orders.domain.ranges import LineRange
from services.orders.domain.states import (
    GONE_ASTRAY,
    HELD_UNITS,
    LEFT_THE_POINT,
    ON_ITS_WAY,
    WORK,
    CaptureState,
    OrderState,
    RefundState,
    UnitState,
)


class Act(StrEnum):
    """What people do about orders."""

    CANCEL = "cancel"
    CANCEL_LINES = "cancel_lines"
    CHANGE_ADDRESS = "change_address"
    CHANGE_CONTENT = "change_content"
    MOVE_APPOINTMENT = "move_appointment"
    PLAN_AGAIN = "plan_again"
    PLACE_HOLD = "place_hold"
    RELEASE_HOLD = "release_hold"
    EXTEND_HOLD = "extend_hold"
    REFUSE_HOLD = "refuse_hold"
    ASSIGN = "assign"
    RETRY_CAPTURE = "retry_capture"
    OVERRIDE_CAPTURE = "override_capture"
    GIVE_UP = "give_up"
    DECLARE_LOST = "declare_lost"
    DECIDE_LOSS = "decide_loss"
    REFUND = "refund"
    GOODWILL = "goodwill"
    RETRY_REFUND = "retry_refund"


@dataclass(frozen=True, slots=True)
class Wish:
    """An act as somebody wants it. Which parts count, depends on the act; what is left out is taken as usual."""

    act: Act
    target_id: str = ""
    lines: tuple[Units, ...] = ()
    reason: str = ""
    until: datetime | None = None
    choice: str = ""
    point_id: str = ""
    amount: Money | None = None
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class MovedUnits:
    """So many units of a line that change their state; `point_id`: where they are held until then."""

    line_number: int
    sku: str
    quantity: int
    before: UnitState
    after: UnitState
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What would come of an act."""

    sentences: tuple[str, ...]
    state: OrderState
    units: tuple[MovedUnits, ...]
    no_longer_due: Money
    refunded: Money


@dataclass(frozen=True, slots=True)
class Possible:
    """Whether an act may be done: without a refusal it may. `effect`: of one that was asked for."""

    act: Act
    target_id: str
    refusal: OmsError | None = None
    refusal_text: str = ""
    effect: Effect | None = None
    # The most that may be given; of goodwill only.
    limit: Money | None = None


def possible(one: Order, roles: Sequence[str], as_of: datetime) -> tuple[Possible, ...]:
    """Every act that is about this order, each thing that it could be about by itself."""
    return tuple(preview(one, wish, roles, as_of, in_words=False) for wish in _about(one))


def preview(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime, *, in_words: bool = True) -> Possible:
    """The act, with its effect, or with what its rule says against it."""
    try:
        decision = _RULES[wish.act](one, wish, roles, as_of)
    except OmsError as refusal:
        return Possible(wish.act, wish.target_id, refusal, _why_not(one, wish, refusal))
    told = effect(one, decision) if in_words else None
    return Possible(wish.act, wish.target_id, effect=told, limit=_room(one, wish, roles, as_of))


def effect(before: Order, decision: Decision) -> Effect:
    """What a decision changes, for people to read before they want it."""
    after, currency = decision.order, before.content.total.currency
    known = {one.refund_id for one in before.refunds}
    back = sum(one.amount_minor for one in after.refunds if one.refund_id not in known)
    # What is refunded is said as that; where the whole order is undone, its captures are given back with the rest.
    due = max(0, no_longer_due_minor(before, after) - back) if before.content == after.content else 0
    return Effect(
        tuple(one.text for one in decision.happenings),
        after.state,
        _moved(before, after),
        Money(due, currency),
        Money(back, currency),
    )


# -- what an order has that something may be done about -------------------------------------------------------


def _about(one: Order) -> Iterator[Wish]:
    yield Wish(Act.CANCEL)
    yield Wish(Act.CANCEL_LINES)
    yield Wish(Act.CHANGE_ADDRESS)
    yield Wish(Act.CHANGE_CONTENT)
    if one.appointment:
        yield Wish(Act.MOVE_APPOINTMENT)
    if awaiting.awaits(one):
        yield Wish(Act.PLAN_AGAIN)
    yield Wish(Act.PLACE_HOLD)
    for hold in holds.open_holds(one):
        yield Wish(Act.RELEASE_HOLD, hold.hold_id)
        yield Wish(Act.EXTEND_HOLD, hold.hold_id)
        yield Wish(Act.REFUSE_HOLD, hold.hold_id)
    if one.charge and one.charge.state is CaptureState.FAILED:
        yield Wish(Act.RETRY_CAPTURE)
        yield Wish(Act.OVERRIDE_CAPTURE)
    for work in one.sent:
        yield from _about_work(work)
    yield Wish(Act.REFUND)
    yield Wish(Act.GOODWILL)
    for refund in one.refunds:
        if refund.state is RefundState.FAILED:
            yield Wish(Act.RETRY_REFUND, refund.refund_id)


def _about_work(work: Fulfilment) -> Iterator[Wish]:
    if work.state in WORK & set(amending.NOT_PICKED):
        yield Wish(Act.PLAN_AGAIN, work.fulfilment_id)
    if work.unclaimed_since:
        yield Wish(Act.ASSIGN, work.fulfilment_id)
    if work.parcel and work.parcel.capture_state is CaptureState.FAILED:
        yield Wish(Act.RETRY_CAPTURE, work.fulfilment_id)
        yield Wish(Act.OVERRIDE_CAPTURE, work.fulfilment_id)
        yield Wish(Act.GIVE_UP, work.fulfilment_id)
    if work.state in ON_ITS_WAY:
        yield Wish(Act.DECLARE_LOST, work.fulfilment_id)
    if work.state in GONE_ASTRAY:
        yield Wish(Act.DECIDE_LOSS, work.fulfilment_id)


# -- the rules ------------------------------------------------------------------------------------------------

# Stands for what somebody is still to say, where a rule wants it said.
_WHY = "as the person says"
_WHO = ""
_TOO_MUCH = 10**15


def _cancel(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    decision = order.request_cancellation(one, wish.reason or _WHY, _WHO, as_of, roles)
    if not decision.happenings:
        raise FailedPrecondition(
            "TOO_LATE_TO_CANCEL", f"the order is {one.state.value} already", state=one.state.value
        )
    return decision


def _cancel_lines(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    if wish.lines:
        return amending.cancel_lines(one, wish.lines, wish.reason, _WHO, roles, as_of)
    refusal: OmsError = FailedPrecondition("TOO_LATE_TO_CHANGE", "no unit of it is sent", state=one.state.value)
    # One unit of each work stands for all of its units.
    firsts = {each.fulfilment_id: each.line_number for each in reversed(one.sent_ranges)}
    for number in dict.fromkeys(reversed(firsts.values())):
        try:
            return amending.cancel_lines(one, (Units(number, "", 1),), wish.reason, _WHO, roles, as_of)
        except OmsError as error:
            refusal = error
    raise refusal


def _change_address(one: Order, _wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    return amending.change_address(one, _WHO, roles, as_of)


def _change_content(one: Order, _wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    content = one.content
    same = Wanted(content.lines, content.total, content.mode, standard_shipping=content.standard_shipping)
    try:
        return replacing.propose(one, same, _WHO, roles, as_of)
    except InvalidArgument as error:
        if error.reason != "NOTHING_CHANGES":
            raise
    # All that a rule has against it is that nothing else was said yet.
    return Decision(one)


def _move_appointment(one: Order, _wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    far = as_of + timedelta(days=3_650)
    return appointments.request_move(one, Slot("another", far.date(), Window(far, far)), _WHO, as_of)


def _plan_again(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    point_id = _work(one, wish.target_id).point_id if wish.target_id else wish.point_id
    return planning_again.propose(one, _WHO, as_of, point_id, wish.reason)


def _place_hold(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    default = wish.choice or HoldDefault.RELEASE
    if default not in set(HoldDefault):
        raise InvalidArgument("wish.choice", f"one of {', '.join(HoldDefault)}")
    return holds.place(one, "", wish.reason or _WHY, wish.until, HoldDefault(default), _WHO, as_of)[0]


def _release_hold(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    return holds.release(one, wish.target_id, wish.reason, _WHO, roles, as_of)


def _extend_hold(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    until = wish.until or as_of + timedelta(days=1)
    return holds.extend(one, wish.target_id, until, wish.reason, _WHO, roles, as_of)


def _refuse_hold(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    return order.refuse_hold(one, wish.target_id, wish.reason or _WHY, _WHO, roles, as_of)


def _assign(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    work = _work(one, wish.target_id)
    return offers.assign(one, work, wish.point_id or work.point_id, "claim", _WHO, as_of)


def _retry_capture(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    if wish.target_id:
        return capture.retry(one, _work(one, wish.target_id), _WHO, as_of)
    return capture.retry_of_order(one, _WHO, as_of)


def _override_capture(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    outcome = capture.Outcome(CaptureState.OVERRIDDEN, wish.reason or _WHY, _WHO, as_of)
    if wish.target_id:
        return capture.record(one, _work(one, wish.target_id), outcome)
    return capture.record_of_order(one, outcome)


def _give_up(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    return capture.give_up(one, _work(one, wish.target_id), wish.reason or _WHY, _WHO, as_of)


def _declare_lost(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    cause = wish.choice or parcels.CAUSES[0]
    return parcels.declare(one, _work(one, wish.target_id), cause, wish.reason or _WHY, _WHO, as_of)


def _decide_loss(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    return parcels.decide(one, _work(one, wish.target_id), wish.choice or parcels.DECISIONS[-1], _WHO, as_of)


def _refund(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    kind = RefundKind.DELIVERY_FEE if wish.amount else RefundKind.GOODS
    whole = not wish.lines and not wish.amount
    return refunds.request(one, _refund_wish(kind, "other", wish, roles, whole=whole), as_of)


def _goodwill(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Decision:
    wanted = wish if wish.amount else replace(wish, amount=Money(1, one.content.total.currency))
    return refunds.request(one, _refund_wish(RefundKind.GOODWILL, "gesture", wanted, roles), as_of)


def _room(one: Order, wish: Wish, roles: Sequence[str], as_of: datetime) -> Money | None:
    """The most that a gesture may be: too much is asked for, and the rules say how much would not be."""
    if wish.act is not Act.GOODWILL:
        return None
    most = Money(_TOO_MUCH, one.content.total.currency)
    for _ in range(2):
        try:
            _goodwill(one, replace(wish, amount=most), roles, as_of)
        except OmsError as refusal:
            facts = refusal.facts
            if "cap_minor" in facts:
                most = Money(max(0, int(facts["cap_minor"]) - int(facts["given_minor"])), most.currency)
            elif "available_minor" in facts:
                most = Money(int(facts["available_minor"]), most.currency)
            if not most.amount_minor:
                break
    return None if most.amount_minor == _TOO_MUCH else most


def _refund_wish(
    kind: RefundKind, usual: str, wish: Wish, roles: Sequence[str], *, whole: bool = False
) -> RefundWish:
    amount = wish.amount
    return RefundWish(
        kind, wish.reason_code or usual, wish.reason, _WHO, tuple(roles), wish.lines, amount, whole=whole
    )


def _retry_refund(one: Order, wish: Wish, _roles: Sequence[str], as_of: datetime) -> Decision:
    return refunds.retry(one, wish.target_id, _WHO, as_of)


def _work(one: Order, fulfilment_id: str) -> Fulfilment:
    for work in one.fulfilments:
        if work.fulfilment_id == fulfilment_id:
            return work
    raise NotFound(
        "FULFILMENT_NOT_FOUND",
        "there is no such fulfilment",
        field="wish.target_id",
        fulfilment_id=fulfilment_id,
    )


_Rule = Callable[[Order, Wish, Sequence[str], datetime], Decision]
_RULES: Mapping[Act, _Rule] = {
    Act.CANCEL: _cancel,
    Act.CANCEL_LINES: _cancel_lines,
    Act.CHANGE_ADDRESS: _change_address,
    Act.CHANGE_CONTENT: _change_content,
    Act.MOVE_APPOINTMENT: _move_appointment,
    Act.PLAN_AGAIN: _plan_again,
    Act.PLACE_HOLD: _place_hold,
    Act.RELEASE_HOLD: _release_hold,
    Act.EXTEND_HOLD: _extend_hold,
    Act.REFUSE_HOLD: _refuse_hold,
    Act.ASSIGN: _assign,
    Act.RETRY_CAPTURE: _retry_capture,
    Act.OVERRIDE_CAPTURE: _override_capture,
    Act.GIVE_UP: _give_up,
    Act.DECLARE_LOST: _declare_lost,
    Act.DECIDE_LOSS: _decide_loss,
    Act.REFUND: _refund,
    Act.GOODWILL: _goodwill,
    Act.RETRY_REFUND: _retry_refund,
}


# -- words and units ------------------------------------------------------------------------------------------


def _why_not(one: Order, wish: Wish, refusal: OmsError) -> str:
    """The rule's own words and, where something has left, which point's parcel and when."""
    left = [
        (work.parcel.handed_over_at, work.point_id)
        for work in one.sent
        if work.state in LEFT_THE_POINT and work.parcel and work.parcel.handed_over_at
    ]
    is_late = refusal.reason.startswith("TOO_LATE") and wish.act is not Act.PLACE_HOLD
    if not left or not is_late:
        return refusal.detail
    at, point_id = min(left)
    return f"{refusal.detail}; the parcel of {point_id} was handed over on {holds.moment(at)}"


def _moved(before: Order, after: Order) -> tuple[MovedUnits, ...]:
    """By line and states; only of an order that keeps its lines."""
    if before.content != after.content:
        return ()
    skus = {line.line_number: line.sku for line in before.content.lines}
    points = {work.fulfilment_id: work.point_id for work in before.fulfilments}
    later = defaultdict[int, list[LineRange]](list)
    for now in after.ranges:
        later[now.line_number].append(now)
    found: Counter[tuple[int, UnitState, UnitState, str]] = Counter()
    for was in before.ranges:
        for now in later[was.line_number]:
            if quantity := _common(was, now):
                point_id = points.get(was.fulfilment_id, "") if was.state in HELD_UNITS else ""
                found[was.line_number, was.state, now.state, point_id] += quantity
    return tuple(
        MovedUnits(number, skus[number], quantity, was_state, state, point_id)
        for (number, was_state, state, point_id), quantity in sorted(found.items())
        if was_state is not state
    )


def _common(one: LineRange, other: LineRange) -> int:
    return max(0, min(one.to_unit, other.to_unit) - max(one.from_unit, other.from_unit))
