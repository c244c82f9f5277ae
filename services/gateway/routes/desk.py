"""The desk of customer service: the queue of orders that do not go on, customers, and what may be done."""

from typing import Annotated

from fastapi import Path, Query

from services.gateway import desk, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OrderId, router
from services.gateway.schemas.base import Listed, Paged
from services.gateway.schemas.desk import (
    CUSTOMER_ID,
    BlockedFilters,
    BlockedOrders,
    CustomerOrders,
    CustomerSearch,
    PossibleActView,
)

desk_router = router("customer service")
CustomerId = Annotated[str, Path(min_length=1, max_length=200, pattern=CUSTOMER_ID)]


@desk_router.get("/blocked-orders")
async def list_blocked(
    filters: Annotated[BlockedFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> BlockedOrders:
    """List orders that are blocked, or late against their promise, the most urgent first, with their reasons."""
    return await desk.blocked_orders(clients, caller, filters)


@desk_router.get("/orders/{order_id}/acts")
async def list_acts(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[PossibleActView]:
    """List what may be done about an order now by the caller's roles, and why the rest may not."""
    await reading.check_visible(clients, caller, order_id)
    return Listed(items=await desk.possible_acts(clients, caller, order_id))


@desk_router.get("/orders/{order_id}/customer")
async def customer_of(
    order_id: OrderId, page: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> CustomerOrders:
    """Read all orders of whoever placed this one: of the same customer id, or of the same e-mail address."""
    await reading.check_visible(clients, caller, order_id)
    return await desk.customer(clients, caller, page.page, order_id=order_id)


@desk_router.get("/customers/{customer_id}/orders")
async def customer_orders(
    customer_id: CustomerId, page: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> CustomerOrders:
    """Read all orders of a customer over all channels. 404 CUSTOMER_NOT_FOUND without one that may be seen."""
    return await desk.customer(clients, caller, page.page, customer_id=customer_id)


@desk_router.post("/customers/search")
async def search(body: CustomerSearch, caller: CallerIs, clients: ClientsAre) -> CustomerOrders:
    """Find a customer by an e-mail address, which so stands in no address line and in no log."""
    page = {"cursor": body.cursor or "", "size": body.size}
    return await desk.customer(clients, caller, page, email=body.email)
