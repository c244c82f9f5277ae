"""`oms stock basket` in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

PATH = "/v1/channels/web-fr/baskets/cart-1"
BASKET = {
    "basket_id": "cart-1",
    "channel_id": "web-fr",
    "state": "held",
    "expires_at": "2026-11-24T10:10:00Z",
    "lines": [{"sku": "PAN", "point_id": "st-lyon", "quantity": 2}],
    "shortfalls": [{"sku": "PAN", "point_id": None, "requested": 3, "available": 2}],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["stock", "basket", *arguments, "--state", str(state)])


def test_a_basket_is_held_with_what_its_lines_say(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["PUT", PATH] = 200, BASKET
    told = oms(tmp_path, "hold", "web-fr", "cart-1", "PAN=3", "SOFA=1@st-lyon", "--seconds", "60", "--partial")
    assert gateway.asked[-1].body == {
        "lines": [
            {"sku": "PAN", "quantity": 3, "point_id": ""},
            {"sku": "SOFA", "quantity": 1, "point_id": "st-lyon"},
        ],
        "time_to_live_seconds": 60,
        "allow_partial": True,
    }
    assert "PAN: 2 of 3" in told.output
    assert oms(tmp_path, "hold", "web-fr", "cart-1", "PAN").exit_code == 2, "no number of units"


def test_a_basket_is_shown_extended_and_given_back(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", PATH] = 200, BASKET
    assert json.loads(oms(tmp_path, "show", "web-fr", "cart-1", "--json").output) == BASKET
    gateway.answers["POST", f"{PATH}/extend"] = 200, BASKET
    assert "held until" in oms(tmp_path, "extend", "web-fr", "cart-1").output
    assert gateway.asked[-1].body == {"time_to_live_seconds": 600}
    gateway.answers["DELETE", PATH] = 204, {}
    assert oms(tmp_path, "release", "web-fr", "cart-1").output == "cart-1 holds nothing\n"


def test_a_refusal_says_why(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", PATH] = 404, {"status": 404, "reason": "RESERVATION_NOT_FOUND", "detail": "no basket"}
    told = oms(tmp_path, "show", "web-fr", "cart-1")
    assert (told.exit_code, "RESERVATION_NOT_FOUND" in told.stderr) == (1, True)
