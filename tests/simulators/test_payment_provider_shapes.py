"""The simulator's answers against the types that the official SDK declares: nothing is invented.

The SDK is generated from the provider's own description of its API, which no other imitation of it follows as far
as pages, increments, disputes or readers.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from kit.times import now
from tests.simulators.payment_provider import RunningProvider, running

MANUAL = {"amount": "1000", "currency": "eur", "capture_method": "manual"}
CARD = "payment_method_options[card]"
ASKED = {
    f"{CARD}[request_{what}]": "if_available"
    for what in ("multicapture", "incremental_authorization", "extended_authorization")
}
PAGE = {
    "mode": "payment",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "eur",
    "line_items[0][price_data][unit_amount]": "1000",
    "line_items[0][price_data][product_data][name]": "Order 1001",
    "payment_intent_data[capture_method]": "manual",
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with running(tmp_path_factory.mktemp("shapes")) as provider:
        yield provider


def undeclared(kind: type[stripe.StripeObject], thing: dict[str, Any], path: str = "") -> list[str]:
    """Fields that the SDK's class has not, and words that are none of those it lists."""
    found = []
    for name, value in thing.items():
        here = f"{path}{name}"
        declared = _annotations(kind).get(name)
        if declared is None:
            found.append(here)
            continue
        words = re.findall(r"Literal\[(.*?)\]", declared, re.DOTALL)
        if words and isinstance(value, str) and f"'{value}'" not in ",".join(words):
            found.append(f"{here}={value}")
        inner = kind._inner_class_types.get(name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and inner is not None and name not in kind._inner_class_dicts:
                found += undeclared(inner, one, f"{here}.")
    return found


def _annotations(kind: type[stripe.StripeObject]) -> dict[str, str]:
    return {
        name: str(declared)
        for base in reversed(kind.__mro__)
        for name, declared in inspect.get_annotations(base).items()
    }


def made(provider: RunningProvider, path: str, form: dict[str, Any]) -> dict[str, Any]:
    answer = provider.post(f"/v1/{path}", form)
    assert answer.status_code == 200, answer.text
    thing: dict[str, Any] = answer.json()
    return thing


def test_an_undeclared_field_or_word_is_found() -> None:
    assert undeclared(stripe.Refund, {"id": "re_1", "amount": 1, "color": "red"}) == ["color"]
    assert undeclared(stripe.PaymentIntent, {"status": "lost"}) == ["status=lost"]
    assert undeclared(stripe.Event, {"type": "refund.lost"}) == ["type=refund.lost"]
    assert undeclared(stripe.Charge, {"payment_method_details": {"card": {"pin": 1}}}) == [
        "payment_method_details.card.pin"
    ]


@pytest.mark.parametrize("means", ["pm_card_visa", "pm_card_authenticationRequired"])
def test_an_intent_and_its_charge(provider: RunningProvider, means: str) -> None:
    form = MANUAL | ASKED | {"confirm": "true", "payment_method": means, "expand[0]": "latest_charge"}
    intent = made(provider, "payment_intents", form)
    charge = intent.pop("latest_charge")
    assert undeclared(stripe.PaymentIntent, intent) == []
    assert undeclared(stripe.Charge, charge or {}) == []


def test_an_error_and_the_intent_that_failed(provider: RunningProvider) -> None:
    form = MANUAL | {"confirm": "true", "payment_method": "pm_card_chargeDeclined"}
    error = provider.post("/v1/payment_intents", form).json()["error"]
    assert undeclared(stripe.PaymentIntent, error.pop("payment_intent")) == []
    assert undeclared(stripe.ErrorObject, error) == []


@pytest.mark.parametrize("means", ["pm_card_visa", "pm_card_authenticationRequired"])
def test_a_customer_and_what_is_saved(provider: RunningProvider, means: str) -> None:
    customer = made(provider, "customers", {})
    form = {"customer": customer["id"], "confirm": "true", "payment_method": means}
    setup = made(provider, "setup_intents", form)
    assert undeclared(stripe.Customer, customer) == []
    assert undeclared(stripe.SetupIntent, setup) == []
    if means == "pm_card_visa":
        method = made(provider, f"payment_methods/{setup['payment_method']}/detach", {})
        assert undeclared(stripe.PaymentMethod, method) == []


def test_a_page(provider: RunningProvider) -> None:
    session = made(provider, "checkout/sessions", PAGE | {"expires_at": str(int(now().timestamp()) + 3_600)})
    assert undeclared(stripe.checkout.Session, session) == []
    provider.pay_page(session["url"])
    paid = provider.get(f"/v1/checkout/sessions/{session['id']}").json()
    assert (paid["status"], undeclared(stripe.checkout.Session, paid)) == ("complete", [])


def test_a_refund_that_failed_and_a_dispute_and_their_events(provider: RunningProvider) -> None:
    intent = made(provider, "payment_intents", MANUAL | {"confirm": "true", "payment_method": "pm_card_visa"})
    made(provider, f"payment_intents/{intent['id']}/capture", {})
    refund = made(provider, "refunds", {"payment_intent": intent["id"], "amount": "100"})
    provider.conclude_refund(refund["id"], "declined")
    refund = provider.get(f"/v1/refunds/{refund['id']}").json()
    dispute = provider.dispute(intent["id"], 500)
    assert (refund["status"], undeclared(stripe.Refund, refund)) == ("failed", [])
    assert undeclared(stripe.Dispute, dispute) == []
    assert undeclared(stripe.BalanceTransaction, dispute["balance_transactions"][0]) == []
    events = provider.http.get("/_events").json()["events"]
    assert {one["type"] for one in events} >= {"refund.failed", "charge.dispute.created"}
    assert [undeclared(stripe.Event, {**event, "data": {}}) for event in events] == [[] for _ in events]


def test_a_reader(provider: RunningProvider) -> None:
    form = MANUAL | {"allowed_payment_method_types[0]": "card_present"}
    intent = made(provider, "payment_intents", form)
    path = "terminal/readers/tmr_simulated/process_payment_intent"
    reader = made(provider, path, {"payment_intent": intent["id"]})
    assert undeclared(stripe.terminal.Reader, reader) == []
    provider.present_card("tmr_simulated")
    expanded = provider.get(f"/v1/payment_intents/{intent['id']}", {"expand[0]": "latest_charge"}).json()
    assert undeclared(stripe.Charge, expanded["latest_charge"]) == []
