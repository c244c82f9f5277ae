"""`oms order place`, `show`, `list` and `link`: orders given to the running system, and as it knows them."""

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli import show
from cli.asking import asking
from cli.people import Office, Shop
from cli.state import DEFAULT_STATE, StateOption

order = typer.Typer(help="Place orders and look at them.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's JSON instead.")]


def register(app: typer.Typer) -> None:
    order.command("place")(place_order)
    order.command("show")(show_order)
    order.command("list")(list_orders)
    order.command("link")(customer_link)
    app.add_typer(order, name="order")


def place_order(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The body of POST /v1/orders, as JSON.")
    ],
    key: Annotated[str, typer.Option(help="The same key is one order, however often it is sent.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Place an order as its channel. Exit code 1 if it is refused."""
    try:
        content = json.loads(file.read_bytes())
        channel_id: str = content["channel_id"]
    except (ValueError, TypeError, KeyError):
        raise typer.BadParameter("an order is JSON and names its channel_id", param_hint="FILE") from None
    with asking(state) as api:
        placed = Shop(api, channel_id).place(content, key or uuid4().hex)
    if as_json:
        typer.echo(json.dumps(placed, indent=2, ensure_ascii=False))
        return
    receipt = f", receipt {placed['receipt_number']}" if placed["receipt_number"] else ""
    typer.echo(f"{placed['id']}: {placed['status'].replace('_', ' ')}, {show.money(placed['total'])}{receipt}")
    if placed["next_action_url"]:
        typer.echo(f"the customer confirms the payment at {placed['next_action_url']}")


def show_order(
    order_id: Annotated[str, typer.Argument(help="For example ord_5f0c...")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show an order: status, promise, lines, work, money and what happened. Exit code 1 if there is none."""
    with asking(state) as api:
        office = Office(api)
        found = office.order(order_id)
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
            return
        payment, entries = office.payment(order_id), office.timeline(order_id)
    console = show.console()
    console.print(show.header(found))
    console.print()
    console.print(show.lines(found))
    if found["fulfilments"]:
        console.print()
        console.print(show.fulfilments(found))
    console.print(f"\n[bold]money[/]  {show.payment(payment)}\n")
    console.print(show.timeline(entries))
    console.print(f"\n[dim]why it ships from there: oms explain {order_id}[/]")


def list_orders(
    status: Annotated[str, typer.Option(help="Only orders of this status, for example released.")] = "",
    late: Annotated[bool, typer.Option("--late", help="Only orders with a parcel to come that is late.")] = False,
    payment_failed: Annotated[
        bool, typer.Option("--payment-failed", help="Only orders with money to capture that cannot be had.")
    ] = False,
    held_for: Annotated[str, typer.Option(help="Only orders that this kind holds, for example fraud.")] = "",
    undecided_loss: Annotated[
        bool, typer.Option("--undecided-loss", help="Only orders with a lost parcel that waits for a decision.")
    ] = False,
    unclaimed: Annotated[
        bool, typer.Option("--unclaimed", help="Only orders with work that no point took: give it away.")
    ] = False,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List orders, newest first."""
    filters: dict[str, Any] = {"status": status} if status else {}
    filters |= {"late": "true"} if late else {}
    filters |= {"payment_failed": "true"} if payment_failed else {}
    filters |= {"held_for": held_for} if held_for else {}
    filters |= {"undecided_loss": "true"} if undecided_loss else {}
    filters |= {"unclaimed": "true"} if unclaimed else {}
    with asking(state) as api:
        page = api.get("/v1/orders", "customer_service", size=size, **filters)
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    heading = "expected" if late else "unpaid since" if payment_failed else "for the customer"
    heading = "unclaimed since" if unclaimed else heading
    found = show.table("order", "placed", "channel", "status", heading, "total")
    for one in page["items"]:
        placed, total = show.moment(one["placed_at"]), show.money(one["total"])
        words = show.expected(one) if late else show.status(show.customer_words(one))
        words = show.moment(one["payment_failed_since"]) if payment_failed else words
        words = show.moment(one["unclaimed_since"]) if unclaimed else words
        found.add_row(one["id"], placed, one["channel_id"], show.status(one["status"]), words, total)
    show.console().print(found)


def customer_link(
    order_id: Annotated[str, typer.Argument(help="For example ord_5f0c...")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lasts.")] = 90,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Make a link by which the customer follows the order without a login. Exit code 1 if there is no order."""
    with asking(state) as api:
        made = api.post(f"/v1/orders/{order_id}/customer-link", "customer_service", {"days": days})
    typer.echo(made["url"])
