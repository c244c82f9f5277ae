"""What customers are told of an order, and when that is not true any more (SPEC ORD-8, PRM-5).

A notification is about a milestone and a subject (a parcel, a refund, a change, an instant), and is said once in
each way that the life cycle has for it. It holds no personal data: who is told, and in which words, is read when
it is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from services.orders.domain import paying
from services.orders.domain.collecting import NOT_COLLECTED
from services.orders.domain.milestones import OF_TRIALS, Milestone, Way
from services.orders.domain.model import Buyer, Decision, Fulfilment, Happening, LifeCycle, Order
from services.orders.domain.states import UNDONE, FulfilmentState, OrderState, RefundState
from services.orders.domain.taking import rest_is_cancelled

# After the first try, the second one... and so on; after the last one it has failed. Half a day in all.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 180, 480))
MAX_ATTEMPTS = len(PAUSES) + 1

# Why something is not sent.
UNDONE_SINCE = "not_true_any_more"
NOT_WANTED = "not_wanted"
NO_ADDRESS = "no_address"
NO_SENDER = "no_sender"
GIVEN_UP = "given_up"


class NotificationState(StrEnum):
    """DROPPED: it is not to be sent, for its reason. FAILED: it could not be sent, and is not tried again."""

    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that a customer is told, one way.

    `facts`: what its words need beside the order, nothing personal.
    """

    notification_id: str
    order_id: str
    milestone: Milestone
    subject: str
    way: Way
    happened_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: NotificationState = NotificationState.DUE
    reason: str = ""
    attempts: int = 0
    next_try_at: datetime | None = None
    settled_at: datetime | None = None
    resends: int = 0
    resent_by: str = ""

    @property
    def message_id(self) -> str:
        """The same at each try: whoever gets it twice can tell. Another one when somebody had it sent again."""
        return f"{self.notification_id}.{self.resends}" if self.resends else self.notification_id


# -- what is told -----------------------------------------------------------------------------------------


def of(before: Order, decision: Decision) -> list[Notification]:
    """What a decision gives the customer to know, as the life cycle wants it, if it is so in the end."""
    after = decision.order
    ways = {rule.milestone: rule.ways for rule in after.life_cycle.notifications}
    if not ways:
        return []
    told = [(one, spoken) for one in decision.happenings if (spoken := _spoken(before, one))]
    milestones = {spoken.milestone for _, spoken in told}
    return [
        Notification(
            notification_id=derived_id("ntf", after.order_id, spoken.milestone, spoken.subject, way),
            order_id=after.order_id,
            milestone=spoken.milestone,
            subject=spoken.subject,
            way=way,
            happened_at=happening.at,
            facts=spoken.facts,
            next_try_at=after.updated_at,
        )
        for happening, spoken in told
        # A delay that changes the promise is told with the promise.
        if not (spoken.milestone is Milestone.STOCK_MOVED and Milestone.PROMISE_CHANGED in milestones)
        and stands(after, spoken.milestone, spoken.subject, spoken.facts)
        for way in ways.get(spoken.milestone, ())
    ]


@dataclass(frozen=True, slots=True)
class _Spoken:
    milestone: Milestone
    subject: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


