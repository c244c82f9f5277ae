"""A payment provider for tests: the simulator as a real HTTP server in a thread, and a hand on its doors.

It serves two accounts: one with every ability, and a basic one (`BASIC_API_KEY`).
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from simulators.payment_provider.app import create_app
from simulators.payment_provider.desk import Account
from simulators.payment_provider.profiles import BASIC, FULL
from tests.http_server import NOTHING_KEPT

API_KEY = "sk_test_simulated"
WEBHOOK_SECRET = "whsec_simulated"
BASIC_API_KEY = "sk_test_basic"
BASIC_WEBHOOK_SECRET = "whsec_basic"


class RunningProvider:
    """Where it listens, and what a test may do to it. Synchronous: nothing here is under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, limits=NOTHING_KEPT)

    def fault(self, operation: str, kind: str, count: int = 1, order_id: str | None = None) -> None:
        """Orders something to go wrong."""
        fault = {"operation": operation, "kind": kind, "count": count, "order_id": order_id}
        self.http.post("/_faults", json=fault).raise_for_status()

    def heal(self) -> None:
        """Everything works again."""
        self.http.delete("/_faults").raise_for_status()

    def books(self, order_id: str) -> list[dict[str, Any]]:
        """What the provider holds of an order, newest first."""
        intents = self.http.get("/_books").raise_for_status().json()["intents"]
        return [intent for intent in intents if intent["order_id"] == order_id]

    def book(self, order_id: str) -> dict[str, Any]:
        """The only intent of an order."""
        (intent,) = self.books(order_id)
        return intent

    def act(self, order_id: str, choice: str) -> None:
        """The customer chooses: "approve" or "refuse"."""
        self.http.post(f"/3ds/{self.book(order_id)['id']}/{choice}")

    def events(self, order_id: str) -> list[dict[str, Any]]:
        """The events about an order's intents, oldest first."""
        events = self.http.get("/_events").raise_for_status().json()["events"]
        return [one for one in events if one["data"]["object"]["metadata"].get("order_id") == order_id]

    def events_about(self, thing_id: str) -> list[dict[str, Any]]:
        """The events about one thing, oldest first."""
        events = self.http.get("/_events").raise_for_status().json()["events"]
        return [one for one in events if one["data"]["object"]["id"] == thing_id]

    def forward(self, **time: float) -> None:
        """Moves the provider's clock on: `days=8`. It is not moved back."""
        seconds = int(timedelta(**time).total_seconds())
        self.http.post("/_clock", json={"seconds": seconds}).raise_for_status()

    def pay_page(self, url: str, means: str = "pm_card_visa") -> httpx.Response:
        """The customer chooses a card on a page and pays."""
        return self.http.post(url, data={"payment_method": means})

    def conclude_refund(self, refund_id: str, failure_reason: str = "") -> None:
        """The bank took a refund, or sent it back."""
        self.http.post(f"/_refunds/{refund_id}", json={"failure_reason": failure_reason}).raise_for_status()

    def dispute(self, intent_id: str, amount: int | None = None, reason: str = "fraudulent") -> dict[str, Any]:
        """The customer's bank takes captured money back."""
        door = {"payment_intent": intent_id, "amount": amount, "reason": reason}
        opened: dict[str, Any] = self.http.post("/_disputes", json=door).raise_for_status().json()
        return opened

    def move_dispute(self, dispute_id: str, status: str) -> None:
        """The bank decides: "under_review", "won" or "lost"."""
        self.http.post(f"/_disputes/{dispute_id}", json={"status": status}).raise_for_status()

    def present_card(self, reader_id: str, means: str = "pm_card_visa") -> None:
        """A card is held to a reader that waits for one."""
        self.http.post(f"/_readers/{reader_id}", json={"payment_method": means}).raise_for_status()

    def post(self, path: str, form: dict[str, Any], key: str = "") -> httpx.Response:
        """A call as a client of the provider makes it."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        if key:
            headers["Idempotency-Key"] = key
        return self.http.post(path, data=form, headers=headers)

    def get(self, path: str, query: dict[str, Any] | None = None) -> httpx.Response:
        """A read as a client of the provider makes it."""
        return self.http.get(path, params=query or {}, headers={"Authorization": f"Bearer {API_KEY}"})


@contextmanager
def running(folder: Path, events_url: str = "") -> Iterator[RunningProvider]:
    """Serves the simulator on a free port; its books are in `folder` and outlive it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    file = folder / "provider.sqlite"
    full = Account(FULL, str(file), API_KEY, WEBHOOK_SECRET, events_url)
    basic = Account(BASIC, f"{file}.basic", BASIC_API_KEY, BASIC_WEBHOOK_SECRET)
    app = create_app([full, basic])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    provider = RunningProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield provider
    finally:
        provider.http.close()
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
