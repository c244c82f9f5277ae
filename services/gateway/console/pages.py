"""The pages: login, the list of orders, an order with its timeline, the description of the REST face."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import NotFound, Unauthenticated
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import billing, reading
from services.gateway.access import ACCESS
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.guard import ClientsAre
from services.gateway.routes.common import OrderId
from services.gateway.routes.refunds import refund_view
from services.gateway.schemas.base import Cursor
from services.gateway.schemas.documents import DocumentView
from services.gateway.schemas.orders import OrderFilters, OrderStatus
from services.gateway.schemas.payment_tasks import PaymentTaskView
from services.gateway.schemas.payments import PaymentView
from services.gateway.wire import enum_names, plain, shown

console_router = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_PAGE_SIZE = 25
_STATUSES = sorted(enum_names(orders.OrderState.DESCRIPTOR))


@console_router.get("/console")
async def home(request: Request, next: str = "") -> Response:
    """The menu, or the login."""
    if request.state.caller is None:
        return templates.page(request, "login.html", next=_inside(next), wrong=False)
    return templates.page(request, "home.html")


@console_router.post("/console/login")
async def login(
    request: Request,
    token: Annotated[str, Form(max_length=16_384)] = "",
    next: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Takes the token, if it holds."""
    try:
        caller = await session.sign_in(request, token.strip())
    except Unauthenticated:
        return templates.page(request, "login.html", 401, next=_inside(next), wrong=True)
    response = RedirectResponse(_inside(next), 303)
    session.keep(request, response, token.strip(), caller)
    return response


@console_router.post("/console/logout")
async def logout() -> Response:
    """Forgets the token."""
    response = RedirectResponse(session.HOME, 303)
    session.forget(response)
    # What the store's pages keep for a time without network.
    response.headers["Clear-Site-Data"] = '"storage"'
    return response


@console_router.get("/console/style.css")
async def style() -> Response:
    """The style sheet."""
    return templates.asset("style.css", "text/css")


@console_router.get("/console/orders")
async def list_orders(
    request: Request,
    clients: ClientsAre,
    status: OrderStatus | None = None,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """The orders that the caller may see, newest first."""
    filters = OrderFilters(status=status, cursor=cursor, size=_PAGE_SIZE)
    found = await reading.orders_page(clients, session.caller_of(request), filters)
    more = ""
    if found.next_cursor:
        more = "?" + urlencode(
            {"status": status, "cursor": found.next_cursor} if status else {"cursor": found.next_cursor}
        )
    return templates.page(
        request,
        "orders.html",
        orders=found.items,
        wanted=status,
        statuses=_STATUSES,
        more=more,
        first=cursor is None,
    )


@console_router.get("/console/orders/{order_id}")
async def read_order(request: Request, clients: ClientsAre, order_id: OrderId) -> Response:
    """One order: what was asked, what became of it, its money and its timeline."""
    caller = session.caller_of(request)
    found = await reading.visible_order(clients, caller, order_id)
    entries, money, documents = await asyncio.gather(
        reading.timeline(clients, caller, order_id),
        money_of(clients, caller, found),
        documents_of(clients, caller, order_id),
    )
    order = reading.order_view(found, caller)
    return templates.page(
        request,
        "order.html",
        order=order,
        entries=entries,
        documents=documents,
        at_desk=bool(caller.roles & ACCESS["GET", "/console/service/orders/{order_id}"]),
        **money,
    )


@console_router.get("/docs")
async def docs(request: Request) -> Response:
    """The REST face, from its own description."""
    document = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append({"method": method.upper(), "path": path, **operation})
    return templates.page(request, "docs.html", document=document, groups=groups)


async def documents_of(clients: Clients, caller: Caller, order_id: str) -> list[DocumentView]:
    """Of the order, for those who may see them."""
    if not caller.roles & ACCESS["GET", "/v1/orders/{order_id}/documents"]:
        return []
    return await billing.of_order(clients, caller, order_id)


async def money_of(clients: Clients, caller: Caller, order: orders.Order) -> dict[str, Any]:
    """The order's payment, refunds and payment tasks, for those who may see money."""
    if not caller.roles & ACCESS["GET", "/v1/orders/{order_id}/payment"]:
        return {"payment": None, "refunds": (), "tasks": ()}
    asked = payments.ListTasksRequest(order_id=order.order_id)
    payment, listed = await asyncio.gather(
        _payment(clients, order.order_id), clients.read(clients.payments.ListTasks, asked)
    )
    return {
        "payment": payment,
        "refunds": [refund_view(one) for one in order.refunds],
        "tasks": [PaymentTaskView.model_validate(plain(one)) for one in listed.tasks],
    }


async def _payment(clients: Clients, order_id: str) -> PaymentView | None:
    """None before there is one."""
    try:
        found = await clients.read(clients.payments.GetPayment, payments.GetPaymentRequest(order_id=order_id))
    except NotFound:
        return None
    return shown(found.payment, PaymentView)


def _inside(address: str) -> str:
    """Where to go after the login: only ever inside the console."""
    return address if address.startswith("/console/") and "\\" not in address else session.HOME
