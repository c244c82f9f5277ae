"""`oms order refund` and its neighbours in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

ORDER = "/v1/orders/ord_1"
REFUND = {
    "id": "rfd_1",
    "kind": "goods",
    "reason_code": "withdrawal",
    "requested_at": "2026-11-24T10:10:00Z",
    "amount": {"amount_minor": 6000, "currency": "EUR"},
    "taxes": [{"tax_rate_basis_points": 2000, "net_minor": 5000, "tax_minor": 1000}],
    "state": "failed",
    "failure": "card_closed",
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", *arguments, "--state", str(state)])


def test_lines_an_amount_or_all_is_given_back(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", ORDER] = 200, {"total": {"amount_minor": 9000, "currency": "SEK"}}
    gateway.answers["POST", f"{ORDER}/refunds"] = 202, REFUND
    told = oms(tmp_path, "refund", "ord_1", "1=2", "--reason", "withdrawal", "--note", "unworn", "--key", "k-1")
    assert gateway.asked[-1].key == "k-1"
    assert gateway.asked[-1].body == {
        "kind": "goods",
        "lines": [{"line_number": 1, "quantity": 2}],
        "reason_code": "withdrawal",
        "reason": "unworn",
    }
    assert "60.00 EUR" in told.output
    assert "10.00 EUR" in told.output
    oms(tmp_path, "refund", "ord_1", "--kind", "goodwill", "--amount", "500")
    assert gateway.asked[-1].body["amount"] == {"amount_minor": 500, "currency": "SEK"}
    oms(tmp_path, "refund", "ord_1", "--whole", "--point", "store-lyon")
    assert (gateway.asked[-1].body["whole"], gateway.asked[-1].body["point_id"]) == (True, "store-lyon")
    assert oms(tmp_path, "refund", "ord_1", "two").exit_code == 2, "no line"


def test_refunds_are_listed_and_a_failed_one_is_tried_again(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", f"{ORDER}/refunds"] = 200, {"items": [REFUND]}
    assert "failed (card_closed)" in oms(tmp_path, "refunds", "ord_1").output
    gateway.answers["POST", f"{ORDER}/refunds/rfd_1/retry"] = 202, REFUND | {"state": "pending", "failure": None}
    assert "pending" in oms(tmp_path, "retry-refund", "ord_1", "rfd_1").output


def test_what_could_not_be_captured_is_tried_let_go_or_given_up(tmp_path: Path, gateway: CannedGateway) -> None:
    work = "/v1/fulfilments/ful_1"
    for path in (f"{ORDER}/capture-retry", f"{ORDER}/capture-override"):
        gateway.answers["POST", path] = 204, {}
    for path in (f"{work}/capture-retry", f"{work}/give-up"):
        gateway.answers["POST", path] = 200, {}
    assert oms(tmp_path, "retry-capture", "ord_1").exit_code == 0
    assert oms(tmp_path, "retry-capture", "ful_1").exit_code == 0
    assert oms(tmp_path, "override-capture", "ord_1", "--reason", "paid by transfer").exit_code == 0
    assert oms(tmp_path, "give-up", "ful_1", "--reason", "stolen card").exit_code == 0
    assert [asked.path for asked in gateway.asked] == [
        f"{ORDER}/capture-retry",
        f"{work}/capture-retry",
        f"{ORDER}/capture-override",
        f"{work}/give-up",
    ]
    gateway.answers["POST", f"{work}/give-up"] = (
        409,
        {"status": 409, "reason": "CAPTURE_NOT_FAILED", "detail": "no"},
    )
    refused = oms(tmp_path, "give-up", "ful_1", "--reason", "stolen card")
    assert (refused.exit_code, "CAPTURE_NOT_FAILED" in refused.output) == (1, True)


def test_an_order_is_placed_as_a_file_says(tmp_path: Path, gateway: CannedGateway) -> None:
    content = {"channel_id": "till-fr", "payment": {"cash": {"reference": "R-1", "point_id": "store-lyon"}}}
    file = tmp_path / "order.json"
    file.write_text(json.dumps(content))
    placed = {"id": "ord_1", "status": "action_required", "total": {"amount_minor": 5480, "currency": "EUR"}}
    more = {"receipt_number": "LYON-SR-2026-000001", "next_action_url": "http://bank.example/3ds"}
    gateway.answers["POST", "/v1/orders"] = 202, placed | more
    told = oms(tmp_path, "place", str(file), "--key", "k-1")
    assert (gateway.asked[-1].key, gateway.asked[-1].body) == ("k-1", content)
    for word in ("ord_1: action required, 54.80 EUR", "receipt LYON-SR-2026-000001", "http://bank.example/3ds"):
        assert word in told.output
    gateway.answers["POST", "/v1/orders"] = 422, {"detail": "the channel takes no cash"}
    refused = oms(tmp_path, "place", str(file))
    assert (refused.exit_code, "takes no cash" in refused.output) == (1, True)
    file.write_text("{}")
    assert oms(tmp_path, "place", str(file)).exit_code == 2
