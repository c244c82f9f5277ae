"""`oms order collection`: what a customer collects at a store, from the shelf where it waits to the choice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.asking import asking
from cli.changes import units_of
from cli.client import Api, Json
from cli.orders import order
from cli.state import DEFAULT_STATE, StateOption
from deploy.local.tokens import Scope

_SERVICE = "customer_service"
OrderArgument = Annotated[str, typer.Argument(help="For example ord_5f0c...")]
WorkArgument = Annotated[str, typer.Argument(help="The fulfilment, for example ful_91ab...")]
AtOption = Annotated[str, typer.Option(help="The store that acts.")]

collection = typer.Typer(
    help="Click and collect and e-reservation: put aside, hand over, keep, put back.", no_args_is_help=True
)


def register(_: typer.Typer) -> None:
    for name, command in (
        ("ready", ready),
        ("compartment", compartment),
        ("take-out", take_out),
        ("codes", codes),
        ("find", find),
        ("hand-over", hand_over),
        ("extend", extend),
        ("unlock", unlock),
        ("put-backs", put_backs),
        ("put-back", put_back),
        ("choose", choose),
        ("no-shows", no_shows),
    ):
        collection.command(name)(command)
    order.add_typer(collection, name="collection")


def ready(
    fulfilment_id: WorkArgument,
    at: AtOption,
    shelf: Annotated[str, typer.Option(help="Where it lies.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Put picked work aside: its customer is told, and has a code from now on."""
    with _asking(state) as api:
        done = _act(api, at, fulfilment_id, "ready", {"shelf": shelf})
    typer.echo(f"{fulfilment_id}: ready, kept until {done['collection']['keep_until']}")


def compartment(fulfilment_id: WorkArgument, at: AtOption, state: StateOption = DEFAULT_STATE) -> None:
    """Book a compartment of the store's locker for picked work; `ready` then says that it lies in it."""
    with _asking(state) as api:
        done = _act(api, at, fulfilment_id, "compartment", {})
    found = done["locker"]["compartment"]
    where = f"compartment {found}" if found else "no compartment is free: put it aside at the counter"
    typer.echo(f"{fulfilment_id}: {where}")


