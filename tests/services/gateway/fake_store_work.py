"""Pick lists and manifests with canned answers: one list of two works, one manifest of one parcel."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import NotFound
from oms.orders.v1 import manifest_service_pb2 as manifests
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import picking_service_pb2 as picking
from oms.orders.v1.manifest_service_pb2_grpc import (
    ManifestServiceServicer,
    add_ManifestServiceServicer_to_server,
)
from oms.orders.v1.picking_service_pb2_grpc import PickingServiceServicer, add_PickingServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


def pick_work(
    slot: str, hours: int, *lines: tuple[str, int], is_open: bool = True, takes_others: bool = False
) -> picking.PickWork:
    """A work that must leave so many hours after midnight."""
    due = times.now().replace(hour=hours, minute=0, second=0, microsecond=0)
    return picking.PickWork(
        slot=slot,
        is_open=is_open,
        channel_order_number=f"W-{slot}",
        channel_id="web-fr",
        substitutable=range(1, len(lines) + 1) if takes_others else (),
        fulfilment=orders.Fulfilment(
            fulfilment_id=f"ful_{slot.lower()}",
            order_id=f"ord_{slot.lower()}",
            point_id="store-lyon",
            state=orders.FULFILMENT_STATE_ACCEPTED if is_open else orders.FULFILMENT_STATE_PICKED,
            hand_over_by=times.to_proto(due),
            lines=[
                orders.FulfilmentLine(line_number=n, sku=sku, quantity=quantity, title=f"Title of {sku}")
                for n, (sku, quantity) in enumerate(lines, start=1)
            ],
        ),
    )


def pick_list(*works: picking.PickWork, **changes: Any) -> picking.PickList:
    """Open, of anna."""
    return picking.PickList(
        pick_list_id="pkl_1",
        point_id="store-lyon",
        actor=changes.pop("actor", "anna"),
        opened_at=times.to_proto(times.now()),
        works=works or (pick_work("A", 16, ("SKU-1", 2)), pick_work("B", 9, ("SKU-1", 1), ("SKU-2", 1))),
        **changes,
    )


MANIFEST = manifests.Manifest(
    manifest_id="man_1",
    number=41,
    point_id="store-lyon",
    carrier_id="colisvite",
    actor="anna",
    closed_at=times.to_proto(times.now()),
    parcels=[
        manifests.ManifestParcel(
            fulfilment_id="ful_1",
            order_id="ord_1",
            tracking_code="6A12345678901",
            sscc="030123450000000017",
            weight_grams=640,
            units=2,
        )
    ],
)


class FakePicking(PickingServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def OpenPickList(self, request: Any, context: Any) -> picking.OpenPickListResponse:
        self._world.note("OpenPickList", request)
        return picking.OpenPickListResponse(pick_list=self._world.pick_list)

    async def GetPickList(self, request: Any, context: Any) -> picking.GetPickListResponse:
        self._world.note("GetPickList", request)
        return picking.GetPickListResponse(pick_list=self._seen(request))

    async def ListPickLists(self, request: Any, context: Any) -> picking.ListPickListsResponse:
        self._world.note("ListPickLists", request)
        return picking.ListPickListsResponse(pick_lists=[self._world.pick_list])

    async def PutBackWork(self, request: Any, context: Any) -> picking.PutBackWorkResponse:
        self._world.note("PutBackWork", request)
        return picking.PutBackWorkResponse(pick_list=self._seen(request))

    async def FinishPickList(self, request: Any, context: Any) -> picking.FinishPickListResponse:
        self._world.note("FinishPickList", request)
        left_over = [picking.LeftOver(sku="SKU-1", quantity=1)]
        return picking.FinishPickListResponse(pick_list=self._seen(request), left_over=left_over)

    def _seen(self, request: Any) -> picking.PickList:
        found = self._world.pick_list
        if request.reach.point_ids and found.point_id not in request.reach.point_ids:
            # As the service says it: services.orders.picking_store.no_pick_list.
            raise NotFound(
                "PICK_LIST_NOT_FOUND",
                "there is no such pick list",
                field="pick_list_id",
                pick_list_id=request.pick_list_id,
            )
        return found


class FakeManifests(ManifestServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def CloseManifest(self, request: Any, context: Any) -> manifests.CloseManifestResponse:
        self._world.note("CloseManifest", request)
        kept = [manifests.KeptParcel(fulfilment_id="ful_2", reason="ON_HOLD", detail="the order is held")]
        return manifests.CloseManifestResponse(manifest=MANIFEST, kept=kept)

    async def GetManifest(self, request: Any, context: Any) -> manifests.GetManifestResponse:
        self._world.note("GetManifest", request)
        if request.reach.point_ids and MANIFEST.point_id not in request.reach.point_ids:
            # As the service says it: services.orders.manifest_store.no_manifest.
            raise NotFound(
                "MANIFEST_NOT_FOUND",
                "there is no such manifest",
                field="manifest_id",
                manifest_id=request.manifest_id,
            )
        return manifests.GetManifestResponse(manifest=MANIFEST)

    async def ListManifests(self, request: Any, context: Any) -> manifests.ListManifestsResponse:
        self._world.note("ListManifests", request)
        return manifests.ListManifestsResponse(manifests=[MANIFEST])


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds them to a server."""
    add_PickingServiceServicer_to_server(FakePicking(world), server)
    add_ManifestServiceServicer_to_server(FakeManifests(world), server)
