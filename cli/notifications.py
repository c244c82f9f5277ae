"""`oms order notifications`: what a customer was told of an order, and what is to be sent again."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
_OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]

notifications = typer.Typer(help="What a customer was told, by mail and SMS.", no_args_is_help=True)


def register(_: typer.Typer) -> None:
    notifications.command("list")(list_notifications)
    notifications.command("resend")(resend)
    order.add_typer(notifications, name="notifications")


def list_notifications(
    order_id: _OrderArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """List what was sent, is to be sent, or is not, and why; oldest first."""
    with asking(state) as gateway:
        found = gateway.get(f"/v1/orders/{order_id}/notifications", _ROLE)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("id", "milestone", "way", "state", "reason", "attempts", "at")
    for one in found["items"]:
        when = show.moment(one["settled_at"] or one["next_try_at"])
        cells = (
            one["id"],
            one["milestone"],
            one["way"],
            one["state"],
            one["reason"] or "",
            str(one["attempts"]),
            when,
        )
        table.add_row(*(escape(cell) for cell in cells))
    show.console().print(table)


def resend(
    order_id: _OrderArgument,
    notification_id: Annotated[str, typer.Argument(help="For example ntf_5f0c...")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Have one sent again."""
    with asking(state) as gateway:
        path = f"/v1/orders/{order_id}/notifications/{notification_id}/resend"
        found = gateway.post(path, _ROLE)
    typer.echo(f"{found['milestone']} by {found['way']}: {found['state']}")
