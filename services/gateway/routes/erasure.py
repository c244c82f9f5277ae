"""Erasing customers: their orders stay, they go."""

from oms.orders.v1 import erasure_service_pb2 as pb
from services.gateway import access, reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OrderId, router
from services.gateway.routes.desk import CustomerId
from services.gateway.schemas.erasure import ErasureView
from services.gateway.wire import shown

erasure_router = router("customer service")


@erasure_router.post("/customers/{customer_id}/erasure")
async def erase(customer_id: CustomerId, caller: CallerIs, clients: ClientsAre) -> ErasureView:
    """Erase a customer from all orders, over all channels. This is not undone.

    409 ORDERS_OPEN names orders that are not closed, or not refunded yet: then nothing is erased. Name and address
    stay on tax documents that have to be kept, and nowhere else. 0 orders of whom nothing is known.
    """
    return await _erase(clients, caller, pb.EraseCustomerRequest(customer_id=customer_id))


@erasure_router.post("/orders/{order_id}/customer/erasure")
async def erase_of_order(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> ErasureView:
    """Erase whoever placed this order, likewise: also one of whom the channel knows no id."""
    await reading.check_visible(clients, caller, order_id)
    return await _erase(clients, caller, pb.EraseCustomerRequest(order_id=order_id))


async def _erase(clients: Clients, caller: Caller, asked: pb.EraseCustomerRequest) -> ErasureView:
    access.check_every_order(caller)
    asked.actor = caller.subject
    answer = await clients.check(clients.erasure.EraseCustomer, asked)
    return shown(answer, ErasureView)
