"""`oms order bulk` and `bulk-show` in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

TRIED = {
    "id": None,
    "orders": 3,
    "verdicts": [
        {"status": "released", "reason": None, "detail": None, "orders": 2},
        {"status": "released", "reason": "TOO_LATE_TO_CANCEL", "detail": "it has left", "orders": 1},
    ],
}
COUNTS = {"done": 2, "refused": 1, "pending": 0, "stopped": 0}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", *arguments, "--state", str(state)], env={"COLUMNS": "200"})


def test_a_set_is_tried_and_begun_only_with_a_yes(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", "/v1/bulk-actions"] = 200, TRIED
    told = oms(tmp_path, "bulk", "cancel", "--reason", "recalled", "--channel", "web-fr", "--late").output
    assert gateway.asked[-1].body == {
        "act": "cancel",
        "reason": "recalled",
        "filter": {"channel_id": "web-fr", "late": True},
        "dry_run": True,
    }
    assert "refused, TOO_LATE_TO_CANCEL: it has left" in told
    assert "nothing was done" in told
    gateway.answers["POST", "/v1/bulk-actions"] = 200, TRIED | {"id": "blk_1"}
    told = oms(tmp_path, "bulk", "release_hold", "--hold-kind", "fraud", "--yes").output
    assert gateway.asked[-1].body == {
        "act": "release_hold",
        "reason": "",
        "filter": {"held_for": "fraud"},
        "dry_run": False,
        "hold_kind": "fraud",
    }
    assert "blk_1: 3 orders" in told
    oms(tmp_path, "bulk", "plan_again", "--point", "st-lyon", "--late")
    assert gateway.asked[-1].body["filter"] == {"point_id": "st-lyon", "late": True}
    gateway.answers["POST", "/v1/bulk-actions"] = 422, {"reason": "TOO_MANY_ORDERS", "detail": "choose fewer"}
    assert oms(tmp_path, "bulk", "cancel", "--reason", "x", "--late").exit_code == 1


def test_progress_says_what_was_refused(tmp_path: Path, gateway: CannedGateway) -> None:
    action = {"act": "cancel", "orders": 3, "actor": "carla", **COUNTS}
    late = {"order_id": "ord_2", "state": "refused", "reason": "TOO_LATE_TO_CANCEL", "detail": "it has left"}
    gateway.answers["GET", "/v1/bulk-actions/blk_1"] = 200, action
    gateway.answers["GET", "/v1/bulk-actions/blk_1/results"] = 200, {"items": [late]}
    told = oms(tmp_path, "bulk-show", "blk_1").output
    assert "cancel of 3 orders by carla: 2 done, 1 refused, 0 pending, 0 stopped" in told
    assert "TOO_LATE_TO_CANCEL: it has left" in told
