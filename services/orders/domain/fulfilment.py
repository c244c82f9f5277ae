"""The life of a fulfilment: offers and who won them, pick, parcel, hand-over, carrier.

Each function decides on the aggregate that the caller has locked: the first to come wins, the others are told.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain.model import Decision, Fulfilment, Happening, Order, Parcel, Reach, Units
from services.orders.domain.plan import lines_of, unit_facts, units_in_words
from services.orders.domain.pricing import goods_minor, shipping_minor
from services.orders.domain.ranges import Ranges, in_fulfilment, shift, take
from services.orders.domain.states import (
    CAPTURE_MOVES,
    CAPTURE_SETTLED,
    FULFILMENT_MOVES,
    CaptureState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)

REFUSAL_REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")
CARRIER_STATUSES = ("in_transit", "delivered")


# -- whose work it is -------------------------------------------------------------------------------------


def brands(order: Order, work: Fulfilment) -> frozenset[str]:
    """The brands of the work's lines; after a pick, of what was found."""
    numbers = {line.line_number for line in work.lines}
    return frozenset(line.brand for line in order.content.lines if line.line_number in numbers)


def is_within(reach: Reach, order: Order, work: Fulfilment) -> bool:
    """Whether the work is at one of the points and has a line of one of the brands."""
    at_point = not reach.point_ids or work.point_id in reach.point_ids
    return at_point and (not reach.brands or not reach.brands.isdisjoint(brands(order, work)))


# -- offers -----------------------------------------------------------------------------------------------


