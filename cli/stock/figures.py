"""`oms stock show`: what a channel shows of an article, and how each point adds to the figure."""

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_INPUTS = {
    "reserved": "reserved",
    "excluded": "excluded",
    "unavailable": "unavailable",
    "safety_stock": "kept back",
}


class Purpose(StrEnum):
    """What a channel may use stock for."""

    SHIP = "ship"
    COLLECT = "collect"
    SHOW = "show"


def register(stock: typer.Typer) -> None:
    stock.command("show")(show_figures)


def show_figures(
    channel_id: Annotated[str, typer.Argument(help="For example web-fr")],
    skus: Annotated[list[str], typer.Argument(help="One article or several.")],
    purpose: Annotated[
        Purpose | None, typer.Option(help="What for; without it: what can be sold, shipped or collected.")
    ] = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what a channel may sell of an article, with each input of the figure. Exit code 1 if it cannot."""
    with asking(state) as api:
        what_for = {"purpose": purpose.value} if purpose else {}
        path = f"/v1/channels/{channel_id}/availability"
        found = api.get(path, "supply_chain", None, sku=skus, explain=True, **what_for)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = show.console()
    for one in found["items"]:
        why = f" [dim]({escape(one['zero_reason'])})[/]" if one["zero_reason"] else ""
        console.print(f"[bold]{escape(one['sku'])}[/]  {one['available_now']} available{why}")
        if one["inputs"]:
            console.print(sum_in_words(one))
        if one["points"]:
            console.print(points_table(one["points"]))


def sum_in_words(figure: Json) -> str:
    """The five inputs as one line, for example `27 on hand - 2 excluded = 25`."""
    took = [f"{figure['inputs'][name]} {words}" for name, words in _INPUTS.items() if figure["inputs"][name]]
    return " - ".join([f"{figure['inputs']['physical']} on hand", *took]) + f" = {figure['available_now']}"


def points_table(points: list[Json]) -> Table:
    """How each point adds to the figure, and why not more."""
    found = show.table("point", "on hand", "reserved", "unavailable", "kept back", "available", "why")
    for point in points:
        figures = ("on_hand", "reserved", "unavailable", "safety_stock", "available")
        why = point["barred"] or ": ".join(filter(None, (point["limited_by"], point["safety_stock_rule"])))
        found.add_row(point["point_id"], *(str(point[name]) for name in figures), escape(why))
    return found
