"""A shop's end of the webhooks: a real HTTP server that keeps what it is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook, WebhookVerificationError

from tests.http_server import HttpServer


@dataclass(frozen=True)
class Hook:
    """One request as it came, and the event in it; None when the signature did not prove it."""

    headers: dict[str, str]
    body: bytes
    event: dict[str, Any] | None


class Receiver:
    """What arrived so far, oldest first."""

    def __init__(self, port: int) -> None:
        # Ports are given again: what a system before us still sends to this one is not ours.
        self.path = f"/hooks/{uuid4().hex}"
        self.url = f"http://127.0.0.1:{port}{self.path}"
        self.endpoint_id = ""
        self.secret = ""
        self.hooks: list[Hook] = []

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """The status of the answer. A signature is judged when it comes: it proves nothing some minutes later."""
        if not self.secret:
            return 503  # the shop has not been told its secret yet
        event: dict[str, Any] | None
        try:
            event = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            event = None
        self.hooks.append(Hook(headers, body, event))
        return 204 if event else 401

    def verified(self) -> list[dict[str, Any]]:
        """The events, each proven by its signature. Raises when one was not."""
        hooks = list(self.hooks)
        unproven = [hook.headers for hook in hooks if hook.event is None]
        assert not unproven, f"webhooks came whose signatures do not prove them: {unproven}"
        return [hook.event for hook in hooks if hook.event is not None]

    def of_order(self, order_id: str) -> list[dict[str, Any]]:
        """The proven events of one order."""
        return [event for event in self.verified() if event["data"].get("order_id") == order_id]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A server that takes every event."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, body) if self.path == receiver.path else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HttpServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, name="hooks", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
