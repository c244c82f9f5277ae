"""`oms payments stored-value`: gift cards, credit notes and vouchers. A code is printed once, by what makes it."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.payments import payments
from cli.state import DEFAULT_STATE, StateOption
from kit.values.money import exponent

_ROLE = "finance"
_PATH = "/v1/stored-value"

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="For example svl_0199...")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with what is done.")]


def register(_: typer.Typer) -> None:
    group = typer.Typer(help="Issue, look at and correct gift cards, notes and vouchers.", no_args_is_help=True)
    group.command("issue")(issue)
    group.command("list")(list_all)
    group.command("show")(show_one)
    group.command("check")(check)
    group.command("adjust")(adjust)
    group.command("freeze")(freeze)
    group.command("unfreeze")(unfreeze)
    group.command("new-code")(new_code)
    payments.add_typer(group, name="stored-value")


def issue(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="For example 30.00.")],
    reason: ReasonOption,
    kind: Annotated[str, typer.Option(help="gift_card, credit_note or loyalty_voucher.")] = "gift_card",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    valid_until: Annotated[str, typer.Option(help="ISO 8601 with an offset; without end unless given.")] = "",
    channel: Annotated[list[str] | None, typer.Option(help="Where it may be used; repeatable.")] = None,
    customer: Annotated[str, typer.Option(help="Who alone may use it, an opaque id.")] = "",
    single_use: Annotated[bool, typer.Option("--single-use", help="A voucher that one order uses up.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Issue one. Its code is printed this once."""
    body: Json = {
        "kind": kind,
        "amount": {"amount_minor": _minor(amount, currency), "currency": currency},
        "channels": channel or [],
        "customer_ref": customer,
        "single_use": single_use,
        "reason": reason,
    }
    if valid_until:
        body["valid_until"] = valid_until
    with asking(state) as api:
        found = _post(api, "", body)
    typer.echo(f"{found['id']}  {show.money(found['balance'])}  code {found['code']}")


def list_all(
    kind: Annotated[str, typer.Option(help="gift_card, credit_note or loyalty_voucher.")] = "",
    customer: Annotated[str, typer.Option(help="Bound to this customer.")] = "",
    in_state: Annotated[str, typer.Option("--in", help="active, used_up, expired or frozen.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List them, newest first."""
    wanted: Json = {"kind": kind, "customer_ref": customer, "state": in_state}
    asked: Json = {name: value for name, value in wanted.items() if value}
    with asking(state) as api:
        found = api.get(_PATH, _ROLE, size=size, **asked)
    _tell(found, _table(found["items"]), as_json)


def show_one(instrument_id: IdArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Show one and what happened to it, oldest first."""
    with asking(state) as api:
        found = api.get(f"{_PATH}/{instrument_id}", _ROLE)
        moved = list(api.rows(f"{_PATH}/{instrument_id}/movements", _ROLE, size=500))
    table = show.table("at", "what", "amount", "from", "to", "for", "by")
    for one in moved:
        why = escape(one["order_id"] or one["cause"])
        amount = show.money(one["amount"]) if one["amount"]["amount_minor"] else "-"
        table.add_row(
            show.moment(one["recorded_at"]), one["act"], amount, one["debit"], one["credit"], why, one["actor"]
        )
    if not as_json:
        show.console().print(_table([found]))
    _tell({**found, "movements": moved}, table, as_json)


def check(
    channel: Annotated[str, typer.Option(help="Where it would be used.")],
    code: Annotated[str, typer.Option(prompt=True, help="Asked for unless given: so it is in no history.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Tell what a code would pay at a channel. Exit code 1 when nothing."""
    with asking(state) as api:
        found = api.post(f"{_PATH}/check", "customer_service", {"code": code, "channel_id": channel})
    why_not = f"  ({found['refusal']})" if found["refusal"] else ""
    typer.echo(f"{found['kind']} ...{found['last_four']}  {show.money(found['available'])}{why_not}")
    if why_not:
        raise typer.Exit(1)


def adjust(
    instrument_id: IdArgument,
    amount: Annotated[str, typer.Option(help="More or less, for example 5.00 or -5.00.")],
    reason: ReasonOption,
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Correct what it is worth; never below what orders hold of it."""
    money = {"amount_minor": _minor(amount, currency), "currency": currency}
    _act(state, instrument_id, "adjust", {"amount": money, "reason": reason})


def freeze(instrument_id: IdArgument, reason: ReasonOption, state: StateOption = DEFAULT_STATE) -> None:
    """Stop it from paying further orders; what orders hold of it stays good."""
    _act(state, instrument_id, "freeze", {"reason": reason})


def unfreeze(instrument_id: IdArgument, reason: ReasonOption, state: StateOption = DEFAULT_STATE) -> None:
    """Let it pay again."""
    _act(state, instrument_id, "unfreeze", {"reason": reason})


def new_code(instrument_id: IdArgument, reason: ReasonOption, state: StateOption = DEFAULT_STATE) -> None:
    """Give it another code, printed this once; the former one opens nothing any more."""
    with asking(state) as api:
        found = _post(api, f"/{instrument_id}/code", {"reason": reason})
    typer.echo(f"{found['id']}  {show.money(found['balance'])}  code {found['code']}")


def _act(state: Path, instrument_id: str, act: str, body: Json) -> None:
    with asking(state) as api:
        found = _post(api, f"/{instrument_id}/{act}", body)
    show.console().print(_table([found]))


def _post(api: Api, path: str, body: Json) -> Json:
    return api.post(f"{_PATH}{path}", _ROLE, body, headers={"Idempotency-Key": uuid4().hex})


def _minor(amount: str, currency: str) -> int:
    try:
        value = Decimal(amount).scaleb(exponent(currency))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != int(value):
        raise typer.BadParameter(f"an amount of {currency}, for example 30.00", param_hint="AMOUNT")
    return int(value)


def _table(rows: list[Json]) -> Table:
    table = show.table("id", "kind", "code", "state", "issued", "worth", "held", "until", "customer")
    for one in rows:
        table.add_row(
            one["id"],
            one["kind"],
            f"...{one['last_four']}" if one["last_four"] else "none yet",
            one["state"],
            show.money(one["issued"]),
            show.money(one["balance"]),
            show.money(one["held"]),
            show.moment(one["valid_until"]),
            escape(one["customer_ref"]) or "-",
        )
    return table


def _tell(found: Json, table: Table, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show.console().print(table)
