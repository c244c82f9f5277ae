"""`oms order trial`: goods that are tried at home."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli import show
from cli.asking import asking
from cli.changes import units_of
from cli.client import Api, Json
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]

trial = typer.Typer(help="What a customer tries at home: what is kept, and what comes back.", no_args_is_help=True)


def register(_: typer.Typer) -> None:
    trial.command("show")(show_trial)
    trial.command("decide")(decide)
    trial.command("give-back")(give_back)
    order.add_typer(trial, name="trial")


def show_trial(order_id: OrderArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Until when it is tried, which units come back, and what is kept."""
    with _asking(state) as api:
        found = api.get(f"/v1/orders/{order_id}", _ROLE)
    if as_json:
        typer.echo(json.dumps(found["trial"], indent=2, ensure_ascii=False))
        return
    typer.echo(show.trial(found["trial"]))
    show.console().print(show.lines(found))


def decide(
    order_id: OrderArgument,
    returns: Annotated[list[str] | None, typer.Argument(help="LINE=UNITS that come back, if any.")] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what comes back; all else is kept."""
    body: Json = {"returns": [units_of(one) for one in returns or ()]}
    with _asking(state) as api:
        found = api.post(f"/v1/orders/{order_id}/trial", _ROLE, body)
    typer.echo(show.trial(found["trial"]))


def give_back(
    order_id: OrderArgument,
    lines: Annotated[list[str], typer.Argument(help="LINE=UNITS, for example 1=2.")],
    at: Annotated[str, typer.Option(help="The point where they lie now; without it a carrier has them.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Take units back, announced or not."""
    body: Json = {"lines": [units_of(one) for one in lines], "point_id": at or None}
    with _asking(state) as api:
        found = api.post(f"/v1/orders/{order_id}/trial/returns", _ROLE, body)
    typer.echo(show.trial(found["trial"]))


@contextmanager
def _asking(state: Path) -> Iterator[Api]:
    """A gateway to ask; a problem is told in one line, with exit code 1."""
    with asking(state) as api:
        yield api
