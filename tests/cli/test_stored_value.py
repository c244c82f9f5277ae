"""`oms payments stored-value`, as a person types it, against answers of the gateway's shape."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

PATH = "/v1/stored-value"
CARD = {
    "id": "svl_1",
    "kind": "gift_card",
    "state": "active",
    "last_four": "04B6",
    "issued": {"amount_minor": 5000, "currency": "EUR"},
    "balance": {"amount_minor": 3000, "currency": "EUR"},
    "held": {"amount_minor": 0, "currency": "EUR"},
    "valid_until": None,
    "customer_ref": "",
}
CODE = "0000-0000-0000-04B6"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as found:
        yield found


def typed(state: Path, *words: str, answer: str = "") -> tuple[int, str]:
    command = ["payments", "stored-value", *words, "--state", str(state)]
    result = CliRunner().invoke(app, command, input=answer)
    return result.exit_code, result.output


def test_a_card_is_issued_and_its_code_printed_once(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["POST", PATH] = (201, {**CARD, "code": CODE})
    code, output = typed(tmp_path, "issue", "30", "--currency", "JPY", "--reason", "sold", "--channel", "web-fr")
    assert (code, output) == (0, f"svl_1  30.00 EUR  code {CODE}\n")
    (asked,) = gateway.asked
    assert asked.key
    assert asked.body == {
        "kind": "gift_card",
        "amount": {"amount_minor": 30, "currency": "JPY"},
        "channels": ["web-fr"],
        "customer_ref": "",
        "single_use": False,
        "reason": "sold",
    }


@pytest.mark.parametrize("amount", ["thirty", "30.001", "NaN"])
def test_an_amount_that_is_none_is_not_sent(gateway: CannedGateway, tmp_path: Path, amount: str) -> None:
    assert typed(tmp_path, "issue", amount, "--reason", "sold")[0] == 2
    assert gateway.asked == []


def test_cards_are_listed_by_what_is_asked_for(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", PATH] = (200, {"items": [CARD], "next_cursor": None})
    code, output = typed(tmp_path, "list", "--kind", "gift_card", "--in", "active")
    assert code == 0
    assert gateway.asked[0].path.endswith("?size=20&kind=gift_card&state=active")
    assert "svl_1  gift_card  ...04B6  active  50.00 EUR  30.00 EUR" in output


def test_one_is_shown_with_what_happened_to_it(gateway: CannedGateway, tmp_path: Path) -> None:
    line = {
        "act": "spend",
        "amount": {"amount_minor": 2000, "currency": "EUR"},
        "debit": "held",
        "credit": "spent",
        "order_id": "ord_1",
        "cause": "parcel/par_1",
        "actor": "workflows",
        "recorded_at": "2026-11-20T12:00:00Z",
    }
    gateway.answers["GET", f"{PATH}/svl_1"] = (200, CARD)
    gateway.answers["GET", f"{PATH}/svl_1/movements"] = (200, {"items": [line], "next_cursor": None})
    code, output = typed(tmp_path, "show", "svl_1")
    assert code == 0
    assert "spend  20.00 EUR  held  spent  ord_1  workflows" in output
    assert json.loads(typed(tmp_path, "show", "svl_1", "--json")[1])["movements"] == [line]


def test_a_code_is_asked_for_and_what_it_would_pay_told(gateway: CannedGateway, tmp_path: Path) -> None:
    worth = {"kind": "gift_card", "last_four": "04B6", "available": {"amount_minor": 0, "currency": "EUR"}}
    gateway.answers["POST", f"{PATH}/check"] = (200, {**worth, "refusal": "stored_value_frozen"})
    code, output = typed(tmp_path, "check", "--channel", "web-fr", answer=f"{CODE}\n")
    assert code == 1
    assert output.endswith("gift_card ...04B6  0.00 EUR  (stored_value_frozen)\n")
    assert gateway.asked[0].body == {"code": CODE, "channel_id": "web-fr"}


def test_one_is_corrected_frozen_and_given_another_code(gateway: CannedGateway, tmp_path: Path) -> None:
    for act in ("adjust", "freeze", "unfreeze"):
        gateway.answers["POST", f"{PATH}/svl_1/{act}"] = (200, CARD)
    gateway.answers["POST", f"{PATH}/svl_1/code"] = (200, {**CARD, "code": CODE})
    reason = ("--reason", "a mistake")
    assert typed(tmp_path, "adjust", "svl_1", "--amount", "-5.00", *reason)[0] == 0
    assert typed(tmp_path, "freeze", "svl_1", *reason)[0] == 0
    assert typed(tmp_path, "unfreeze", "svl_1", *reason)[0] == 0
    assert CODE in typed(tmp_path, "new-code", "svl_1", *reason)[1]
    amount = {"amount_minor": -500, "currency": "EUR"}
    assert gateway.asked[0].body == {"amount": amount, "reason": "a mistake"}
    assert len({one.key for one in gateway.asked}) == 4


def test_a_refusal_is_told_with_its_field(gateway: CannedGateway, tmp_path: Path) -> None:
    problem = {
        "reason": "INVALID_FIELD",
        "detail": "must lie ahead",
        "errors": [{"field": "valid_until", "rule": "INVALID_FIELD", "detail": "must lie ahead"}],
    }
    gateway.answers["POST", PATH] = (422, problem)
    code, output = typed(tmp_path, "issue", "30", "--reason", "sold", "--valid-until", "2020-01-01T00:00:00Z")
    assert code == 1
    assert "  valid_until: must lie ahead" in output
