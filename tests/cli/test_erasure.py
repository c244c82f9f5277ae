"""`oms order erase-customer` in front of a gateway with canned answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

PATH = "/v1/customers/c-1/erasure"
DONE: dict[str, Any] = {"orders": 2, "kept_for_documents": 1, "documents_until": "2036-11-18T12:00:00Z"}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        yield gateway


def oms(state: Path, *arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["order", "erase-customer", *arguments, "--state", str(state)], input=said)


def test_a_customer_is_erased_once_it_is_meant(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["POST", PATH] = 200, DONE
    assert oms(tmp_path, "--customer", "c-1", said="n\n").exit_code == 1
    assert gateway.asked == []
    told = oms(tmp_path, "--customer", "c-1", said="y\n").output
    assert "erased from 2 orders" in told
    assert "the documents of 1 keep name and address, the last until 2036-11-18" in told
    assert json.loads(oms(tmp_path, "--customer", "c-1", "--yes", "--json").output) == DONE


def test_who_is_not_known_or_has_open_orders_is_said(tmp_path: Path, gateway: CannedGateway) -> None:
    nothing = {"orders": 0, "kept_for_documents": 0, "documents_until": None}
    gateway.answers["POST", "/v1/orders/ord_1/customer/erasure"] = 200, nothing
    assert "nothing is known of this customer" in oms(tmp_path, "--order", "ord_1", "--yes").output
    gateway.answers["POST", PATH] = 409, {"reason": "ORDERS_OPEN", "detail": "need their customer: ord_7"}
    refused = oms(tmp_path, "--customer", "c-1", "--yes")
    assert (refused.exit_code, "ord_7" in refused.output) == (1, True)
    for wrong in ((), ("--customer", "c-1", "--order", "ord_1")):
        assert oms(tmp_path, *wrong, "--yes").exit_code == 2
