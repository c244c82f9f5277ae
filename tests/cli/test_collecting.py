"""`oms order collection` in front of a gateway with canned answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

WORK = "/v1/fulfilments/ful_1"
WAITS: dict[str, Any] = {
    "id": "ful_1",
    "status": "ready",
    "collection": {
        "keep_until": "2026-12-01T18:00:00Z",
        "shelf": "B-12",
        "put_back": [{"line_number": 1, "sku": "SKU-1", "quantity": 2}],
    },
    "put_back": None,
}
PACKED = WAITS | {"collection": None, "put_back": {"units": [{"line_number": 1, "sku": "SKU-2", "quantity": 1}]}}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", "collection", *arguments, "--state", str(state)])


def test_a_store_puts_aside_and_hands_over(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", f"{WORK}/ready"] = 200, WAITS
    told = oms(tmp_path, "ready", "ful_1", "--at", "st-lyon", "--shelf", "B-12")
    assert (gateway.asked[-1].body, "2026-12-01" in told.output) == ({"shelf": "B-12"}, True), told.output
    gateway.answers["POST", f"{WORK}/collect"] = 200, WAITS
    told = oms(tmp_path, "hand-over", "ful_1", "1=2", "--at", "st-lyon", "--code", "K7M2XQ", "--other")
    assert gateway.asked[-1].body == {
        "code": "K7M2XQ",
        "collected_by": "other",
        "lines": [{"line_number": 1, "quantity": 2}],
    }
    assert "keep the goods" in told.output
    gateway.answers["POST", f"{WORK}/collect"] = 200, WAITS | {"status": "delivered"}
    told = oms(tmp_path, "hand-over", "ful_1", "--at", "st-lyon", "--document", "passport")
    assert gateway.asked[-1].body == {"document_kind": "passport", "collected_by": "customer", "lines": []}
    assert told.output.strip() == "ful_1: delivered"


def test_a_store_finds_what_waits_by_its_code(tmp_path: Path, gateway: CannedGateway) -> None:
    lines = {"lines": [{"quantity": 2, "sku": "SKU-1"}]}
    gateway.answers["POST", "/v1/points/st-lyon/find-collection"] = 200, WAITS | lines
    told = oms(tmp_path, "find", "K7M2XQ", "--at", "st-lyon")
    assert (gateway.asked[-1].body, told.output.strip()) == ({"code": "K7M2XQ"}, "ful_1  B-12  2 x SKU-1")


def test_what_is_to_be_put_back_is_listed_and_confirmed(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/points/st-lyon/put-backs"] = 200, {"items": [WAITS, PACKED]}
    told = oms(tmp_path, "put-backs", "--at", "st-lyon").output
    assert told.splitlines() == ["ful_1  B-12  2 x SKU-1", "ful_1  in its parcel  1 x SKU-2"]
    gateway.answers["POST", f"{WORK}/put-back"] = 200, WAITS
    assert oms(tmp_path, "put-back", "ful_1", "--at", "st-lyon").exit_code == 0


def test_a_store_books_a_compartment_and_takes_out_of_it(tmp_path: Path, gateway: CannedGateway) -> None:
    for compartment, words in (("07", "compartment 07"), ("", "at the counter")):
        gateway.answers["POST", f"{WORK}/compartment"] = 200, WAITS | {"locker": {"compartment": compartment}}
        assert words in oms(tmp_path, "compartment", "ful_1", "--at", "st-lyon").output
    for status, words in (("ready", "at the counter"), ("delivered", "its customer was first")):
        gateway.answers["POST", f"{WORK}/take-out"] = 200, WAITS | {"status": status}
        assert words in oms(tmp_path, "take-out", "ful_1", "--at", "st-lyon", "--shelf", "B-12").output
        assert gateway.asked[-1].body == {"shelf": "B-12"}
    code = {
        "code": "K7M2XQ",
        "point_id": "st-lyon",
        "fulfilment_id": "ful_1",
        "keep_until": "",
        "compartment": "07",
    }
    gateway.answers["GET", "/v1/orders/ord_1/collection-codes"] = 200, {"items": [code]}
    assert "K7M2XQ  st-lyon compartment 07" in oms(tmp_path, "codes", "ord_1").output


def test_customer_service_reads_codes_extends_unlocks_and_chooses(tmp_path: Path, gateway: CannedGateway) -> None:
    code = {
        "code": "K7M2XQ",
        "point_id": "st-lyon",
        "fulfilment_id": "ful_1",
        "keep_until": "2026-12-01T18:00:00Z",
        "compartment": "",
    }
    gateway.answers["GET", "/v1/orders/ord_1/collection-codes"] = 200, {"items": [code]}
    assert "K7M2XQ  st-lyon" in oms(tmp_path, "codes", "ord_1").output
    gateway.answers["POST", f"{WORK}/extend-collection"] = 200, WAITS
    oms(tmp_path, "extend", "ful_1", "2026-12-05T18:00:00Z")
    assert gateway.asked[-1].body == {"keep_until": "2026-12-05T18:00:00Z"}
    gateway.answers["POST", f"{WORK}/unlock-collection"] = 200, WAITS
    assert oms(tmp_path, "unlock", "ful_1").exit_code == 0
    made = {"kind": "store", "chosen_point_id": "st-paris"}
    gateway.answers["POST", "/v1/orders/ord_1/collection-choice"] = 200, made
    told = oms(tmp_path, "choose", "ord_1", "store", "--at", "st-paris")
    assert (gateway.asked[-1].body, told.output.strip()) == (
        {"kind": "store", "point_id": "st-paris"},
        "ord_1: store st-paris",
    )
    row = {"point_id": "st-lyon", "ended": 4, "no_shows": 1, "rate": 0.25}
    gateway.answers["GET", "/v1/collections/no-shows"] = 200, {"items": [row]}
    assert oms(tmp_path, "no-shows").output.strip() == "st-lyon: 1 of 4 (25%)"
    gateway.answers["GET", "/v1/orders/ord_1/no-shows"] = 200, row | {"point_id": None}
    assert oms(tmp_path, "no-shows", "ord_1").output.strip() == "the customer: 1 of 4 (25%)"
