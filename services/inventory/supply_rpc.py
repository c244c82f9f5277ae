"""SupplyService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.inventory.v1 import supply_service_pb2 as pb
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceServicer
from services.inventory import paging
from services.inventory import supply_translate as s
from services.inventory import translate as t
from services.inventory.domain import supply_commands as commands
from services.inventory.future import FutureService
from services.inventory.store.supply import Filters
from services.inventory.supply import SupplyService

DEFAULT_LIMIT = 500


class SupplyRpc(SupplyServiceServicer):
    """The servicer. Errors of the services pass through; kit.rpc answers them."""

    def __init__(self, supply: SupplyService, future: FutureService) -> None:
        self._supply = supply
        self._future = future

    # -- deliveries ---------------------------------------------------------------------------------------

    async def PutExpectedDeliveries(
        self, request: pb.PutExpectedDeliveriesRequest, context: object
    ) -> pb.PutExpectedDeliveriesResponse:
        sent = [s.delivery_in(one, f"deliveries[{i}]") for i, one in enumerate(request.deliveries)]
        outcomes = await self._supply.put_deliveries(sent, times.field_or_now(request, "as_of"))
        return pb.PutExpectedDeliveriesResponse(
            results=[
                pb.PutResult(delivery_id=one.delivery_id, outcome=s.OUTCOMES[outcome])
                for one, outcome in zip(sent, outcomes, strict=True)
            ]
        )

    async def ListExpectedDeliveries(
        self, request: pb.ListExpectedDeliveriesRequest, context: object
    ) -> pb.ListExpectedDeliveriesResponse:
        asked = paging.read(request.page, [""])
        filters = Filters(
            tuple(request.delivery_ids),
            tuple(request.skus),
            tuple(request.point_ids),
            s.states_in(request.states),
            request.document,
        )
        found = await self._supply.list_deliveries(
            filters, str(asked.after[0]), asked.size + 1, times.field_or_now(request, "as_of")
        )
        rows, page = paging.split(asked, found, lambda view: [view.delivery.delivery_id])
        return pb.ListExpectedDeliveriesResponse(deliveries=[s.delivery_out(view) for view in rows], page=page)

    async def CancelExpectedDelivery(
        self, request: pb.CancelExpectedDeliveryRequest, context: object
    ) -> pb.CancelExpectedDeliveryResponse:
        answer = await self._supply.cancel(
            commands.CancelExpected(
                request_id=request.request_id,
                delivery_id=request.delivery_id,
                reason=request.reason,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.CancelExpectedDeliveryResponse(
            delivery=s.delivery_out(answer.view), lost=s.shares_out(answer.lost)
        )

    async def ReceiveExpectedDelivery(
        self, request: pb.ReceiveExpectedDeliveryRequest, context: object
    ) -> pb.ReceiveExpectedDeliveryResponse:
        answer = await self._supply.receive(
            commands.ReceiveExpected(
                request_id=request.request_id,
                delivery_id=request.delivery_id,
                quantity=request.quantity,
                damaged=request.damaged,
                close=request.close,
                actor=request.actor,
                source=request.source,
                at_points=tuple(request.at_points),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReceiveExpectedDeliveryResponse(
            delivery=s.delivery_out(answer.view),
            balance=t.balance_out(answer.balance) if answer.balance else None,
            served=s.shares_out(answer.served),
            lost=s.shares_out(answer.lost),
        )

    async def TellOverdue(self, request: pb.TellOverdueRequest, context: object) -> pb.TellOverdueResponse:
        told = await self._supply.tell_overdue(
            times.field_or_now(request, "as_of"), request.limit or DEFAULT_LIMIT
        )
        return pb.TellOverdueResponse(delivery_ids=told)

    async def FindSupplyDifferences(
        self, request: pb.FindSupplyDifferencesRequest, context: object
    ) -> pb.FindSupplyDifferencesResponse:
        found = await self._supply.find_differences()
        return pb.FindSupplyDifferencesResponse(
            differences=[s.difference_out(one.source, one.open, one.held) for one in found]
        )

    # -- what may be promised -----------------------------------------------------------------------------

    async def PutFutureRules(
        self, request: pb.PutFutureRulesRequest, context: object
    ) -> pb.PutFutureRulesResponse:
        changed = await self._future.put_rules(request.channel_id, s.rules_in(request.rules))
        return pb.PutFutureRulesResponse(changed=changed)

    async def GetFutureRules(
        self, request: pb.GetFutureRulesRequest, context: object
    ) -> pb.GetFutureRulesResponse:
        rules = await self._future.get_rules(request.channel_id)
        return pb.GetFutureRulesResponse(rules=s.rules_out(rules))

    async def GetFutureAvailability(
        self, request: pb.GetFutureAvailabilityRequest, context: object
    ) -> pb.GetFutureAvailabilityResponse:
        found = await self._future.get_availability(
            request.channel_id,
            request.skus,
            times.field_or_now(request, "as_of"),
            request.time_zone or "UTC",
        )
        return pb.GetFutureAvailabilityResponse(
            availabilities=[s.figures_out(one, explain=request.explain) for one in found]
        )

    async def PutPreorders(self, request: pb.PutPreordersRequest, context: object) -> pb.PutPreordersResponse:
        sent = [s.preorder_in(one, f"preorders[{i}]") for i, one in enumerate(request.preorders)]
        return pb.PutPreordersResponse(changed=await self._future.put_preorders(sent))

    async def ListPreorders(self, request: pb.ListPreordersRequest, context: object) -> pb.ListPreordersResponse:
        asked = paging.read(request.page, [""])
        found = await self._future.list_preorders(
            request.skus, request.channel_id, str(asked.after[0]), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda row: [row[0].preorder_id])
        return pb.ListPreordersResponse(preorders=[s.preorder_out(*row) for row in rows], page=page)

    # -- reservations of units to come --------------------------------------------------------------------

    async def ReserveFuture(self, request: pb.ReserveFutureRequest, context: object) -> pb.ReserveFutureResponse:
        answer = await self._future.reserve(
            commands.ReserveFuture(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                channel_id=request.channel_id,
                lines=s.lines_in(request.lines),
                time_to_live_seconds=request.time_to_live_seconds,
                allow_partial=request.allow_partial,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReserveFutureResponse(
            reserved=answer.done,
            reservation=s.reservation_out(answer.reservation),
            shortfalls=s.shortfalls_out(answer.shortfalls),
        )

    async def ConfirmFuture(self, request: pb.ConfirmFutureRequest, context: object) -> pb.ConfirmFutureResponse:
        found = await self._future.confirm(request.reservation_id, times.field_or_now(request, "as_of"))
        return pb.ConfirmFutureResponse(reservation=s.reservation_out(found))

    async def ReleaseFuture(self, request: pb.ReleaseFutureRequest, context: object) -> pb.ReleaseFutureResponse:
        released = await self._future.release(
            commands.ReleaseFuture(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                lines=s.lines_in(request.lines),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReleaseFutureResponse(released=s.lines_out(released))

    async def ExpireFuture(self, request: pb.ExpireFutureRequest, context: object) -> pb.ExpireFutureResponse:
        ended = await self._future.expire(times.field_or_now(request, "as_of"), request.limit or DEFAULT_LIMIT)
        return pb.ExpireFutureResponse(reservation_ids=ended)

    async def GetFutureReservation(
        self, request: pb.GetFutureReservationRequest, context: object
    ) -> pb.GetFutureReservationResponse:
        found = await self._future.get_reservation(request.reservation_id)
        return pb.GetFutureReservationResponse(reservation=s.reservation_out(found))

    async def ConvertPreorder(
        self, request: pb.ConvertPreorderRequest, context: object
    ) -> pb.ConvertPreorderResponse:
        answer = await self._future.convert_preorder(
            commands.ConvertPreorder(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                lines=t.lines_in(request.lines),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ConvertPreorderResponse(
            converted=answer.hold.done,
            reservation=t.reservation_out(answer.hold.reservation),
            shortfalls=t.shortfalls_out(answer.hold.shortfalls),
            waiting=s.reservation_out(answer.waiting),
        )
