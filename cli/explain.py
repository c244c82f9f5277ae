"""`oms explain`: why an order ships from where it ships, or why it does not, in sentences."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

ROLE = "customer_service"
_DECISION = "dec_"
_TITLES = {
    "why_not": "Why not that point",
    "chosen": "What was chosen",
    "waiting": "What it waits for",
    "quote": "What was quoted",
    "split": "Why split, or not",
    "nearer_points": "Nearer points that are not used",
    "dropped_points": "Points that were dropped",
    "stock_seen": "What stock it saw",
    "cost": "What it costs",
    "next_best": "The next best",
    "not_shipped": "What is not shipped",
    "proof": "How good it is",
    "freshness": "Which rules, and how fresh the stock was",
}


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    order_or_decision: Annotated[
        str, typer.Argument(metavar="ORDER_OR_DECISION", help="Of an order the last decision: ord_... or dec_...")
    ],
    why_not: Annotated[str, typer.Option(metavar="POINT", help="Why it does not ship from this point.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Explain where an order ships from: why split, why not nearer, what it saw, what it costs.

    Exit code 1 if there is no such order or decision, or nothing was decided yet.
    """
    with asking(state) as api:
        decision_id, others = _decision_of(api, order_or_decision)
        asked: dict[str, Any] = {"why_not": why_not} if why_not else {}
        told = api.get(f"/v1/decisions/{decision_id}/explanation", ROLE, **asked)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    console = show.console()
    console.print(f"[bold]decision[/] {escape(decision_id)}  [bold]order[/] {escape(told['order_id'])}")
    for section in told["sections"]:
        console.print(f"\n[bold]{escape(_TITLES.get(section['name'], section['name']))}[/]")
        for sentence in section["sentences"]:
            console.print(Padding(escape(sentence["text"]), (0, 0, 0, 2), expand=False))
    if others:
        console.print("\n[bold]Earlier decisions of this order[/]")
        console.print(_earlier(others))


def _decision_of(api: Api, asked: str) -> tuple[str, list[Json]]:
    """The decision that is meant, and those of its order before it when an order is meant."""
    if asked.startswith(_DECISION):
        return asked, []
    # Asked for first: an order that nobody knows has no decisions either.
    api.get(f"/v1/orders/{asked}", ROLE)
    found = list(api.rows(f"/v1/orders/{asked}/decisions", ROLE))
    if not found:
        typer.echo(f"nothing was decided for {asked} yet", err=True)
        raise typer.Exit(1)
    return found[-1]["decision_id"], found[:-1]


def _earlier(decisions: list[Json]) -> Table:
    found = show.table("decision", "asked", "ships from", "not planned")
    for one in decisions:
        points = [leg["point_id"] for leg in one["plans"][0]["legs"]] if one["plans"] else []
        missing = sum(line["quantity"] for line in one["unplanned"])
        where = "the quote was broken" if one["quote_broken"] else ", ".join(points) or "-"
        found.add_row(one["decision_id"], show.moment(one["as_of"]), escape(where), str(missing or "-"))
    return found
