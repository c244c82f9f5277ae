"""What comes to a hub: each parcel with what should be in it, and what was. The act is the one of REST."""

from collections import defaultdict

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import InvalidArgument, OmsError
from kit.values.ids import new_id
from services.gateway.clients import Clients
from services.gateway.console import session
from services.gateway.console.store import pages, showing
from services.gateway.guard import ClientsAre
from services.gateway.places import places_of
from services.gateway.routes import consolidation
from services.gateway.routes.common import PointId
from services.gateway.schemas.consolidation import ArrivedUnits, Receipt

arrival_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_HERE, _DAMAGED = "here.", "damaged."


@arrival_pages.get("/console/store/{point_id}/arrivals")
async def list_page(request: Request, clients: ClientsAre, point_id: PointId, done: str = "") -> Response:
    """What is on its way to a hub, the earliest expected first."""
    return await _shown(request, clients, point_id, done=done)


@arrival_pages.post("/console/store/{point_id}/arrivals")
async def receive(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """Says what was in a parcel. A repeated `key` does it once."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await showing.own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=4_100) as form:
        units: dict[int, dict[str, int]] = defaultdict(dict)
        try:
            for name, value in form.multi_items():
                for prefix, field in ((_HERE, "quantity"), (_DAMAGED, "damaged")):
                    if name.startswith(prefix):
                        number = showing.number(name.removeprefix(prefix), name)
                        units[number][field] = showing.number(str(value).strip() or "0", name)
            said = [
                showing.body(ArrivedUnits, line_number=number, **{"quantity": 0, **counts})
                for number, counts in sorted(units.items())
            ]
            fulfilment_id = str(form.get("work", ""))
            if not fulfilment_id:
                raise InvalidArgument("work", "say which parcel")
            receipt = showing.body(Receipt, units=said)
            key = str(form.get("key", "")) or None
            await consolidation.receive(fulfilment_id, receipt, caller, clients, key)
        except OmsError as error:
            return await _shown(request, clients, point_id, error=error)
    return RedirectResponse(f"{request.url.path}?done=receive", 303)


async def _shown(
    request: Request, clients: Clients, point_id: str, *, done: str = "", error: OmsError | None = None
) -> Response:
    place = await showing.own_place(request, clients, point_id)
    found = await pages.coming(clients, session.caller_of(request), point_id)
    return showing.page(
        request,
        "store/arrivals.html",
        error.http_status if error else 200,
        place=place,
        arrivals=found,
        places=await places_of(request, clients).all(),
        error=error,
        done=done,
        key=new_id("key"),
    )
