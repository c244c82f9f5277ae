"""The life of the order: what may become of it, decided on the aggregate that the caller has locked.

Each function gives the order after it and what happened. A cancellation that came first is an answer, not an
error: the order comes back unchanged.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import (
    appointments,
    changes,
    collecting,
    collection_terms,
    consolidating,
    fraud,
    holds,
    joining,
    money_back,
    parcels,
    paying,
    personalising,
    refunds,
    taking,
    to_store,
    trials,
    unpacking,
)
from services.orders.domain.content import forget_means
from services.orders.domain.dues import due_minor, fee_no_longer_due_minor, no_longer_due_minor
from services.orders.domain.fraud_policy import Band, FraudCheck
from services.orders.domain.model import (
    Appointment,
    CaptureMoment,
    Change,
    Charge,
    Content,
    Decision,
    Fulfilment,
    Happening,
    HoldKind,
    Leg,
    LifeCycle,
    Order,
    Refusal,
    UnitRange,
    Units,
    Window,
)
from services.orders.domain.money_back import lost_for_good
from services.orders.domain.offers import withdrawn
from services.orders.domain.plan import (
    check_legs,
    check_units,
    counted,
    nothing_left,
    place,
    unit_facts,
    units_in_words,
    unplaced,
    waiting_in,
)
from services.orders.domain.pricing import taken_minor
from services.orders.domain.ranges import cancel, in_state, quantity, shift, take, whole
from services.orders.domain.states import (
    FULFILMENT_MOVES,
    OPEN_FULFILMENT,
    ORDER_MOVES,
    UNDONE,
    CaptureState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)

PAYMENT_OUTCOMES = ("authorized", "paid_by_channel", paying.SAVED, collecting.IN_STORE)


def record(order_id: str, content: Content, life_cycle: LifeCycle, placed_at: datetime, now: datetime) -> Decision:
    """A new order, before anything acts on it. Its content has been checked."""
    order = Order(
        order_id=order_id,
        content=content,
        state=OrderState.RECORDED,
        life_cycle=collection_terms.lived(content, life_cycle),
        placed_at=placed_at,
        recorded_at=now,
        updated_at=now,
        ranges=tuple(whole(line.line_number, line.quantity) for line in content.lines),
    )
    units = [Units(line.line_number, line.sku, line.quantity) for line in content.lines]
    return _told(
        order,
        "order.recorded",
        f"The order was received: {units_in_words(units)} for {content.total}.",
        now,
        facts={
            "total_minor": content.total.amount_minor,
            "currency": content.total.currency,
            "lines": unit_facts(units),
        },
    )


def accept(
    order: Order,
    legs: Sequence[Leg],
    promise: Window | None,
    decision_id: str,
    payment: str,
    as_of: datetime,
    appointment: Appointment | None = None,
    check: FraudCheck | None = None,
    taken: str = "",
    authorised_until: datetime | None = None,
) -> Decision:
    """recorded | action_required -> validated; each unit goes to a fulfilment, or along with the customer.

    Where the fraud rules say so what is sent is held for a review, or the order stays as it is, to be refused.
    `taken`: what became of the money of what the customer takes along. `authorised_until`: the end of what cannot
    be authorised again, if there is one; what is to be tried at home is not accepted where that is too soon.
    """
    legs = to_store.gathered(order, legs)
    check_legs(order.content, legs)
    if payment not in PAYMENT_OUTCOMES:
        raise InvalidArgument("payment", "the payment is authorized, paid_by_channel, saved or in_store")
    if (payment == collecting.IN_STORE) != order.content.is_paid_in_store:
        raise InvalidArgument("payment", "a till of the store takes the money of an e-reservation, of no other")
    if promise is None and order.content.sent:
        raise InvalidArgument("promise", "an accepted order has a promise to keep")
    if order.state in UNDONE or fraud.is_refused(order):
        return Decision(order)
    if refusal := trials.too_short(order, promise, authorised_until):
        return Decision(order, refusal=refusal)
    validated = _moved(order, OrderState.VALIDATED, as_of)
    if check and check.band is Band.REFUSE:
        return fraud.refuse(order, check, as_of)
    sent = Counter({line.line_number: line.quantity for line in order.content.sent})
    if counted(unit for leg in legs for unit in leg.lines) != sent:
        raise InvalidArgument("legs", "the plan does not cover the order's units exactly", reason="PLAN_MISMATCH")
    ranges, created = place(order, legs, UnitState.RECORDED, decision_id)
    validated = replace(
        validated,
        content=forget_means(order.content),
        ranges=ranges,
        fulfilments=created,
        promise=promise,
        payment_outcome=payment,
        next_action_url="",
        appointment=appointment,
        fraud=check,
    )
    validated = replace(validated, holds=holds.at_acceptance(validated, legs, as_of))
    if check and check.band is Band.REVIEW and order.content.sent:
        review = holds.begin(validated, HoldKind.FRAUD, fraud.REVIEW_REASON, as_of)
        validated = replace(validated, holds=(*validated.holds, review))
    cooling_off_until = as_of + timedelta(seconds=order.cooling_off_seconds)
    validated, along = taking.take(validated, taken, as_of)
    decision = _told(
        validated,
        "order.validated",
        _accepted(order.content, promise, cooling_off_until),
        as_of,
        facts={
            "payment": payment,
            "decision_id": decision_id,
            "promise": {"start": promise.start.isoformat(), "end": promise.end.isoformat()} if promise else None,
            "cooling_off_until": cooling_off_until.isoformat(),
            "fulfilments": [
                {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.lines)}
                for one in created
            ],
        },
    )
    held = tuple(
        holds.told_of_beginning(validated, one)
        for one in holds.open_holds(validated)
        if one.kind is not HoldKind.COOLING_OFF
    )
    checked = (fraud.told(check),) if check else ()
    return replace(decision, created=created, happenings=(*decision.happenings, *along, *checked, *held))


def _accepted(content: Content, promise: Window | None, cooling_off_until: datetime) -> str:
    if promise is None:
        return "The order was accepted: all of it is taken along."
    if content.is_collected:
        return (
            f"The order was accepted: promised to be ready at {content.collect_at_point_id} from "
            f"{_moment(promise.start)}; it can be changed until {_moment(cooling_off_until)}."
        )
    return (
        f"The order was accepted: delivery promised from {_moment(promise.start)} to {_moment(promise.end)}; "
        f"it can be changed until {_moment(cooling_off_until)}."
    )


def refuse(order: Order, refusal: Refusal, as_of: datetime) -> Decision:
    """recorded | action_required -> refused; no unit is wanted any more."""
    if not refusal.reason:
        raise InvalidArgument("refusal.reason", "a refusal has a reason")
    if order.state in UNDONE:
        return Decision(order)
    refused = replace(
        _moved(order, OrderState.REFUSED, as_of),
        content=forget_means(order.content),
        refusal=refusal,
        next_action_url="",
        ranges=shift(order.ranges, lambda one: True, UnitState.CANCELLED),
    )
    which = ", ".join(f"line {line.line_number} ({line.sku})" for line in refusal.lines)
    return _told(
        refused,
        "order.refused",
        f"The order was refused: {refusal.reason}{f', {which}' if which else ''}.",
        as_of,
        facts={
            "reason": refusal.reason,
            "lines": [
                {
                    "line_number": line.line_number,
                    "sku": line.sku,
                    "requested": line.requested,
                    "available": line.available,
                    "reason": line.reason,
                }
                for line in refusal.lines
            ],
        },
    )


def require_payment_action(order: Order, next_action_url: str, as_of: datetime) -> Decision:
    """recorded -> action_required. The address is a secret of the customer: it is in no event."""
    if not next_action_url:
        raise InvalidArgument("next_action_url", "say where the customer confirms the payment")
    if order.state in UNDONE:
        return Decision(order)
    waiting = replace(_moved(order, OrderState.ACTION_REQUIRED, as_of), next_action_url=next_action_url)
    return _told(waiting, "order.action_required", "The payment waits for the customer's confirmation.", as_of)


def release(order: Order, as_of: datetime) -> Decision:
    """validated -> released: the points may work, once the money is there where the life cycle takes it now.

    While something holds the order, or its means is only kept, it stays validated; a hold whose date has come ends
    first.
    """
    if order.state in UNDONE:
        return Decision(order)
    lapsed = lapse_holds(order, as_of)
    if lapsed.order.state in UNDONE or holds.holds_order(lapsed.order) or paying.is_kept(lapsed.order):
        return lapsed
    order = lapsed.order
    released = _moved(order, OrderState.RELEASED, as_of)
    total = due_minor(order) - taken_minor(order.content.taken)
    takes_all = order.life_cycle.capture_at == CaptureMoment.ORDER and order.payment_outcome == "authorized"
    if takes_all and total:
        cancelled = in_state(order.ranges, UnitState.CANCELLED)
        gone = tuple(UnitRange(one.line_number, one.from_unit, one.to_unit) for one in cancelled)
        released = replace(released, charge=Charge(total, without=gone))
    text = "Nothing holds the order any more: it went to preparation."
    decision = _told(released, "order.released", text, as_of)
    # Who would be told that it may go on is the one who asks; that an order has cooled off is no news then.
    before = (
        one
        for one in lapsed.happenings
        if one.kind != holds.ALL_ENDED and one.facts.get("kind") != HoldKind.COOLING_OFF
    )
    return replace(decision, happenings=(*before, *decision.happenings))


def lapse_holds(order: Order, as_of: datetime) -> Decision:
    """The default of each hold whose date has come."""
    return holds.lapse(order, _undo, as_of)


def refuse_hold(
    order: Order, hold_id: str, reason: str, actor: str, roles: Sequence[str], as_of: datetime
) -> Decision:
    """Somebody who may decides against the order: it is cancelled."""
    return holds.refuse(order, hold_id, reason, actor, roles, _undo, as_of)


def _undo(order: Order, reason: str, actor: str, as_of: datetime) -> Decision:
    return request_cancellation(order, reason, actor, as_of)


def reroute(
    order: Order,
    legs: Sequence[Leg],
    cancelled: Sequence[Units],
    reason: str,
    decision_id: str,
    as_of: datetime,
    replaces: str = "",
    given_up: str = "",
    onward: Leg | None = None,
) -> Decision:
    """Gives unplaced units to new fulfilments and cancels those that found no place; no more than there are.

    With `onward` they join what waits at a hub, or meet at it.

    The money of the cancelled ones is no longer due, or is given back where the whole order was captured.
    `replaces`: units of that fulfilment's lost parcel are sent again; those without a place are lost and refunded.
    `given_up`: the units are those of that fulfilment's parcel, and find no place.
    """
    if given_up and (legs or replaces):
        raise InvalidArgument("fulfilment_id", "what was given up is sent from nowhere, and is not lost")
    planned, legs = legs, joining.new_work(order, legs, onward, replaces)
    check_legs(order.content, legs)
    check_units(order.content, cancelled, "cancelled")
    if order.state in UNDONE:
        return Decision(order)
    if order.state != OrderState.RELEASED:
        raise FailedPrecondition("NOT_RELEASED", "only a released order is routed again", state=order.state.value)
    wanted = counted(unit for leg in planned for unit in leg.lines) + counted(cancelled)
    # Units that are not known as those of the parcel were given up before units were.
    is_known = any(one.fulfilment_id == given_up for one in money_back.given_up(order))
    of = given_up if is_known else replaces
    waiting = unplaced(order, of)
    for line_number, count in sorted(wanted.items()):
        if count > waiting[line_number]:
            raise FailedPrecondition(
                "PLAN_MISMATCH",
                f"line {line_number} has {waiting[line_number]} units without a place, not {count}",
                line_number=line_number,
                unplaced=waiting[line_number],
                wanted=count,
            )
    ranges, created = place(order, legs, UnitState.UNPLACED, decision_id, replaces, to_store.waiting(order))
    ranges, own = joining.with_own(order, ranges, planned, onward)
    end = UnitState.LOST if replaces else UnitState.CANCELLED
    ranges = take(ranges, counted(cancelled), waiting_in(UnitState.UNPLACED, of), end, replaces)
    if ranges == order.ranges:
        return Decision(order)
    after = replace(order, ranges=ranges, fulfilments=(*order.fulfilments, *created), updated_at=as_of)
    after = joining.joined(order, after, created, onward, as_of)
    after = replace(after, holds=(*after.holds, *holds.of_legs(after, legs, created, as_of)))
    if created:
        after = appointments.planned_anew(after)
    gone = () if replaces else cancelled
    told = _rerouted((*created, *own), gone, reason, decision_id, as_of)
    if replaces:
        back = parcels.without_resending(order, after, order.fulfilment(replaces), as_of)
        return Decision(back.order, (*told, *_not_sent_again(cancelled, as_of), *back.happenings), created)
    back = refunds.of_cancelled_units(order, after, money_back.left_of(after), reason, as_of)
    is_taken = order.charge is not None and order.charge.state == CaptureState.CAPTURED
    captured = _came_late(order, given_up)
    # Of units whose money came, nothing but the fee is still authorised.
    no_longer_due = (fee_no_longer_due_minor if captured else no_longer_due_minor)(order, after)
    no_longer_due = 0 if is_taken else no_longer_due
    return Decision(back.order, (*told, *back.happenings), created, no_longer_due, captured)


def request_cancellation(
    order: Order, reason: str, actor: str, as_of: datetime, roles: Sequence[str] = ()
) -> Decision:
    """-> cancelling, unless a parcel was handed over; open fulfilments are cancelled with it.

    `roles`: of somebody whom the life cycle may give less time.
    """
    if order.state in UNDONE:
        return Decision(order)
    if roles:
        changes.check_in_time(order, Change.CANCEL, roles)
    _check_not_too_late(order)
    cancelling = replace(
        _without_units(_moved(order, OrderState.CANCELLING, as_of)),
        cancellation_reason=reason,
        next_action_url="",
        fulfilments=tuple(
            _stopped(order, one, as_of) if one.state in OPEN_FULFILMENT else one for one in order.fulfilments
        ),
    )
    text = "Cancellation of the order was asked for."
    facts = {
        **personalising.spoiled_by_cancelling(order),
        **consolidating.forwarded_facts(order),
        **unpacking.facts_of_all(order, cancelling),
    }
    asked = _told(cancelling, "order.cancellation_requested", text, as_of, actor=actor, facts=facts)
    stopped = tuple(
        Happening(
            "fulfilment.cancelled",
            f"The work of {after.point_id} was cancelled while {before.state.value.replace('_', ' ')}.",
            as_of,
            unpacking.facts(after),
            fulfilment=after,
            actor=actor,
        )
        for before, after in zip(order.fulfilments, cancelling.fulfilments, strict=True)
        if before.state != after.state
    )
    told = (*asked.happenings, *stopped, *consolidating.undone(order, as_of))
    if not order.taken:
        return replace(asked, happenings=told)
    # Only this part of the order is undone: its money is given back as a refund of its own.
    # With that of parcels that were given up: their units are cancelled with the rest, and not by themselves.
    gone = money_back.given_up(order)
    left = money_back.left_of(replace(order, ranges=cancel(order.ranges, lambda one: one in gone)))
    back = refunds.of_rest(cancelling, left, as_of)
    return Decision(back.order, (*told, *back.happenings))


def _check_not_too_late(order: Order) -> None:
    why = ""
    if any(one.has_left for one in order.sent):
        why = "a parcel has left"
    elif any(one.compartment for one in order.sent):
        why = "its customer can open the compartment that it lies in: the store takes it out first"
    elif order.state in (OrderState.REFUSED, OrderState.CLOSED):
        why = f"the order is {order.state.value}"
    elif taking.rest_is_cancelled(order):
        why = "all that is left of it was taken along"
    if why:
        raise FailedPrecondition("TOO_LATE_TO_CANCEL", f"too late to cancel: {why}", state=order.state.value)


def _without_units(order: Order) -> Order:
    if order.taken:
        return taking.without_rest(order)
    ranges = shift(order.ranges, lambda one: one.state != UnitState.CANCELLED, UnitState.CANCELLED)
    return replace(order, ranges=ranges)


def complete_cancellation(order: Order, as_of: datetime) -> Decision:
    """cancelling -> cancelled: stock and money were undone; -> closed when something was taken along."""
    if order.state in (OrderState.CANCELLED, OrderState.CLOSED):
        return Decision(order)
    # Stock and money of all of it were given back: no change of it has anything to follow any more.
    order = replace(order, changes=tuple(replace(one, settled=True) for one in order.changes))
    if order.taken:
        closed = _moved(order, OrderState.CLOSED, as_of)
        text = "The rest of the order is cancelled; what was taken along stays with the customer."
        return _told(closed, "order.closed", text, as_of)
    cancelled = replace(_moved(order, OrderState.CANCELLED, as_of), content=forget_means(order.content))
    return _told(cancelled, "order.cancelled", "The order is cancelled: stock and money were given back.", as_of)


def close(order: Order, as_of: datetime) -> Decision:
    """released -> closed, or cancelled when no unit was kept; every unit must have its final state.

    While stock and money do not follow a change yet, it stays released.
    """
    if order.state in (*UNDONE, OrderState.CLOSED) or not all(one.settled for one in order.changes):
        return Decision(order)
    final = in_state(order.ranges, UnitState.DELIVERED, UnitState.RETURNED, UnitState.CANCELLED)
    if trials.is_open(order):
        raise FailedPrecondition("NOT_FINISHED", "what is tried at home is not settled", state=order.state.value)
    unfinished = quantity(order.ranges) - quantity(final) - quantity(lost_for_good(order))
    if unfinished:
        raise FailedPrecondition(
            "NOT_FINISHED",
            f"{unfinished} units are not delivered, returned, lost for good or cancelled",
            state=order.state.value,
            units=unfinished,
        )
    if nothing_left(order.ranges):
        cancelled = _moved(order, OrderState.CANCELLED, as_of)
        return _told(cancelled, "order.cancelled", "No unit was kept: the order is cancelled.", as_of)
    closed = _moved(order, OrderState.CLOSED, as_of)
    has_arrived = len(in_state(order.ranges, UnitState.DELIVERED, UnitState.CANCELLED)) == len(order.ranges)
    text = "Everything has arrived" if has_arrived else "Nothing more is to come"
    return _told(closed, "order.closed", f"{text}: the order is closed.", as_of)


def _came_late(order: Order, given_up: str) -> int:
    """The money of a parcel that was given up, if it came all the same. A fee that it brought is the order's."""
    work = next((one for one in order.fulfilments if one.fulfilment_id == given_up), None)
    if work is None or work.parcel is None or work.parcel.capture_state != CaptureState.CAPTURED:
        return 0
    return work.parcel.amount_minor - work.parcel.shipping_minor


