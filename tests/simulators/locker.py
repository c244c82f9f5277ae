"""Lockers for tests: the simulator as a real HTTP server in a thread, and a hand on its doors."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from simulators.locker.app import create_app
from tests.http_server import NOTHING_KEPT

API_KEY = "sk_test_locker"
WEBHOOK_SECRET = "whsec_locker"


class RunningLocker:
    """Where it listens, and what a test may do to it. Synchronous: nothing here is under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, timeout=20, limits=NOTHING_KEPT, headers={"Authorization": f"Bearer {API_KEY}"}
        )

    def book(self, bank: str, reference: str) -> httpx.Response:
        """A compartment for something else."""
        return self.http.put(f"/{bank}/bookings/{reference}")

    def release(self, bank: str, reference: str) -> None:
        """It is free again."""
        self.http.delete(f"/{bank}/bookings/{reference}").raise_for_status()

    def enter(self, bank: str, compartment: str, code: str) -> bool:
        """Somebody types a code at its door: whether it opens."""
        return self.http.post(f"/_doors/{bank}/{compartment}", json={"code": code}).is_success

    def fault(self, kind: str, **more: Any) -> None:
        """Orders something to go wrong."""
        self.http.post("/_faults", json={"kind": kind, **more}).raise_for_status()

    def heal(self) -> None:
        """Everything works again."""
        self.http.delete("/_faults").raise_for_status()


@contextmanager
def running(folder: Path, events_url: str = "", compartments: int = 2) -> Iterator[RunningLocker]:
    """Serves the simulator on a free port; its books are in `folder` and outlive it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(
        file=str(folder / "locker.sqlite"),
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        events_url=events_url,
        compartments=compartments,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    locker = RunningLocker(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield locker
    finally:
        locker.http.close()
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
