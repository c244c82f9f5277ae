"""What waits at a counter: put aside, shown a code or a document for, handed over, or not collected (SPEC STO-2).

Goods that a customer collects are delivered when he takes them. Their money is there before: where the life cycle
takes it at the hand-over, it is asked for while he stands at the counter, and for what he takes alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import (
    choosing,
    collection_terms,
    consolidating,
    holds,
    refunds,
    substituting,
    to_store,
)
from services.orders.domain.capture import Outcome
from services.orders.domain.dues import is_settled_ahead, no_longer_due_minor
from services.orders.domain.fulfilment import (
    check_not_cancelled,
    check_personalised,
    moved,
    opened,
    parcel_facts,
    picked_by,
    told,
)
from services.orders.domain.model import (
    CaptureMoment,
    Collection,
    Decision,
    Fulfilment,
    Handing,
    Happening,
    Order,
    Parcel,
    Refusal,
    Units,
)
from services.orders.domain.money_back import left_of
from services.orders.domain.plan import counted, counted_ranges, lines_of, unit_facts, units_in_words
from services.orders.domain.pricing import goods_minor
from services.orders.domain.ranges import Ranges, changed, first, in_fulfilment, in_state, merged, shift, without
from services.orders.domain.states import CAPTURE_SETTLED, CaptureState, FulfilmentState, OrderState, UnitState

# What became of the payment of an order that a till of its store takes the money of.
IN_STORE = "in_store"
# Why work and its units were cancelled, as events tell.
NOT_COLLECTED = "not_collected"
LEFT = "left_at_counter"
CODE = "code"
DOCUMENT_KINDS = ("passport", "identity_card", "driving_licence", "residence_permit", "other")
COLLECTORS = ("customer", "other")
MAX_SHELF = 40
# Money that comes later finds nobody at the counter: the goods stay there, paid.
HANDING_LASTS = timedelta(minutes=10)
# Beyond it what waits is no longer kept, whatever somebody promises.
MAX_EXTENSION = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class AtCounter:
    """Somebody who is there. `is_code_right`: of the code that was entered; None: a document was looked at."""

    is_code_right: bool | None
    document_kind: str
    collected_by: str
    units: tuple[Units, ...] = ()


# -- what the store does ----------------------------------------------------------------------------------


def ready(
    order: Order, work: Fulfilment, shelf: str, actor: str, as_of: datetime, *, at_counter: bool = False
) -> Decision:
    """picked -> ready: put aside, or into its compartment, until the terms of the life cycle end.

    `at_counter`: though a compartment is booked.
    """
    if not work.is_collected:
        raise FailedPrecondition("NOT_COLLECTED", "a carrier takes it: it is packed", state=work.state.value)
    if len(shelf) > MAX_SHELF:
        raise InvalidArgument("shelf", f"at most {MAX_SHELF} characters")
    check_not_cancelled(work)
    after = moved(work, FulfilmentState.READY)
    check_personalised(work)
    if work.locker and work.locker.asked_at and (at_counter or not work.locker.compartment):
        # Whatever the bank keeps for it, or has never answered, is given back.
        after = replace(after, locker=replace(work.locker, closed_at=as_of))
    where = f"compartment {after.compartment} of {work.point_id}" if after.compartment else work.point_id
    if after.compartment:
        check_paid(order, work)
        shelf = after.compartment
    remind_at, keep_until = collection_terms.usual_dates(order, work, as_of)
    waits = Collection(as_of, keep_until, remind_at, shelf=shelf)
    after = replace(after, collection=waits)
    text = f"{units_in_words(work.lines)} ready at {where}, kept until {_moment(keep_until)}."
    order = replace(order, ranges=shift(order.ranges, picked_by(work), UnitState.PACKED, work.fulfilment_id))
    facts = {
        **_dates(waits),
        "ready_at": as_of.isoformat(),
        "opening_days": collection_terms.opening_days(order),
        "lines": unit_facts(work.lines),
    }
    return told(order, after, "ready_for_collection", text, as_of, actor=actor, facts=facts)


def check_paid(order: Order, work: Fulfilment) -> None:
    """Raises FailedPrecondition / NOT_CAPTURED: nobody is asked for money where a code opens a door."""
    money = work.parcel.capture_state if work.parcel else CaptureState.NOT_NEEDED
    if money not in CAPTURE_SETTLED:
        raise FailedPrecondition("NOT_CAPTURED", "its money is not there yet", capture_state=money.value)


def set_dates(order: Order, work: Fulfilment, closings: Sequence[datetime], as_of: datetime) -> Decision:
    """By the closings of the point's opening days; nothing once somebody gave another date, or it is over."""
    waits = work.collection
    if work.state != FulfilmentState.READY or waits is None or waits.extended or waits.reminded_at:
        return Decision(order)
    if len(closings) < collection_terms.opening_days(order):
        return Decision(order)
    remind_at, keep_until = collection_terms.dates(order, waits.ready_at, closings)
    dated = replace(waits, remind_at=remind_at, keep_until=keep_until)
    if dated == waits:
        return Decision(order)
    text = f"By the opening days of {work.point_id} it is kept until {_moment(keep_until)}."
    return _untold(told(order, replace(work, collection=dated), "collection_dated", text, as_of))


