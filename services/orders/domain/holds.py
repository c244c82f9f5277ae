"""What keeps an order, or the work of one point, from going on: reasons, dates, defaults, and who may decide.

Any number of holds may be open at once. An order is released when none holds all of it, the work of a point is
offered (and handed over) when none holds that either. Each function decides on the aggregate that the caller has
locked.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from kit.values.ids import derived_id
from services.orders.domain.model import (
    Decision,
    Fulfilment,
    Happening,
    Hold,
    HoldDefault,
    HoldKind,
    HoldOutcome,
    HoldRule,
    Leg,
    LifeCycle,
    Order,
)
from services.orders.domain.states import OPEN_FULFILMENT, FulfilmentState, OrderState
from services.orders.domain.taking import rest_is_cancelled

# Where a life cycle says nothing: the usual rule of each kind.
_SERVICE = ("customer_service",)
_DAY_SECONDS, _HOUR_SECONDS = 86_400, 3_600
USUAL_RULES = {
    HoldKind.COOLING_OFF: HoldRule(HoldKind.COOLING_OFF, 0, HoldDefault.RELEASE, ("channel", *_SERVICE)),
    HoldKind.FRAUD: HoldRule(HoldKind.FRAUD, 2 * _DAY_SECONDS, HoldDefault.CANCEL, _SERVICE),
    HoldKind.PAYMENT: HoldRule(HoldKind.PAYMENT, 2 * _DAY_SECONDS, HoldDefault.CANCEL, _SERVICE),
    HoldKind.MANUAL: HoldRule(HoldKind.MANUAL, 0, HoldDefault.RELEASE, _SERVICE),
    HoldKind.APPOINTMENT: HoldRule(HoldKind.APPOINTMENT, 0, HoldDefault.RELEASE, _SERVICE),
    HoldKind.RELEASE_DATE: HoldRule(HoldKind.RELEASE_DATE, 0, HoldDefault.RELEASE, ("supply_chain", *_SERVICE)),
    HoldKind.STOCK: HoldRule(HoldKind.STOCK, 0, HoldDefault.WAIT, ("supply_chain", *_SERVICE)),
    HoldKind.CHANGE: HoldRule(HoldKind.CHANGE, _HOUR_SECONDS // 2, HoldDefault.RELEASE, ()),
    HoldKind.CONSOLIDATION: HoldRule(HoldKind.CONSOLIDATION, _DAY_SECONDS, HoldDefault.WAIT, _SERVICE),
}
# Holds of one point's work have their date from the plan; the order goes on whatever becomes of it.
OF_WORK = frozenset({HoldKind.APPOINTMENT, HoldKind.RELEASE_DATE, HoldKind.STOCK})
# Of these, what is not there is waited for.
WAITING = frozenset({HoldKind.STOCK, HoldKind.CONSOLIDATION})
# How much longer a hub waits to which nothing came in time.
_STILL_NOTHING = timedelta(hours=6)
# The story of the order ends cooling-off at its own timer: others step in only for one that does not.
STORY_FIRST = timedelta(seconds=30)
MAX_REASON_LENGTH = 500
_FOR_ITS_DAY = "it is prepared for the day of the appointment"
# Deliveries that a reason names.
_SUPPLIES_TOLD = 3
ALL_ENDED = "order.holds_ended"
LAPSED = "order.hold_lapsed"
# When its money is needed has changed.
WAIT_CHANGED = "order.wait_changed"

Undo = Callable[[Order, str, str, datetime], Decision]


def rule_of(life_cycle: LifeCycle, kind: HoldKind) -> HoldRule:
    """That of the life cycle, or the usual one."""
    return next((one for one in life_cycle.hold_rules if one.kind == kind), USUAL_RULES[kind])


# -- reading ----------------------------------------------------------------------------------------------


def open_holds(order: Order) -> tuple[Hold, ...]:
    """Those that have not ended."""
    return tuple(one for one in order.holds if one.ended_at is None)


def check_may_go_on(order: Order, work: Fulfilment, what: str) -> None:
    """Before what nobody can undo. Raises FailedPrecondition / ON_HOLD while the order or the work is held."""
    if held := [one for one in open_holds(order) if one.fulfilment_id in ("", work.fulfilment_id)]:
        kinds = ", ".join(one.kind.value.replace("_", " ") for one in held)
        raise FailedPrecondition("ON_HOLD", f"{what} is held: {kinds}", hold_id=held[0].hold_id)


def holds_order(order: Order) -> bool:
    """Whether all of the order is held."""
    return any(not one.fulfilment_id for one in open_holds(order))


def holds_work(order: Order, work: Fulfilment) -> bool:
    """Whether the work is held, by itself or with all of its order."""
    return any(one.fulfilment_id in ("", work.fulfilment_id) for one in open_holds(order))


def next_date(order: Order) -> datetime | None:
    """When the next open hold ends by itself, a little later for what the order's own story ends."""
    dates = [
        one.until + (STORY_FIRST if one.kind is HoldKind.COOLING_OFF else timedelta(0))
        for one in open_holds(order)
        if one.until and one.default is not HoldDefault.WAIT
    ]
    return min(dates, default=None)


