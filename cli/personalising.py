"""`oms order personalise`: what a point puts on units before they are packed, and which of them it spoiled."""

from typing import Annotated

import typer

from cli.asking import asking
from cli.changes import units_of
from cli.client import Json
from cli.orders import order
from cli.state import DEFAULT_STATE, StateOption
from deploy.local.tokens import Scope
from kit.values.ids import new_id

WorkArgument = Annotated[str, typer.Argument(help="The fulfilment, for example ful_91ab...")]
AtOption = Annotated[str, typer.Option(help="The point that acts.")]


def register(_: typer.Typer) -> None:
    group = typer.Typer(help="Put on units what was ordered: begun, done, or spoiled.", no_args_is_help=True)
    group.command("begin")(begin)
    group.command("done")(done)
    group.command("spoiled")(spoiled)
    order.add_typer(group, name="personalise")


def begin(fulfilment_id: WorkArgument, at: AtOption, state: StateOption = DEFAULT_STATE) -> None:
    """Begin with picked work: nobody else can have its units from here on."""
    with asking(state) as gateway:
        gateway.post(_path(fulfilment_id, "begin"), "store", scope=Scope(stores=(at,)))
    typer.echo(f"{fulfilment_id}: begun")


def done(fulfilment_id: WorkArgument, at: AtOption, state: StateOption = DEFAULT_STATE) -> None:
    """Say that it is put on: the work may be packed."""
    with asking(state) as gateway:
        gateway.post(_path(fulfilment_id, "complete"), "store", scope=Scope(stores=(at,)))
    typer.echo(f"{fulfilment_id}: personalised")


def spoiled(
    fulfilment_id: WorkArgument,
    lines: Annotated[list[str], typer.Argument(help="LINE=UNITS that were damaged, and not told before.")],
    at: AtOption,
    key: Annotated[str, typer.Option(help="Said twice with one key they are the same units.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say which units were damaged: they are planned anew."""
    body: Json = {"spoiled": [units_of(one) for one in lines]}
    headers = {"Idempotency-Key": key or new_id("key")}
    with asking(state) as gateway:
        path, scope = _path(fulfilment_id, "spoiled"), Scope(stores=(at,))
        after = gateway.post(path, "store", body, scope=scope, headers=headers)
    left = sum(line["quantity"] for line in after["lines"]) if after["status"] == "picked" else 0
    typer.echo(f"{fulfilment_id}: {left} units left")


def _path(fulfilment_id: str, act: str) -> str:
    return f"/v1/fulfilments/{fulfilment_id}/personalisation-{act}"
