"""`oms order reviews`: orders that somebody has to look at before they go on."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption


def register(_: typer.Typer) -> None:
    order.command("reviews")(reviews)


def reviews(
    channel: Annotated[str, typer.Option(help="Only of this channel.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, the earliest deadline first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List orders that wait for a fraud review. `oms order release-hold` or `refuse-hold` decides."""
    filters: Json = {"channel_id": channel} if channel else {}
    with asking(state) as api:
        page = api.get("/v1/reviews", "customer_service", size=size, **filters)
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    found = show.table("order", "hold", "decide by", "then", "waits for", "channel", "total", "score", "because")
    for one in page["items"]:
        hold, fraud = one["hold"], one["fraud"]
        row = [one["order_id"], hold["hold_id"], show.moment(hold["until"]), hold["default"], _age(hold)]
        row += [one["channel_id"], show.money(one["total"]), str(fraud["score"])]
        found.add_row(*map(escape, row), escape("; ".join(hit["reason"] for hit in fraud["hits"])))
    show.console().print(found)


def _age(hold: Json) -> str:
    """For how long it has waited, for example `3 h 20 min`."""
    minutes = int((datetime.now(UTC) - datetime.fromisoformat(hold["since"])).total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 0)} min"
