"""`oms stock import` against a gateway of canned answers: what is sent, what is told, and the exit code."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.client import Api, Problem
from cli.stock import imports
from tests.http_server import HttpServer

NAMES = (
    "read",
    "changed",
    "unchanged",
    "late",
    "rejected",
    "zeroed",
    "below_zero",
    "bytes_read",
    "worked",
    "planned",
)


def job(state: str, **changes: Any) -> dict[str, Any]:
    return dict.fromkeys(NAMES, 0) | {
        "job_id": "imp_1",
        "state": state,
        "reason": "",
        "detail": "",
        "bytes": 10,
        **changes,
    }


class Gateway(BaseHTTPRequestHandler):
    """Takes one file, and says twice that it is not done yet."""

    asked: ClassVar[list[tuple[str, dict[str, list[str]], Any, bytes]]] = []
    answers: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        address = urlsplit(self.path)
        self.asked.append((address.path, parse_qs(address.query), self.headers, body))
        refused = "refuse" in address.query
        self._answer(422 if refused else 202, {"reason": "NO", "detail": "no"} if refused else job("received"))

    def do_GET(self) -> None:
        self._answer(200, self.answers.pop(0))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def api() -> Iterator[Api]:
    Gateway.asked, Gateway.answers = [], []
    server = HttpServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    with Api(f"http://127.0.0.1:{server.server_port}", lambda role, _: f"token-of-{role}") as made:
        yield made
    server.shutdown()
    server.server_close()


def test_a_file_is_sent_as_it_is_and_followed_until_it_is_done(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv.gz"
    file.write_bytes(gzip.compress(b"sku,point_id,quantity\n" + b"A,B,1\n" * 100_000))
    Gateway.answers = [
        job("running", bytes_read=5),
        job("running", bytes_read=10, planned=4, worked=2),
        job("done"),
    ]
    sent = imports.send(api, file, {"kind": "snapshot", "point_id": ["a", "b"]})
    assert imports.follow(api, sent)["state"] == "done"
    ((path, query, headers, body),) = Gateway.asked
    assert (path, query) == ("/v1/stock/imports", {"kind": ["snapshot"], "point_id": ["a", "b"]})
    assert (headers["Content-Encoding"], headers["Authorization"]) == ("gzip", "Bearer token-of-supply_chain")
    assert body == file.read_bytes()
    assert not Gateway.answers


def test_a_refusal_is_a_problem(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_bytes(b"x")
    with pytest.raises(Problem, match="NO"):
        imports.send(api, file, {"refuse": "yes"})
    assert Gateway.asked[0][2]["Content-Encoding"] is None


def test_how_far_a_job_is_never_goes_back() -> None:
    shares = [
        imports.share_done(one)
        for one in (
            job("received"),
            job("running", bytes_read=5),
            job("running", bytes_read=10),
            job("running", bytes_read=10, planned=4, worked=1),
            job("running", bytes_read=10, planned=4, worked=4),
        )
    ]
    assert shares == sorted(shares) == [0, 0.25, 0.5, 0.625, 1]


def test_the_report_tells_every_count_and_the_records_that_were_not_applied(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = {"line": 3, "reason": "UNKNOWN_ITEM", "detail": "sku: there is no item [X]", "record": "[X],a,1"}
    imports.report(job("done", read=9, changed=4, unchanged=2, late=1, rejected=2), [wrong])
    told = capsys.readouterr().out
    assert "read 9  changed 4  unchanged 2  late 1  rejected 2" in told
    for part in ("UNKNOWN_ITEM", "[X],a,1", "and 2 more"):
        assert part in told
