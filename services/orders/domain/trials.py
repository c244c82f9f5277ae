"""Goods that are tried at home: until when, what comes back, and what is kept and paid (SPEC PAY-4, RET-8).

Units that are tried are delivered, announced ones returning, and those that were given back returned. Nothing is
captured before the trial is settled; then the whole order has one charge, for what is kept.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain import money_back, refunds
from services.orders.domain.model import (
    Buyer,
    CaptureMoment,
    Charge,
    Content,
    Decision,
    Happening,
    LifeCycle,
    Order,
    Refusal,
    Trial,
    UnitRange,
    Units,
    Window,
)
from services.orders.domain.money_back import lost_for_good
from services.orders.domain.plan import check_units, counted, counted_ranges, unit_facts, units_in_words
from services.orders.domain.pricing import goods_minor, shipping_minor
from services.orders.domain.ranges import Ranges, changed, first, in_state, without
from services.orders.domain.states import UNDONE, FulfilmentState, OrderState, UnitState

MAX_UNITS = 10
# At least for so long the whole order is authorised, however soon it arrives.
AUTHORISED_FOR = timedelta(days=11)
MAX_DAYS = 30
TOO_SHORT = "AUTHORISATION_TOO_SHORT"
# What the stories are told, and do.
SETTLED = "order.trial_settled"
UNITS_BACK = "order.trial_units_back"

_AT_HOME = (UnitState.RETURNING, UnitState.DELIVERED)


# -- what may be tried ------------------------------------------------------------------------------------


def check_life_cycle(one: LifeCycle) -> None:
    """Raises InvalidArgument, naming the field, for a trial that could not be kept, or could never begin."""
    terms, is_tried = one.trial, one.capture_at is CaptureMoment.TRIAL
    if terms is None and not is_tried:
        return
    if terms is None or not is_tried:
        raise InvalidArgument("life_cycle.trial", "where money is taken after a trial, and only there")
    if not 2 <= terms.days <= MAX_DAYS:
        raise InvalidArgument("life_cycle.trial.days", f"2 to {MAX_DAYS}")
    if not 1 <= terms.reminder_days < terms.days:
        raise InvalidArgument("life_cycle.trial.reminder_days", "at least 1, and less than the trial lasts")
    if not one.lost_after_days:
        raise InvalidArgument(
            "life_cycle.lost_after_days", "at least 1: a trial does not begin while a parcel is waited for"
        )


def check_content(content: Content, buyer: Buyer, life_cycle: LifeCycle) -> None:
    """Raises InvalidArgument, naming the field, for an order that cannot be tried at home, where it would be."""
    if life_cycle.capture_at is not CaptureMoment.TRIAL:
        return
    units = sum(line.quantity for line in content.lines)
    if units > MAX_UNITS:
        raise InvalidArgument(
            "lines",
            f"at most {MAX_UNITS} units are tried at home, not {units}",
            reason="TRIAL_TOO_MANY_UNITS",
            maximum=MAX_UNITS,
            units=units,
        )
    for i, line in enumerate(content.lines):
        if line.taken_at_point_id:
            raise InvalidArgument(
                f"lines[{i}].taken_at_point_id", "what is tried at home is sent", reason="TRIAL_SENT_ONLY"
            )
    if content.is_collected:
        raise InvalidArgument("mode", "what is tried at home is sent there", reason="TRIAL_SENT_ONLY")
    if not buyer.customer.customer_id:
        raise InvalidArgument(
            "customer.customer_id", "only who is logged in tries at home", reason="TRIAL_NEEDS_CUSTOMER"
        )
    if content.payment.kind == "paid_by_channel_reference" or not content.total.amount_minor:
        field = "payment" if content.total.amount_minor else "total"
        raise InvalidArgument(
            field, "what is tried at home is authorised, and paid if kept", reason="TRIAL_NEEDS_AUTHORISATION"
        )


def too_short(order: Order, promise: Window | None, authorised_until: datetime | None) -> Refusal | None:
    """Why an order that is to be tried cannot be accepted on its authorisation; None when it can.

    `authorised_until`: the end of what cannot be authorised again; None when there is none.
    """
    terms = order.life_cycle.trial
    if terms is None or authorised_until is None:
        return None
    least = order.recorded_at + AUTHORISED_FOR
    needed = max(least, promise.end + timedelta(days=terms.days)) if promise else least
    if authorised_until >= needed:
        return None
    return Refusal(
        TOO_SHORT,
        f"payment: what is tried at home is authorised for {AUTHORISED_FOR.days} days at least, and until its "
        f"trial is over ({_moment(needed)}); this authorisation ends {_moment(authorised_until)}, and may not be "
        "made again (payment.save_means)",
    )


# -- what the customer does -------------------------------------------------------------------------------


def decide(order: Order, returns: Sequence[Units], actor: str, as_of: datetime) -> Decision:
    """What comes back of what the customer has; all else is kept. Said again, it replaces what was said.

    Raises NO_TRIAL, TRIAL_NOT_BEGUN, TRIAL_OVER, NOT_AT_HOME.
    """
    _check_open(order, as_of)
    if order.trial is None:
        raise FailedPrecondition(
            "TRIAL_NOT_BEGUN", "the trial begins when all has arrived", state=order.state.value
        )
    _check_at_home(order, returns, "returns")
    ranges = changed(order.ranges, in_state(order.ranges, UnitState.RETURNING), UnitState.DELIVERED)
    back = first(in_state(ranges, UnitState.DELIVERED), counted(returns))
    ranges = changed(ranges, back, UnitState.RETURNING)
    trial = replace(order.trial, decided_at=as_of)
    after = replace(order, ranges=ranges, trial=trial, updated_at=as_of)
    kept = _units(order, in_state(ranges, UnitState.DELIVERED))
    text = f"The customer keeps {_words(kept)}" + (f"; {_words(_units(order, back))} come back." if back else ".")
    facts = {"returns": unit_facts(_units(order, back)), "keeps": unit_facts(kept)}
    return Decision(after, (Happening("order.trial_decided", text, as_of, facts, actor=actor),))


def give_back(order: Order, lines: Sequence[Units], point_id: str, actor: str, as_of: datetime) -> Decision:
    """Units that the customer gave back, announced ones first: at a point, or to a carrier (no point).

    What was given back while the trial was open counts whenever it is told: once it is settled, the money of such
    units is given back as far as it was taken. Raises NO_TRIAL, TRIAL_OVER, NOT_AT_HOME.
    """
    _check_was_open(order, as_of)
    if not lines:
        raise InvalidArgument("lines", "say what was given back")
    _check_at_home(order, lines, "lines")
    wanted, at_home = counted(lines), _at_home(order)
    announced = in_state(at_home, UnitState.RETURNING)
    back = first(announced, wanted & counted_ranges(announced))
    back += _kept(order, in_state(at_home, UnitState.DELIVERED), wanted - counted_ranges(announced))
    number = str(sum(one.quantity for one in in_state(order.ranges, UnitState.RETURNED)))
    now = max(order.updated_at, as_of)
    after = replace(order, ranges=changed(order.ranges, back, UnitState.RETURNED), updated_at=now)
    refunded = late_refunds(after, now)
    after = refunded.order
    units = _units(order, back)
    facts = {"point_id": point_id, "lines": unit_facts(units), "returned_at": as_of.isoformat()}
    if not point_id:
        text = f"A carrier has {_words(units)}, which the customer gave back."
        told = Happening("order.trial_units_scanned", text, as_of, facts, actor=actor)
        return Decision(after, (told, *refunded.happenings))
    text = f"The customer gave {_words(units)} back at {point_id}."
    story = f"restock/{derived_id('rst', order.order_id, number)}"
    told = Happening(UNITS_BACK, text, as_of, facts, actor=actor, story=story)
    return Decision(after, (told, *refunded.happenings))


def _kept(order: Order, delivered: Ranges, wanted: Counter[int]) -> Ranges:
    """Of units that were not announced: those first whose money is not given back already."""
    owed = without(delivered, money_back.refunded_units(order.refunds))
    of_those = wanted & counted_ranges(owed)
    return first(owed, of_those) + first(without(delivered, _triples(owed)), wanted - of_those)


def late_refunds(order: Order, now: datetime) -> Decision:
    """The money of units that count as kept, of which it was told later that they came back in time.

    As far as it was taken: where it is taken later, this is asked again then; what was let go is not owed.
    """
    if order.trial is None or order.trial.settled_at is None:
        return Decision(order)
    kept = [(one.line_number, one.from_unit, one.to_unit) for one in order.trial.kept]
    returned = in_state(order.ranges, UnitState.RETURNED)
    back = without(returned, _triples(without(returned, kept)))
    return refunds.of_parcel(order, back, refunds.WITHDRAWAL, now) if back else Decision(order)


# -- what follows from facts and time ---------------------------------------------------------------------


def follow(decision: Decision, now: datetime) -> Decision:
    """The decision, with what it means for a trial, and what time has made of it: begun, reminded of, settled."""
    order = decision.order
    if order.life_cycle.trial is None or order.state is not OrderState.RELEASED:
        return decision
    for step in (_begun, _reminded, _settled):
        then = step(decision, now)
        decision = replace(decision, order=then.order, happenings=(*decision.happenings, *then.happenings))
    return decision


def next_date(order: Order) -> datetime | None:
    """When time does something about the trial; None while it does not."""
    trial = order.trial
    if trial is None or trial.settled_at or order.state is not OrderState.RELEASED:
        return None
    return trial.ends_at if trial.reminded_at else trial.remind_at


def is_open(order: Order) -> bool:
    """Whether it is not known yet what is kept."""
    return order.life_cycle.trial is not None and not (order.trial and order.trial.settled_at)


def _begun(decision: Decision, now: datetime) -> Decision:
    """The last parcel has arrived, or nothing more of it is waited for.

    Whoever is told late has as many days left as the reminder gives.
    """
    order, terms = decision.order, decision.order.life_cycle.trial
    if terms is None or order.trial or _is_waited_for(order) or not in_state(order.ranges, UnitState.DELIVERED):
        return Decision(order)
    arrivals = [one.parcel.delivered_at for one in order.fulfilments if one.parcel and one.parcel.delivered_at]
    begun_at = max([*arrivals, *(one.at for one in decision.happenings)])
    before_end = timedelta(days=terms.reminder_days)
    ends_at = max(begun_at + timedelta(days=terms.days), now + before_end)
    trial = Trial(begun_at, ends_at, ends_at - before_end)
    text = f"All has arrived: it is tried at home until {_moment(ends_at)}."
    facts = {"ends_at": ends_at.isoformat(), "remind_at": trial.remind_at.isoformat()}
    after = replace(order, trial=trial, updated_at=now)
    return Decision(after, (Happening("order.trial_begun", text, now, facts),))


def _reminded(decision: Decision, now: datetime) -> Decision:
    order, trial = decision.order, decision.order.trial
    if trial is None or trial.settled_at or trial.reminded_at or _is_known(order):
        return Decision(order)
    if not trial.remind_at <= now < trial.ends_at:
        return Decision(order)
    units = _units(order, in_state(order.ranges, UnitState.RETURNING) or _at_home(order))
    facts = {
        "ends_at": trial.ends_at.isoformat(),
        "decided": trial.decided_at is not None,
        "lines": unit_facts(units),
    }
    text = f"The customer is reminded: what does not come back by {_moment(trial.ends_at)} is kept."
    after = replace(order, trial=replace(trial, reminded_at=now), updated_at=now)
    return Decision(after, (Happening("order.trial_reminder", text, now, facts),))


def _settled(decision: Decision, now: datetime) -> Decision:
    """It is known what is kept, or too late to say: what has not come back is kept, and is due with the fee."""
    order, trial = decision.order, decision.order.trial
    if _is_waited_for(order) or (trial and (trial.settled_at or (now < trial.ends_at and not _is_known(order)))):
        return Decision(order)
    late = in_state(order.ranges, UnitState.RETURNING)
    ranges = changed(order.ranges, late, UnitState.DELIVERED)
    kept = in_state(ranges, UnitState.DELIVERED)
    fee_minor = _fee_minor(order, kept)
    amount = Money(goods_minor(order.content.lines, kept) + fee_minor, order.content.total.currency)
    settled = replace(
        trial or Trial(now, now, now),
        settled_at=now,
        kept=tuple(UnitRange(one.line_number, one.from_unit, one.to_unit) for one in kept),
        shipping_minor=fee_minor,
    )
    charge = Charge(amount.amount_minor) if amount.amount_minor else None
    after = replace(order, ranges=ranges, trial=settled, charge=charge, updated_at=now)
    units, back = _units(order, kept), _units(order, in_state(ranges, UnitState.RETURNED))
    text = f"The trial is over: {_words(units)} kept, {_words(back)} given back; {amount} are due."
    facts = {
        "amount_minor": amount.amount_minor,
        "currency": amount.currency,
        "shipping_minor": fee_minor,
        "kept": unit_facts(units),
        "returned": unit_facts(back),
    }
    return Decision(after, (Happening(SETTLED, text, now, facts),))


def _is_waited_for(order: Order) -> bool:
    """Whether a unit may still arrive. Before the beginning, what is returning is a parcel on its way back."""
    final = {UnitState.DELIVERED, UnitState.RETURNED, UnitState.CANCELLED}
    if order.trial:
        final.add(UnitState.RETURNING)
    waiting = tuple(one for one in order.ranges if one.state not in final)
    return bool(without(waiting, _triples(lost_for_good(order))))


def _is_known(order: Order) -> bool:
    """Of every unit that arrived: it was given back, or the customer keeps it."""
    if in_state(order.ranges, UnitState.RETURNING):
        return False
    has_decided = order.trial is not None and order.trial.decided_at is not None
    return has_decided or not in_state(order.ranges, UnitState.DELIVERED)


def _fee_minor(order: Order, kept: Ranges) -> int:
    """Of the delivery fee, as after a withdrawal: with the last unit goes what standard delivery costs.

    A customer who never got anything owes none.
    """
    fee = shipping_minor(order.content.lines)
    standard = order.content.standard_shipping
    if kept:
        return fee
    if standard is None or not in_state(order.ranges, UnitState.RETURNED):
        return 0
    return max(0, fee - standard.amount_minor)


# -- what they share --------------------------------------------------------------------------------------


def _check_open(order: Order, as_of: datetime) -> None:
    """Raises unless something of the trial can still be decided."""
    _check_was_open(order, as_of)
    if order.trial and order.trial.settled_at:
        raise _over(order.trial.settled_at)


def _check_was_open(order: Order, at: datetime) -> None:
    """Raises unless the trial was open at that instant, settled or not by now."""
    if order.life_cycle.trial is None or order.state in (OrderState.REFUSED, *UNDONE):
        raise FailedPrecondition("NO_TRIAL", "nothing of the order is tried at home", state=order.state.value)
    trial = order.trial
    if trial and at >= (ended_at := min(trial.settled_at or trial.ends_at, trial.ends_at)):
        raise _over(trial.settled_at or ended_at)


def _over(ended_at: datetime) -> FailedPrecondition:
    return FailedPrecondition(
        "TRIAL_OVER", f"the trial is over since {_moment(ended_at)}", ended_at=ended_at.isoformat()
    )


def _check_at_home(order: Order, units: Sequence[Units], path: str) -> None:
    check_units(order.content, units, path)
    at_home = counted_ranges(_at_home(order))
    seen: set[int] = set()
    for i, one in enumerate(units):
        if one.line_number in seen:
            raise InvalidArgument(f"{path}[{i}].line_number", "a line is said once")
        seen.add(one.line_number)
        if one.quantity > at_home[one.line_number]:
            raise FailedPrecondition(
                "NOT_AT_HOME",
                f"the customer has {at_home[one.line_number]} units of line {one.line_number}, not {one.quantity}",
                field=f"{path}[{i}].quantity",
                line_number=one.line_number,
                at_home=at_home[one.line_number],
            )


def _at_home(order: Order) -> Ranges:
    """What the customer has: of parcels that arrived."""
    arrived = {one.fulfilment_id for one in order.fulfilments if one.state is FulfilmentState.DELIVERED}
    return tuple(one for one in in_state(order.ranges, *_AT_HOME) if one.fulfilment_id in arrived)


def _units(order: Order, ranges: Ranges) -> list[Units]:
    skus = {line.line_number: line.sku for line in order.content.lines}
    return [Units(number, skus[number], count) for number, count in sorted(counted_ranges(ranges).items())]


def _words(units: Sequence[Units]) -> str:
    return units_in_words(units) if units else "nothing"


def _triples(ranges: Ranges) -> list[tuple[int, int, int]]:
    return [(one.line_number, one.from_unit, one.to_unit) for one in ranges]


def _moment(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M %Z}"