def take_out(
    fulfilment_id: WorkArgument,
    at: AtOption,
    shelf: Annotated[str, typer.Option(help="Where it lies now.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Take it out of its compartment: it waits at the counter, with the same code."""
    with _asking(state) as api:
        done = _act(api, at, fulfilment_id, "take-out", {"shelf": shelf})
    where = "its customer was first" if done["status"] == "delivered" else "at the counter"
    typer.echo(f"{fulfilment_id}: {where}")


def codes(order_id: OrderArgument, state: StateOption = DEFAULT_STATE) -> None:
    """The codes of what is ready, for whoever speaks to the customer."""
    with _asking(state) as api:
        found = api.get(f"/v1/orders/{order_id}/collection-codes", _SERVICE)
    for one in found["items"]:
        where = f"{one['point_id']} compartment {one['compartment']}" if one["compartment"] else one["point_id"]
        typer.echo(f"{one['code']}  {where}  {one['fulfilment_id']}  until {one['keep_until']}")
    if not found["items"]:
        typer.echo("nothing of it waits for its customer")


def find(
    code: Annotated[str, typer.Argument(help="The customer's code.")],
    at: AtOption,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """What waits at a store for whoever has this code."""
    with _asking(state) as api:
        one = api.post(f"/v1/points/{at}/find-collection", "store", {"code": code}, scope=Scope(stores=(at,)))
    units = ", ".join(f"{line['quantity']} x {line['sku']}" for line in one["lines"])
    typer.echo(f"{one['id']}  {one['collection']['shelf'] or '-'}  {units}")


def hand_over(
    fulfilment_id: WorkArgument,
    at: AtOption,
    lines: Annotated[list[str] | None, typer.Argument(help="LINE=UNITS that are taken; without any, all.")] = None,
    code: Annotated[str, typer.Option(help="The customer's code.")] = "",
    document: Annotated[str, typer.Option(help="Without a code: the kind of document that was looked at.")] = "",
    other: Annotated[bool, typer.Option("--other", help="Somebody else than the customer has the code.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Hand over what waits, against the code or a document."""
    body: Json = {
        "collected_by": "other" if other else "customer",
        "lines": [units_of(one) for one in lines or ()],
    }
    body |= {"code": code} if code else {"document_kind": document}
    with _asking(state) as api:
        done = _act(api, at, fulfilment_id, "collect", body)
    paid = "" if done["status"] == "delivered" else "; its money is being taken: keep the goods until then"
    typer.echo(f"{fulfilment_id}: {done['status']}{paid}")


def extend(
    fulfilment_id: WorkArgument,
    until: Annotated[str, typer.Argument(help="For example 2026-12-05T18:00:00Z.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Keep what waits for longer."""
    with _asking(state) as api:
        path = f"/v1/fulfilments/{fulfilment_id}/extend-collection"
        done = api.post(path, _SERVICE, {"keep_until": until})
    typer.echo(f"{fulfilment_id}: kept until {done['collection']['keep_until']}")


def unlock(fulfilment_id: WorkArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let a code be tried again."""
    with _asking(state) as api:
        api.post(f"/v1/fulfilments/{fulfilment_id}/unlock-collection", _SERVICE)
    typer.echo(f"{fulfilment_id}: its code may be tried again")


def put_backs(at: AtOption, state: StateOption = DEFAULT_STATE) -> None:
    """What was not collected at a store, or is to be unpacked, and goes back to its shelf."""
    with _asking(state) as api:
        found = api.get(f"/v1/points/{at}/put-backs", "store", Scope(stores=(at,)))
    for one in found["items"]:
        back, waited = one["put_back"], one["collection"]
        lines = back["units"] if back else waited["put_back"]
        units = ", ".join(f"{line['quantity']} x {line['sku']}" for line in lines)
        where = "in its parcel" if back else waited["shelf"] or "-"
        typer.echo(f"{one['id']}  {where}  {units}")
    if not found["items"]:
        typer.echo("nothing to put back")


def put_back(fulfilment_id: WorkArgument, at: AtOption, state: StateOption = DEFAULT_STATE) -> None:
    """Say that it lies on its shelf again."""
    with _asking(state) as api:
        _act(api, at, fulfilment_id, "put-back")
    typer.echo(f"{fulfilment_id}: back on its shelf")


def choose(
    order_id: OrderArgument,
    kind: Annotated[str, typer.Argument(help="store, delivery or refund.")],
    at: Annotated[str, typer.Option(help="The other store.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say for the customer what becomes of what his store does not have ready."""
    with _asking(state) as api:
        body = {"kind": kind, "point_id": at or None}
        done = api.post(f"/v1/orders/{order_id}/collection-choice", _SERVICE, body)
    typer.echo(f"{order_id}: {done['kind']} {done['chosen_point_id']}".rstrip())


def no_shows(
    order_id: Annotated[str, typer.Argument(help="Of the customer of this order; without it, by store.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """How many e-reservations ended, and how many of them nobody came for."""
    path = f"/v1/orders/{order_id}/no-shows" if order_id else "/v1/collections/no-shows"
    with _asking(state) as api:
        found = api.get(path, _SERVICE)
    for one in [found] if order_id else found["items"]:
        who = one["point_id"] or "the customer"
        typer.echo(f"{who}: {one['no_shows']} of {one['ended']} ({one['rate']:.0%})")
    if not order_id and not found["items"]:
        typer.echo("no e-reservation has ended")


def _act(api: Api, at: str, fulfilment_id: str, action: str, body: Json | None = None) -> Json:
    path = f"/v1/fulfilments/{fulfilment_id}/{action}"
    return api.post(path, "store", body, scope=Scope(stores=(at,)))


@contextmanager
def _asking(state: Path) -> Iterator[Api]:
    """A gateway to ask; a problem is told in one line, with exit code 1."""
    with asking(state) as api:
        yield api
