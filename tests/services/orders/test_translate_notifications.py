"""What is said of notifications on the wire, and that orders of before are still known by their digests."""

from dataclasses import replace

import pytest

from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders import store
from services.orders import translate as to
from services.orders.domain.milestones import Milestone, NotificationRule, Way
from services.orders.domain.notifications import Notification, NotificationState
from services.orders.translate_notifications import from_notification
from tests.services.orders.builders import BUYER, LIFE_CYCLE, NOON, content, recorded


def test_a_life_cycle_says_the_same_on_the_wire_and_names_what_it_cannot_be() -> None:
    rules = tuple(NotificationRule(one, (Way.SMS, Way.MAIL)) for one in Milestone)
    told = replace(LIFE_CYCLE, notifications=(*rules[1:], NotificationRule(rules[0].milestone, ())))
    assert to.to_life_cycle(to.from_life_cycle(told)) == told
    for rule, field in (
        (pb.NotificationRule(milestone="sold"), "notifications[0].milestone"),
        (pb.NotificationRule(milestone="shipped", ways=["mail", "fax"]), "notifications[0].ways[1]"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            to.to_life_cycle(pb.LifeCycle(notifications=[rule]))
        assert caught.value.facts["field"] == f"life_cycle.{field}"


def test_a_story_is_not_told_what_its_customer_is() -> None:
    told = replace(LIFE_CYCLE, notifications=(NotificationRule(Milestone.SHIPPED, (Way.MAIL,)),))
    facts = to.from_facts(store.view(recorded(life_cycle=told), BUYER))
    assert facts.life_cycle.life_cycle_id == told.life_cycle_id
    assert not facts.life_cycle.notifications


def test_wishes_come_through_and_orders_without_any_keep_their_digest() -> None:
    wishes = replace(BUYER.customer, language="fr", notify_by=("sms",))
    shown = to.from_view(store.view(recorded(), replace(BUYER, customer=wishes))).content
    assert to.to_buyer(shown).customer == wishes
    buyer = replace(BUYER, gift_message="")
    plain = store.content_digest(content(), buyer)
    assert store.content_digest(content(), replace(buyer, customer=wishes)) != plain
    # As it was before there were any.
    assert plain.hex() == "f00c633d39ee217965dee161900e0924bfce4541634f0fa8d054318b98347935"


def test_a_notification_is_shown_whole_but_for_its_facts() -> None:
    one = Notification("ntf_1", "ord_1", Milestone.SHIPPED, "ful_1", Way.SMS, NOON, {"work": "ful_1"})
    failed = replace(
        one, state=NotificationState.FAILED, reason="http_422", attempts=2, settled_at=NOON, resends=1
    )
    shown = from_notification(replace(failed, resent_by="carol"))
    assert (shown.notification_id, shown.milestone, shown.subject, shown.way) == (
        "ntf_1",
        "shipped",
        "ful_1",
        "sms",
    )
    assert (shown.state, shown.reason, shown.attempts) == ("failed", "http_422", 2)
    assert (shown.resends, shown.resent_by, shown.HasField("next_try_at")) == (1, "carol", False)
    assert from_notification(replace(one, next_try_at=NOON)).HasField("next_try_at")
