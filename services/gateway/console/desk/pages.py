"""The pages of the desk: the queue, an order with what may be done about it, and the customer behind it.

An e-mail address is only ever sent in a form's body: it stands in no address line.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from starlette.datastructures import FormData

from kit.errors import InvalidArgument
from services.gateway import access, desk, reading
from services.gateway.access import ACCESS
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.desk import order_page, sentences
from services.gateway.console.desk.acting import act_router
from services.gateway.console.desk.bulk import bulk_router
from services.gateway.console.desk.forms import body
from services.gateway.guard import ClientsAre
from services.gateway.routes import decisions, payment_tasks
from services.gateway.routes.common import OrderId
from services.gateway.routes.decisions import DecisionId
from services.gateway.schemas.base import Asked, Blank, Cursor, Id, Paged, Text
from services.gateway.schemas.decisions import ExplanationFilters
from services.gateway.schemas.desk import CUSTOMER_ID, BlockedFilters, BlockReason
from services.gateway.schemas.orders import OrderFilters
from services.gateway.schemas.payment_tasks import PaymentTaskView, TaskFilters

desk_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)
desk_pages.include_router(act_router)
desk_pages.include_router(bulk_router)

HOME = "/console/service"
_SIZE = 25
_TASKS = 10
# Reasons that choose the same orders when many are acted on at once.
_ALSO_IN_BULK: Mapping[BlockReason, dict[str, str]] = {
    "held_fraud": {"held_for": "fraud"},
    "held_payment": {"held_for": "payment"},
    "held_manual": {"held_for": "manual"},
    "late": {"late": "yes"},
    "payment_failed": {"payment_failed": "yes"},
    "unclaimed": {"unclaimed": "yes"},
}
CustomerId = Annotated[str, Path(min_length=1, max_length=200, pattern=CUSTOMER_ID)]


class QueueAsked(Asked):
    """What the queue's form says. `text`: an order's id or number; an e-mail address only where it was posted."""

    reason: Annotated[BlockReason | None, Blank] = None
    channel_id: Annotated[Id | None, Blank] = None
    brand: Annotated[Text | None, Blank] = None
    point_id: Annotated[Id | None, Blank] = None
    text: Annotated[Text | None, Blank] = None
    cursor: Annotated[Cursor, Blank] = None

    def said(self, *without: str) -> dict[str, str]:
        """The filters that were chosen."""
        return self.model_dump(exclude_none=True, exclude=set(without))


class _Named(Asked):
    """A customer's id, as an address may hold it."""

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=CUSTOMER_ID)]


@desk_pages.get("/console/service.css")
async def style() -> Response:
    """The style sheet."""
    return templates.asset("desk/service.css", "text/css")


@desk_pages.get("/console/service")
async def queue(request: Request, clients: ClientsAre, asked: Annotated[QueueAsked, Query()]) -> Response:
    """Orders that do not go on or are late, the most urgent first."""
    if asked.text and "@" in asked.text:
        raise InvalidArgument("text", "an e-mail address is looked for with the form, and stands in no address")
    return await _queue(request, clients, asked, posted=False)


@desk_pages.post("/console/service")
async def filter_queue(request: Request, clients: ClientsAre) -> Response:
    """The same with a form's filters, of which an e-mail address is shown at once and the rest by an address."""
    session.check_same_site(request)
    async with request.form(max_files=0, max_fields=10) as form:
        asked = body(QueueAsked, **_texts(form))
    if asked.text and "@" in asked.text:
        return await _queue(request, clients, asked, posted=True)
    chosen = asked.said("cursor")
    return RedirectResponse(f"{HOME}?{urlencode(chosen)}" if chosen else HOME, 303)


@desk_pages.post("/console/service/customers")
async def find_customer(request: Request, clients: ClientsAre) -> Response:
    """A customer by an e-mail address, an order's id or number, or the customer's own id."""
    session.check_same_site(request)
    caller = session.caller_of(request)
    async with request.form(max_files=0, max_fields=10) as form:
        sent = _texts(form)
    text = sent.get("who", "").strip()
    if not text:
        raise InvalidArgument("who", "an e-mail address, an order or a customer's id")
    if "@" in text:
        page = body(Paged, **({"cursor": cursor} if (cursor := sent.get("cursor")) else {})).page | {"size": _SIZE}
        return await _customer(request, clients, caller, page, title="By e-mail address", again=text, email=text)
    order_id = await _order_of(clients, caller, text)
    where = (
        f"{HOME}/orders/{order_id}/customer"
        if order_id
        else f"{HOME}/customers/{quote(body(_Named, id=text).id, safe='')}"
    )
    return RedirectResponse(where, 303)


