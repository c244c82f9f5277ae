"""`oms capacity`, as a person types it, against answers of the gateway's shape."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

LIMITS = "/v1/capacity/limits"
FIGURE = {"date": "2026-12-24", "carrier_id": "", "service_id": "", "cut_off_minute": None}
CARRIED = {**FIGURE, "carrier_id": "colis", "service_id": "home", "cut_off_minute": 1050}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as found:
        yield found


def typed(state: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["capacity", *words, "--state", str(state)])
    return result.exit_code, result.output


def test_figures_of_days_are_told_with_what_is_left(gateway: CannedGateway, tmp_path: Path) -> None:
    figures = [
        {**FIGURE, "most": 40, "taken": 31, "left": 9},
        {**CARRIED, "most": None, "taken": 12, "left": None},
    ]
    gateway.answers["GET", "/v1/points/st-lyon/capacity"] = (200, {"items": figures})
    code, output = typed(tmp_path, "show", "st-lyon", "--from", "2026-12-24", "--days", "2")
    assert code == 0
    assert gateway.asked[0].path.endswith("?from_date=2026-12-24&until_date=2026-12-25")
    rows = [line.split() for line in output.splitlines()[1:]]
    assert rows[0] == ["2026-12-24", "orders", "40", "31", "9"]
    assert rows[1] == ["2026-12-24", "parcels:", "colis", "home,", "17:30", "no", "limit", "12", "no", "limit"]


def test_a_limit_is_set_for_each_weekday_and_date_that_is_named(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["PUT", LIMITS] = (200, {"changed": 2})
    options = ("--point", "st-lyon", "--weekday", "sat", "--weekday", "sun", "--date", "2026-12-24")
    code, output = typed(tmp_path, "set", "25", *options)
    assert (code, output) == (0, "2 of 3 changed\n")
    sent = gateway.asked[0].body["limits"]
    assert {one["most"] for one in sent} == {25}
    assert [(one.get("weekday"), one.get("date")) for one in sent] == [(6, None), (7, None), (None, "2026-12-24")]


def test_a_limit_of_a_carriers_visit_may_be_none(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["PUT", LIMITS] = (200, {"changed": 1})
    assert typed(tmp_path, "set", "none", "--carrier", "colis", "--cut-off", "17:30")[0] == 0
    (sent,) = gateway.asked[0].body["limits"]
    assert sent == {"point_id": "", "carrier_id": "colis", "service_id": "", "cut_off_minute": 1050, "most": None}


def test_limits_are_listed_and_removed(gateway: CannedGateway, tmp_path: Path) -> None:
    limit = {**CARRIED, "date": None, "weekday": 5, "point_id": "", "most": 8}
    listed = {"items": [{**limit, "set_at": "2026-11-20T12:00:00Z", "set_by": "anna"}]}
    gateway.answers["GET", LIMITS] = (200, listed)
    gateway.answers["POST", f"{LIMITS}/remove"] = (200, {"changed": 1})
    code, output = typed(tmp_path, "limits", "--carrier", "colis")
    assert code == 0
    assert gateway.asked[0].path == f"{LIMITS}?carrier_id=colis"
    assert "each point" in output
    assert "fri" in output
    assert typed(tmp_path, "remove", "--carrier", "colis", "--weekday", "fri") == (0, "1 of 1 removed\n")


def test_what_the_system_refuses_is_told_by_field_and_rule(gateway: CannedGateway, tmp_path: Path) -> None:
    error = {"field": "limits[0].point_id", "detail": "there is no point st-lion"}
    gateway.answers["PUT", LIMITS] = (422, {"reason": "UNKNOWN_POINT", "detail": "refused", "errors": [error]})
    code, output = typed(tmp_path, "set", "4", "--point", "st-lion")
    assert code == 1
    assert "limits[0].point_id: there is no point st-lion" in output


@pytest.mark.parametrize(
    "words",
    [
        ("set", "many", "--point", "st-lyon"),
        ("set", "-1", "--point", "st-lyon"),
        ("set", "4", "--point", "st-lyon", "--weekday", "funday"),
        ("set", "4", "--point", "st-lyon", "--date", "24.12."),
        ("set", "4", "--carrier", "colis", "--cut-off", "half five"),
        ("show", "st-lyon", "--from", "today"),
    ],
)
def test_what_makes_no_sense_is_not_sent(gateway: CannedGateway, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert typed(tmp_path, *words)[0] == 2
    assert gateway.asked == []