def _rerouted(
    created: Sequence[Fulfilment], cancelled: Sequence[Units], reason: str, decision_id: str, as_of: datetime
) -> tuple[Happening, ...]:
    happenings: list[Happening] = []
    if created:
        points = ", ".join(one.point_id for one in created)
        units = units_in_words([line for one in created for line in one.lines])
        facts = {
            "decision_id": decision_id,
            "fulfilments": [
                {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.lines)}
                for one in created
            ],
        }
        text = f"Another place was found for {units}: {points}."
        happenings.append(Happening("order.rerouted", text, as_of, facts, told=False))
    if cancelled:
        text = f"No place was found for {units_in_words(cancelled)}: cancelled ({reason or 'no reason given'})."
        gone = {"reason": reason, "lines": unit_facts(cancelled)}
        happenings.append(Happening("order.units_cancelled", text, as_of, gone))
    return tuple(happenings)


def _not_sent_again(units: Sequence[Units], as_of: datetime) -> tuple[Happening, ...]:
    if not units:
        return ()
    text = f"No place was found to send {units_in_words(units)} again from."
    return (Happening("order.units_lost", text, as_of, {"lines": unit_facts(units)}),)


def _stopped(order: Order, work: Fulfilment, as_of: datetime) -> Fulfilment:
    state = move("fulfilment", FULFILMENT_MOVES, work.state, FulfilmentState.CANCELLED)
    idle = unpacking.begun(order, collecting.to_put_back(work, as_of), as_of)
    return replace(withdrawn(idle), state=state)


def _moved(order: Order, state: OrderState, as_of: datetime) -> Order:
    return replace(order, state=move("order", ORDER_MOVES, order.state, state), updated_at=as_of)


def _told(
    order: Order,
    kind: str,
    text: str,
    at: datetime,
    *,
    actor: str = "",
    facts: dict[str, object] | None = None,
) -> Decision:
    return Decision(order, (Happening(kind, text, at, facts or {}, actor=actor),))


def _moment(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M %Z}"
