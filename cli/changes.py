"""`oms order cancel-lines` and its neighbours: an order that stands is changed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli import show
from cli.asking import asking
from cli.client import Json, body_of
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]
FileArgument = Annotated[Path, typer.Argument(help="JSON as the API takes it.", exists=True, dir_okay=False)]
LaterOption = Annotated[bool, typer.Option("--accept-later", help="Take a later promise than the one given.")]


def register(_: typer.Typer) -> None:
    order.command("cancel-lines")(cancel_lines)
    order.command("change-address")(change_address)
    order.command("change")(change)
    order.command("plan-again")(plan_again)


def cancel_lines(
    order_id: OrderArgument,
    lines: Annotated[list[str], typer.Argument(help="LINE=UNITS, for example 1=2.")],
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Cancel units of lines that are not picked yet, all or none."""
    body: Json = {"lines": [units_of(one) for one in lines], "reason": reason}
    _send("POST", f"/v1/orders/{order_id}/lines/cancel", body, as_json, state)


def change_address(
    order_id: OrderArgument,
    file: FileArgument,
    accept_later: LaterOption = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Send an order elsewhere: FILE holds the address."""
    body: Json = {"ship_to": _read(file), "accepts_later": accept_later}
    _send("PATCH", f"/v1/orders/{order_id}/address", body, as_json, state)


def change(
    order_id: OrderArgument,
    file: FileArgument,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Change an order in cooling-off: FILE holds its lines, total and mode as they are to be."""
    _send("PUT", f"/v1/orders/{order_id}/content", _read(file), as_json, state)


def plan_again(
    order_id: OrderArgument,
    point: Annotated[str, typer.Option(help="Have done elsewhere what this point has not begun.")] = "",
    reason: Annotated[str, typer.Option(help="Stands in the timeline.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Send at once, from what is there, what an order waits for; or it waits on, and the reason is told."""
    body: Json = {"reason": reason} | ({"point_id": point} if point else {})
    _send("POST", f"/v1/orders/{order_id}/plan-again", body, as_json, state)


def units_of(text: str) -> Json:
    """So many units of a line, as LINE=UNITS says it."""
    number, _, count = text.partition("=")
    if not (number.isdecimal() and count.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not LINE=UNITS", param_hint="LINES")
    return {"line_number": int(number), "quantity": int(count)}


def _read(file: Path) -> Json:
    try:
        found: Json = json.loads(file.read_text())
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}", param_hint="FILE") from None
    return found


def _send(method: str, path: str, body: Json, as_json: bool, state: StateOption) -> None:
    with asking(state) as api:
        found = body_of(api.send(method, path, _ROLE, json=body))
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else show.change(found))
    if found["state"] == "refused":
        raise typer.Exit(1)
