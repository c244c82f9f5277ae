"""Links by which customers follow their orders without a login."""

from datetime import timedelta

from kit.times import now, to_proto
from oms.orders.v1 import customer_service_pb2 as customers
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OrderId, router
from services.gateway.schemas.customer_links import CustomerLink, CustomerLinkView
from services.gateway.wire import shown

customer_links_router = router("orders")


@customer_links_router.post("/orders/{order_id}/customer-link")
async def make_link(
    order_id: OrderId, caller: CallerIs, clients: ClientsAre, body: CustomerLink | None = None
) -> CustomerLinkView:
    """Make a link to the customer's page of the order, for mails and the customer's account.

    Nothing is stored for it: each that was made is valid until its own end.
    """
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    ends_at = now() + timedelta(days=(body or CustomerLink()).days)
    asked = customers.MakeCustomerLinkRequest(order_id=order_id, ends_at=to_proto(ends_at))
    made = await clients.act(clients.customers.MakeCustomerLink, asked)
    return shown(made, CustomerLinkView)
