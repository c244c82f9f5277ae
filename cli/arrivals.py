"""`oms arrivals`: parcels that come to a hub to be joined with others and leave as one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.changes import units_of
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption
from deploy.local.tokens import Scope

_SERVICE, _STORE = "customer_service", "store"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="See what comes to a hub, and say what of it was there.", no_args_is_help=True)
    group.command("list")(list_arrivals)
    group.command("receive")(receive)
    app.add_typer(group, name="arrivals")


def list_arrivals(
    point: Annotated[str, typer.Argument(metavar="POINT", help="The hub, for example wh-orleans.")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the parcels that other points send to a hub, the earliest expected first."""
    with _asking(state) as api:
        found = api.get(f"/v1/points/{point}/arrivals", _SERVICE)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("parcel of", "from", "status", "units", "expected", "for")
    for one in found["items"]:
        work = one["fulfilment"]
        units = ", ".join(f"{line['quantity']} x {line['sku']}" for line in work["lines"])
        expected = work["window"]["end"] if work["window"] else ""
        purpose = "the stock: cancelled" if one["cancelled"] else work["order_id"]
        table.add_row(work["id"], escape(work["point_id"]), work["status"], escape(units), expected, purpose)
    show.console().print(table)


def receive(
    fulfilment: Annotated[str, typer.Argument(metavar="FULFILMENT", help="For example ful_5f0c...")],
    lines: Annotated[list[str], typer.Argument(help="LINE=UNITS that are there, for every line: 1=2.")],
    at: Annotated[str, typer.Option(help="The hub, for example wh-orleans.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what was in a parcel; what is missing looks for another place."""
    body: Json = {"units": [units_of(one) for one in lines]}
    scope = Scope(stores=(at,))
    with _asking(state) as api:
        found = api.post(f"/v1/fulfilments/{fulfilment}/receive", _STORE, body, scope=scope)
    typer.echo(f"received from {found['point_id']}, for {found['order_id']}")


@contextmanager
def _asking(state: Path) -> Iterator[Api]:
    """A gateway to ask; a problem is told in one line, with exit code 1."""
    with asking(state) as api:
        yield api
