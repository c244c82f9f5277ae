"""`oms order hold` and the like: what keeps an order from going on, and who lets it."""

import json
from typing import Annotated

import typer

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]
HoldArgument = Annotated[str, typer.Argument(help="For example hld_01..., as `oms order show` tells it.")]
UntilOption = Annotated[str, typer.Option(help="An instant with its offset: 2026-12-24T08:00:00+01:00.")]
ReasonOption = Annotated[str, typer.Option(help="For people.")]


def register(_: typer.Typer) -> None:
    order.command("hold")(hold)
    order.command("release-hold")(release_hold)
    order.command("extend-hold")(extend_hold)
    order.command("refuse-hold")(refuse_hold)


def hold(
    order_id: OrderArgument,
    reason: Annotated[str, typer.Option(help="Why, for people.")],
    work: Annotated[str, typer.Option(help="Only this work (ful_...); the whole order without it.")] = "",
    until: UntilOption = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the order at that date.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Stop an order, or the work of one point, until it is let go or its date has come."""
    body: Json = {"reason": reason, "default": "cancel" if cancel else "release"}
    body |= {"fulfilment_id": work} if work else {}
    body |= {"until": until} if until else {}
    _send(f"/v1/orders/{order_id}/holds", body, as_json, state)


def release_hold(
    order_id: OrderArgument,
    hold_id: HoldArgument,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Let it go on."""
    _send(f"/v1/orders/{order_id}/holds/{hold_id}/release", {"reason": reason}, as_json, state)


def extend_hold(
    order_id: OrderArgument,
    hold_id: HoldArgument,
    until: UntilOption,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give it another date, earlier or later."""
    body: Json = {"until": until, "reason": reason}
    _send(f"/v1/orders/{order_id}/holds/{hold_id}/extend", body, as_json, state)


def refuse_hold(
    order_id: OrderArgument,
    hold_id: HoldArgument,
    reason: Annotated[str, typer.Option(help="Why, for people.")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Decide against the order: it is cancelled."""
    _send(f"/v1/orders/{order_id}/holds/{hold_id}/refuse", {"reason": reason}, as_json, state)


def _send(path: str, body: Json, as_json: bool, state: StateOption) -> None:
    with asking(state) as api:
        found = api.post(path, _ROLE, body)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else show.hold(found))
