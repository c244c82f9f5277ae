"""`oms stock lanes` and `oms stock transfer`: how units travel between points, and each step of their way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

transfer = typer.Typer(help="Move units from one point to another.", no_args_is_help=True)

_ROLE = "supply_chain"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TransferArgument = Annotated[str, typer.Argument(help="For example trf_0199...")]
UnitsArgument = Annotated[list[str], typer.Argument(help="SKU=UNITS, one article or several.")]
KeyOption = Annotated[str, typer.Option("--key", help="The same key again gives the first answer.")]


def register(stock: typer.Typer) -> None:
    stock.command("lanes")(lanes)
    commands: dict[str, Callable[..., None]] = {
        "request": request,
        "dispatch": dispatch,
        "receive": receive,
        "settle": settle,
        "cancel": cancel,
        "show": show_transfer,
        "list": list_transfers,
    }
    for name, command in commands.items():
        transfer.command(name)(command)
    stock.add_typer(transfer, name="transfer")


def lanes(
    lane_id: Annotated[
        str, typer.Argument(help="A lane, to see its next departures; all lanes without one.")
    ] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the lanes between points, or show when one leaves and arrives."""
    with asking(state) as api:
        found = api.get(f"/v1/lanes/{lane_id}/schedule" if lane_id else "/v1/lanes", _ROLE)
    if as_json:
        _print(found)
        return
    if lane_id:
        table = show.table("ready by", "arrives")
        for run in found["runs"]:
            table.add_row(show.moment(run["cut_off_at"]), show.window(run["arrives"]))
    else:
        table = show.table("lane", "from", "to", "leaves", "days", "a parcel", "a unit", "a kilogram")
        for lane in found["items"]:
            ends = (lane["lane_id"], lane["origin_id"], lane["destination_id"])
            table.add_row(*ends, _departures(lane), str(lane["transit_days"]), *_costs(lane))
    show.console().print(table)