def review_until(order: Order) -> datetime | None:
    """Until when somebody has to review the order; None when nobody has."""
    return min((one.until for one in open_holds(order) if one.kind is HoldKind.FRAUD and one.until), default=None)


# -- beginning --------------------------------------------------------------------------------------------


def at_acceptance(order: Order, legs: Sequence[Leg], as_of: datetime) -> tuple[Hold, ...]:
    """Cooling-off, and what the legs wait for. `order`: with the fulfilments of these legs, in their order."""
    seconds = order.cooling_off_seconds
    rule = rule_of(order.life_cycle, HoldKind.COOLING_OFF)
    cooling_off = _begun(order, rule, "", "the customer may still change it", as_of, timedelta(seconds=seconds))
    return (*_ended_at_once(cooling_off, seconds), *of_legs(order, legs, order.fulfilments, as_of))


def _ended_at_once(cooling_off: Hold, seconds: int) -> tuple[Hold, ...]:
    """What is delivered today cools off for no time: the hold says until when it could be changed."""
    if seconds:
        return (cooling_off,)
    return (replace(cooling_off, ended_at=cooling_off.since, outcome=HoldOutcome.LAPSED),)


def of_legs(order: Order, legs: Sequence[Leg], works: Sequence[Fulfilment], as_of: datetime) -> tuple[Hold, ...]:
    """The holds of new work: it waits for its units, and until its release date or appointment asks for it."""
    holds = []
    for leg, work in zip(legs, works, strict=True):
        if work.awaited and leg.waits_until:
            rule = replace(rule_of(order.life_cycle, HoldKind.STOCK), default=HoldDefault.WAIT)
            stock = _begun(order, rule, work.fulfilment_id, waits_for(work), as_of, leg.waits_until - as_of)
            holds.append(stock)
        if work.consolidates:
            holds.append(_of_hub(order, work, works, as_of))
        if leg.hand_over_from:
            kind, reason = HoldKind.RELEASE_DATE, f"it is sold from {moment(leg.hand_over_from)} on"
        elif order.content.booking_id:
            kind, reason = HoldKind.APPOINTMENT, _FOR_ITS_DAY
        else:
            continue
        begin = leg.latest_start or leg.hand_over_from
        ahead = timedelta(seconds=order.life_cycle.prepare_ahead_seconds)
        if begin and begin - ahead > as_of:
            rule = rule_of(order.life_cycle, kind)
            holds.append(_begun(order, rule, work.fulfilment_id, reason, as_of, begin - ahead - as_of))
    return tuple(holds)


def _of_hub(order: Order, hub: Fulfilment, works: Sequence[Fulfilment], as_of: datetime) -> Hold:
    """Until the last parcel should be there, and as much longer as the rule gives it."""
    joining = [one for one in works if one.joins == hub.fulfilment_id]
    rule = rule_of(order.life_cycle, HoldKind.CONSOLIDATION)
    last = max((one.window.end for one in joining if one.window), default=as_of)
    lasts = max(last, as_of) - as_of + timedelta(seconds=rule.seconds)
    return _begun(order, rule, hub.fulfilment_id, waits_for_points(joining), as_of, lasts)