@desk_pages.get("/console/service/customers/{customer_id}")
async def customer(
    request: Request,
    clients: ClientsAre,
    customer_id: CustomerId,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """A customer over all channels."""
    caller = session.caller_of(request)
    page = {"cursor": cursor or "", "size": _SIZE}
    return await _customer(
        request, clients, caller, page, title=f"Customer {customer_id}", customer_id=customer_id
    )


@desk_pages.get("/console/service/orders/{order_id}/customer")
async def customer_of(
    request: Request,
    clients: ClientsAre,
    order_id: OrderId,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """Whoever placed this order, over all channels."""
    caller = session.caller_of(request)
    order = await reading.visible_order(clients, caller, order_id)
    page = {"cursor": cursor or "", "size": _SIZE}
    name = order.content.customer.name or "The customer"
    return await _customer(request, clients, caller, page, title=name, order_id=order_id)


@desk_pages.get("/console/service/orders/{order_id}")
async def read_order(
    request: Request, clients: ClientsAre, order_id: OrderId, done: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """One order: where it stands, what may be done, and one timeline of events and decisions."""
    return await order_page.show(request, clients, order_id, done)


@desk_pages.get("/console/service/orders/{order_id}/decisions/{decision_id}")
async def explain(request: Request, clients: ClientsAre, order_id: OrderId, decision_id: DecisionId) -> Response:
    """A decision of the planner in sentences."""
    found = await decisions.explain(decision_id, ExplanationFilters(), session.caller_of(request), clients)
    return templates.page(request, "desk/decision.html", order_id=order_id, found=found)


# -- what is shown --------------------------------------------------------------------------------------------


async def _queue(request: Request, clients: Clients, asked: QueueAsked, *, posted: bool) -> Response:
    caller = session.caller_of(request)
    filters = BlockedFilters.model_validate({**asked.said("text"), "size": _SIZE})
    found, tasks = await asyncio.gather(
        desk.blocked_orders(clients, caller, filters, asked.text or ""),
        _open_tasks(clients, caller) if asked.cursor is None and not asked.said() else _none(),
    )
    return templates.page(
        request,
        "desk/queue.html",
        asked=asked,
        posted=posted,
        found=found,
        tasks=tasks,
        reasons=sentences.REASONS,
        why=sentences.why,
        late_by=sentences.late_by,
        counts=found.counts,
        link=lambda **changed: f"{HOME}?{urlencode({**asked.said('cursor', 'text'), **changed})}",
        more=f"{HOME}?{urlencode({**asked.said('cursor'), 'cursor': found.next_cursor})}",
        in_bulk=_in_bulk(asked) if access.sees_every_order(caller) else "",
        may_search=bool(caller.roles & ACCESS["POST", "/console/service/customers"]),
    )


def _in_bulk(asked: QueueAsked) -> str:
    """Where many orders are acted on at once; what is shown is chosen there, if it can be said there."""
    path = f"{HOME}/bulk"
    chosen = _ALSO_IN_BULK.get(asked.reason) if asked.reason else None
    if chosen is None or asked.brand or asked.text:
        return path
    return f"{path}?{urlencode({**asked.said('cursor', 'reason'), **chosen})}"


async def _customer(
    request: Request,
    clients: Clients,
    caller: Caller,
    page: dict[str, Any],
    *,
    title: str,
    again: str = "",
    **who: str,
) -> Response:
    """`again`: what is posted for the next page, where it may stand in no address."""
    found = await desk.customer(clients, caller, page, **who)
    return templates.page(
        request,
        "desk/customer.html",
        title=title,
        again=again,
        found=found,
        issues={one.id: one for one in found.issues},
        why=sentences.why,
        first=not page.get("cursor"),
        more="?" + urlencode({"cursor": found.next_cursor}) if found.next_cursor else "",
    )


async def _open_tasks(clients: Clients, caller: Caller) -> Sequence[PaymentTaskView]:
    """The newest open payment tasks, for those who may see money of all brands."""
    if not caller.roles & ACCESS["GET", "/v1/payment-tasks"] or access.brands_seen(caller) is not None:
        return ()
    return (await payment_tasks.list_tasks(TaskFilters(state="open", size=_TASKS), caller, clients)).items


async def _none() -> Sequence[PaymentTaskView]:
    return ()


async def _order_of(clients: Clients, caller: Caller, text: str) -> str:
    """The order with this id, or the channel's number, that the caller may see; else nothing."""
    if text.startswith("ord_"):
        return (await reading.visible_order(clients, caller, text)).order_id
    found = await reading.orders_page(clients, caller, OrderFilters(channel_order_number=text, size=1))
    return found.items[0].id if found.items else ""


def _texts(form: FormData) -> dict[str, str]:
    return {name: value.strip() for name, value in form.multi_items() if isinstance(value, str)}
