"""`oms pick-lists` and `oms manifests` in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

WORK = {
    "slot": "A",
    "fulfilment_id": "ful_1",
    "order_id": "ord_1",
    "status": "accepted",
    "is_open": True,
    "hand_over_by": "2026-11-20T16:00:00Z",
}
FIRST = {
    "title": "[dress]",
    "sku": "SKU-1",
    "location": "A-01",
    "quantity": 3,
    "shares": [{"slot": "B", "quantity": 1}, {"slot": "A", "quantity": 2}],
}
LIST: dict[str, Any] = {
    "id": "pkl_1",
    "point_id": "st-lyon",
    "actor": "anna",
    "opened_at": "2026-11-20T10:00:00Z",
    "closed_at": None,
    "works": [WORK, WORK | {"slot": "B", "fulfilment_id": "ful_2", "is_open": False}],
    "articles": [FIRST, FIRST | {"title": "vase", "location": None, "quantity": 1200}],
}
PARCEL = {
    "fulfilment_id": "ful_1",
    "order_id": "ord_1",
    "tracking_code": "HX1",
    "sscc": "395204170000000012",
    "weight_grams": 1_450,
    "units": 3,
}
MANIFEST: dict[str, Any] = {
    "id": "man_1",
    "number": 12,
    "point_id": "st-lyon",
    "carrier_id": "hexagone",
    "actor": "anna",
    "closed_at": "2026-11-20T17:00:00Z",
    "parcels": [PARCEL, PARCEL | {"weight_grams": 2_550}],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path / "state") as canned:
        yield canned


def oms(tmp_path: Path, *words: str) -> list[str]:
    state = str(tmp_path / "state")
    done = CliRunner().invoke(app, [*words, "--state", state], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_open_lists_say_how_much_is_left_to_pick(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/points/st-lyon/pick-lists"] = 200, {"items": [LIST]}
    _, told = oms(tmp_path, "pick-lists", "list", "st-lyon")
    assert told.split()[:2] == ["pkl_1", "anna"]
    assert told.split()[-3:] == ["1", "2", "1,203"], "works that are still open, articles, units"


def test_a_list_is_shown_as_it_is_walked(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/pick-lists/pkl_1"] = 200, LIST
    told = oms(tmp_path, "pick-lists", "show", "pkl_1")
    assert told[0].startswith("pkl_1 of anna at st-lyon, opened")
    assert [line.split()[0] for line in told[2:4]] == ["A-01", "-"], "in the order of the answer"
    assert told[2].split()[1:] == ["[dress]", "SKU-1", "3", "B:", "1,", "A:", "2"]
    assert [line.split()[:2] for line in told[5:]] == [["A", "ful_1"], ["B", "ful_2"]]


def test_manifests_are_listed_and_shown_by_parcel(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/points/st-lyon/manifests"] = 200, {"items": [MANIFEST], "next_cursor": "x"}
    _, told, more = oms(tmp_path, "manifests", "list", "st-lyon", "--size", "1")
    assert gateway.asked[-1].path.endswith("?size=1")
    assert told.split()[:3] == ["man_1", "12", "hexagone"]
    assert told.endswith("4.0 kg")
    assert "--size" in more
    gateway.answers["GET", "/v1/manifests/man_1"] = 200, MANIFEST
    told_of, _, parcel, _ = oms(tmp_path, "manifests", "show", "man_1")
    assert told_of.startswith("manifest 12 of hexagone at st-lyon")
    assert parcel.split() == ["395204170000000012", "HX1", "ord_1", "ful_1", "3", "1.4", "kg"]


@pytest.mark.parametrize(("group", "found_id"), [("pick-lists", "pkl_1"), ("manifests", "man_1")])
def test_sheets_are_written_to_a_file_or_not_at_all(
    gateway: CannedGateway, tmp_path: Path, group: str, found_id: str
) -> None:
    gateway.answers["GET", f"/v1/{group}/{found_id}/print"] = 200, "the sheet"
    file = tmp_path / "sheet.pdf"
    (told,) = oms(tmp_path, group, "print", found_id, str(file), "--lang", "fr")
    assert gateway.asked[-1].path.endswith("?lang=fr")
    assert file.read_text() == '"the sheet"'
    assert told.startswith("11 bytes")
    gateway.answers["GET", f"/v1/{group}/none/print"] = 404, {"reason": "NOT_FOUND", "detail": "there is none"}
    words = [group, "print", "none", str(tmp_path / "none.pdf"), "--state", str(tmp_path / "state")]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "there is none" in done.output) == (1, True)
    assert not (tmp_path / "none.pdf").exists()


def test_answers_are_told_as_they_came(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/pick-lists/pkl_1"] = 200, LIST
    assert '"pkl_1"' in "".join(oms(tmp_path, "pick-lists", "show", "pkl_1", "--json"))