def waits_for_points(joining: Sequence[Fulfilment]) -> str:
    """For example "it waits for 2 units from paris-1 and 1 unit from lyon-1"."""
    counts = [(sum(line.quantity for line in one.lines), one.point_id) for one in joining]
    return "it waits for " + " and ".join(
        f"{count} unit{'' if count == 1 else 's'} from {point_id}" for count, point_id in counts
    )


def waits_for(work: Fulfilment) -> str:
    """For example "it waits for 2 x AUB-TEE-NAVY-M of po-4711-1"."""
    units = Counter[tuple[str, str]]()
    for one in work.awaited:
        units[one.sku, one.supply_id] += one.quantity
    found = [f"{count} x {sku} of {supply_id}" for (sku, supply_id), count in units.items()]
    told = ", ".join(found[:_SUPPLIES_TOLD])
    return f"it waits for {told}" + (f" and {len(found) - _SUPPLIES_TOLD} more" if found[_SUPPLIES_TOLD:] else "")


def begin(order: Order, kind: HoldKind, reason: str, as_of: datetime) -> Hold:
    """A hold of all of the order that a rule asks for, with the date of its life cycle."""
    rule = rule_of(order.life_cycle, kind)
    return _begun(order, rule, "", reason, as_of, timedelta(seconds=rule.seconds) if rule.seconds else None)


def begin_of_work(order: Order, kind: HoldKind, fulfilment_id: str, reason: str, as_of: datetime) -> Hold:
    """The same for the work of one point, until a person decides."""
    rule = replace(rule_of(order.life_cycle, kind), default=HoldDefault.WAIT)
    return _begun(order, rule, fulfilment_id, reason, as_of, None)


def _begun(
    order: Order, rule: HoldRule, fulfilment_id: str, reason: str, as_of: datetime, lasts: timedelta | None
) -> Hold:
    number = sum(one.kind == rule.kind and one.fulfilment_id == fulfilment_id for one in order.holds)
    return Hold(
        hold_id=derived_id("hld", order.order_id, fulfilment_id, rule.kind, str(number)),
        kind=rule.kind,
        fulfilment_id=fulfilment_id,
        reason=reason,
        since=as_of,
        until=as_of + lasts if lasts is not None else None,
        default=rule.default,
        roles=rule.roles,
    )


def place(
    order: Order,
    fulfilment_id: str,
    reason: str,
    until: datetime | None,
    default: HoldDefault,
    actor: str,
    as_of: datetime,
) -> tuple[Decision, Hold]:
    """Somebody stops an order that stands, or the work of one point, until it is let go or the date has come."""
    _check_reason(reason)
    _check_date(until, as_of)
    if default is HoldDefault.WAIT:
        raise InvalidArgument("default", "release or cancel: only what waits for goods waits on")
    if default is HoldDefault.CANCEL and (fulfilment_id or until is None):
        raise InvalidArgument("default", "only a hold of the whole order, with a date, may cancel it then")
    works = order.fulfilments
    if fulfilment_id:
        works = tuple(one for one in works if one.fulfilment_id == fulfilment_id)
        if not works:
            raise InvalidArgument("fulfilment_id", "the order has no such work")
    stands = order.state in (OrderState.VALIDATED, OrderState.RELEASED)
    if not stands or not any(one.state in OPEN_FULFILMENT for one in works):
        raise FailedPrecondition(
            "TOO_LATE_TO_HOLD", "nothing of it can be stopped any more", state=order.state.value
        )
    rule = replace(rule_of(order.life_cycle, HoldKind.MANUAL), default=default)
    hold = replace(_begun(order, rule, fulfilment_id, reason, as_of, None), until=until)
    after = replace(order, holds=(*order.holds, hold), updated_at=as_of)
    return Decision(after, (told_of_beginning(after, hold, actor),)), hold


def told_of_beginning(order: Order, hold: Hold, actor: str = "") -> Happening:
    """The order, or one point's work, is held."""
    then = f" until {moment(hold.until)}" if hold.until else ""
    facts = {
        "hold_id": hold.hold_id,
        "kind": hold.kind.value,
        "fulfilment_id": hold.fulfilment_id,
        "until": hold.until.isoformat() if hold.until else None,
        "default": hold.default.value,
    }
    text = f"{_what(order, hold)} is held{then}: {hold.reason}."
    return Happening("order.held", text, hold.since, facts, actor=actor)


