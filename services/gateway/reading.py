"""Orders as a caller may see them: fetched, checked against his scope, turned into views. For REST and console."""

import json
from typing import Any

from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.schemas.base import Page
from services.gateway.schemas.orders import OrderFilters, OrderSummary, OrderView, TimelineEntryView
from services.gateway.wire import message, plain

_FRAUD_CHECKED = "order.fraud_checked"


async def visible_order(clients: Clients, caller: Caller, order_id: str) -> orders.Order:
    """The order. Raises NotFound / ORDER_NOT_FOUND also for one that the caller may not see."""
    found = await clients.read(clients.orders.GetOrder, orders.GetOrderRequest(order_id=order_id))
    access.check_order(caller, found.order)
    return found.order


async def check_visible(clients: Clients, caller: Caller, order_id: str) -> None:
    """Raises NotFound / ORDER_NOT_FOUND for an order that the caller may not see; asks only if it must."""
    if not access.sees_every_order(caller):
        await visible_order(clients, caller, order_id)


async def orders_page(clients: Clients, caller: Caller, filters: OrderFilters) -> Page[OrderSummary]:
    """A page of the orders that the caller may see, newest first."""
    channels, brands = access.channels_seen(caller), access.brands_seen(caller)
    if filters.channel_id is not None:
        if channels is not None and filters.channel_id not in channels:
            access.check_speaks_for(caller, filters.channel_id)
        channels = frozenset({filters.channel_id})
    if channels is not None and not channels:
        # An empty filter would mean every channel.
        return Page(items=[], next_cursor=None)
    request = message(
        orders.ListOrdersRequest,
        {
            "channel_ids": sorted(channels or ()),
            "brands": sorted(brands or ()),
            "state": filters.status,
            "channel_order_number": filters.channel_order_number,
            "late": filters.late,
            "payment_failed": filters.payment_failed,
            "held_for": filters.held_for,
            "undecided_loss": filters.undecided_loss,
            "unclaimed": filters.unclaimed,
            "page": filters.page,
        },
    )
    found = await clients.read(clients.orders.ListOrders, request)
    items = [OrderSummary.model_validate(summary_values(order)) for order in found.orders]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


async def timeline(clients: Clients, caller: Caller, order_id: str) -> list[TimelineEntryView]:
    """Every event and decision of an order, oldest first; what fraud rules said of it is for reviewers only."""
    found = await clients.read(clients.orders.GetTimeline, orders.GetTimelineRequest(order_id=order_id))
    return [
        TimelineEntryView.model_validate(
            plain(entry)
            | {
                "data": json.loads(entry.data_json) if entry.data_json else {},
                "fulfilment_id": entry.fulfilment_id or None,
            }
        )
        for entry in found.entries
        if entry.kind != _FRAUD_CHECKED or access.reviews(caller)
    ]


def summary_values(order: orders.Order) -> dict[str, Any]:
    """The fields of an OrderSummary: nothing of a person."""
    return _order_values(order, personal=False)


def order_view(order: orders.Order, caller: Caller) -> OrderView:
    """The order, with names and addresses only for whom they concern."""
    personal = access.speaks_for(caller, order.content.channel_id)
    values = _order_values(order, personal=personal)
    return OrderView.model_validate(values if access.reviews(caller) else values | {"fraud": None})


def fulfilment_values(fulfilment: orders.Fulfilment) -> dict[str, Any]:
    """The fields of a FulfilmentView."""
    values = plain(fulfilment)
    parcel = values["parcel"]
    return values | {
        "id": fulfilment.fulfilment_id,
        "status": values["state"],
        "refusal_reason": fulfilment.refusal_reason or None,
        "parcel": parcel
        and parcel
        | {
            "id": parcel["parcel_id"],
            "tracking_code": parcel["tracking_code"] or None,
            "box_id": parcel["box_id"] or None,
            "capture_reason": parcel["capture_reason"] or None,
            "failure_reason": parcel["failure_reason"] or None,
            "proof": (proof := parcel["proof"]) and proof | {"photo_reference": proof["photo_reference"] or None},
            "loss": (loss := parcel["loss"]) and loss | {"decision": loss["decision"] or None},
        },
        "replaces": fulfilment.replaces or None,
        "joins": fulfilment.joins or None,
    }


def hold_values(hold: orders.Hold) -> dict[str, Any]:
    """The fields of a HoldView."""
    return plain(hold) | {
        "fulfilment_id": hold.fulfilment_id or None,
        "outcome": hold.outcome or None,
        "actor": hold.actor or None,
    }


def appointment_values(appointment: orders.Appointment) -> dict[str, Any]:
    """The fields of an AppointmentView."""
    return plain(appointment) | {
        "status": appointment.state,
        "wanted_slot_id": appointment.wanted_slot_id or None,
        "refusal": appointment.refusal or None,
    }


def change_values(change: orders.OrderChange) -> dict[str, Any]:
    """The fields of a ChangeView."""
    return plain(change)


def _line_values(line: dict[str, Any], *, personal: bool) -> dict[str, Any]:
    texts = [one | {"text": (one["text"] or None) if personal else None} for one in line["personalisations"]]
    return line | {"personalisations": texts}


def _order_values(order: orders.Order, *, personal: bool) -> dict[str, Any]:
    values = plain(order)
    content = values["content"] or {}
    return {
        **content,
        **values,
        "lines": [_line_values(line, personal=personal) for line in content.get("lines", [])],
        "id": order.order_id,
        "status": values["state"],
        "next_action_url": order.next_action_url or None,
        "cancellation_reason": order.cancellation_reason or None,
        "customer": content.get("customer") if personal else None,
        "ship_to": content.get("ship_to") if personal else None,
        "units": values["ranges"],
        "appointment": appointment_values(order.appointment) if order.HasField("appointment") else None,
        "fulfilments": [fulfilment_values(one) for one in order.fulfilments],
        "holds": [hold_values(one) for one in order.holds],
        "changes": [change_values(one) for one in order.changes],
        "customer_labels": {one.language: one.text for one in order.customer_labels},
    }