def request(
    origin: Annotated[str, typer.Argument(help="The point that gives, for example wh-orleans.")],
    destination: Annotated[str, typer.Argument(help="The point that gets.")],
    units: UnitsArgument,
    lane_id: Annotated[str, typer.Option("--lane", help="By default the one that arrives first.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Ask for units: all are held at the origin at once, or none. Exit code 1 if there are too few."""
    body = {
        "origin_id": origin,
        "destination_id": destination,
        "lines": _lines(units),
        "lane_id": lane_id,
        "reason": reason,
    }
    with asking(state) as api:
        answer = api.post("/v1/transfers", _ROLE, body, headers=_key(key))
    if as_json:
        _print(answer)
    elif answer["requested"]:
        _show(answer["transfer"])
    for lacking in answer["shortfalls"]:
        told = f"{lacking['sku']}: {lacking['requested']} wanted, {lacking['available']} there"
        typer.echo(f"{told} at {lacking['point_id']}", err=True)
    if not answer["requested"]:
        raise typer.Exit(1)


def dispatch(
    transfer_id: TransferArgument,
    units: Annotated[
        list[str] | None, typer.Argument(help="SKU=UNITS that were found; all of them unless given.")
    ] = None,
    not_found: Annotated[bool, typer.Option(help="Declare the rest not found instead of giving it back.")] = False,
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what leaves the origin: it is in transit then."""
    body = {"lines": _lines(units or []), "declare_not_found": not_found}
    _act(state, transfer_id, "dispatch", body, key, as_json=as_json)


def receive(
    transfer_id: TransferArgument,
    units: UnitsArgument,
    damaged: Annotated[
        list[str] | None, typer.Option("--damaged", help="SKU=UNITS of them that are damaged.")
    ] = None,
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what arrived, perhaps one of several times."""
    lines: dict[str, Json] = {}
    for line in _lines(units):
        lines.setdefault(line["sku"], {**line, "quantity": 0})["quantity"] += line["quantity"]
    for broken in _lines(damaged or []):
        if broken["sku"] not in lines:
            raise typer.BadParameter(f"{broken['sku']} is damaged but did not arrive", param_hint="--damaged")
        lines[broken["sku"]]["damaged"] = broken["quantity"]
    _act(state, transfer_id, "receive", {"lines": list(lines.values())}, key, as_json=as_json)


def settle(
    transfer_id: TransferArgument,
    units: UnitsArgument,
    outcome: Annotated[str, typer.Option(help="found_at_destination, returned or lost.")],
    reason: Annotated[str, typer.Option(help="Needed for what is lost.")] = "",
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say what became of missing units."""
    lines = [line | {"outcome": outcome, "reason": reason} for line in _lines(units)]
    _act(state, transfer_id, "settle", {"lines": lines}, key, as_json=as_json)


def cancel(
    transfer_id: TransferArgument,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    key: KeyOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Give everything back before it leaves."""
    _act(state, transfer_id, "cancel", {"reason": reason}, key, as_json=as_json)


def show_transfer(
    transfer_id: TransferArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Show a transfer: its state, its units and what was done to it."""
    with asking(state) as api:
        found = api.get(f"/v1/transfers/{transfer_id}", _ROLE)
    if as_json:
        _print(found)
        return
    _show(found)
    acts = show.table("at", "what", "units", "who")
    for done in found["acts"]:
        told = ", ".join(" ".join([f"{one['quantity']} {one['sku']}", *_beside(one)]) for one in done["lines"])
        acts.add_row(show.moment(done["at"]), done["act"], escape(told), f"[dim]{escape(done['actor'])}[/]")
    show.console().print(acts)


def list_transfers(
    point: Annotated[list[str] | None, typer.Option(help="Only from or to this point.")] = None,
    in_state: Annotated[list[str] | None, typer.Option("--in", help="Only in this state.")] = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List transfers in the order in which they were asked for."""
    filters: dict[str, Any] = {"point_id": point or [], "state": in_state or []}
    with asking(state) as api:
        rows = list(api.rows("/v1/transfers", _ROLE, **filters))
    if as_json:
        _print({"items": rows})
        return
    table = show.table("transfer", "from", "to", "state", "units", "in transit", "expected")
    for one in rows:
        units = (sum(line[name] for line in one["lines"]) for name in ("quantity", "in_transit"))
        ends = (one["id"], one["origin_id"], one["destination_id"], show.status(one["state"]))
        table.add_row(*ends, *map(str, units), show.window(one["expected"]))
    show.console().print(table)


def _act(state: Path, transfer_id: str, act: str, body: Json, key: str, *, as_json: bool) -> None:
    with asking(state) as api:
        found = api.post(f"/v1/transfers/{transfer_id}/{act}", _ROLE, body, headers=_key(key))
    if as_json:
        _print(found)
    else:
        _show(found)


def _show(found: Json) -> None:
    console = show.console()
    ends = escape(f"{found['origin_id']} to {found['destination_id']}")
    console.print(f"[bold]{found['id']}[/]  {ends}  {show.status(found['state'])}")
    if found["expected"]:
        console.print(f"expected {show.window(found['expected'])}")
    names = ("quantity", "dispatched", "received", "in_transit", "lost", "over", "damaged")
    table = show.table("article", *(name.replace("_", " ") for name in names))
    for line in found["lines"]:
        table.add_row(escape(line["sku"]), *(str(line[name]) for name in names))
    console.print(table)


def _lines(units: list[str]) -> list[Json]:
    lines = []
    for each in units:
        sku, _, quantity = each.rpartition("=")
        if not sku or not quantity.isdecimal():
            raise typer.BadParameter(f"{each!r} is not SKU=UNITS, for example CPAN-FONTE-RG-24=2")
        lines.append({"sku": sku, "quantity": int(quantity)})
    return lines


def _departures(lane: Json) -> str:
    return ", ".join(
        f"{_DAYS[each['weekday'] - 1]} {each['cut_off_minute'] // 60:02d}:{each['cut_off_minute'] % 60:02d}"
        for each in lane["departures"]
    )


def _costs(lane: Json) -> list[str]:
    cost = lane["cost"]
    amounts = (cost[f"per_{name}_minor"] for name in ("parcel", "unit", "kilogram"))
    return [show.money({"amount_minor": one, "currency": cost["currency"]}) if one else "-" for one in amounts]


def _beside(line: Json) -> list[str]:
    figures = [f"({line[name]} {name})" for name in ("damaged", "over") if line[name]]
    return [*figures, *(part for part in (line["outcome"], line["reason"]) if part)]


def _key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def _print(found: Json) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
