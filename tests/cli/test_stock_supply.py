"""`oms stock expected` and its neighbours, as a person types them, against answers of the gateway's shape."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from deploy.local.state import RunInfo, StateFolder
from tests.http_server import HttpServer

DELIVERY = {
    "delivery_id": "po-1",
    "sku": "PAN",
    "point_id": "wh-orleans",
    "kind": "in_transit",
    "quantity": 40,
    "received": 0,
    "held": 3,
    "from_date": "2026-12-01",
    "until_date": "2026-12-04",
    "state": "expected",
    "overdue": False,
}
INPUT = {
    **DELIVERY,
    "expected": 40,
    "protected": 5,
    "protection_rule": "channel: 5",
    "available": 32,
    "zero_reason": "",
}
FIGURES = {
    "sku": "PAN",
    "available_now": 2,
    "future": [{"quantity": 32}],
    "preorder": 7,
    "zero_reason": None,
    "release_date": "2027-03-15",
    "under_embargo": True,
    "inputs": [INPUT],
    "preorder_inputs": [
        {"preorder_id": "pre-1", "quantity": 9, "held": 2, "converted": 0, "available": 7, "zero_reason": ""}
    ],
}
PREORDER = {
    "preorder_id": "pre-1",
    "sku": "PAN",
    "channel_id": "",
    "quantity": 9,
    "held": 2,
    "converted": 0,
    "opens_at": "2026-11-01T00:00:00Z",
    "closes_at": "2027-03-01T00:00:00Z",
    "release_at": "2027-03-15T00:00:00Z",
}
RECEIVED = {
    "delivery": {**DELIVERY, "state": "received", "received": 38},
    "balance": {"on_hand": 38, "reserved": 3, "point_id": "wh-orleans"},
    "served": [{"reservation_id": "ord_1", "quantity": 3}],
    "lost": [{"reservation_id": "ord_2", "quantity": 2}],
}


class Gateway:
    """What it was asked, on a real socket; `answers` by path."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self.answers: dict[str, Any] = {
            "/v1/expected-deliveries": {"items": [DELIVERY], "next_cursor": None},
            "/v1/expected-deliveries/po-1/receive": RECEIVED,
            "/v1/channels/web-fr/future-availability": {"items": [FIGURES]},
            "/v1/preorders": {"items": [PREORDER], "next_cursor": None},
        }
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path, _, query = self.path.partition("?")
                sent = json.loads(body) if body else query
                gateway.asked.append((self.command, path, sent, dict(self.headers)))
                found = gateway.answers.get(path)
                problem = {"reason": "DELIVERY_NOT_FOUND", "detail": "there is no such delivery"}
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found or problem).encode())

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = HttpServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    running = StateFolder(tmp_path)
    running.take()
    running.write(RunInfo(4711, {"gateway": f"127.0.0.1:{made.server.server_port}"}))
    yield made
    running.give_back()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def oms(tmp_path: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["stock", *words, "--state", str(tmp_path)])
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_expected_is_listed_and_filtered(tmp_path: Path, gateway: Gateway) -> None:
    told = oms(tmp_path, "expected", "--sku", "PAN", "--point", "wh-orleans")
    for words in ("po-1", "PAN", "wh-orleans", "in_transit", "40", "2026-12-04"):
        assert words in told
    ((_, _, query, _),) = gateway.asked
    assert set(query.split("&")) == {"sku=PAN", "point_id=wh-orleans", "size=500", "state=expected"}
    gateway.answers["/v1/expected-deliveries"] = {"items": [{**DELIVERY, "overdue": True}], "next_cursor": None}
    assert "overdue" in oms(tmp_path, "expected", "--all")
    assert "state=" not in gateway.asked[-1][2]


def test_a_receipt_says_who_holds_units_now_and_who_waits_in_vain(tmp_path: Path, gateway: Gateway) -> None:
    told = oms(tmp_path, "receive-expected", "po-1", "36", "--damaged", "2", "--close", "--key", "k-1")
    assert "received: 38 of 40 received" in told
    assert "38 on hand at wh-orleans, 3 reserved" in told
    assert "3 now held for ord_1" in told
    assert "2 will not come for ord_2" in told
    ((method, _, body, headers),) = gateway.asked
    assert (method, body) == ("POST", {"quantity": 36, "damaged": 2, "close": True, "source": ""})
    assert headers["Idempotency-Key"] == "k-1"


def test_a_refused_receipt_says_why(tmp_path: Path, gateway: Gateway) -> None:
    assert "DELIVERY_NOT_FOUND" in oms(tmp_path, "receive-expected", "po-9", "1", code=1)


def test_the_three_figures_stand_beside_each_other_with_their_inputs(tmp_path: Path, gateway: Gateway) -> None:
    told = oms(tmp_path, "future", "web-fr", "PAN")
    assert "PAN  2 now, 32 to come, 7 to pre-order, not before 2027-03-15" in told
    assert "channel: 5" in told
    assert "pre-1" in told
    assert json.loads(oms(tmp_path, "future", "web-fr", "PAN", "--json"))["items"] == [FIGURES]


def test_preorders_are_listed(tmp_path: Path, gateway: Gateway) -> None:
    told = oms(tmp_path, "preorders")
    assert "pre-1" in told
    assert "all" in told
    gateway.answers["/v1/preorders"] = {"items": [], "next_cursor": None}
    assert "nothing can be pre-ordered" in oms(tmp_path, "preorders")