def collect(order: Order, work: Fulfilment, who: AtCounter, actor: str, as_of: datetime) -> Decision:
    """ready -> delivered, or asked for its money first. A wrong code is counted, and answered as a refusal."""
    waits = _check_waits(work)
    units = _check_units(work, who.units)
    _check_person(who)
    if work.parcel and waits.handing and work.parcel.capture_state == CaptureState.PENDING:
        raise FailedPrecondition("COLLECTING", "its money is being taken: it is handed over when that is there")
    if work.compartment:
        raise FailedPrecondition("IN_LOCKER", f"it lies in compartment {work.compartment}: take it out first")
    holds.check_may_go_on(order, work, "what is collected")
    if who.is_code_right is not None and waits.locked_at:
        raise FailedPrecondition(
            "CODE_LOCKED", "too many wrong codes: customer service unlocks it, or a document is looked at"
        )
    if who.is_code_right is False:
        return _wrong_code(order, work, waits, actor, as_of)
    proof = CODE if who.is_code_right else who.document_kind
    return hand(order, work, Handing(as_of, units, proof, who.collected_by, actor), as_of)


def hand(order: Order, work: Fulfilment, handing: Handing, as_of: datetime) -> Decision:
    """ready -> delivered to whoever may have it, or asked for its money first."""
    waits, units = _check_waits(work), handing.units
    parcel = _parcel_for(order, work, waits, units)
    after = replace(work, parcel=parcel, collection=replace(waits, handing=handing))
    if parcel.capture_state in CAPTURE_SETTLED:
        return _handed_over(_with(order, after), after, as_of)
    text = f"Somebody collects {units_in_words(units)} at {work.point_id}: their money is asked for."
    facts = parcel_facts(parcel) | {"lines": unit_facts(units), "handing_at": handing.at.isoformat()}
    return told(order, after, "collecting", text, as_of, actor=handing.actor, facts=facts)


