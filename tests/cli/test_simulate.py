"""`oms simulate` as a person types it: what is sent, what is told, what is drawn, and the exit code."""

import gzip
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.simulate import plot
from oms.promise.v1 import simulation_service_pb2 as pb
from services.gateway.schemas.simulations import SimulationSent, SimulationView
from services.gateway.wire import shown
from tests.cli import gateway
from tests.cli.gateway import CannedGateway
from tests.services.gateway import fake_simulations

EXCERPT = Path(__file__).parent / "data" / "orders.csv"
RULES = """
ruleset_id: fewer
currency: EUR
split_cost_minor: 900
preparation_costs: {warehouse: 120, store: 220}
max_parcels: 2
"""


def view(state: Any = pb.SIMULATION_STATE_DONE, **values: Any) -> dict[str, Any]:
    """A simulation as the gateway shows it."""
    found: dict[str, Any] = json.loads(
        shown(fake_simulations.simulation(state, **values), SimulationView).model_dump_json()
    )
    return found


DONE = view(result=fake_simulations.RESULT)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[CannedGateway]:
    """A simulation that is received, then done."""
    with gateway.serving(tmp_path / "state") as canned:
        canned.answers = {
            ("POST", "/v1/simulations/files"): (201, {"file_id": "sfl_1"}),
            ("POST", "/v1/simulations"): (202, view(pb.SIMULATION_STATE_RECEIVED)),
            ("GET", "/v1/simulations/sim_1"): (200, DONE),
            ("GET", "/v1/simulations"): (200, {"items": [view(pb.SIMULATION_STATE_RUNNING)]}),
            ("POST", "/v1/simulations/sim_1/cancel"): (200, view(pb.SIMULATION_STATE_CANCELLED)),
            ("POST", "/v1/simulations/sim_1/restart"): (
                409,
                {"reason": "SIMULATION_DONE", "detail": "it is done"},
            ),
        }
        yield canned


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def run(tmp_path: Path, *words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--state", str(tmp_path / "state")])


def sent(system: CannedGateway) -> dict[str, Any]:
    """The setup that reached the gateway: one that it takes."""
    (body,) = [asked.body for asked in system.asked if (asked.method, asked.path) == ("POST", "/v1/simulations")]
    SimulationSent.model_validate(body)
    found: dict[str, Any] = body
    return found


def test_recorded_orders_are_simulated_with_the_figures_of_a_file(
    tmp_path: Path, system: CannedGateway, rules: Path
) -> None:
    done = run(tmp_path, "simulate", "--ruleset", rules, "--from", "2026-11-01", "--time-zone", "Europe/Paris")
    assert done.exit_code == 0, done.output
    body = sent(system)
    assert body["text"] == RULES
    assert (body["stock"], body["from_at"]) == ("recorded", "2026-10-31T23:00:00+00:00")
    assert "orders" not in body
    for part in ("default version 3", "draft", "12.40", "store-lyon", "PLANNED_AGAIN 4", "its decision saw"):
        assert part in done.output, part


def test_a_file_of_orders_is_sent_as_it_is_and_its_columns_named(
    tmp_path: Path, system: CannedGateway, rules: Path
) -> None:
    packed = tmp_path / "orders.csv.gz"
    packed.write_bytes(gzip.compress(EXCERPT.read_bytes()))
    stock = tmp_path / "stock.csv"
    stock.write_text("sku,point_id,units\n")
    words = ("--orders", packed, "--stock", stock, "--channel", "web-fr", "--ship-to", "Germany=DE 10115")
    more = ("--ship-to", "FR 75011", "--map", "date=", "--map", "sku=article", "--deplete", "--limit", 9)
    items = ("--unknown-items", "assume 300", "--assume-units", 40, "--seed", 7)
    done = run(tmp_path, "simulate", "--ruleset", rules, *words, *more, *items)
    assert done.exit_code == 0, done.output
    files = [asked for asked in system.asked if asked.path.startswith("/v1/simulations/files")]
    assert [asked.body for asked in files] == [packed.read_bytes(), stock.read_bytes()]
    assert files[0].path.endswith("file_name=orders.csv.gz")
    body = sent(system)
    assert (body["stock"], body["stock_file_id"], body["deplete"], body["max_orders"]) == (
        "file",
        "sfl_1",
        True,
        9,
    )
    orders = body["orders"]
    assert (orders["file_id"], orders["channel_id"]) == ("sfl_1", "web-fr")
    assert orders["columns"] == {
        "order": "invoice_no",
        "sku": "article",
        "quantity": "quantity",
        "placed_at": "",
        "country": "country",
        "postcode": "",
    }
    assert orders["destinations"] == [
        {"name": "Germany", "destination": {"country": "DE", "postcode": "10115"}},
        {"name": "", "destination": {"country": "FR", "postcode": "75011"}},
    ]
    assert "POST" in orders["not_articles"]
    assert body["assumed_items"] == {"weight_grams": 300, "units": 40, "percent": 50, "seed": 7}


def test_the_result_is_written_whole_and_drawn(tmp_path: Path, system: CannedGateway, rules: Path) -> None:
    out, drawing = tmp_path / "out.json", tmp_path / "out.svg"
    done = run(tmp_path, "simulate", "--ruleset", rules, "--json", out, "--plot", drawing)
    assert done.exit_code == 0, done.output
    assert json.loads(out.read_text()) == DONE
    root = ET.fromstring(drawing.read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for part in ("default version 3, in force", "draft, candidate", "real cost, EUR", "store-lyon", "10.00"):
        assert part in texts
    printed = run(tmp_path, "simulation", "show", "sim_1", "--json", "-")
    assert json.loads(printed.output) == DONE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--deplete",), "--deplete: recorded orders saw"),
        (("--from", "soon"), "--from soon"),
        (("--time-zone", "Mars/Olympus"), "--time-zone Mars/Olympus"),
        (("--unknown-items", "guess"), "--unknown-items guess: skip, or 'assume GRAMS'"),
        (("--plot", "/no/such/folder/a.svg"), "--plot /no/such/folder/a.svg"),
        (("--orders", EXCERPT), "--channel: needed"),
        (("--orders", EXCERPT, "--channel", "web"), "--ship-to: needed"),
        (("--orders", EXCERPT, "--channel", "web", "--ship-to", "75011"), "--ship-to 75011"),
        (("--orders", EXCERPT, "--channel", "web", "--map", "colour=x"), "--map colour=x: KEY=COLUMN"),
        (("--orders", EXCERPT, "--channel", "web", "--map", "sku="), "--map sku=: sku cannot be left out"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_and_nothing_is_sent(
    tmp_path: Path, system: CannedGateway, rules: Path, words: tuple[object, ...], said: str
) -> None:
    done = run(tmp_path, "simulate", "--ruleset", rules, *words)
    assert done.exit_code == 2, done.output
    assert f"Nothing was sent: {said}" in done.stderr
    assert system.asked == []


def test_the_candidate_may_be_the_draft_of_a_ruleset(tmp_path: Path, system: CannedGateway) -> None:
    assert run(tmp_path, "simulate", "--draft", "default").exit_code == 0
    assert sent(system)["draft_of"] == "default"


def test_one_candidate_is_needed(tmp_path: Path, system: CannedGateway, rules: Path) -> None:
    for words in ((), ("--ruleset", rules, "--draft", "default")):
        done = run(tmp_path, "simulate", *words)
        assert (done.exit_code, "give --ruleset FILE or --draft RULESET" in done.stderr) == (2, True)
    assert system.asked == []


def test_a_refused_figure_is_named(tmp_path: Path, system: CannedGateway, rules: Path) -> None:
    errors = [{"field": "ruleset.max_parcels", "rule": "less_than_equal", "detail": "must be 20 or less"}]
    problem = {"reason": "INVALID_REQUEST", "detail": "a field is wrong", "errors": errors}
    system.answers["POST", "/v1/simulations"] = (422, problem)
    done = run(tmp_path, "simulate", "--ruleset", rules)
    assert done.exit_code == 1
    assert "ruleset.max_parcels: must be 20 or less" in done.stderr


def test_a_simulation_without_a_result_ends_with_1_and_says_why(
    tmp_path: Path, system: CannedGateway, rules: Path
) -> None:
    failed = view(pb.SIMULATION_STATE_FAILED, reason="MISSING_COLUMN", detail="no column 'units' [of 3]")
    system.answers["GET", "/v1/simulations/sim_1"] = (200, failed)
    done = run(tmp_path, "simulate", "--ruleset", rules, "--plot", tmp_path / "a.svg")
    assert done.exit_code == 1
    assert "MISSING_COLUMN: no column 'units' [of 3]" in done.output
    assert not (tmp_path / "a.svg").exists()


def test_simulations_are_listed_stopped_and_run_again(tmp_path: Path, system: CannedGateway) -> None:
    assert "2 of 2" in run(tmp_path, "simulations").output
    assert "cancelled" in run(tmp_path, "simulation", "cancel", "sim_1").output
    refused = run(tmp_path, "simulation", "restart", "sim_1")
    assert (refused.exit_code, "SIMULATION_DONE" in refused.stderr) == (1, True)


# -- bars -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "blocks"),
    [(0, ""), (10, "████"), (5, "██"), (1, "▍"), (0.001, "▏"), (-3, "")],
)
def test_a_bar_is_as_long_as_its_value(value: float, blocks: str) -> None:
    assert plot.bar(value, largest=10, width=4) == blocks


def test_many_rows_are_drawn_as_the_largest_and_the_others() -> None:
    points = [
        {"point_id": f"p{n}", "live": {"parcels": n}, "candidate": {"parcels": 0}}
        for n in range(plot.MAX_ROWS + 5)
    ]
    bars = [{"value": n, "orders": 1} for n in range(plot.MAX_ROWS + 5)]
    result = DONE["result"] | {"points": points, "live_promise_days": bars, "candidate_promise_days": []}
    _, by_point, by_days, _ = plot.charts(DONE | {"result": result})
    assert (len(by_point.rows), by_point.rows[0].label, by_point.rows[-1].label) == (15, "p19", "6 others")
    assert sum(row.live for row in by_point.rows) == sum(range(20))
    assert by_days.rows[-1] == plot.Row("D+14 and more", 6, 0)


def test_a_result_without_a_parcel_is_drawn_too() -> None:
    nothing = pb.SimulationResult()
    nothing.CopyFrom(fake_simulations.RESULT)
    for side in (nothing.live, nothing.candidate):
        side.shipping_minor = side.preparation_minor = 0
    del nothing.points[:]
    drawn = plot.svg(view(result=nothing))
    assert ET.fromstring(drawn).tag.endswith("svg")


def test_totals_of_different_goods_are_said_to_be_so(tmp_path: Path, system: CannedGateway) -> None:
    assert "different goods" not in run(tmp_path, "simulation", "show", "sim_1").output
    fewer = pb.SimulationResult()
    fewer.CopyFrom(fake_simulations.RESULT)
    fewer.candidate.units_shipped = 1
    system.answers["GET", "/v1/simulations/sim_1"] = (200, view(result=fewer))
    assert "The candidate ships 2 units fewer" in run(tmp_path, "simulation", "show", "sim_1").output
