"""`oms payments`: list and export operations, reconcile files of providers, resolve differences."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

ROLE = "finance"
_LOOK_SECONDS = 0.2
_SHOWN = 20
_ID_CHARACTERS = 36
_COUNTS = ("lines", "matched", "different_amount", "different_currency", "extra", "fees_only", "missing")

payments = typer.Typer(help="List, export and reconcile payments.", no_args_is_help=True)

From = Annotated[str, typer.Option("--from", help="From this day or instant of UTC on, such as 2026-11-20.")]
Until = Annotated[str, typer.Option(help="Before this day or instant of UTC.")]
Order = Annotated[list[str] | None, typer.Option(help="Of this order; may be repeated, as may all that follow.")]
Channel = Annotated[list[str] | None, typer.Option(help="Of this channel.")]
Store = Annotated[list[str] | None, typer.Option(help="Of this store or other point.")]
Provider = Annotated[list[str] | None, typer.Option(help="At this payment provider.")]
Tender = Annotated[list[str] | None, typer.Option(help="Paid so, such as payment_method_token.")]
KindOption = Annotated[list[str] | None, typer.Option(help="authorize, capture, void or refund")]
StateOfOne = Annotated[
    list[str] | None,
    typer.Option("--outcome", help="intended, succeeded, failed, unknown or action_required"),
]
CurrencyOption = Annotated[list[str] | None, typer.Option(help="In this currency.")]


def register(app: typer.Typer) -> None:
    app.add_typer(payments, name="payments")


@payments.command("list")
def list_operations(
    from_: From = "",
    until: Until = "",
    order: Order = None,
    channel: Channel = None,
    store: Store = None,
    provider: Provider = None,
    tender: Tender = None,
    kind: KindOption = None,
    outcome: StateOfOne = None,
    currency: CurrencyOption = None,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List operations, newest first."""
    asked = filters(from_, until, order, channel, store, provider, tender, kind, outcome, currency)
    page = ask(state, lambda api: api.get("/v1/payment-operations", ROLE, size=size, **asked))
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    found = show.table("when", "what", "outcome", "amount", "order", "channel", "store", "tender", "why")
    for one in page["items"]:
        told = show.status(one["state"]) + (f" {escape(one['failure_code'])}" if one["failure_code"] else "")
        texts = (one[name] for name in ("order_id", "channel_id", "point_id", "tender_kind", "cause"))
        when, amount = show.moment(one["intended_at"]), show.money(one["amount"])
        found.add_row(when, one["kind"], told, amount, *map(escape, texts))
    show.console().print(found)
    if page["next_cursor"]:
        show.console().print("[dim]there are more; --size shows more, export writes all[/]")


@payments.command()
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where it goes: .csv or .parquet.")],
    from_: From = "",
    until: Until = "",
    order: Order = None,
    channel: Channel = None,
    store: Store = None,
    provider: Provider = None,
    tender: Tender = None,
    kind: KindOption = None,
    outcome: StateOfOne = None,
    currency: CurrencyOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Export operations to a file, newest first, as they are at one instant."""
    if file.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter("the name ends with .csv or .parquet")
    asked = filters(from_, until, order, channel, store, provider, tender, kind, outcome, currency)
    asked["format"] = file.suffix[1:]
    size = ask(state, lambda api: api.download("/v1/payment-operations/export", ROLE, file, **asked))
    typer.echo(f"{size:,} bytes in {file}")


@payments.command()
def reconcile(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The provider's settlement file, CSV.")
    ],
    day: Annotated[str, typer.Option(help="Whose day it tells: YYYY-MM-DD.")],
    provider: Annotated[str, typer.Option(help="Whose file it is.")] = "stripe",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Reconcile a provider's settlement file with our books. Exit code 0: nothing to look at; 1: differences."""
    settlement, found = ask(state, lambda api: _reconcile(api, file, {"provider": provider, "day": day}))
    if as_json:
        typer.echo(json.dumps({**settlement, "differences": found}, indent=2, ensure_ascii=False))
    else:
        report(settlement, found)
    if settlement["state"] != "done" or found:
        raise typer.Exit(1)


