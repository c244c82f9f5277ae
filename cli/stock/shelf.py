"""`oms stock declare, release, sell, receive, end-of-day` and `oms stock count`: what a shop says of its shelf."""

import json
from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption
from kit.values.ids import new_id

count = typer.Typer(help="Count articles at a point without seeing what the books say.", no_args_is_help=True)

PointArgument = Annotated[str, typer.Argument(help="For example store-lyon")]
SkuArgument = Annotated[str, typer.Argument(help="The article.")]
QuantityArgument = Annotated[int, typer.Argument(min=1, help="How many units.")]
CountArgument = Annotated[str, typer.Argument(help="For example cnt_5f0c...")]
KeyOption = Annotated[str, typer.Option("--key", help="Names the act, so that a repeat is the same one.")]


def register(stock: typer.Typer) -> None:
    stock.command("declare")(declare)
    stock.command("release")(release)
    stock.command("sell")(sell)
    stock.command("receive")(receive)
    stock.command("end-of-day")(end_day)
    count.command("open")(open_count)
    count.command("record")(record_count)
    count.command("close")(close_count)
    count.command("cancel")(cancel_count)
    count.command("show")(show_count)
    stock.add_typer(count, name="count")


def declare(
    point_id: PointArgument,
    sku: SkuArgument,
    quantity: QuantityArgument = 1,
    reason: Annotated[str, typer.Option(help="being_sold, not_found, damaged or other.")] = "other",
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Declare units unavailable: they leave every channel's image at once."""
    body = {"sku": sku, "quantity": quantity, "reason": reason, "source": "oms stock"}
    with asking(state) as api:
        found = _post(api, f"/v1/points/{point_id}/declarations", body, key)
    _print(found, as_json, lambda: _declared(found))


def release(
    declaration_id: Annotated[str, typer.Argument(help="For example dec_5f0c...")],
    quantity: Annotated[int, typer.Argument(min=0, help="How many units; 0 for all that are left.")] = 0,
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give declared units back to the image."""
    with asking(state) as api:
        found = _post(api, f"/v1/declarations/{declaration_id}/release", {"quantity": quantity or None}, key)
    _print(found, as_json, lambda: _declared(found))


def sell(
    point_id: PointArgument,
    sku: SkuArgument,
    quantity: QuantityArgument = 1,
    receipt: Annotated[str, typer.Option(help="The receipt's number.")] = "",
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Tell what a till sold."""
    body = {"sku": sku, "quantity": quantity, "receipt": receipt}
    with asking(state) as api:
        found = _post(api, f"/v1/points/{point_id}/till-sales", body, key)
    names = ("taken", "declared", "known", "unknown")
    words = "  ".join(f"{name} {found[name]}" for name in names)
    _print(found, as_json, lambda: [words, _balances([found["balance"]])])


def receive(
    point_id: PointArgument,
    reference: Annotated[str, typer.Argument(help="The supplier's document, the transfer...")],
    lines: Annotated[list[str], typer.Argument(help="SKU=received, or SKU=received/expected, or with +damaged.")],
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Tell what arrived, for example A-1=9/10+1: nine of ten came, one of them damaged."""
    body = {"reference": reference, "lines": [_receipt_line(one) for one in lines]}
    with asking(state) as api:
        found = _post(api, f"/v1/points/{point_id}/receipts", body, key)
    _print(found, as_json, lambda: [found["receipt"]["receipt_id"], _balances(found["balances"])])


def end_day(
    point_id: PointArgument,
    day: Annotated[
        str, typer.Option("--date", help="For example 2026-11-20; today at the point unless given.")
    ] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Write off what is declared unavailable, and show the report for the stock master."""
    with asking(state) as api:
        found = _post(api, f"/v1/points/{point_id}/end-of-day", {"business_date": day or None}, "")
    lines = show.table("article", "reason", "declared", "written off")
    for line in found["lines"]:
        lines.add_row(escape(line["sku"]), line["reason"], str(line["declared"]), str(line["quantity"]))
    title = f"[bold]{found['report_id']}[/]  {found['business_date']}  {found['units']} units written off"
    _print(found, as_json, lambda: [title, lines])


def open_count(
    point_id: PointArgument,
    skus: Annotated[list[str] | None, typer.Argument(help="Articles to count.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Articles of a category that the point has.")] = None,
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Open a count of some articles."""
    body = {"skus": skus or [], "categories": category or []}
    with asking(state) as api:
        found = _post(api, f"/v1/points/{point_id}/counts", body, key)
    _print(found, as_json, lambda: _counted(found))


def record_count(
    count_id: CountArgument,
    lines: Annotated[list[str], typer.Argument(help="SKU=counted, or SKU=counted+damaged (counted too).")],
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what was counted: every unit that the shop holds, damaged ones included."""
    body = {"lines": [_counted_line(one) for one in lines]}
    with asking(state) as api:
        found = _post(api, f"/v1/counts/{count_id}/lines", body, key)
    _print(found, as_json, lambda: _counted(found))


def close_count(count_id: CountArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Close a count: each difference changes the books."""
    with asking(state) as api:
        found = api.post(f"/v1/counts/{count_id}/close", "supply_chain")
    _print(found, as_json, lambda: _counted(found))


def cancel_count(count_id: CountArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Give a count up: no stock changes."""
    with asking(state) as api:
        found = api.post(f"/v1/counts/{count_id}/cancel", "supply_chain")
    _print(found, as_json, lambda: _counted(found))


def show_count(count_id: CountArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Show a count; closed, with what differed."""
    with asking(state) as api:
        found = api.get(f"/v1/counts/{count_id}", "supply_chain")
    _print(found, as_json, lambda: _counted(found))


# -- asking and showing -----------------------------------------------------------------------------------


def _post(api: Api, path: str, body: Json, key: str) -> Json:
    return api.post(path, "supply_chain", body, headers={"Idempotency-Key": key or new_id("cli")})


def _print(found: Json, as_json: bool, shown: Callable[[], list[str | Table]]) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = show.console()
    for one in shown():
        console.print(one)


def _declared(found: Json) -> list[str | Table]:
    one = found["declaration"]
    words = f"[bold]{one['declaration_id']}[/]  {one['remaining']} of {one['quantity']} {one['reason']}"
    return [words, _balances([found["balance"]])]


def _balances(balances: list[Json]) -> Table:
    names = ("on_hand", "reserved", "unavailable", "short")
    table = show.table("article", "point", *(name.replace("_", " ") for name in names))
    for balance in balances:
        table.add_row(escape(balance["sku"]), balance["point_id"], *(str(balance[name]) for name in names))
    return table


def _counted(found: Json) -> list[str | Table]:
    names = ("counted", "damaged", "expected", "moved", "difference", "adjusted")
    table = show.table("article", *names)
    for line in found["lines"]:
        figures = ("-" if line[name] is None else str(line[name]) for name in names)
        table.add_row(escape(line["sku"]), *figures)
    return [f"[bold]{found['count_id']}[/]  {show.status(found['state'])} at {found['point_id']}", table]


def _receipt_line(text: str) -> Json:
    sku, figures, damaged = _split(text, "SKU=received/expected+damaged")
    received, slash, expected = figures.partition("/")
    if not received.isdecimal() or (slash and not expected.isdecimal()):
        raise typer.BadParameter(f"{text}: SKU=received/expected+damaged is needed")
    return {
        "sku": sku,
        "received": int(received),
        "expected": int(expected) if slash else None,
        "damaged": damaged,
    }


def _counted_line(text: str) -> Json:
    sku, counted, damaged = _split(text, "SKU=counted+damaged")
    if not counted.isdecimal():
        raise typer.BadParameter(f"{text}: SKU=counted+damaged is needed")
    return {"sku": sku, "counted": int(counted), "damaged": damaged}


def _split(text: str, form: str) -> tuple[str, str, int]:
    sku, equals, rest = text.partition("=")
    figures, plus, damaged = rest.partition("+")
    if not (sku and equals) or (plus and not damaged.isdecimal()):
        raise typer.BadParameter(f"{text}: {form} is needed")
    return sku, figures, int(damaged or 0)
