"""The pages of a store and what is done on them. Every act is the one of the REST face, under the same rights."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from kit import times
from kit.errors import InvalidArgument, NotFound, OmsError
from kit.values.ids import new_id
from oms.inventory.v1 import inventory_service_pb2 as inventory
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.store import words
from services.gateway.console.store.live import WorkBell, marks_of
from services.gateway.guard import ClientsAre
from services.gateway.places import Place, places_of
from services.gateway.routes import work
from services.gateway.routes.common import FulfilmentId, PointId
from services.gateway.schemas.offers import OfferAnswer
from services.gateway.schemas.work import (
    Found,
    FulfilmentDetail,
    FulfilmentView,
    HandOver,
    OfferRefusal,
    Pack,
    Pick,
    WorkFilters,
)

Body = TypeVar("Body", bound=BaseModel)

store_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

# In the order of the work. A status that is none of these is not work any more.
STEPS = ("offered", "accepted", "picked", "packed")
REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")
_MOST_SHOWN = 200
_HEARTBEAT_SECONDS = 15.0
_FOUND = "found."
# Says to the page's worker that it may show the page again while there is no network.
_KEEP_HEADER = "X-Keep-Offline"


@store_pages.get("/console/store.css")
async def style() -> Response:
    """The style sheet."""
    return templates.asset("store/store.css", "text/css")


@store_pages.get("/console/store.js")
async def script() -> Response:
    """What makes the pages live."""
    return templates.asset("store/store.js", "text/javascript")


@store_pages.get("/console/store-worker.js")
async def worker() -> Response:
    """What shows the pages that were seen while there is no network."""
    return templates.asset("store/worker.js", "text/javascript")


@store_pages.get("/console/store")
async def choose(request: Request, clients: ClientsAre) -> Response:
    """Which store; nothing is asked of who has one."""
    caller = session.caller_of(request)
    mine = access.points_worked(caller, frozenset())
    if mine is not None and len(mine) == 1:
        return RedirectResponse(f"/console/store/{next(iter(mine))}", 303)
    places = await places_of(request, clients).all()
    listed = [place for place in places.values() if mine is None or place.point_id in mine]
    return _page(request, "store/choose.html", places=sorted(listed, key=lambda one: one.name))


@store_pages.get("/console/store/{point_id}")
async def work_list(
    request: Request, clients: ClientsAre, point_id: PointId, step: str = "", done: str = ""
) -> Response:
    """The open work of a point, by step; without one, the first that has any."""
    caller = session.caller_of(request)
    place = await _own_place(request, clients, point_id)
    # The mark first: what changes meanwhile makes the page fetch itself again.
    mark = (await marks_of(clients, [point_id])).get(point_id, "")
    found = await work.list_work(point_id, WorkFilters(size=_MOST_SHOWN), caller, clients)
    by_step = {name: [one for one in found.items if one.status == name] for name in STEPS}
    # After an act its list goes on, unless it was the last of it.
    is_wanted = step in STEPS and bool(by_step[step] or not done)
    shown = step if is_wanted else next((name for name in STEPS if by_step[name]), STEPS[0])
    return _page(
        request,
        "store/list.html",
        place=place,
        step=shown,
        by_step=by_step,
        is_cut=found.next_cursor is not None,
        mark=mark,
        done=done,
        key=new_id("key"),
        keep=True,
    )


@store_pages.get("/console/store/{point_id}/live")
async def live(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """The marks of the point's work as server-sent events, until the login expires."""
    caller = session.caller_of(request)
    await _own_place(request, clients, point_id)
    bell = _bell(request, clients)

    async def events() -> AsyncIterator[bytes]:
        told: str | None = None
        with bell.looking_at(point_id):
            yield b"retry: 2000\n\n"
            while (left := caller.expires_at - times.now().timestamp()) > 0:
                mark = await bell.changed(point_id, told, min(left, _HEARTBEAT_SECONDS))
                yield b": nothing changed\n\n" if mark is None else f"data: {mark}\n\n".encode()
                told = told if mark is None else mark

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


@store_pages.get("/console/store/{point_id}/work/{fulfilment_id}")
async def read_work(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId, done: str = ""
) -> Response:
    """One piece of work, with what is to be done next."""
    return await _shown(request, clients, point_id, fulfilment_id, done=done)


@store_pages.post("/console/store/{point_id}/work/{fulfilment_id}")
async def act(request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId) -> Response:
    """Does the next thing, then shows what follows. A repeated `key` does it once."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await _own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=2_100) as form:
        name = _text(form, "act")
        doing = _Doing(clients, caller, point_id, fulfilment_id, form, _text(form, "key") or None)
        try:
            if name not in _ACTS:
                raise InvalidArgument("act", f"one of {', '.join(_ACTS)}")
            after = await _ACTS[name](doing)
        except OmsError as error:
            return await _shown(request, clients, point_id, fulfilment_id, error=error)
        step = _text(form, "step")
    goes_on = after.status in STEPS and after.point_id == point_id
    if goes_on and _text(form, "from") != "list":
        return RedirectResponse(f"{request.url.path}?done={name}", 303)
    return RedirectResponse(f"/console/store/{point_id}?{urlencode({'step': step, 'done': name})}", 303)


@store_pages.get("/console/store/{point_id}/work/{fulfilment_id}/label.pdf")
async def print_label(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId
) -> Response:
    """The carrier's label of a closed parcel."""
    await _own_place(request, clients, point_id)
    language = words.language_of(request.headers.get("accept-language", ""))
    return await work.print_label(fulfilment_id, request, session.caller_of(request), clients, language)


