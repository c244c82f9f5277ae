"""Notifications on a real database, sent to real mailboxes and phones: once, in time, to nobody who is gone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders import notifications_store as notes
from services.orders.codes import Codes
from services.orders.domain.milestones import OF_TRIALS, Milestone, NotificationRule, Way
from services.orders.domain.notifications import MAX_ATTEMPTS, Notification, QuietHours
from services.orders.links import Links
from services.orders.messaging import Message, NotSent, Sender
from services.orders.messaging.http_sms import HttpSmsSender
from services.orders.messaging.smtp import SmtpSender, SmtpServer
from services.orders.notifying import CLAIM_LASTS, QUIET, Notifying
from tests.services.orders.builders import BUYER, LIFE_CYCLE, NOON, PLANTED, Shop, content, outcome, rows
from tests.simulators import messages as simulated
from tests.simulators.messages import Messages

MAIL = str(BUYER.customer.email)
PHONE = str(BUYER.customer.phone)
# Nobody listens there.
NOBODY = SmtpSender(SmtpServer.at("smtp://127.0.0.1:1?tls=none"), "shop@example.com", timeout_seconds=2)
LINKS = Links(["a key"], "https://shop.example.com")
CODES = Codes(["a key"])
BOTH = (Way.MAIL, Way.SMS)
TALKATIVE = replace(
    LIFE_CYCLE, notifications=tuple(NotificationRule(one, BOTH) for one in Milestone if one not in OF_TRIALS)
)


@pytest.fixture(scope="module")
def messages() -> Iterator[Messages]:
    with simulated.running() as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(messages: Messages) -> None:
    messages.forget()


def senders(messages: Messages) -> dict[Way, Sender]:
    smtp = SmtpSender(SmtpServer.at(messages.smtp_url), "Ondelle & Cairn <orders@shop.example.com>")
    sms = HttpSmsSender(url=messages.url, api_key=simulated.API_KEY, sender="Ondelle")
    return {Way.MAIL: smtp, Way.SMS: sms}


@pytest_asyncio.fixture
async def notifying(orders_db: AsyncEngine, messages: Messages) -> AsyncIterator[Notifying]:
    made = Notifying(orders_db, LINKS, CODES, senders(messages))
    yield made
    await made.close()


async def accepted(shop: Shop, key: str = "key-1", **wishes: Any) -> str:
    """An order whose customer is to be told so."""
    await shop.service.publish_life_cycle(TALKATIVE)
    buyer = replace(BUYER, customer=replace(BUYER.customer, **wishes))
    view, _ = await shop.service.record_order(key, content(), buyer, NOON, NOON)
    await shop.accept(view.order.order_id)
    return view.order.order_id


async def states(notifying: Notifying, order_id: str) -> list[tuple[str, str, str, str]]:
    return [
        (one.milestone.value, one.way.value, one.state.value, one.reason) for one in await notifying.list(order_id)
    ]


async def of_mail(notifying: Notifying, order_id: str) -> Notification:
    [one] = [one for one in await notifying.list(order_id) if one.way is Way.MAIL]
    return one


async def test_an_acceptance_is_said_once_by_mail_and_sms_however_many_send(
    shop: Shop, notifying: Notifying, messages: Messages, orders_db: AsyncEngine
) -> None:
    order_id = await accepted(shop, phone="+33 (0)6 12.34.56-78")
    other = Notifying(orders_db, LINKS, CODES, senders(messages))
    counts = await asyncio.gather(*(one.send_due(NOON, 10) for one in (notifying, other) * 3))
    assert sum(counts) == 2
    [mail] = messages.came(MAIL)
    [sms] = messages.came(PHONE)
    one = await of_mail(notifying, order_id)
    assert mail["key"] == f"<{one.notification_id}@shop.example.com>"
    assert mail["subject"] == "Commande W-1001 : confirmée"
    assert mail["headers"]["From"] == "Ondelle & Cairn <orders@shop.example.com>"
    assert (mail["headers"]["To"], mail["headers"]["Auto-Submitted"]) == (MAIL, "auto-generated")
    assert f"https://shop.example.com/track/{order_id}" in mail["text"]
    assert f"https://shop.example.com/track/{order_id}" in mail["html"]
    assert (sms["sender"], sms["text"].startswith("Commande confirmée")) == ("Ondelle", True)
    assert await states(notifying, order_id) == [("accepted", "mail", "sent", ""), ("accepted", "sms", "sent", "")]
    assert (one.attempts, one.next_try_at, one.settled_at) == (1, None, NOON)
    assert await notifying.send_due(NOON + timedelta(days=9), 10) == 0
    await other.close()


async def test_a_sender_that_dies_after_sending_leaves_a_message_that_comes_again_with_its_id(
    shop: Shop, notifying: Notifying, messages: Messages, orders_db: AsyncEngine
) -> None:
    order_id = await accepted(shop, notify_by=("mail",))
    messages.fault("drop_after_taking", way="mail")
    await notifying.send_due(NOON, 10)
    # A whole process that dies says nothing at all; its claim ends.
    async with orders_db.begin() as tx:
        claimed = await notes.claim(tx, NOON + timedelta(minutes=1), NOON + timedelta(minutes=3), 10)
    assert [(one.way, one.attempts) for one in claimed] == [(Way.MAIL, 2)]
    assert await notifying.send_due(NOON + timedelta(minutes=2), 10) == 0
    assert await notifying.send_due(NOON + timedelta(minutes=1) + CLAIM_LASTS, 10) == 1
    first, again = messages.came(MAIL)
    assert first["key"] == again["key"]
    assert (await of_mail(notifying, order_id)).state.value == "sent"


async def test_what_is_refused_for_now_is_tried_later_and_what_is_refused_for_ever_is_not(
    shop: Shop, notifying: Notifying, messages: Messages
) -> None:
    order_id = await accepted(shop)
    messages.fault("refuse_for_now")
    messages.fault("refuse_for_now")
    await notifying.send_due(NOON, 10)
    assert [one[2:] for one in await states(notifying, order_id)] == [("due", "smtp_451"), ("due", "http_503")]
    assert await notifying.send_due(NOON + timedelta(seconds=59), 10) == 0
    messages.fault("refuse_for_ever", way="sms")
    assert await notifying.send_due(NOON + timedelta(minutes=1), 10) == 2
    assert [one[2:] for one in await states(notifying, order_id)] == [("sent", ""), ("failed", "http_422")]
    second = await accepted(shop, "key-2", email="zoe.plantee@example.org\r\nBcc: all@example.org")
    third = await accepted(shop, "key-3")
    messages.fault("refuse_for_ever", way="mail")
    await notifying.send_due(NOON + timedelta(minutes=2), 10)
    reasons = {(await of_mail(notifying, one)).reason for one in (second, third)}
    assert reasons == {"bad_address", "smtp_550"}


async def test_after_the_last_try_it_has_failed_and_a_person_has_it_sent_again(
    shop: Shop, notifying: Notifying, messages: Messages, orders_db: AsyncEngine
) -> None:
    order_id = await accepted(shop, notify_by=("mail",))
    away = Notifying(orders_db, LINKS, CODES, {Way.MAIL: NOBODY})
    now = NOON
    for _ in range(MAX_ATTEMPTS):
        await away.send_due(now, 10)
        now += timedelta(hours=9)
    failed = await of_mail(notifying, order_id)
    assert (failed.state.value, failed.reason, failed.attempts) == ("failed", "SMTPConnectError", MAX_ATTEMPTS)
    assert await away.send_due(now, 10) == 0
    asked = shop.asked()
    again = await notifying.resend(asked, order_id, failed.notification_id, "carol", now)
    assert (again.state.value, again.attempts, again.resends, again.resent_by) == ("due", 0, 1, "carol")
    assert await notifying.resend(asked, order_id, failed.notification_id, "carol", now) == again
    assert (
        await outcome(notifying.resend(shop.asked(), order_id, failed.notification_id, "carol", now))
        == "STILL_DUE"
    )
    await notifying.send_due(now, 10)
    [mail] = messages.came(MAIL)
    assert mail["key"] == f"<{failed.notification_id}.1@shop.example.com>"
    [entry] = await rows(orders_db, "SELECT actor, data FROM timeline WHERE kind = 'notification.resent'")
    assert (entry.actor, entry.data["milestone"]) == ("carol", "accepted")
    for one, other in ((order_id, "ntf_none"), ("ord_none", failed.notification_id)):
        assert (await outcome(notifying.resend(shop.asked(), one, other, "", now))).endswith("_NOT_FOUND")
    assert await outcome(notifying.list("ord_none")) == "ORDER_NOT_FOUND"


async def test_the_last_try_of_a_process_that_dies_is_the_last(
    shop: Shop, notifying: Notifying, orders_db: AsyncEngine
) -> None:
    order_id = await accepted(shop, notify_by=("mail",))
    now = NOON
    for _ in range(MAX_ATTEMPTS):
        async with orders_db.begin() as tx:
            await notes.claim(tx, now, now + CLAIM_LASTS, 10)
        now += CLAIM_LASTS
    await notifying.send_due(now, 10)
    one = await of_mail(notifying, order_id)
    assert (one.state.value, one.reason) == ("failed", "given_up")


async def test_who_wants_nothing_who_is_gone_and_what_was_undone_is_dropped(
    shop: Shop, notifying: Notifying, messages: Messages, orders_db: AsyncEngine
) -> None:
    quiet = await accepted(shop, "quiet", notify_by=("none",))
    by_sms = await accepted(shop, "by-sms", notify_by=("sms",), language="en")
    erased = await accepted(shop, "erased")
    undone = await accepted(shop, "undone")
    async with orders_db.begin() as tx:
        await tx.execute(text("DELETE FROM order_customer WHERE order_id = :id"), {"id": erased})
    await shop.service.request_cancellation(shop.asked(), undone, "", "", NOON)
    await notifying.send_due(NOON, 20)
    assert {one[2:] for one in await states(notifying, quiet)} == {("dropped", "not_wanted")}
    assert {one[2:] for one in await states(notifying, erased)} == {("dropped", "no_address")}
    assert {one[2:] for one in await states(notifying, undone)} == {("dropped", "not_true_any_more")}
    assert [one[1:] for one in await states(notifying, by_sms)] == [
        ("mail", "dropped", "not_wanted"),
        ("sms", "sent", ""),
    ]
    assert messages.came(MAIL) == []
    [sms] = messages.came(PHONE)
    assert sms["text"].startswith("Order confirmed: ")
    again = notifying.resend(shop.asked(), undone, (await of_mail(notifying, undone)).notification_id, "", NOON)
    assert await outcome(again) == "NOT_TRUE_ANY_MORE"


async def test_a_promise_that_changed_twice_is_told_as_it_is_now(
    shop: Shop, notifying: Notifying, messages: Messages
) -> None:
    await shop.service.publish_life_cycle(
        replace(TALKATIVE, notifications=(NotificationRule(Milestone.PROMISE_CHANGED, (Way.MAIL,)),))
    )
    order_id, _ = await shop.release("key-1")
    for days in (9, 20):
        await shop.service.watch_promises(NOON + timedelta(days=days), 10)
    await notifying.send_due(NOON + timedelta(days=21), 10)
    assert [one[2:] for one in await states(notifying, order_id)] == [
        ("dropped", "not_true_any_more"),
        ("sent", ""),
    ]
    [mail] = messages.came(MAIL)
    assert "plus tard" in mail["subject"]


async def test_sms_wait_for_the_morning_and_mails_do_not(
    shop: Shop, messages: Messages, orders_db: AsyncEngine
) -> None:
    order_id = await accepted(shop)
    awake = Notifying(orders_db, LINKS, CODES, senders(messages), QuietHours(13, 14))
    # Noon in Greenwich is one o'clock in Paris.
    await awake.send_due(NOON, 10)
    assert [one[2:] for one in await states(awake, order_id)] == [("sent", ""), ("due", QUIET)]
    [sms] = [one for one in await awake.list(order_id) if one.way is Way.SMS]
    assert (sms.attempts, sms.next_try_at) == (0, NOON + timedelta(hours=1))
    await awake.send_due(NOON + timedelta(hours=1), 10)
    assert len(messages.came(PHONE)) == 1
    await awake.close()


async def test_a_shop_without_senders_sends_nothing_and_says_so(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id = await accepted(shop)
    silent = Notifying(orders_db, LINKS, CODES, {})
    await silent.send_due(NOON, 10)
    assert {one[2:] for one in await states(silent, order_id)} == {("dropped", "no_sender")}


async def test_wishes_are_part_of_what_a_channel_sent_and_stay_with_the_order(shop: Shop) -> None:
    order_id = await accepted(shop, language="en", notify_by=("sms",))
    buyer = (await shop.service.get_order(order_id)).buyer
    assert (buyer.customer.language, buyer.customer.notify_by) == ("en", ("sms",))
    other = replace(BUYER, customer=replace(BUYER.customer, language="fr", notify_by=("sms",)))
    assert (
        await outcome(shop.service.record_order("key-1", content(), other, NOON, NOON)) == "IDEMPOTENCY_CONFLICT"
    )
    bad = replace(BUYER, customer=replace(BUYER.customer, language="french"))
    assert await outcome(shop.service.record_order("key-2", content(), bad, NOON, NOON)) == "INVALID_FIELD"


async def test_neither_rows_nor_logs_hold_whom_it_is_about(
    shop: Shop, notifying: Notifying, messages: Messages, orders_db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await accepted(shop)
    messages.fault("refuse_for_ever", way="mail")
    messages.fault("refuse_for_now", way="sms")
    await notifying.send_due(NOON, 10)
    await accepted(shop, "key-2", email="zoe.plantee <zoe.plantee@example.org", phone="12345678x")
    await notifying.send_due(NOON, 10)
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("services.")]
    assert len(ours) == 4
    told = f"{await rows(orders_db, 'SELECT * FROM notification')} {await rows(orders_db, 'SELECT * FROM outbox')}"
    told += " ".join(ours) + str(caplog.records)
    assert [word for word in PLANTED if word in told] == []


async def test_a_server_that_is_away_or_wants_another_key_is_asked_later(messages: Messages) -> None:
    message = Message("ntf_1", MAIL, "text", "subject", "<p>text</p>")
    locked = SmtpSender(
        SmtpServer.at(messages.smtp_url.replace("127", "user:secret@127")), "shop@example.com", timeout_seconds=2
    )
    other_key = HttpSmsSender(url=messages.url, api_key="another", sender="Ondelle")
    nobody = HttpSmsSender(url="http://127.0.0.1:1", api_key="another", sender="Ondelle")
    for sender, to in ((NOBODY, MAIL), (locked, MAIL), (other_key, PHONE), (nobody, PHONE)):
        with pytest.raises(NotSent) as caught:
            await sender.send(replace(message, to=to))
        assert not caught.value.is_final, caught.value.reason
    await other_key.close()
    await nobody.close()
    for url in ("http://mail", "smtp://", "smtp://mail?tls=perhaps"):
        with pytest.raises(ValueError, match="SMTP server is"):
            SmtpServer.at(url)
    assert SmtpServer.at("smtps://u:p%40@mail.example").port == 465
