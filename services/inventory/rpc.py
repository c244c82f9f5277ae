"""oms.inventory.v1 over gRPC: translates requests and answers, and nothing else."""

from collections.abc import AsyncIterator

from kit import times
from kit.errors import InvalidArgument
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceServicer
from services.inventory import paging
from services.inventory import translate as t
from services.inventory.domain import commands
from services.inventory.domain.baskets import reservation_id
from services.inventory.domain.catalogue import Edit
from services.inventory.domain.declarations import id_of
from services.inventory.domain.ledger import Position
from services.inventory.service import InventoryService
from services.inventory.shelf_translate import declaration_out, reason_in, short_reasons_in
from services.inventory.watch import StockWatch
from services.inventory.watch_translate import message_out

DEFAULT_EXPIRY_LIMIT = 500
# Whoever writes settings without saying who.
UNNAMED = "unnamed"
# Above every version: pages go down from here.
NO_VERSION = 2**31 - 1


class InventoryRpc(InventoryServiceServicer):
    """The servicer. Errors of the service pass through; kit.rpc answers them."""

    def __init__(self, service: InventoryService, watch: StockWatch) -> None:
        self._service = service
        self._watch = watch

    async def PutItems(self, request: pb.PutItemsRequest, context: object) -> pb.PutItemsResponse:
        changed = await self._service.put_items([t.item_in(item) for item in request.items], _edit(request))
        return pb.PutItemsResponse(changed=changed)

    async def ListItems(self, request: pb.ListItemsRequest, context: object) -> pb.ListItemsResponse:
        asked = paging.read(request.page, [""])
        found = await self._service.list_items(
            request.skus,
            str(asked.after[0]),
            asked.size + 1,
            reference=request.reference,
            gtins=request.gtins,
        )
        rows, page = paging.split(asked, found, lambda item: [item.sku])
        return pb.ListItemsResponse(items=[t.item_out(item) for item in rows], page=page)

    async def PutStockPoints(
        self, request: pb.PutStockPointsRequest, context: object
    ) -> pb.PutStockPointsResponse:
        points = [t.point_in(point, f"points[{i}]") for i, point in enumerate(request.points)]
        return pb.PutStockPointsResponse(changed=await self._service.put_stock_points(points, _edit(request)))

    async def ListStockPoints(
        self, request: pb.ListStockPointsRequest, context: object
    ) -> pb.ListStockPointsResponse:
        points = await self._service.list_stock_points()
        return pb.ListStockPointsResponse(points=[t.point_out(point) for point in points])

    async def PutChannels(self, request: pb.PutChannelsRequest, context: object) -> pb.PutChannelsResponse:
        channels = [t.channel_in(channel, f"channels[{i}]") for i, channel in enumerate(request.channels)]
        return pb.PutChannelsResponse(changed=await self._service.put_channels(channels, _edit(request)))

    async def ListChannels(self, request: pb.ListChannelsRequest, context: object) -> pb.ListChannelsResponse:
        channels = await self._service.list_channels()
        return pb.ListChannelsResponse(channels=[t.channel_out(channel) for channel in channels])

    async def ListVersions(self, request: pb.ListVersionsRequest, context: object) -> pb.ListVersionsResponse:
        if request.kind not in t.SETTING_KINDS:
            raise InvalidArgument("kind", "not item, point or channel")
        asked = paging.read(request.page, [NO_VERSION])
        found = await self._service.list_versions(
            t.SETTING_KINDS[request.kind], request.key, int(asked.after[0]), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda one: [one.version])
        return pb.ListVersionsResponse(versions=[t.version_out(one) for one in rows], page=page)

    async def AdjustStock(self, request: pb.AdjustStockRequest, context: object) -> pb.AdjustStockResponse:
        balances = await self._service.adjust_stock(
            commands.AdjustStock(
                request_id=request.request_id,
                deltas=tuple(
                    commands.StockDelta(delta.sku, delta.point_id, delta.quantity) for delta in request.deltas
                ),
                cause=t.cause_in(request.cause),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.AdjustStockResponse(balances=[t.balance_out(balance) for balance in balances])

    async def DeclareUnavailable(
        self, request: pb.DeclareUnavailableRequest, context: object
    ) -> pb.DeclareUnavailableResponse:
        answer = await self._service.declare_unavailable(
            commands.DeclareUnavailable(
                request_id=request.request_id,
                sku=request.sku,
                point_id=request.point_id,
                quantity=request.quantity,
                reason=reason_in(request.reason, request.cause.cause),
                cause=t.cause_in(request.cause),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.DeclareUnavailableResponse(
            balance=t.balance_out(answer.balance), declaration=declaration_out(answer.declarations[0])
        )

    async def ReleaseUnavailable(
        self, request: pb.ReleaseUnavailableRequest, context: object
    ) -> pb.ReleaseUnavailableResponse:
        by, position = request.declared_by, Position(request.sku, request.point_id)
        declared = id_of(by, position) if by else ""
        answer = await self._service.release_unavailable(
            commands.ReleaseUnavailable(
                request_id=request.request_id,
                declaration_id=request.declaration_id or declared,
                sku="" if declared else request.sku,
                point_id="" if declared else request.point_id,
                quantity=request.quantity,
                cause=t.cause_in(request.cause),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReleaseUnavailableResponse(
            balance=t.balance_out(answer.balance), declarations=map(declaration_out, answer.declarations)
        )

    async def ListBalances(self, request: pb.ListBalancesRequest, context: object) -> pb.ListBalancesResponse:
        asked = paging.read(request.page, ["", ""])
        after = Position(str(asked.after[0]), str(asked.after[1]))
        found = await self._service.list_balances(request.skus, request.point_ids, after, asked.size + 1)
        rows, page = paging.split(asked, found, lambda balance: balance.position)
        return pb.ListBalancesResponse(balances=[t.balance_out(balance) for balance in rows], page=page)

    async def ListMovements(self, request: pb.ListMovementsRequest, context: object) -> pb.ListMovementsResponse:
        asked = paging.read(request.page, [0])
        found = await self._service.list_movements(
            request.sku, request.point_id, int(asked.after[0]), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda row: [row[0]])
        return pb.ListMovementsResponse(movements=[t.movement_out(*row) for row in rows], page=page)

    async def GetAvailability(
        self, request: pb.GetAvailabilityRequest, context: object
    ) -> pb.GetAvailabilityResponse:
        figures = await self._service.get_availability(
            request.channel_id,
            request.skus,
            now=times.field_or_now(request, "as_of"),
            purpose=t.purpose_in(request.purpose),
            explain=request.explain,
        )
        return pb.GetAvailabilityResponse(availabilities=[t.availability_out(figure) for figure in figures])

    async def Reserve(self, request: pb.ReserveRequest, context: object) -> pb.ReserveResponse:
        answer = await self._service.reserve(
            commands.Reserve(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                channel_id=request.channel_id,
                lines=t.lines_in(request.lines),
                time_to_live_seconds=request.time_to_live_seconds,
                allow_partial=request.allow_partial,
                as_of=times.field_or_now(request, "as_of"),
                purpose=t.purpose_in(request.purpose),
                basket=reservation_id(request.channel_id, request.basket_id) if request.basket_id else None,
            )
        )
        return pb.ReserveResponse(
            reserved=answer.done,
            reservation=t.reservation_out(answer.reservation),
            shortfalls=t.shortfalls_out(answer.shortfalls),
        )

    async def Confirm(self, request: pb.ConfirmRequest, context: object) -> pb.ConfirmResponse:
        reservation = await self._service.confirm(request.reservation_id, times.field_or_now(request, "as_of"))
        return pb.ConfirmResponse(reservation=t.reservation_out(reservation))

    async def Release(self, request: pb.ReleaseRequest, context: object) -> pb.ReleaseResponse:
        released = await self._service.release(
            commands.Release(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                lines=t.lines_in(request.lines),
                reason=request.reason,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReleaseResponse(released=t.lines_out(released))

    async def Issue(self, request: pb.IssueRequest, context: object) -> pb.IssueResponse:
        balances = await self._service.issue(
            commands.Issue(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                lines=t.lines_in(request.lines),
                reference=request.reference,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.IssueResponse(balances=[t.balance_out(balance) for balance in balances])

    async def MoveReservation(
        self, request: pb.MoveReservationRequest, context: object
    ) -> pb.MoveReservationResponse:
        answer = await self._service.move_reservation(
            commands.MoveReservation(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                moves=t.moves_in(request.moves),
                as_of=times.field_or_now(request, "as_of"),
                purpose=t.purpose_in(request.purpose),
            )
        )
        return pb.MoveReservationResponse(
            moved=answer.done,
            reservation=t.reservation_out(answer.reservation),
            shortfalls=t.shortfalls_out(answer.shortfalls),
        )

    async def ReportShort(self, request: pb.ReportShortRequest, context: object) -> pb.ReportShortResponse:
        balances = await self._service.report_short(
            commands.ReportShort(
                request_id=request.request_id,
                reservation_id=request.reservation_id,
                lines=t.lines_in(request.lines),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
                reasons=short_reasons_in(request.reasons),
            )
        )
        return pb.ReportShortResponse(balances=[t.balance_out(balance) for balance in balances])

    async def GetReservation(
        self, request: pb.GetReservationRequest, context: object
    ) -> pb.GetReservationResponse:
        reservation = await self._service.get_reservation(request.reservation_id)
        return pb.GetReservationResponse(reservation=t.reservation_out(reservation))

    async def ExpireReservations(
        self, request: pb.ExpireReservationsRequest, context: object
    ) -> pb.ExpireReservationsResponse:
        ended = await self._service.expire_reservations(
            times.field_or_now(request, "as_of"), request.limit or DEFAULT_EXPIRY_LIMIT
        )
        return pb.ExpireReservationsResponse(reservation_ids=ended)

    async def FindDifferences(
        self, request: pb.FindDifferencesRequest, context: object
    ) -> pb.FindDifferencesResponse:
        found = await self._service.find_differences()
        return pb.FindDifferencesResponse(
            checked=await self._service.count_balances(),
            differences=[
                pb.BalanceDifference(
                    balance=t.balance_out(one.balance),
                    ledger=t.balance_out(one.ledger),
                    held=one.held,
                    declared=one.declared,
                )
                for one in found
            ],
        )

    async def ListHolds(self, request: pb.ListHoldsRequest, context: object) -> pb.ListHoldsResponse:
        if request.reservation_ids:
            named = await self._service.list_holds(request.reservation_ids)
            return pb.ListHoldsResponse(reservations=filter(None, map(t.reservation_out, named)))
        asked = paging.read(request.page, [""])
        found = await self._service.list_holds((), str(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda one: [one.reservation_id])
        return pb.ListHoldsResponse(reservations=filter(None, map(t.reservation_out, rows)), page=page)

    async def WatchStock(
        self, request: pb.WatchStockRequest, context: object
    ) -> AsyncIterator[pb.WatchStockResponse]:
        async for message in self._watch.watch(request.after_sequence):
            response = message_out(message)
            response.sent_at.CopyFrom(times.to_proto(times.now()))
            yield response


def _edit(request: pb.PutItemsRequest | pb.PutStockPointsRequest | pb.PutChannelsRequest) -> Edit:
    return Edit(request.actor or UNNAMED, times.field_or_now(request, "as_of"))