@store_pages.get("/console/store/{point_id}/work/{fulfilment_id}/packing-slip.pdf")
async def print_slip(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId
) -> Response:
    """What goes into the parcel, on paper."""
    await _own_place(request, clients, point_id)
    language = words.language_of(request.headers.get("accept-language", ""))
    return await work.print_slip(fulfilment_id, request, session.caller_of(request), clients, language)


# -- acts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Doing:
    clients: Clients
    caller: Caller
    point_id: str
    fulfilment_id: str
    form: FormData
    key: str | None


async def _accept(on: _Doing) -> FulfilmentView:
    body = OfferAnswer(point_id=on.point_id)
    return await work.accept(on.fulfilment_id, on.caller, on.clients, body, on.key)


async def _refuse(on: _Doing) -> FulfilmentView:
    body = _body(OfferRefusal, reason=_text(on.form, "reason"), point_id=on.point_id)
    return await work.refuse(on.fulfilment_id, body, on.caller, on.clients, on.key)


async def _pick(on: _Doing) -> FulfilmentView:
    found = [
        _body(Found, line_number=_number(name.removeprefix(_FOUND), name), quantity=_number(str(value), name))
        for name, value in on.form.multi_items()
        if name.startswith(_FOUND)
    ]
    return await work.pick(on.fulfilment_id, _body(Pick, found=found), on.caller, on.clients, on.key)


async def _pack(on: _Doing) -> FulfilmentView:
    body = _body(Pack, weight_grams=_number(_text(on.form, "weight_grams"), "weight_grams"))
    return await work.pack(on.fulfilment_id, body, on.caller, on.clients, on.key)


async def _hand_over(on: _Doing) -> FulfilmentView:
    body = _body(HandOver, tracking_code=_text(on.form, "tracking_code"))
    return await work.hand_over(on.fulfilment_id, on.caller, on.clients, body, on.key)


_ACTS: Mapping[str, Callable[[_Doing], Awaitable[FulfilmentView]]] = {
    "accept": _accept,
    "refuse": _refuse,
    "pick": _pick,
    "pack": _pack,
    "hand_over": _hand_over,
}


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidArgument(field, "a whole number, without anything else")
    return int(text)


def _body(kind: type[Body], **values: Any) -> Body:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidArgument(".".join(map(str, first["loc"])), first["msg"]) from None


# -- what is shown ----------------------------------------------------------------------------------------


async def _shown(
    request: Request,
    clients: Clients,
    point_id: str,
    fulfilment_id: str,
    *,
    done: str = "",
    error: OmsError | None = None,
) -> Response:
    caller = session.caller_of(request)
    place = await _own_place(request, clients, point_id)
    try:
        found: FulfilmentDetail | None = await work.read(fulfilment_id, caller, clients)
    except NotFound:
        found = None
    if found is None or found.point_id != point_id or found.status not in STEPS:
        return _page(request, "store/gone.html", 404, place=place, error=error)
    items = await _items(clients, [line.sku for line in found.lines])
    return _page(
        request,
        "store/work.html",
        error.http_status if error else 200,
        place=place,
        work=found,
        items=items,
        grams=sum(items[line.sku].weight_grams * line.quantity for line in found.lines if line.sku in items),
        reasons=REASONS,
        error=error,
        done=done,
        key=new_id("key"),
        # An address is never kept on a phone.
        keep=found.status in ("offered", "accepted") and error is None,
    )


async def _items(clients: Clients, skus: list[str]) -> dict[str, inventory.Item]:
    """For the codes that scanners read and the weights; the work goes on without them."""
    request = inventory.ListItemsRequest(skus=sorted(set(skus)))
    with suppress(OmsError):
        return {one.sku: one for one in (await clients.read(clients.inventory.ListItems, request)).items}
    return {}


def _page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    place: Place | None = None,
    keep: bool = False,
    error: OmsError | None = None,
    **values: Any,
) -> Response:
    language = words.language_of(request.headers.get("accept-language", ""))
    now = times.now()

    def clock(instant: datetime) -> str:
        return words.clock(instant, now, place.zone if place else ZoneInfo("UTC"), language)

    response = templates.page(
        request,
        template,
        status,
        scripts=True,
        language=language,
        words=words.words_in(language),
        steps=STEPS,
        place=place,
        clock=clock,
        now=now,
        error=error,
        problem=words.problem_in(language, error.reason, error.detail) if error else "",
        **values,
    )
    if keep:
        response.headers[_KEEP_HEADER] = "1"
    return response


async def _own_place(request: Request, clients: Clients, point_id: str) -> Place:
    """The point, if its work is the caller's. PermissionDenied / POINT_NOT_ALLOWED, NotFound / POINT_NOT_FOUND."""
    access.check_point(session.caller_of(request), point_id, frozenset())
    return await places_of(request, clients).one(point_id)


def _bell(request: Request, clients: Clients) -> WorkBell:
    """That of the gateway: one for each set of clients, since a test brings others."""
    known = getattr(request.app.state, "bell", None)
    if known is None or known[0] is not clients:
        known = request.app.state.bell = (clients, WorkBell(clients))
    return cast(WorkBell, known[1])
