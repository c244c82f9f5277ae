"""Parcels on their way: what carriers say of them, and what becomes of those that never arrive (SPEC ORD-8).

Scans come late, twice and out of order: each says when it happened, and only what is new is told. What was decided
about a lost parcel stands, whatever is heard of it later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import consolidating, refunds, substituting
from services.orders.domain.fulfilment import moved, told
from services.orders.domain.model import (
    Decision,
    Fulfilment,
    Loss,
    LostParcel,
    Order,
    Parcel,
    Proof,
)
from services.orders.domain.money_back import refunded_units
from services.orders.domain.plan import unit_facts, units_in_words
from services.orders.domain.ranges import in_fulfilment, in_state, quantity, shift, without
from services.orders.domain.states import GONE_ASTRAY, ON_ITS_WAY, FulfilmentState, OrderState, UnitState

Source = Literal["carrier", "service", "silence"]
FAILURE_REASONS = ("recipient_absent", "refused", "address_incomplete", "other")
CAUSES = (FulfilmentState.LOST, FulfilmentState.DAMAGED)
DECISIONS = (LostParcel.RESHIP, LostParcel.REFUND)
MAX_PHOTO_REFERENCE_LENGTH = 255
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class CarrierStatus(StrEnum):
    """What a scan says. Out for delivery and a failed attempt are for information: nothing is done about them."""

    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERED = "delivered"
    LOST = "lost"
    DAMAGED = "damaged"
    RETURNING = "returning"
    RETURNED = "returned"


# A parcel of which this is said exists.
_SIGNS_OF_LIFE = frozenset(
    {CarrierStatus.IN_TRANSIT, CarrierStatus.OUT_FOR_DELIVERY, CarrierStatus.DELIVERY_FAILED}
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One thing that a carrier says of a parcel. `reason`: why a delivery failed, or why the parcel goes back."""

    event_id: str
    tracking_code: str
    status: str
    occurred_at: datetime
    reason: str = ""
    proof: Proof | None = None


def check_scan(carrier_id: str, scan: Scan) -> None:
    """Raises InvalidArgument, naming the field, for a scan that says nothing."""
    if not carrier_id:
        raise InvalidArgument("carrier_id", "say which carrier")
    if not scan.event_id:
        raise InvalidArgument("request_id", "the carrier's id of the event is required")
    if scan.status not in set(CarrierStatus):
        raise InvalidArgument("status", f"one of {', '.join(CarrierStatus)}")
    if scan.reason and scan.status not in (CarrierStatus.DELIVERY_FAILED, CarrierStatus.RETURNING):
        raise InvalidArgument("reason", "only of a delivery that failed, or of a parcel that goes back")
    if scan.reason not in ("", *FAILURE_REASONS):
        raise InvalidArgument("reason", f"one of {', '.join(FAILURE_REASONS)}")
    if scan.proof and scan.status != CarrierStatus.DELIVERED:
        raise InvalidArgument("proof", "only of a delivery")
    if scan.proof and len(scan.proof.photo_reference) > MAX_PHOTO_REFERENCE_LENGTH:
        raise InvalidArgument("proof.photo_reference", f"at most {MAX_PHOTO_REFERENCE_LENGTH} characters")


# -- what carriers say ------------------------------------------------------------------------------------


def carrier_event(order: Order, work: Fulfilment, scan: Scan, now: datetime) -> Decision:
    """A carrier's scan. Late and repeated ones change nothing, but are kept.

    What its clock puts ahead of ours happens now.
    """
    at, parcel = min(scan.occurred_at, now), _parcel(work)
    if parcel.loss and parcel.loss.decision:
        return _turned_up(order, work, parcel.loss, scan, at)
    work = replace(work, parcel=replace(parcel, heard_at=max(parcel.heard_at or at, at)))
    if work.joins:
        return _of_inbound(order, work, scan, at, now)
    found = _found(order, work, at) if scan.status in _SIGNS_OF_LIFE else None
    if found:
        order, work = found.order, found.order.fulfilment(work.fulfilment_id)
    if news := _NEWS[CarrierStatus(scan.status)](order, work, scan, at, now):
        return _after(found, news)
    return found or _untold(order, work, f"{work.carrier_id} reported again: {_words(scan.status)}.", scan, at)


