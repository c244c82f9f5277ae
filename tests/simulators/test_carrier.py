"""The carrier simulator: shipments, their events, and posts that go wrong when they are told to."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from simulators.carrier.webhooks import sign
from tests.http_server import HttpServer
from tests.simulators.carrier import API_KEY, WEBHOOK_SECRET, RunningCarrier, running

PATIENCE_SECONDS = 20.0


class Receiver:
    """Takes posts; refuses the first `refusals` of them."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.refusals = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                signature = self.headers["Carrier-Signature"]
                timestamp = int(signature.partition(",")[0].removeprefix("t="))
                assert signature == sign(payload, WEBHOOK_SECRET, timestamp)
                refuse = receiver.refusals > 0
                receiver.refusals -= refuse
                if not refuse:
                    receiver.taken += [(self.path, one) for one in json.loads(payload)["events"]]
                self.send_response(503 if refuse else 200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                return

        self.server = HttpServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/carriers/{{carrier}}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def codes(self, count: int) -> list[str]:
        """The codes of the posts, once there are so many after the announcement's."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.taken) < count + 1:
            assert time.monotonic() < deadline, f"only {self.taken}"
            time.sleep(0.01)
        return [event["code"] for _, event in self.taken][1:]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def carrier(tmp_path: Path, receiver: Receiver) -> Iterator[RunningCarrier]:
    with running(tmp_path, receiver.url) as made:
        yield made


def test_a_shipment_is_announced_once_by_its_reference(carrier: RunningCarrier) -> None:
    code = carrier.announce("sterne", "par_1")
    assert carrier.announce("sterne", "par_1") == code
    assert carrier.announce("vallier", "par_1") != code
    other = carrier.http.post("/sterne/shipments", json={"reference": "par_1", "weight_grams": 1})
    assert other.status_code == 409
    shown = carrier.http.get(f"/sterne/shipments/{code}").json()
    assert (shown["status"], shown["weight_grams"]) == ("PRE_ADVICE", 500)


def test_who_has_no_key_sees_nothing(carrier: RunningCarrier) -> None:
    code = carrier.announce("sterne", "par_1")
    answer = carrier.http.get(f"/sterne/shipments/{code}", headers={"Authorization": f"Bearer {API_KEY}x"})
    assert answer.status_code == 401
    assert carrier.http.get("/sterne/shipments/nope/events").status_code == 404


def test_what_happens_is_listed_and_posted_to_the_address_of_its_carrier(
    carrier: RunningCarrier, receiver: Receiver
) -> None:
    code = carrier.announce("sterne", "par_1")
    carrier.play("sterne", code, "absent_once")
    told = ["PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "NOT_DELIVERED", "OUT_FOR_DELIVERY", "DELIVERED"]
    assert receiver.codes(6) == told
    assert {path for path, _ in receiver.taken} == {"/carriers/sterne"}
    listed = carrier.http.get(f"/sterne/shipments/{code}/events").json()["events"]
    assert listed == [event for _, event in receiver.taken]
    assert (listed[4]["reason"], listed[-1]["signed_by"]) == ("ABSENT", "A. Neighbour")


def test_a_post_that_is_refused_comes_again_and_keeps_no_other(
    carrier: RunningCarrier, receiver: Receiver
) -> None:
    code = carrier.announce("sterne", "par_1")
    receiver.codes(0)
    receiver.refusals = 1
    carrier.happen("sterne", code, "PICKED_UP")
    carrier.happen("sterne", code, "IN_TRANSIT")
    assert sorted(receiver.codes(2)) == ["IN_TRANSIT", "PICKED_UP"]


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ({"kind": "duplicate"}, ["PICKED_UP", "PICKED_UP", "IN_TRANSIT"]),
        ({"kind": "out_of_order"}, ["IN_TRANSIT", "PICKED_UP"]),
        ({"kind": "silent"}, ["IN_TRANSIT"]),
        ({"kind": "delayed", "seconds": 0.5}, ["IN_TRANSIT", "PICKED_UP"]),
    ],
)
def test_posts_go_wrong_as_they_are_told_to(
    carrier: RunningCarrier, receiver: Receiver, fault: dict[str, Any], codes: list[str]
) -> None:
    code = carrier.announce("sterne", "par_1")
    receiver.codes(0)
    carrier.fault(tracking_code=code, **fault)
    carrier.happen("sterne", code, "PICKED_UP")
    carrier.happen("sterne", code, "IN_TRANSIT")
    assert receiver.codes(len(codes)) == codes
    assert len(carrier.http.get(f"/sterne/shipments/{code}/events").json()["events"]) == 3


def test_a_clock_that_is_ahead_and_an_api_that_is_down(carrier: RunningCarrier) -> None:
    code = carrier.announce("sterne", "par_1")
    carrier.fault("clock_ahead", seconds=3600)
    event = carrier.happen("sterne", code, "PICKED_UP", occurred_at="2026-11-20T12:00:00+00:00")
    assert event["occurred_at"] == "2026-11-20T13:00:00+00:00"
    carrier.fault("down", count=2)
    assert [carrier.http.get(f"/sterne/shipments/{code}").status_code for _ in range(3)] == [503, 503, 200]


def test_what_was_not_posted_is_posted_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path, "http://127.0.0.1:9/") as away:
        code = away.announce("sterne", "par_1")
        away.happen("sterne", code, "LOST")
    with running(tmp_path, receiver.url) as back:
        assert receiver.codes(1) == ["LOST"]
        assert back.http.get(f"/sterne/shipments/{code}").json()["status"] == "LOST"
