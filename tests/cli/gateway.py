"""A gateway with canned answers on a real socket, as the running system of a state folder."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from deploy.local.state import RunInfo, StateFolder
from tests.http_server import HttpServer


@dataclass(frozen=True)
class Asked:
    """One request: method, path with its query, body (bytes of what is not JSON), idempotency key."""

    method: str
    path: str
    body: Any
    key: str | None


@dataclass
class CannedGateway:
    """What it answers by (method, path without query), perhaps by what is sent; and what it was asked."""

    answers: dict[tuple[str, str], tuple[int, Any] | Callable[[Any], tuple[int, Any]]] = field(
        default_factory=dict
    )
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(state: Path) -> Iterator[CannedGateway]:
    """Commands with `--state` of this folder find it."""
    gateway = CannedGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def do_PATCH(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def answer(self) -> None:
            assert self.headers["Authorization"].startswith("Bearer ")
            sent = self.sent()
            key = self.headers["Idempotency-Key"]
            is_json = "json" in (self.headers["Content-Type"] or "")
            body = json.loads(sent) if is_json else sent or None
            asked = Asked(self.command, self.path, body, key)
            gateway.asked.append(asked)
            answer = gateway.answers[self.command, self.path.partition("?")[0]]
            status, body = answer(asked.body) if callable(answer) else answer
            content = b"" if status == 204 else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def sent(self) -> bytes:
            """The body, whole or in chunks."""
            if self.headers["Transfer-Encoding"] != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"] or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HttpServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    folder = StateFolder(state)
    folder.take()
    folder.write(RunInfo(4711, {"gateway": f"127.0.0.1:{server.server_address[1]}"}))
    try:
        yield gateway
    finally:
        folder.give_back()
        server.shutdown()
        thread.join()
        server.server_close()
