"""A warehouse for tests: the simulator as a real HTTP server in a thread, and a hand on its desk."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from simulators.warehouse.app import create_app
from tests.http_server import NOTHING_KEPT

API_KEY = "key_simulated"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"w" * 32).decode()


class RunningWarehouse:
    """Where it listens, and what a test may do to it. Synchronous: nothing here is under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, limits=NOTHING_KEPT)

    def rule(self, kind: str, **more: Any) -> None:
        """Orders something to go wrong."""
        self.http.post("/_desk/rules", json={"kind": kind, **more}).raise_for_status()

    def heal(self) -> None:
        """Everything works again."""
        self.http.delete("/_desk/rules").raise_for_status()

    def preparations(self) -> list[dict[str, Any]]:
        """Everything that came, oldest first."""
        found: list[dict[str, Any]] = self.http.get("/_desk/preparation-orders").raise_for_status().json()["items"]
        return found

    def step(self, preparation_id: str, step: str, **data: Any) -> None:
        """Takes a step now."""
        path = f"/_desk/preparation-orders/{preparation_id}/steps"
        self.http.post(path, json={"step": step, "data": data}).raise_for_status()

    def call(self, method: str, path: str, body: Any = None, key: str = API_KEY) -> httpx.Response:
        """A call as a client of the warehouse makes it."""
        headers = {"Authorization": f"Bearer {key}"}
        return self.http.request(method, f"/v1/preparation-orders{path}", json=body, headers=headers)


@contextmanager
def running(folder: Path, messages_url: str = "", pace_seconds: float = 0) -> Iterator[RunningWarehouse]:
    """Serves the simulator on a free port; its books are in `folder` and outlive it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    file = str(folder / "warehouse.sqlite")
    app = create_app(file, API_KEY, WEBHOOK_SECRET, messages_url, pace_seconds)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    warehouse = RunningWarehouse(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield warehouse
    finally:
        warehouse.http.close()
        server.should_exit = True
        thread.join(timeout=10)
