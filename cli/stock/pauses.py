"""`oms stock pause`, `unpause` and `pauses`: points, items and channels that sell nothing for a while."""

import json
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"


def register(stock: typer.Typer) -> None:
    stock.command("pause")(pause)
    stock.command("unpause")(unpause)
    stock.command("pauses")(pauses)


def pause(
    reason: Annotated[str, typer.Option(help="Shown wherever the figure is 0 because of it.")],
    point: Annotated[str, typer.Option(help="A stock point.")] = "",
    sku: Annotated[str, typer.Option(help="An article.")] = "",
    channel: Annotated[str, typer.Option(help="A sales channel.")] = "",
    from_at: Annotated[str, typer.Option("--from", help="ISO 8601 with an offset; now unless given.")] = "",
    until_at: Annotated[str, typer.Option("--until", help="ISO 8601; until it is lifted unless given.")] = "",
    key: Annotated[str, typer.Option("--key", help="The same key again gives the first pause.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Stop what the keys name together: an explicit 0, nothing new reserved; what is reserved stays."""
    body = {"point_id": point, "sku": sku, "channel_id": channel, "reason": reason}
    body |= {name: at for name, at in (("from_at", from_at), ("until_at", until_at)) if at}
    _tell(_post(state, "/v1/pauses", body, key), as_json)


def unpause(
    pause_id: Annotated[str, typer.Argument(help="For example pau_0199...")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """End a pause now, or call off one that has not begun."""
    _tell(_post(state, f"/v1/pauses/{pause_id}/lift", None, ""), as_json)


def pauses(
    ended: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List pauses that are in force or to come."""
    with asking(state) as api:
        found = {"items": list(api.rows("/v1/pauses", _ROLE, include_ended=ended))}
    _tell(found, as_json)


def _post(state: Path, path: str, body: Json | None, key: str) -> Json:
    with asking(state) as api:
        return api.post(path, _ROLE, body, headers={"Idempotency-Key": key or uuid4().hex})


def _tell(found: Json, as_json: bool) -> None:
    """One pause, or a list of them."""
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("pause", "what", "in force", "from", "until", "reason")
    for one in found.get("items", [found]):
        keys = [one[name] for name in ("point_id", "sku", "channel_id") if one[name]]
        until = show.moment(one["lifted_at"] or one["until_at"])
        row = (one["id"], " ".join(keys), "yes" if one["in_force"] else "no", show.moment(one["from_at"]), until)
        table.add_row(*map(escape, row), escape(one["reason"]))
    show.console().print(table)
