"""The page of one article on the shelf, found by its code: what cannot be sold, and how many there are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import InvalidArgument, NotFound, OmsError
from kit.values.gs1 import is_gtin
from kit.values.ids import new_id
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import merchandising_service_pb2 as merchandising
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console import session
from services.gateway.console.store.showing import MISSING_REASONS, body, number, own_place, page, text
from services.gateway.guard import ClientsAre
from services.gateway.routes import shelf
from services.gateway.routes.common import PointId
from services.gateway.schemas.shelf import CountedLine, CountedLines, CountOrder, DeclarationOrder

shelf_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_SKU = re.compile(r"[A-Za-z0-9._/-]{1,64}")


@dataclass(frozen=True, slots=True)
class _Article:
    sku: str
    title: str
    gtin: str
    location: str


@shelf_pages.get("/console/store/{point_id}/shelf")
async def look(
    request: Request, clients: ClientsAre, point_id: PointId, code: str = "", done: str = "", units: str = ""
) -> Response:
    """An article by its GTIN or SKU; without a code, the place to scan one."""
    return await _shown(request, clients, point_id, code.strip(), done=done, units=units)


@shelf_pages.post("/console/store/{point_id}/shelf")
async def act(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """Declares units unavailable, or says how many there are. A repeated `key` does it once."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=20) as form:
        fields = {name: text(form, name) for name in ("act", "sku", "quantity", "damaged", "reason", "key")}
    key = fields["key"] or new_id("key")
    try:
        match fields["act"]:
            case "declare":
                units = await _declare(clients, caller, point_id, fields, key)
            case "count":
                units = await _count(clients, caller, point_id, fields, key)
            case _:
                raise InvalidArgument("act", "declare or count")
    except OmsError as error:
        return await _shown(request, clients, point_id, fields["sku"], error=error)
    return RedirectResponse(f"{request.url.path}?done={fields['act']}&units={units}", 303)


async def _declare(clients: Clients, caller: Caller, point_id: str, fields: Mapping[str, str], key: str) -> int:
    quantity = number(fields["quantity"], "quantity")
    order = body(
        DeclarationOrder, sku=fields["sku"], quantity=quantity, reason=fields["reason"], source="store page"
    )
    await shelf.declare(point_id, order, key, caller, clients)
    return quantity


async def _count(clients: Clients, caller: Caller, point_id: str, fields: Mapping[str, str], key: str) -> int:
    """A count of the one article: what was counted differs from the books by so much."""
    sku = fields["sku"]
    line = body(
        CountedLine,
        sku=sku,
        counted=number(fields["quantity"], "quantity"),
        damaged=number(fields["damaged"] or "0", "damaged"),
    )
    opened = await shelf.open_count(point_id, body(CountOrder, skus=[sku]), f"{key}.open", caller, clients)
    try:
        await shelf.record_count(opened.count_id, CountedLines(lines=[line]), f"{key}.count", caller, clients)
    except InvalidArgument:
        # Nobody would find it again to close it.
        await shelf.cancel_count(opened.count_id, caller, clients, f"{key}.cancel")
        raise
    closed = await shelf.close_count(opened.count_id, caller, clients, f"{key}.close")
    return closed.lines[0].difference or 0


async def _shown(
    request: Request,
    clients: Clients,
    point_id: str,
    code: str,
    *,
    done: str = "",
    units: str = "",
    error: OmsError | None = None,
) -> Response:
    place = await own_place(request, clients, point_id)
    found: _Article | None = None
    if code:
        try:
            found = await _article(clients, point_id, code)
        except OmsError as missing:
            error = error or missing
    return page(
        request,
        "store/shelf.html",
        error.http_status if error else 200,
        place=place,
        article=found,
        reasons=MISSING_REASONS,
        error=error,
        done=done if done in ("declare", "count") else "",
        units=int(units) if units.removeprefix("-").isdecimal() and len(units) < 12 else 0,
        key=new_id("key"),
    )


async def _article(clients: Clients, point_id: str, code: str) -> _Article:
    """By its SKU, or the GTIN that a scanner read. NotFound / UNKNOWN_CODE."""
    found: list[inventory.Item] = []
    if is_gtin(code):
        asked = inventory.ListItemsRequest(gtins=[code])
        found = list((await clients.read(clients.inventory.ListItems, asked)).items)
    if not found and _SKU.fullmatch(code):
        asked = inventory.ListItemsRequest(skus=[code])
        known = (await clients.read(clients.inventory.ListItems, asked)).items
        found = [one for one in known if one.sku == code]
    if not found:
        raise NotFound("UNKNOWN_CODE", "this code is of no article")
    item = found[0]
    where = merchandising.ListPositionFactsRequest(skus=[item.sku], point_ids=[point_id])
    facts = (await clients.read(clients.merchandising.ListPositionFacts, where)).facts
    location = next((one.location.location for one in facts), "")
    return _Article(item.sku, item.title or item.sku, item.gtin, location)
