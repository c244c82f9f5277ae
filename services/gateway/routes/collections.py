"""Click and collect, and e-reservation: what stores put aside and hand over, and what customers are asked."""

from typing import Annotated

from fastapi import Query

from kit import telemetry
from oms.orders.v1 import collection_service_pb2 as collections
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access, reading
from services.gateway.auth import Role
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import FulfilmentId, OptionalKey, OrderId, PointId, new_act_id, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.collections import (
    CollectionChoice,
    CollectionCodeView,
    CustomerChoiceView,
    HandedToCustomer,
    KeptLonger,
    NoShowFilters,
    NoShowsView,
    PutAside,
    SaidCode,
)
from services.gateway.schemas.work import FulfilmentView
from services.gateway.wire import message, plain

collections_router = router("click and collect")

_NOBODY_ELSE: frozenset[Role] = frozenset()
_PLANNERS_AND_SERVICE = access.PLANNERS | access.SERVICE


@collections_router.post("/fulfilments/{fulfilment_id}/ready")
async def mark_ready(
    fulfilment_id: FulfilmentId, body: PutAside, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Put picked work aside for its customer, or into its compartment; he is told so and given a code.

    409 NOT_COLLECTED for what a carrier takes, NOT_PERSONALISED, CANCELLED; of a compartment NOT_CAPTURED, and 503
    LOCKER_AWAY.
    """
    values = {
        # Work is put aside once: a repeated click is one act.
        "request_id": new_act_id(f"ready/{fulfilment_id}", caller, key or "once"),
        "fulfilment_id": fulfilment_id,
        "shelf": body.shelf,
        "at_counter": body.at_counter,
        "actor": caller.subject,
        "reach": plain(access.reach(caller, fulfilment_id, _NOBODY_ELSE)),
    }
    request = message(collections.MarkReadyRequest, values)
    return _view((await clients.act(clients.collections.MarkReady, request)).fulfilment)


@collections_router.post("/fulfilments/{fulfilment_id}/collect")
async def collect(
    fulfilment_id: FulfilmentId,
    body: HandedToCustomer,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Hand over what waits, in whole or in part, against the code or a document of the customer's.

    `delivered` at once where it is paid; else `ready` while its capture is pending: hand it over once `delivered`.
    409 NOT_READY, WRONG_CODE with `attempts_left`, CODE_LOCKED, NOT_CAPTURED, COLLECTING, IN_LOCKER, ON_HOLD,
    CANCELLED.
    """
    values = {
        "request_id": new_act_id(f"collect/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "actor": caller.subject,
        "reach": plain(access.reach(caller, fulfilment_id, _NOBODY_ELSE)),
        **body.model_dump(),
    }
    request = message(collections.CollectRequest, values)
    return _view((await clients.act(clients.collections.Collect, request)).fulfilment)


@collections_router.post("/points/{point_id}/find-collection")
async def find_collection(
    point_id: PointId, body: SaidCode, caller: CallerIs, clients: ClientsAre
) -> FulfilmentView:
    """Find what waits at the store for whoever has this code, without an order's number. It may be locked.

    404 CODE_UNKNOWN with `attempts_left`; 429 TOO_MANY_CODES after too many in an hour, whatever the code is; 422
    NOT_A_CODE; 409 CODE_OF_SEVERAL.
    """
    reach = access.reach_of_point(caller, point_id, _NOBODY_ELSE)
    request = collections.FindByCodeRequest(reach=reach, code=body.code)
    return _view((await clients.read(clients.collections.FindByCode, request)).fulfilment)


@collections_router.post("/fulfilments/{fulfilment_id}/put-back")
async def confirm_put_back(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Say that what was not collected, or was unpacked, lies on its shelf again. 409 NOTHING_TO_PUT_BACK."""
    values = {
        "request_id": new_act_id(f"put-back/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "actor": caller.subject,
        "reach": plain(access.reach(caller, fulfilment_id, _NOBODY_ELSE)),
    }
    request = message(collections.ConfirmPutBackRequest, values)
    return _view((await clients.act(clients.collections.ConfirmPutBack, request)).fulfilment)


@collections_router.get("/points/{point_id}/put-backs")
async def list_put_backs(point_id: PointId, caller: CallerIs, clients: ClientsAre) -> Listed[FulfilmentView]:
    """List what was not collected, or was packed in vain, and is to be put back: the oldest first, at most 500."""
    access.check_point(caller, point_id)
    request = collections.ListPutBacksRequest(reach=orders.Reach(point_ids=[point_id]), size=500)
    found = await clients.read(clients.collections.ListPutBacks, request)
    return Listed(items=[_shown(one) for one in found.fulfilments])


@collections_router.post("/fulfilments/{fulfilment_id}/unlock-collection")
async def unlock(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Let the code be tried again after too many wrong ones. 409 NOT_LOCKED, NOT_READY."""
    await _check_work(fulfilment_id, caller, clients)
    values = {
        "request_id": new_act_id(f"unlock-collection/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "actor": caller.subject,
    }
    request = message(collections.UnlockCollectionRequest, values)
    return _view((await clients.act(clients.collections.UnlockCollection, request)).fulfilment)


@collections_router.post("/fulfilments/{fulfilment_id}/extend-collection")
async def extend(
    fulfilment_id: FulfilmentId, body: KeptLonger, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Keep what waits for longer: the customer comes on Saturday. 409 NOT_READY."""
    await _check_work(fulfilment_id, caller, clients)
    values = {
        "request_id": new_act_id(f"extend-collection/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "keep_until": body.keep_until,
        "actor": caller.subject,
    }
    request = message(collections.ExtendCollectionRequest, values)
    return _view((await clients.act(clients.collections.ExtendCollection, request)).fulfilment)


@collections_router.get("/orders/{order_id}/collection-codes")
async def read_codes(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[CollectionCodeView]:
    """Read the codes of what is ready, to show them to the customer. Stores never see them."""
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    request = collections.GetCollectionCodesRequest(order_id=order_id)
    found = await clients.read(clients.collections.GetCollectionCodes, request)
    return Listed(items=[CollectionCodeView.model_validate(plain(one)) for one in found.codes])


@collections_router.post("/orders/{order_id}/collection-choice")
async def choose(
    order_id: OrderId, body: CollectionChoice, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> CustomerChoiceView:
    """Say what becomes of what the store does not have ready: another store, a delivery, or the money back.

    409 NOT_ASKED, CHOICE_OVER, OPTION_NOT_OFFERED; 422 ADDRESS_NEEDED for a delivery of an order without one.
    """
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    values = {
        "request_id": new_act_id(f"collection-choice/{order_id}", caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        **body.model_dump(),
    }
    made = await clients.act(clients.collections.Choose, message(collections.ChooseRequest, values))
    return CustomerChoiceView.model_validate(plain(made.choice))


@collections_router.get("/collections/no-shows")
async def list_no_shows(
    filters: Annotated[NoShowFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Listed[NoShowsView]:
    """List by store how many e-reservations ended, and how many of them nobody came for."""
    mine = access.points_worked(caller, _PLANNERS_AND_SERVICE)
    for point_id in filters.point_id:
        access.check_point(caller, point_id, _PLANNERS_AND_SERVICE)
    if mine is not None and not mine:
        return Listed(items=[])
    values = {"point_ids": filters.point_id or sorted(mine or ()), "since": filters.since, "until": filters.until}
    found = await clients.read(clients.collections.GetNoShows, message(collections.GetNoShowsRequest, values))
    return Listed(items=[_no_shows(one) for one in found.no_shows])


@collections_router.get("/orders/{order_id}/no-shows")
async def read_no_shows(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> NoShowsView:
    """Read how often whoever placed this order, by customer id or e-mail, did not come for an e-reservation."""
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    request = collections.GetNoShowsRequest(order_id=order_id)
    (found,) = (await clients.read(clients.collections.GetNoShows, request)).no_shows
    return _no_shows(found)


async def _check_work(fulfilment_id: str, caller: CallerIs, clients: ClientsAre) -> None:
    found = await clients.read(
        clients.orders.GetFulfilment, orders.GetFulfilmentRequest(fulfilment_id=fulfilment_id)
    )
    access.check_fulfilment(caller, found, access.SERVICE)


def _no_shows(found: collections.NoShows) -> NoShowsView:
    rate = found.no_shows / found.ended if found.ended else 0.0
    return NoShowsView(
        point_id=found.point_id or None, ended=found.ended, no_shows=found.no_shows, rate=round(rate, 4)
    )


def _shown(fulfilment: orders.Fulfilment) -> FulfilmentView:
    return FulfilmentView.model_validate(reading.fulfilment_values(fulfilment))


def _view(fulfilment: orders.Fulfilment) -> FulfilmentView:
    # The caller named a fulfilment; only the answer tells which order the act was about.
    with telemetry.about_order(fulfilment.order_id):
        return _shown(fulfilment)
