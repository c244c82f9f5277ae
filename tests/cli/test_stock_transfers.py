"""`oms stock lanes`, `transfer` and `pause`, as a person types them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

LANE = {
    "lane_id": "orleans-lyon",
    "origin_id": "wh-orleans",
    "destination_id": "st-lyon",
    "departures": [{"weekday": 1, "cut_off_minute": 1085}, {"weekday": 4, "cut_off_minute": 1080}],
    "transit_days": 1,
    "cost": {"currency": "EUR", "per_parcel_minor": 450, "per_unit_minor": 0, "per_kilogram_minor": 12},
}
WINDOW = {"start": "2026-11-24T09:00:00Z", "end": "2026-11-24T18:00:00Z"}
TRANSFER = {
    "id": "trf_1",
    "origin_id": "wh-orleans",
    "destination_id": "st-lyon",
    "state": "received",
    "lane_id": "orleans-lyon",
    "expected": WINDOW,
    "requested_at": "2026-11-23T09:00:00Z",
    "lines": [
        {
            "sku": "PAN",
            "quantity": 9,
            "dispatched": 8,
            "received": 5,
            "settled": 1,
            "lost": 1,
            "over": 0,
            "damaged": 2,
            "in_transit": 2,
        }
    ],
}
PAUSE = {
    "id": "pau_1",
    "point_id": "st-lyon",
    "sku": "",
    "channel_id": "",
    "reason": "burst pipe",
    "from_at": "2026-11-23T09:00:00Z",
    "until_at": None,
    "lifted_at": None,
    "in_force": True,
}
PROBLEM = {"reason": "ILLEGAL_TRANSITION", "detail": "a transfer that is closed allows no cancel"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return tmp_path


@pytest.fixture
def gateway(state: Path) -> Iterator[CannedGateway]:
    with serving(state) as canned:
        yield canned


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["stock", *arguments, "--state", str(state)])


def cells(result: Result) -> list[list[str]]:
    return [line.split() for line in result.output.splitlines() if line.strip()]


def test_lanes_are_listed_with_their_days_and_costs(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/lanes"] = 200, {"items": [LANE]}
    told = oms(state, "lanes")
    assert told.exit_code == 0, told.output
    assert "mon 18:05, thu 18:00" in told.output
    assert cells(told)[1][-5:] == ["4.50", "EUR", "-", "0.12", "EUR"]
    gateway.answers["GET", "/v1/lanes/orleans-lyon/schedule"] = (
        200,
        {"lane": LANE, "runs": [{"cut_off_at": "2026-11-23T17:05:00Z", "arrives": WINDOW}], "cost": None},
    )
    told = oms(state, "lanes", "orleans-lyon")
    assert "Mon 23 Nov 17:05 UTC" in told.output
    assert "Tue 24 Nov 09:00 to 18:00 UTC" in told.output


def test_units_are_asked_for_and_each_step_is_said(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", "/v1/transfers"] = 200, {"requested": True, "transfer": TRANSFER, "shortfalls": []}
    for act in ("dispatch", "receive", "settle", "cancel"):
        gateway.answers["POST", f"/v1/transfers/trf_1/{act}"] = 200, TRANSFER
    for arguments, path, body in (
        (
            ["request", "wh-orleans", "st-lyon", "PAN=9", "A/B=1", "--key", "k"],
            "",
            {
                "origin_id": "wh-orleans",
                "destination_id": "st-lyon",
                "lines": [{"sku": "PAN", "quantity": 9}, {"sku": "A/B", "quantity": 1}],
                "lane_id": "",
                "reason": "",
            },
        ),
        (["dispatch", "trf_1"], "/trf_1/dispatch", {"lines": [], "declare_not_found": False}),
        (
            ["dispatch", "trf_1", "PAN=0", "--not-found"],
            "/trf_1/dispatch",
            {"lines": [{"sku": "PAN", "quantity": 0}], "declare_not_found": True},
        ),
        (
            ["receive", "trf_1", "PAN=5", "--damaged", "PAN=2"],
            "/trf_1/receive",
            {"lines": [{"sku": "PAN", "quantity": 5, "damaged": 2}]},
        ),
        (
            ["settle", "trf_1", "PAN=1", "--outcome", "lost", "--reason", "stolen"],
            "/trf_1/settle",
            {"lines": [{"sku": "PAN", "quantity": 1, "outcome": "lost", "reason": "stolen"}]},
        ),
        (["cancel", "trf_1", "--reason", "no need"], "/trf_1/cancel", {"reason": "no need"}),
    ):
        told = oms(state, "transfer", *arguments)
        assert told.exit_code == 0, told.output
        assert cells(told)[-1] == ["PAN", "9", "8", "5", "2", "1", "0", "2"]
        assert gateway.asked[-1].path == f"/v1/transfers{path}"
        assert gateway.asked[-1].body == body
    assert gateway.asked[0].key == "k"
    assert len({one.key for one in gateway.asked}) == len(gateway.asked), "without a key, each is a new act"


def test_too_few_units_are_told_and_are_exit_code_1(state: Path, gateway: CannedGateway) -> None:
    lacking = {"sku": "PAN", "point_id": "wh-orleans", "requested": 9, "available": 2}
    answer = {"requested": False, "transfer": None, "shortfalls": [lacking]}
    gateway.answers["POST", "/v1/transfers"] = 200, answer
    told = oms(state, "transfer", "request", "wh-orleans", "st-lyon", "PAN=9")
    assert told.exit_code == 1
    assert "PAN: 9 wanted, 2 there at wh-orleans" in told.output


@pytest.mark.parametrize("units", ["PAN", "=2", "PAN=", "PAN=x", "PAN=-1", "PAN=1.5"])
def test_units_that_make_no_sense_are_refused_before_anyone_is_asked(
    state: Path, gateway: CannedGateway, units: str
) -> None:
    told = oms(state, "transfer", "request", "wh-orleans", "st-lyon", units)
    assert told.exit_code == 2
    assert "SKU=UNITS" in told.output
    assert not gateway.asked


def test_what_is_damaged_must_have_arrived(state: Path, gateway: CannedGateway) -> None:
    told = oms(state, "transfer", "receive", "trf_1", "PAN=5", "--damaged", "SOFA=1")
    assert told.exit_code == 2
    assert not gateway.asked


def test_a_refused_act_says_why(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", "/v1/transfers/trf_1/cancel"] = 409, PROBLEM
    told = oms(state, "transfer", "cancel", "trf_1")
    assert told.exit_code == 1
    assert "ILLEGAL_TRANSITION: a transfer that is closed allows no cancel" in told.output


def test_a_transfer_is_shown_with_what_was_done_to_it(state: Path, gateway: CannedGateway) -> None:
    line = {"sku": "PAN", "quantity": 1, "damaged": 0, "over": 0, "outcome": "lost", "reason": "stolen"}
    act = {"act": "settle", "actor": "paul", "reason": "", "at": "2026-11-24T10:00:00Z", "lines": [line]}
    gateway.answers["GET", "/v1/transfers/trf_1"] = 200, TRANSFER | {"acts": [act]}
    told = oms(state, "transfer", "show", "trf_1")
    assert "expected Tue 24 Nov 09:00 to 18:00 UTC" in told.output
    assert "1 PAN lost stolen" in told.output
    assert json.loads(oms(state, "transfer", "show", "trf_1", "--json").output)["acts"] == [act]


def test_transfers_are_listed_by_point_and_state_page_after_page(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/transfers"] = 200, {"items": [TRANSFER], "next_cursor": None}
    told = oms(state, "transfer", "list", "--point", "st-lyon", "--in", "received")
    assert gateway.asked[-1].path == "/v1/transfers?point_id=st-lyon&state=received"
    assert cells(told)[1][:6] == ["trf_1", "wh-orleans", "st-lyon", "received", "9", "2"]


def test_a_pause_is_started_lifted_and_listed(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", "/v1/pauses"] = 201, PAUSE
    told = oms(state, "pause", "--point", "st-lyon", "--reason", "burst pipe", "--until", "2026-12-01T08:00:00Z")
    assert told.exit_code == 0, told.output
    assert cells(told)[1][:3] == ["pau_1", "st-lyon", "yes"]
    sent: Any = gateway.asked[-1].body
    assert sent == {
        "point_id": "st-lyon",
        "sku": "",
        "channel_id": "",
        "reason": "burst pipe",
        "until_at": "2026-12-01T08:00:00Z",
    }
    lifted = PAUSE | {"in_force": False, "lifted_at": "2026-11-23T10:00:00Z"}
    gateway.answers["POST", "/v1/pauses/pau_1/lift"] = 200, lifted
    assert json.loads(oms(state, "unpause", "pau_1", "--json").output) == lifted
    gateway.answers["GET", "/v1/pauses"] = 200, {"items": [lifted], "next_cursor": None}
    told = oms(state, "pauses", "--all")
    assert gateway.asked[-1].path == "/v1/pauses?include_ended=true"
    assert "Mon 23 Nov 10:00 UTC" in told.output
