"""`oms order blocked`, `acts` and `customer`: orders that do not go on, what may be done, and whose they are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="For example ord_5f0c...")]


def register(_: typer.Typer) -> None:
    order.command("blocked")(blocked)
    order.command("acts")(acts)
    order.command("customer")(customer)


def blocked(
    reason: Annotated[str, typer.Option(help="Only for this reason, for example undecided_loss.")] = "",
    channel: Annotated[str, typer.Option(help="Only of this channel.")] = "",
    point: Annotated[str, typer.Option(help="Only with open work at this point.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, the most urgent first.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List orders that do not go on, or are late against their promise, with what happens by itself."""
    chosen = {"reason": reason, "channel_id": channel, "point_id": point}
    filters: Json = {name: value for name, value in chosen.items() if value}
    found = _asked(state, lambda api: api.get("/v1/blocked-orders", _ROLE, size=size, **filters))
    if as_json:
        _print_json(found)
        return
    _print_blocked(found["items"])
    typer.echo(
        f"{found['total']} in all: {', '.join(f'{n} {name}' for name, n in sorted(found['counts'].items()))}"
    )


def acts(order_id: OrderArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List what customer service may do about an order now, and why the rest may not be done."""
    found = _asked(state, lambda api: api.get(f"/v1/orders/{order_id}/acts", _ROLE))
    if as_json:
        _print_json(found)
        return
    table = show.table("act", "about", "may be done", "why not")
    for one in found["items"]:
        yes = "yes" if one["possible"] else "no"
        table.add_row(*map(escape, (one["act"], one["target_id"] or "the order", yes, one["detail"] or "")))
    show.console().print(table)


def customer(
    order_id: OrderArgument,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many orders, newest first.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show all orders of whoever placed an order, over all channels, and what they came to."""
    found = _asked(state, lambda api: api.get(f"/v1/orders/{order_id}/customer", _ROLE, size=size))
    if as_json:
        _print_json(found)
        return
    table = show.table("order", "channel", "placed", "status", "total")
    for one in found["items"]:
        row = (
            one["id"],
            one["channel_id"],
            show.moment(one["placed_at"]),
            one["status"],
            show.money(one["total"]),
        )
        table.add_row(*map(escape, row))
    show.console().print(table)
    totals = found["totals"]
    typer.echo(
        f"{totals['orders']} orders, {totals['open_orders']} open, {totals['late_orders']} late; "
        f"{totals['kept_units']} of {totals['ordered_units']} units kept"
    )
    for one in totals["money"]:
        paid, back = show.money(one["captured"]), show.money(one["refunded"])
        typer.echo(f"{show.money(one['ordered'])} ordered, {paid} paid, {back} given back")
    if found["issues"]:
        _print_blocked(found["issues"])


def _print_blocked(orders: list[Json]) -> None:
    table = show.table("order", "channel", "promised until", "why", "since", "then")
    for one in orders:
        promise = one["promise"]
        for number, reason in enumerate(one["reasons"]):
            due = f"{reason['then']} {show.moment(reason['due_at'])}" if reason["then"] else "waits for a person"
            head = ("", "", "")
            if not number:
                head = (one["id"], one["channel_id"], show.moment(promise["end"]) if promise else "")
            why = f"{reason['reason']}: {reason['detail']}" if reason["detail"] else reason["reason"]
            table.add_row(*map(escape, (*head, why, show.moment(reason["since"]), due)))
    show.console().print(table)


def _asked(state: Path, ask: Callable[[Api], Json]) -> Json:
    with asking(state) as api:
        return ask(api)


def _print_json(found: Json) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
