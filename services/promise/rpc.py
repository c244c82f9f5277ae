"""oms.promise.v1.PromiseService over PromiseService. Only translates."""

from kit import telemetry, times
from oms.promise.v1 import promise_service_pb2 as pb
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceServicer
from services.promise import translate
from services.promise.service import PromiseService


class PromiseRpc(PromiseServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, service: PromiseService) -> None:
        self._service = service

    async def PutCarriers(self, request: pb.PutCarriersRequest, context: object) -> pb.PutCarriersResponse:
        """Creates or replaces carriers."""
        changed = await self._service.put_carriers(translate.to_carriers(request.carriers))
        return pb.PutCarriersResponse(changed=changed)

    async def ListCarriers(self, request: pb.ListCarriersRequest, context: object) -> pb.ListCarriersResponse:
        """All carriers."""
        carriers = await self._service.list_carriers()
        return pb.ListCarriersResponse(carriers=[translate.carrier_proto(carrier) for carrier in carriers])

    async def PutBoxes(self, request: pb.PutBoxesRequest, context: object) -> pb.PutBoxesResponse:
        """Replaces the catalogue of boxes."""
        changed = await self._service.put_boxes([translate.to_box(box) for box in request.boxes])
        return pb.PutBoxesResponse(changed=changed)

    async def ListBoxes(self, request: pb.ListBoxesRequest, context: object) -> pb.ListBoxesResponse:
        """All boxes."""
        boxes = await self._service.list_boxes()
        return pb.ListBoxesResponse(boxes=[translate.box_proto(box) for box in boxes])

    async def ChooseBox(self, request: pb.ChooseBoxRequest, context: object) -> pb.ChooseBoxResponse:
        """In which of its boxes a point packs units."""
        units = [(one.sku, one.quantity) for one in request.units]
        boxes, chosen = await self._service.choose_box(request.point_id, units)
        return pb.ChooseBoxResponse(
            boxes=[translate.box_proto(box) for box in boxes], box_id=chosen.box_id if chosen else ""
        )

    async def PutGeography(self, request: pb.PutGeographyRequest, context: object) -> pb.PutGeographyResponse:
        """Creates or replaces zones and postcode areas."""
        changed = await self._service.put_geography(
            [translate.to_zone(zone) for zone in request.zones],
            [translate.to_area(area) for area in request.areas],
        )
        return pb.PutGeographyResponse(changed=changed)

    async def Quote(self, request: pb.QuoteRequest, context: object) -> pb.QuoteResponse:
        """What can be promised."""
        appointments = [
            translate.to_appointment(one, f"appointments[{i}]") for i, one in enumerate(request.appointments)
        ]
        question = translate.to_quote_question(request)
        if request.elsewhere:
            return translate.quote_proto(await self._service.quote_elsewhere(question))
        return translate.quote_proto(await self._service.quote(question, appointments))

    async def QuoteListing(self, request: pb.QuoteListingRequest, context: object) -> pb.QuoteListingResponse:
        """What can be promised of a page of articles."""
        items, view = await self._service.quote_listing(translate.to_listing_question(request))
        return translate.listing_proto(items, view)

    async def PlanOrder(self, request: pb.PlanOrderRequest, context: object) -> pb.PlanOrderResponse:
        """Where to ship from."""
        with telemetry.about_order(request.order_id):
            decision = await self._service.plan_order(
                request_id=request.request_id,
                order_id=request.order_id,
                request=translate.to_plan_request(request),
                quote_id=request.quote_id,
                content=translate.plan_order_content(request),
                replaced=translate.to_places(request.replaced_legs),
            )
        return translate.plan_order_proto(decision)

    async def GetClosings(self, request: pb.GetClosingsRequest, context: object) -> pb.GetClosingsResponse:
        """When a point closes on its next opening days."""
        from_at = times.field_or_now(request, "from_at")
        closings = await self._service.closings(request.point_id, from_at, request.days)
        return pb.GetClosingsResponse(closings=map(times.to_proto, closings))

    async def GetReplicaStatus(
        self, request: pb.GetReplicaStatusRequest, context: object
    ) -> pb.GetReplicaStatusResponse:
        """How fresh the stock replica is."""
        status = self._service.replica_status(times.now())
        return pb.GetReplicaStatusResponse(
            stock=translate.stock_view_proto(status.view),
            positions=status.positions,
            lag_milliseconds=int(status.lag.total_seconds() * 1000),
        )
