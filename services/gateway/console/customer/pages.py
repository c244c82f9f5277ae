"""The page of an order for its customer, by a signed link: no login, no cookie, no script.

Who has the link may see the order and, in time, cancel it. The token never stands in a log or a trace.
"""

import re
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse

from kit import times
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, OmsError
from kit.values.ids import derived_id
from kit.values.money import Money
from oms.orders.v1 import customer_service_pb2 as customers
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from oms.promise.v1 import decision_service_pb2 as decisions
from oms.type.v1 import type_pb2 as types
from services.gateway.carriers import carriers_of
from services.gateway.clients import Clients
from services.gateway.console import qr, templates
from services.gateway.console.customer import words
from services.gateway.console.store.words import Language, language_of
from services.gateway.guard import ClientsAre, GuardedRoute
from services.gateway.places import places_of
from services.gateway.wire import plain

customer_pages = APIRouter(route_class=GuardedRoute, include_in_schema=False)

STEPS = ("validated", "preparing", "on_its_way", "delivered")
ACTOR = "customer"
# The customer's wish is passed on as the order's channel would.
_ROLES = ("channel",)
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,300}")
_UTC = "UTC"
# Characters of a header that are read; whoever sends more still gets a page.
_MOST_ACCEPTED = 500
AcceptLanguage = Annotated[str, Header(alias="Accept-Language")]


@customer_pages.get("/console/track.css")
async def style() -> Response:
    """The style sheet."""
    return templates.asset("customer/track.css", "text/css")


@customer_pages.get("/track/{token}")
async def track(
    request: Request, token: str, clients: ClientsAre, lang: str = "", done: str = "", accept: AcceptLanguage = ""
) -> Response:
    """The order of a link. 404 for one that leads nowhere, or has ended."""
    language = _language(lang, accept)
    try:
        found = await _order_of(clients, token)
    except OmsError as error:
        return _said(request, error, language)
    is_cancelled = done == "cancel" and not found.may_cancel
    return await _shown(request, clients, token, found, language, notice="cancel_done" if is_cancelled else "")


@customer_pages.get("/track/{token}/cancel")
async def ask_to_cancel(
    request: Request, token: str, clients: ClientsAre, lang: str = "", accept: AcceptLanguage = ""
) -> Response:
    """Whether the customer really wants to cancel; the order as it is when that is not possible any more."""
    language = _language(lang, accept)
    try:
        found = await _order_of(clients, token)
    except OmsError as error:
        return _said(request, error, language)
    if not found.may_cancel:
        return RedirectResponse(_address(token, language), 303, _headers())
    return _page(request, "customer/cancel.html", language, token=token, order=plain(found), heading=_name(found))


@customer_pages.post("/track/{token}/cancel")
async def cancel(
    request: Request, token: str, clients: ClientsAre, lang: str = "", accept: AcceptLanguage = ""
) -> Response:
    """Cancels the whole order, as through its channel. A repeated click is one cancellation."""
    language = _language(lang, accept)
    try:
        found = await _order_of(clients, token)
    except OmsError as error:
        return _said(request, error, language)
    asked = orders.RequestCancellationRequest(
        request_id=derived_id("req", "customer-cancel", found.order_id),
        order_id=found.order_id,
        reason="the customer cancelled on the page of the order",
        actor=ACTOR,
        roles=_ROLES,
    )
    try:
        await clients.act(clients.orders.RequestCancellation, asked)
    except OmsError as error:
        problem = "cancel_late" if isinstance(error, FailedPrecondition) else "try_again"
        with suppress(OmsError):
            found = await _order_of(clients, token)
        return await _shown(request, clients, token, found, language, error.http_status, problem=problem)
    return RedirectResponse(_address(token, language, done="cancel"), 303, _headers())


# -- what is shown ----------------------------------------------------------------------------------------


async def _order_of(clients: Clients, token: str) -> customers.CustomerOrder:
    """Raises NotFound / LINK_UNKNOWN, LINK_ENDED, LINK_ERASED."""
    if not _TOKEN.fullmatch(token):
        raise NotFound("LINK_UNKNOWN", "no order has this link")
    asked = customers.GetOrderOfLinkRequest(token=token)
    return (await clients.read(clients.customers.GetOrderOfLink, asked)).order


