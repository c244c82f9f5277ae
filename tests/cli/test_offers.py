"""`oms offers`, as a person types it, against answers of the gateway's shape."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

OFFER = {
    "fulfilment_id": "ful_1",
    "order_id": "ord_1",
    "point_id": "st-lyon",
    "ring": 1,
    "status": "refused",
    "offered_at": "2026-11-20T10:00:00Z",
    "deadline": "2026-11-20T10:30:00Z",
    "answered_at": "2026-11-20T10:01:30Z",
    "reason": "no_staff",
    "actor": "anna",
    "hand_over_by": "2026-11-20T16:00:00Z",
}
WORK = {"id": "ful_1", "point_id": "st-lyon", "hand_over_by": "2026-11-20T16:00:00Z"}
GONE = {"reason": "OFFER_GONE", "detail": "the offer is gone: another point was first"}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as found:
        yield found


def typed(state: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["offers", *words, "--state", str(state)])
    return result.exit_code, result.output


def test_offers_are_listed_with_how_long_each_answer_took(gateway: CannedGateway, tmp_path: Path) -> None:
    silent = {**OFFER, "point_id": "st-nice", "status": "lapsed", "answered_at": None, "reason": None}
    gateway.answers["GET", "/v1/offers"] = (200, {"items": [OFFER, silent], "next_cursor": None})
    code, output = typed(tmp_path, "list", "--point", "st-lyon", "--status", "refused", "--order", "ord_1")
    assert code == 0
    query = parse_qs(urlsplit(gateway.asked[0].path).query)
    assert (query["point_id"], query["status"], query["order_id"]) == (["st-lyon"], ["refused"], ["ord_1"])
    first, second = output.splitlines()[1:]
    assert "90 s" in first
    assert first.endswith("no staff")
    assert "lapsed" in second
    assert " - " in second


def test_a_point_takes_work_or_does_not_and_a_person_gives_it_away(gateway: CannedGateway, tmp_path: Path) -> None:
    for act in ("accept", "refuse", "assign"):
        gateway.answers["POST", f"/v1/fulfilments/ful_1/{act}"] = (200, WORK)
    assert typed(tmp_path, "accept", "ful_1", "st-lyon")[1].startswith("st-lyon has it: hand over by")
    assert typed(tmp_path, "refuse", "ful_1", "st-lyon", "--reason", "damaged")[1] == "st-lyon does not take it\n"
    assert typed(tmp_path, "assign", "ful_1", "st-lyon")[0] == 0
    assert [one.body for one in gateway.asked] == [None, {"reason": "damaged"}, {"point_id": "st-lyon"}]


def test_what_came_first_is_told(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["POST", "/v1/fulfilments/ful_1/accept"] = (409, GONE)
    code, output = typed(tmp_path, "accept", "ful_1", "st-lyon")
    assert code == 1
    assert "another point was first" in output
