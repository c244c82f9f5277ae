"""An order as its customer may see it (SPEC ORD-8): how far it has come, when it arrives, what of it does not.

No personal data but the city and country that it goes to, and nothing of how the house works: who has a link, and
nobody else, reads this.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition
from kit.values.money import Money
from services.orders.domain import choosing, holds, watch
from services.orders.domain.model import (
    Appointment,
    Cause,
    Fulfilment,
    FulfilmentLine,
    HoldKind,
    Order,
    Parcel,
    Refund,
    Trial,
    UnitRange,
    Window,
)
from services.orders.domain.money_back import given_up
from services.orders.domain.order import request_cancellation
from services.orders.domain.plan import counted, counted_ranges
from services.orders.domain.ranges import LineRange, in_state
from services.orders.domain.states import (
    HOMELESS_UNITS,
    LEFT_THE_POINT,
    OPEN_FULFILMENT,
    UNDONE,
    FulfilmentState,
    OrderState,
    RefundState,
    UnitState,
)
from services.orders.domain.status import customer_status

# Whose time to cancel the customer has: an order's own channel passes the customer's wishes on.
CUSTOMER_ROLES = ("channel",)


class Step(StrEnum):
    """How far an order has come; an order that is over has none."""

    RECEIVED = "received"
    VALIDATED = "validated"
    PREPARING = "preparing"
    ON_ITS_WAY = "on_its_way"
    DELIVERED = "delivered"


class Stage(StrEnum):
    """How far a parcel has come."""

    WAITING = "waiting"
    PREPARING = "preparing"
    READY = "ready"
    ON_ITS_WAY = "on_its_way"
    # To the store at which it is collected.
    TO_STORE = "to_store"
    OUT_FOR_DELIVERY = "out_for_delivery"
    # The carrier met nobody, and tries again.
    ATTEMPTED = "attempted"
    DELIVERED = "delivered"
    TAKEN = "taken"
    # Ready at its store, and fetched there.
    TO_COLLECT = "to_collect"
    COLLECTED = "collected"
    LOST = "lost"
    RETURNING = "returning"
    RETURNED = "returned"


class ToPay(StrEnum):
    """What the customer still has to do for the payment."""

    CONFIRM = "confirm"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UnitsSeen:
    """So many units of a line, by the title of the article; `instead_of`: that of the one that was ordered."""

    line_number: int
    title: str
    quantity: int
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class ParcelSeen:
    """A parcel. `promised`, `expected`: while it is to come; `cause`: of one that comes later than promised."""

    stage: Stage
    units: tuple[UnitsSeen, ...]
    carrier_id: str = ""
    tracking_code: str = ""
    point_id: str = ""
    promised: Window | None = None
    expected: Window | None = None
    cause: Cause | None = None
    handed_over_at: datetime | None = None
    delivered_at: datetime | None = None
    failure_reason: str = ""
    # While it waits for units to come, or for a release date.
    waits_until: datetime | None = None
    released_at: datetime | None = None
    sent_again: bool = False
    # Of a lost one: reship or refund, once that is decided.
    decision: str = ""
    # Of what is ready at its store: until when it is kept. The code is made of the work, which is not shown.
    keep_until: datetime | None = None
    ready: Fulfilment | None = None


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """Money that goes back. `at`: when it was given back, or else asked for."""

    kind: str
    amount: Money
    is_done: bool
    at: datetime
    units: tuple[UnitsSeen, ...]


@dataclass(frozen=True, slots=True)
class TrialSeen:
    """What is tried at home; `trial` is None while something is still to arrive."""

    days: int
    trial: Trial | None
    announced: tuple[UnitsSeen, ...]
    back: tuple[UnitsSeen, ...]
    kept: tuple[UnitsSeen, ...]


@dataclass(frozen=True, slots=True)
class QuestionSeen:
    """What the customer is asked whose store does not have it all: at which other stores, or delivered."""

    units: tuple[UnitsSeen, ...]
    until: datetime
    point_ids: tuple[str, ...]
    may_deliver: bool


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """All that the page of an order says beside what the order itself says of channel, number and total."""

    step: Step | None
    promised: Window | None
    expected: Window | None
    late: bool
    parcels: tuple[ParcelSeen, ...]
    unplaced: tuple[UnitsSeen, ...]
    cancelled: tuple[UnitsSeen, ...]
    refunds: tuple[RefundSeen, ...]
    appointment: Appointment | None
    trial: TrialSeen | None
    payment: ToPay | None
    payment_url: str
    checking: bool
    changing: bool
    may_cancel: bool
    cooling_off_until: datetime | None
    questions: tuple[QuestionSeen, ...] = ()


def see(order: Order, payment_failed: bool, now: datetime) -> OrderSeen:
    """The order at this instant. `payment_failed`: money that is due could not be taken."""
    is_over = order.state in (*UNDONE, OrderState.REFUSED)
    outlooks = _outlooks(order, now)
    coming = [one for one in outlooks.values() if one.is_coming]
    expected = max((one.expected for one in coming), key=lambda one: one.end, default=None)
    kinds = set() if is_over else {one.kind for one in holds.open_holds(order) if not one.fulfilment_id}
    cooling_off = order.cooling_off_until
    questions = () if is_over else _questions(order)
    return OrderSeen(
        step=_step(order),
        promised=order.promise if coming else None,
        expected=expected,
        late=any(one.is_late for one in coming),
        parcels=tuple(
            _parcel(order, work, outlooks.get(work.fulfilment_id), now)
            for work in order.fulfilments
            if (not is_over and _is_shown(work)) or work.taken
        ),
        unplaced=() if is_over else _unplaced(order, questions),
        cancelled=_of_ranges(order, (*in_state(order.ranges, UnitState.CANCELLED), *given_up(order))),
        refunds=tuple(_refund(order, one) for one in order.refunds if one.state is not RefundState.SUPERSEDED),
        appointment=None if is_over or not _is_awaited(order) else order.appointment,
        trial=None if is_over else _trial(order),
        payment=_payment(order, HoldKind.PAYMENT in kinds or (payment_failed and not is_over)),
        payment_url=order.next_action_url,
        checking=bool(kinds & {HoldKind.FRAUD, HoldKind.MANUAL}),
        changing=HoldKind.CHANGE in kinds,
        may_cancel=_may_cancel(order, now),
        cooling_off_until=cooling_off if cooling_off and cooling_off > now else None,
        questions=questions,
    )


def _questions(order: Order) -> tuple[QuestionSeen, ...]:
    return tuple(
        QuestionSeen(
            units=_seen(order, counted(choosing.still_homeless(order, one))),
            until=one.until,
            point_ids=tuple(option.point_id for option in one.options if option.point_id),
            may_deliver=any(not option.point_id for option in one.options),
        )
        for one in order.choices
        if not one.kind
    )


def _unplaced(order: Order, questions: Iterable[QuestionSeen]) -> tuple[UnitsSeen, ...]:
    """Units for which we look for a place: none that was given up. Of those that he is asked about, he decides."""
    counts = counted_ranges(in_state(order.ranges, *HOMELESS_UNITS)) - counted_ranges(given_up(order))
    for question in questions:
        counts -= Counter({one.line_number: one.quantity for one in question.units})
    return _seen(order, counts)


# -- the order --------------------------------------------------------------------------------------------

_STEPS: Mapping[str, Step | None] = {
    "received": Step.RECEIVED,
    "action required": Step.RECEIVED,
    "shipped": Step.ON_ITS_WAY,
    "partially delivered": Step.ON_ITS_WAY,
    "lost": Step.ON_ITS_WAY,
    "delivered": Step.DELIVERED,
    "partially returned": Step.DELIVERED,
    "refused": None,
    "cancelled": None,
    "refunded": None,
    "returning": None,
    "returned": None,
}
_IN_HANDS = frozenset(
    {FulfilmentState.ACCEPTED, FulfilmentState.PICKED, FulfilmentState.READY, FulfilmentState.PACKED}
)


def _step(order: Order) -> Step | None:
    status = customer_status(order)
    if status in _STEPS:
        return _STEPS[status]
    begun = any(one.state in _IN_HANDS | LEFT_THE_POINT for one in order.sent)
    return Step.PREPARING if begun else Step.VALIDATED


def _outlooks(order: Order, now: datetime) -> dict[str, watch.Outlook]:
    """By fulfilment; none while nothing is promised, as to whom the carrier has missed."""
    is_missed = order.appointment is not None and order.appointment.missed_at is not None
    is_watched = order.state in (OrderState.VALIDATED, OrderState.RELEASED)
    if order.promise is None or is_missed or not is_watched:
        return {}
    return {one.work.fulfilment_id: one for one in watch.look(order, now)}


def _is_awaited(order: Order) -> bool:
    """Whether somebody is still to come with a parcel."""
    return any(one.state in OPEN_FULFILMENT | {FulfilmentState.HANDED_OVER} for one in order.sent)


def _payment(order: Order, has_failed: bool) -> ToPay | None:
    if order.state is OrderState.ACTION_REQUIRED:
        return ToPay.CONFIRM
    return ToPay.FAILED if has_failed else None


def _may_cancel(order: Order, now: datetime) -> bool:
    """As the rule itself says, tried on the order as it is."""
    if order.state in UNDONE:
        return False
    try:
        request_cancellation(order, "", "", now, CUSTOMER_ROLES)
    except FailedPrecondition:
        return False
    return True


# -- parcels ----------------------------------------------------------------------------------------------

_STAGES: Mapping[FulfilmentState, Stage] = {
    FulfilmentState.PLANNED: Stage.WAITING,
    FulfilmentState.OFFERED: Stage.WAITING,
    FulfilmentState.ACCEPTED: Stage.PREPARING,
    FulfilmentState.PICKED: Stage.PREPARING,
    FulfilmentState.READY: Stage.TO_COLLECT,
    FulfilmentState.PACKED: Stage.READY,
    FulfilmentState.HANDED_OVER: Stage.ON_ITS_WAY,
    FulfilmentState.DELIVERED: Stage.DELIVERED,
    FulfilmentState.LOST: Stage.LOST,
    FulfilmentState.DAMAGED: Stage.LOST,
    FulfilmentState.RETURNING: Stage.RETURNING,
    FulfilmentState.RETURNED: Stage.RETURNED,
}


def _is_shown(work: Fulfilment) -> bool:
    """What goes to a hub is the customer's parcel once the hub has it: until then it is being prepared, or under
    way to the store at which it is collected."""
    if work.joins:
        return work.state in OPEN_FULFILMENT | {FulfilmentState.HANDED_OVER}
    return work.state in OPEN_FULFILMENT | LEFT_THE_POINT and bool(work.lines)


def _parcel(order: Order, work: Fulfilment, outlook: watch.Outlook | None, now: datetime) -> ParcelSeen:
    if work.taken:
        return ParcelSeen(Stage.TAKEN, _of_lines(order, work.lines), point_id=work.point_id)
    has_left, parcel = work.has_left, work.parcel
    release = work.hand_over_from
    coming = outlook if outlook and outlook.is_coming else None
    is_ready = work.state is FulfilmentState.READY
    return ParcelSeen(
        stage=_stage(order, work),
        units=_of_lines(order, work.lines),
        carrier_id=work.carrier_id if has_left else "",
        tracking_code=parcel.tracking_code if has_left and parcel else "",
        promised=coming.promised if coming else None,
        expected=coming.expected if coming else None,
        cause=coming.cause if coming and coming.is_late else None,
        point_id=_store(order, work),
        handed_over_at=parcel.handed_over_at if parcel and has_left else None,
        delivered_at=parcel.delivered_at if parcel and has_left else None,
        failure_reason=parcel.failure_reason if parcel else "",
        waits_until=None if has_left else max((one.due_at for one in work.awaited), default=None),
        released_at=release if release and release > now and not has_left else None,
        sent_again=bool(work.replaces),
        decision=parcel.loss.decision if parcel and parcel.loss else "",
        keep_until=work.collection.keep_until if is_ready and work.collection else None,
        ready=work if is_ready else None,
    )


def _store(order: Order, work: Fulfilment) -> str:
    """Where its customer collects it; empty: it is brought."""
    there = next((one for one in order.fulfilments if one.fulfilment_id == work.joins), work)
    return there.point_id if there.is_collected else ""


def _stage(order: Order, work: Fulfilment) -> Stage:
    stage, parcel = _STAGES[work.state], work.parcel
    if work.joins and stage is Stage.ON_ITS_WAY and _store(order, work):
        return Stage.TO_STORE
    if work.joins:
        return stage if stage is Stage.WAITING else Stage.PREPARING
    if work.is_collected and stage is Stage.DELIVERED:
        return Stage.COLLECTED
    if stage is Stage.ON_ITS_WAY and parcel:
        return _last_heard(parcel)
    return stage


def _last_heard(parcel: Parcel) -> Stage:
    out, failed = parcel.out_for_delivery_at, parcel.delivery_failed_at
    if failed and (not out or failed >= out):
        return Stage.ATTEMPTED
    return Stage.OUT_FOR_DELIVERY if out else Stage.ON_ITS_WAY


# -- money and trials -------------------------------------------------------------------------------------


def _refund(order: Order, one: Refund) -> RefundSeen:
    is_done = one.state is RefundState.SUCCEEDED
    at = one.settled_at if is_done and one.settled_at else one.requested_at
    return RefundSeen(
        one.kind.value, Money(one.amount_minor, one.currency), is_done, at, _of_ranges(order, one.units)
    )


def _trial(order: Order) -> TrialSeen | None:
    terms = order.life_cycle.trial
    if terms is None:
        return None
    at_home = [one for one in order.ranges if order.trial]
    return TrialSeen(
        terms.days,
        order.trial,
        announced=_of_ranges(order, [one for one in at_home if one.state is UnitState.RETURNING]),
        back=_of_ranges(order, [one for one in at_home if one.state is UnitState.RETURNED]),
        kept=_of_ranges(order, order.trial.kept if order.trial else ()),
    )


# -- units ------------------------------------------------------------------------------------------------


def _of_ranges(order: Order, ranges: Iterable[LineRange | UnitRange]) -> tuple[UnitsSeen, ...]:
    counts: Counter[int] = Counter()
    for one in ranges:
        counts[one.line_number] += one.to_unit - one.from_unit
    return _seen(order, counts)


def _of_lines(order: Order, lines: Iterable[FulfilmentLine]) -> tuple[UnitsSeen, ...]:
    titles = {line.line_number: line.title or line.sku for line in order.content.lines}
    return tuple(
        UnitsSeen(one.line_number, one.title or one.sku, one.quantity, titles[one.line_number])
        if one.ordered_sku
        else UnitsSeen(one.line_number, titles[one.line_number], one.quantity)
        for one in sorted(lines, key=lambda one: one.line_number)
    )


def _seen(order: Order, counts: Mapping[int, int]) -> tuple[UnitsSeen, ...]:
    titles = {line.line_number: line.title or line.sku for line in order.content.lines}
    return tuple(UnitsSeen(number, titles[number], count) for number, count in sorted(counts.items()) if count)