# -- people -----------------------------------------------------------------------------------------------


def release(
    order: Order, hold_id: str, reason: str, actor: str, roles: Sequence[str], as_of: datetime
) -> Decision:
    """Somebody who may lets it go on before its date."""
    hold = _decidable(order, hold_id, roles)
    if hold.kind is HoldKind.STOCK:
        text = "its units are not there: it goes on when they are; lines or the order can be cancelled"
        raise FailedPrecondition("NOT_THERE", text, hold_id=hold_id)
    if hold.kind is HoldKind.CONSOLIDATION and _has_nothing(order, hold):
        raise FailedPrecondition("NOT_THERE", "nothing is there yet that could be sent", hold_id=hold_id)
    text = f"{_what(order, hold)} may go on{f': {reason}' if reason else ''} ({_words(hold)})."
    told = Happening("order.hold_released", text, as_of, _facts(hold), actor=actor)
    return _ended(order, hold, HoldOutcome.RELEASED, as_of, (told, *_waits_anew(order, hold, as_of)), actor)


def extend(
    order: Order, hold_id: str, until: datetime, reason: str, actor: str, roles: Sequence[str], as_of: datetime
) -> Decision:
    """Somebody who may gives it another date, earlier or later, that is still to come."""
    hold = _decidable(order, hold_id, roles)
    _check_date(until, as_of)
    after = _with(order, replace(hold, until=until), as_of)
    text = f"{_what(order, hold)} is held until {moment(until)}{f': {reason}' if reason else ''} ({_words(hold)})."
    facts = {**_facts(hold), "until": until.isoformat()}
    told = Happening("order.hold_extended", text, as_of, facts, actor=actor)
    return Decision(after, (told, *_waits_anew(order, hold, as_of)))


def _waits_anew(order: Order, hold: Hold, as_of: datetime) -> tuple[Happening, ...]:
    """Its story, which has not released it, is told: the order may have to be paid earlier or later."""
    if not hold.fulfilment_id or order.state is not OrderState.VALIDATED:
        return ()
    return (Happening(WAIT_CHANGED, "What the order waits for has another date.", as_of),)


def refuse(
    order: Order, hold_id: str, reason: str, actor: str, roles: Sequence[str], cancel: Undo, as_of: datetime
) -> Decision:
    """Somebody who may decides against the order. `cancel` undoes it, or says that it is too late."""
    hold = _decidable(order, hold_id, roles)
    _check_reason(reason)
    return _against(order, hold, HoldOutcome.REFUSED, reason, actor, cancel, as_of)


def _decidable(order: Order, hold_id: str, roles: Sequence[str]) -> Hold:
    hold = next((one for one in order.holds if one.hold_id == hold_id), None)
    if hold is None:
        raise NotFound("HOLD_NOT_FOUND", "the order has no such hold", field="hold_id", hold_id=hold_id)
    if hold.ended_at:
        raise FailedPrecondition("HOLD_ENDED", f"the hold has ended: {hold.outcome}", outcome=str(hold.outcome))
    if not set(roles) & set(hold.roles):
        wanted = ", ".join(hold.roles) or "nobody"
        raise PermissionDenied("HOLD_OF_OTHERS", f"who may decide on a hold of this kind: {wanted}")
    return hold


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason) <= MAX_REASON_LENGTH:
        raise InvalidArgument("reason", f"say why, in 1 to {MAX_REASON_LENGTH} characters")


def _check_date(until: datetime | None, as_of: datetime) -> None:
    if until is not None and until <= as_of:
        raise InvalidArgument("until", "the date is still to come")


# -- ending -----------------------------------------------------------------------------------------------


