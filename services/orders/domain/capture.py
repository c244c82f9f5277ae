"""Taking the money of a parcel, or of the whole order: what came of it, and what people do when it cannot be had.

Until it is taken, or somebody lets it go with a reason, nothing is handed over (SPEC PAY-8).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import consolidating, money_back, personalising, refunds, trials, unpacking
from services.orders.domain.fulfilment import in_work, moved, received, told
from services.orders.domain.model import Charge, Decision, Fulfilment, Happening, Order, Parcel
from services.orders.domain.plan import counted_ranges, lines_of, unit_facts, units_in_words
from services.orders.domain.ranges import shift
from services.orders.domain.states import (
    CAPTURE_MOVES,
    UNDONE,
    CaptureState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)
from services.orders.domain.taking import rest_is_cancelled

# Why the work of a point was cancelled and its units with it, as its event tells.
UNPAID = "payment_failed"

_TOLD = {
    CaptureState.CAPTURED: ("captured", "The money of the {what} was captured."),
    CaptureState.FAILED: ("capture_failed", "The money of the {what} could not be captured; {then}."),
    CaptureState.OVERRIDDEN: ("capture_overridden", "It was decided to ship the {what} without its money."),
    CaptureState.NOT_NEEDED: ("capture_not_needed", "The {what} is paid already: nothing to capture."),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, or what a person decided. `next_try_at`: of one that failed, if there is one."""

    state: str
    reason: str
    actor: str
    as_of: datetime
    next_try_at: datetime | None = None


def record(order: Order, work: Fulfilment, outcome: Outcome) -> Decision:
    """What became of the parcel's money. True whatever the fulfilment has become, cancelled included."""
    state = _check(outcome)
    parcel = work.parcel
    if parcel is None:
        raise FailedPrecondition("NOT_PACKED", "there is no parcel yet", state=work.state.value)
    charge = _charge_of(parcel)
    after = _after(charge, state, outcome)
    if after == charge:
        return Decision(order)
    paid = replace(
        parcel,
        capture_state=after.state,
        capture_reason=after.reason,
        capture_failed_since=after.failed_since,
        capture_next_try_at=after.next_try_at,
    )
    about = {"parcel_id": parcel.parcel_id, "amount_minor": parcel.amount_minor, "currency": parcel.currency}
    kind, text, facts = _telling("parcel", state, outcome, about)
    decision = told(order, replace(work, parcel=paid), kind, text, outcome.as_of, actor=outcome.actor, facts=facts)
    happening = replace(decision.happenings[0], told=state != CaptureState.NOT_NEEDED, notes=_notes(outcome))
    decision = replace(decision, happenings=(happening,))
    if state == CaptureState.CAPTURED and parcel.shipping_minor:
        decision = _fee_once(decision, outcome)
    return _given_back(order, decision, state, outcome)


def record_of_order(order: Order, outcome: Outcome) -> Decision:
    """What became of the money of the whole order. True whatever the order has become."""
    state = _check(outcome)
    charge = _order_charge(order)
    after = _after(charge, state, outcome)
    if after == charge:
        return Decision(order)
    about = {"amount_minor": charge.amount_minor, "currency": order.content.total.currency}
    kind, text, facts = _telling("order", state, outcome, about)
    happening = Happening(f"order.{kind}", text, outcome.as_of, facts, notes=_notes(outcome), actor=outcome.actor)
    decision = Decision(replace(order, charge=after, updated_at=outcome.as_of), (happening,))
    if state == CaptureState.CAPTURED:
        # Of a trial: it may have been told meanwhile that some of what it was taken for came back in time.
        late = trials.late_refunds(decision.order, outcome.as_of)
        decision = Decision(late.order, (*decision.happenings, *late.happenings))
    return _given_back(order, decision, state, outcome)


def _fee_once(decision: Decision, outcome: Outcome) -> Decision:
    """A fee that came although another parcel brought it goes back; of an order that is undone, with all."""
    order = decision.order
    if order.state in UNDONE and not order.taken:
        return decision
    back = refunds.of_fee_taken_twice(order, outcome.as_of)
    return replace(decision, order=back.order, happenings=(*decision.happenings, *back.happenings))


def _given_back(before: Order, decision: Decision, state: CaptureState, outcome: Outcome) -> Decision:
    """Money that comes after the rest of the order was cancelled goes back; what was taken along keeps its own."""
    if state != CaptureState.CAPTURED or before.state == OrderState.RELEASED or not rest_is_cancelled(before):
        return decision
    after = decision.order
    back = refunds.of_rest(after, money_back.left_of(after), outcome.as_of)
    return replace(decision, order=back.order, happenings=(*decision.happenings, *back.happenings))


