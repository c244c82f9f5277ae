"""The life of a fulfilment: offers and who won them, pick, parcel, hand-over. Its money is in capture.py, what
becomes of its parcel on the way in parcels.py.

Each function decides on the aggregate that the caller has locked: the first to come wins, the others are told.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain import holds, missing_units, substituting
from services.orders.domain.dues import is_settled_ahead, parcel_goods_minor, parcel_shipping_minor
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    Fulfilment,
    FulfilmentLine,
    Happening,
    HoldKind,
    Order,
    Parcel,
    Reach,
    Units,
)
from services.orders.domain.plan import counted_ranges, fewer, lines_of, unit_facts, units_in_words
from services.orders.domain.ranges import LineRange, Ranges, in_fulfilment, in_state, shift, take
from services.orders.domain.states import (
    CAPTURE_SETTLED,
    FULFILMENT_MOVES,
    CaptureState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)
from services.orders.domain.substituting import Substitute

MAX_BOX_ID_LENGTH = 64
REFUSAL_REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")


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
    """planned -> offered, with the deadline of the life cycle; planned, while it is held.

    Picked at once is what its customer collects where all of it was received.
    """
    if work.state == FulfilmentState.CANCELLED:
        return Decision(order)
    check_may_be_offered(order)
    if is_kept_back(order, work):
        return Decision(order)
    if is_at_hand(order, work):
        return _at_hand(order, work, as_of)
    deadline = as_of + timedelta(seconds=order.life_cycle.offer_seconds)
    offered = replace(moved(work, FulfilmentState.OFFERED), offer_deadline=deadline, refusal_reason="")
    text = f"{units_in_words(work.lines)} offered to {work.point_id} until {deadline:%-d %b %Y %H:%M %Z}."
    facts = {"offer_deadline": deadline.isoformat(), "lines": unit_facts(work.lines)}
    return told(order, offered, "offered", text, as_of, facts=facts)


def is_kept_back(order: Order, work: Fulfilment) -> bool:
    """Whether a hold keeps the work from being offered; what is with a point already goes on."""
    return work.state == FulfilmentState.PLANNED and holds.holds_work(order, work)


def is_at_hand(order: Order, work: Fulfilment) -> bool:
    """Whether a store has all that is collected there from other points: it is asked for nothing, and finds it."""
    here = in_fulfilment(order.ranges, work.fulfilment_id)
    is_new = work.state == FulfilmentState.PLANNED and work.is_collected
    return is_new and bool(here) and received(order, work) == here


def _at_hand(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """planned -> picked: it was counted when it came."""
    text = f"{work.point_id} has all of it: {units_in_words(work.lines)} to put aside."
    facts: dict[str, Any] = {"found": unit_facts(work.lines), "short": []}
    after, text = _with_parcel(order, work, moved(work, FulfilmentState.PICKED), text, facts)
    return told(order, after, "picked", text, as_of, facts=facts)


def check_may_be_offered(order: Order) -> None:
    """Raises NOT_RELEASED, NOT_CAPTURED."""
    if order.state != OrderState.RELEASED:
        raise FailedPrecondition("NOT_RELEASED", "nothing is offered before the release", state=order.state.value)
    if order.charge and not is_settled_ahead(order):
        raise FailedPrecondition(
            "NOT_CAPTURED",
            "nothing is offered before the money of the order is captured",
            capture_state=order.charge.state.value,
        )


def accept_offer(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """offered -> accepted. A deadline that passed but has not lapsed yet does not forbid it: the first wins."""
    _check_offered(work)
    accepted = moved(work, FulfilmentState.ACCEPTED)
    return told(order, accepted, "accepted", f"{work.point_id} accepted the work.", as_of, actor=actor)


def refuse_offer(order: Order, work: Fulfilment, reason: str, actor: str, as_of: datetime) -> Decision:
    """offered -> refused; its units lose their place."""
    if reason not in REFUSAL_REASONS:
        raise InvalidArgument("reason", f"the reason is one of {', '.join(REFUSAL_REASONS)}")
    _check_offered(work)
    text = f"{work.point_id} refused the work: {reason.replace('_', ' ')}."
    if received(order, work):
        return _set_aside(order, work, reason, text, actor, as_of)
    refused = replace(moved(work, FulfilmentState.REFUSED), refusal_reason=reason)
    return told(without_place(order, work), refused, "refused", text, as_of, actor=actor, facts={"reason": reason})


def lapse_offer(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """offered -> lapsed, if its deadline has passed; else nothing."""
    deadline = work.offer_deadline
    if work.state != FulfilmentState.OFFERED or deadline is None or deadline > as_of:
        return Decision(order)
    text = f"{work.point_id} did not answer in time."
    if received(order, work):
        return _set_aside(order, work, "no_answer", text, "", as_of)
    lapsed = moved(work, FulfilmentState.LAPSED)
    return told(without_place(order, work), lapsed, "lapsed", text, as_of)


def _set_aside(order: Order, work: Fulfilment, reason: str, text: str, actor: str, as_of: datetime) -> Decision:
    """offered -> planned: a hub that has goods of other points does not do its work. A person decides."""
    after = replace(moved(work, FulfilmentState.PLANNED), offer_deadline=None, refusal_reason=reason)
    decision = told(order, after, "set_aside", text, as_of, actor=actor, facts={"reason": reason})
    why = f"{work.point_id} has goods of other points, and did not take the work: {reason.replace('_', ' ')}"
    hold = holds.begin_of_work(decision.order, HoldKind.CONSOLIDATION, work.fulfilment_id, why, as_of)
    held = replace(decision.order, holds=(*decision.order.holds, hold))
    return Decision(held, (*decision.happenings, holds.told_of_beginning(held, hold)))


def received(order: Order, work: Fulfilment) -> Ranges:
    """The units of work at a hub that came from other points: they are no stock of its own."""
    return in_state(in_fulfilment(order.ranges, work.fulfilment_id), UnitState.RECEIVED)


def _check_offered(work: Fulfilment) -> None:
    if work.state not in (FulfilmentState.OFFERED, FulfilmentState.PLANNED):
        raise FailedPrecondition("OFFER_GONE", f"the offer is {work.state.value}", state=work.state.value)


# -- pick and pack ----------------------------------------------------------------------------------------


def record_pick(
    order: Order,
    work: Fulfilment,
    found: Sequence[Units],
    actor: str,
    as_of: datetime,
    reasons: Sequence[Missing] = (),
    given: Sequence[Substitute] = (),
) -> Decision:
    """accepted -> picked with what was found; nothing found -> short. Missing units lose their place.

    `reasons`: why lines are short; of a line that they do not name, its units were not found. `given`: other
    articles instead of missing units, which then keep their place.
    """
    quantities = _check_found(work, found)
    why = missing_units.check(work, quantities, reasons)
    check_not_cancelled(work)
    others = substituting.check(order, work, quantities, given)
    lacking = _missing(work, quantities)
    itself, quantities = quantities, quantities + substituting.quantities(others)
    state = FulfilmentState.PICKED if quantities.total() else FulfilmentState.SHORT
    after = replace(moved(work, state), picking=None)
    # At a hub, what came from other points was counted when it came: what is missing is of its own stock first.
    came = counted_ranges(received(order, work))
    ranges = take(order.ranges, quantities - came, _allocated_to(work), UnitState.PICKED, work.fulfilment_id)
    ranges = shift(ranges, _allocated_to(work), UnitState.UNPLACED, work.replaces)
    mislaid = came - quantities
    ranges = take(ranges, mislaid, _received_by(work), UnitState.UNPLACED, work.replaces)
    missing = _missing(work, quantities)
    if state == FulfilmentState.SHORT:
        text = f"{work.point_id} picked none of {units_in_words(work.lines)}"
        facts: dict[str, Any] = {"short": missing_units.facts(missing, why)}
    else:
        after = replace(after, lines=substituting.together(fewer(work.lines, itself), others))
        text = f"{work.point_id} picked {units_in_words(after.lines)}"
        facts = {"found": unit_facts(after.lines), "short": missing_units.facts(missing, why)}
    text += missing_units.in_words(missing, why)
    if others:
        text += f"; {units_in_words(others)} of another article instead of what is missing"
        facts["substituted"] = unit_facts(others)
        facts["replaced"] = missing_units.facts(_without(lacking, missing), why)
        facts["channel_id"] = order.content.channel_id
    text += "."
    if mislaid:
        facts["unheld"] = unit_facts(lines_of(order.content, mislaid))
    order = replace(order, ranges=ranges)
    after, text = _with_parcel(order, work, after, text, facts)
    notes = missing_units.notes(why)
    return told(order, after, state.value, text, as_of, actor=actor, facts=facts, notes=notes)


def _missing(work: Fulfilment, quantities: Counter[int]) -> tuple[FulfilmentLine, ...]:
    return substituting.but_first(work.lines, quantities)


def _without(lacking: Sequence[FulfilmentLine], missing: Sequence[FulfilmentLine]) -> tuple[FulfilmentLine, ...]:
    """Of what was not found, that for which something else is given."""
    return substituting.but_first(lacking, substituting.quantities(missing))


def _with_parcel(
    order: Order, work: Fulfilment, after: Fulfilment, text: str, facts: dict[str, Any]
) -> tuple[Fulfilment, str]:
    """What was picked, with its money where the life cycle takes it then, and what is told of that."""
    is_asked_for = order.life_cycle.capture_at == CaptureMoment.PREPARATION
    if after.state != FulfilmentState.PICKED or not is_asked_for:
        return after, text
    parcel = opened(order, work)
    facts |= parcel_facts(parcel)
    return replace(after, parcel=parcel), text + _to_capture(" ", parcel)


def close_parcel(
    order: Order, work: Fulfilment, weight_grams: int, actor: str, as_of: datetime, box_id: str = ""
) -> Decision:
    """picked -> packed. The parcel brings its goods' money, if it is not paid yet or being paid.

    First all is put on its units that is to be. A point that packs faster than a bank answers is not kept waiting:
    the money is asked for at the hand-over.
    """
    if weight_grams < 0:
        raise InvalidArgument("weight_grams", "a weight is not negative")
    if len(box_id) > MAX_BOX_ID_LENGTH:
        raise InvalidArgument("box_id", f"at most {MAX_BOX_ID_LENGTH} characters")
    check_not_cancelled(work)
    if work.is_collected:
        raise FailedPrecondition("COLLECTED", "its customer collects it: it is put aside, not packed")
    packed = moved(work, FulfilmentState.PACKED)
    check_personalised(work)
    parcel = work.parcel or opened(order, work)
    packed = replace(packed, parcel=replace(parcel, weight_grams=weight_grams, box_id=box_id, closed_at=as_of))
    text = f"{work.point_id} packed {units_in_words(packed.lines)}"
    text += f" into {box_id}" if box_id else ""
    text += _to_capture(": ", parcel) or "."
    order = replace(order, ranges=shift(order.ranges, picked_by(work), UnitState.PACKED, work.fulfilment_id))
    facts = {**parcel_facts(parcel), "lines": unit_facts(packed.lines)}
    return told(order, packed, "packed", text, as_of, actor=actor, facts=facts)


def check_personalised(work: Fulfilment) -> None:
    """Raises FailedPrecondition / NOT_PERSONALISED."""
    if not work.personalised_at and any(line.personalisations for line in work.lines):
        raise FailedPrecondition(
            "NOT_PERSONALISED", "something is still to be put on its units", state=work.state.value
        )


def opened(order: Order, work: Fulfilment) -> Parcel:
    """A parcel with the money of its goods; the order's first brings the delivery fee too (SPEC PAY-7).

    What is sent again brings nothing: the parcel that was lost brought it. Nor does what goes to a hub: the parcel
    that leaves from there does. What is tried is paid after the trial.
    """
    brings_nothing = bool(work.replaces or work.joins)
    shipping = 0 if brings_nothing else parcel_shipping_minor(order)
    is_tried = order.life_cycle.capture_at == CaptureMoment.TRIAL
    in_store = order.content.is_paid_in_store
    is_settled = brings_nothing or is_tried or in_store or is_settled_ahead(order)
    return Parcel(
        parcel_id=derived_id("par", work.fulfilment_id),
        amount_minor=0 if brings_nothing or in_store else parcel_goods_minor(order, work) + shipping,
        currency=order.content.total.currency,
        weight_grams=0,
        closed_at=None,
        capture_state=CaptureState.NOT_NEEDED if is_settled else CaptureState.PENDING,
        shipping_minor=shipping,
    )


def _to_capture(before: str, parcel: Parcel) -> str:
    """Empty when nothing is to be taken."""
    if parcel.capture_state != CaptureState.PENDING:
        return ""
    return f"{before}{Money(parcel.amount_minor, parcel.currency)} to capture."


def parcel_facts(parcel: Parcel) -> dict[str, Any]:
    return {"parcel_id": parcel.parcel_id, "amount_minor": parcel.amount_minor, "currency": parcel.currency}


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


def _allocated_to(work: Fulfilment) -> Callable[[LineRange], bool]:
    return _in_state(work, UnitState.ALLOCATED)


def picked_by(work: Fulfilment) -> Callable[[LineRange], bool]:
    """Whether units were picked for this work."""
    return _in_state(work, UnitState.PICKED)


def _received_by(work: Fulfilment) -> Callable[[LineRange], bool]:
    return _in_state(work, UnitState.RECEIVED)


def _in_state(work: Fulfilment, state: UnitState) -> Callable[[LineRange], bool]:
    return lambda one: one.fulfilment_id == work.fulfilment_id and one.state is state


# -- hand-over --------------------------------------------------------------------------------------------


def hand_over(order: Order, work: Fulfilment, tracking_code: str, actor: str, as_of: datetime) -> Decision:
    """packed -> handed_over: only with the money captured, not needed, or a decision to go without."""
    check_not_cancelled(work)
    gone = moved(work, FulfilmentState.HANDED_OVER)
    assert work.parcel is not None, "a packed fulfilment has its parcel"
    if work.parcel.capture_state not in CAPTURE_SETTLED:
        raise FailedPrecondition(
            "NOT_CAPTURED",
            "the money of the parcel is not captured",
            capture_state=work.parcel.capture_state.value,
        )
    _check_may_leave(order, work, as_of)
    code = tracking_code or derived_id("trk", work.parcel.parcel_id)[4:24].upper()
    gone = replace(gone, parcel=replace(work.parcel, tracking_code=code, handed_over_at=as_of))
    came = counted_ranges(received(order, work))
    end = UnitState.FORWARDED if work.joins else UnitState.SHIPPED
    order = replace(order, ranges=shift(order.ranges, in_work(work), end, work.fulfilment_id))
    text = f"{work.point_id} handed {units_in_words(work.lines)} to {work.carrier_id}, tracking code {code}"
    text += f", for {order.fulfilment(work.joins).point_id}." if work.joins else "."
    facts: dict[str, Any] = {
        "parcel_id": work.parcel.parcel_id,
        "carrier_id": work.carrier_id,
        "tracking_code": code,
        "lines": unit_facts(work.lines),
    }
    if came:
        own = counted_ranges(in_fulfilment(order.ranges, work.fulfilment_id)) - came
        facts["issued"] = unit_facts(lines_of(order.content, own))
    # Customers are not told of what goes from point to point.
    return told(order, gone, "forwarded" if work.joins else "handed_over", text, as_of, actor=actor, facts=facts)


def _check_may_leave(order: Order, work: Fulfilment, as_of: datetime) -> None:
    holds.check_may_go_on(order, work, "the parcel")
    if work.hand_over_from and as_of < work.hand_over_from:
        raise FailedPrecondition(
            "NOT_BEFORE",
            f"the parcel is not handed over before {work.hand_over_from:%-d %b %Y %H:%M %Z}",
            hand_over_from=work.hand_over_from.isoformat(),
        )


# -- what they share --------------------------------------------------------------------------------------


def moved(work: Fulfilment, state: FulfilmentState) -> Fulfilment:
    """In this state, if the table allows it."""
    return replace(work, state=move("fulfilment", FULFILMENT_MOVES, work.state, state))


def check_not_cancelled(work: Fulfilment) -> None:
    """Raises FailedPrecondition / CANCELLED."""
    if work.state == FulfilmentState.CANCELLED:
        raise FailedPrecondition("CANCELLED", "the work was cancelled", state=work.state.value)


def in_work(work: Fulfilment) -> Callable[[LineRange], bool]:
    """Whether units are of this work."""
    return lambda one: one.fulfilment_id == work.fulfilment_id


def without_place(order: Order, work: Fulfilment) -> Order:
    """The units of the work look for another place; those of a lost parcel are known as such."""
    ranges = shift(order.ranges, in_work(work), UnitState.UNPLACED, work.replaces)
    return replace(order, ranges=ranges)


def told(
    order: Order,
    after: Fulfilment,
    kind: str,
    text: str,
    at: datetime,
    *,
    actor: str = "",
    facts: dict[str, Any] | None = None,
    notes: dict[str, Any] | None = None,
) -> Decision:
    """The order with this work in it, and the telling of it."""
    fulfilments = tuple(after if one.fulfilment_id == after.fulfilment_id else one for one in order.fulfilments)
    happening = Happening(f"fulfilment.{kind}", text, at, facts or {}, notes or {}, after, actor=actor)
    return Decision(replace(order, fulfilments=fulfilments, updated_at=at), (happening,))