def _of_inbound(order: Order, work: Fulfilment, scan: Scan, at: datetime, now: datetime) -> Decision:
    """Of a parcel that goes to a hub: it arrives when the hub has opened it, whatever its carrier says."""
    status = CarrierStatus(scan.status)
    if status is CarrierStatus.RETURNED and work.state in (*ON_ITS_WAY, *GONE_ASTRAY):
        return consolidating.returned_to_sender(order, work, at)
    news = _astray(order, work, scan, at, now) if status in (CarrierStatus.LOST, CarrierStatus.DAMAGED) else None
    return news or _untold(order, work, f"{work.carrier_id} reported: {_words(scan.status)}.", scan, at)


def _found(order: Order, work: Fulfilment, at: datetime) -> Decision | None:
    """A parcel that was believed lost, and has been seen since."""
    parcel = _parcel(work)
    if work.state not in GONE_ASTRAY or parcel.loss is None or at <= parcel.loss.at:
        return None
    found = replace(moved(work, FulfilmentState.HANDED_OVER), parcel=replace(parcel, loss=None))
    text = f"{work.carrier_id} has found the parcel."
    return _told(_units_are(order, work, UnitState.SHIPPED), found, "found", text, at)


def _in_transit(order: Order, work: Fulfilment, _scan: Scan, at: datetime, _now: datetime) -> Decision | None:
    parcel = _parcel(work)
    if work.state != FulfilmentState.HANDED_OVER or parcel.in_transit_at:
        return None
    moving = replace(work, parcel=replace(parcel, in_transit_at=at))
    text = f"The parcel is on its way with {work.carrier_id}."
    return told(order, moving, "in_transit", text, at, facts=_facts(parcel))


def _out_for_delivery(
    order: Order, work: Fulfilment, _scan: Scan, at: datetime, _now: datetime
) -> Decision | None:
    parcel = _parcel(work)
    known = [one for one in (parcel.out_for_delivery_at, parcel.delivery_failed_at) if one]
    if work.state != FulfilmentState.HANDED_OVER or at <= max(known, default=_NEVER):
        return None
    out = replace(work, parcel=replace(parcel, out_for_delivery_at=at))
    return _told(order, out, "out_for_delivery", f"{work.carrier_id} is about to deliver the parcel.", at)


def _delivery_failed(order: Order, work: Fulfilment, scan: Scan, at: datetime, _now: datetime) -> Decision | None:
    parcel = _parcel(work)
    if work.state != FulfilmentState.HANDED_OVER or at <= (parcel.delivery_failed_at or _NEVER):
        return None
    failures = parcel.failed_deliveries + 1
    failed = replace(parcel, failed_deliveries=failures, delivery_failed_at=at, failure_reason=scan.reason)
    text = f"{work.carrier_id} could not deliver the parcel{_because(scan.reason)}."
    facts = {"reason": scan.reason, "attempt": failures}
    return _told(order, replace(work, parcel=failed), "delivery_failed", text, at, facts)


def _delivered(order: Order, work: Fulfilment, scan: Scan, at: datetime, _now: datetime) -> Decision | None:
    """Wins over whatever was believed of the parcel, but not over its coming back."""
    parcel = _parcel(work)
    if work.state == FulfilmentState.DELIVERED and scan.proof and not parcel.proof:
        proven = replace(work, parcel=replace(parcel, proof=scan.proof))
        return _untold(order, proven, f"{work.carrier_id} proved the delivery.", scan, at)
    if work.state in (FulfilmentState.DELIVERED, FulfilmentState.RETURNED):
        return None
    arrived = replace(parcel, delivered_at=at, proof=scan.proof, loss=None)
    delivered = replace(moved(work, FulfilmentState.DELIVERED), parcel=arrived)
    text = f"{work.carrier_id} delivered the parcel."
    facts = _facts(parcel) | ({"signed": scan.proof.signed} if scan.proof else {})
    return told(_units_are(order, work, UnitState.DELIVERED), delivered, "delivered", text, at, facts=facts)


