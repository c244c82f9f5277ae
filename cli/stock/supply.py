"""Stock to come: `oms stock expected`, `receive-expected`, `future` and `preorders`."""

import json
import uuid
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"


def register(stock: typer.Typer) -> None:
    stock.command("expected")(list_expected)
    stock.command("receive-expected")(receive_expected)
    stock.command("future")(show_future)
    stock.command("preorders")(list_preorders)


def list_expected(
    sku: Annotated[list[str] | None, typer.Option(help="Only of these articles.")] = None,
    point: Annotated[list[str] | None, typer.Option(help="Only to these points.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those received or cancelled too.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List what is expected, to which point and when."""
    filters: dict[str, Any] = {"sku": sku or [], "point_id": point or [], "size": 500}
    filters |= {} if every else {"state": ["expected"]}
    with asking(state) as api:
        found = list(api.rows("/v1/expected-deliveries", _ROLE, **filters))
    if as_json:
        _print_json(found)
        return
    units = ("expected", "received", "held")
    rows = show.table("delivery", "article", "point", "kind", *units, "from", "until", "state")
    for one in found:
        rows.add_row(
            escape(one["delivery_id"]),
            escape(one["sku"]),
            one["point_id"],
            one["kind"],
            *(str(one[name]) for name in ("quantity", "received", "held", "from_date", "until_date")),
            "[red]overdue[/]" if one["overdue"] else one["state"],
        )
    show.console().print(rows if found else "nothing is expected")


def receive_expected(
    delivery_id: Annotated[str, typer.Argument(help="For example po-4711-1")],
    quantity: Annotated[int, typer.Argument(min=0, help="Good units that came.")] = 0,
    damaged: Annotated[int, typer.Option(min=0, help="Damaged units that came.")] = 0,
    close: Annotated[bool, typer.Option("--close", help="No more will come.")] = False,
    source: Annotated[str, typer.Option(help="The document, for example dock/17.")] = "",
    key: Annotated[str, typer.Option(help="Idempotency key; the same one receives once.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Receive units of an expected delivery; those who waited hold them. Exit code 1 if it cannot be done."""
    body = {"quantity": quantity, "damaged": damaged, "close": close, "source": source}
    path = f"/v1/expected-deliveries/{delivery_id}/receive"
    with asking(state) as api:
        done = api.post(path, _ROLE, body, headers={"Idempotency-Key": key or uuid.uuid4().hex})
    if as_json:
        _print_json(done)
        return
    one, balance = done["delivery"], done["balance"]
    console = show.console()
    console.print(
        f"[bold]{escape(one['delivery_id'])}[/]  {one['state']}: {one['received']} of {one['quantity']} received"
    )
    if balance:
        console.print(f"{balance['on_hand']} on hand at {balance['point_id']}, {balance['reserved']} reserved")
    for name, words in (("served", "now held for"), ("lost", "will not come for")):
        for share in done[name]:
            console.print(f"{share['quantity']} {words} {escape(share['reservation_id'])}")


def show_future(
    channel_id: Annotated[str, typer.Argument(help="For example web-fr")],
    skus: Annotated[list[str], typer.Argument(help="One article or several.")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what a channel may promise of stock to come, with each input of the figure."""
    path = f"/v1/channels/{channel_id}/future-availability"
    with asking(state) as api:
        found = api.get(path, _ROLE, sku=skus, explain=True)
    if as_json:
        _print_json(found)
        return
    for one in found["items"]:
        _show_figures(one)


def _show_figures(one: Json) -> None:
    console = show.console()
    promised = sum(window["quantity"] for window in one["future"])
    why = f" [dim]({escape(one['zero_reason'])})[/]" if one["zero_reason"] else ""
    embargo = f", [yellow]not before {one['release_date']}[/]" if one["under_embargo"] else ""
    console.print(
        f"[bold]{escape(one['sku'])}[/]  {one['available_now']} now, {promised} to come,"
        f" {one['preorder']} to pre-order{embargo}{why}"
    )
    if one["inputs"]:
        names = ("point_id", "from_date", "until_date", "expected", "received", "held", "protected", "available")
        rows = show.table("delivery", *(name.removesuffix("_id").removesuffix("_date") for name in names), "rule")
        for each in one["inputs"]:
            rule = escape(each["zero_reason"] or each["protection_rule"])
            rows.add_row(escape(each["delivery_id"]), *(str(each[name]) for name in names), rule)
        console.print(rows)
    if one["preorder_inputs"]:
        units = ("quantity", "held", "converted", "available")
        rows = show.table("pre-order", *units, "rule")
        for each in one["preorder_inputs"]:
            rows.add_row(
                escape(each["preorder_id"]), *(str(each[name]) for name in units), escape(each["zero_reason"])
            )
        console.print(rows)


def list_preorders(as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List pre-orders: what is sold before there is any."""
    with asking(state) as api:
        found = list(api.rows("/v1/preorders", _ROLE, size=500))
    if as_json:
        _print_json(found)
        return
    units = ("quantity", "held", "converted")
    rows = show.table("pre-order", "article", "channel", *units, "opens", "closes", "release")
    for one in found:
        rows.add_row(
            escape(one["preorder_id"]),
            escape(one["sku"]),
            one["channel_id"] or "all",
            *(str(one[name]) for name in units),
            *(show.moment(one[name]) for name in ("opens_at", "closes_at", "release_at")),
        )
    show.console().print(rows if found else "nothing can be pre-ordered")


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
