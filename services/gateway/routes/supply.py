"""Stock to come: expected deliveries and their receipt, what channels may promise of them, pre-orders."""

from typing import Annotated

from fastapi import Path, Query

from oms.inventory.v1 import supply_service_pb2 as supply
from services.gateway import access
from services.gateway.auth import Caller, Role
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import ChannelId, RequiredKey, act_id, router
from services.gateway.schemas.base import Changed, Listed, Page
from services.gateway.schemas.supply import (
    Cancellation,
    CancellationView,
    DeliveryFilters,
    ExpectedDeliveries,
    ExpectedDeliveryView,
    FutureAvailabilityView,
    FutureFilters,
    FutureRules,
    FutureRulesView,
    PreorderFilters,
    Preorders,
    PreorderView,
    PutResults,
    PutResultView,
    Receipt,
    ReceiptView,
)
from services.gateway.wire import message, plain, sent, shown

supply_router = router("stock to come")

DeliveryId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
# Beside a point's own people.
_PLANNERS = frozenset({Role.SUPPLY_CHAIN})


@supply_router.put("/expected-deliveries")
async def put_deliveries(body: ExpectedDeliveries, clients: ClientsAre) -> PutResults:
    """Create or change expected deliveries. What is earlier than what is known is dropped, and said so."""
    answer = await clients.act(
        clients.supply.PutExpectedDeliveries, sent(supply.PutExpectedDeliveriesRequest, body)
    )
    return PutResults(items=[shown(one, PutResultView) for one in answer.results])


@supply_router.get("/expected-deliveries")
async def list_deliveries(
    filters: Annotated[DeliveryFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[ExpectedDeliveryView]:
    """List expected deliveries in the order of their ids: a store sees what comes to it."""
    points = _points(caller, filters.point_id)
    if points is not None and not points:
        return Page(items=[])
    values = {
        "page": filters.page,
        "skus": filters.sku,
        "point_ids": points or filters.point_id,
        "states": filters.state,
        "document": filters.document,
    }
    request = message(supply.ListExpectedDeliveriesRequest, values)
    found = await clients.read(clients.supply.ListExpectedDeliveries, request)
    items = [shown(one, ExpectedDeliveryView) for one in found.deliveries]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


def _points(caller: Caller, asked: list[str]) -> list[str] | None:
    """The points that the caller may see of those asked for; None for all."""
    mine = access.points_worked(caller, _PLANNERS)
    if mine is None:
        return None
    return sorted(mine & set(asked) if asked else mine)


@supply_router.post("/expected-deliveries/{delivery_id}/receive")
async def receive(
    delivery_id: DeliveryId, body: Receipt, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> ReceiptView:
    """Receive units of a delivery: they are on hand at once, and those who waited hold them."""
    points = access.receiving_points(caller, delivery_id)
    request = sent(
        supply.ReceiveExpectedDeliveryRequest,
        body,
        request_id=act_id("receive-expected", delivery_id, caller, None, key),
        delivery_id=delivery_id,
        actor=caller.subject,
        at_points=points,
    )
    answer = await clients.act(clients.supply.ReceiveExpectedDelivery, request)
    return shown(answer, ReceiptView)


@supply_router.post("/expected-deliveries/{delivery_id}/cancel")
async def cancel(
    delivery_id: DeliveryId, body: Cancellation, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> CancellationView:
    """Say that nothing more of a delivery will come; those who wait for it are told."""
    request = sent(
        supply.CancelExpectedDeliveryRequest,
        body,
        request_id=act_id("cancel-expected", delivery_id, caller, None, key),
        delivery_id=delivery_id,
    )
    answer = await clients.act(clients.supply.CancelExpectedDelivery, request)
    return shown(answer, CancellationView)


@supply_router.put("/channels/{channel_id}/future-rules")
async def put_rules(channel_id: ChannelId, body: FutureRules, clients: ClientsAre) -> Changed:
    """Replace what a channel may promise of stock to come."""
    request = message(supply.PutFutureRulesRequest, {"channel_id": channel_id, "rules": body.model_dump()})
    answer = await clients.act(clients.supply.PutFutureRules, request)
    return Changed(changed=int(answer.changed))


@supply_router.get("/channels/{channel_id}/future-rules")
async def get_rules(channel_id: ChannelId, clients: ClientsAre) -> FutureRulesView:
    """Read what a channel may promise of stock to come."""
    request = supply.GetFutureRulesRequest(channel_id=channel_id)
    return shown((await clients.read(clients.supply.GetFutureRules, request)).rules, FutureRulesView)


@supply_router.get("/channels/{channel_id}/future-availability")
async def future_availability(
    channel_id: ChannelId,
    filters: Annotated[FutureFilters, Query()],
    caller: CallerIs,
    clients: ClientsAre,
) -> Listed[FutureAvailabilityView]:
    """Read what the channel may promise beside what is available now, in the order asked for."""
    access.check_asks_for(caller, channel_id)
    request = supply.GetFutureAvailabilityRequest(
        channel_id=channel_id, skus=filters.sku, explain=filters.explain, time_zone=filters.time_zone or ""
    )
    found = await clients.read(clients.supply.GetFutureAvailability, request)
    return Listed(
        items=[
            FutureAvailabilityView.model_validate(
                plain(one) | {"zero_reason": one.zero_reason or None, "release_date": one.release_date or None}
            )
            for one in found.availabilities
        ]
    )


@supply_router.put("/preorders")
async def put_preorders(body: Preorders, clients: ClientsAre) -> Changed:
    """Create or replace pre-orders by id."""
    answer = await clients.act(clients.supply.PutPreorders, sent(supply.PutPreordersRequest, body))
    return Changed(changed=answer.changed)


@supply_router.get("/preorders")
async def list_preorders(filters: Annotated[PreorderFilters, Query()], clients: ClientsAre) -> Page[PreorderView]:
    """List pre-orders in the order of their ids."""
    values = {"page": filters.page, "skus": filters.sku, "channel_id": filters.channel_id}
    found = await clients.read(clients.supply.ListPreorders, message(supply.ListPreordersRequest, values))
    items = [shown(one, PreorderView) for one in found.preorders]
    return Page(items=items, next_cursor=found.page.next_cursor or None)