def lapse(order: Order, cancel: Undo, as_of: datetime) -> Decision:
    """The default of each hold whose date has come; nothing, if there is none."""
    decision = Decision(order)
    for hold in open_holds(order):
        if hold.until is None or hold.until > as_of or hold.default is HoldDefault.WAIT:
            continue
        order = decision.order
        if hold.kind is HoldKind.CONSOLIDATION and _has_nothing(order, hold):
            until = as_of + _STILL_NOTHING
            text = f"{_what(order, hold)} is held until {moment(until)}: nothing has come yet ({_words(hold)})."
            told = Happening("order.hold_extended", text, as_of, _facts(hold), told=False)
            longer = _with(order, replace(hold, until=until), as_of)
            decision = Decision(longer, (*decision.happenings, told))
            continue
        if hold.default is HoldDefault.CANCEL and not _has_left(order):
            reason = f"nobody decided in time ({_words(hold)})"
            undone = _against(order, hold, HoldOutcome.LAPSED, reason, "", cancel, as_of)
            return replace(undone, happenings=(*decision.happenings, *undone.happenings))
        text = f"{_what(order, hold)} may go on: its date has come ({_words(hold)})."
        told = Happening(LAPSED, text, as_of, _facts(hold), told=False)
        ended = _ended(order, hold, HoldOutcome.LAPSED, as_of, (told,))
        decision = replace(ended, happenings=(*decision.happenings, *ended.happenings))
    return decision


def meet(order: Order, kind: HoldKind, fulfilment_id: str, as_of: datetime) -> Decision:
    """What holds of this kind waited for has come."""
    decision = Decision(order)
    for hold in open_holds(order):
        if hold.kind is kind and hold.fulfilment_id == fulfilment_id:
            text = f"{_what(order, hold)} may go on: what it waited for is there ({_words(hold)})."
            told = Happening("order.hold_met", text, as_of, _facts(hold), told=False)
            ended = _ended(decision.order, hold, HoldOutcome.MET, as_of, (told,))
            decision = replace(ended, happenings=(*decision.happenings, *ended.happenings))
    return decision


def expect(
    order: Order,
    fulfilment_id: str,
    reason: str,
    until: datetime | None,
    as_of: datetime,
    kind: HoldKind = HoldKind.STOCK,
) -> Order:
    """What the work waits for is less, or comes at another time; None: at one that nobody knows."""
    holds = tuple(
        replace(one, reason=reason, until=until or one.until)
        if one.kind is kind and one.fulfilment_id == fulfilment_id and one.ended_at is None
        else one
        for one in order.holds
    )
    return replace(order, holds=holds, updated_at=as_of)


def wait_longer(order: Order, fulfilment_id: str, joining: Sequence[Fulfilment], as_of: datetime) -> Order:
    """More comes to work at a hub that waits: as long after it is planned to be there as the rule says."""
    kind = HoldKind.CONSOLIDATION
    hold = next(one for one in open_holds(order) if one.kind is kind and one.fulfilment_id == fulfilment_id)
    longer = timedelta(seconds=rule_of(order.life_cycle, kind).seconds)
    ends = [one.window.end + longer for one in joining if one.window]
    until = max((hold.until, *ends)) if hold.until else None
    return expect(order, fulfilment_id, hold.reason, until, as_of, kind)


def following(order: Order, fulfilment_ids: Sequence[str], as_of: datetime) -> tuple[Order, tuple[Happening, ...]]:
    """Work that is to be done for another appointment is held until that asks for it, earlier or later.

    What had no hold because its time had come has one when it has not begun and the new time is to come. What
    somebody has let go stays so.
    """
    ahead = timedelta(seconds=order.life_cycle.prepare_ahead_seconds)
    after, told = order, list[Happening]()
    for work in order.fulfilments:
        begin = work.latest_start - ahead if work.latest_start else None
        if work.fulfilment_id not in fulfilment_ids or begin is None:
            continue
        its = [
            one
            for one in after.holds
            if one.kind is HoldKind.APPOINTMENT and one.fulfilment_id == work.fulfilment_id
        ]
        held = next((one for one in its if one.ended_at is None), None)
        if held and held.until != begin:
            # A time that has come already ends it with the next look.
            later = replace(held, until=max(begin, as_of))
            after = _with(after, later, as_of)
            text = f"{_what(order, held)} is held until {moment(begin)}: its appointment has moved."
            facts = {**_facts(held), "until": begin.isoformat()}
            told += [Happening("order.hold_extended", text, as_of, facts), *_waits_anew(after, later, as_of)]
        elif not its and begin > as_of and work.state is FulfilmentState.PLANNED:
            rule = rule_of(order.life_cycle, HoldKind.APPOINTMENT)
            new = _begun(after, rule, work.fulfilment_id, _FOR_ITS_DAY, as_of, begin - as_of)
            after = replace(after, holds=(*after.holds, new))
            told += [told_of_beginning(after, new), *_waits_anew(after, new, as_of)]
    return after, tuple(told)


