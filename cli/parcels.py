"""`oms order declare-lost` and `decide`: parcels that do not arrive."""

from typing import Annotated

import typer

from cli.money import act
from cli.orders import order
from cli.state import DEFAULT_STATE, StateOption

WorkArgument = Annotated[str, typer.Argument(help="The work whose parcel it is, for example ful_5f0c...")]


def register(_: typer.Typer) -> None:
    order.command("declare-lost")(declare_lost)
    order.command("decide")(decide)


def declare_lost(
    fulfilment_id: WorkArgument,
    reason: Annotated[str, typer.Option(help="How it is known.")],
    damaged: Annotated[bool, typer.Option("--damaged", help="It is not lost but damaged.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Declare a parcel on its way lost or damaged."""
    cause = "damaged" if damaged else "lost"
    act(state, f"/v1/fulfilments/{fulfilment_id}/declare-lost", {"cause": cause, "reason": reason})
    typer.echo(f"the parcel is {cause}")


def decide(
    fulfilment_id: WorkArgument,
    decision: Annotated[str, typer.Argument(help="reship or refund")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Send the units of a lost parcel again, or refund them."""
    act(state, f"/v1/fulfilments/{fulfilment_id}/decide", {"decision": decision})
    typer.echo("its units are sent again" if decision == "reship" else "its units are refunded")
