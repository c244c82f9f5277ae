"""Bulk actions: the same act on all orders that a filter chooses, tried first, and decided on one by one."""

import csv
import io
from typing import Annotated, Any

from fastapi import Path, Query, Response

from oms.orders.v1 import bulk_service_pb2 as pb
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, new_act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.bulk import (
    BulkActionView,
    BulkRequest,
    BulkResultsAsked,
    BulkResultView,
    BulkVerdictView,
)
from services.gateway.wire import message, plain

bulk_router = router("customer service")
BulkId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_COLUMNS = ("number", "order_id", "state", "reason", "detail", "decided_at")
_MOST = 500
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "A row for each order", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@bulk_router.post("/bulk-actions")
async def act(body: BulkRequest, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None) -> BulkActionView:
    """Try an act on a set of orders, or with `dry_run` false begin it. 403 for who may not do it to one.

    422 TOO_MANY_ORDERS above 2,000. Once begun it goes on by itself, also after a restart; each order is decided
    on by its own rules, and none twice.
    """
    access.check_every_order(caller)
    if body.act == "cancel":
        access.check_role(caller, access.SERVICE)
    chosen = body.filter
    wish = {
        "act": body.act,
        "hold_kind": body.hold_kind,
        "reason": body.reason,
        "channel_ids": [chosen.channel_id] if chosen.channel_id else [],
        "state": chosen.status,
        **chosen.model_dump(exclude={"channel_id", "status"}),
        "roles": sorted(caller.roles),
    }
    if body.dry_run:
        asked = message(pb.PreviewBulkActionRequest, {"wish": wish})
        found = await clients.check(clients.bulk.PreviewBulkAction, asked)
        return _tried(body, caller, found)
    values = {"request_id": new_act_id("bulk-action", caller, key), "wish": wish, "actor": caller.subject}
    answer = await clients.check(clients.bulk.StartBulkAction, message(pb.StartBulkActionRequest, values))
    return _view(answer.action)


@bulk_router.get("/bulk-actions/{bulk_id}")
async def read(bulk_id: BulkId, caller: CallerIs, clients: ClientsAre) -> BulkActionView:
    """Read how far a bulk action is."""
    access.check_every_order(caller)
    return _view((await _page(clients, bulk_id, {"size": 1})).action)


@bulk_router.get("/bulk-actions/{bulk_id}/results")
async def results(
    bulk_id: BulkId, page: Annotated[BulkResultsAsked, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[BulkResultView]:
    """List what came of each order, in the order in which they are worked on."""
    access.check_every_order(caller)
    found = await _page(clients, bulk_id, page.page)
    return Page(items=[_result(one) for one in found.results], next_cursor=found.page.next_cursor or None)


@bulk_router.get("/bulk-actions/{bulk_id}/results.csv", responses=_CSV, response_class=Response)
async def results_csv(bulk_id: BulkId, caller: CallerIs, clients: ClientsAre) -> Response:
    """Read what came of each order as a file."""
    access.check_every_order(caller)
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS)
    writer.writeheader()
    cursor = ""
    while True:
        found = await _page(clients, bulk_id, {"cursor": cursor, "size": _MOST})
        writer.writerows(_result(one).model_dump(mode="json") for one in found.results)
        cursor = found.page.next_cursor
        if not cursor:
            break
    headers = {"Content-Disposition": f'attachment; filename="{bulk_id}.csv"'}
    return Response(file.getvalue(), media_type="text/csv", headers=headers)


@bulk_router.post("/bulk-actions/{bulk_id}/stop")
async def stop(bulk_id: BulkId, caller: CallerIs, clients: ClientsAre) -> BulkActionView:
    """Leave orders that were not decided on yet as they are. What was done stays done."""
    access.check_every_order(caller)
    answer = await clients.act(clients.bulk.StopBulkAction, pb.StopBulkActionRequest(bulk_id=bulk_id))
    return _view(answer.action)


async def _page(clients: Clients, bulk_id: str, page: dict[str, Any]) -> pb.GetBulkActionResponse:
    asked = message(pb.GetBulkActionRequest, {"bulk_id": bulk_id, "page": page})
    return await clients.read(clients.bulk.GetBulkAction, asked)


def _view(action: pb.BulkAction) -> BulkActionView:
    values = plain(action)
    more: dict[str, Any] = {"id": action.bulk_id, "verdicts": []}
    more |= {name: getattr(action, name) or None for name in ("hold_kind", "point_id")}
    return BulkActionView.model_validate(values | more)


def _tried(body: BulkRequest, caller: Caller, found: pb.PreviewBulkActionResponse) -> BulkActionView:
    verdicts = [
        BulkVerdictView.model_validate(
            plain(one)
            | {"status": plain(one)["state"], "reason": one.reason or None, "detail": one.detail or None}
        )
        for one in found.verdicts
    ]
    return BulkActionView(
        id=None,
        act=body.act,
        hold_kind=body.hold_kind,
        point_id=body.filter.point_id,
        reason=body.reason,
        actor=caller.subject,
        requested_at=None,
        orders=found.orders,
        pending=0,
        done=0,
        refused=0,
        stopped=0,
        verdicts=verdicts,
    )


def _result(one: pb.BulkResult) -> BulkResultView:
    return BulkResultView.model_validate(plain(one) | {"reason": one.reason or None, "detail": one.detail or None})