def retry(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """Somebody wants the parcel's money to be tried for now. FailedPrecondition / CAPTURE_NOT_FAILED."""
    _check_failed(work.parcel.capture_state if work.parcel else None)
    text = "Somebody asked to try for the money of the parcel again."
    return told(order, work, "capture_retry_requested", text, as_of, actor=actor)


def retry_of_order(order: Order, actor: str, as_of: datetime) -> Decision:
    """The same for the money of the whole order."""
    _check_failed(_order_charge(order).state)
    text = "Somebody asked to try for the money of the order again."
    happening = Happening("order.capture_retry_requested", text, as_of, actor=actor)
    return Decision(replace(order, updated_at=as_of), (happening,))


def give_up(order: Order, work: Fulfilment, reason: str, actor: str, as_of: datetime) -> Decision:
    """picked | packed -> cancelled, for want of the parcel's money: its units lose their place, and find no other.

    The order's workflow gives their stock back and cancels them. Until then they stay known as those of this work:
    should its money have come all the same, it is the money of these very units.
    """
    if not reason:
        raise InvalidArgument("reason", "giving up a parcel needs a reason")
    if order.state != OrderState.RELEASED:
        raise FailedPrecondition("CANCELLED", "the order is cancelled as a whole", state=order.state.value)
    _check_failed(work.parcel.capture_state if work.parcel else None)
    cancelled = moved(unpacking.begun(order, work, as_of), FulfilmentState.CANCELLED)
    text = f"{units_in_words(work.lines)} of {work.point_id} were given up: the money could not be captured."
    facts = {"reason": UNPAID, "lines": unit_facts(work.lines), **unpacking.facts(cancelled)}
    if spoiled := personalising.spoiled_facts(order, work):
        facts["spoiled"] = spoiled
    if came := counted_ranges(received(order, work)):
        facts["unheld"] = unit_facts(lines_of(order.content, came))
    ranges = shift(order.ranges, in_work(work), UnitState.UNPLACED, work.fulfilment_id)
    waiting = replace(order, ranges=ranges)
    decision = told(waiting, cancelled, "cancelled", text, as_of, actor=actor, facts=facts)
    told_of = replace(decision.happenings[0], notes={"why": reason})
    return replace(decision, happenings=(told_of, *consolidating.units_back(order, work, as_of)))


def failed_since(order: Order) -> datetime | None:
    """Since when money that is to be taken cannot be had; None while there is none such."""
    charges = [_charge_of(one.parcel) for one in order.fulfilments if one.parcel and _is_live(one)]
    if order.charge and order.state == OrderState.RELEASED:
        charges.append(order.charge)
    failed = [one.failed_since for one in charges if one.state == CaptureState.FAILED and one.failed_since]
    return min(failed, default=None)


def _is_live(work: Fulfilment) -> bool:
    return work.state != FulfilmentState.CANCELLED


def _charge_of(parcel: Parcel) -> Charge:
    return Charge(
        parcel.amount_minor,
        parcel.capture_state,
        parcel.capture_reason,
        parcel.capture_failed_since,
        parcel.capture_next_try_at,
    )


def _order_charge(order: Order) -> Charge:
    if order.charge is None:
        raise FailedPrecondition(
            "CAPTURED_BY_PARCEL", "the money of this order is taken for each parcel", state=order.state.value
        )
    return order.charge


def _check(outcome: Outcome) -> CaptureState:
    if outcome.state not in {state.value for state in _TOLD}:
        raise InvalidArgument("capture_state", f"one of {', '.join(state.value for state in _TOLD)}")
    state = CaptureState(outcome.state)
    if state == CaptureState.OVERRIDDEN and not outcome.reason:
        raise InvalidArgument("reason", "shipping without the money needs a reason")
    return state


def _check_failed(state: CaptureState | None) -> None:
    if state != CaptureState.FAILED:
        raise FailedPrecondition(
            "CAPTURE_NOT_FAILED",
            "there is no money that could not be captured",
            capture_state=state.value if state else "",
        )


def _after(charge: Charge, state: CaptureState, outcome: Outcome) -> Charge:
    """The charge as it was, when nothing is new. A decision stands against an attempt that fails after it."""
    decided = (charge.state, state) == (CaptureState.OVERRIDDEN, CaptureState.FAILED)
    if decided or (charge.state == state and state != CaptureState.FAILED):
        return charge
    after = move("capture", CAPTURE_MOVES, charge.state, state)
    failed_since = next_try_at = None
    if state == CaptureState.FAILED:
        failed_since, next_try_at = charge.failed_since or outcome.as_of, outcome.next_try_at
    return replace(charge, state=after, reason=outcome.reason, failed_since=failed_since, next_try_at=next_try_at)


def _telling(
    what: str, state: CaptureState, outcome: Outcome, about: dict[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    kind, text = _TOLD[state]
    if state != CaptureState.FAILED:
        return kind, text.format(what=what), about
    next_try_at = outcome.next_try_at
    then = f"next try {next_try_at:%-d %b %Y %H:%M %Z}" if next_try_at else "it waits for a person"
    facts = {
        **about,
        "reason": outcome.reason,
        "next_try_at": next_try_at.isoformat() if next_try_at else None,
    }
    return kind, text.format(what=what, then=then), facts


def _notes(outcome: Outcome) -> dict[str, str]:
    return {"reason": outcome.reason} if outcome.reason else {}
