"""What customers are told, said once, and when it is not true any more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import fulfilment, notifications, order, parcels, settings
from services.orders.domain.milestones import Milestone, NotificationRule, Way, check_wishes
from services.orders.domain.model import (
    Appointment,
    AwaitedUnits,
    CaptureMoment,
    Cause,
    Customer,
    Decision,
    Happening,
    LifeCycle,
    LostParcel,
    Order,
    Parcel,
    ParcelPromise,
    PromiseChange,
    Refusal,
    Slot,
    Trial,
    TrialTerms,
)
from services.orders.domain.notifications import (
    MAX_ATTEMPTS,
    NO_ADDRESS,
    NOT_WANTED,
    UNDONE_SINCE,
    Notification,
    NotificationState,
    QuietHours,
)
from services.orders.domain.parcels import Scan
from services.orders.domain.states import CaptureState, OrderState
from services.orders.domain.watch import judge
from tests.services.orders.builders import BUYER, LIFE_CYCLE, NOON, PROMISE, accepted, found, leg, line, recorded

HOUR = timedelta(hours=1)
TALKATIVE = replace(LIFE_CYCLE, notifications=tuple(NotificationRule(one, (Way.MAIL,)) for one in Milestone))


def told(before: Order, decision: Decision) -> list[str]:
    return [one.milestone.value for one in notifications.of(before, decision)]


def standing(life_cycle: LifeCycle = TALKATIVE) -> Order:
    """Accepted, and in preparation."""
    made = accepted(recorded(life_cycle=life_cycle), leg((1, 2))).order
    return order.release(made, NOON + HOUR).order


def parcel_of(one: Order) -> Parcel:
    parcel = one.fulfilments[0].parcel
    assert parcel is not None
    return parcel


def gone(one: Order) -> tuple[Order, Decision]:
    """The order before and after its parcel was handed over, without its money."""
    work = fulfilment.offer(one, one.fulfilments[0], NOON).order.fulfilments[0]
    one = fulfilment.accept_offer(replace(one, fulfilments=(work,)), work, "", NOON).order
    one = fulfilment.record_pick(one, one.fulfilments[0], found((1, 2)), "", NOON).order
    one = fulfilment.close_parcel(one, one.fulfilments[0], 500, "", NOON).order
    paid = replace(parcel_of(one), capture_state=CaptureState.CAPTURED)
    one = replace(one, fulfilments=(replace(one.fulfilments[0], parcel=paid),))
    return one, fulfilment.hand_over(one, one.fulfilments[0], "T1", "", NOON)


def scanned(one: Order, status: str, hours: int, **more: Any) -> Decision:
    at = NOON + hours * HOUR
    return parcels.carrier_event(one, one.fulfilments[0], Scan(f"e{hours}", "T1", status, at, **more), at)


def still(one: Order, said: Sequence[Notification]) -> list[bool]:
    return [notifications.stands(one, each.milestone, each.subject, each.facts) for each in said]


def test_each_step_is_told_in_each_way_that_its_life_cycle_has_for_it_and_no_other() -> None:
    both = NotificationRule(Milestone.ACCEPTED, (Way.MAIL, Way.SMS))
    silent = NotificationRule(Milestone.SHIPPED, ())
    before = recorded(life_cycle=replace(LIFE_CYCLE, notifications=(both, silent)))
    decision = accepted(before, leg((1, 2)))
    said = notifications.of(before, decision)
    assert [(one.milestone, one.way, one.next_try_at) for one in said] == [
        (Milestone.ACCEPTED, Way.MAIL, NOON),
        (Milestone.ACCEPTED, Way.SMS, NOON),
    ]
    assert len({one.notification_id for one in said}) == 2
    assert notifications.of(before, decision) == said
    assert notifications.of(*gone(replace(standing(), life_cycle=before.life_cycle))) == []
    quiet = recorded()
    assert notifications.of(quiet, accepted(quiet, leg((1, 2)))) == []


def test_an_acceptance_that_was_cancelled_meanwhile_is_not_told() -> None:
    before = recorded(life_cycle=TALKATIVE)
    decision = accepted(before, leg((1, 2)))
    [said] = notifications.of(before, decision)
    cancelling = order.request_cancellation(decision.order, "no more", "", NOON)
    assert still(decision.order, [said]) == [True]
    assert still(cancelling.order, [said]) == [False]
    assert told(decision.order, cancelling) == []
    assert told(cancelling.order, order.complete_cancellation(cancelling.order, NOON)) == ["cancelled"]


def test_the_end_of_an_order_is_no_news_but_the_end_of_its_cancelled_rest_is() -> None:
    along = replace(line(1), taken_at_point_id="store-lyon")
    mixed = accepted(recorded(along, line(2), life_cycle=TALKATIVE), leg((2, 2))).order
    cancelling = order.request_cancellation(mixed, "", "", NOON).order
    assert told(cancelling, order.complete_cancellation(cancelling, NOON)) == ["cancelled"]
    _, left = gone(standing())
    arrived = scanned(left.order, "delivered", 3).order
    closed = order.close(arrived, NOON + 4 * HOUR)
    assert [one.kind for one in closed.happenings] == ["order.closed"]
    assert told(arrived, closed) == []


def test_a_refused_order_is_told_and_one_that_waits_for_its_bank() -> None:
    before = recorded(life_cycle=TALKATIVE)
    waiting = order.require_payment_action(before, "https://bank.example/3ds", NOON)
    [said] = notifications.of(before, waiting)
    assert said.milestone is Milestone.PAYMENT_NEEDED
    assert "bank.example" not in str(said)
    done = accepted(waiting.order, leg((1, 2)))
    assert still(done.order, [said]) == [False]
    assert told(waiting.order, done) == ["accepted"]
    refused = order.refuse(before, Refusal("PAYMENT_DECLINED", ""), NOON)
    assert told(before, refused) == ["not_accepted"]


def test_a_parcel_is_told_of_at_each_step_and_no_step_after_it_is_over() -> None:
    one, left = gone(standing())
    shipped = notifications.of(one, left)
    assert [(each.milestone, each.facts) for each in shipped] == [
        (Milestone.SHIPPED, {"work": one.fulfilments[0].fulfilment_id})
    ]
    out = scanned(left.order, "out_for_delivery", 1)
    is_out = notifications.of(left.order, out)
    missed = scanned(out.order, "delivery_failed", 2, reason="recipient_absent")
    failed = notifications.of(out.order, missed)
    assert [each.milestone for each in (*is_out, *failed)] == ["out_for_delivery", "delivery_failed"]
    assert still(missed.order, [*shipped, *is_out, *failed]) == [True, False, True]
    again = scanned(missed.order, "out_for_delivery", 26)
    assert notifications.of(missed.order, again)[0].notification_id != is_out[0].notification_id
    assert still(again.order, failed) == [False]
    home = scanned(again.order, "delivered", 30)
    assert told(again.order, home) == ["delivered"]
    assert still(home.order, [*shipped, *is_out, *failed]) == [True, False, False]
    assert told(home.order, scanned(home.order, "delivered", 31)) == []


def test_a_loss_is_told_with_what_was_decided_or_only_that_it_is_sent_again() -> None:
    asked = gone(standing())[1].order
    lost = scanned(asked, "lost", 5)
    said = notifications.of(asked, lost)
    assert [each.milestone for each in said] == ["parcel_lost"]
    reshipped = parcels.decide(lost.order, lost.order.fulfilments[0], "reship", "", NOON + 6 * HOUR)
    assert told(lost.order, reshipped) == ["sent_again"]
    assert still(reshipped.order, said) == [False]
    refunded = parcels.decide(lost.order, lost.order.fulfilments[0], "refund", "", NOON + 6 * HOUR)
    assert told(lost.order, refunded) == []
    assert still(refunded.order, said) == [True]
    at_once = gone(standing(replace(TALKATIVE, lost_parcel=LostParcel.RESHIP)))[1].order
    assert told(at_once, scanned(at_once, "lost", 5)) == ["sent_again"]
    found_again = scanned(lost.order, "in_transit", 7)
    assert still(found_again.order, said) == [False]
    back = scanned(asked, "returning", 5, reason="refused")
    assert told(asked, back) == ["returning"]


def test_a_change_of_the_promise_is_told_once_and_the_newest_only() -> None:
    one = standing()
    late = judge(Decision(one), NOON + timedelta(days=9))
    [said] = [each for each in notifications.of(one, late) if each.milestone is Milestone.PROMISE_CHANGED]
    assert said.facts["late"] is True
    assert notifications.of(late.order, judge(Decision(late.order), NOON + timedelta(days=9))) == []
    newer = PromiseChange(
        NOON + timedelta(days=10),
        PROMISE,
        (ParcelPromise(one.fulfilments[0].fulfilment_id, PROMISE, Cause.IN_TIME),),
    )
    after = replace(late.order, promise_changes=(*late.order.promise_changes, newer))
    assert (still(late.order, [said]), still(after, [said])) == ([True], [False])


def test_stock_that_moves_is_told_unless_the_promise_moves_with_it() -> None:
    one = standing()
    waiting = AwaitedUnits(1, "SKU-1", 2, "sup_1", NOON + timedelta(days=1))
    work = replace(one.fulfilments[0], awaited=(waiting,))
    one = replace(one, fulfilments=(work,))
    facts = {"supply_id": "sup_1", "due_at": waiting.due_at.isoformat()}
    moved = Happening("order.supply_moved", "", NOON, facts)
    changed = Happening("order.promise_changed", "", NOON, {"late": True})
    promised = replace(one, promise_changes=(PromiseChange(NOON, PROMISE, ()),))
    assert told(one, Decision(one, (moved,))) == ["stock_moved"]
    assert told(one, Decision(promised, (moved, changed))) == ["promise_changed"]
    [said] = notifications.of(one, Decision(one, (moved,)))
    later = replace(work, awaited=(replace(waiting, due_at=NOON + timedelta(days=2)),))
    assert still(replace(one, fulfilments=(later,)), [said]) == [False]
    assert still(replace(one, fulfilments=(replace(work, awaited=()),)), [said]) == [False]


def test_an_appointment_is_told_as_it_is() -> None:
    slot = Slot("slot-1", NOON.date(), PROMISE)
    met = replace(standing(), appointment=Appointment("bkg_1", slot, NOON.date()))
    assert met.appointment is not None
    moved = Decision(met, (Happening("order.appointment_moved", "", NOON, {"slot_id": "slot-1"}),))
    [said] = notifications.of(met, moved)
    other = replace(met, appointment=replace(met.appointment, slot=replace(slot, slot_id="slot-2")))
    absent = replace(met, appointment=replace(met.appointment, missed_at=NOON))
    assert [*still(met, [said]), *still(other, [said]), *still(absent, [said])] == [True, False, False]
    assert told(
        met, Decision(absent, (Happening("order.appointment_missed", "", NOON, {"slot_id": "slot-1"}),))
    ) == ["appointment_missed"]
    stayed = replace(met, appointment=replace(met.appointment, refusal="SLOT_FULL"))
    kept = Decision(stayed, (Happening("order.appointment_not_moved", "", NOON, {"slot_id": "slot-2"}),))
    assert told(met, kept) == ["appointment_not_moved"]


def test_a_payment_that_is_tried_again_by_itself_is_not_told() -> None:
    kept = replace(standing(), payment_outcome="saved")
    again = Happening("order.payment_declined", "", NOON, {"reason": "x", "next_try_at": NOON.isoformat()})
    last = replace(again, facts={"reason": "x", "next_try_at": None})
    assert told(kept, Decision(kept, (again,))) == []
    assert told(kept, Decision(kept, (last,))) == ["payment_failed"]
    [said] = notifications.of(kept, Decision(kept, (last,)))
    assert still(replace(kept, payment_outcome="authorized"), [said]) == [False]


def test_a_reminder_of_a_trial_is_not_told_after_its_end() -> None:
    trial = Trial(NOON, NOON + timedelta(days=7), NOON + timedelta(days=5))
    tried = replace(standing(), trial=trial)
    reminded = Decision(tried, (Happening("order.trial_reminder", "", NOON, {}),))
    [said] = notifications.of(tried, reminded)
    assert still(replace(tried, trial=replace(trial, settled_at=NOON)), [said]) == [False]


# -- who is told, and when --------------------------------------------------------------------------------


def test_a_customer_is_told_as_he_wants_where_he_can_be_reached() -> None:
    one, left = gone(standing())
    [mail] = notifications.of(one, left)
    sms = replace(mail, way=Way.SMS)

    def why(said: Notification, **changes: Any) -> str:
        buyer = replace(BUYER, customer=replace(BUYER.customer, **changes))
        return notifications.why_not(left.order, buyer, said)

    assert (why(mail), why(sms)) == ("", "")
    assert (why(mail, notify_by=("sms",)), why(sms, notify_by=("sms",))) == (NOT_WANTED, "")
    assert (why(mail, notify_by=("none",)), why(sms, notify_by=("none",))) == (NOT_WANTED, NOT_WANTED)
    assert (why(mail, email=" "), why(sms, phone="")) == (NO_ADDRESS, NO_ADDRESS)
    undone = replace(left.order, state=OrderState.CANCELLED)
    accepted_before = replace(mail, milestone=Milestone.ACCEPTED, subject="", facts={})
    assert notifications.why_not(undone, BUYER, accepted_before) == UNDONE_SINCE


@pytest.mark.parametrize(
    ("hours", "at", "until"),
    [
        (QuietHours(21, 8), "2026-11-20T19:59", None),
        (QuietHours(21, 8), "2026-11-20T20:00", "2026-11-21T07:00"),
        (QuietHours(21, 8), "2026-11-21T06:59", "2026-11-21T07:00"),
        (QuietHours(21, 8), "2026-11-21T07:00", None),
        (QuietHours(12, 14), "2026-11-20T11:30", "2026-11-20T13:00"),
        (QuietHours(12, 14), "2026-11-20T13:00", None),
    ],
)
def test_nobody_is_woken_by_the_clock_of_where_he_lives(hours: QuietHours, at: str, until: str | None) -> None:
    """Paris is an hour ahead of these."""
    ends = hours.until(datetime.fromisoformat(at).replace(tzinfo=UTC), ZoneInfo("Europe/Paris"))
    assert ends == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


def test_pauses_grow_until_it_has_failed() -> None:
    [one] = notifications.of(recorded(life_cycle=TALKATIVE), accepted(recorded(life_cycle=TALKATIVE), leg((1, 2))))
    tries = [notifications.after_failure(replace(one, attempts=n), NOON) for n in range(1, MAX_ATTEMPTS + 1)]
    pauses = [at - NOON for at in tries if at]
    assert pauses == sorted(set(pauses))
    assert (len(pauses), tries[-1]) == (MAX_ATTEMPTS - 1, None)


def test_what_was_sent_is_sent_again_as_a_message_of_its_own_while_it_is_true() -> None:
    before = recorded(life_cycle=TALKATIVE)
    decision = accepted(before, leg((1, 2)))
    [one] = notifications.of(before, decision)
    with pytest.raises(FailedPrecondition, match="still"):
        notifications.check_resend(decision.order, one)
    sent = replace(one, state=NotificationState.SENT, resends=1)
    notifications.check_resend(decision.order, sent)
    assert sent.message_id != one.message_id
    undone = order.request_cancellation(decision.order, "", "", NOON).order
    with pytest.raises(FailedPrecondition) as caught:
        notifications.check_resend(undone, sent)
    assert caught.value.reason == "NOT_TRUE_ANY_MORE"


# -- what may be configured -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ([(Milestone.SHIPPED, ()), (Milestone.SHIPPED, (Way.MAIL,))], "notifications[1].milestone"),
        ([(Milestone.SHIPPED, (Way.MAIL, Way.MAIL))], "notifications[0].ways"),
        ([(Milestone.TRIAL_BEGUN, (Way.MAIL,))], "notifications[0].milestone"),
    ],
)
def test_a_life_cycle_says_each_thing_once(rules: list[tuple[Milestone, tuple[Way, ...]]], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        settings.check_life_cycle(
            replace(LIFE_CYCLE, notifications=tuple(NotificationRule(*one) for one in rules))
        )
    assert caught.value.facts["field"] == f"life_cycle.{field}"


def test_a_trial_may_be_told_where_there_is_one() -> None:
    tried = replace(LIFE_CYCLE, capture_at=CaptureMoment.TRIAL, trial=TrialTerms(), lost_after_days=7)
    settings.check_life_cycle(
        replace(tried, notifications=(NotificationRule(Milestone.TRIAL_BEGUN, (Way.MAIL,)),))
    )


@pytest.mark.parametrize(
    ("language", "notify_by", "field"),
    [
        ("FR", (), "language"),
        ("fra", (), "language"),
        ("1a", (), "language"),
        ("", ("fax",), "notify_by[0]"),
        ("", ("sms", "sms"), "notify_by[1]"),
        ("", ("mail", "none"), "notify_by"),
    ],
)
def test_wishes_that_nobody_could_follow_are_refused(
    language: str, notify_by: tuple[str, ...], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_wishes(language, notify_by)
    assert caught.value.facts["field"] == f"customer.{field}"
    check_wishes("fr", ("mail", "sms"))


def test_no_wish_is_in_a_representation() -> None:
    assert "sms" not in repr(Customer(notify_by=("sms",), language="fr"))
