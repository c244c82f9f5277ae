"""`oms stock basket`: what a customer of a channel has laid aside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
ChannelArgument = Annotated[str, typer.Argument(help="For example web-fr")]
BasketArgument = Annotated[str, typer.Argument(help="The channel's own name for it, for example cart-4711")]
SecondsOption = Annotated[int, typer.Option(help="How long it lives from now on.", min=1, max=24 * 3600)]

basket = typer.Typer(help="Lay units aside for a customer, and give them back.", no_args_is_help=True)


def register(stock: typer.Typer) -> None:
    for command in (hold, read, extend, release):
        basket.command("show" if command is read else command.__name__)(command)
    stock.add_typer(basket, name="basket")


def hold(
    channel_id: ChannelArgument,
    basket_id: BasketArgument,
    lines: Annotated[list[str], typer.Argument(help="SKU=UNITS, or SKU=UNITS@POINT to say where.")],
    seconds: SecondsOption = 600,
    partial: Annotated[bool, typer.Option("--partial", help="Hold what there is, when it is not all.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Lay units aside, in the place of what the basket held."""
    body = {
        "lines": [_line(text) for text in lines],
        "time_to_live_seconds": seconds,
        "allow_partial": partial,
    }
    path = _path(channel_id, basket_id)
    _tell(_asked(state, lambda api: api.send("PUT", path, _ROLE, json=body)), as_json)


def read(
    channel_id: ChannelArgument,
    basket_id: BasketArgument,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what a basket holds, and until when."""
    _tell(_asked(state, lambda api: api.send("GET", _path(channel_id, basket_id), _ROLE)), as_json)


def extend(
    channel_id: ChannelArgument,
    basket_id: BasketArgument,
    seconds: SecondsOption = 600,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give a basket more time; never less."""
    path, body = f"{_path(channel_id, basket_id)}/extend", {"time_to_live_seconds": seconds}
    _tell(_asked(state, lambda api: api.send("POST", path, _ROLE, json=body)), as_json)


def release(channel_id: ChannelArgument, basket_id: BasketArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Give all units of a basket back."""
    _asked(state, lambda api: api.send("DELETE", _path(channel_id, basket_id), _ROLE))
    typer.echo(f"{basket_id} holds nothing")


def _path(channel_id: str, basket_id: str) -> str:
    return f"/v1/channels/{channel_id}/baskets/{basket_id}"


def _line(text: str) -> Json:
    sku, _, rest = text.partition("=")
    units, _, point_id = rest.partition("@")
    if not sku or not units.isdigit():
        raise typer.BadParameter(f"{text} is not SKU=UNITS or SKU=UNITS@POINT")
    return {"sku": sku, "quantity": int(units), "point_id": point_id}


def _asked(state: Path, ask: Callable[[Api], httpx.Response]) -> Json:
    with asking(state) as api:
        answer = ask(api)
        return {} if answer.status_code == 204 else body_of(answer)


def _tell(found: Json, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = show.console()
    console.print(
        f"[bold]{escape(found['basket_id'])}[/]  {found['state']} until {show.moment(found['expires_at'])}"
    )
    table = show.table("article", "point", "units")
    for line in found["lines"]:
        table.add_row(escape(line["sku"]), line["point_id"], str(line["quantity"]))
    console.print(table)
    for one in found["shortfalls"]:
        console.print(f"{escape(one['sku'])}: {one['available']} of {one['requested']}")