def confirm_put_back(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """What was not collected lies on its shelf again; its stock was for sale before."""
    waits = work.collection
    if waits is None or waits.put_back_since is None or waits.put_back_at:
        raise FailedPrecondition("NOTHING_TO_PUT_BACK", "nothing of it is to be put back", state=work.state.value)
    after = replace(work, collection=replace(waits, put_back_at=as_of))
    text = f"{units_in_words(waits.put_back)} of {work.point_id} are on their shelf again."
    facts = {"lines": unit_facts(waits.put_back)}
    return told(order, after, "put_back", text, as_of, actor=actor, facts=facts)


# -- what customer service does ---------------------------------------------------------------------------


def unlock(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """The code may be tried again. FailedPrecondition / NOT_LOCKED."""
    waits = _check_waits(work)
    if waits.locked_at is None:
        raise FailedPrecondition("NOT_LOCKED", "its code may be tried", state=work.state.value)
    after = replace(work, collection=replace(waits, locked_at=None, wrong_codes=0))
    return told(order, after, "collection_unlocked", "Its code may be tried again.", as_of, actor=actor)


def extend(order: Order, work: Fulfilment, keep_until: datetime, actor: str, as_of: datetime) -> Decision:
    """The customer comes later: it is kept longer, and he is reminded of that date as of the first."""
    waits = _check_waits(work)
    if not max(waits.keep_until, as_of) < keep_until <= as_of + MAX_EXTENSION:
        raise InvalidArgument(
            "keep_until",
            f"later than {_moment(max(waits.keep_until, as_of))}, and within {MAX_EXTENSION.days} days",
        )
    remind_at = keep_until - timedelta(days=order.life_cycle.collection.reminder_days)
    again = remind_at if waits.remind_at and remind_at > as_of else None
    later = replace(waits, keep_until=keep_until, remind_at=again, reminded_at=None, extended=True)
    text = f"It is kept at {work.point_id} until {_moment(keep_until)}."
    facts = _dates(later)
    return told(
        order, replace(work, collection=later), "collection_extended", text, as_of, actor=actor, facts=facts
    )


# -- what follows from money and time ---------------------------------------------------------------------


def after_capture(decision: Decision, fulfilment_id: str, outcome: Outcome) -> Decision:
    """The decision on its money, with what that means at the counter: handed over, or nobody takes it yet."""
    order = decision.order
    work = order.fulfilment(fulfilment_id)
    waits, parcel = work.collection, work.parcel
    is_handed = work.state == FulfilmentState.READY and waits and waits.handing
    if not decision.happenings or not is_handed or waits is None or waits.handing is None or parcel is None:
        return decision
    if parcel.capture_state == CaptureState.CAPTURED:
        if outcome.as_of - waits.handing.at > HANDING_LASTS:
            # Whoever was at the counter may have gone: it is paid, and waits.
            return decision
        then = _handed_over(order, work, outcome.as_of)
    else:
        then = Decision(_with(order, replace(work, collection=replace(waits, handing=None))))
    return _joined(decision, then)


def follow(decision: Decision, now: datetime) -> Decision:
    """The decision, with what time has made of what waits: reminded of, given up, or refunded unasked for."""
    order = decision.order
    if order.state is not OrderState.RELEASED or not order.content.is_collected:
        return decision
    for work in order.fulfilments:
        if then := _in_time(decision.order, work, now):
            decision = _joined(decision, then)
    return _joined(decision, choosing.lapse(decision.order, now))


def next_date(order: Order) -> datetime | None:
    """When time does something about what waits; None while it does not."""
    if order.state is not OrderState.RELEASED or not order.content.is_collected:
        return None
    idle = [one for one in order.fulfilments if _is_idle(order, one)]
    waiting = [one.collection for one in idle if one.collection]
    # What a code still opens ends when the bank has closed it.
    ends = [one.collection.keep_until for one in idle if one.collection and not one.compartment]
    reminders = [one.remind_at for one in waiting if one.remind_at and not one.reminded_at]
    return min((*ends, *reminders, *choosing.deadlines(order)), default=None)


def to_put_back(work: Fulfilment, at: datetime) -> Fulfilment:
    """Work that is cancelled, with what lies at the counter as something to put back."""
    if work.state != FulfilmentState.READY or work.collection is None:
        return work
    units = substituting.units_of(work.lines)
    return replace(work, collection=replace(work.collection, put_back=units, put_back_since=at, handing=None))


def _in_time(order: Order, work: Fulfilment, now: datetime) -> Decision | None:
    waits = work.collection
    if waits is None or not _is_idle(order, work):
        return None
    if waits.keep_until <= now and not work.compartment:
        return _given_up(order, work, waits, now)
    if waits.remind_at and not waits.reminded_at and waits.remind_at <= now:
        after = replace(work, collection=replace(waits, reminded_at=now))
        text = f"The customer is reminded: {work.point_id} keeps it until {_moment(waits.keep_until)}."
        facts = {"keep_until": waits.keep_until.isoformat(), "lines": unit_facts(work.lines)}
        return told(order, after, "collection_reminder", text, now, facts=facts)
    return None


def _is_idle(order: Order, work: Fulfilment) -> bool:
    """Ready, with no money under way: of somebody at the counter, or taken with the preparation.

    What is given up while its money is on the way would be cancelled and captured.
    """
    money = work.parcel.capture_state if work.parcel else CaptureState.NOT_NEEDED
    if order.life_cycle.capture_at is CaptureMoment.PREPARATION:
        is_under_way = money in (CaptureState.PENDING, CaptureState.FAILED)
    else:
        asked = work.collection is not None and work.collection.handing is not None
        is_under_way = asked and money == CaptureState.PENDING
    return work.state == FulfilmentState.READY and not is_under_way


def _given_up(order: Order, work: Fulfilment, waits: Collection, now: datetime) -> Decision:
    """Nobody came: its units are cancelled, their money goes back, and their stock is for sale at once."""
    stopped = moved(to_put_back(work, now), FulfilmentState.CANCELLED)
    assert stopped.collection is not None, "it waited"
    stopped = replace(stopped, collection=replace(stopped.collection, overdue_at=now))
    before = order
    after = _with(replace(order, ranges=_cancelled(order, work, ())), stopped)
    after, facts, back = _money(before, after, work, NOT_COLLECTED, now)
    own, came = _by_origin(to_store.at_counter(before.ranges, work))
    facts |= {"released": _facts(before, own)} if came else {}
    facts |= {"reason": NOT_COLLECTED, "lines": unit_facts(work.lines), "no_show": order.content.is_paid_in_store}
    text = f"Nobody collected {units_in_words(work.lines)} at {work.point_id}: cancelled."
    decision = told(after, stopped, "cancelled", text, now, facts=facts)
    gone = Happening(
        "order.units_cancelled", text, now, {"reason": NOT_COLLECTED, "lines": unit_facts(work.lines)}
    )
    stock = consolidating.to_stock(before, work, came, now)
    return replace(decision, happenings=(*decision.happenings, gone, *back, *stock))


# -- the hand-over ----------------------------------------------------------------------------------------


def _check_waits(work: Fulfilment) -> Collection:
    if not work.is_collected:
        raise FailedPrecondition("NOT_COLLECTED", "a carrier takes it", state=work.state.value)
    check_not_cancelled(work)
    if work.state != FulfilmentState.READY or work.collection is None:
        raise FailedPrecondition("NOT_READY", f"it is {work.state.value}, not ready", state=work.state.value)
    return work.collection


def _check_units(work: Fulfilment, units: Sequence[Units]) -> tuple[Units, ...]:
    """All, when none are named."""
    if not units:
        return substituting.units_of(work.lines)
    waiting = counted(substituting.units_of(work.lines))
    named: dict[int, Units] = {}
    for i, one in enumerate(units):
        if one.line_number not in waiting:
            raise InvalidArgument(f"lines[{i}].line_number", "no such line waits there")
        if one.line_number in named:
            raise InvalidArgument(f"lines[{i}].line_number", "a line is said once")
        if not 1 <= one.quantity <= waiting[one.line_number]:
            raise InvalidArgument(f"lines[{i}].quantity", f"1 to {waiting[one.line_number]} units wait there")
        named[one.line_number] = one
    taken = substituting.first(work.lines, counted(named.values()))
    return substituting.units_of(sorted(taken, key=lambda one: one.line_number))


def _check_person(who: AtCounter) -> None:
    if who.collected_by not in COLLECTORS:
        raise InvalidArgument("collected_by", f"one of {', '.join(COLLECTORS)}")
    if (who.is_code_right is None) != bool(who.document_kind):
        raise InvalidArgument("code", "the code, or the kind of document that was looked at; one of them")
    if who.document_kind and who.document_kind not in DOCUMENT_KINDS:
        raise InvalidArgument("document_kind", f"one of {', '.join(DOCUMENT_KINDS)}")
    if who.document_kind and who.collected_by != "customer":
        raise InvalidArgument("code", "who is not the customer collects with the code", reason="CODE_NEEDED")


def _wrong_code(order: Order, work: Fulfilment, waits: Collection, actor: str, as_of: datetime) -> Decision:
    attempts = order.life_cycle.collection.code_attempts
    wrong = replace(waits, wrong_codes=waits.wrong_codes + 1)
    left = attempts - wrong.wrong_codes
    if left > 0:
        after = replace(work, collection=wrong)
        decision = _untold(told(order, after, "wrong_code", "A wrong code was entered.", as_of, actor=actor))
    else:
        after = replace(work, collection=replace(wrong, locked_at=as_of))
        text = f"{attempts} wrong codes were entered: the code is locked."
        decision = told(order, after, "collection_locked", text, as_of, actor=actor)
    return replace(decision, refusal=Refusal("WRONG_CODE", f"this is not its code; {max(left, 0)} attempts left"))


def _parcel_for(order: Order, work: Fulfilment, waits: Collection, units: tuple[Units, ...]) -> Parcel:
    """With the money of what is taken: paid before, not needed, or to be asked for."""
    parcel = work.parcel
    if parcel and parcel.capture_state in CAPTURE_SETTLED:
        is_ahead = order.life_cycle.capture_at is CaptureMoment.PREPARATION
        if waits.handing and waits.handing.units != units and not is_ahead:
            paid = units_in_words(waits.handing.units)
            raise FailedPrecondition("PAID_FOR_OTHERS", f"{paid} are paid already: hand these over, all of them")
        return parcel
    if parcel and order.life_cycle.capture_at is CaptureMoment.PREPARATION:
        raise FailedPrecondition(
            "NOT_CAPTURED", "its money is not captured", capture_state=parcel.capture_state.value
        )
    # An attempt that failed brought nothing, and no fee.
    anew = _with(replace(order, ranges=_cancelled(order, work, units)), replace(work, parcel=None))
    parcel = opened(anew, work)
    is_due = parcel.amount_minor and order.payment_outcome != "paid_by_channel" and not is_settled_ahead(order)
    return parcel if is_due else replace(parcel, capture_state=CaptureState.NOT_NEEDED)


def _handed_over(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """Delivered; what the customer left is cancelled, and goes back to its shelf."""
    waits, parcel = work.collection, work.parcel
    handing = waits.handing if waits else None
    assert waits is not None, "it waits"
    assert handing is not None, "somebody is at the counter"
    assert parcel is not None, "its money is known"
    taken = counted(handing.units)
    left = substituting.units_of(substituting.but_first(work.lines, taken))
    waits = replace(waits, collected_at=as_of)
    if left:
        waits = replace(waits, put_back=left, put_back_since=as_of)
    closed = replace(parcel, closed_at=parcel.closed_at or as_of, handed_over_at=as_of, delivered_at=as_of)
    after = replace(
        moved(work, FulfilmentState.DELIVERED),
        lines=substituting.first(work.lines, taken),
        parcel=closed,
        collection=waits,
    )
    ranges = _cancelled(order, work, handing.units)
    mine = to_store.at_counter(ranges, work)
    issued, came = _by_origin(mine)
    kept, came_for_nobody = _by_origin(without(to_store.at_counter(order.ranges, work), _triples(mine)))
    ranges = changed(ranges, mine, UnitState.DELIVERED)
    changed_order, facts, back = _money(order, _with(replace(order, ranges=ranges), after), work, LEFT, as_of)
    where = f"from compartment {work.compartment} of" if work.compartment else "at"
    text = f"{units_in_words(after.lines)} were collected {where} {work.point_id}"
    text += f"; {units_in_words(left)} left there." if left else "."
    facts |= {
        "parcel_id": closed.parcel_id,
        "collected_by": handing.collected_by,
        "proof": handing.proof,
        "lines": unit_facts(after.lines),
        "left": unit_facts(left),
    }
    if came or came_for_nobody:
        facts |= {"issued": _facts(order, issued), "released": _facts(order, kept)}
    stock = consolidating.to_stock(order, work, came_for_nobody, as_of)
    decision = told(changed_order, after, "collected", text, as_of, actor=handing.actor, facts=facts)
    gone = (
        (Happening("order.units_cancelled", text, as_of, {"reason": LEFT, "lines": unit_facts(left)}),)
        if left
        else ()
    )
    return replace(decision, happenings=(*decision.happenings, *gone, *back, *stock))


def _by_origin(ranges: Ranges) -> tuple[Counter[int], Counter[int]]:
    """Units of the store's own stock, and those that other points sent, by line number."""
    return (
        counted_ranges(in_state(ranges, UnitState.PACKED)),
        counted_ranges(in_state(ranges, UnitState.RECEIVED)),
    )


def _facts(order: Order, counts: Counter[int]) -> list[dict[str, int | str]]:
    return unit_facts(lines_of(order.content, counts))


def _cancelled(order: Order, work: Fulfilment, but: Sequence[Units]) -> Ranges:
    """The ranges with the work's units cancelled, but for these. Paid ones keep their place, which tells so."""
    mine = to_store.at_counter(order.ranges, work)
    rest = without(mine, _triples(first(mine, counted(but))))
    paid = first(rest, (_paid(order, work) - counted(but)) & counted_ranges(rest))
    unpaid = without(rest, _triples(paid))
    ranges = without(changed(order.ranges, paid, UnitState.CANCELLED), _triples(unpaid))
    return merged((*ranges, *shift(unpaid, lambda one: True, UnitState.CANCELLED)))


def _paid(order: Order, work: Fulfilment) -> Counter[int]:
    """Units that were captured with the parcel, by line: all, or those that somebody came for once."""
    if work.parcel is None or work.parcel.capture_state != CaptureState.CAPTURED:
        return Counter()
    handing = work.collection.handing if work.collection else None
    if handing and order.life_cycle.capture_at is not CaptureMoment.PREPARATION:
        return counted(handing.units)
    return substituting.quantities(work.lines)


def _money(
    before: Order, after: Order, work: Fulfilment, reason: str, as_of: datetime
) -> tuple[Order, dict[str, Any], tuple[Happening, ...]]:
    """What of the cancelled units' money is given back by a refund, and what was only authorised."""
    back = refunds.of_cancelled_units(before, after, left_of(after), reason, as_of)
    is_captured = before.charge is not None and before.charge.state == CaptureState.CAPTURED
    # Those that keep their place were captured with it.
    paid = in_state(in_fulfilment(after.ranges, work.fulfilment_id), UnitState.CANCELLED)
    not_due = no_longer_due_minor(before, after) - goods_minor(before.content.lines, paid)
    facts = {
        "no_longer_due_minor": 0 if is_captured or before.content.is_paid_in_store else not_due,
        "currency": before.content.total.currency,
    }
    return back.order, facts, back.happenings


# -- what they share --------------------------------------------------------------------------------------


def _with(order: Order, work: Fulfilment) -> Order:
    works = tuple(work if one.fulfilment_id == work.fulfilment_id else one for one in order.fulfilments)
    return replace(order, fulfilments=works)


def _triples(ranges: Ranges) -> list[tuple[int, int, int]]:
    return [(one.line_number, one.from_unit, one.to_unit) for one in ranges]


def _joined(decision: Decision, then: Decision) -> Decision:
    """`then` was decided on the order after the first."""
    return replace(decision, order=then.order, happenings=(*decision.happenings, *then.happenings))


def _untold(decision: Decision) -> Decision:
    (happening,) = decision.happenings
    return replace(decision, happenings=(replace(happening, told=False),))


def _dates(waits: Collection) -> dict[str, Any]:
    remind_at = waits.remind_at.isoformat() if waits.remind_at else None
    return {"keep_until": waits.keep_until.isoformat(), "remind_at": remind_at}


def _moment(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M %Z}"
