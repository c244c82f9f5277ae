"""`oms stock image` and `oms stock watch` in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

FIGURE = {
    "sku": "PAN",
    "available": 5,
    "ship": 4,
    "collect": 5,
    "show": 6,
    "zero_reason": None,
    "sequence": 7,
    "changed_at": "2026-11-24T10:00:00Z",
}
NONE_LEFT = FIGURE | {"sku": "SOFA", "available": 0, "zero_reason": "EXCLUDED: recall", "sequence": 8}
CHANGES = "/v1/channels/web-fr/image/changes"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def gateway(state: Path) -> Iterator[CannedGateway]:
    with serving(state) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["stock", *arguments, "--state", str(state)])


def test_named_articles_are_read_and_all_of_them_otherwise(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/channels/web-fr/image"] = 200, {"items": [FIGURE]}
    assert json.loads(oms(state, "image", "web-fr", "PAN", "--json").output) == {"items": [FIGURE]}
    assert gateway.asked[-1].path == "/v1/channels/web-fr/image?sku=PAN"
    gateway.answers["GET", CHANGES] = 200, {"items": [NONE_LEFT, FIGURE], "sequence": 8}
    told = oms(state, "image", "web-fr")
    assert told.output.index("PAN") < told.output.index("SOFA")
    assert "EXCLUDED: recall" in told.output


def test_changes_are_followed_from_a_number(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", CHANGES] = 200, {"items": [FIGURE, NONE_LEFT], "sequence": 8}
    told = oms(state, "watch", "web-fr", "--after", "6", "--changes", "2")
    assert told.output.splitlines() == [
        "7  PAN  5 available  ship 4, collect 5, show 6",
        "8  SOFA  0 available (EXCLUDED: recall)  ship 4, collect 5, show 6",
    ]
    assert gateway.asked[0].path == f"{CHANGES}?after_sequence=6&limit=1000&wait_seconds=10"


def test_without_a_number_what_is_there_already_is_passed_over(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", CHANGES] = 200, {"items": [FIGURE], "sequence": 7}
    oms(state, "watch", "web-fr", "--changes", "1")
    assert [one.path for one in gateway.asked] == [
        f"{CHANGES}?after_sequence=0&limit=1000&wait_seconds=0",
        f"{CHANGES}?after_sequence=7&limit=1000&wait_seconds=10",
    ]


def test_a_refusal_says_why(state: Path, gateway: CannedGateway) -> None:
    problem = {"reason": "CURSOR_AHEAD", "detail": "this feed has not come so far; start again from 0"}
    gateway.answers["GET", CHANGES] = 409, problem
    told = oms(state, "watch", "web-fr", "--after", "99")
    assert told.exit_code == 1
    assert "CURSOR_AHEAD" in told.output
