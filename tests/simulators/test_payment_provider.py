"""The simulator over HTTP, as the provider's own clients and customers see it."""

import http.server
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.http_server import HttpServer
from tests.simulators.payment_provider import API_KEY, WEBHOOK_SECRET, RunningProvider, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with running(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(server: RunningProvider) -> RunningProvider:
    server.heal()
    return server


def form(means: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    return {
        "amount": "1000",
        "currency": "eur",
        "capture_method": "manual",
        "confirm": "true",
        "payment_method": means,
        "payment_method_options[card][request_multicapture]": "if_available",
        **more,
    }


def create(provider: RunningProvider, means: str = "pm_card_visa", key: str = "", **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = provider.post("/v1/payment_intents", form(means, **more), key).json()
    return answer


def capture(provider: RunningProvider, intent: str, amount: int, final: bool = False) -> httpx.Response:
    content = {"amount_to_capture": str(amount), "final_capture": "true" if final else "false"}
    return provider.post(f"/v1/payment_intents/{intent}/capture", content)


def test_an_authorisation_is_captured_several_times_and_refunded(provider: RunningProvider) -> None:
    intent = create(provider)
    assert (intent["status"], intent["amount_capturable"]) == ("requires_capture", 1000)
    assert capture(provider, intent["id"], 300).json()["amount_capturable"] == 700
    too_much = capture(provider, intent["id"], 701)
    assert (too_much.status_code, too_much.json()["error"]["code"]) == (400, "amount_too_large")
    done = capture(provider, intent["id"], 500, final=True).json()
    assert (done["status"], done["amount_received"], done["amount_capturable"]) == ("succeeded", 800, 0)
    assert provider.post("/v1/refunds", {"payment_intent": intent["id"], "amount": "801"}).status_code == 400
    refund = provider.post("/v1/refunds", {"payment_intent": intent["id"], "amount": "200"}).json()
    assert (refund["status"], refund["amount"]) == ("succeeded", 200)
    listed = provider.get("/v1/refunds", {"payment_intent": intent["id"]}).json()
    assert [one["id"] for one in listed["data"]] == [refund["id"]]


def test_a_cancelled_intent_keeps_what_was_captured(provider: RunningProvider) -> None:
    intent = create(provider)
    capture(provider, intent["id"], 300)
    ended = provider.post(f"/v1/payment_intents/{intent['id']}/cancel", {}).json()
    assert (ended["status"], ended["amount_received"], ended["amount_capturable"]) == ("canceled", 300, 0)
    again = provider.post(f"/v1/payment_intents/{intent['id']}/cancel", {})
    assert again.json()["error"]["code"] == "payment_intent_unexpected_state"


def test_a_declined_card_is_a_402_with_the_intent(provider: RunningProvider) -> None:
    answer = provider.post("/v1/payment_intents", form("pm_card_visa_chargeDeclinedInsufficientFunds"))
    error = answer.json()["error"]
    assert answer.status_code == 402
    assert (error["type"], error["code"], error["decline_code"]) == (
        "card_error",
        "card_declined",
        "insufficient_funds",
    )
    assert error["payment_intent"]["status"] == "requires_payment_method"
    path = f"/v1/payment_intents/{error['payment_intent']['id']}/confirm"
    assert provider.post(path, {"payment_method": "pm_card_visa"}).json()["status"] == "requires_capture"


@pytest.mark.parametrize("choice", ["approve", "refuse"])
def test_the_customer_acts_on_a_page(provider: RunningProvider, choice: str) -> None:
    intent = create(provider, "pm_card_authenticationRequired", return_url="http://shop.example/back")
    assert intent["status"] == "requires_action"
    url = intent["next_action"]["redirect_to_url"]["url"]
    assert f'action="/3ds/{intent["id"]}/{choice}"' in httpx.get(url).text
    back = httpx.post(f"{url}/{choice}")
    assert (back.status_code, back.headers["location"]) == (
        303,
        f"http://shop.example/back?payment_intent={intent['id']}",
    )
    now = provider.get(f"/v1/payment_intents/{intent['id']}").json()
    assert now["status"] == ("requires_capture" if choice == "approve" else "requires_payment_method")


def test_the_same_key_and_content_is_done_once(provider: RunningProvider) -> None:
    first = provider.post("/v1/payment_intents", form(), "key-1")
    again = provider.post("/v1/payment_intents", form(), "key-1")
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = provider.post("/v1/payment_intents", form(amount="999"), "key-1")
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    declined = [provider.post("/v1/payment_intents", form("pm_card_chargeDeclined"), "key-2") for _ in "12"]
    assert declined[0].json() == declined[1].json()


def test_many_calls_with_one_key_make_one_intent(provider: RunningProvider) -> None:
    content = form(**{"metadata[order_id]": "ord_once"})
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: provider.post("/v1/payment_intents", content, "key-3"), range(8)))
    assert len(provider.books("ord_once")) == 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "1.5"}, "amount"),
        ({"amount": "9" * 30}, "amount"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "kwd", "amount": "1234"}, "amount"),
        ({"payment_method": "pm_unknown"}, "payment_method"),
        ({"card[number]": "0"}, "payment_method"),
        ({"capture_method": "automatic"}, "capture_method"),
    ],
)
def test_a_bad_request_names_its_parameter(provider: RunningProvider, more: dict[str, str], param: str) -> None:
    answer = provider.post("/v1/payment_intents", {**form(), **more})
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == param


