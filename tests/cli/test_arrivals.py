"""`oms arrivals`, as a person types it, against answers of the gateway's shape."""

from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import serving

WORK = {
    "id": "ful_1",
    "order_id": "ord_1",
    "point_id": "st-lyon",
    "status": "handed_over",
    "lines": [{"line_number": 1, "sku": "SKU-1", "quantity": 2}],
    "window": {"start": "2026-11-21T08:00:00Z", "end": "2026-11-21T12:00:00Z"},
}
ARRIVAL = {"fulfilment": WORK, "hub_point_id": "wh-orleans", "cancelled": False}


def typed(state: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["arrivals", *words, "--state", str(state)])
    return result.exit_code, result.output


def test_what_comes_is_listed_and_what_was_there_is_said(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        gone = {**ARRIVAL, "cancelled": True}
        gateway.answers["GET", "/v1/points/wh-orleans/arrivals"] = (200, {"items": [ARRIVAL, gone]})
        gateway.answers["POST", "/v1/fulfilments/ful_1/receive"] = (200, WORK)
        code, output = typed(tmp_path, "list", "wh-orleans")
        first, second = output.splitlines()[1:]
        assert code == 0
        assert "2 x SKU-1" in first
        assert first.rstrip().endswith("ord_1")
        assert second.rstrip().endswith("the stock: cancelled")
        code, output = typed(tmp_path, "receive", "ful_1", "1=2", "--at", "wh-orleans")
        assert (code, output) == (0, "received from st-lyon, for ord_1\n")
        assert gateway.asked[-1].body == {"units": [{"line_number": 1, "quantity": 2}]}
        refusal = {"reason": "NOT_ON_ITS_WAY", "detail": "the parcel is delivered"}
        gateway.answers["POST", "/v1/fulfilments/ful_1/receive"] = (409, refusal)
        code, output = typed(tmp_path, "receive", "ful_1", "1=2", "--at", "wh-orleans")
        assert code == 1
        assert "NOT_ON_ITS_WAY" in output
