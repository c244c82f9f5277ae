"""`oms order personalise` in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

WORK = "/v1/fulfilments/ful_1/personalisation"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", "personalise", *arguments, "--state", str(state)])


def test_a_point_begins_is_done_and_tells_what_it_spoiled(tmp_path: Path, gateway: CannedGateway) -> None:
    left = {"status": "picked", "lines": [{"quantity": 2}]}
    for act in ("begin", "complete", "spoiled"):
        gateway.answers["POST", f"{WORK}-{act}"] = 200, left
    assert oms(tmp_path, "begin", "ful_1", "--at", "st-lyon").output.strip() == "ful_1: begun"
    assert oms(tmp_path, "done", "ful_1", "--at", "st-lyon").output.strip() == "ful_1: personalised"
    told = oms(tmp_path, "spoiled", "ful_1", "1=1", "2=3", "--at", "st-lyon", "--key", "once")
    assert told.output.strip() == "ful_1: 2 units left"
    assert gateway.asked[-1].body == {
        "spoiled": [{"line_number": 1, "quantity": 1}, {"line_number": 2, "quantity": 3}]
    }
    # The lines of work without any left are those it had.
    gateway.answers["POST", f"{WORK}-spoiled"] = 200, left | {"status": "short"}
    assert oms(tmp_path, "spoiled", "ful_1", "1=2", "--at", "st-lyon").output.strip() == "ful_1: 0 units left"
    gateway.answers["POST", f"{WORK}-spoiled"] = 409, {"reason": "NOT_BEGUN", "detail": "not begun"}
    refused = oms(tmp_path, "spoiled", "ful_1", "1=2", "--at", "st-lyon")
    assert (refused.exit_code, "not begun" in refused.output) == (1, True)
