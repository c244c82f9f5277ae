"""`oms capacity`: orders that points start a day, parcels that carriers take there, and what is left of both."""

import json
from datetime import date, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"
_DAYS = ("every day", "mon", "tue", "wed", "thu", "fri", "sat", "sun")

PointOption = Annotated[str, typer.Option("--point", help="A stock point; with --carrier, none is each point.")]
CarrierOption = Annotated[str, typer.Option("--carrier", help="Parcels of this carrier, not orders of the point.")]
ServiceOption = Annotated[str, typer.Option("--service", help="With --carrier: of this service alone.")]
CutOffOption = Annotated[
    str, typer.Option("--cut-off", help="With --carrier: of the visit with this cut-off, HH:MM.")
]
WeekdayOption = Annotated[list[str] | None, typer.Option("--weekday", help="mon to sun; repeatable.")]
DateOption = Annotated[
    list[str] | None, typer.Option("--date", help="Of one day, for example 2026-12-24; repeatable.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Look at what points and carriers can take a day, and change it.", no_args_is_help=True
    )
    group.command("show")(show_figures)
    group.command("limits")(limits)
    group.command("set")(set_limit)
    group.command("remove")(remove)
    app.add_typer(group, name="capacity")


def show_figures(
    point: Annotated[str, typer.Argument(metavar="POINT", help="A stock point.")],
    from_date: Annotated[str, typer.Option("--from", help="A day; today unless given.")] = "",
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days.")] = 7,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what is taken and left of each day, of the point and of the carriers that come there."""
    first = _day(from_date, "--from") if from_date else date.today()
    last = first + timedelta(days=days - 1)
    with asking(state) as api:
        path = f"/v1/points/{point}/capacity"
        found = api.get(path, _ROLE, from_date=first.isoformat(), until_date=last.isoformat())
    table = show.table("day", "of", "limit", "taken", "left")
    for one in found["items"]:
        table.add_row(one["date"], _whose(one), _most(one["most"]), str(one["taken"]), _most(one["left"]))
    _tell(found, table, as_json)


def limits(
    point: PointOption = "",
    carrier: CarrierOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the limits that were set; a point without any has the daily capacity of its own data."""
    asked: Json = {name: value for name, value in (("point_id", point), ("carrier_id", carrier)) if value}
    with asking(state) as api:
        found = api.get("/v1/capacity/limits", _ROLE, **asked)
    table = show.table("point", "of", "day", "limit", "set", "by")
    for one in found["items"]:
        day = one["date"] or _DAYS[one["weekday"]]
        where = escape(one["point_id"]) or "each point"
        table.add_row(
            where, _whose(one), day, _most(one["most"]), show.moment(one["set_at"]), escape(one["set_by"])
        )
    _tell(found, table, as_json)


def set_limit(
    most: Annotated[str, typer.Argument(metavar="MOST", help="Orders or parcels a day; none for no limit.")],
    point: PointOption = "",
    carrier: CarrierOption = "",
    service: ServiceOption = "",
    cut_off: CutOffOption = "",
    weekday: WeekdayOption = None,
    on: DateOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Set how much there may be on every day, on weekdays or on dates. What orders have taken stays theirs."""
    if most != "none" and not most.isdecimal():
        raise typer.BadParameter("a whole number from 0 on, or none", param_hint="MOST")
    scopes = _scopes(point, carrier, service, cut_off, weekday or [], on or [])
    value = None if most == "none" else int(most)
    body = {"limits": [{**scope, "most": value} for scope in scopes]}
    with asking(state) as api:
        changed = body_of(api.send("PUT", "/v1/capacity/limits", _ROLE, json=body))["changed"]
    typer.echo(f"{changed} of {len(scopes)} changed")


def remove(
    point: PointOption = "",
    carrier: CarrierOption = "",
    service: ServiceOption = "",
    cut_off: CutOffOption = "",
    weekday: WeekdayOption = None,
    on: DateOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Remove a limit: what is wider holds again."""
    scopes = _scopes(point, carrier, service, cut_off, weekday or [], on or [])
    with asking(state) as api:
        changed = api.post("/v1/capacity/limits/remove", _ROLE, {"limits": scopes})["changed"]
    typer.echo(f"{changed} of {len(scopes)} removed")


def _scopes(
    point: str, carrier: str, service: str, cut_off: str, weekdays: list[str], dates: list[str]
) -> list[Json]:
    """One for each weekday and date; one for every day without any."""
    whole: Json = {"point_id": point, "carrier_id": carrier, "service_id": service}
    if cut_off:
        whole["cut_off_minute"] = _minute(cut_off)
    days: list[Json] = [{"weekday": _weekday(one)} for one in weekdays]
    days += [{"date": _day(one, "--date").isoformat()} for one in dates]
    return [whole | day for day in days or [{}]]


def _weekday(name: str) -> int:
    if name not in _DAYS[1:]:
        raise typer.BadParameter(f"one of {', '.join(_DAYS[1:])}", param_hint="--weekday")
    return _DAYS.index(name)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a date, for example 2026-12-24", param_hint=option) from None


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60):
        raise typer.BadParameter("a local time, for example 17:30", param_hint="--cut-off")
    return int(hours) * 60 + int(minutes)


def _whose(one: Json) -> str:
    """Orders, or parcels of whom."""
    if not one["carrier_id"]:
        return "orders"
    at = one["cut_off_minute"]
    visit = "" if at is None else f", {at // 60:02}:{at % 60:02}"
    return f"parcels: {escape(one['carrier_id'])} {escape(one['service_id'])}".rstrip() + visit


def _most(value: int | None) -> str:
    return "no limit" if value is None else str(value)


def _tell(found: Json, table: Table, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show.console().print(table)
