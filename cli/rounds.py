"""`oms pick-lists` and `oms manifests`: who picks what together, what carriers took, and the sheets of both."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"

PointArgument = Annotated[str, typer.Argument(metavar="POINT", help="For example st-lyon.")]
PickListArgument = Annotated[str, typer.Argument(metavar="PICK_LIST", help="For example pkl_5f0c...")]
ManifestArgument = Annotated[str, typer.Argument(metavar="MANIFEST", help="For example man_5f0c...")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Where it goes: .pdf.")]
LangOption = Annotated[str, typer.Option(help="en or fr")]


def register(app: typer.Typer) -> None:
    lists = typer.Typer(help="See who picks what together, in walking order.", no_args_is_help=True)
    lists.command("list")(list_pick_lists)
    lists.command("show")(show_pick_list)
    lists.command("print")(print_pick_list)
    app.add_typer(lists, name="pick-lists")
    manifests = typer.Typer(help="See what carriers took from points.", no_args_is_help=True)
    manifests.command("list")(list_manifests)
    manifests.command("show")(show_manifest)
    manifests.command("print")(print_manifest)
    app.add_typer(manifests, name="manifests")


def list_pick_lists(point: PointArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the open pick lists of a point, the oldest first."""
    with asking(state) as gateway:
        found = gateway.get(f"/v1/points/{point}/pick-lists", _ROLE)
    if as_json:
        _print(found)
        return
    table = show.table("pick list", "by", "since", "works", "articles", "units")
    for one in found["items"]:
        works = sum(work["is_open"] for work in one["works"])
        units = sum(article["quantity"] for article in one["articles"])
        counts = (f"{count:,}" for count in (works, len(one["articles"]), units))
        table.add_row(one["id"], escape(one["actor"]), show.moment(one["opened_at"]), *counts)
    show.console().print(table)


def show_pick_list(
    pick_list: PickListArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Show a pick list: its articles in walking order, and the container of each work."""
    with asking(state) as gateway:
        found = gateway.get(f"/v1/pick-lists/{pick_list}", _ROLE)
    if as_json:
        _print(found)
        return
    ended = f", closed {show.moment(found['closed_at'])}" if found["closed_at"] else ""
    since = show.moment(found["opened_at"])
    typer.echo(f"{found['id']} of {found['actor']} at {found['point_id']}, opened {since}{ended}")
    walk = show.table("where", "article", "sku", "units", "into")
    for one in found["articles"]:
        into = ", ".join(f"{share['slot']}: {share['quantity']}" for share in one["shares"])
        cells = (one["location"] or "-", one["title"], one["sku"], f"{one['quantity']:,}", into)
        walk.add_row(*map(escape, cells))
    show.console().print(walk)
    works = show.table("container", "work", "order", "status", "hand over by")
    for one in found["works"]:
        by = show.moment(one["hand_over_by"])
        works.add_row(one["slot"], one["fulfilment_id"], one["order_id"], show.status(one["status"]), by)
    show.console().print(works)


def print_pick_list(
    pick_list: PickListArgument, file: FileArgument, lang: LangOption = "en", state: StateOption = DEFAULT_STATE
) -> None:
    """Write the sheet of a pick list."""
    _write(f"/v1/pick-lists/{pick_list}/print", file, lang, state)


def list_manifests(
    point: PointArgument,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List what carriers took from a point, newest first."""
    with asking(state) as gateway:
        found = gateway.get(f"/v1/points/{point}/manifests", _ROLE, size=size)
    if as_json:
        _print(found)
        return
    table = show.table("manifest", "number", "carrier", "closed", "by", "parcels", "weight")
    for one in found["items"]:
        weight = sum(parcel["weight_grams"] for parcel in one["parcels"])
        table.add_row(
            one["id"],
            str(one["number"]),
            escape(one["carrier_id"]),
            show.moment(one["closed_at"]),
            escape(one["actor"]),
            f"{len(one['parcels']):,}",
            _kilograms(weight),
        )
    show.console().print(table)
    if found["next_cursor"]:
        show.console().print("[dim]there are more; --size shows more[/]")


def show_manifest(
    manifest: ManifestArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Show a manifest: the parcels that left, by their codes."""
    with asking(state) as gateway:
        found = gateway.get(f"/v1/manifests/{manifest}", _ROLE)
    if as_json:
        _print(found)
        return
    closed = f"closed {show.moment(found['closed_at'])} by {found['actor']}"
    typer.echo(f"manifest {found['number']} of {found['carrier_id']} at {found['point_id']}, {closed}")
    table = show.table("sscc", "tracking code", "order", "work", "units", "weight")
    for one in found["parcels"]:
        codes = (one["sscc"], one["tracking_code"], one["order_id"], one["fulfilment_id"])
        table.add_row(*map(escape, codes), f"{one['units']:,}", _kilograms(one["weight_grams"]))
    show.console().print(table)


def print_manifest(
    manifest: ManifestArgument, file: FileArgument, lang: LangOption = "en", state: StateOption = DEFAULT_STATE
) -> None:
    """Write the sheet of a manifest, for the driver to sign."""
    _write(f"/v1/manifests/{manifest}/print", file, lang, state)


def _write(path: str, file: Path, lang: str, state: Path) -> None:
    with asking(state) as gateway:
        size = gateway.download(path, _ROLE, file, lang=lang)
    typer.echo(f"{size:,} bytes in {file}")


def _kilograms(grams: int) -> str:
    return f"{grams / 1000:.1f} kg" if grams else "-"


def _print(found: Json) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
