"""ManifestService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import manifest_service_pb2 as pb
from oms.orders.v1.manifest_service_pb2_grpc import ManifestServiceServicer
from oms.type.v1 import type_pb2
from services.orders import wire
from services.orders.domain.manifests import Manifest
from services.orders.manifesting import Manifests, is_seen


class ManifestRpc(ManifestServiceServicer):
    """Its calls."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests

    @wire.checked
    async def CloseManifest(self, request: pb.CloseManifestRequest, context: Any) -> pb.CloseManifestResponse:
        done = await self._manifests.close(
            wire.asked(request),
            request.point_id,
            request.carrier_id,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.CloseManifestResponse(
            manifest=_from_manifest(done.manifest) if done.manifest else None,
            kept=[
                pb.KeptParcel(fulfilment_id=one.fulfilment_id, reason=one.reason, detail=one.detail)
                for one in done.kept
            ],
            left=done.left,
        )

    @wire.checked
    async def GetManifest(self, request: pb.GetManifestRequest, context: Any) -> pb.GetManifestResponse:
        found = await self._manifests.get(request.manifest_id, wire.to_reach(request.reach))
        return pb.GetManifestResponse(manifest=_from_manifest(found))

    @wire.checked
    async def ListManifests(self, request: pb.ListManifestsRequest, context: Any) -> pb.ListManifestsResponse:
        size, after = wire.to_id_page(request.page)
        if after and not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise InvalidArgument("page.cursor", "this cursor was not given by a page")
        found = await self._manifests.list_of(request.point_id, int(after or 0), size)
        reach = wire.to_reach(request.reach)
        more = str(found[-1].number) if len(found) == size else ""
        return pb.ListManifestsResponse(
            manifests=[_from_manifest(one) for one in found if is_seen(reach, one)],
            page=type_pb2.PageInfo(next_cursor=more),
        )


def _from_manifest(one: Manifest) -> pb.Manifest:
    return pb.Manifest(
        manifest_id=one.manifest_id,
        number=one.number,
        point_id=one.point_id,
        carrier_id=one.carrier_id,
        actor=one.actor,
        closed_at=wire.from_instant(one.closed_at),
        parcels=[
            pb.ManifestParcel(
                fulfilment_id=parcel.fulfilment_id,
                order_id=parcel.order_id,
                tracking_code=parcel.tracking_code,
                sscc=parcel.sscc,
                weight_grams=parcel.weight_grams,
                units=parcel.units,
            )
            for parcel in one.parcels
        ],
    )
