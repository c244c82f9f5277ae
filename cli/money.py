"""`oms order refund` and the like: money given back, and money that could not be captured."""

import json
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json, body_of
from cli.orders import JsonOption, order
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]
HeldArgument = Annotated[str, typer.Argument(help="The order (ord_...), or one of its parcels' work (ful_...).")]
ReasonOption = Annotated[
    str,
    typer.Option(
        help="withdrawal, damaged, not_as_described, lost, late, price_adjustment, gesture or other.",
    ),
]


def register(_: typer.Typer) -> None:
    order.command("refund")(refund)
    order.command("refunds")(refunds)
    order.command("retry-refund")(retry_refund)
    order.command("retry-capture")(retry_capture)
    order.command("override-capture")(override_capture)
    order.command("give-up")(give_up)


def refund(
    order_id: OrderArgument,
    lines: Annotated[list[str] | None, typer.Argument(help="LINE=UNITS, for example 1=2.")] = None,
    amount: Annotated[int, typer.Option(help="Minor units of the order's currency: 500 is 5.00.", min=0)] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="All that is left.")] = False,
    kind: Annotated[str, typer.Option(help="goods, goodwill or delivery_fee.")] = "goods",
    reason: ReasonOption = "other",
    note: Annotated[str, typer.Option(help="For people.")] = "",
    point: Annotated[str, typer.Option(help="The store whose till gives back what a till has taken.")] = "",
    key: Annotated[str, typer.Option(help="The same key is one refund, however often it is sent.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give money of an order back: lines, an amount or all that is left."""
    body: Json = {"kind": kind, "reason_code": reason, "reason": note}
    if lines:
        body["lines"] = [_line(text) for text in lines]
    if whole:
        body["whole"] = True
    if point:
        body["point_id"] = point
    with asking(state) as api:
        if amount:
            currency = api.get(f"/v1/orders/{order_id}", _ROLE)["total"]["currency"]
            body["amount"] = {"amount_minor": amount, "currency": currency}
        headers = {"Idempotency-Key": key or uuid4().hex}
        found = api.post(f"/v1/orders/{order_id}/refunds", _ROLE, body, headers=headers)
    _tell([found], found, as_json)


def refunds(order_id: OrderArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List what was given back of an order, and what is on its way."""
    with asking(state) as api:
        found = api.get(f"/v1/orders/{order_id}/refunds", _ROLE)
    _tell(found["items"], found, as_json)


def retry_refund(
    order_id: OrderArgument,
    refund_id: Annotated[str, typer.Argument(help="For example rfd_01...")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Try a failed refund again."""
    with asking(state) as api:
        found = api.post(f"/v1/orders/{order_id}/refunds/{refund_id}/retry", _ROLE)
    _tell([found], found, as_json)


def retry_capture(held_id: HeldArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Try now for money that could not be captured."""
    act(state, f"{_path(held_id)}/capture-retry", None)
    typer.echo("it is tried now")


def override_capture(
    held_id: HeldArgument,
    reason: Annotated[str, typer.Option(help="Why it may go without its money.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Let a parcel, or a whole order, go without its money."""
    act(state, f"{_path(held_id)}/capture-override", {"reason": reason})
    typer.echo("it may go without its money")


def give_up(
    fulfilment_id: Annotated[str, typer.Argument(help="For example ful_5f0c...")],
    reason: Annotated[str, typer.Option(help="Why its units are not sent.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Cancel the units of a parcel whose money could not be captured."""
    act(state, f"/v1/fulfilments/{fulfilment_id}/give-up", {"reason": reason})
    typer.echo("its units are not sent, and nothing is captured for them")


def act(state: Path, path: str, body: Json | None) -> None:
    """Customer service does something; a problem is told in one line, with exit code 1."""
    with asking(state) as api:
        answer = api.send("POST", path, _ROLE, json=body)
        if answer.status_code != 204:
            body_of(answer)


def _path(held_id: str) -> str:
    return f"/v1/{'orders' if held_id.startswith('ord_') else 'fulfilments'}/{held_id}"


def _line(text: str) -> Json:
    number, _, units = text.partition("=")
    if not number.isdigit() or not units.isdigit():
        raise typer.BadParameter(f"{text} is not LINE=UNITS")
    return {"line_number": int(number), "quantity": int(units)}


def _tell(rows: list[Json], found: Json, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("refund", "at", "what for", "amount", "of which tax", "status")
    for one in rows:
        tax = one["amount"] | {"amount_minor": sum(part["tax_minor"] for part in one["taxes"])}
        status = show.status(one["state"]) + (f" ({escape(one['failure'])})" if one["failure"] else "")
        what, at = escape(f"{one['kind']}: {one['reason_code']}"), show.moment(one["requested_at"])
        table.add_row(one["id"], at, what, show.money(one["amount"]), show.money(tax), status)
    show.console().print(table)
