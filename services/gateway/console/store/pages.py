"""The pages of a store and what is done on them. Every act is the one of the REST face, under the same rights."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.datastructures import FormData

from kit import times
from kit.errors import InvalidArgument, NotFound, OmsError
from kit.values.ids import new_id
from services.gateway import access, substituting
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.store import weighing, words
from services.gateway.console.store.live import WorkBell, marks_of
from services.gateway.console.store.showing import (
    MISSING_REASONS,
    STEPS,
    body,
    number,
    own_place,
    page,
    said_of,
    text,
)
from services.gateway.guard import ClientsAre
from services.gateway.keeping import kept
from services.gateway.places import places_of
from services.gateway.routes import collections, consolidation, work
from services.gateway.routes.common import FulfilmentId, PointId
from services.gateway.schemas.consolidation import ArrivalFilters, ArrivalView
from services.gateway.schemas.offers import OfferAnswer
from services.gateway.schemas.work import (
    Found,
    FulfilmentDetail,
    FulfilmentView,
    HandOver,
    MissingUnits,
    OfferRefusal,
    Pack,
    Pick,
    SpoiledUnits,
    Substitute,
    SubstituteView,
    WorkFilters,
)
from services.gateway.walking import items_of

store_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")
_MOST_SHOWN = 200
_HEARTBEAT_SECONDS = 15.0
_FOUND = "found."
_SPOILED = "spoiled."
_INSTEAD = "instead."


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
    return page(request, "store/choose.html", places=sorted(listed, key=lambda one: one.name))


@store_pages.get("/console/store/{point_id}")
async def work_list(
    request: Request, clients: ClientsAre, point_id: PointId, step: str = "", done: str = ""
) -> Response:
    """The open work of a point, by step; without one, the first that has any."""
    caller = session.caller_of(request)
    place = await own_place(request, clients, point_id)
    # The mark first: what changes meanwhile makes the page fetch itself again.
    mark = (await marks_of(clients, [point_id])).get(point_id, "")
    found = await work.list_work(point_id, WorkFilters(size=_MOST_SHOWN), caller, clients)
    by_step = {name: [one for one in found.items if one.status == name] for name in STEPS}
    # After an act its list goes on, unless it was the last of it.
    is_wanted = step in STEPS and bool(by_step[step] or not done)
    shown = step if is_wanted else next((name for name in STEPS if by_step[name]), STEPS[0])
    return page(
        request,
        "store/list.html",
        coming=await coming(clients, caller, point_id),
        backs=len((await collections.list_put_backs(point_id, caller, clients)).items),
        place=place,
        step=shown,
        by_step=by_step,
        is_cut=found.next_cursor is not None,
        mark=mark,
        done=done,
        key=new_id("key"),
        keep=True,
    )


async def coming(clients: Clients, caller: Caller, point_id: str) -> list[ArrivalView]:
    """Parcels on their way to the point; none for who is limited to brands: a parcel may hold any."""
    if access.brands_seen(caller) is not None:
        return []
    found = await consolidation.list_arrivals(point_id, ArrivalFilters(size=_MOST_SHOWN), caller, clients)
    return [one for one in found.items if one.fulfilment.status in ("handed_over", "lost", "damaged")]


@store_pages.get("/console/store/{point_id}/live")
async def live(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """The marks of the point's work as server-sent events, until the login expires."""
    caller = session.caller_of(request)
    await own_place(request, clients, point_id)
    bell = kept(request, clients, WorkBell)

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
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=8_100) as form:
        name = text(form, "act")
        doing = _Doing(clients, caller, point_id, fulfilment_id, form, text(form, "key") or None)
        try:
            if name not in _ACTS:
                raise InvalidArgument("act", f"one of {', '.join(_ACTS)}")
            after = await _ACTS[name](doing)
        except OmsError as error:
            # Whether it was done is not known: said again, it is the same act.
            again = (doing.key or "").removesuffix(f".{name}") if error.retryable else ""
            return await _shown(request, clients, point_id, fulfilment_id, error=error, key=again)
        step = text(form, "step")
    goes_on = after.status in STEPS and after.point_id == point_id
    if goes_on and text(form, "from") != "list":
        return RedirectResponse(f"{request.url.path}?done={name}", 303)
    return RedirectResponse(f"/console/store/{point_id}?{urlencode({'step': step, 'done': name})}", 303)


@store_pages.get("/console/store/{point_id}/work/{fulfilment_id}/label.pdf")
async def print_label(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId
) -> Response:
    """The carrier's label of a closed parcel."""
    await own_place(request, clients, point_id)
    language = words.language_of(request.headers.get("accept-language", ""))
    return await work.print_label(fulfilment_id, request, session.caller_of(request), clients, language)


@store_pages.get("/console/store/{point_id}/work/{fulfilment_id}/packing-slip.pdf")
async def print_slip(
    request: Request, clients: ClientsAre, point_id: PointId, fulfilment_id: FulfilmentId
) -> Response:
    """What goes into the parcel, on paper."""
    await own_place(request, clients, point_id)
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
    answer = OfferAnswer(point_id=on.point_id)
    return await work.accept(on.fulfilment_id, on.caller, on.clients, answer, on.key)


