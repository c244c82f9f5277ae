"""What carriers take from points, many parcels at a time. Each order decides whether its parcel may leave."""

from typing import Annotated

from fastapi import Query, Request, Response

from kit.errors import NotFound
from oms.orders.v1 import manifest_service_pb2 as pb
from services.gateway import access, printing, sheets
from services.gateway.auth import Role
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.places import places_of
from services.gateway.routes.common import ManifestId, OptionalKey, PointId, new_act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.documents import Language
from services.gateway.schemas.manifests import (
    KeptParcelView,
    ManifestClosed,
    ManifestClosing,
    ManifestFilters,
    ManifestView,
)
from services.gateway.wire import message, plain, shown

manifests_router = router("manifests")

_NOBODY_ELSE: frozenset[Role] = frozenset()


@manifests_router.post("/points/{point_id}/manifests")
async def close_manifest(
    point_id: PointId, body: ManifestClosing, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> ManifestClosed:
    """Hand every packed parcel of a carrier over. What may not leave stays, and says why.

    409 NOTHING_TO_HAND_OVER when nothing of the carrier is packed.
    """
    request = pb.CloseManifestRequest(
        request_id=new_act_id(f"manifest/{point_id}", caller, key),
        point_id=point_id,
        carrier_id=body.carrier_id,
        actor=caller.subject,
        reach=access.reach_of_point(caller, point_id, _NOBODY_ELSE),
    )
    # It changes up to 200 orders.
    answer = await clients.check(clients.manifests.CloseManifest, request)
    return ManifestClosed(
        manifest=_view(answer.manifest) if answer.HasField("manifest") else None,
        kept=[shown(one, KeptParcelView) for one in answer.kept],
        left=answer.left,
    )


@manifests_router.get("/points/{point_id}/manifests")
async def list_manifests(
    point_id: PointId, filters: Annotated[ManifestFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[ManifestView]:
    """List the manifests of a point, newest first."""
    reach = access.reach_of_point(caller, point_id, access.SERVICE)
    request = message(pb.ListManifestsRequest, {"point_id": point_id, "page": filters.page, "reach": plain(reach)})
    found = await clients.read(clients.manifests.ListManifests, request)
    return Page(items=[_view(one) for one in found.manifests], next_cursor=found.page.next_cursor or None)


@manifests_router.get("/manifests/{manifest_id}")
async def read_manifest(manifest_id: ManifestId, caller: CallerIs, clients: ClientsAre) -> ManifestView:
    """Read a manifest."""
    # Word for word what orders says of one that does not exist.
    hidden = NotFound(
        "MANIFEST_NOT_FOUND", "there is no such manifest", field="manifest_id", manifest_id=manifest_id
    )
    reach = access.reach_of(caller, access.SERVICE, hidden)
    request = pb.GetManifestRequest(manifest_id=manifest_id, reach=reach)
    return _view((await clients.read(clients.manifests.GetManifest, request)).manifest)


@manifests_router.get("/manifests/{manifest_id}/print", responses=printing.PDF_RESPONSES, response_class=Response)
async def print_manifest(
    manifest_id: ManifestId, request: Request, caller: CallerIs, clients: ClientsAre, lang: Language = "en"
) -> Response:
    """Print a manifest for the driver to sign, A4."""
    found = await read_manifest(manifest_id, caller, clients)
    place = await places_of(request, clients).one(found.point_id)
    return printing.pdf_response(sheets.manifest_pdf(found, place, lang), f"manifest-{found.number}")


def _view(manifest: pb.Manifest) -> ManifestView:
    return shown(manifest, ManifestView, id=manifest.manifest_id)
