"""The simulated mailboxes and phones: what they take, what they refuse, and what of them is seen."""

import json
import logging
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from services.orders.messaging.http_sms import signature
from tests.simulators.messages import API_KEY, Messages, running

SMS = {"to": "+33612345678", "from": "Shop", "text": "Bonjour"}


@pytest.fixture(scope="module")
def messages() -> Iterator[Messages]:
    with running() as made:
        yield made


@pytest.fixture(autouse=True)
def _empty(messages: Messages) -> None:
    messages.forget()


def mail(messages: Messages, html: str = "<p>Hello</p>") -> None:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "shop@example.com", "ada@example.net", "Hello <b>"
    made.set_content("Hello")
    made.add_alternative(html, subtype="html")
    host, _, port = messages.smtp_url.removeprefix("smtp://").partition("?")[0].partition(":")
    with smtplib.SMTP(host, int(port), timeout=10) as server:
        server.send_message(made)


def post(messages: Messages, key: str = "k1", secret: str = API_KEY, **changes: str) -> int:
    body = json.dumps(SMS | changes).encode()
    signed = {"Idempotency-Key": key, "Sms-Signature": signature(body, secret.encode(), int(time.time()))}
    return messages.http.post("/messages", content=body, headers=signed).status_code


def test_a_mail_is_kept_and_shown_without_running_what_is_in_it(
    messages: Messages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    mail(messages, '<script>alert("x")</script>')
    [came] = messages.came("ada@example.net", "Hello")
    assert (came["subject"], came["text"].strip(), came["sender"]) == ("Hello <b>", "Hello", "shop@example.com")
    assert messages.came("bob@example.net") == []
    listed = messages.http.get("/").text
    assert "Hello &lt;b&gt;" in listed
    shown = messages.http.get(f"/message/{came['number']}").text
    assert "<script>" not in shown
    assert "sandbox=" in shown
    assert messages.http.get("/message/999").status_code == 404
    assert "ada@" not in caplog.text


def test_an_sms_comes_once_by_its_key_and_only_with_its_signature(messages: Messages) -> None:
    assert [post(messages), post(messages), post(messages, "k2")] == [202, 202, 202]
    assert len(messages.came(SMS["to"])) == 2
    assert post(messages, secret="another") == 401
    assert post(messages, to="nobody") == 422
    assert messages.http.post("/messages", json=SMS).status_code == 401


def test_faults_are_taken_in_order_by_whom_they_are_for(messages: Messages) -> None:
    messages.fault("refuse_for_now", way="sms")
    messages.fault("refuse_for_ever", to=SMS["to"])
    messages.fault("drop_after_taking", way="sms")
    assert [post(messages, key) for key in ("a", "b", "c", "d")] == [503, 422, 502, 202]
    assert {one["key"] for one in messages.came()} == {"c", "d"}
    messages.fault("refuse_for_now", way="mail")
    with pytest.raises(smtplib.SMTPDataError) as now:
        mail(messages)
    messages.fault("refuse_for_ever", way="mail")
    with pytest.raises(smtplib.SMTPDataError) as ever:
        mail(messages)
    messages.fault("slow", way="mail", seconds=0.01)
    mail(messages)
    assert (now.value.smtp_code, ever.value.smtp_code) == (451, 550)
    assert len(messages.came("ada@example.net")) == 1
