"""`oms documents`: tax documents listed, shown, printed to a file, exported."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from cli.client import Json
from cli.orders import JsonOption
from cli.payments import From, Until, ask, given, instant
from cli.state import DEFAULT_STATE, StateOption
from kit.values.money import Money

_ROLE = "finance"

documents = typer.Typer(help="Read invoices, credit notes and sales receipts.", no_args_is_help=True)

Order = Annotated[str, typer.Option(help="Of this order.")]
Channel = Annotated[
    list[str] | None, typer.Option(help="Of this channel; may be repeated, as may all that follow.")
]
Series = Annotated[list[str] | None, typer.Option(help="Of this series.")]
KindOption = Annotated[list[str] | None, typer.Option(help="invoice, credit_note or sales_receipt")]
Number = Annotated[str, typer.Argument(help="For example WEB-FR-INV-2026-000042.")]


def register(app: typer.Typer) -> None:
    app.add_typer(documents, name="documents")


@documents.command("list")
def list_documents(
    from_: From = "",
    until: Until = "",
    order: Order = "",
    channel: Channel = None,
    series: Series = None,
    kind: KindOption = None,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List documents, newest first."""
    asked = _filters(from_, until, order, channel, series, kind)
    page = ask(state, lambda api: api.get("/v1/documents", _ROLE, size=size, **asked))
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    found = show.table("number", "what", "issued", "amount", "order", "why")
    for one in page["items"]:
        words = one["kind"].replace("_", " ")
        found.add_row(
            one["number"], words, one["issued_on"], show.money(one["total"]), one["order_id"], escape(one["cause"])
        )
    show.console().print(found)
    if page["next_cursor"]:
        show.console().print("[dim]there are more; --size shows more, export writes all[/]")


@documents.command("show")
def show_document(number: Number, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Show one document."""
    one = ask(state, lambda api: api.get(f"/v1/documents/{number}", _ROLE))
    if as_json:
        typer.echo(json.dumps(one, indent=2, ensure_ascii=False))
    else:
        _print(one)


@documents.command("page")
def write_page(
    number: Number,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where the page goes: .html.")],
    lang: Annotated[str, typer.Option(help="en or fr")] = "en",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Write one document as a page to print."""
    size = ask(state, lambda api: api.download(f"/v1/documents/{number}/page", _ROLE, file, lang=lang))
    typer.echo(f"{size:,} bytes in {file}")


@documents.command()
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where it goes: .csv.")],
    from_: From = "",
    until: Until = "",
    order: Order = "",
    channel: Channel = None,
    series: Series = None,
    kind: KindOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Export documents as CSV: a row for each tax rate of each, credit notes below zero."""
    asked = _filters(from_, until, order, channel, series, kind)
    size = ask(state, lambda api: api.download("/v1/documents/export", _ROLE, file, **asked))
    typer.echo(f"{size:,} bytes in {file}")


def _filters(
    from_: str,
    until: str,
    order: str,
    channel: list[str] | None,
    series: list[str] | None,
    kind: list[str] | None,
) -> dict[str, Any]:
    """As the REST face names them; what was not given is left out."""
    period = {"from": instant("--from", from_), "until": instant("--until", until)}
    return given(**period, order_id=order, channel_id=channel, series=series, kind=kind)


def _print(one: Json) -> None:
    currency = one["total"]["currency"]
    console = show.console()
    console.print(
        f"{one['number']}, {one['kind'].replace('_', ' ')} of {one['issued_on']}: {show.money(one['total'])}"
    )
    console.print(
        f"[dim]order {one['order_id']}, {escape(one['cause'])}, issued by {escape(one['seller_name'])}[/]"
    )
    if one["corrects"]:
        console.print(f"[dim]corrects {', '.join(one['corrects'])}[/]")
    found = show.table("what", "units", "tax rate", "net", "tax", "gross")
    for line in one["lines"]:
        found.add_row(escape(line["title"] or line["sku"]), f"{line['quantity']:,}", *_amounts(line, currency))
    for name, heading in (("shipping", "delivery"), ("adjustments", "adjustment"), ("totals", "[bold]total[/]")):
        for part in one[name]:
            found.add_row(heading, "", *_amounts(part, currency))
    console.print(found)
    for tender in one["tenders"]:
        console.print(f"[dim]{escape(tender['kind'].replace('_', ' '))}: {show.money(tender['amount'])}[/]")


def _amounts(part: Json, currency: str) -> list[str]:
    rate = f"{part['tax_rate_basis_points'] / 100:g} %"
    return [rate, *(str(Money(part[f"{name}_minor"], currency)) for name in ("net", "tax", "gross"))]