def test_who_has_no_key_is_refused(provider: RunningProvider) -> None:
    assert provider.http.get("/v1/payment_intents").status_code == 401
    assert provider.http.post("/v1/refunds", data={}).status_code == 401


@pytest.mark.parametrize(("kind", "captured"), [("timeout_after_success", 400), ("timeout_before", 0)])
def test_an_ordered_silence_does_the_thing_or_not(provider: RunningProvider, kind: str, captured: int) -> None:
    intent = create(provider, **{"metadata[order_id]": f"ord_{kind}"})
    provider.fault("capture", kind, order_id=f"ord_{kind}")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{provider.url}/v1/payment_intents/{intent['id']}/capture",
            data={"amount_to_capture": "400", "final_capture": "false"},
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=0.4,
        )
    assert provider.book(f"ord_{kind}")["captured"] == captured
    assert capture(provider, intent["id"], 1).status_code == 200


def test_a_fault_is_for_its_order_and_its_count(provider: RunningProvider) -> None:
    provider.fault("create", "down", count=2, order_id="ord_faulty")
    other = provider.post("/v1/payment_intents", form(**{"metadata[order_id]": "ord_other"}))
    assert other.status_code == 200
    statuses = [
        provider.post("/v1/payment_intents", form(**{"metadata[order_id]": "ord_faulty"}), "key-4").status_code
        for _ in range(3)
    ]
    assert statuses == [503, 503, 200]
    assert provider.http.post("/_faults", json={"operation": "create", "kind": "fire"}).status_code == 422


def test_a_500_is_remembered_by_its_key(provider: RunningProvider) -> None:
    provider.fault("create", "error_500")
    assert [provider.post("/v1/payment_intents", form(), "key-5").status_code for _ in "12"] == [500, 500]
    assert provider.post("/v1/payment_intents", form(), "key-6").status_code == 200


def test_intents_are_listed_page_by_page(provider: RunningProvider) -> None:
    made = {create(provider)["id"] for _ in range(3)}
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2, "created[gte]": 0}
    while True:
        page = provider.get("/v1/payment_intents", query).json()
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        query["starting_after"] = seen[-1]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Refuses each event once, then takes it."""

    taken: list[dict[str, Any]]
    refused: set[str]
    enough: threading.Event

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"])).decode()
        event = json.loads(payload)
        stripe.WebhookSignature.verify_header(payload, self.headers["Stripe-Signature"], WEBHOOK_SECRET, 300)
        first = event["id"] not in self.refused
        self.refused.add(event["id"])
        if not first:
            self.taken.append(event)
        self.send_response(503 if first else 200)
        self.end_headers()
        if len(self.taken) == 2:
            self.enough.set()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_events_are_signed_ordered_tried_again_and_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        intent = create(provider, **{"metadata[order_id]": "ord_kept"})
        capture(provider, intent["id"], 1000, final=True)
    _Receiver.taken, _Receiver.refused, _Receiver.enough = [], set(), threading.Event()
    receiver = HttpServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        with running(tmp_path, f"http://127.0.0.1:{receiver.server_address[1]}/events") as provider:
            assert provider.book("ord_kept")["captured"] == 1000
            assert _Receiver.enough.wait(20)
    finally:
        receiver.shutdown()
        receiver.server_close()
    assert [event["type"] for event in _Receiver.taken] == [
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
    ]
    assert all("capture_before" not in event["data"]["object"] for event in _Receiver.taken)
