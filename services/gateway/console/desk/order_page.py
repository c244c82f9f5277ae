"""An order as the desk sees it: where it stands, what may be done, and one timeline of events and decisions."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from kit.errors import OmsError
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import desk, reading
from services.gateway.access import ACCESS
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.desk.acts import ACTS, about
from services.gateway.console.pages import documents_of, money_of
from services.gateway.routes import decisions, notifications
from services.gateway.schemas.base import Paged
from services.gateway.schemas.decisions import DecisionView
from services.gateway.schemas.desk import PossibleActView
from services.gateway.schemas.notifications import NotificationView
from services.gateway.schemas.orders import TimelineEntryView
from services.gateway.schemas.payment_tasks import PaymentTaskView
from services.gateway.schemas.payments import PaymentView

# What an order does with its money before a link makes sense.
_UNPAID = ("declined", "expired")
# Where a person would look for the act, and wants to know why there is none.
_EXPECTED = (
    "cancel",
    "cancel_lines",
    "change_address",
    "change_content",
    "move_appointment",
    "refund",
    "goodwill",
)


@dataclass(frozen=True, slots=True)
class Offered:
    """An act as the page offers it, or says why it does not. `room`: the most that may be given."""

    name: str
    label: str
    target_id: str
    about: str
    is_grave: bool = False
    why_not: str = ""
    room: Any = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the timeline: what happened, or what the planner decided, with where to read more."""

    at: datetime
    text: str
    actor: str = ""
    decision_id: str = ""


async def show(request: Request, clients: Clients, order_id: str, done: str = "") -> Response:
    """The page."""
    caller = session.caller_of(request)
    found = await reading.visible_order(clients, caller, order_id)
    entries, money, documents, possible, decided, (held, told) = await asyncio.gather(
        reading.timeline(clients, caller, order_id),
        money_of(clients, caller, found),
        documents_of(clients, caller, order_id),
        desk.possible_acts(clients, caller, order_id),
        _decisions(clients, caller, order_id),
        asyncio.gather(_held(clients, order_id), _told(clients, caller, order_id)),
    )
    offered = offers_of(caller, found, possible, money["payment"], money["tasks"])
    return templates.page(
        request,
        "desk/order.html",
        order=reading.order_view(found, caller),
        entries=timeline(entries, decided),
        documents=documents,
        **money,
        decisions=decided,
        held=held,
        told=told,
        may_resend=bool(caller.roles & ACCESS[ACTS["resend_notification"].endpoint]),
        acts=[one for one in offered if not one.why_not],
        not_now=[one for one in offered if one.why_not and one.name in _EXPECTED],
        done=ACTS[done].label if done in ACTS else "",
        may_see_customer=bool(caller.roles & ACCESS["GET", "/console/service/orders/{order_id}/customer"]),
    )


def offers_of(
    caller: Caller,
    order: orders.Order,
    possible: Sequence[PossibleActView],
    payment: PaymentView | None,
    tasks: Sequence[PaymentTaskView],
) -> list[Offered]:
    """What the caller's roles have an endpoint for, in the order of the table of acts."""
    known = [(one.act, one.target_id or "", one.detail or "", one.limit) for one in possible]
    holds_payment = any(one.kind == "payment" and not one.HasField("ended_at") for one in order.holds)
    if holds_payment or order.HasField("payment_failed_since") or (payment and payment.status in _UNPAID):
        known.append(("payment_link", "", "", None))
    known += [("resolve_task", one.task_id, "", None) for one in tasks if not one.resolution]
    places = {name: place for place, name in enumerate(ACTS)}
    found = [
        Offered(name, ACTS[name].label, target, about(order, target), ACTS[name].is_grave, why_not, room)
        for name, target, why_not, room in known
        if name in ACTS and caller.roles & ACCESS[ACTS[name].endpoint]
    ]
    return sorted(found, key=lambda one: places[one.name])


def timeline(entries: Sequence[TimelineEntryView], decided: Sequence[DecisionView]) -> list[Entry]:
    """Events and decisions by their instants; a decision stands before what came of it."""
    told = [Entry(one.at, one.text, one.actor) for one in entries]
    said = [Entry(one.as_of, _decision(one), "", one.decision_id) for one in decided if one.as_of]
    return sorted([*said, *told], key=lambda one: one.at)


def _decision(one: DecisionView) -> str:
    """A decision of the planner in a sentence."""
    if not one.plans:
        return "The planner found no way to send it."
    legs = one.plans[0].legs
    ways = ", ".join(f"{leg.point_id} by {leg.carrier_id} {leg.service_id}" for leg in legs)
    count = "1 parcel" if len(legs) == 1 else f"{len(legs)} parcels"
    left = sum(units.quantity for units in one.unplanned)
    return f"The planner chose {count}: {ways}{f'; {left} units found no place' if left else ''}."


async def _decisions(clients: Clients, caller: Caller, order_id: str) -> Sequence[DecisionView]:
    """Without them the page is shown all the same."""
    with suppress(OmsError):
        return (await decisions.of_order(order_id, Paged(size=100), caller, clients)).items
    return ()


async def _told(clients: Clients, caller: Caller, order_id: str) -> Sequence[NotificationView] | None:
    """What the customer was told; None when it cannot be read, or not by this caller."""
    if not caller.roles & ACCESS["GET", "/v1/orders/{order_id}/notifications"]:
        return None
    with suppress(OmsError):
        return (await notifications.list_notifications(order_id, caller, clients)).items
    return None


async def _held(clients: Clients, order_id: str) -> Sequence[Mapping[str, Any]] | None:
    """Where its units are held now, as inventory says; None when it cannot be asked."""
    asked = inventory.ListHoldsRequest(reservation_ids=[order_id])
    with suppress(OmsError):
        found = await clients.read(clients.inventory.ListHolds, asked)
        return [
            {"sku": line.sku, "point_id": line.point_id, "quantity": line.quantity}
            for one in found.reservations
            for line in one.lines
        ]
    return None
