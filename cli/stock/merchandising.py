"""`oms stock facts`, `cover` and `find-rate`: what is said of articles at points, and what the figures say."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json, Problem, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption
from cli.stock import facts_file
from cli.stock.facts_file import FileProblem, Row

facts = typer.Typer(help="What other systems say of articles at points.", no_args_is_help=True)

PointOption = Annotated[list[str] | None, typer.Option("--point", help="Only at these points.")]
SkuOption = Annotated[list[str] | None, typer.Option("--sku", help="Only of these articles.")]

_ROLE = "supply_chain"
_FACTS = "/v1/merchandising/facts"
_BATCH = 1_000
_SHOWN_NOTES = 20
_INDEX = re.compile(r"facts\[(\d+)\]\.?")
_DEPTHS = {"one": "1", "two": "2", "three_to_five": "3 to 5", "six_or_more": "6 or more"}
_NO_COVER = {"no_sales": "nothing sells", "no_rate": "never had a unit"}


def register(stock: typer.Typer) -> None:
    facts.command("import")(import_facts)
    facts.command("show")(show_facts)
    facts.command("history")(show_history)
    stock.add_typer(facts, name="facts")
    stock.command("cover")(show_cover)
    stock.command("find-rate")(show_find_rates)


# -- facts ------------------------------------------------------------------------------------------------


@dataclass
class Imported:
    """What became of a file: how many records, and the lines that did not count as they stand."""

    read: int = 0
    changed: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    notes: list[Json] = field(default_factory=list)

    def reject(self, row: Row, why: str) -> None:
        self.rejected += 1
        self._note(row, why)

    def take(self, row: Row, result: Json) -> None:
        setattr(self, result["outcome"], getattr(self, result["outcome"]) + 1)
        if result["dropped"]:
            self._note(row, f"later word is known of {', '.join(result['dropped'])}")

    def _note(self, row: Row, why: str) -> None:
        position = {name: row.record.get(name, "") for name in ("sku", "point_id")}
        self.notes.append({"line": row.line, **position, "why": why})


def import_facts(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, perhaps gzip.")],
    source: Annotated[str, typer.Option(help="Which system says so, where the file does not.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Import facts of articles at points. Exit code 0: all taken or late; 1: some rejected, or the file refused.

    Columns: sku, point_id, and any of in_assortment, is_replenished, min_quantity, target_quantity, next_date,
    markdown_date, markdown_percent, daily_sales, source, source_sequence, source_updated_at. An empty cell says
    nothing; a dash takes the fact back.
    """
    done = Imported()
    with _api(state) as api:
        rows = facts_file.rows(file, source)
        while batch := list(islice(rows, _BATCH)):
            _send(api, batch, done)
    done.notes.sort(key=lambda note: note["line"])
    if as_json:
        _print_json(asdict(done))
    else:
        _report(done)
    if done.rejected:
        raise typer.Exit(1)


def _send(api: Api, batch: list[Row], done: Imported) -> None:
    """Hands in what can be: a line that is refused is named and left out, and the others go again."""
    done.read += len(batch)
    for row in batch:
        if row.problem:
            done.reject(row, row.problem)
    left = [row for row in batch if not row.problem]
    while left:
        try:
            body = {"facts": [row.record for row in left]}
            results = body_of(api.send("PUT", _FACTS, _ROLE, json=body))["items"]
        except Problem as problem:
            refused = _refused(problem)
            for index, why in refused.items():
                done.reject(left[index], why)
            left = [row for index, row in enumerate(left) if index not in refused]
            continue
        for row, result in zip(left, results, strict=True):
            done.take(row, result)
        return


def _refused(problem: Problem) -> dict[int, str]:
    """Which records the problem is about, and why. Raises it when it is about none."""
    found: dict[int, str] = {}
    for error in problem.body.get("errors", ()):
        if at := _INDEX.match(error["field"]):
            where = error["field"][at.end() :]
            why = error.get("detail") or error["rule"]
            found.setdefault(int(at[1]), f"{where}: {why}" if where else why)
    if not found:
        raise problem
    return found


def _report(done: Imported) -> None:
    console = show.console()
    names = ("read", "changed", "unchanged", "stale", "rejected")
    console.print("  ".join(f"{name} {getattr(done, name)}" for name in names))
    if done.notes:
        table = show.table("line", "article", "point", "why")
        for note in done.notes[:_SHOWN_NOTES]:
            table.add_row(str(note["line"]), *(escape(note[name]) for name in ("sku", "point_id", "why")))
        console.print(table)
    if len(done.notes) > _SHOWN_NOTES:
        console.print(f"[dim]and {len(done.notes) - _SHOWN_NOTES} more: --json lists them all[/]")


