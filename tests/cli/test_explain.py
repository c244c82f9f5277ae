"""`oms explain` as a person types it: the way from an order to the reasons, in one step."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from oms.promise.v1 import decision_service_pb2 as pb
from services.gateway.schemas.decisions import DecisionView
from services.gateway.wire import shown
from tests.cli import gateway
from tests.cli.gateway import CannedGateway
from tests.services.gateway import fake_decisions

ORDER = fake_decisions.BRIEF.order_id
TOLD: dict[str, Any] = {
    "decision_id": "dec_2",
    "order_id": ORDER,
    "sections": [
        {
            "name": "chosen",
            "sentences": [{"code": "SHIPS_FROM", "text": "The order ships from [2] points.", "facts": {}}],
        },
        {
            "name": "split",
            "sentences": [{"code": "NO_POINT_HAS_ALL", "text": "No point had all.", "facts": {"wanted": "4"}}],
        },
    ],
}


def view(decision_id: str, **values: Any) -> dict[str, Any]:
    """A decision as the gateway lists it."""
    decision = pb.Decision()
    decision.CopyFrom(fake_decisions.BRIEF)
    decision.MergeFrom(pb.Decision(decision_id=decision_id, **values))
    found: dict[str, Any] = json.loads(shown(decision, DecisionView).model_dump_json())
    return found


@pytest.fixture
def system(tmp_path: Path) -> Iterator[CannedGateway]:
    """An order that was planned twice."""
    with gateway.serving(tmp_path / "state") as canned:
        canned.answers = {
            ("GET", f"/v1/orders/{ORDER}"): (200, {"id": ORDER}),
            ("GET", f"/v1/orders/{ORDER}/decisions"): (200, {"items": [view("dec_1"), view("dec_2")]}),
            ("GET", "/v1/decisions/dec_2/explanation"): (200, TOLD),
        }
        yield canned


def oms(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["explain", *words, "--state", str(tmp_path / "state")])


def test_an_order_is_explained_by_its_last_decision_and_leads_to_the_others(
    tmp_path: Path, system: CannedGateway
) -> None:
    told = oms(tmp_path, ORDER)
    assert told.exit_code == 0, told.output
    assert "The order ships from [2] points." in told.stdout, "what stands in brackets is text, not markup"
    assert "Why split, or not" in told.stdout
    assert "No point had all." in told.stdout
    last = told.stdout[told.stdout.index("Earlier decisions of this order") :]
    assert "dec_1" in last
    assert "store-lyon" in last
    assert "dec_2" not in last


def test_a_decision_is_explained_without_its_order_and_a_point_is_asked_about(
    tmp_path: Path, system: CannedGateway
) -> None:
    told = oms(tmp_path, "dec_2", "--why-not", "store-nice")
    assert told.exit_code == 0, told.output
    assert "Earlier decisions" not in told.stdout
    assert [asked.path for asked in system.asked] == ["/v1/decisions/dec_2/explanation?why_not=store-nice"]


def test_json_is_what_the_gateway_said(tmp_path: Path, system: CannedGateway) -> None:
    assert json.loads(oms(tmp_path, ORDER, "--json").stdout) == TOLD


def test_an_earlier_decision_of_a_broken_quote_says_so(tmp_path: Path, system: CannedGateway) -> None:
    broken = view("dec_1", quote_broken=True)
    system.answers["GET", f"/v1/orders/{ORDER}/decisions"] = 200, {"items": [broken, view("dec_2")]}
    assert "the quote was broken" in oms(tmp_path, ORDER).stdout


def test_what_does_not_exist_and_what_was_not_decided_end_with_1(tmp_path: Path, system: CannedGateway) -> None:
    system.answers["GET", f"/v1/orders/{ORDER}/decisions"] = 200, {"items": []}
    nothing = oms(tmp_path, ORDER)
    assert (nothing.exit_code, f"nothing was decided for {ORDER} yet" in nothing.stderr) == (1, True)
    system.answers["GET", "/v1/decisions/dec_9/explanation"] = 404, {"reason": "DECISION_NOT_FOUND", "detail": ""}
    missing = oms(tmp_path, "dec_9")
    assert (missing.exit_code, "DECISION_NOT_FOUND" in missing.stderr) == (1, True)
