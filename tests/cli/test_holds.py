"""`oms order hold` and its neighbours in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

HOLDS = "/v1/orders/ord_1/holds"
HOLD = {
    "hold_id": "hld_1",
    "kind": "manual",
    "fulfilment_id": None,
    "reason": "ask her",
    "until": None,
    "default": "release",
    "ended_at": None,
    "outcome": None,
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", *arguments, "--state", str(state)])


def test_an_order_or_one_points_work_is_stopped(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", HOLDS] = 201, HOLD
    told = oms(tmp_path, "hold", "ord_1", "--reason", "ask her")
    assert gateway.asked[-1].body == {"reason": "ask her", "default": "release"}
    assert "hld_1 manual: ask her (until somebody ends it)" in told.output
    until = "2100-01-01T00:00:00Z"
    oms(tmp_path, "hold", "ord_1", "--reason", "x", "--work", "ful_1", "--until", until, "--cancel")
    assert gateway.asked[-1].body == {"reason": "x", "default": "cancel", "fulfilment_id": "ful_1", "until": until}


def test_a_hold_is_ended_or_extended(tmp_path: Path, gateway: CannedGateway) -> None:
    ended = HOLD | {"ended_at": "2026-11-24T10:10:00Z", "outcome": "released"}
    gateway.answers["POST", f"{HOLDS}/hld_1/release"] = 200, ended
    assert "(released " in oms(tmp_path, "release-hold", "ord_1", "hld_1").output
    gateway.answers["POST", f"{HOLDS}/hld_1/extend"] = 200, HOLD | {"until": "2100-01-01T00:00:00Z"}
    told = oms(tmp_path, "extend-hold", "ord_1", "hld_1", "--until", "2100-01-01T00:00:00Z")
    assert ", then release" in told.output
    gateway.answers["POST", f"{HOLDS}/hld_1/refuse"] = 200, ended | {"outcome": "refused"}
    assert "(refused " in oms(tmp_path, "refuse-hold", "ord_1", "hld_1", "--reason", "stolen").output


def test_orders_are_listed_by_what_holds_them(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/orders"] = 200, {"items": []}
    oms(tmp_path, "list", "--held-for", "fraud")
    assert "held_for=fraud" in str(gateway.asked[-1])