def settled(decision: Decision, as_of: datetime) -> Decision:
    """The decision, without open holds of what it ended: nothing of that can go on."""
    order = decision.order
    if not open_holds(order):
        return decision
    at_work = {one.fulfilment_id for one in order.fulfilments if one.state in OPEN_FULFILMENT}
    stands = order.state in (OrderState.VALIDATED, OrderState.RELEASED)
    holds = tuple(
        one
        if one.ended_at or (stands and (not one.fulfilment_id or one.fulfilment_id in at_work))
        else replace(one, ended_at=as_of, outcome=HoldOutcome.GONE)
        for one in order.holds
    )
    return replace(decision, order=replace(order, holds=holds))


def _ended(
    order: Order,
    hold: Hold,
    outcome: HoldOutcome,
    as_of: datetime,
    happenings: tuple[Happening, ...],
    actor: str = "",
) -> Decision:
    """The hold ended, and who may go on because of it is told."""
    after = _with(order, replace(hold, ended_at=as_of, outcome=outcome, actor=actor), as_of)
    if after.state is OrderState.VALIDATED and holds_order(order) and not holds_order(after):
        text = "Nothing holds the order any more."
        return Decision(after, (*happenings, Happening(ALL_ENDED, text, as_of)))
    if after.state is not OrderState.RELEASED:
        return Decision(after, happenings)
    freed = {
        work.fulfilment_id: replace(work, let_go_at=as_of)
        for work in after.fulfilments
        if work.state is FulfilmentState.PLANNED and holds_work(order, work) and not holds_work(after, work)
    }
    works = tuple(freed.get(work.fulfilment_id, work) for work in after.fulfilments)
    told = tuple(
        Happening("fulfilment.hold_ended", f"The work of {work.point_id} may begin.", as_of, fulfilment=work)
        for work in freed.values()
    )
    return Decision(replace(after, fulfilments=works), (*happenings, *told))


def _against(
    order: Order, hold: Hold, outcome: HoldOutcome, reason: str, actor: str, cancel: Undo, as_of: datetime
) -> Decision:
    ended = _with(order, replace(hold, ended_at=as_of, outcome=outcome, actor=actor), as_of)
    undone = cancel(ended, reason, actor, as_of)
    text = f"It was decided against the order: {reason}."
    told = Happening("order.hold_refused", text, as_of, _facts(hold), actor=actor, told=False)
    return replace(undone, happenings=(told, *undone.happenings))


def _has_left(order: Order) -> bool:
    """What has left cannot be cancelled: the rest of it goes on. What was taken along has no part in this."""
    return rest_is_cancelled(order) or any(one.has_left for one in order.sent)


def _has_nothing(order: Order, hold: Hold) -> bool:
    """Whether the held work has no unit yet: all of it is still to come to its hub."""
    return not any(one.fulfilment_id == hold.fulfilment_id for one in order.ranges)


def _with(order: Order, hold: Hold, as_of: datetime) -> Order:
    holds = tuple(hold if one.hold_id == hold.hold_id else one for one in order.holds)
    return replace(order, holds=holds, updated_at=as_of)


def _what(order: Order, hold: Hold) -> str:
    return f"The work of {order.fulfilment(hold.fulfilment_id).point_id}" if hold.fulfilment_id else "The order"


def _words(hold: Hold) -> str:
    return hold.kind.value.replace("_", " ")


def _facts(hold: Hold) -> dict[str, str]:
    return {"hold_id": hold.hold_id, "kind": hold.kind.value, "fulfilment_id": hold.fulfilment_id}


def moment(instant: datetime) -> str:
    """As people read it."""
    return f"{instant:%-d %b %Y %H:%M %Z}"
