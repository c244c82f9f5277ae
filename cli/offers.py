"""`oms offers`: work that several points are offered at once: who was asked, who answered, what nobody took."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption
from deploy.local.tokens import Scope

_PLANNER, _SERVICE, _STORE = "supply_chain", "customer_service", "store"
_STATUSES = ("open", "claimed", "accepted", "refused", "lost", "lapsed", "withdrawn")

FulfilmentArgument = Annotated[str, typer.Argument(metavar="FULFILMENT", help="For example ful_5f0c...")]
PointArgument = Annotated[str, typer.Argument(metavar="POINT", help="For example st-lyon.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look at offers, answer them as a store, give work away.", no_args_is_help=True)
    group.command("list")(list_offers)
    group.command("accept")(accept)
    group.command("refuse")(refuse)
    group.command("assign")(assign)
    app.add_typer(group, name="offers")


def list_offers(
    point: Annotated[list[str] | None, typer.Option("--point", help="Of this point; repeatable.")] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help=f"{', '.join(_STATUSES)}; repeatable.")
    ] = None,
    order: Annotated[str, typer.Option("--order", help="Of this order.")] = "",
    fulfilment: Annotated[str, typer.Option("--fulfilment", help="Of this work.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List offers, newest first, with how long points took to answer."""
    filters: Json = {"point_id": point or [], "status": status or []}
    filters |= {"order_id": order} if order else {}
    filters |= {"fulfilment_id": fulfilment} if fulfilment else {}
    with _api(state) as api:
        found = api.get("/v1/offers", _PLANNER, size=size, **filters)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("work", "point", "ring", "status", "offered", "until", "answered after", "why")
    for one in found["items"]:
        table.add_row(
            one["fulfilment_id"],
            escape(one["point_id"]),
            str(one["ring"]),
            show.status(one["status"]),
            show.moment(one["offered_at"]),
            show.moment(one["deadline"]),
            _taken(one),
            escape((one["reason"] or "").replace("_", " ")),
        )
    show.console().print(table)


def accept(
    fulfilment: FulfilmentArgument,
    point: PointArgument,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Take offered work as a point. Exit code 1, and what came first, when it is gone."""
    with _api(state) as api:
        work = api.post(f"/v1/fulfilments/{fulfilment}/accept", _STORE, scope=Scope(stores=(point,)))
    typer.echo(f"{work['point_id']} has it: hand over by {show.moment(work['hand_over_by'])}")


def refuse(
    fulfilment: FulfilmentArgument,
    point: PointArgument,
    reason: Annotated[str, typer.Option(help="not_found, damaged, no_staff, no_time or other.")] = "no_time",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Do not take offered work as a point; the others may still."""
    with _api(state) as api:
        body = {"reason": reason}
        api.post(f"/v1/fulfilments/{fulfilment}/refuse", _STORE, body, scope=Scope(stores=(point,)))
    typer.echo(f"{point} does not take it")


def assign(
    fulfilment: FulfilmentArgument,
    point: PointArgument,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give work that no point took to one of them (`oms order list --unclaimed`)."""
    with _api(state) as api:
        work = api.post(f"/v1/fulfilments/{fulfilment}/assign", _SERVICE, {"point_id": point})
    typer.echo(f"{work['point_id']} has it: hand over by {show.moment(work['hand_over_by'])}")


def _taken(offer: Json) -> str:
    if not offer["answered_at"]:
        return "-"
    taken = datetime.fromisoformat(offer["answered_at"]) - datetime.fromisoformat(offer["offered_at"])
    return f"{taken.total_seconds():.0f} s"


@contextmanager
def _api(state: Path) -> Iterator[Api]:
    """The running system; what it refuses is said and ends with exit code 1."""
    with asking(state) as api:
        yield api