@payments.command()
def differences(
    state_of: Annotated[
        list[str] | None, typer.Option("--in", help="open (unless another is named), waiting or closed")
    ] = None,
    provider: Annotated[str, typer.Option(help="With this provider.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List what a provider and we do not agree on."""
    asked = given(state=state_of, provider=provider)
    page = ask(state, lambda api: api.get("/v1/settlement-differences", ROLE, size=size, **asked))
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
    else:
        _print_differences(page["items"])


@payments.command()
def resolve(
    difference: Annotated[str, typer.Argument(help="The id of a difference.")],
    reason: Annotated[str, typer.Option(help="Why it is right, or what was done about it.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Close a difference. Who did, when and why is kept."""
    address = f"/v1/settlement-differences/{difference}/resolve"
    closed = ask(state, lambda api: api.post(address, ROLE, {"reason": reason}))
    typer.echo(f"{closed['difference_id']} {closed['state']} by {closed['closed_by']}: {closed['reason']}")


def filters(
    from_: str,
    until: str,
    order: list[str] | None,
    channel: list[str] | None,
    store: list[str] | None,
    provider: list[str] | None,
    tender: list[str] | None,
    kind: list[str] | None,
    outcome: list[str] | None,
    currency: list[str] | None,
) -> dict[str, Any]:
    """As the REST face names them; what was not given is left out."""
    instants = {"from": instant("--from", from_), "until": instant("--until", until)}
    return {name: value for name, value in instants.items() if value} | given(
        order_id=order,
        channel_id=channel,
        point_id=store,
        provider=provider,
        tender_kind=tender,
        kind=kind,
        state=outcome,
        currency=currency,
    )


def given(**values: Any) -> dict[str, Any]:
    """Parameters without those that say nothing."""
    return {name: value for name, value in values.items() if value}


def instant(option: str, value: str) -> str:
    """A day or an instant as the REST face takes it; of UTC unless it says so. Raises BadParameter."""
    if not value:
        return ""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(f"{option}: a day or an instant in ISO 8601") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _reconcile(api: Api, file: Path, terms: dict[str, str]) -> tuple[Json, list[Json]]:
    """The settlement once it has ended, and what of it is to be looked at. Raises Problem."""
    with file.open("rb") as opened:
        answer = api.send("POST", "/v1/settlements", ROLE, params=terms | {"file_name": file.name}, content=opened)
    settlement = body_of(answer)
    while settlement["state"] in ("received", "running"):
        time.sleep(_LOOK_SECONDS)
        settlement = api.get(f"/v1/settlements/{settlement['settlement_id']}", ROLE)
    asked = {"settlement_id": settlement["settlement_id"], "state": ["open"]}
    return settlement, list(api.rows("/v1/settlement-differences", ROLE, **asked))


def report(settlement: Json, found: list[Json]) -> None:
    """What became of the lines of a file, and what is to be looked at."""
    console = show.console()
    why = f" ({escape(settlement['reason'])}: {escape(settlement['detail'])})" if settlement["reason"] else ""
    console.print(f"[bold]{escape(settlement['settlement_id'])}[/]  {show.status(settlement['state'])}{why}")
    console.print("  ".join(f"{name.replace('_', ' ')} {settlement[name]}" for name in _COUNTS))
    fees = ", ".join(show.money(fee) for fee in settlement["fees"] if fee["amount_minor"])
    console.print(f"fees {fees or 'none'}")
    if settlement["missing"]:
        console.print("[dim]what is missing is awaited from the file of the next day before it is an alarm[/]")
    if found:
        _print_differences(found[:_SHOWN])
    if len(found) > _SHOWN:
        console.print(f"[dim]and {len(found) - _SHOWN} more[/]")


def _print_differences(rows: list[Json]) -> None:
    found = show.table("difference", "day", "what", "", "ours", "theirs", "order", "transaction", "why closed")
    # It is what `resolve` asks for.
    found.columns[0].no_wrap, found.columns[0].min_width = True, _ID_CHARACTERS
    for one in rows:
        words = (one["difference_id"], one["day"], one["kind"].replace("_", " "))
        sides = (show.money(one["expected"]), show.money(one["found"]))
        ids = (one["order_id"], one["transaction_id"], one["reason"])
        found.add_row(*words, show.status(one["state"]), *sides, *map(escape, ids))
    show.console().print(found)


def ask(state: Path, question: Any) -> Any:
    """The answer; a problem is told, and ends the command."""
    with asking(state) as api:
        return question(api)
