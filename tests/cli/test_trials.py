"""`oms order trial` in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

TRIAL = "/v1/orders/ord_1/trial"
OPEN: dict[str, Any] = {
    "ends_at": "2026-12-01T10:00:00Z",
    "decided_at": "2026-11-25T10:00:00Z",
    "settled_at": None,
    "kept": [],
}
SETTLED = OPEN | {
    "settled_at": "2026-11-26T10:00:00Z",
    "kept": [{"line_number": 1, "from_unit": 0, "to_unit": 2}, {"line_number": 3, "from_unit": 1, "to_unit": 2}],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", "trial", *arguments, "--state", str(state)])


def test_what_comes_back_is_said_and_given_back(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", TRIAL] = 200, {"order_id": "ord_1", "trial": OPEN}
    told = oms(tmp_path, "decide", "ord_1", "1=2", "3=1")
    assert gateway.asked[-1].body == {
        "returns": [{"line_number": 1, "quantity": 2}, {"line_number": 3, "quantity": 1}]
    }
    assert "decided" in told.output
    assert oms(tmp_path, "decide", "ord_1").exit_code == 0
    assert gateway.asked[-1].body == {"returns": []}
    gateway.answers["POST", f"{TRIAL}/returns"] = 200, {"order_id": "ord_1", "trial": SETTLED}
    told = oms(tmp_path, "give-back", "ord_1", "1=2", "--at", "st-lyon")
    assert gateway.asked[-1].body == {"lines": [{"line_number": 1, "quantity": 2}], "point_id": "st-lyon"}
    assert "3 units kept" in told.output
    oms(tmp_path, "give-back", "ord_1", "1=2")
    assert gateway.asked[-1].body["point_id"] is None


def test_a_trial_is_shown_with_its_units_and_a_problem_in_one_line(tmp_path: Path, gateway: CannedGateway) -> None:
    units = {"line_number": 1, "from_unit": 0, "to_unit": 2, "state": "returning", "fulfilment_id": "ful_1"}
    line = {"line_number": 1, "sku": "SKU-1", "title": "", "quantity": 2, "net_minor": 100, "tax_minor": 20}
    order = {
        "trial": None,
        "units": [units],
        "lines": [line | {"shipping_minor": 0}],
        "total": {"amount_minor": 120, "currency": "EUR"},
    }
    gateway.answers["GET", "/v1/orders/ord_1"] = 200, order
    told = oms(tmp_path, "show", "ord_1")
    assert "begins when all has arrived" in told.output
    assert "returning" in told.output
    problem = {
        "type": "about:blank",
        "title": "late",
        "status": 409,
        "reason": "TRIAL_OVER",
        "detail": "it is over",
    }
    gateway.answers["POST", TRIAL] = 409, problem
    refused = oms(tmp_path, "decide", "ord_1")
    assert (refused.exit_code, "TRIAL_OVER" in refused.output) == (1, True)
