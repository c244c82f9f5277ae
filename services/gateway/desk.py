"""What the desk of customer service reads, within the caller's scope. For REST and console."""

from typing import Any

from oms.orders.v1 import desk_service_pb2 as pb
from services.gateway import access, reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.schemas.desk import (
    BlockedFilters,
    BlockedOrders,
    BlockedOrderView,
    CustomerOrders,
    CustomerTotalsView,
    PossibleActView,
)
from services.gateway.schemas.orders import OrderSummary
from services.gateway.wire import message, plain, shown


async def blocked_orders(
    clients: Clients, caller: Caller, filters: BlockedFilters, text: str = ""
) -> BlockedOrders:
    """A page of the orders that do not go on. `text`: as `order` of the filters, and an e-mail address too."""
    asked = message(
        pb.ListBlockedOrdersRequest,
        {
            "reason": filters.reason,
            "channel_ids": [filters.channel_id] if filters.channel_id else [],
            "brands": sorted(access.brands_seen(caller) or ()),
            "brand": filters.brand,
            "point_id": filters.point_id,
            "text": text or filters.order,
            "page": filters.page,
        },
    )
    found = await clients.read(clients.desk.ListBlockedOrders, asked)
    counts = {one.reason: one.orders for one in found.counts}
    total = counts.pop("", 0)
    return BlockedOrders.model_validate(
        {
            "items": [_blocked(one) for one in found.orders],
            "next_cursor": found.page.next_cursor or None,
            "total": None if filters.cursor else total,
            "counts": None if filters.cursor else counts,
        }
    )


async def customer(clients: Clients, caller: Caller, page: dict[str, Any], **who: str) -> CustomerOrders:
    """A customer's orders. `who`: customer_id, order_id or email. NotFound / CUSTOMER_NOT_FOUND."""
    asked = message(
        pb.GetCustomerRequest, {"brands": sorted(access.brands_seen(caller) or ()), "page": page, **who}
    )
    found = await clients.read(clients.desk.GetCustomer, asked)
    return CustomerOrders(
        items=[OrderSummary.model_validate(reading.summary_values(one)) for one in found.orders],
        next_cursor=found.page.next_cursor or None,
        totals=shown(found.totals, CustomerTotalsView),
        issues=[_blocked(one) for one in found.issues],
    )


async def possible_acts(clients: Clients, caller: Caller, order_id: str) -> list[PossibleActView]:
    """Everything that orders says about acts on this order, for the caller's roles."""
    asked = pb.PreviewActsRequest(order_id=order_id, roles=sorted(caller.roles))
    return [_possible(one) for one in (await clients.read(clients.desk.PreviewActs, asked)).acts]


def _possible(one: pb.PossibleAct) -> PossibleActView:
    return PossibleActView.model_validate(
        {
            "act": one.act,
            "target_id": one.target_id or None,
            "possible": not one.refusal_reason,
            "reason": one.refusal_reason or None,
            "detail": one.refusal or None,
            "limit": plain(one)["limit"],
        }
    )


def _blocked(one: pb.BlockedOrder) -> BlockedOrderView:
    values = plain(one)
    reasons = [
        reason | {name: reason[name] or None for name in ("then", "hold_id", "fulfilment_id", "refund_id")}
        for reason in values["reasons"]
    ]
    more = {"id": one.order_id, "status": values["state"], "reasons": reasons}
    return BlockedOrderView.model_validate(values | more)
