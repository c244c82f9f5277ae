"""`oms order cancel-lines` and its neighbours in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

ORDER = "/v1/orders/ord_1"
CHANGE: dict[str, Any] = {
    "change_id": "chg_1",
    "kind": "lines",
    "state": "applied",
    "asked_at": "2026-11-24T10:10:00Z",
    "actor": "carol",
    "refusal": None,
    "options": [],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", *arguments, "--state", str(state)])


def test_units_of_lines_are_cancelled(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", f"{ORDER}/lines/cancel"] = 200, CHANGE
    told = oms(tmp_path, "cancel-lines", "ord_1", "1=2", "3=1", "--reason", "too many")
    assert gateway.asked[-1].body == {
        "lines": [{"line_number": 1, "quantity": 2}, {"line_number": 3, "quantity": 1}],
        "reason": "too many",
    }
    assert "chg_1 lines applied" in told.output
    assert oms(tmp_path, "cancel-lines", "ord_1", "two").exit_code == 2


def test_a_file_says_what_an_order_is_to_become_or_where_it_goes(tmp_path: Path, gateway: CannedGateway) -> None:
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps({"city": "Lyon"}))
    gateway.answers["PATCH", f"{ORDER}/address"] = 200, CHANGE | {"kind": "address"}
    assert oms(tmp_path, "change-address", "ord_1", str(file), "--accept-later").exit_code == 0
    assert gateway.asked[-1].body == {"ship_to": {"city": "Lyon"}, "accepts_later": True}
    option = {"window": {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T18:00:00Z"}, "mode": "home_standard"}
    refused = CHANGE | {
        "state": "refused",
        "refusal": {"reason": "PROMISE_CHANGED", "detail": "later"},
        "options": [option],
    }
    gateway.answers["PUT", f"{ORDER}/content"] = 200, refused
    told = oms(tmp_path, "change", "ord_1", str(file))
    assert told.exit_code == 1
    assert "PROMISE_CHANGED, later" in told.output
    assert "could be had:" in told.output


def test_an_order_stops_waiting_or_says_why_it_waits_on(tmp_path: Path, gateway: CannedGateway) -> None:
    path = f"{ORDER}/plan-again"
    gateway.answers["POST", path] = 200, CHANGE | {"kind": "plan_again"}
    assert "chg_1 plan_again applied" in oms(tmp_path, "plan-again", "ord_1").output
    assert oms(tmp_path, "plan-again", "ord_1", "--point", "st-lyon", "--reason", "flooded").exit_code == 0
    assert gateway.asked[-1].body == {"point_id": "st-lyon", "reason": "flooded"}
    refusal = {"reason": "STOCK_UNAVAILABLE", "detail": "not enough stock for these lines"}
    gateway.answers["POST", path] = 200, CHANGE | {"kind": "plan_again", "state": "refused", "refusal": refusal}
    told = oms(tmp_path, "plan-again", "ord_1")
    assert (told.exit_code, "STOCK_UNAVAILABLE" in told.output) == (1, True)
