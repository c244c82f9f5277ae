"""`oms documents` against a gateway of canned answers: what is asked, what is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

RUNNER = CliRunner()
PART = {"tax_rate_basis_points": 550, "net_minor": 948, "tax_minor": 52, "gross_minor": 1000}
NOTE: dict[str, Any] = {
    "number": "WEB-FR-CN-2026-000001",
    "kind": "credit_note",
    "issued_on": "2026-11-20",
    "order_id": "ord_1",
    "cause": "refund/[r1]",
    "total": {"amount_minor": 2000, "currency": "EUR"},
    "lines": [PART | {"title": "[coat]", "sku": "SKU-1", "quantity": 2}],
    "shipping": [PART],
    "adjustments": [],
    "totals": [PART],
    "corrects": ["WEB-FR-INV-2026-000001"],
    "seller_name": "Acme",
    "tenders": [{"kind": "till_card", "amount": {"amount_minor": 1234, "currency": "EUR"}}],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path / "state") as canned:
        yield canned


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["documents", *words, "--state", str(tmp_path / "state")])
    return done.exit_code, done.output


def test_documents_are_listed_by_what_is_asked_for(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/documents"] = (200, {"items": [NOTE], "next_cursor": "x"})
    words = ("--from", "2026-11-01", "--series", "WEB-FR", "--kind", "credit_note", "--size", "7")
    code, told = run(tmp_path, "list", *words)
    assert code == 0
    for word in (NOTE["number"], "credit note", "20.00 EUR", "refund/[r1]", "there are more"):
        assert word in told
    asked = parse_qs(urlsplit(gateway.asked[0].path).query)
    assert asked == {
        "from": ["2026-11-01T00:00:00+00:00"],
        "series": ["WEB-FR"],
        "kind": ["credit_note"],
        "size": ["7"],
    }


def test_a_document_is_shown_with_its_rates_and_what_it_corrects(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", f"/v1/documents/{NOTE['number']}"] = (200, NOTE)
    code, told = run(tmp_path, "show", NOTE["number"])
    assert code == 0
    shown = ("[coat]", "5.5 %", "delivery", "10.00 EUR", "corrects WEB-FR-INV-2026-000001", "issued by Acme")
    for word in (*shown, "till card: 12.34 EUR"):
        assert word in told


def test_files_and_pages_are_written(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/documents/export"] = (200, {"a": 1})
    gateway.answers["GET", f"/v1/documents/{NOTE['number']}/page"] = (200, {"b": 2})
    file, page = tmp_path / "documents.csv", tmp_path / "note.html"
    assert run(tmp_path, "export", str(file), "--channel", "web-fr")[0] == 0
    assert run(tmp_path, "page", NOTE["number"], str(page), "--lang", "fr")[0] == 0
    assert (file.exists(), page.exists()) == (True, True)
    assert [urlsplit(one.path).query for one in gateway.asked] == ["channel_id=web-fr", "lang=fr"]


def test_a_problem_is_told_in_one_line(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/documents/X-INV-2026-000001"] = (
        404,
        {"title": "Not found", "detail": "there is no such document", "reason": "DOCUMENT_NOT_FOUND"},
    )
    code, told = run(tmp_path, "show", "X-INV-2026-000001")
    assert (code, "no such document" in told) == (1, True)
