"""The store's counter on a phone: what is put aside, who collects it, and what goes back to its shelf.

Every act is the one of the REST face, under the same rights.
"""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from kit import times
from kit.errors import InvalidArgument, NotFound, OmsError
from kit.values.ids import new_id
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.store import collecting_words, words
from services.gateway.console.store.live import marks_of
from services.gateway.console.store.showing import body, own_place
from services.gateway.guard import ClientsAre
from services.gateway.places import Place
from services.gateway.routes import collections, lockers, work
from services.gateway.routes.common import FulfilmentId, PointId
from services.gateway.schemas.collections import CollectedUnitsView, HandedToCustomer, PutAside, SaidCode
from services.gateway.schemas.lockers import TakenOut
from services.gateway.schemas.work import FulfilmentDetail, FulfilmentView, WorkFilters
from services.gateway.walking import shelves_of

collecting_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

DOCUMENTS = ("identity_card", "passport", "driving_licence", "residence_permit", "other")
# What may still be done, or was just done, at the counter.
_SHOWN = ("picked", "ready", "delivered")
_MOST_SHOWN = 500
_TAKEN = "taken."


@collecting_pages.get("/console/store/{point_id}/counter")
async def counter(
    request: Request, clients: ClientsAre, point_id: PointId, order: str = "", done: str = ""
) -> Response:
    """What waits for its customers, the first to be given up first, and what is to be put back.

    `order`: the end of an order's number, as people read it out.
    """
    return await _counter(request, clients, point_id, order=order, done=done)


@collecting_pages.post("/console/store/{point_id}/counter")
async def find(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """Shows what waits for whoever has this code, which is in no address; the counter again where nothing does."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=10) as form:
        try:
            said = body(SaidCode, code=_text(form, "code"))
            found = await collections.find_collection(point_id, said, caller, clients)
        except OmsError as error:
            return await _counter(request, clients, point_id, error=error)
    return await _shown(request, clients, point_id, found.id, code=said.code)


async def _counter(
    request: Request,
    clients: Clients,
    point_id: str,
    *,
    order: str = "",
    done: str = "",
    error: OmsError | None = None,
) -> Response:
    caller = session.caller_of(request)
    place = await own_place(request, clients, point_id)
    mark = (await marks_of(clients, [point_id])).get(point_id, "")
    found = await work.list_work(point_id, WorkFilters(status=["ready"], size=_MOST_SHOWN), caller, clients)
    backs = await collections.list_put_backs(point_id, caller, clients)
    units = [unit for one in backs.items for unit in units_back(one)]
    shelves = await shelves_of(clients, point_id, sorted({unit.sku for unit in units})) if units else {}
    wanted = order.strip().lower()
    waiting = [one for one in found.items if one.collection and one.order_id.lower().endswith(wanted)]
    return _page(
        request,
        "store/counter.html",
        error.http_status if error else 200,
        place=place,
        error=error,
        waiting=sorted(waiting, key=_keep_until),
        backs=[(one, units_back(one)) for one in backs.items],
        shelves=shelves,
        order=order,
        mark=mark,
        done=done,
        key=new_id("key"),
    )


@collecting_pages.get("/console/store/{point_id}/counter/{fulfilment_id}")
async def read_waiting(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId, done: str = ""
) -> Response:
    """One thing that waits: whose it is, where it lies, and the code that is asked for."""
    return await _shown(request, clients, point_id, fulfilment_id, done=done)


@collecting_pages.post("/console/store/{point_id}/counter/{fulfilment_id}")
async def act(request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId) -> Response:
    """Puts aside, hands over or confirms what is back, or sees to a locker; then shows what follows.

    A repeated `key` does it once.
    """
    caller = session.caller_of(request)
    session.check_same_site(request)
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=2_100) as form:
        name, key = _text(form, "act"), _text(form, "key") or None
        try:
            if name == "ready":
                is_at_counter = bool(_text(form, "at_counter"))
                shelf = PutAside(shelf=_text(form, "shelf")[:40], at_counter=is_at_counter)
                await collections.mark_ready(fulfilment_id, shelf, caller, clients, key)
            elif name == "compartment":
                await lockers.book(fulfilment_id, caller, clients, key)
            elif name == "take_out":
                await lockers.take_out(fulfilment_id, TakenOut(), caller, clients, key)
            elif name == "collect":
                await collections.collect(fulfilment_id, _collected(form), caller, clients, key)
            elif name == "put_back":
                await collections.confirm_put_back(fulfilment_id, caller, clients, key)
            else:
                raise InvalidArgument("act", "one of ready, compartment, take_out, collect, put_back")
        except OmsError as error:
            return await _shown(request, clients, point_id, fulfilment_id, error=error)
    if name in ("collect", "compartment", "take_out"):
        return RedirectResponse(f"{request.url.path}?done={name}", 303)
    return RedirectResponse(f"/console/store/{point_id}/counter?done={name}", 303)


def units_back(one: FulfilmentView) -> list[CollectedUnitsView]:
    """What of it goes back to its shelf."""
    if one.put_back:
        return one.put_back.units
    return one.collection.put_back if one.collection else []


def _collected(form: FormData) -> HandedToCustomer:
    """As it was typed: an empty code means that a document was looked at."""
    code = _text(form, "code")
    values: dict[str, Any] = {"collected_by": _text(form, "collected_by") or "customer"}
    values |= {"code": code} if code else {"document_kind": _text(form, "document_kind")}
    values["lines"] = [
        {"line_number": _number(name.removeprefix(_TAKEN), name), "quantity": count}
        for name, value in form.multi_items()
        if name.startswith(_TAKEN) and (count := _number(str(value), name))
    ]
    if not values["lines"]:
        raise InvalidArgument("lines", "nothing of it is taken")
    try:
        return HandedToCustomer.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidArgument(".".join(map(str, first["loc"])), first["msg"]) from None


async def _shown(
    request: Request,
    clients: ClientsAre,
    point_id: str,
    fulfilment_id: str,
    *,
    code: str = "",
    done: str = "",
    error: OmsError | None = None,
) -> Response:
    place = await own_place(request, clients, point_id)
    try:
        found: FulfilmentDetail | None = await work.read(fulfilment_id, session.caller_of(request), clients)
    except NotFound:
        found = None
    is_here = found is not None and found.point_id == point_id and found.collected and found.status in _SHOWN
    return _page(
        request,
        "store/collect.html" if is_here else "store/gone.html",
        (error.http_status if error else 200) if is_here else 404,
        place=place,
        work=found,
        documents=DOCUMENTS,
        code=code,
        error=error,
        done=done,
        key=new_id("key"),
    )


def _page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    place: Place,
    error: OmsError | None = None,
    **values: Any,
) -> Response:
    language = words.language_of(request.headers.get("accept-language", ""))
    now = times.now()

    def clock(instant: datetime) -> str:
        return words.clock(instant, now, place.zone, language)

    return templates.page(
        request,
        template,
        status,
        scripts=True,
        language=language,
        words=words.words_in(language) | collecting_words.words_in(language),
        place=place,
        clock=clock,
        now=now,
        error=error,
        problem=collecting_words.problem_in(language, error.reason, error.detail) if error else "",
        **values,
    )


def _keep_until(one: FulfilmentView) -> datetime:
    assert one.collection is not None, "it waits"
    return one.collection.keep_until


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidArgument(field, "a whole number, without anything else")
    return int(text)
