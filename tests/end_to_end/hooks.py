"""A shop's end of the webhooks: a real HTTP server that keeps what it is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Hook:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """What arrived so far, oldest first."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hooks"
        self.endpoint_id = ""
        self.secret = ""
        self.hooks: list[Hook] = []

    def verified(self) -> list[dict[str, Any]]:
        """The events, each proven by its signature. Raises when one is not."""
        webhook = Webhook(self.secret)
        return [webhook.verify(hook.body, hook.headers) for hook in list(self.hooks)]

    def of_order(self, order_id: str) -> list[dict[str, Any]]:
        """The proven events of one order."""
        return [event for event in self.verified() if event["data"].get("order_id") == order_id]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A server that takes every event."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.hooks.append(Hook({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, name="hooks", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
