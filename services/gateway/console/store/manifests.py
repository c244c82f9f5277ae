"""The page of what waits for carriers: each takes all its parcels at once, and signs for them."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from kit.errors import OmsError
from kit.values.ids import new_id
from services.gateway.clients import Clients
from services.gateway.console import session
from services.gateway.console.store import words
from services.gateway.console.store.showing import body, language_of, own_place, page, text
from services.gateway.guard import ClientsAre
from services.gateway.routes import manifests, work
from services.gateway.routes.common import ManifestId, PointId
from services.gateway.schemas.manifests import ManifestClosed, ManifestClosing, ManifestFilters
from services.gateway.schemas.work import WorkFilters

manifest_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_MOST_SHOWN = 500
_LATEST = 5


@manifest_pages.get("/console/store/{point_id}/manifests")
async def show(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """The parcels that wait, by carrier, and the manifests of before."""
    return await _shown(request, clients, point_id)


@manifest_pages.post("/console/store/{point_id}/manifests")
async def close(request: Request, clients: ClientsAre, point_id: PointId) -> Response:
    """Hands all parcels of a carrier over, and shows what left and what stays. A repeated `key` does it once."""
    caller = session.caller_of(request)
    session.check_same_site(request)
    await own_place(request, clients, point_id)
    async with request.form(max_files=0, max_fields=20) as form:
        carrier_id, key = text(form, "carrier_id"), text(form, "key") or None
    try:
        closing = body(ManifestClosing, carrier_id=carrier_id)
        done = await manifests.close_manifest(point_id, closing, caller, clients, key)
    except OmsError as error:
        return await _shown(request, clients, point_id, error=error)
    return await _shown(request, clients, point_id, done=done)


@manifest_pages.get("/console/store/{point_id}/manifests/{manifest_id}/print.pdf")
async def print_one(request: Request, clients: ClientsAre, point_id: PointId, manifest_id: ManifestId) -> Response:
    """A manifest for the driver to sign."""
    await own_place(request, clients, point_id)
    caller = session.caller_of(request)
    return await manifests.print_manifest(manifest_id, request, caller, clients, language_of(request))


async def _shown(
    request: Request,
    clients: Clients,
    point_id: str,
    *,
    done: ManifestClosed | None = None,
    error: OmsError | None = None,
) -> Response:
    caller = session.caller_of(request)
    place = await own_place(request, clients, point_id)
    packed = await work.list_work(point_id, WorkFilters(status=["packed"], size=_MOST_SHOWN), caller, clients)
    latest = await manifests.list_manifests(point_id, ManifestFilters(size=_LATEST), caller, clients)
    return page(
        request,
        "store/manifests.html",
        error.http_status if error else 200,
        place=place,
        waiting=sorted(Counter(one.carrier_id for one in packed.items).items()),
        orders={one.id: one.order_id for one in packed.items},
        latest=latest.items,
        closed=done,
        told=lambda kept: words.problem_in(language_of(request), kept.reason, kept.detail),
        error=error,
        key=new_id("key"),
    )