async def _shown(
    request: Request,
    clients: Clients,
    token: str,
    found: customers.CustomerOrder,
    language: Language,
    status: int = 200,
    *,
    notice: str = "",
    problem: str = "",
) -> Response:
    zone = await _zone(clients, found.order_id)
    order = plain(found)
    names = await carriers_of(request, clients).names() if any(one.carrier_id for one in found.parcels) else {}
    return _page(
        request,
        "customer/track.html",
        language,
        status,
        zone=zone,
        token=token,
        order=order,
        heading=_name(found),
        status_words=words.status_in(
            language, found.customer_status, {one.language: one.text for one in found.labels}
        ),
        picture_of=qr.path_of,
        steps=STEPS,
        reached=STEPS.index(found.step) if found.step in STEPS else -1,
        pay_url=await _pay_url(clients, found),
        carriers=names,
        stores=await _stores(request, clients, found),
        notice=notice,
        problem=problem,
    )


async def _zone(clients: Clients, order_id: str) -> ZoneInfo:
    """Of the destination, as the plan of the order knows it; UTC, which the page says, while none is known."""
    asked = decisions.ListDecisionsRequest(order_id=order_id, page=types.PageRequest(size=1))
    with suppress(OmsError, ZoneInfoNotFoundError):
        found = await clients.read(clients.decisions.ListDecisions, asked)
        if found.decisions and found.decisions[0].time_zone:
            return ZoneInfo(found.decisions[0].time_zone)
    return ZoneInfo(_UTC)


async def _pay_url(clients: Clients, found: customers.CustomerOrder) -> str:
    """Where the customer pays what is missing, if there is such a place."""
    url = found.payment_url if found.payment else ""
    if found.payment == "failed" and not url:
        with suppress(OmsError):
            asked = payments.GetPaymentRequest(order_id=found.order_id)
            payment = (await clients.read(clients.payments.GetPayment, asked)).payment
            waiting = payments.PAYMENT_STATUS_ACTION_REQUIRED
            open_ones = [one for one in payment.tenders if one.status == waiting and not one.superseded]
            url = next((one.next_action_url for one in reversed(open_ones) if one.next_action_url), "")
    return url if urlsplit(url).scheme in ("http", "https") else ""


async def _stores(request: Request, clients: Clients, found: customers.CustomerOrder) -> dict[str, str]:
    """The names of the stores at which something was, is or may be collected."""
    wanted = {one.point_id for one in found.parcels if one.point_id}
    wanted.update(point_id for one in found.questions for point_id in one.point_ids)
    if wanted:
        with suppress(OmsError):
            known = await places_of(request, clients).all()
            return {point_id: known[point_id].name for point_id in wanted if point_id in known}
    return {}


def _name(found: customers.CustomerOrder) -> str:
    """Of whom the customer bought it: the brand, or where there are several the channel."""
    return found.brands[0] if len(found.brands) == 1 else found.channel_name


def _said(request: Request, error: OmsError, language: Language) -> Response:
    """A few words instead of the order: what is no link and what is none any more look the same.

    Of an order that was erased the page is gone, which whoever had its link may know.
    """
    if error.reason == "LINK_ERASED":
        return _page(request, "customer/said.html", language, 410, said="erased", heading="")
    if isinstance(error, NotFound | InvalidArgument):
        return _page(request, "customer/said.html", language, 404, said="unknown", heading="")
    response = _page(request, "customer/said.html", language, 503, said="away", heading="")
    response.headers["Retry-After"] = "5"
    return response


def _page(
    request: Request,
    template: str,
    language: Language,
    status: int = 200,
    *,
    zone: ZoneInfo | None = None,
    **values: Any,
) -> Response:
    zone = zone or ZoneInfo(_UTC)

    def price(amount: dict[str, Any]) -> str:
        return words.price(Money(amount["amount_minor"], amount["currency"]), language)

    response = templates.page(
        request,
        template,
        status,
        language=language,
        words=words.words_in(language),
        tell=words.Telling(language, zone, times.now()),
        zone=zone,
        price=price,
        **values,
    )
    response.headers.update(_headers())
    return response


def _headers() -> dict[str, str]:
    """The address is a secret: nobody keeps it, no other site hears of it, no machine lists it."""
    return {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def _address(token: str, language: Language, **more: str) -> str:
    return f"/track/{token}?{urlencode({'lang': language, **more})}"


def _language(lang: str, accept: str) -> Language:
    """The one that is asked for, or else the first that the reader's device accepts."""
    if lang == "fr":
        return "fr"
    return "en" if lang == "en" else language_of(accept[:_MOST_ACCEPTED])
