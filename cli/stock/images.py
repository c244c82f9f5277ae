"""`oms stock image` and `oms stock watch`: what a channel may show, as it is kept, and each change as it comes."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"
_PAGE = 1000
_WAIT_SECONDS = 10
ChannelArgument = Annotated[str, typer.Argument(help="For example web-fr")]


def register(stock: typer.Typer) -> None:
    stock.command("image")(image)
    stock.command("watch")(watch)


def image(
    channel_id: ChannelArgument,
    skus: Annotated[list[str] | None, typer.Argument(help="Articles; all of them unless some are named.")] = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show the figures that are kept for a channel: sold, and by what for."""
    with asking(state) as api:
        if skus:
            figures = api.get(f"/v1/channels/{channel_id}/image", _ROLE, None, sku=skus)["items"]
        else:
            figures = [figure for page in _pages(api, channel_id, 0) for figure in page["items"]]
    if as_json:
        typer.echo(json.dumps({"items": figures}, indent=2, ensure_ascii=False))
        return
    table = show.table("article", "available", "ship", "collect", "show", "changed", "why none")
    for one in sorted(figures, key=lambda figure: str(figure["sku"])):
        counts = (str(one[name]) for name in ("available", "ship", "collect", "show"))
        changed = show.moment(one["changed_at"])
        table.add_row(escape(one["sku"]), *counts, changed, escape(one["zero_reason"] or ""))
    show.console().print(table)


def watch(
    channel_id: ChannelArgument,
    after: Annotated[int | None, typer.Option(help="Go on from this number; from now on unless given.")] = None,
    changes: Annotated[int, typer.Option(help="Stop after so many changes; 0 goes on until Ctrl-C.", min=0)] = 0,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Follow the changes of a channel's image, a line each, with the number to go on from."""
    told = 0
    with asking(state) as api, suppress(KeyboardInterrupt):
        for figure in _follow(api, channel_id, after):
            typer.echo(json.dumps(figure, ensure_ascii=False) if as_json else _in_words(figure))
            told += 1
            if told == changes:
                return


def _follow(api: Api, channel_id: str, after: int | None) -> Iterator[Json]:
    if after is None:
        after = 0
        for page in _pages(api, channel_id, 0):
            after = page["sequence"]
    while True:
        page = _page(api, channel_id, after, _WAIT_SECONDS)
        yield from page["items"]
        after = page["sequence"]


def _pages(api: Api, channel_id: str, after: int) -> Iterator[Json]:
    """What there is already."""
    while True:
        page = _page(api, channel_id, after, 0)
        yield page
        after = page["sequence"]
        if len(page["items"]) < _PAGE:
            return


def _page(api: Api, channel_id: str, after: int, wait_seconds: int) -> Json:
    path = f"/v1/channels/{channel_id}/image/changes"
    return api.get(path, _ROLE, None, after_sequence=after, limit=_PAGE, wait_seconds=wait_seconds)


def _in_words(figure: Json) -> str:
    why = f" ({figure['zero_reason']})" if figure["zero_reason"] else ""
    counts = ", ".join(f"{name} {figure[name]}" for name in ("ship", "collect", "show"))
    return f"{figure['sequence']}  {figure['sku']}  {figure['available']} available{why}  {counts}"
