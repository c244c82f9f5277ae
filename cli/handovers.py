"""`oms handovers`: work of points that other systems do, and where they are silent."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"

SystemArgument = Annotated[str, typer.Argument(metavar="SYSTEM", help="For example demo-warehouse.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Follow the work that other systems do for points.", no_args_is_help=True)
    group.command("list")(list_handovers)
    group.command("show")(show_handover)
    group.command("close")(close)
    group.command("systems")(systems)
    group.command("enable")(enable)
    group.command("disable")(disable)
    app.add_typer(group, name="handovers")


def list_handovers(
    alert: Annotated[bool, typer.Option("--alert", help="Only those that somebody has to look at.")] = False,
    system: Annotated[str, typer.Option("--system", help="Only those of a system.")] = "",
    order: Annotated[str, typer.Option("--order", help="Only those of an order.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List preparation orders that went to other systems, newest first."""
    asked: Json = {"alert": alert}
    asked |= {name: value for name, value in (("system_id", system), ("order_id", order)) if value}
    with asking(state) as api:
        found = list(api.rows("/v1/handovers", _ROLE, **asked))
    if as_json:
        _print({"items": found})
        return
    table = show.table("fulfilment", "order", "system", "state", "heard", "error", "alerts")
    for one in found:
        table.add_row(
            one["fulfilment_id"],
            one["order_id"],
            escape(one["system_id"]),
            one["state"],
            show.moment(one["heard_at"]) if one["heard_at"] else "never",
            one["last_error"],
            ", ".join(alert["kind"] for alert in one["alerts"] if not alert["closed_at"]),
        )
    show.console().print(table)


def show_handover(
    fulfilment: Annotated[str, typer.Argument(metavar="FULFILMENT", help="For example ful_0199...")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show one: how far it is, what its system said, its alerts."""
    with asking(state) as api:
        found = api.get(f"/v1/handovers/{fulfilment}", _ROLE)
    if as_json:
        _print(found)
        return
    typer.echo(f"{fulfilment} of {found['order_id']} at {found['system_id']}: {found['state']}")
    table = show.table("received", "said", "became", "why")
    for one in found["messages"]:
        table.add_row(show.moment(one["received_at"]), one["kind"], one["state"], escape(one["reason"]))
    show.console().print(table)
    for one in found["alerts"]:
        closed = f"closed by {one['closed_by'] or 'itself'}" if one["closed_at"] else "open"
        typer.echo(f"{one['alert_id']}  {one['kind']} ({closed}): {one['text']}")


def close(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="For example alt_0f3a...")],
    note: Annotated[str, typer.Option(help="What was done about it.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say that an alert has been dealt with."""
    with asking(state) as api:
        closed = api.post(f"/v1/handover-alerts/{alert}/close", _ROLE, {"note": note})
    typer.echo(f"{closed['kind']} of {closed['fulfilment_id']} is closed")


def systems(as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the systems and the points whose work they do."""
    with asking(state) as api:
        found = api.get("/v1/handover-systems", _ROLE)
    if as_json:
        _print(found)
        return
    table = show.table("system", "name", "points", "on")
    for one in found["items"]:
        points = escape(", ".join(one["point_ids"]))
        table.add_row(escape(one["system_id"]), escape(one["name"]), points, "yes" if one["enabled"] else "no")
    show.console().print(table)


def enable(system: SystemArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Send new work of its points to a system."""
    _switch(system, True, state)


def disable(system: SystemArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Leave new work to the people of its points; what the system has is followed to its end."""
    _switch(system, False, state)


def _switch(system_id: str, enabled: bool, state: Path) -> None:
    with asking(state) as api:
        known = {one["system_id"]: one for one in api.get("/v1/handover-systems", _ROLE)["items"]}
        if system_id not in known:
            raise typer.BadParameter(f"one of {', '.join(known) or 'none'}", param_hint="SYSTEM")
        body = {"systems": [known[system_id] | {"enabled": enabled}]}
        body_of(api.send("PUT", "/v1/handover-systems", _ROLE, json=body))
    typer.echo(f"{system_id} is {'on' if enabled else 'off'}")


def _print(found: Json) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
