"""`oms handovers`, as a person types it, against answers of the gateway's shape."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

SYSTEMS = "/v1/handover-systems"
SYSTEM = {
    "system_id": "demo-warehouse",
    "name": "Simulator",
    "point_ids": ["wh-orleans"],
    "enabled": False,
    "acknowledge_tolerance_seconds": 900,
    "ship_tolerance_seconds": 3600,
}
ALERT = {
    "alert_id": "alt_1",
    "fulfilment_id": "ful_1",
    "kind": "not_shipped",
    "text": "It has not shipped the work.",
    "raised_at": "2026-11-24T10:00:00Z",
    "closed_at": None,
    "closed_by": "",
    "note": "",
}
HANDOVER = {
    "fulfilment_id": "ful_1",
    "order_id": "ord_1",
    "system_id": "demo-warehouse",
    "state": "packed",
    "heard_at": None,
    "last_error": "",
    "alerts": [ALERT, ALERT | {"kind": "too_late", "closed_at": "2026-11-24T11:00:00Z"}],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as found:
        yield found


def typed(state: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["handovers", *words, "--state", str(state)])
    return result.exit_code, result.output


def test_the_work_list_tells_what_is_open(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/handovers"] = 200, {"items": [HANDOVER], "next_cursor": None}
    code, output = typed(tmp_path, "list", "--alert", "--system", "demo-warehouse")
    assert code == 0
    assert gateway.asked[0].path == "/v1/handovers?alert=true&system_id=demo-warehouse"
    assert output.splitlines()[1].split() == [
        "ful_1", "ord_1", "demo-warehouse", "packed", "never", "not_shipped",
    ]  # fmt: skip
    assert json.loads(typed(tmp_path, "list", "--json")[1]) == {"items": [HANDOVER]}


def test_one_is_shown_with_what_was_said_and_its_alerts(gateway: CannedGateway, tmp_path: Path) -> None:
    said = {"received_at": "2026-11-24T10:00:00Z", "kind": "shipped", "state": "waiting", "reason": "NOT_CAPTURED"}
    gateway.answers["GET", "/v1/handovers/ful_1"] = 200, HANDOVER | {"messages": [said]}
    code, output = typed(tmp_path, "show", "ful_1")
    assert code == 0
    assert "ful_1 of ord_1 at demo-warehouse: packed" in output
    assert "NOT_CAPTURED" in output
    assert "alt_1  not_shipped (open): It has not shipped the work." in output
    assert "too_late (closed by itself)" in output


def test_an_alert_is_closed_with_a_note(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["POST", "/v1/handover-alerts/alt_1/close"] = 200, ALERT
    assert typed(tmp_path, "close", "alt_1", "--note", "called") == (0, "not_shipped of ful_1 is closed\n")
    assert gateway.asked[0].body == {"note": "called"}


@pytest.mark.parametrize(("word", "enabled", "told"), [("enable", True, "on"), ("disable", False, "off")])
def test_a_system_is_switched_and_stays_what_it_is(
    gateway: CannedGateway, tmp_path: Path, word: str, enabled: bool, told: str
) -> None:
    gateway.answers["GET", SYSTEMS] = 200, {"items": [SYSTEM]}
    gateway.answers["PUT", SYSTEMS] = 200, {"changed": 1}
    assert typed(tmp_path, word, "demo-warehouse") == (0, f"demo-warehouse is {told}\n")
    assert gateway.asked[-1].body == {"systems": [SYSTEM | {"enabled": enabled}]}
    assert typed(tmp_path, word, "stranger")[0] == 2
    assert "wh-orleans" in typed(tmp_path, "systems")[1]


def test_a_refusal_says_why(gateway: CannedGateway, tmp_path: Path) -> None:
    problem = {"reason": "ALERT_CLOSED", "detail": "anna closed it"}
    gateway.answers["POST", "/v1/handover-alerts/alt_1/close"] = 409, problem
    code, output = typed(tmp_path, "close", "alt_1")
    assert code == 1
    assert "ALERT_CLOSED: anna closed it" in output
