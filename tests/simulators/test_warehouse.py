"""The warehouse simulator: what it takes, what it says, and what it does wrong when it is told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.http_server import HttpServer
from tests.simulators.warehouse import WEBHOOK_SECRET, RunningWarehouse, running

ORDER = {
    "id": "ful_1",
    "site": "wh-orleans",
    "order_reference": "ord_1",
    "carrier": "colis",
    "carrier_service": "standard",
    "lines": [
        {"line_number": 1, "sku": "PAN", "quantity": 2},
        {"line_number": 2, "sku": "POT", "quantity": 1},
    ],
    "ship_to": {"name": "A", "street_lines": ["1 rue B"], "postcode": "69002", "city": "Lyon", "country": "FR"},
}


@dataclass
class Ear:
    """Hears messages; refuses the first `refusing` of them."""

    refusing: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [one["type"].removeprefix("preparation.") for one in self.heard]

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.heard) >= count, self.types


@contextmanager
def listening(ear: Ear) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if ear.refusing:
                ear.refusing -= 1
                self.send_response(503)
            else:
                ear.heard.append(Webhook(WEBHOOK_SECRET).verify(body, dict(self.headers)))
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HttpServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def warehouse(tmp_path: Path, ear: Ear) -> Iterator[RunningWarehouse]:
    with listening(ear) as url, running(tmp_path, url, pace_seconds=0.01) as started:
        yield started


def prepare(warehouse: RunningWarehouse, **changes: Any) -> httpx.Response:
    return warehouse.call("POST", "", ORDER | changes)


def status(warehouse: RunningWarehouse) -> str:
    return str(warehouse.call("GET", "/ful_1").json()["status"])


def test_an_order_is_prepared_and_every_step_is_told_once_signed(warehouse: RunningWarehouse, ear: Ear) -> None:
    assert prepare(warehouse).status_code == 201
    ear.wait_for(4)
    assert ear.types == ["acknowledged", "picked", "packed", "shipped"]
    assert ear.heard[1]["data"] == {
        "lines": [{"line_number": 1, "quantity": 2}, {"line_number": 2, "quantity": 1}]
    }
    assert ear.heard[2]["data"]["weight_grams"] == 1170
    assert warehouse.call("GET", "/ful_1").json()["messages"] == ear.heard


def test_an_id_is_one_order(warehouse: RunningWarehouse) -> None:
    assert prepare(warehouse).status_code == 201
    assert prepare(warehouse).status_code == 200
    other = prepare(warehouse, site="elsewhere")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "id_used")
    assert len(warehouse.preparations()) == 1


def test_a_stranger_is_not_answered(warehouse: RunningWarehouse) -> None:
    assert warehouse.call("GET", "/ful_1", key="other").status_code == 401
    assert warehouse.call("GET", "/ful_1").status_code == 404


def test_status_tells_nothing_of_the_customer(warehouse: RunningWarehouse) -> None:
    prepare(warehouse)
    assert "rue B" not in json.dumps(warehouse.call("GET", "/ful_1").json())


def test_a_message_is_sent_until_it_is_taken(warehouse: RunningWarehouse, ear: Ear) -> None:
    ear.refusing = 2
    prepare(warehouse)
    ear.wait_for(4)
    assert sorted(ear.types) == ["acknowledged", "packed", "picked", "shipped"]


def test_what_is_not_found_is_short_and_nothing_found_ends_it(warehouse: RunningWarehouse, ear: Ear) -> None:
    warehouse.rule("short", found={1: 1})
    warehouse.rule("short", preparation_id="ful_2")
    prepare(warehouse)
    ear.wait_for(4)
    assert ear.heard[1]["data"]["lines"] == [
        {"line_number": 1, "quantity": 1},
        {"line_number": 2, "quantity": 0},
    ]
    prepare(warehouse, id="ful_2")
    ear.wait_for(6)
    assert ear.types[4:] == ["acknowledged", "picked"]
    assert warehouse.call("GET", "/ful_2").json()["status"] == "short"


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        (
            "duplicate",
            ["acknowledged", "acknowledged", "picked", "picked", "packed", "packed", "shipped", "shipped"],
        ),
        ("repeat", ["acknowledged", "acknowledged", "picked", "picked", "packed", "packed", "shipped", "shipped"]),
        ("shuffle", ["shipped", "packed", "picked", "acknowledged"]),
    ],
)
def test_messages_come_more_than_once_or_out_of_order(
    warehouse: RunningWarehouse, ear: Ear, kind: str, heard: list[str]
) -> None:
    warehouse.rule(kind)
    prepare(warehouse)
    ear.wait_for(len(heard))
    assert ear.types == heard
    assert len({one["message_id"] for one in ear.heard}) == (8 if kind == "repeat" else 4)


def test_a_mute_warehouse_only_answers_when_asked(warehouse: RunningWarehouse, ear: Ear) -> None:
    warehouse.rule("mute")
    prepare(warehouse)
    deadline = time.monotonic() + 10
    while status(warehouse) != "shipped" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(warehouse.call("GET", "/ful_1").json()["messages"]) == 4
    assert ear.heard == []


def test_it_refuses_and_it_takes_no_such_order(warehouse: RunningWarehouse, ear: Ear) -> None:
    warehouse.rule("refuse", reason="damaged")
    warehouse.rule("reject", preparation_id="ful_2")
    prepare(warehouse)
    ear.wait_for(1)
    assert (ear.types, ear.heard[0]["data"]) == (["refused"], {"reason": "damaged"})
    assert prepare(warehouse, id="ful_2").status_code == 422
    assert warehouse.call("GET", "/ful_2").status_code == 404


def test_it_is_away_and_its_answer_is_lost(warehouse: RunningWarehouse) -> None:
    warehouse.rule("down", count=2)
    assert [prepare(warehouse).status_code for _ in range(3)] == [503, 503, 201]
    warehouse.rule("lost_answer")
    with pytest.raises(httpx.ReadTimeout):
        warehouse.http.post(
            "/v1/preparation-orders",
            json=ORDER | {"id": "ful_2"},
            headers={"Authorization": "Bearer key_simulated"},
            timeout=0.2,
        )
    assert warehouse.call("GET", "/ful_2").status_code == 200


@pytest.mark.parametrize(
    ("kind", "answer", "ends"),
    [
        ("idle", "cancelled", "cancelled"),
        ("late", "too_late", "received"),
        ("ship_anyway", "cancelled", "received"),
    ],
)
def test_it_stops_or_it_does_not(tmp_path: Path, kind: str, answer: str, ends: str) -> None:
    with running(tmp_path) as warehouse:
        warehouse.rule(kind)
        prepare(warehouse)
        for _ in range(2):
            assert warehouse.call("POST", "/ful_1/cancel").json() == {"outcome": answer}
        assert status(warehouse) == ends


def test_what_is_packed_is_too_late_to_stop_and_books_outlive_it(tmp_path: Path) -> None:
    with running(tmp_path) as warehouse:
        prepare(warehouse)
        for step in ("acknowledged", "picked", "packed"):
            warehouse.step("ful_1", step)
    with running(tmp_path) as warehouse:
        assert warehouse.call("POST", "/ful_1/cancel").json() == {"outcome": "too_late"}
        assert status(warehouse) == "packed"


def test_a_slow_order_does_not_keep_others_waiting(warehouse: RunningWarehouse, ear: Ear) -> None:
    warehouse.rule("slow", seconds=60)
    prepare(warehouse)
    prepare(warehouse, id="ful_2")
    ear.wait_for(4)
    assert {one["preparation_id"] for one in ear.heard} == {"ful_2"}
    assert status(warehouse) == "received"
