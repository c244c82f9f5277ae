"""Works that one person picks together: open a list, walk it, say what was found. Orders decides who has what."""

from collections.abc import Sequence

from fastapi import Request, Response

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import picking_service_pb2 as pb
from services.gateway import access, printing, sheets, substituting
from services.gateway.auth import Caller, Role
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.places import places_of
from services.gateway.routes.common import OptionalKey, PickListId, PointId, act_id, new_act_id, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.documents import Language
from services.gateway.schemas.picking import (
    Found,
    LeftOverView,
    PickListDone,
    PickListOpening,
    PickListView,
    PutBack,
    WorkSubstitute,
)
from services.gateway.substituting import Lacking
from services.gateway.walking import walked

picking_router = router("pick lists")

_NOBODY_ELSE: frozenset[Role] = frozenset()


@picking_router.post("/points/{point_id}/pick-lists", status_code=201)
async def open_pick_list(
    point_id: PointId, body: PickListOpening, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PickListView:
    """Take works to pick together: those named, all or none, or a proposal by hand-over time.

    409 BEING_PICKED says who has one of them; NOT_TO_PICK, NOTHING_TO_PICK.
    """
    request = pb.OpenPickListRequest(
        request_id=new_act_id(f"pick-list/{point_id}", caller, key),
        point_id=point_id,
        fulfilment_ids=body.fulfilment_ids,
        size=body.size,
        actor=caller.subject,
        reach=access.reach_of_point(caller, point_id, _NOBODY_ELSE),
    )
    return await walked(clients, (await clients.act(clients.picking.OpenPickList, request)).pick_list)


@picking_router.get("/points/{point_id}/pick-lists")
async def list_pick_lists(point_id: PointId, caller: CallerIs, clients: ClientsAre) -> Listed[PickListView]:
    """List the open pick lists of a point, the oldest first: who picks what."""
    reach = access.reach_of_point(caller, point_id, access.SERVICE)
    request = pb.ListPickListsRequest(point_ids=[point_id], reach=reach)
    found = await clients.read(clients.picking.ListPickLists, request)
    return Listed(items=[await walked(clients, one) for one in found.pick_lists])


@picking_router.get("/pick-lists/{pick_list_id}")
async def read_pick_list(pick_list_id: PickListId, caller: CallerIs, clients: ClientsAre) -> PickListView:
    """Read a pick list: its works by container, and their articles in walking order."""
    request = pb.GetPickListRequest(pick_list_id=pick_list_id, reach=_reach(caller, pick_list_id, access.SERVICE))
    return await walked(clients, (await clients.read(clients.picking.GetPickList, request)).pick_list)


@picking_router.get("/pick-lists/{pick_list_id}/print", responses=printing.PDF_RESPONSES, response_class=Response)
async def print_pick_list(
    pick_list_id: PickListId, request: Request, caller: CallerIs, clients: ClientsAre, lang: Language = "en"
) -> Response:
    """Print a pick list in walking order, A4."""
    found = await read_pick_list(pick_list_id, caller, clients)
    place = await places_of(request, clients).one(found.point_id)
    return printing.pdf_response(sheets.pick_list_pdf(found, place, lang), f"pick-list-{pick_list_id}")


@picking_router.post("/pick-lists/{pick_list_id}/put-back")
async def put_back(
    pick_list_id: PickListId, body: PutBack, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PickListView:
    """Leave works of a list to others; with the last of them it is closed. 409 PICK_LIST_CLOSED."""
    request = pb.PutBackWorkRequest(
        request_id=act_id("put-back", pick_list_id, caller, body, key),
        pick_list_id=pick_list_id,
        fulfilment_ids=body.fulfilment_ids,
        actor=caller.subject,
        reach=_reach(caller, pick_list_id, _NOBODY_ELSE),
    )
    return await walked(clients, (await clients.act(clients.picking.PutBackWork, request)).pick_list)


@picking_router.post("/pick-lists/{pick_list_id}/finish")
async def finish_pick_list(
    pick_list_id: PickListId, body: Found, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PickListDone:
    """Say what was found of each article: every work of the list is picked, and what is missing is short.

    Another article may be given to a work instead of its missing units, as in its own pick. 409 PICK_LIST_CLOSED,
    PICKED_BY_ANOTHER; SUBSTITUTES_NOT_ALLOWED, NOT_PERMITTED, SUBSTITUTE_NOT_FREE, NOT_SUBSTITUTED.
    """
    request_id = act_id("finish", pick_list_id, caller, body, key)
    request = pb.FinishPickListRequest(
        request_id=request_id,
        pick_list_id=pick_list_id,
        found=[
            pb.FoundArticle(sku=one.sku, quantity=one.quantity, reason=one.reason or "", note=one.note)
            for one in body.found
        ],
        actor=caller.subject,
        reach=_reach(caller, pick_list_id, _NOBODY_ELSE),
    )
    answer = await _finish(clients, request, body.substituted)
    return PickListDone(
        pick_list=await walked(clients, answer.pick_list),
        left_over=[LeftOverView(sku=one.sku, quantity=one.quantity) for one in answer.left_over],
    )


async def _finish(
    clients: Clients, request: pb.FinishPickListRequest, given: Sequence[WorkSubstitute]
) -> pb.FinishPickListResponse:
    """First what is given instead is laid aside, by work; what then no work has is put back."""
    if not given:
        return await clients.act(clients.picking.FinishPickList, request)
    asked = pb.GetPickListRequest(pick_list_id=request.pick_list_id, reach=request.reach)
    listed = (await clients.read(clients.picking.GetPickList, asked)).pick_list
    works = {one.fulfilment.fulfilment_id: one for one in listed.works}
    by_work: dict[str, list[WorkSubstitute]] = {}
    for i, one in enumerate(given):
        if one.fulfilment_id not in works:
            raise InvalidArgument(f"substituted[{i}].fulfilment_id", "the list has no such work")
        by_work.setdefault(one.fulfilment_id, []).append(one)
    aside: dict[str, Lacking] = {}
    try:
        for name, units in by_work.items():
            aside[name] = substituting.lacking_on(works[name])
            held = await substituting.laid_aside(clients, aside[name], units, f"{request.request_id}/{name}")
            request.substituted.extend(pb.WorkSubstitute(fulfilment_id=name, units=one) for one in held)
        answer = await clients.act(clients.picking.FinishPickList, request)
    except (FailedPrecondition, InvalidArgument):
        for name, lacking in aside.items():
            await substituting.put_back(clients, lacking, f"{request.request_id}/{name}")
        raise
    for work in (one.fulfilment for one in answer.pick_list.works):
        name, has_it = work.fulfilment_id, any(line.ordered_sku for line in work.lines)
        if name in aside and not has_it:
            await substituting.put_back(clients, aside[name], f"{request.request_id}/{name}")
    return answer


def _reach(caller: Caller, pick_list_id: str, others: frozenset[Role]) -> orders.Reach:
    # Word for word what orders says of a list that does not exist.
    hidden = NotFound(
        "PICK_LIST_NOT_FOUND", "there is no such pick list", field="pick_list_id", pick_list_id=pick_list_id
    )
    return access.reach_of(caller, others, hidden)