def _astray(order: Order, work: Fulfilment, scan: Scan, at: datetime, now: datetime) -> Decision | None:
    """What was seen after it was said to be lost is not lost."""
    if work.state not in ON_ITS_WAY or at < (_parcel(work).heard_at or at):
        return None
    text = f"{work.carrier_id} says that the parcel is {scan.status}."
    return _declared(order, work, FulfilmentState(scan.status), "carrier", text, at, now)


def _returning(order: Order, work: Fulfilment, scan: Scan, at: datetime, _now: datetime) -> Decision | None:
    if work.state not in (FulfilmentState.HANDED_OVER, *GONE_ASTRAY):
        return None
    back = replace(_parcel(work), returning_at=at, failure_reason=scan.reason, loss=None)
    after = replace(moved(work, FulfilmentState.RETURNING), parcel=back)
    text = f"The parcel goes back to {work.point_id}{_because(scan.reason)}."
    order = _units_are(order, work, UnitState.RETURNING)
    return _told(order, after, "returning", text, at, {"reason": scan.reason})


def _returned(order: Order, work: Fulfilment, _scan: Scan, at: datetime, _now: datetime) -> Decision | None:
    """Back where it came from: its units are refunded. What becomes of the goods is not decided here."""
    if work.state not in (*ON_ITS_WAY, *GONE_ASTRAY):
        return None
    back = replace(_parcel(work), returned_at=at, loss=None)
    after = replace(moved(work, FulfilmentState.RETURNED), parcel=back)
    order = _units_are(order, work, UnitState.RETURNED)
    text = f"The parcel came back to {work.point_id}: {units_in_words(work.lines)}."
    decision = _told(order, after, "returned", text, at, {"lines": unit_facts(work.lines)})
    return _after(decision, _refunded(decision.order, work, refunds.RETURNED_TO_SENDER, at))


# The order, the work with its parcel as heard of, the scan, when it happened, and now. None when it is not new.
News = Callable[[Order, Fulfilment, Scan, datetime, datetime], Decision | None]
_NEWS: Mapping[CarrierStatus, News] = {
    CarrierStatus.IN_TRANSIT: _in_transit,
    CarrierStatus.OUT_FOR_DELIVERY: _out_for_delivery,
    CarrierStatus.DELIVERY_FAILED: _delivery_failed,
    CarrierStatus.DELIVERED: _delivered,
    CarrierStatus.LOST: _astray,
    CarrierStatus.DAMAGED: _astray,
    CarrierStatus.RETURNING: _returning,
    CarrierStatus.RETURNED: _returned,
}


def _turned_up(order: Order, work: Fulfilment, loss: Loss, scan: Scan, at: datetime) -> Decision:
    """A parcel is heard of after its units were refunded or sent again: people are told, once."""
    if scan.status not in (CarrierStatus.DELIVERED, CarrierStatus.RETURNED) or loss.turned_up_at:
        return _untold(order, work, f"{work.carrier_id} reported: {_words(scan.status)}.", scan, at)
    after = replace(work, parcel=replace(_parcel(work), loss=replace(loss, turned_up_at=at)))
    text = f"The parcel turned up ({_words(scan.status)}) after it was decided to {loss.decision} its units."
    return _told(order, after, "turned_up", text, at, {"status": scan.status, "decision": loss.decision})


# -- lost and damaged -------------------------------------------------------------------------------------


def declare(order: Order, work: Fulfilment, cause: str, reason: str, actor: str, at: datetime) -> Decision:
    """handed_over | returning -> lost or damaged, because somebody knows so. NOT_ON_ITS_WAY for any other."""
    if cause not in CAUSES:
        raise InvalidArgument("cause", f"one of {', '.join(CAUSES)}")
    if not reason:
        raise InvalidArgument("reason", "say how it is known")
    if work.state not in ON_ITS_WAY:
        raise FailedPrecondition(
            "NOT_ON_ITS_WAY", f"the parcel is {_words(work.state.value)}", state=work.state.value
        )
    text = f"Customer service declared the parcel {cause}."
    return _declared(order, work, FulfilmentState(cause), "service", text, at, at, actor=actor, reason=reason)


