"""The promise of an order, watched: when each parcel can be expected, what of that is news, what lateness gives.

Everything that is asked of a plan when its milestones are missed came with the plan: nobody is called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit.values.allocation import share
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain import collecting, consolidating, parcels, trials
from services.orders.domain.model import (
    Cause,
    Decision,
    Fulfilment,
    Happening,
    LatenessRule,
    Order,
    ParcelPromise,
    PromiseChange,
    Window,
)
from services.orders.domain.money_back import given_up, lost_for_good
from services.orders.domain.pricing import BASIS_POINTS, shipping_minor
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import (
    OPEN_FULFILMENT,
    FulfilmentState,
    OrderState,
    UnitState,
)

_WATCHED = frozenset({OrderState.VALIDATED, OrderState.RELEASED})
# Parcels that the customer has or will get: work that was given up is not waited for.
_COMING = OPEN_FULFILMENT | {FulfilmentState.HANDED_OVER, FulfilmentState.DELIVERED}
_NOT_TAKEN = frozenset({FulfilmentState.PLANNED, FulfilmentState.OFFERED})
_DAY = timedelta(days=1)
_WORDS: Mapping[Cause, str] = {
    Cause.PLANNED_LATER: "it leaves from another place",
    Cause.HAND_OVER_MISSED: "it missed its collection",
    Cause.DELIVERY_MISSED: "the carrier did not deliver it in time",
    Cause.ARRIVAL_LATE: "what it waits for is late",
    Cause.IN_TIME: "it will be in time after all",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """A parcel at one instant: what was promised of it, and when it is expected.

    `look_at`: until then nothing changes by itself; None once it was delivered.
    """

    work: Fulfilment
    promised: Window
    expected: Window
    cause: Cause
    look_at: datetime | None

    @property
    def is_coming(self) -> bool:
        """Not delivered yet."""
        return self.look_at is not None

    @property
    def is_late(self) -> bool:
        """Whether it comes later than promised."""
        return self.cause is not Cause.IN_TIME


def judge(decision: Decision, now: datetime) -> Decision:
    """The decision, with what it means for trial and promise: news, what they give, and when to look again."""
    decision = collecting.follow(trials.follow(consolidating.follow(decision, now), now), now)
    order = decision.order
    promise = order.promise
    # Whom nobody met chooses another appointment: until then nothing is promised.
    is_missed = order.appointment is not None and order.appointment.missed_at is not None
    if promise is None or order.state not in _WATCHED or is_missed:
        return replace(decision, order=replace(order, watch_at=None, late_since=None))
    outlooks = look(order, now)
    late = any(one.is_late for one in outlooks if one.is_coming) or (order.late_since and _is_homeless(order))
    late = late or _is_lost(order)
    waits = (parcels.next_deadline(order), trials.next_date(order), collecting.next_date(order))
    dates = [*(one.look_at for one in outlooks), *waits]
    order = replace(
        order,
        late_since=(order.late_since or now) if late else None,
        watch_at=min((at for at in dates if at), default=None),
    )
    order, missed = _start_missed(order, outlooks, now)
    order, news = _news(order, promise, outlooks, now)
    order, due = _compensated(order, promise, outlooks, now)
    return replace(decision, order=order, happenings=(*decision.happenings, *missed, *news, *due))


# -- parcels ----------------------------------------------------------------------------------------------


def look(order: Order, now: datetime) -> tuple[Outlook, ...]:
    """Of each parcel that has a window, as things stand."""
    promise = order.promise
    assert promise is not None, "an order that is watched has a promise"
    tolerance = _tolerance(order)
    return tuple(
        _outlook(work, work.window, promise, tolerance, now)
        if not work.consolidates
        else _outlook_of_hub(order, work, work.window, promise, now)
        for work in order.fulfilments
        if work.state in _COMING and work.window and not work.joins
    )


def _outlook_of_hub(order: Order, work: Fulfilment, planned: Window, promise: Window, now: datetime) -> Outlook:
    """What waits for a late parcel of another point leaves as many days later."""
    tolerance = _tolerance(order)
    arrivals = [
        _outlook(one, one.window, one.window, tolerance, now)
        for one in consolidating.coming(order, work)
        if one.state in _COMING and one.window
    ]
    late = max((_whole_days(one.expected.end - one.promised.end) for one in arrivals), default=timedelta(0))
    if not late:
        own = _outlook(work, planned, promise, tolerance, now)
    else:
        window = Window(planned.start + late, planned.end + late)
        later = replace(work, hand_over_by=work.hand_over_by + late, next_hand_over_by=None, next_window=None)
        own = _outlook(later, window, min(planned, promise, key=_end), tolerance, now)
        if own.is_late and own.cause is Cause.PLANNED_LATER:
            own = replace(own, cause=Cause.ARRIVAL_LATE)
        own = replace(own, work=work)
    looks = [one.look_at for one in (own, *arrivals) if one.look_at]
    return replace(own, look_at=min(looks)) if own.look_at else own


def _whole_days(late: timedelta) -> timedelta:
    """Days by which a hub leaves later."""
    return -(-late // _DAY) * _DAY if late > timedelta(0) else timedelta(0)


def _outlook(work: Fulfilment, planned: Window, promise: Window, tolerance: timedelta, now: datetime) -> Outlook:
    promised = min(planned, promise, key=_end)
    arrived_at = work.parcel.delivered_at if work.parcel else None
    if work.collection:
        # What was promised is that it is ready; when its customer comes is up to him.
        arrived_at = work.collection.ready_at
    if arrived_at:
        if arrived_at <= promised.end + tolerance:
            return Outlook(work, promised, promised, Cause.IN_TIME, None)
        return Outlook(work, promised, Window(arrived_at, arrived_at), Cause.DELIVERY_MISSED, None)
    left_at = work.parcel.handed_over_at if work.parcel else None
    cut_off, expected = _collection(work, planned, (left_at or now) - tolerance)
    cause = Cause.PLANNED_LATER if cut_off == work.hand_over_by else Cause.HAND_OVER_MISSED
    if now - tolerance > expected.end:
        expected, cause = _shifted(expected, expected.end, now - tolerance), Cause.DELIVERY_MISSED
    look_at = expected.end if left_at else min(cut_off, expected.end)
    if start := _start_awaited(work, now - tolerance):
        look_at = min(look_at, start)
    if expected.end <= promised.end + tolerance:
        expected, cause = promised, Cause.IN_TIME
    return Outlook(work, promised, expected, cause, look_at + tolerance)


def _collection(work: Fulfilment, planned: Window, at: datetime) -> tuple[datetime, Window]:
    """The cut-off that a parcel meets which leaves then, and its window."""
    if at <= work.hand_over_by:
        return work.hand_over_by, planned
    cut_off, window = work.next_hand_over_by or work.hand_over_by, work.next_window or planned
    if at <= cut_off:
        return cut_off, window
    late = _days_after(cut_off, at)
    return cut_off + late, Window(window.start + late, window.end + late)


def _shifted(window: Window, due: datetime, at: datetime) -> Window:
    late = _days_after(due, at)
    return Window(window.start + late, window.end + late)


def _days_after(due: datetime, at: datetime) -> timedelta:
    """Days that bring `due` to `at` at least: 1, 2, 4 and so on, so that a long silence is not news every day."""
    days = _DAY
    while due + days < at:
        days *= 2
    return days


def _start_awaited(work: Fulfilment, now: datetime) -> datetime | None:
    """Until when somebody must take the work, if that is still to come."""
    start = work.latest_start if work.state in _NOT_TAKEN else None
    return start if start and now <= start else None


def _tolerance(order: Order) -> timedelta:
    return timedelta(seconds=order.life_cycle.promise_tolerance_seconds)


def _end(window: Window) -> datetime:
    return window.end


def _start_missed(order: Order, outlooks: Sequence[Outlook], now: datetime) -> tuple[Order, tuple[Happening, ...]]:
    """Work that nobody has taken although its time has come: a warning for people inside, and no new promise."""
    after: dict[str, Fulfilment] = {}
    happenings: list[Happening] = []
    for work in (one.work for one in outlooks if one.work.state in _NOT_TAKEN):
        start = work.latest_start
        if start and now > start + _tolerance(order) and not work.start_missed_at:
            missed = after[work.fulfilment_id] = replace(work, start_missed_at=now)
            text = f"{work.point_id} should have begun by {_moment(start)} to meet its collection."
            facts = {"latest_start": start.isoformat(), "hand_over_by": work.hand_over_by.isoformat()}
            happenings.append(Happening("fulfilment.start_missed", text, now, facts, fulfilment=missed))
    works = tuple(after.get(work.fulfilment_id, work) for work in order.fulfilments)
    return replace(order, fulfilments=works), tuple(happenings)


# -- news -------------------------------------------------------------------------------------------------


def is_news(promised: Window, told: Window, expected: Window, tolerance: timedelta) -> bool:
    """Whether somebody is told: it is later than told by more than `tolerance`, or in time again.

    Counted from what was told last, so that small steps add up. A delay that shrinks is no news.
    """
    if expected.end <= promised.end:
        return told.end > promised.end
    return expected.end - told.end > tolerance


def _news(
    order: Order, promise: Window, outlooks: Sequence[Outlook], now: datetime
) -> tuple[Order, tuple[Happening, ...]]:
    """Nobody is told of what was delivered, nor while units look for a place: their new plan tells."""
    told = order.current_promise or promise
    coming = [one for one in outlooks if one.is_coming]
    if not coming or _is_homeless(order) or _is_lost(order):
        return order, ()
    current = _current(promise, outlooks)
    tolerance = _tolerance(order)
    parcels = tuple(
        ParcelPromise(one.work.fulfilment_id, one.expected, one.cause)
        for one in coming
        if is_news(one.promised, _told(order, one, told), one.expected, tolerance)
    )
    of_these = current.end <= promise.end or any(one.is_late for one in coming)
    if not parcels and not (of_these and is_news(promise, told, current, tolerance)):
        return order, ()
    change = PromiseChange(now, current, parcels)
    after = replace(order, promise_changes=(*order.promise_changes, change), updated_at=now)
    return after, (_told_of(after, promise, change),)


def _current(promise: Window, outlooks: Sequence[Outlook]) -> Window:
    """Of the whole order: that of its last parcel when it is late, else what was accepted."""
    return max((promise, *(one.expected for one in outlooks)), key=_end)


def _is_homeless(order: Order) -> bool:
    return bool(in_state(order.ranges, UnitState.UNPLACED))


def _is_lost(order: Order) -> bool:
    """A parcel that is lost is late, until its units are sent again or refunded: then their new plan tells."""
    sent_again = (one for one in in_state(order.ranges, UnitState.UNPLACED) if one.fulfilment_id)
    gone = quantity(sent_again) + quantity(in_state(order.ranges, UnitState.LOST))
    return gone > quantity(given_up(order)) + quantity(lost_for_good(order))


def _told(order: Order, one: Outlook, told_of_order: Window) -> Window:
    """What was told last of a parcel. Work that replaces other work takes over what was told of that."""
    for change in reversed(order.promise_changes):
        for parcel in change.parcels:
            if parcel.fulfilment_id == one.work.fulfilment_id:
                return parcel.window
    return told_of_order if one.is_late and one.work.round > 1 else one.promised


def _told_of(order: Order, promise: Window, change: PromiseChange) -> Happening:
    points = {work.fulfilment_id: work.point_id for work in order.fulfilments}
    late = change.window.end > promise.end
    text = f"Delivery is now expected from {_moment(change.window.start)} to {_moment(change.window.end)}"
    text += "." if late else ", as promised."
    for one in change.parcels:
        where = f"from {_moment(one.window.start)} to {_moment(one.window.end)}"
        text += f" The parcel of {points[one.fulfilment_id]}: {where}, for {_WORDS[one.cause]}."
    parcels = [
        {
            "fulfilment_id": one.fulfilment_id,
            "point_id": points[one.fulfilment_id],
            "promise": _facts(one.window),
            "cause": one.cause.value,
        }
        for one in change.parcels
    ]
    facts = {"accepted": _facts(promise), "promise": _facts(change.window), "late": late, "parcels": parcels}
    return Happening("order.promise_changed", text, change.at, facts)


# -- compensation -----------------------------------------------------------------------------------------


def compensation_minor(fee_minor: int, late: timedelta, rules: Sequence[LatenessRule], given_minor: int) -> int:
    """What is due now: what the rules give for a delay, less what was given before.

    Nothing is taken back when the delay shrinks.
    """
    part = max((one.fee_basis_points for one in rules if late >= timedelta(seconds=one.late_seconds)), default=0)
    return max(0, share(fee_minor, BASIS_POINTS, 0, part) - given_minor)


def _compensated(
    order: Order, promise: Window, outlooks: Sequence[Outlook], now: datetime
) -> tuple[Order, tuple[Happening, ...]]:
    """An entitlement: the money itself moves elsewhere, once for each `compensation_id`."""
    late = _current(promise, outlooks).end - promise.end
    fee_minor = shipping_minor(order.content.lines)
    due = compensation_minor(fee_minor, late, order.life_cycle.lateness_rules, order.compensation_minor)
    if not due:
        return order, ()
    after = replace(order, compensation_minor=order.compensation_minor + due, updated_at=now)
    currency = order.content.total.currency
    text = f"{Money(due, currency)} of the delivery fee is due to the customer: the order is late."
    facts = {
        "compensation_id": derived_id("cmp", order.order_id, str(after.compensation_minor)),
        "amount_minor": due,
        "total_minor": after.compensation_minor,
        "currency": currency,
        "late_seconds": int(late.total_seconds()),
    }
    return after, (Happening("compensation.due", text, now, facts),)


def _facts(window: Window) -> dict[str, str]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}


def _moment(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M %Z}"
