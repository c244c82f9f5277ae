"""`oms stock facts`, `cover` and `find-rate`, as a person types them, against answers of the gateway's shape."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.stock import facts_file
from cli.stock.facts_file import FileProblem
from tests.cli.gateway import CannedGateway, serving

FACTS = "/v1/merchandising/facts"
STATED = {"source": "erp", "source_sequence": 3, "actor": "paul", "recorded_at": "2026-11-20T12:00:00Z"}
KNOWN = {
    "sku": "PAN",
    "point_id": "st-lyon",
    "assortment": {"in_assortment": True, "stated": STATED},
    "plan": {
        "is_replenished": True,
        "min_quantity": 2,
        "target_quantity": 6,
        "next_date": "2026-12-01",
        "stated": STATED,
    },
    "markdown": {"from_date": "2027-01-13", "basis_points": 3000, "stated": STATED},
    "sales_rate": {"daily_thousandths": 250, "stated": STATED},
    "location": {"location": "A-12", "walk_order": 7, "stated": STATED},
}
UNKNOWN = {"sku": "POT", "point_id": "st-lyon"} | dict.fromkeys(
    ("assortment", "plan", "markdown", "sales_rate", "location")
)
COVER = {
    "sku": "PAN",
    "point_id": "st-lyon",
    "available": 9,
    "daily_thousandths": 250,
    "rate_source": "imported",
    "cover_days_tenths": 360,
    "no_cover": None,
    "sold": 5,
    "days": 28,
}
NO_COVER = COVER | {
    "daily_thousandths": None,
    "rate_source": None,
    "cover_days_tenths": None,
    "no_cover": "no_rate",
}
RATE = {"point_id": "st-lyon", "depth": "three_to_five", "found": 3, "asked": 4, "rate_basis_points": 9100}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gateway(state: Path) -> Iterator[CannedGateway]:
    with serving(state) as gateway:
        yield gateway


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "facts.csv"


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["stock", *arguments, "--state", str(state)])


def page(*items: Any) -> tuple[int, Any]:
    return 200, {"items": list(items), "next_cursor": None}


def taken(body: Any) -> tuple[int, Any]:
    """Every record as a change."""
    return 200, {"items": [{"outcome": "changed", "dropped": []} for _ in body["facts"]]}


def records(file: Path, text: str, source: str = "") -> list[dict[str, Any]]:
    file.write_text(text, encoding="utf-8")
    return [row.record for row in facts_file.rows(file, source)]


# -- the file ---------------------------------------------------------------------------------------------


def test_a_line_says_what_its_cells_say_and_nothing_of_empty_ones(file: Path) -> None:
    names = ",".join(facts_file.COLUMNS)
    full, sparse = records(
        file,
        f"{names}\n"
        "PAN,st-lyon,yes,yes,2,6,2026-12-01,2027-01-13,12.5,0.25,A-03-2,30,erp,7,2026-11-20T12:00:00Z\n"
        "POT,st-lyon,,,,,,,,0,,,,,\n",
        "bi",
    )
    assert full == {
        "sku": "PAN",
        "point_id": "st-lyon",
        "assortment": {"in_assortment": True},
        "plan": {"is_replenished": True, "min_quantity": 2, "target_quantity": 6, "next_date": "2026-12-01"},
        "markdown": {"from_date": "2027-01-13", "basis_points": 1250},
        "sales_rate": {"daily_thousandths": 250},
        "location": {"location": "A-03-2", "walk_order": 30},
        "source": "erp",
        "source_sequence": 7,
        "source_updated_at": "2026-11-20T12:00:00Z",
    }
    assert sparse == {
        "sku": "POT",
        "point_id": "st-lyon",
        "sales_rate": {"daily_thousandths": 0},
        "source": "bi",
    }


def test_a_dash_takes_a_fact_back(file: Path) -> None:
    (found,) = records(
        file, "sku,point_id,in_assortment,min_quantity,markdown_date,daily_sales\nPAN,st-lyon,-,-,-,-\n"
    )
    assert [found[fact] for fact in ("assortment", "plan", "markdown", "sales_rate")] == [{}] * 4


def test_quantities_mean_that_it_is_refilled(file: Path) -> None:
    given, off = records(file, "sku,point_id,is_replenished,target_quantity\nPAN,st-lyon,,6\nPOT,st-lyon,no,\n")
    assert given["plan"] == {"is_replenished": True, "target_quantity": 6}
    assert off["plan"] == {"is_replenished": False}


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("in_assortment", "perhaps", "in_assortment: yes or no is needed"),
        ("min_quantity", "-2", "min_quantity: a whole number is needed"),
        ("target_quantity", "2.5", "target_quantity: a whole number is needed"),
        ("daily_sales", "0.0001", "daily_sales: a number with at most 3 decimals is needed"),
        ("daily_sales", "1e3", "daily_sales: a number with at most 3 decimals is needed"),
        ("markdown_percent", "12,5", "not as many cells as there are names"),
        ("markdown_percent", "-5", "markdown_percent: a number with at most 2 decimals is needed"),
        ("source_sequence", "seven", "source_sequence: a whole number is needed"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(file: Path, column: str, cell: str, why: str) -> None:
    file.write_text(f"sku,point_id,{column}\nPAN,st-lyon,{cell}\n", encoding="utf-8")
    (row,) = facts_file.rows(file)
    assert (row.line, row.problem) == (2, why)


def test_a_fact_is_not_taken_back_and_said_in_one_line(file: Path) -> None:
    file.write_text("sku,point_id,is_replenished,min_quantity\nPAN,st-lyon,-,2\n", encoding="utf-8")
    (row,) = facts_file.rows(file)
    assert row.problem == "is_replenished: taken back, but another cell says something of it"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"sku,daily_sales\nPAN,1\n", "there is no column point_id"),
        (b"sku,point_id,colour\nPAN,st-lyon,red\n", "unknown column 'colour'"),
        (b"", "there is no column sku"),
        (b"sku,point_id\nP\xffN,st-lyon\n", "utf-8"),
        (gzip.compress(b"sku,point_id,daily_sales\n" + b"PAN,st-lyon,1\n" * 9_000)[:200], "facts.csv: "),
    ],
)
def test_a_file_of_something_else_is_refused(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(FileProblem, match=words):
        list(facts_file.rows(file))


# -- the import -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_goes_in_batches_of_a_thousand(
    state: Path, gateway: CannedGateway, file: Path, packed: bool
) -> None:
    lines = "".join(f"SKU-{n},st-lyon,{n % 7}.5\n" for n in range(2_500))
    content = f"sku,point_id,daily_sales\n{lines}".encode()
    file.write_bytes(gzip.compress(content) if packed else content)
    gateway.answers["PUT", FACTS] = taken
    done = oms(state, "facts", "import", str(file), "--source", "bi")
    assert done.exit_code == 0, done.output
    assert "read 2500  changed 2500  unchanged 0  stale 0  rejected 0" in done.output
    assert [len(asked.body["facts"]) for asked in gateway.asked] == [1_000, 1_000, 500]
    assert gateway.asked[0].body["facts"][1] == {
        "sku": "SKU-1",
        "point_id": "st-lyon",
        "sales_rate": {"daily_thousandths": 1500},
        "source": "bi",
    }


def test_a_line_that_is_refused_is_named_and_the_others_go_in(
    state: Path, gateway: CannedGateway, file: Path
) -> None:
    def answer(body: Any) -> tuple[int, Any]:
        for i, record in enumerate(body["facts"]):
            if record["sku"] == "HAT":
                error = {"field": f"facts[{i}].sku", "rule": "UNKNOWN_ITEM", "detail": "there is no item HAT"}
                return 422, {"reason": "UNKNOWN_ITEM", "detail": "there is no item HAT", "errors": [error]}
        return taken(body)

    gateway.answers["PUT", FACTS] = answer
    file.write_text(
        "sku,point_id,in_assortment\nPAN,st-lyon,yes\nHAT,st-lyon,yes\nPOT,st-lyon,oui\nHAT,st-nice,no\nLID,st-nice,no\n"
    )
    done = oms(state, "facts", "import", str(file))
    assert done.exit_code == 1
    assert "read 5  changed 2  unchanged 0  stale 0  rejected 3" in done.output
    assert [record["sku"] for record in gateway.asked[-1].body["facts"]] == ["PAN", "LID"]
    told = json.loads(oms(state, "facts", "import", str(file), "--json").output)
    assert [(note["line"], note["why"]) for note in told["notes"]] == [
        (3, "sku: there is no item HAT"),
        (4, "in_assortment: yes or no is needed"),
        (5, "sku: there is no item HAT"),
    ]


def test_late_facts_are_said_so_and_are_no_failure(state: Path, gateway: CannedGateway, file: Path) -> None:
    results = [
        {"outcome": "stale", "dropped": ["plan"]},
        {"outcome": "changed", "dropped": ["markdown"]},
        {"outcome": "unchanged", "dropped": []},
    ]
    gateway.answers["PUT", FACTS] = (200, {"items": results})
    file.write_text("sku,point_id,in_assortment\n" + "".join(f"SKU-{n},st-lyon,yes\n" for n in range(3)))
    done = oms(state, "facts", "import", str(file))
    assert done.exit_code == 0
    assert "read 3  changed 1  unchanged 1  stale 1  rejected 0" in done.output
    assert "later word is known of plan" in done.output
    assert "later word is known of markdown" in done.output


def test_of_many_refused_lines_the_first_are_shown(state: Path, gateway: CannedGateway, file: Path) -> None:
    gateway.answers["PUT", FACTS] = taken
    file.write_text("sku,point_id,in_assortment\n" + "PAN,st-lyon,oui\n" * 25)
    done = oms(state, "facts", "import", str(file))
    assert (done.exit_code, gateway.asked) == (1, [])
    assert "and 5 more" in done.output


def test_a_refusal_that_is_about_no_line_ends_the_import(state: Path, gateway: CannedGateway, file: Path) -> None:
    file.write_text("sku,point_id,in_assortment\nPAN,st-lyon,yes\n")
    gateway.answers["PUT", FACTS] = (403, {"reason": "ROLE_NOT_ALLOWED", "detail": "no"})
    done = oms(state, "facts", "import", str(file))
    assert (done.exit_code, len(gateway.asked)) == (1, 1)
    assert "ROLE_NOT_ALLOWED" in done.output
    file.write_text("colour\nred\n")
    done = oms(state, "facts", "import", str(file))
    assert (done.exit_code, len(gateway.asked)) == (1, 1)
    assert "there is no column sku" in done.output


# -- what is known ----------------------------------------------------------------------------------------


def test_facts_are_shown_with_a_dash_where_nobody_said_anything(state: Path, gateway: CannedGateway) -> None:
    withdrawn = KNOWN | {
        "sku": "LID",
        "assortment": {"in_assortment": None},
        "plan": {"is_replenished": None, "min_quantity": 0, "target_quantity": 0, "next_date": None},
        "markdown": {"from_date": None, "basis_points": None},
        "sales_rate": {"daily_thousandths": None},
        "location": {"location": "", "walk_order": 0},
    }
    gateway.answers["GET", FACTS] = page(KNOWN, UNKNOWN, withdrawn)
    done = oms(state, "facts", "show", "--point", "st-lyon", "--sku", "PAN")
    _, known, *rest = done.output.splitlines()
    for words in ("PAN", "yes", "2 to 6", "2026-12-01", "2027-01-13 -30 %", "0.25", "A-12"):
        assert words in known
    assert [line.split() for line in rest] == [[sku, "st-lyon", *"------"] for sku in ("POT", "LID")]
    assert gateway.asked[0].path == f"{FACTS}?size=500&sku=PAN&point_id=st-lyon"
    assert json.loads(oms(state, "facts", "show", "--json").output)[0] == KNOWN
    gateway.answers["GET", FACTS] = page()
    assert "nothing is known" in oms(state, "facts", "show").output


def test_the_history_of_a_position_names_who_changed_what(state: Path, gateway: CannedGateway) -> None:
    plan = {"kind": "plan", "stated": STATED}
    versions = (
        plan | {"version": 2, "content": None},
        plan | {"version": 1, "content": {"is_replenished": True, "target_quantity": 6}},
    )
    gateway.answers["GET", f"{FACTS}/versions"] = page(*versions)
    told = oms(state, "facts", "history", "st-lyon", "PAN").output
    for words in ("taken back", "target_quantity 6", "paul", "erp"):
        assert words in told
    assert "sku=PAN&point_id=st-lyon" in gateway.asked[0].path
    assert json.loads(oms(state, "facts", "history", "st-lyon", "PAN", "--json").output) == list(versions)
    gateway.answers["GET", f"{FACTS}/versions"] = page()
    assert "nothing was said" in oms(state, "facts", "history", "st-lyon", "PAN").output


def test_cover_is_days_or_the_reason_why_there_are_none(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/merchandising/cover"] = page(COVER, NO_COVER)
    told = oms(state, "cover", "--point", "st-lyon").output
    for words in ("36.0 days", "0.25", "imported", "never had a unit"):
        assert words in told
    assert json.loads(oms(state, "cover", "--json").output) == [COVER, NO_COVER]
    gateway.answers["GET", "/v1/merchandising/cover"] = page()
    assert "there is no stock" in oms(state, "cover").output


def test_find_rates_are_shown_by_how_much_lay_there(state: Path, gateway: CannedGateway) -> None:
    nobody = RATE | {"depth": "one", "asked": 0, "found": 0, "rate_basis_points": None}
    gateway.answers["GET", "/v1/merchandising/find-rates"] = page(RATE, nobody)
    told = oms(state, "find-rate", "--point", "st-lyon", "--category", "home/kitchen", "--days", "30").output
    for words in ("3 to 5", "91.0 %", "nobody picked"):
        assert words in told
    query = parse_qs(urlsplit(gateway.asked[0].path).query)
    assert (query["point_id"], query["category"], query["window_days"]) == (["st-lyon"], ["home/kitchen"], ["30"])
    assert json.loads(oms(state, "find-rate", "--json").output) == [RATE, nobody]
    gateway.answers["GET", "/v1/merchandising/find-rates"] = page()
    assert "there is no such point" in oms(state, "find-rate").output


def test_what_the_gateway_refuses_ends_with_exit_code_1(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/merchandising/cover"] = (422, {"reason": "INVALID_REQUEST", "detail": "no"})
    done = oms(state, "cover", "--sku", "a b")
    assert done.exit_code == 1
    assert "INVALID_REQUEST" in done.output
