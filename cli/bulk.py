"""`oms order bulk` and `bulk-show`: one act on all orders that a filter chooses, tried first."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
BulkArgument = Annotated[str, typer.Argument(metavar="BULK", help="For example blk_5f0c...")]


def register(_: typer.Typer) -> None:
    order.command("bulk")(bulk)
    order.command("bulk-show")(bulk_show)


def bulk(
    act: Annotated[str, typer.Argument(metavar="ACT", help="cancel, release_hold or plan_again")],
    reason: Annotated[str, typer.Option(help="Stands in the timeline of each order.")] = "",
    hold_kind: Annotated[str, typer.Option(help="Of release_hold: which holds, for example fraud.")] = "",
    channel: Annotated[str, typer.Option(help="Only of this channel.")] = "",
    status: Annotated[str, typer.Option(help="Only with this status, for example released.")] = "",
    held_for: Annotated[str, typer.Option(help="Only with an open hold of this kind.")] = "",
    late: Annotated[bool, typer.Option("--late", help="Only late ones.")] = False,
    payment_failed: Annotated[bool, typer.Option("--payment-failed", help="Only without their money.")] = False,
    unclaimed: Annotated[bool, typer.Option("--unclaimed", help="Only with work that nobody took.")] = False,
    point: Annotated[str, typer.Option(help="Only with open work there; plan_again has it done elsewhere.")] = "",
    orders: Annotated[list[str] | None, typer.Option("--order", help="Only these; repeatable.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Begin it; without this, only say what would happen.")
    ] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Cancel, let go on, or plan again, all orders that the options choose; at most 2,000."""
    named = {"channel_id": channel, "status": status, "held_for": held_for or hold_kind, "order_ids": orders}
    named |= {"point_id": point}
    flags = {"late": late, "payment_failed": payment_failed, "unclaimed": unclaimed}
    chosen = {name: value for name, value in (named | flags).items() if value}
    body: Json = {"act": act, "reason": reason, "filter": chosen, "dry_run": not yes}
    body |= {"hold_kind": hold_kind} if hold_kind else {}
    with asking(state) as api:
        found = api.post("/v1/bulk-actions", _ROLE, body)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if yes:
        typer.echo(
            f"{found['id']}: {found['orders']} orders; oms order bulk-show {found['id']} says how far it is"
        )
        return
    table = show.table("orders", "status", "would be")
    for one in found["verdicts"]:
        outcome = f"refused, {one['reason']}: {one['detail']}" if one["reason"] else "done"
        table.add_row(*map(escape, (str(one["orders"]), one["status"], outcome)))
    show.console().print(table)
    typer.echo(f"{found['orders']} orders; nothing was done: --yes begins it")


def bulk_show(bulk_id: BulkArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Show how far a bulk action is, and the orders that were refused among its first 500."""
    with asking(state) as api:
        action = api.get(f"/v1/bulk-actions/{bulk_id}", _ROLE)
        results = api.get(f"/v1/bulk-actions/{bulk_id}/results", _ROLE, size=500)["items"]
    if as_json:
        typer.echo(json.dumps(action | {"results": results}, indent=2, ensure_ascii=False))
        return
    counts = ", ".join(f"{action[name]} {name}" for name in ("done", "refused", "pending", "stopped"))
    typer.echo(f"{action['act']} of {action['orders']} orders by {action['actor']}: {counts}")
    table = show.table("order", "why not")
    for one in results:
        if one["state"] == "refused":
            table.add_row(*map(escape, (one["order_id"], f"{one['reason']}: {one['detail']}")))
    if table.row_count:
        show.console().print(table)
