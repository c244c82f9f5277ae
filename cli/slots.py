"""`oms slots`: delivery slots of carriers, what is left of them, who has booked, and how it went."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.asking import asking
from cli.client import Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

_PLANNER, _SERVICE, _CARRIER = "supply_chain", "customer_service", "carrier"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

BookingArgument = Annotated[str, typer.Argument(metavar="BOOKING", help="A booking.")]
CarrierOption = Annotated[str, typer.Option("--carrier", help="Of this carrier.")]
ServiceOption = Annotated[str, typer.Option("--service", help="Of this service.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look at delivery slots and bookings, and change them.", no_args_is_help=True)
    group.command("list")(list_slots)
    group.command("patterns")(patterns)
    group.command("put")(put)
    group.command("hold")(hold)
    group.command("bookings")(bookings)
    group.command("release")(release)
    group.command("move")(move)
    group.command("kept")(kept)
    group.command("missed")(missed)
    app.add_typer(group, name="slots")


def list_slots(
    to: Annotated[str, typer.Option("--to", metavar="'FR 69002'", help="Slots that serve this place.")] = "",
    carrier: CarrierOption = "",
    service: ServiceOption = "",
    from_date: Annotated[str, typer.Option("--from", help="A day; today unless given.")] = "",
    days: Annotated[int, typer.Option(min=1, max=62, help="How many days.")] = 14,
    whole: Annotated[bool, typer.Option("--all", help="Also those that cannot be had any more.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List slots of a place, or of a carrier's service, and how many places are left."""
    first = _day(from_date) if from_date else date.today()
    asked = _place(to) | _given(carrier_id=carrier, service_id=service)
    last = first + timedelta(days=days - 1)
    with asking(state) as api:
        found = api.get(
            "/v1/delivery-slots",
            _SERVICE,
            from_date=first.isoformat(),
            until_date=last.isoformat(),
            only_open="false" if whole else "true",
            **asked,
        )
    table = show.table("slot", "service", "from", "until", "left", "of", "price", "book before")
    for one in found["items"]:
        price = show.money(one["price"]) if one["price"] else "-"
        window = (show.moment(one["window"][end]) for end in ("start", "end"))
        left, of = str(one["left"]), str(one["capacity"])
        table.add_row(one["id"], one["service_id"], *window, left, of, price, show.moment(one["bookable_until"]))
    _tell(found, table, as_json)


def patterns(
    carrier: CarrierOption = "",
    service: ServiceOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the patterns that slots follow from."""
    with asking(state) as api:
        found = api.get("/v1/slot-patterns", _PLANNER, **_given(carrier_id=carrier, service_id=service))
    table = show.table("pattern", "version", "service", "to", "days", "hours", "places", "lead days")
    for one in found["items"]:
        to = f"{one['country']} {' '.join(one['postcode_prefixes'])}".strip()
        days = " ".join(_DAYS[day - 1] for day in one["weekdays"])
        hours = f"{_clock(one['from_minute'])}-{_clock(one['until_minute'])}"
        service_of = f"{one['carrier_id']} {one['service_id']}"
        figures = (str(one["capacity"]), str(one["lead_days"]))
        table.add_row(one["pattern_id"], str(one["version"]), service_of, to, days, hours, *figures)
    _tell(found, table, as_json)


def put(
    file: Annotated[Path, typer.Argument(help="YAML or JSON: a list of patterns, with the fields of the API.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Write patterns, all or none. What is booked stays booked."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from None
    if not isinstance(read, list):
        raise typer.BadParameter("a list of patterns", param_hint="FILE")
    # YAML reads a date as one; the API takes its text.
    wanted = json.loads(json.dumps(read, default=str))
    with asking(state) as api:
        body = {"patterns": wanted}
        changed = body_of(api.send("PUT", "/v1/slot-patterns", _PLANNER, json=body))["changed"]
    typer.echo(f"{changed} of {len(wanted)} changed")


def hold(
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="A slot.")],
    to: Annotated[str, typer.Option("--to", metavar="'FR 69002'", help="Where the customer lives.")],
    channel: Annotated[str, typer.Option("--channel", help="Where the customer orders.")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Hold a place for 15 minutes: an order that names it as `booking_id` has it then."""
    with asking(state) as api:
        found = api.post(f"/v1/delivery-slots/{slot}/holds", _SERVICE, {"channel_id": channel, **_place(to)})
    _tell_booking(found, as_json)


def bookings(
    order: Annotated[str, typer.Option("--order", help="Of this order.")] = "",
    carrier: CarrierOption = "",
    from_date: Annotated[str, typer.Option("--from", help="From this day on.")] = "",
    until_date: Annotated[str, typer.Option("--until", help="Until this day.")] = "",
    status: Annotated[str, typer.Option(help="held, confirmed, kept, missed, released or expired.")] = "",
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, by their time.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List bookings by their time."""
    asked = _given(order_id=order, carrier_id=carrier, from_date=from_date, until_date=until_date, status=status)
    with asking(state) as api:
        found = api.get("/v1/bookings", _SERVICE, size=size, **asked)
    table = show.table("booking", "status", "slot", "from", "until", "order", "moved", "missed")
    for one in found["items"]:
        table.add_row(*_row(one))
    _tell(found, table, as_json)


def release(booking: BookingArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Give a place back that no order has; that of an order comes back when the order is cancelled."""
    with asking(state) as api:
        typer.echo(api.post(f"/v1/bookings/{booking}/release", _SERVICE, None)["status"])


def move(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="An order with an appointment.")],
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="Another slot of the same service.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Move the appointment of an order; `oms slots bookings --order` tells where it is then."""
    with asking(state) as api:
        found = api.post(f"/v1/orders/{order}/appointment", _SERVICE, {"slot_id": slot})
    typer.echo(found["status"])


def kept(booking: BookingArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Say that the carrier met the customer."""
    with asking(state) as api:
        typer.echo(api.post(f"/v1/bookings/{booking}/kept", _CARRIER, None)["status"])


def missed(
    booking: BookingArgument,
    reason: Annotated[str, typer.Option(help="A code of the carrier.")] = "not_at_home",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say that the carrier did not meet the customer: another slot may be chosen."""
    with asking(state) as api:
        typer.echo(api.post(f"/v1/bookings/{booking}/missed", _CARRIER, {"reason": reason})["status"])


def _place(text: str) -> Json:
    if not text:
        return {}
    country, _, postcode = text.partition(" ")
    if not postcode:
        raise typer.BadParameter("a country and a postcode, for example 'FR 69002'", param_hint="--to")
    return {"country": country, "postcode": postcode}


def _given(**values: str) -> Json:
    return {name: value for name, value in values.items() if value}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a date, for example 2026-12-24", param_hint="--from") from None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _row(one: Json) -> list[str]:
    window = [show.moment(one["window"][end]) for end in ("start", "end")]
    order = escape(one["order_id"] or "-")
    return [one["id"], one["status"], one["slot_id"], *window, order, str(one["moves"]), str(one["misses"])]


def _tell_booking(found: Json, as_json: bool) -> None:
    table = show.table("booking", "status", "slot", "from", "until", "order", "moved", "missed")
    table.add_row(*_row(found))
    _tell(found, table, as_json)


def _tell(found: Json, table: Table, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show.console().print(table)
