"""`oms order erase-customer`: who bought is erased from all closed orders."""

import json
from typing import Annotated

import typer

from cli.asking import asking
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"


def register(_: typer.Typer) -> None:
    order.command("erase-customer")(erase_customer)


def erase_customer(
    customer: Annotated[str, typer.Option(help="As the channels name the customer.")] = "",
    of_order: Annotated[str, typer.Option("--order", help="Whoever placed this one.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Erase a customer from all orders, over all channels; refused while one of them is open. Not undone."""
    if bool(customer) == bool(of_order):
        raise typer.BadParameter("name --customer or --order, one of them")
    if not yes:
        typer.confirm("This is not undone. Erase the customer?", abort=True)
    path = f"/v1/customers/{customer}/erasure" if customer else f"/v1/orders/{of_order}/customer/erasure"
    with asking(state) as api:
        done = api.post(path, _ROLE)
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    typer.echo(f"erased from {done['orders']} orders" if done["orders"] else "nothing is known of this customer")
    if done["documents_until"]:
        typer.echo(
            f"the documents of {done['kept_for_documents']} keep name and address, the last until "
            f"{done['documents_until'][:10]}"
        )