def decide(order: Order, work: Fulfilment, decision: str, actor: str, at: datetime) -> Decision:
    """What becomes of the units of a lost parcel. NOT_LOST, ALREADY_DECIDED, UNITS_REFUNDED say why not."""
    if decision not in DECISIONS:
        raise InvalidArgument("decision", f"one of {', '.join(DECISIONS)}")
    loss = _parcel(work).loss if work.parcel else None
    if loss is None:
        raise FailedPrecondition("NOT_LOST", f"the parcel is {_words(work.state.value)}", state=work.state.value)
    if loss.decision:
        raise FailedPrecondition("ALREADY_DECIDED", f"it was decided: {loss.decision}", decision=loss.decision)
    if decision == LostParcel.RESHIP and _is_refunded(order, work):
        raise FailedPrecondition("UNITS_REFUNDED", "money of these units was given back: they are not sent again")
    return _decided(order, work, LostParcel(decision), actor, at)


def overdue(order: Order, now: datetime) -> Decision:
    """What time has decided: parcels of which nothing was heard, and losses that nobody decided."""
    decision = Decision(order)
    if order.state != OrderState.RELEASED:
        return decision
    for work in order.fulfilments:
        silent_since = _silent_since(order, work)
        if silent_since and _lost_at(order, silent_since) <= now:
            days = order.life_cycle.lost_after_days
            text = f"{work.carrier_id} has said nothing of the parcel for {days} days: it is lost."
            lost = FulfilmentState.LOST
            declared = _declared(decision.order, work, lost, "silence", text, silent_since, now)
            decision = _after(decision, declared)
        loss = work.parcel.loss if work.parcel else None
        if loss and not loss.decision and loss.decide_by <= now:
            decision = _after(decision, _decided(decision.order, work, LostParcel.REFUND, "", now))
    return decision


def next_deadline(order: Order) -> datetime | None:
    """When time decides something of the order's parcels; None while nothing is open."""
    silences = [since for work in order.fulfilments if (since := _silent_since(order, work))]
    deadlines = [one.decide_by for one in _undecided(order)]
    return min((*deadlines, *(_lost_at(order, since) for since in silences)), default=None)


def undecided_since(order: Order) -> datetime | None:
    """Since when a lost parcel waits for somebody's decision."""
    return min((one.at for one in _undecided(order)), default=None)


def _undecided(order: Order) -> list[Loss]:
    losses = [one.parcel.loss for one in order.fulfilments if one.parcel and one.parcel.loss]
    return [one for one in losses if not one.decision]


