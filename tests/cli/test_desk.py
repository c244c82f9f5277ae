"""`oms order blocked`, `acts` and `customer` in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

EUR_50 = {"amount_minor": 5000, "currency": "EUR"}
BLOCKED: dict[str, Any] = {
    "id": "ord_1",
    "channel_id": "web-fr",
    "promise": {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T18:00:00Z"},
    "reasons": [
        {
            "reason": "undecided_loss",
            "detail": "lost",
            "since": "2026-12-02T08:00:00Z",
            "due_at": "2026-12-05T08:00:00Z",
            "then": "refund",
        },
        {"reason": "late", "detail": "", "since": "2026-12-02T08:00:00Z", "due_at": None, "then": None},
    ],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", *arguments, "--state", str(state)], env={"COLUMNS": "200"})


def test_what_does_not_go_on_is_listed_with_its_reasons(tmp_path: Path, gateway: CannedGateway) -> None:
    page = {"items": [BLOCKED], "next_cursor": None, "total": 1, "counts": {"undecided_loss": 1, "late": 1}}
    gateway.answers["GET", "/v1/blocked-orders"] = 200, page
    told = oms(tmp_path, "blocked", "--reason", "late", "--point", "st-lyon").output
    assert "undecided_loss: lost" in told
    assert "refund" in told
    assert "waits for a person" in told
    assert "1 in all: 1 late, 1 undecided_loss" in told
    assert json.loads(oms(tmp_path, "blocked", "--json").output) == page
    gateway.answers["GET", "/v1/blocked-orders"] = 422, {"reason": "INVALID_REQUEST", "detail": "reason: no"}
    assert oms(tmp_path, "blocked", "--reason", "bad_weather").exit_code == 1


def test_acts_say_why_they_may_not_be_done(tmp_path: Path, gateway: CannedGateway) -> None:
    no = {"act": "cancel", "target_id": None, "possible": False, "detail": "a parcel has left"}
    yes = {"act": "refuse_hold", "target_id": "hld_1", "possible": True, "detail": None}
    gateway.answers["GET", "/v1/orders/ord_1/acts"] = 200, {"items": [no, yes]}
    told = oms(tmp_path, "acts", "ord_1").output
    assert "a parcel has left" in told
    assert "hld_1" in told


def test_a_customer_is_shown_with_what_all_orders_came_to(tmp_path: Path, gateway: CannedGateway) -> None:
    order = {
        "id": "ord_1",
        "channel_id": "web-fr",
        "placed_at": "2026-11-30T08:00:00Z",
        "status": "closed",
        "total": EUR_50,
    }
    counts = {"orders": 3, "open_orders": 1, "late_orders": 2, "kept_units": 4, "ordered_units": 5}
    money = [{"ordered": EUR_50, "captured": EUR_50, "refunded": EUR_50}]
    page = {"items": [order], "totals": {**counts, "money": money}, "issues": [BLOCKED]}
    gateway.answers["GET", "/v1/orders/ord_1/customer"] = 200, page
    told = oms(tmp_path, "customer", "ord_1").output
    assert "3 orders, 1 open, 2 late; 4 of 5 units kept" in told
    assert "undecided_loss: lost" in told