# Kind of happening -> milestone, the fact that tells one from another (`at`: its instant; `work`: its fulfilment),
# and the facts that the words need.
_KINDS: Mapping[str, tuple[Milestone, Sequence[str], Sequence[str]]] = {
    "order.action_required": (Milestone.PAYMENT_NEEDED, (), ()),
    "order.validated": (Milestone.ACCEPTED, (), ()),
    "order.refused": (Milestone.NOT_ACCEPTED, (), ()),
    "order.payment_declined": (Milestone.PAYMENT_FAILED, ("at",), ()),
    "order.changed": (Milestone.CHANGED, ("change_id",), ()),
    "order.texts_changed": (Milestone.CHANGED, ("change_id",), ()),
    "order.change_refused": (Milestone.CHANGE_REFUSED, ("change_id",), ()),
    "order.address_changed": (Milestone.ADDRESS_CHANGED, ("change_id",), ()),
    "order.lines_cancelled": (Milestone.PART_CANCELLED, ("change_id",), ("lines",)),
    "order.units_cancelled": (Milestone.PART_CANCELLED, ("at",), ("lines",)),
    "order.units_lost": (Milestone.PART_CANCELLED, ("at",), ("lines",)),
    "order.cancelled": (Milestone.CANCELLED, (), ()),
    "order.closed": (Milestone.CANCELLED, (), ()),
    "order.promise_changed": (Milestone.PROMISE_CHANGED, ("at",), ("late",)),
    "order.supply_moved": (Milestone.STOCK_MOVED, ("supply_id", "at"), ("supply_id", "due_at")),
    "order.appointment_moved": (Milestone.APPOINTMENT_MOVED, ("at",), ("slot_id",)),
    "order.appointment_not_moved": (Milestone.APPOINTMENT_NOT_MOVED, ("at",), ()),
    "order.appointment_missed": (Milestone.APPOINTMENT_MISSED, ("at",), ()),
    "fulfilment.picked": (Milestone.SUBSTITUTED, ("work",), ()),
    "fulfilment.handed_over": (Milestone.SHIPPED, ("work",), ()),
    "parcel.out_for_delivery": (Milestone.OUT_FOR_DELIVERY, ("work", "at"), ()),
    "parcel.delivery_failed": (Milestone.DELIVERY_FAILED, ("work", "attempt"), ("attempt",)),
    "fulfilment.delivered": (Milestone.DELIVERED, ("work",), ()),
    "parcel.lost": (Milestone.PARCEL_LOST, ("work", "at"), ()),
    "parcel.damaged": (Milestone.PARCEL_LOST, ("work", "at"), ()),
    "parcel.loss_decided": (Milestone.SENT_AGAIN, ("work",), ()),
    "parcel.returning": (Milestone.RETURNING, ("work",), ()),
    "fulfilment.ready_for_collection": (Milestone.READY, ("work",), ()),
    "fulfilment.moved_to_counter": (Milestone.READY, ("work", "at"), ()),
    "fulfilment.collection_reminder": (Milestone.COLLECTION_REMINDER, ("work",), ()),
    "fulfilment.collected": (Milestone.COLLECTED, ("work",), ()),
    "order.customer_asked": (Milestone.CUSTOMER_ASKED, ("choice_id",), ("choice_id", "lines")),
    "order.refund_succeeded": (Milestone.REFUNDED, ("refund_id",), ()),
    "order.trial_begun": (Milestone.TRIAL_BEGUN, (), ()),
    "order.trial_reminder": (Milestone.TRIAL_REMINDER, (), ()),
    "order.trial_settled": (Milestone.TRIAL_SETTLED, (), ()),
}


def _spoken(before: Order, happening: Happening) -> _Spoken | None:
    """None of what customers are never told, or not in this case."""
    if happening.kind not in _KINDS:
        return None
    # An order closes at its end, of which nobody is told; or because all that was not taken along is cancelled.
    if happening.kind == "order.closed" and before.state is not OrderState.CANCELLING:
        return None
    # As long as it is tried for again, nothing is asked of the customer.
    if happening.kind == "order.payment_declined" and happening.facts.get("next_try_at"):
        return None
    # Of a pick they are told what is not as they ordered.
    if happening.kind == "fulfilment.picked" and not happening.facts.get("substituted"):
        return None
    milestone, subject, facts = _KINDS[happening.kind]
    if happening.facts.get("reason") == NOT_COLLECTED and milestone is Milestone.PART_CANCELLED:
        milestone = Milestone.NOT_COLLECTED
    known = {**happening.facts, "at": happening.at.isoformat()}
    if happening.fulfilment:
        known["work"] = happening.fulfilment.fulfilment_id
    kept = {name: known[name] for name in facts} | {
        name: known[name] for name in ("at", "work") if name in subject
    }
    return _Spoken(milestone, "/".join(str(known[name]) for name in subject), kept)


# -- whether it is still so -------------------------------------------------------------------------------


def stands(order: Order, milestone: Milestone, subject: str, facts: Mapping[str, Any]) -> bool:
    """Whether the step still stands, and nothing newer says more of the same."""
    if milestone in _OF_PARCELS:
        work = next((one for one in order.fulfilments if one.fulfilment_id == facts.get("work")), None)
        return work is not None and _OF_PARCELS[milestone](work, facts)
    if milestone is Milestone.REFUNDED:
        return any(one.refund_id == subject and one.state is RefundState.SUCCEEDED for one in order.refunds)
    return _OF_ORDERS.get(milestone, _lives)(order, facts)


