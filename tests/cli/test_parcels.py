"""`oms order declare-lost` and `decide` in front of a gateway with canned answers."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import show
from cli.main import app
from tests.cli.gateway import serving

WORK = "/v1/fulfilments/ful_1"


@pytest.mark.parametrize(
    ("words", "path", "body", "told"),
    [
        (["declare-lost", "ful_1", "--reason", "x"], "declare-lost", {"cause": "lost", "reason": "x"}, "is lost"),
        (
            ["declare-lost", "ful_1", "--reason", "x", "--damaged"],
            "declare-lost",
            {"cause": "damaged", "reason": "x"},
            "is damaged",
        ),
        (["decide", "ful_1", "reship"], "decide", {"decision": "reship"}, "sent again"),
        (["decide", "ful_1", "refund"], "decide", {"decision": "refund"}, "refunded"),
    ],
)
def test_customer_service_acts_on_a_parcel(
    tmp_path: Path, words: list[str], path: str, body: dict[str, str], told: str
) -> None:
    with serving(tmp_path) as gateway:
        gateway.answers["POST", f"{WORK}/{path}"] = 200, {}
        done = CliRunner().invoke(app, ["order", *words, "--state", str(tmp_path)])
        assert (done.exit_code, gateway.asked[-1].body) == (0, body)
        assert told in done.output


def test_what_cannot_be_decided_is_told_in_a_line(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        problem = {"reason": "ALREADY_DECIDED", "detail": "it was decided: refund"}
        gateway.answers["POST", f"{WORK}/decide"] = 409, problem
        done = CliRunner().invoke(app, ["order", "decide", "ful_1", "reship", "--state", str(tmp_path)])
    assert done.exit_code == 1
    assert "ALREADY_DECIDED: it was decided: refund" in done.output


def test_what_waits_for_a_decision_is_a_list(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        gateway.answers["GET", "/v1/orders"] = 200, {"items": []}
        CliRunner().invoke(app, ["order", "list", "--undecided-loss", "--state", str(tmp_path)])
    assert "undecided_loss=true" in gateway.asked[-1].path


@pytest.mark.parametrize(
    ("parcel", "told"),
    [
        ({"loss": {"decision": "reship", "decide_by": "2026-11-24T10:10:00Z"}}, "reship"),
        ({"loss": {"decision": None, "decide_by": "2026-11-24T10:10:00Z"}}, "decide by"),
        ({"failure_reason": "recipient_absent"}, "recipient absent"),
    ],
)
def test_the_status_of_a_parcel_says_why(parcel: dict[str, object], told: str) -> None:
    amount = {"amount_minor": 1, "currency": "EUR"}
    work: dict[str, object] = {
        "point_id": "st-lyon",
        "status": "lost",
        "refusal_reason": None,
        "lines": [],
        "carrier_id": "sterne",
        "service_id": "home",
        "hand_over_by": "2026-11-24T10:10:00Z",
        "parcel": {"amount": amount, "capture_state": "captured", "tracking_code": "T1", **parcel},
    }
    table = show.fulfilments({"fulfilments": [work]})
    assert told in str(list(table.columns[1].cells))