def offer(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """planned -> offered, with the deadline of the life cycle."""
    if work.state == FulfilmentState.CANCELLED:
        return Decision(order)
    if order.state != OrderState.RELEASED:
        raise FailedPrecondition("NOT_RELEASED", "nothing is offered before the release", state=order.state.value)
    deadline = as_of + timedelta(seconds=order.life_cycle.offer_seconds)
    offered = replace(_moved(work, FulfilmentState.OFFERED), offer_deadline=deadline)
    text = f"{units_in_words(work.lines)} offered to {work.point_id} until {deadline:%-d %b %Y %H:%M %Z}."
    facts = {"offer_deadline": deadline.isoformat(), "lines": unit_facts(work.lines)}
    return _told(order, offered, "offered", text, as_of, facts=facts)


def accept_offer(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """offered -> accepted. A deadline that passed but has not lapsed yet does not forbid it: the first wins."""
    _check_offered(work)
    accepted = _moved(work, FulfilmentState.ACCEPTED)
    return _told(order, accepted, "accepted", f"{work.point_id} accepted the work.", as_of, actor=actor)


def refuse_offer(order: Order, work: Fulfilment, reason: str, actor: str, as_of: datetime) -> Decision:
    """offered -> refused; its units lose their place."""
    if reason not in REFUSAL_REASONS:
        raise InvalidArgument("reason", f"the reason is one of {', '.join(REFUSAL_REASONS)}")
    _check_offered(work)
    refused = replace(_moved(work, FulfilmentState.REFUSED), refusal_reason=reason)
    text = f"{work.point_id} refused the work: {reason.replace('_', ' ')}."
    return _told(
        _without_place(order, work), refused, "refused", text, as_of, actor=actor, facts={"reason": reason}
    )


def lapse_offer(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """offered -> lapsed, if its deadline has passed; else nothing."""
    deadline = work.offer_deadline
    if work.state != FulfilmentState.OFFERED or deadline is None or deadline > as_of:
        return Decision(order)
    lapsed = _moved(work, FulfilmentState.LAPSED)
    text = f"{work.point_id} did not answer in time."
    return _told(_without_place(order, work), lapsed, "lapsed", text, as_of)


def _check_offered(work: Fulfilment) -> None:
    if work.state not in (FulfilmentState.OFFERED, FulfilmentState.PLANNED):
        raise FailedPrecondition("OFFER_GONE", f"the offer is {work.state.value}", state=work.state.value)


# -- pick and pack ----------------------------------------------------------------------------------------


def record_pick(order: Order, work: Fulfilment, found: Sequence[Units], actor: str, as_of: datetime) -> Decision:
    """accepted -> picked with what was found; nothing found -> short. Missing units lose their place."""
    quantities = _check_found(work, found)
    _check_not_cancelled(work)
    state = FulfilmentState.PICKED if quantities.total() else FulfilmentState.SHORT
    after = _moved(work, state)
    ranges = take(order.ranges, quantities, _allocated_to(work), UnitState.PICKED, work.fulfilment_id)
    ranges = shift(ranges, _allocated_to(work), UnitState.UNPLACED)
    missing = tuple(
        replace(line, quantity=line.quantity - quantities[line.line_number])
        for line in work.lines
        if quantities[line.line_number] < line.quantity
    )
    if state == FulfilmentState.SHORT:
        text = f"{work.point_id} found none of {units_in_words(work.lines)}."
        facts: dict[str, Any] = {"short": unit_facts(missing)}
    else:
        after = replace(after, lines=lines_of(order.content, quantities))
        text = f"{work.point_id} picked {units_in_words(after.lines)}"
        text += f"; {units_in_words(missing)} not found." if missing else "."
        facts = {"found": unit_facts(after.lines), "short": unit_facts(missing)}
    return _told(replace(order, ranges=ranges), after, state.value, text, as_of, actor=actor, facts=facts)


def close_parcel(order: Order, work: Fulfilment, weight_grams: int, actor: str, as_of: datetime) -> Decision:
    """picked -> packed. The parcel brings its goods' money; the order's first parcel the whole delivery fee."""
    if weight_grams < 0:
        raise InvalidArgument("weight_grams", "a weight is not negative")
    _check_not_cancelled(work)
    packed = _moved(work, FulfilmentState.PACKED)
    mine = in_fulfilment(order.ranges, work.fulfilment_id)
    is_first = all(one.parcel is None for one in order.fulfilments)
    amount = goods_minor(order.content.lines, mine)
    amount += shipping_minor(order.content.lines) if is_first else 0
    currency = order.content.total.currency
    parcel_id = derived_id("par", work.fulfilment_id)
    packed = replace(packed, parcel=Parcel(parcel_id, amount, currency, weight_grams, as_of))
    order = replace(order, ranges=_shifted(order, work, UnitState.PACKED))
    text = f"{work.point_id} packed {units_in_words(packed.lines)}: {Money(amount, currency)} to capture."
    facts = {
        "parcel_id": parcel_id,
        "amount_minor": amount,
        "currency": currency,
        "lines": unit_facts(packed.lines),
    }
    return _told(order, packed, "packed", text, as_of, actor=actor, facts=facts)


def _check_found(work: Fulfilment, found: Sequence[Units]) -> Counter[int]:
    asked = {line.line_number: line for line in work.lines}
    quantities: Counter[int] = Counter()
    for i, one in enumerate(found):
        line = asked.get(one.line_number)
        if line is None:
            raise InvalidArgument(f"found[{i}].line_number", "the fulfilment has no such line")
        if one.line_number in quantities:
            raise InvalidArgument(f"found[{i}].line_number", "a line is said once")
        if one.sku not in ("", line.sku):
            raise InvalidArgument(f"found[{i}].sku", "the line is of another SKU")
        if not 0 <= one.quantity <= line.quantity:
            raise InvalidArgument(f"found[{i}].quantity", f"0 to {line.quantity} units were asked for")
        quantities[one.line_number] = one.quantity
    if missing := asked.keys() - quantities.keys():
        raise InvalidArgument("found", f"line {min(missing)} is missing", line_number=min(missing))
    return quantities


def _allocated_to(work: Fulfilment) -> Any:
    return lambda one: one.fulfilment_id == work.fulfilment_id and one.state == UnitState.ALLOCATED


# -- money, hand-over, carrier ----------------------------------------------------------------------------

_CAPTURE_TOLD = {
    CaptureState.CAPTURED: ("captured", "The money of the parcel was captured."),
    CaptureState.FAILED: ("capture_failed", "The money of the parcel could not be captured."),
    CaptureState.OVERRIDDEN: ("capture_overridden", "It was decided to ship the parcel without its money."),
    CaptureState.NOT_NEEDED: ("capture_not_needed", "The parcel is paid already: nothing to capture."),
}


def record_capture(
    order: Order, work: Fulfilment, capture_state: str, reason: str, actor: str, as_of: datetime
) -> Decision:
    """What became of the parcel's money. True whatever the fulfilment has become, cancelled included."""
    if capture_state not in {state.value for state in _CAPTURE_TOLD}:
        raise InvalidArgument("capture_state", f"one of {', '.join(state.value for state in _CAPTURE_TOLD)}")
    state = CaptureState(capture_state)
    if state == CaptureState.OVERRIDDEN and not reason:
        raise InvalidArgument("reason", "shipping without the money needs a reason")
    parcel = work.parcel
    if parcel is None:
        raise FailedPrecondition("NOT_PACKED", "there is no parcel yet", state=work.state.value)
    decided_already = (parcel.capture_state, state) == (CaptureState.OVERRIDDEN, CaptureState.FAILED)
    if parcel.capture_state == state or decided_already:
        return Decision(order)
    after = move("capture", CAPTURE_MOVES, parcel.capture_state, state)
    paid = replace(work, parcel=replace(parcel, capture_state=after, capture_reason=reason))
    kind, text = _CAPTURE_TOLD[state]
    facts: dict[str, Any] = {
        "parcel_id": parcel.parcel_id,
        "amount_minor": parcel.amount_minor,
        "currency": parcel.currency,
    }
    if state == CaptureState.FAILED:
        facts["reason"] = reason
    decision = _told(order, paid, kind, text, as_of, actor=actor, facts=facts)
    told = replace(
        decision.happenings[0], told=state != CaptureState.NOT_NEEDED, notes={"reason": reason} if reason else {}
    )
    return replace(decision, happenings=(told,))


def hand_over(order: Order, work: Fulfilment, tracking_code: str, actor: str, as_of: datetime) -> Decision:
    """packed -> handed_over: only with the money captured, not needed, or a decision to go without."""
    _check_not_cancelled(work)
    gone = _moved(work, FulfilmentState.HANDED_OVER)
    assert work.parcel is not None, "a packed fulfilment has its parcel"
    if work.parcel.capture_state not in CAPTURE_SETTLED:
        raise FailedPrecondition(
            "NOT_CAPTURED",
            "the money of the parcel is not captured",
            capture_state=work.parcel.capture_state.value,
        )
    code = tracking_code or derived_id("trk", work.parcel.parcel_id)[4:24].upper()
    gone = replace(gone, parcel=replace(work.parcel, tracking_code=code, handed_over_at=as_of))
    order = replace(order, ranges=_shifted(order, work, UnitState.SHIPPED))
    text = f"{work.point_id} handed {units_in_words(work.lines)} to {work.carrier_id}, tracking code {code}."
    facts = {
        "parcel_id": work.parcel.parcel_id,
        "carrier_id": work.carrier_id,
        "tracking_code": code,
        "lines": unit_facts(work.lines),
    }
    return _told(order, gone, "handed_over", text, as_of, actor=actor, facts=facts)


def check_scan(carrier_id: str, event_id: str, status: str) -> None:
    """Raises InvalidArgument, naming the field, for a scan that says nothing."""
    if not carrier_id:
        raise InvalidArgument("carrier_id", "say which carrier")
    if not event_id:
        raise InvalidArgument("request_id", "the carrier's id of the event is required")
    if status not in CARRIER_STATUSES:
        raise InvalidArgument("status", f"one of {', '.join(CARRIER_STATUSES)}")


def carrier_event(order: Order, work: Fulfilment, status: str, occurred_at: datetime) -> Decision:
    """A carrier's scan. Late and repeated ones change nothing; only the first of each kind is told."""
    parcel = work.parcel
    assert parcel is not None, "a carrier scans parcels"
    facts = {"parcel_id": parcel.parcel_id, "tracking_code": parcel.tracking_code}
    arrived = work.state == FulfilmentState.DELIVERED
    if arrived or (status == "in_transit" and parcel.in_transit_at):
        text = f"{work.carrier_id} reported again: {status.replace('_', ' ')}."
        scan = Happening("fulfilment.scanned", text, occurred_at, {**facts, "status": status}, told=False)
        return Decision(order, (replace(scan, fulfilment=work),))
    if status == "in_transit":
        moving = replace(work, parcel=replace(parcel, in_transit_at=occurred_at))
        text = f"The parcel is on its way with {work.carrier_id}."
        return _told(order, moving, "in_transit", text, occurred_at, facts=facts)
    delivered = _moved(work, FulfilmentState.DELIVERED)
    delivered = replace(delivered, parcel=replace(parcel, delivered_at=occurred_at))
    order = replace(order, ranges=_shifted(order, work, UnitState.DELIVERED))
    text = f"{work.carrier_id} delivered the parcel."
    return _told(order, delivered, "delivered", text, occurred_at, facts=facts)


# -- what they share --------------------------------------------------------------------------------------


def _moved(work: Fulfilment, state: FulfilmentState) -> Fulfilment:
    return replace(work, state=move("fulfilment", FULFILMENT_MOVES, work.state, state))


def _check_not_cancelled(work: Fulfilment) -> None:
    if work.state == FulfilmentState.CANCELLED:
        raise FailedPrecondition("CANCELLED", "the work was cancelled", state=work.state.value)


def _shifted(order: Order, work: Fulfilment, state: UnitState) -> Ranges:
    return shift(order.ranges, lambda one: one.fulfilment_id == work.fulfilment_id, state, work.fulfilment_id)


def _without_place(order: Order, work: Fulfilment) -> Order:
    ranges = shift(order.ranges, lambda one: one.fulfilment_id == work.fulfilment_id, UnitState.UNPLACED)
    return replace(order, ranges=ranges)


def _told(
    order: Order,
    after: Fulfilment,
    kind: str,
    text: str,
    at: datetime,
    *,
    actor: str = "",
    facts: dict[str, Any] | None = None,
) -> Decision:
    fulfilments = tuple(after if one.fulfilment_id == after.fulfilment_id else one for one in order.fulfilments)
    happening = Happening(f"fulfilment.{kind}", text, at, facts or {}, fulfilment=after, actor=actor)
    return Decision(replace(order, fulfilments=fulfilments, updated_at=at), (happening,))