async def _refuse(on: _Doing) -> FulfilmentView:
    refusal = body(OfferRefusal, reason=text(on.form, "reason"), point_id=on.point_id)
    return await work.refuse(on.fulfilment_id, refusal, on.caller, on.clients, on.key)


async def _pick(on: _Doing) -> FulfilmentView:
    found = [
        body(Found, line_number=number(name.removeprefix(_FOUND), name), quantity=number(str(value), name))
        for name, value in on.form.multi_items()
        if name.startswith(_FOUND)
    ]
    missing = [
        body(MissingUnits, line_number=one.line_number, **why)
        for one in found
        if (why := said_of(on.form, one.line_number, one.quantity))
    ]
    instead = [
        body(Substitute, line_number=number(line, name), sku=sku, quantity=units)
        for name, value in on.form.multi_items()
        if name.startswith(_INSTEAD)
        for line, _, sku in [name.removeprefix(_INSTEAD).partition(".")]
        if (units := number(str(value), name))
    ]
    picked = body(Pick, found=found, missing=missing, substituted=instead)
    return await work.pick(on.fulfilment_id, picked, on.caller, on.clients, on.key)


async def _begin(on: _Doing) -> FulfilmentView:
    return await work.begin_personalisation(on.fulfilment_id, on.caller, on.clients, on.key)


async def _complete(on: _Doing) -> FulfilmentView:
    return await work.complete_personalisation(on.fulfilment_id, on.caller, on.clients, on.key)


async def _spoil(on: _Doing) -> FulfilmentView:
    if on.key is None:
        raise InvalidArgument("key", "without it the same units could be said twice")
    spoiled = [
        {"line_number": number(name.removeprefix(_SPOILED), name), "quantity": count}
        for name, value in on.form.multi_items()
        if name.startswith(_SPOILED) and (count := number(str(value), name))
    ]
    said = body(SpoiledUnits, spoiled=spoiled)
    return await work.report_spoiled(on.fulfilment_id, said, on.caller, on.clients, on.key)


async def _pack(on: _Doing) -> FulfilmentView:
    grams = number(text(on.form, "weight_grams"), "weight_grams")
    parcel = body(Pack, weight_grams=grams, box_id=text(on.form, "box_id"))
    return await work.pack(on.fulfilment_id, parcel, on.caller, on.clients, on.key)


async def _hand_over(on: _Doing) -> FulfilmentView:
    gone = body(HandOver, tracking_code=text(on.form, "tracking_code"))
    return await work.hand_over(on.fulfilment_id, on.caller, on.clients, gone, on.key)


_ACTS: Mapping[str, Callable[[_Doing], Awaitable[FulfilmentView]]] = {
    "accept": _accept,
    "refuse": _refuse,
    "pick": _pick,
    "begin": _begin,
    "complete": _complete,
    "spoil": _spoil,
    "pack": _pack,
    "hand_over": _hand_over,
}


# -- what is shown ----------------------------------------------------------------------------------------


async def _shown(
    request: Request,
    clients: Clients,
    point_id: str,
    fulfilment_id: str,
    *,
    done: str = "",
    error: OmsError | None = None,
    key: str = "",
) -> Response:
    caller = session.caller_of(request)
    place = await own_place(request, clients, point_id)
    try:
        found: FulfilmentDetail | None = await work.read(fulfilment_id, caller, clients)
    except NotFound:
        found = None
    if found is None or found.point_id != point_id or found.status not in STEPS:
        return page(request, "store/gone.html", 404, place=place, error=error)
    skus = {sku for one in found.lines for sku in (one.sku, one.ordered_sku) if sku}
    items = await items_of(clients, sorted(skus))
    known = all(line.sku in items and items[line.sku].weight_grams for line in found.lines)
    grams = sum(items[line.sku].weight_grams * line.quantity for line in found.lines) if known else 0
    packed_grams = found.parcel.weight_grams if found.parcel and found.status == "packed" else 0
    boxes = None
    if found.status == "picked" and not found.collected:
        with suppress(OmsError):
            boxes = await work.boxes_for(clients, found)
    instead: list[SubstituteView] = []
    if found.status == "accepted" and found.substitutable:
        # Picking goes on without them.
        with suppress(OmsError):
            instead = await substituting.offered(clients, found)
    hub = (await places_of(request, clients).all()).get(found.hub_point_id) if found.hub_point_id else None
    return page(
        request,
        "store/work.html",
        error.http_status if error else 200,
        place=place,
        work=found,
        hub=hub,
        items=items,
        grams=grams,
        boxes=boxes,
        instead=instead,
        is_odd=weighing.is_odd(packed_grams, grams),
        reasons=REASONS,
        missing_reasons=MISSING_REASONS,
        error=error,
        done=done,
        key=key or new_id("key"),
        is_personal=any(line.personalisations for line in found.lines),
        # An address is never kept on a phone.
        keep=found.status in ("offered", "accepted") and error is None,
    )