def show_facts(
    sku: SkuOption = None,
    point: PointOption = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what is known of articles at points; a dash where nobody said anything."""
    found = _rows(state, _FACTS, sku=sku or [], point_id=point or [])
    if as_json:
        _print_json(found)
        return
    table = show.table("article", "point", "assortment", "refilled", "next", "markdown", "sells a day", "lies at")
    for one in found:
        table.add_row(*map(escape, (one["sku"], one["point_id"], *_fact_cells(one))))
    show.console().print(table if found else "nothing is known")


def _fact_cells(one: Json) -> Iterator[str]:
    carried = (one["assortment"] or {}).get("in_assortment")
    yield "-" if carried is None else "yes" if carried else "no"
    plan = one["plan"] or {}
    replenished = plan.get("is_replenished")
    refilled = f"{plan['min_quantity']} to {plan['target_quantity']}" if replenished else "no"
    yield "-" if replenished is None else refilled
    yield plan.get("next_date") or "-"
    markdown = one["markdown"] or {}
    share = f" -{markdown['basis_points'] / 100:g} %" if markdown.get("basis_points") else ""
    yield (markdown.get("from_date") or "-") + share
    yield _a_day((one["sales_rate"] or {}).get("daily_thousandths"))
    yield (one.get("location") or {}).get("location") or "-"


def show_history(
    point_id: Annotated[str, typer.Argument(help="For example st-lyon")],
    sku: Annotated[str, typer.Argument(help="The article.")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what was said of an article at a point, and who changed it, newest first."""
    found = _rows(state, f"{_FACTS}/versions", sku=sku, point_id=point_id)
    if as_json:
        _print_json(found)
        return
    table = show.table("fact", "version", "at", "by", "source", "it was")
    for one in found:
        stated, content = one["stated"], one["content"]
        words = ", ".join(f"{name} {value}" for name, value in content.items()) if content else "taken back"
        by = (show.moment(stated["recorded_at"]), stated["actor"], stated["source"])
        table.add_row(one["kind"], str(one["version"]), *map(escape, (*by, words)))
    show.console().print(table if found else "nothing was said")


# -- figures ----------------------------------------------------------------------------------------------


def show_cover(
    sku: SkuOption = None,
    point: PointOption = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show how fast articles sell at points, and for how many days what is available lasts."""
    found = _rows(state, "/v1/merchandising/cover", sku=sku or [], point_id=point or [])
    if as_json:
        _print_json(found)
        return
    table = show.table("article", "point", "available", "sells a day", "rate", "sold", "in days", "cover")
    for one in found:
        tenths = one["cover_days_tenths"]
        cover = f"[dim]{_NO_COVER[one['no_cover']]}[/]" if tenths is None else f"{tenths / 10:.1f} days"
        rate = (_a_day(one["daily_thousandths"]), one["rate_source"] or "-")
        figures = (str(one["available"]), *rate, str(one["sold"]), str(one["days"]), cover)
        table.add_row(escape(one["sku"]), escape(one["point_id"]), *figures)
    show.console().print(table if found else "there is no stock")


def show_find_rates(
    point: PointOption = None,
    category: Annotated[str, typer.Option(help="Only of this category, for example home/kitchen.")] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back to look.")] = 90,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show how often points find what they are asked to pick, by how many units the books had there."""
    filters = {"point_id": point or [], "category": category, "window_days": days}
    found = _rows(state, "/v1/merchandising/find-rates", **filters)
    if as_json:
        _print_json(found)
        return
    table = show.table("point", "units there", "found", "asked", "find rate")
    for one in found:
        points = one["rate_basis_points"]
        rate = "[dim]nobody picked[/]" if points is None else f"{points / 100:.1f} %"
        table.add_row(escape(one["point_id"]), _DEPTHS[one["depth"]], str(one["found"]), str(one["asked"]), rate)
    show.console().print(table if found else "there is no such point")


def _a_day(thousandths: int | None) -> str:
    return "-" if thousandths is None else f"{thousandths / 1000:g}"


# -- asking and showing -----------------------------------------------------------------------------------


def _rows(state: Path, path: str, **filters: Any) -> list[Json]:
    with _api(state) as api:
        return list(api.rows(path, _ROLE, size=500, **filters))


@contextmanager
def _api(state: Path) -> Iterator[Api]:
    """The running system. What it refuses, and a file that cannot be read, ends the command with exit code 1."""
    with asking(state) as api:
        try:
            yield api
        except FileProblem as problem:
            typer.echo(str(problem), err=True)
            raise typer.Exit(1) from None


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
