"""The locker simulator: one compartment for a reference, one code, and openings posted until they are taken."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from simulators.carrier.webhooks import sign
from tests.http_server import HttpServer
from tests.simulators.locker import WEBHOOK_SECRET, RunningLocker, running

SINCE = {"since": "2026-01-01T00:00:00Z"}
PATIENCE_SECONDS = 20.0
# Path, event and answer of each post that was signed as it should be.
Posts = queue.Queue[tuple[str, dict[str, Any], int]]


@pytest.fixture
def posts() -> Posts:
    return queue.Queue()


@pytest.fixture
def locker(tmp_path: Path, posts: Posts) -> Iterator[RunningLocker]:
    answers = [503]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            signature = self.headers["Locker-Signature"]
            assert signature == sign(payload, WEBHOOK_SECRET, int(signature.partition(",")[0].removeprefix("t=")))
            answer = answers.pop() if answers else 200
            (event,) = json.loads(payload)["events"]
            posts.put((self.path, event, answer))
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            return

    server = HttpServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with running(tmp_path, f"http://127.0.0.1:{server.server_port}/lockers/{{bank}}") as made:
        yield made
    server.shutdown()
    server.server_close()


def test_a_reference_has_one_compartment_until_it_is_released(locker: RunningLocker) -> None:
    first, again = locker.book("rivoli", "ful_1"), locker.book("rivoli", "ful_1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert locker.book("rivoli", "ful_2").json()["compartment"] != first.json()["compartment"]
    assert locker.book("rivoli", "ful_3").status_code == 409
    assert locker.book("elsewhere", "ful_3").status_code == 201
    locker.release("rivoli", "ful_1")
    assert locker.book("rivoli", "ful_3").json()["compartment"] == first.json()["compartment"]


def test_only_what_was_deposited_opens_and_for_its_code_alone(locker: RunningLocker) -> None:
    door = locker.book("rivoli", "ful_1").json()["compartment"]
    assert not locker.enter("rivoli", door, "7KQM2X")
    path = "/rivoli/bookings/ful_1"
    told = locker.http.post(f"{path}/deposit", json={"code": "7KQM2X"}).json()
    assert told["state"] == "deposited"
    assert "7KQM2X" not in str(told)
    assert not locker.enter("rivoli", door, "WRONG2")
    assert locker.http.post(f"{path}/close").json()["state"] == "closed"
    assert not locker.enter("rivoli", door, "7KQM2X")
    locker.http.post(f"{path}/deposit", json={"code": "7KQM2X"})
    assert locker.enter("rivoli", door, "7KQM2X")
    closed = locker.http.post(f"{path}/close").json()
    assert (closed["state"], bool(closed["opened_at"])) == ("opened", True)
    assert locker.book("rivoli", "ful_2").json()["compartment"] == door


def test_an_opening_is_listed_and_posted_until_it_is_taken(locker: RunningLocker, posts: Posts) -> None:
    door = locker.book("rivoli", "ful_1").json()["compartment"]
    locker.http.post("/rivoli/bookings/ful_1/deposit", json={"code": "7KQM2X"})
    assert locker.enter("rivoli", door, "7KQM2X")
    (listed,) = locker.http.get("/rivoli/openings", params=SINCE).json()["events"]
    assert (listed["reference"], listed["code"]) == ("ful_1", "OPENED")
    for answer in (503, 200):
        assert posts.get(timeout=PATIENCE_SECONDS) == ("/lockers/rivoli", listed, answer)
