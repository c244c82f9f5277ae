"""Mailboxes and phones for tests: the simulator as a real server in a thread, and a look at what came."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from simulators.messages.app import create_app
from tests.http_server import NOTHING_KEPT

API_KEY = "sk_test_sms"


class Messages:
    """What came, and what is to go wrong. Synchronous: nothing here is under test."""

    def __init__(self, url: str, smtp_port: int) -> None:
        self.url = url
        self.smtp_url = f"smtp://127.0.0.1:{smtp_port}?tls=none"
        self.http = httpx.Client(base_url=url, timeout=20, limits=NOTHING_KEPT)

    def came(self, to: str = "", containing: str = "") -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.http.get("/inbox", params={"to": to, "containing": containing}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    def forget(self) -> None:
        """Nothing came, and everything works again."""
        self.http.delete("/inbox").raise_for_status()
        self.http.delete("/_faults").raise_for_status()

    def fault(self, kind: str, **more: Any) -> None:
        """Orders something to go wrong."""
        self.http.post("/_faults", json={"kind": kind, **more}).raise_for_status()


@contextmanager
def running() -> Iterator[Messages]:
    """Serves the simulator on free ports."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(api_key=API_KEY, smtp_host="127.0.0.1", smtp_port=0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    messages = Messages(f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.smtp_port)
    try:
        yield messages
    finally:
        messages.http.close()
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
