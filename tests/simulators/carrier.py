"""Carriers for tests: the simulator as a real HTTP server in a thread, and a hand on its doors."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from simulators.carrier.app import create_app
from tests.http_server import NOTHING_KEPT

API_KEY = "sk_test_carrier"
WEBHOOK_SECRET = "whsec_carrier"


class RunningCarrier:
    """Where it listens, and what a test may do to it. Synchronous: nothing here is under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, timeout=20, limits=NOTHING_KEPT, headers={"Authorization": f"Bearer {API_KEY}"}
        )

    def announce(self, carrier: str, reference: str) -> str:
        """The tracking code of a new shipment."""
        body = {"reference": reference, "weight_grams": 500}
        return str(self.http.post(f"/{carrier}/shipments", json=body).raise_for_status().json()["tracking_code"])

    def happen(self, carrier: str, tracking_code: str, code: str, **more: Any) -> dict[str, Any]:
        """Something happens to a parcel; the event."""
        body = {"code": code, **more}
        event: dict[str, Any] = (
            self.http.post(f"/_desk/{carrier}/{tracking_code}/events", json=body).raise_for_status().json()
        )
        return event

    def play(self, carrier: str, tracking_code: str, fate: str) -> None:
        """A whole journey."""
        self.http.post(f"/_desk/{carrier}/{tracking_code}/fate", json={"fate": fate}).raise_for_status()

    def fault(self, kind: str, **more: Any) -> None:
        """Orders something to go wrong."""
        self.http.post("/_faults", json={"kind": kind, **more}).raise_for_status()

    def heal(self) -> None:
        """Everything works again."""
        self.http.delete("/_faults").raise_for_status()


@contextmanager
def running(folder: Path, events_url: str = "") -> Iterator[RunningCarrier]:
    """Serves the simulator on a free port; its books are in `folder` and outlive it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(
        file=str(folder / "carrier.sqlite"),
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        events_url=events_url,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    carrier = RunningCarrier(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield carrier
    finally:
        carrier.http.close()
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
