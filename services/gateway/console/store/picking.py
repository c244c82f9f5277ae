"""The page of a pick list: several works in walking order, each unit into the container of its work."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from kit.errors import InvalidArgument, OmsError
from kit.values.ids import new_id
from services.gateway.clients import Clients
from services.gateway.console import session
from services.gateway.console.store.showing import (
    MISSING_REASONS,
    body,
    language_of,
    number,
    own_place,
    page,
    said_of,
    text,
)
from services.gateway.guard import ClientsAre
from services.gateway.routes import picking
from services.gateway.routes.common import PickListId, PointId
from services.gateway.schemas.picking import (
    Found,
    FoundArticle,
    LeftOverView,
    PickListOpening,
    PickListView,
    PutBack,
    WorkSubstitute,
)

picking_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

# How many articles one form may tell of: four fields each, and some of its own.
_MOST_FIELDS = 8_100
_INSTEAD = "instead."


@picking_pages.post("/console/store/{point_id}/pick-lists")
async def open_list(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """Takes the works that were chosen, or those that leave first, and leads to their list."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    place = await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=100) as form:
        try:
            chosen = [one for one in form.getlist("fulfilment_id") if isinstance(one, str)]
            opening = body(PickListOpening, fulfilment_ids=chosen)
            opened = await picking.open_pick_list(point_id, opening, caller, clients, text(form, "key") or None)
        except OmsError as error:
            return page(request, "store/gone.html", error.http_status, place=place, error=error)
    return RedirectResponse(f"/console/store/{point_id}/pick-lists/{opened.id}", 303)


@picking_pages.get("/console/store/{point_id}/pick-lists/{pick_list_id}")
async def show_list(
    request: Request, clients: ClientsAre, point_id: PointId, pick_list_id: PickListId
) -> Response:
    """What is still to be picked, in walking order; once it is closed, what became of each work."""
    return await _shown(request, clients, point_id, pick_list_id)


@picking_pages.post("/console/store/{point_id}/pick-lists/{pick_list_id}")
async def act(request: Request, clients: ClientsAre, point_id: PointId, pick_list_id: PickListId) -> Response:
    """Says what was found, or leaves the works to others. A repeated `key` does it once."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        key = text(form, "key") or None
        try:
            match text(form, "act"):
                case "finish":
                    found = body(Found, found=_found(form), substituted=_instead(form))
                    done = await picking.finish_pick_list(pick_list_id, found, caller, clients, key)
                    return await _shown(request, clients, point_id, pick_list_id, left_over=done.left_over)
                case "put_back":
                    chosen = [one for one in form.getlist("fulfilment_id") if isinstance(one, str)]
                    back = body(PutBack, fulfilment_ids=chosen)
                    await picking.put_back(pick_list_id, back, caller, clients, key)
                case _:
                    raise InvalidArgument("act", "finish or put_back")
        except OmsError as error:
            return await _shown(request, clients, point_id, pick_list_id, error=error)
    return RedirectResponse(f"/console/store/{point_id}?step=accepted&done=put_back", 303)


@picking_pages.get("/console/store/{point_id}/pick-lists/{pick_list_id}/print.pdf")
async def print_list(
    request: Request, clients: ClientsAre, point_id: PointId, pick_list_id: PickListId
) -> Response:
    """The list on paper."""
    await own_place(request, clients, point_id)
    caller = session.caller_of(request)
    return await picking.print_pick_list(pick_list_id, request, caller, clients, language_of(request))


def _found(form: FormData) -> list[FoundArticle]:
    """By the number of an article on the page: its SKU, how many were found, and why others are missing."""
    found: list[FoundArticle] = []
    for name, value in form.multi_items():
        if not name.startswith("sku."):
            continue
        line = number(name.removeprefix("sku."), name)
        quantity = number(text(form, f"found.{line}"), f"found.{line}")
        found.append(body(FoundArticle, sku=value, quantity=quantity, **said_of(form, line, quantity)))
    return found


def _instead(form: FormData) -> list[WorkSubstitute]:
    """What is given instead, by work, line and article."""
    return [
        body(WorkSubstitute, fulfilment_id=work, line_number=number(line, name), sku=sku, quantity=units)
        for name, value in form.multi_items()
        if name.startswith(_INSTEAD)
        for work, _, which in [name.removeprefix(_INSTEAD).partition(".")]
        for line, _, sku in [which.partition(".")]
        if (units := number(str(value), name))
    ]


async def _shown(
    request: Request,
    clients: Clients,
    point_id: str,
    pick_list_id: str,
    *,
    left_over: Sequence[LeftOverView] = (),
    error: OmsError | None = None,
) -> Response:
    caller = session.caller_of(request)
    place = await own_place(request, clients, point_id)
    try:
        found: PickListView | None = await picking.read_pick_list(pick_list_id, caller, clients)
    except OmsError as missing:
        found, error = None, error or missing
    if found is None or found.point_id != point_id:
        return page(request, "store/gone.html", 404, place=place, error=error)
    return page(
        request,
        "store/pick_list.html",
        error.http_status if error else 200,
        place=place,
        listed=found,
        is_mine=found.actor == caller.subject,
        left_over=left_over,
        reasons=MISSING_REASONS,
        error=error,
        key=new_id("key"),
        # No address is on it.
        keep=found.closed_at is None and error is None,
    )
