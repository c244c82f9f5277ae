"""`oms stock declare`, `sell`, `count` and others, as a person types them, before a gateway of canned words."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.client import Json
from cli.main import app
from deploy.local.state import RunInfo, StateFolder
from tests.http_server import HttpServer

runner = CliRunner()
BALANCE = {"sku": "MUG", "point_id": "LYON", "on_hand": 4, "reserved": 1, "unavailable": 2, "short": 0}
DECLARED = {
    "declaration": {"declaration_id": "dec_1", "remaining": 1, "quantity": 2, "reason": "damaged"},
    "balance": BALANCE,
}
LINE = dict.fromkeys(("expected", "moved", "difference", "adjusted"))
COUNT = {
    "count_id": "cnt_1",
    "state": "open",
    "point_id": "LYON",
    "lines": [{"sku": "MUG", "counted": 3, "damaged": 1, **LINE}],
}
ANSWERS: dict[str, Json] = {
    "/v1/points/LYON/declarations": DECLARED,
    "/v1/declarations/dec_1/release": DECLARED,
    "/v1/points/LYON/till-sales": {"taken": 1, "declared": 1, "known": 0, "unknown": 0, "balance": BALANCE},
    "/v1/points/LYON/receipts": {"receipt": {"receipt_id": "rcp_1"}, "balances": [BALANCE]},
    "/v1/points/LYON/end-of-day": {
        "report_id": "adj_1",
        "business_date": "2026-11-20",
        "units": 2,
        "lines": [{"sku": "MUG", "reason": "not_found", "declared": 2, "quantity": 2}],
    },
    "/v1/points/LYON/counts": COUNT,
    "/v1/counts/cnt_1": COUNT,
    "/v1/counts/cnt_1/lines": COUNT,
    "/v1/counts/cnt_1/close": COUNT,
    "/v1/counts/cnt_1/cancel": COUNT,
}


class Gateway:
    """What it was asked, and where it answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, str | None]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                found = json.loads(body) if body else None
                gateway.asked.append((self.command, self.path, found, self.headers.get("idempotency-key")))
                answer = ANSWERS.get(self.path)
                self.send_response(200 if answer else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer or {"reason": "GONE", "detail": "no such thing"}).encode())

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        self.server = HttpServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """It answers where the state folder says that the system runs."""
    found = Gateway()
    folder = StateFolder(tmp_path)
    folder.take()
    folder.write(RunInfo(4711, {"gateway": f"127.0.0.1:{found.server.server_port}"}))
    yield found
    folder.give_back()
    found.server.shutdown()
    found.server.server_close()


def say(tmp_path: Path, *words: str, code: int = 0) -> str:
    result = runner.invoke(app, ["stock", *words, "--state", str(tmp_path)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("words", "path", "body", "told"),
    [
        (
            ["declare", "LYON", "MUG", "2", "--reason", "damaged"],
            "/v1/points/LYON/declarations",
            {"sku": "MUG", "quantity": 2, "reason": "damaged", "source": "oms stock"},
            "1 of 2 damaged",
        ),
        (["release", "dec_1"], "/v1/declarations/dec_1/release", {"quantity": None}, "dec_1"),
        (["release", "dec_1", "1"], "/v1/declarations/dec_1/release", {"quantity": 1}, "dec_1"),
        (
            ["sell", "LYON", "MUG", "--receipt", "4711"],
            "/v1/points/LYON/till-sales",
            {"sku": "MUG", "quantity": 1, "receipt": "4711"},
            "taken 1  declared 1",
        ),
        (
            ["receive", "LYON", "asn/1", "MUG=9/10+1", "A/B=3"],
            "/v1/points/LYON/receipts",
            {
                "reference": "asn/1",
                "lines": [
                    {"sku": "MUG", "received": 9, "expected": 10, "damaged": 1},
                    {"sku": "A/B", "received": 3, "expected": None, "damaged": 0},
                ],
            },
            "rcp_1",
        ),
        (["end-of-day", "LYON"], "/v1/points/LYON/end-of-day", {"business_date": None}, "2 units written off"),
        (
            ["count", "open", "LYON", "MUG", "--category", "home"],
            "/v1/points/LYON/counts",
            {"skus": ["MUG"], "categories": ["home"]},
            "cnt_1",
        ),
        (
            ["count", "record", "cnt_1", "MUG=3+1"],
            "/v1/counts/cnt_1/lines",
            {"lines": [{"sku": "MUG", "counted": 3, "damaged": 1}]},
            "open at LYON",
        ),
        (["count", "close", "cnt_1"], "/v1/counts/cnt_1/close", None, "cnt_1"),
        (["count", "cancel", "cnt_1"], "/v1/counts/cnt_1/cancel", None, "cnt_1"),
        (["count", "show", "cnt_1"], "/v1/counts/cnt_1", None, "cnt_1"),
    ],
)
def test_a_command_asks_what_it_says_and_shows_the_answer(
    gateway: Gateway, tmp_path: Path, words: list[str], path: str, body: Any, told: str
) -> None:
    assert told in say(tmp_path, *words)
    assert [(asked[1], asked[2]) for asked in gateway.asked] == [(path, body)]
    assert json.loads(say(tmp_path, *words, "--json")) == ANSWERS[path]


def test_an_act_has_a_key_of_its_own_unless_one_is_given(gateway: Gateway, tmp_path: Path) -> None:
    for more in ((), (), ("--key", "ticket-1"), ("--key", "ticket-1")):
        say(tmp_path, "sell", "LYON", "MUG", *more)
    one, two, three, four = (asked[3] for asked in gateway.asked)
    assert one
    assert one != two
    assert three == four == "ticket-1"


@pytest.mark.parametrize(
    "words",
    [
        ["receive", "LYON", "asn/1", "MUG"],
        ["receive", "LYON", "asn/1", "MUG=x"],
        ["receive", "LYON", "asn/1", "MUG=1/"],
        ["receive", "LYON", "asn/1", "MUG=1+x"],
        ["count", "record", "cnt_1", "=3"],
        ["count", "record", "cnt_1", "MUG=-3"],
    ],
)
def test_a_line_that_cannot_be_read_is_shown_how(gateway: Gateway, tmp_path: Path, words: list[str]) -> None:
    assert "SKU=" in say(tmp_path, *words, code=2)
    assert gateway.asked == []


def test_a_refusal_is_told_and_ends_with_one(gateway: Gateway, tmp_path: Path) -> None:
    assert "GONE" in say(tmp_path, "count", "close", "cnt_2", code=1)