def without_resending(before: Order, after: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """`after`, with the money of those of the work's units that were to be sent again, and found no place."""
    lost = [one for one in in_fulfilment(after.ranges, work.fulfilment_id) if one.state == UnitState.LOST]
    were = [(one.line_number, one.from_unit, one.to_unit) for one in in_state(before.ranges, UnitState.LOST)]
    return refunds.of_parcel(after, without(tuple(lost), were), work.state.value, as_of)


def _declared(
    order: Order,
    work: Fulfilment,
    cause: FulfilmentState,
    source: Source,
    text: str,
    at: datetime,
    now: datetime,
    *,
    actor: str = "",
    reason: str = "",
) -> Decision:
    """Lost or damaged since `at`, and what the life cycle decides at once.

    What was on its way back, or is refunded, is not sent again.
    """
    goes_back = work.state == FulfilmentState.RETURNING
    decide_by = now + timedelta(seconds=order.life_cycle.loss_decision_seconds)
    loss = Loss(at, source, decide_by)
    gone = replace(moved(work, cause), parcel=replace(_parcel(work), loss=loss))
    if not work.joins:
        order = _units_are(order, work, UnitState.LOST)
    facts = {"source": source, "decide_by": decide_by.isoformat(), "lines": unit_facts(work.lines)}
    why = {"why": reason} if reason else {}
    declared = _told(order, gone, cause.value, text, now, facts, actor=actor, notes=why)
    rule = LostParcel.REFUND if goes_back else order.life_cycle.lost_parcel
    if rule == LostParcel.RESHIP and _is_refunded(order, work):
        rule = LostParcel.REFUND
    if rule == LostParcel.ASK:
        return declared
    return _after(declared, _decided(declared.order, gone, rule, "", now))


def _decided(order: Order, work: Fulfilment, decision: LostParcel, actor: str, at: datetime) -> Decision:
    parcel = _parcel(work)
    assert parcel.loss is not None, "only a lost parcel is decided"
    word: Literal["reship", "refund"] = "reship" if decision == LostParcel.RESHIP else "refund"
    after = replace(work, parcel=replace(parcel, loss=replace(parcel.loss, decision=word)))
    what = f"{units_in_words(work.lines)} of the {work.state.value} parcel"
    # What is sent again is what was ordered.
    facts = {"decision": word, "lines": unit_facts(substituting.as_ordered(work.lines))}
    if work.joins:
        # Its money comes with what leaves the hub: units that are not sent again are cancelled, and never due.
        order = consolidating.without_place(order, work)
        text = f"{what} for the hub are {'planned again' if word == 'reship' else 'given up'}."
        return _told(order, after, "loss_decided", text, at, {**facts, "inbound": True}, actor=actor)
    if word == "reship":
        order = _units_are(order, work, UnitState.UNPLACED)
        return _told(order, after, "loss_decided", f"{what} are sent again.", at, facts, actor=actor)
    refunded = _told(order, after, "loss_decided", f"{what} are refunded.", at, facts, actor=actor)
    return _after(refunded, _refunded(refunded.order, work, work.state.value, at))


def _refunded(order: Order, work: Fulfilment, reason_code: str, at: datetime) -> Decision:
    return refunds.of_parcel(order, in_fulfilment(order.ranges, work.fulfilment_id), reason_code, at)


def _is_refunded(order: Order, work: Fulfilment) -> bool:
    units = in_fulfilment(order.ranges, work.fulfilment_id)
    return quantity(without(units, refunded_units(order.refunds))) < quantity(units)


def _silent_since(order: Order, work: Fulfilment) -> datetime | None:
    """The last word of a parcel that silence may make a lost one."""
    parcel = work.parcel
    if not order.life_cycle.lost_after_days or work.state not in ON_ITS_WAY or parcel is None:
        return None
    return max((one for one in (parcel.handed_over_at, parcel.heard_at) if one), default=None)


def _lost_at(order: Order, silent_since: datetime) -> datetime:
    return silent_since + timedelta(days=order.life_cycle.lost_after_days)


# -- what they share --------------------------------------------------------------------------------------


def _parcel(work: Fulfilment) -> Parcel:
    assert work.parcel is not None, "what was handed over is a parcel"
    return work.parcel


def _units_are(order: Order, work: Fulfilment, state: UnitState) -> Order:
    mine = work.fulfilment_id
    return replace(order, ranges=shift(order.ranges, lambda one: one.fulfilment_id == mine, state, mine))


def _facts(parcel: Parcel) -> dict[str, Any]:
    return {"parcel_id": parcel.parcel_id, "tracking_code": parcel.tracking_code}


def _told(
    order: Order,
    after: Fulfilment,
    kind: str,
    text: str,
    at: datetime,
    facts: Mapping[str, Any] | None = None,
    *,
    actor: str = "",
    notes: Mapping[str, str] | None = None,
) -> Decision:
    """The order with this work in it, and the telling of it as an event of the parcel."""
    decision = told(order, after, kind, text, at, actor=actor, facts={**_facts(_parcel(after)), **(facts or {})})
    (happening,) = decision.happenings
    return replace(decision, happenings=(replace(happening, kind=f"parcel.{kind}", notes=notes or {}),))


def _untold(order: Order, work: Fulfilment, text: str, scan: Scan, at: datetime) -> Decision:
    """In the timeline only, under what a scan that says nothing new has always been called."""
    decision = told(order, work, "scanned", text, at, facts={**_facts(_parcel(work)), "status": scan.status})
    (happening,) = decision.happenings
    # Its instant may be long ago: the order was not changed then.
    unchanged = replace(decision.order, updated_at=order.updated_at)
    return Decision(unchanged, (replace(happening, told=False),))


def _after(first: Decision | None, then: Decision) -> Decision:
    """Both, one after the other; `then` was decided on the order after `first`."""
    if first is None:
        return then
    return replace(then, happenings=(*first.happenings, *then.happenings))


def _because(reason: str) -> str:
    return f": {_words(reason)}" if reason else ""


def _words(name: str) -> str:
    return name.replace("_", " ")