def _instant(facts: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(facts["at"])


def _lives(order: Order, _: Mapping[str, Any]) -> bool:
    """It is not undone as a whole: then that is said, and all else is said with it."""
    return order.state not in (*UNDONE, OrderState.REFUSED)


def _is_cancelled(order: Order, _: Mapping[str, Any]) -> bool:
    return order.state is OrderState.CANCELLED or rest_is_cancelled(order)


def _is_promised(order: Order, facts: Mapping[str, Any]) -> bool:
    return _lives(order, facts) and bool(order.promise_changes) and order.promise_changes[-1].at == _instant(facts)


def _is_awaited(order: Order, facts: Mapping[str, Any]) -> bool:
    """The units are waited for until then; without a date, until anybody says one."""
    due_at = datetime.fromisoformat(facts["due_at"]) if facts["due_at"] else None
    dates = [
        one.due_at for work in order.fulfilments for one in work.awaited if one.supply_id == facts["supply_id"]
    ]
    return _lives(order, facts) and bool(dates) and (due_at is None or due_at in dates)


def _is_met(order: Order, facts: Mapping[str, Any]) -> bool:
    """In the slot that it was moved to."""
    appointment = order.appointment
    if appointment is None or appointment.missed_at:
        return False
    return _lives(order, facts) and appointment.slot.slot_id == facts["slot_id"]


def _is_not_moved(order: Order, facts: Mapping[str, Any]) -> bool:
    appointment = order.appointment
    return _lives(order, facts) and bool(appointment and appointment.refusal and not appointment.wanted_slot_id)


def _is_missed(order: Order, facts: Mapping[str, Any]) -> bool:
    appointment = order.appointment
    return _lives(order, facts) and appointment is not None and appointment.missed_at == _instant(facts)


def _is_tried(order: Order, facts: Mapping[str, Any]) -> bool:
    return _lives(order, facts) and order.trial is not None and not order.trial.settled_at


def _is_asked(order: Order, facts: Mapping[str, Any]) -> bool:
    choices = [one for one in order.choices if one.choice_id == facts["choice_id"]]
    return _lives(order, facts) and any(not one.kind for one in choices)


_OF_ORDERS: Mapping[Milestone, Callable[[Order, Mapping[str, Any]], bool]] = {
    Milestone.PAYMENT_NEEDED: lambda order, _: order.state is OrderState.ACTION_REQUIRED,
    Milestone.NOT_ACCEPTED: lambda order, _: order.state is OrderState.REFUSED,
    Milestone.PAYMENT_FAILED: lambda order, facts: _lives(order, facts) and paying.is_kept(order),
    Milestone.CANCELLED: _is_cancelled,
    Milestone.PROMISE_CHANGED: _is_promised,
    Milestone.STOCK_MOVED: _is_awaited,
    Milestone.APPOINTMENT_MOVED: _is_met,
    Milestone.APPOINTMENT_NOT_MOVED: _is_not_moved,
    Milestone.APPOINTMENT_MISSED: _is_missed,
    Milestone.CUSTOMER_ASKED: _is_asked,
    # Nobody has anything of it any more, and is told so whatever becomes of the order.
    Milestone.NOT_COLLECTED: lambda _order, _facts: True,
    Milestone.TRIAL_BEGUN: _is_tried,
    Milestone.TRIAL_REMINDER: _is_tried,
}


def _is_out(work: Fulfilment, facts: Mapping[str, Any]) -> bool:
    """The carrier still has it in the van of that day."""
    parcel, at = work.parcel, _instant(facts)
    if work.state is not FulfilmentState.HANDED_OVER or parcel is None or parcel.out_for_delivery_at != at:
        return False
    return parcel.delivery_failed_at is None or parcel.delivery_failed_at < at


def _has_failed(work: Fulfilment, facts: Mapping[str, Any]) -> bool:
    """It was not tried again since."""
    parcel = work.parcel
    if work.state is not FulfilmentState.HANDED_OVER or parcel is None or parcel.delivery_failed_at is None:
        return False
    out = parcel.out_for_delivery_at
    return parcel.failed_deliveries == facts["attempt"] and (out is None or out <= parcel.delivery_failed_at)


def _is_lost(work: Fulfilment, _: Mapping[str, Any]) -> bool:
    """And not sent again, which is news of its own."""
    loss = work.parcel.loss if work.parcel else None
    is_gone = work.state in (FulfilmentState.LOST, FulfilmentState.DAMAGED)
    return is_gone and loss is not None and loss.decision != "reship"


def _is_sent_again(work: Fulfilment, _: Mapping[str, Any]) -> bool:
    return bool(work.parcel and work.parcel.loss and work.parcel.loss.decision == "reship")


_OF_PARCELS: Mapping[Milestone, Callable[[Fulfilment, Mapping[str, Any]], bool]] = {
    Milestone.SUBSTITUTED: lambda work, _: work.state is not FulfilmentState.CANCELLED,
    Milestone.SHIPPED: lambda work, _: work.state in (FulfilmentState.HANDED_OVER, FulfilmentState.DELIVERED),
    Milestone.OUT_FOR_DELIVERY: _is_out,
    Milestone.DELIVERY_FAILED: _has_failed,
    Milestone.DELIVERED: lambda work, _: work.state is FulfilmentState.DELIVERED,
    Milestone.PARCEL_LOST: _is_lost,
    Milestone.SENT_AGAIN: _is_sent_again,
    Milestone.READY: lambda work, _: work.state is FulfilmentState.READY,
    Milestone.COLLECTION_REMINDER: lambda work, _: work.state is FulfilmentState.READY,
    Milestone.COLLECTED: lambda work, _: work.state is FulfilmentState.DELIVERED,
    Milestone.RETURNING: lambda work, _: work.state in (FulfilmentState.RETURNING, FulfilmentState.RETURNED),
}


# -- who is told, and when --------------------------------------------------------------------------------


def why_not(order: Order, buyer: Buyer, one: Notification) -> str:
    """Why this is not sent; empty when it is."""
    if not stands(order, one.milestone, one.subject, one.facts):
        return UNDONE_SINCE
    wanted = buyer.customer.notify_by
    if wanted and one.way not in wanted:
        return NOT_WANTED
    return "" if address_of(buyer, one.way) else NO_ADDRESS


def address_of(buyer: Buyer, way: Way) -> str:
    """Where the customer is told; empty when that is not known, or was erased."""
    return (buyer.customer.email if way is Way.MAIL else buyer.customer.phone).strip()


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From this hour of a day until that one, mostly of the next, nobody is woken. The same twice: never."""

    begin: int = 21
    end: int = 8

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When they end; None while it is not quiet."""
        local = now.astimezone(zone)
        ends = local.replace(hour=self.end, minute=0, second=0, microsecond=0)
        is_late, is_early = local.hour >= self.begin, local.hour < self.end
        is_quiet = (is_late or is_early) if self.begin > self.end else (is_late and is_early)
        if not is_quiet:
            return None
        return ends + timedelta(days=1) if self.begin > self.end and is_late else ends


def after_failure(one: Notification, now: datetime) -> datetime | None:
    """When it is tried again after as many attempts; None: not any more."""
    return now + PAUSES[one.attempts - 1] if one.attempts < MAX_ATTEMPTS else None


def check_resend(order: Order, one: Notification) -> None:
    """Raises FailedPrecondition: STILL_DUE, NOT_TRUE_ANY_MORE."""
    if one.state is NotificationState.DUE:
        raise FailedPrecondition("STILL_DUE", "it is still to be sent", field="notification_id")
    if not stands(order, one.milestone, one.subject, one.facts):
        raise FailedPrecondition(
            "NOT_TRUE_ANY_MORE", "what it says was undone, or something newer replaced it", field="notification_id"
        )


# -- what may be configured -------------------------------------------------------------------------------


def check_life_cycle(one: LifeCycle) -> None:
    """Raises InvalidArgument, naming the field."""
    seen: set[Milestone] = set()
    for i, rule in enumerate(one.notifications):
        path = f"life_cycle.notifications[{i}]"
        if rule.milestone in seen:
            raise InvalidArgument(f"{path}.milestone", "a milestone has one rule")
        seen.add(rule.milestone)
        if len(set(rule.ways)) < len(rule.ways):
            raise InvalidArgument(f"{path}.ways", "each way once")
        if rule.milestone in OF_TRIALS and one.trial is None:
            raise InvalidArgument(f"{path}.milestone", "nothing is tried at home in this life cycle")
