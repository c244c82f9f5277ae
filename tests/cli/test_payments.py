"""`oms payments` against a gateway of canned answers: what is asked, what is told, and the exit code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

RUNNER = CliRunner()
OPERATION: dict[str, Any] = {
    "operation_id": "pop_1",
    "order_id": "ord_1",
    "kind": "capture",
    "state": "failed",
    "amount": {"amount_minor": 1200, "currency": "JPY"},
    "failure_code": "insufficient_funds",
    "intended_at": "2026-11-20T10:00:00Z",
    "channel_id": "web-fr",
    "point_id": "st-lyon",
    "tender_kind": "payment_method_token",
    "cause": "parcel/[p1]",
}
DIFFERENCE: dict[str, Any] = {
    "difference_id": "sdf_1",
    "day": "2026-11-20",
    "kind": "different_amount",
    "state": "open",
    "expected": {"amount_minor": 4000, "currency": "EUR"},
    "found": None,
    "order_id": "ord_1",
    "transaction_id": "txn_1",
    "reason": "",
}
COUNTS = ("lines", "matched", "different_amount", "different_currency", "extra", "fees_only", "missing")


def settlement(state: str, **changes: Any) -> dict[str, Any]:
    return dict.fromkeys(COUNTS, 0) | {
        "settlement_id": "stl_1",
        "state": state,
        "reason": "",
        "detail": "",
        "fees": [{"amount_minor": 81, "currency": "EUR"}],
        **changes,
    }


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path / "state") as canned:
        yield canned


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["payments", *words, "--state", str(tmp_path / "state")])
    return done.exit_code, done.output


def query_of(gateway: CannedGateway, nth: int = 0) -> dict[str, list[str]]:
    return parse_qs(urlsplit(gateway.asked[nth].path).query)


def test_operations_are_listed_with_every_filter(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/payment-operations"] = (200, {"items": [OPERATION], "next_cursor": "x"})
    filters = (
        "--from 2026-11-20 --until 2026-11-21T12:00:00+01:00 --channel web-fr --channel app-fr --store st-lyon"
    )
    code, told = run(tmp_path, "list", *filters.split(), "--kind", "capture", "--outcome", "failed")
    assert code == 0
    for part in ("1200 JPY", "insufficient_funds", "st-lyon", "parcel/[p1]", "there are more"):
        assert part in told
    assert query_of(gateway) == {
        "from": ["2026-11-20T00:00:00+00:00"],
        "until": ["2026-11-21T12:00:00+01:00"],
        "channel_id": ["web-fr", "app-fr"],
        "point_id": ["st-lyon"],
        "kind": ["capture"],
        "state": ["failed"],
        "size": ["20"],
    }
    assert run(tmp_path, "list", "--from", "yesterday")[0] == 2


def test_an_export_is_written_whole_or_not_at_all(gateway: CannedGateway, tmp_path: Path) -> None:
    address = ("GET", "/v1/payment-operations/export")
    file = tmp_path / "operations.csv"
    gateway.answers[address] = (503, {"reason": "UNREACHABLE", "detail": "away"})
    code, told = run(tmp_path, "export", str(file))
    assert (code, file.exists(), "UNREACHABLE" in told) == (1, False, True)
    gateway.answers[address] = (200, "rows")
    assert run(tmp_path, "export", str(file), "--currency", "EUR")[0] == 0
    assert (file.read_text(), query_of(gateway, 1)) == ('"rows"', {"format": ["csv"], "currency": ["EUR"]})
    assert run(tmp_path, "export", str(tmp_path / "operations.xlsx"))[0] == 2
    assert [one.name for one in tmp_path.glob("operations*")] == ["operations.csv"]


def test_a_file_is_reconciled_and_followed_until_it_is_done(gateway: CannedGateway, tmp_path: Path) -> None:
    file = tmp_path / "stripe.csv"
    file.write_text("transaction_id\n")
    answers = [settlement("running"), settlement("done", lines=3, matched=2, extra=1, missing=1)]
    gateway.answers |= {
        ("POST", "/v1/settlements"): (202, settlement("received")),
        ("GET", "/v1/settlements/stl_1"): lambda _: (200, answers.pop(0)),
        ("GET", "/v1/settlement-differences"): (200, {"items": [DIFFERENCE], "next_cursor": None}),
    }
    code, told = run(tmp_path, "reconcile", str(file), "--day", "2026-11-20")
    assert code == 1
    for part in ("matched 2", "0.81 EUR", "different amount", "40.00 EUR", "awaited"):
        assert part in told
    assert query_of(gateway) == {"provider": ["stripe"], "day": ["2026-11-20"], "file_name": ["stripe.csv"]}
    assert gateway.asked[0].body == b"transaction_id\n"


def test_a_file_without_differences_is_a_success(gateway: CannedGateway, tmp_path: Path) -> None:
    file = tmp_path / "stripe.csv"
    file.write_text("transaction_id\n")
    gateway.answers |= {
        ("POST", "/v1/settlements"): (202, settlement("done")),
        ("GET", "/v1/settlement-differences"): (200, {"items": [], "next_cursor": None}),
    }
    assert run(tmp_path, "reconcile", str(file), "--day", "2026-11-20")[0] == 0
    gateway.answers["POST", "/v1/settlements"] = (
        202,
        settlement("failed", reason="INVALID_KIND", detail="line 2"),
    )
    code, told = run(tmp_path, "reconcile", str(file), "--day", "2026-11-20")
    assert (code, "INVALID_KIND: line 2" in told) == (1, True)


def test_differences_are_listed_and_resolved(gateway: CannedGateway, tmp_path: Path) -> None:
    closed = DIFFERENCE | {"state": "closed", "closed_by": "fiona", "reason": "refunded by hand"}
    address = "/v1/settlement-differences/sdf_1/resolve"
    gateway.answers |= {
        ("GET", "/v1/settlement-differences"): (200, {"items": [DIFFERENCE], "next_cursor": None}),
        ("POST", address): (200, closed),
    }
    assert "sdf_1" in run(tmp_path, "differences", "--in", "waiting", "--in", "open")[1]
    assert query_of(gateway)["state"] == ["waiting", "open"]
    told = run(tmp_path, "resolve", "sdf_1", "--reason", "refunded by hand")[1]
    assert told.strip() == "sdf_1 closed by fiona: refunded by hand"
    assert (gateway.asked[1].path, gateway.asked[1].body) == (address, {"reason": "refunded by hand"})
