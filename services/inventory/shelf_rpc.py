"""oms.inventory.v1.ShelfService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.inventory.v1 import shelf_service_pb2 as pb
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceServicer
from services.inventory import paging
from services.inventory import shelf_translate as t
from services.inventory.business_days import BusinessDays
from services.inventory.counting import Counting
from services.inventory.domain import shelf_commands as commands
from services.inventory.shelf import Shelf
from services.inventory.translate import balance_out

# Before the first row of a list that begins with the newest.
_NEWEST = 2**63 - 1


class ShelfRpc(ShelfServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, shelf: Shelf, days: BusinessDays, counting: Counting) -> None:
        self._shelf = shelf
        self._days = days
        self._counting = counting

    async def GetDeclaration(
        self, request: pb.GetDeclarationRequest, context: object
    ) -> pb.GetDeclarationResponse:
        found = await self._shelf.get_declaration(request.declaration_id)
        return pb.GetDeclarationResponse(declaration=t.declaration_out(found))

    async def ListDeclarations(
        self, request: pb.ListDeclarationsRequest, context: object
    ) -> pb.ListDeclarationsResponse:
        asked = paging.read(request.page, ["", ""])
        found = await self._shelf.list_declarations(
            request.point_id,
            request.sku,
            t.instant_key(asked.after),
            asked.size + 1,
            with_ended=request.with_ended,
        )
        rows, page = paging.split(asked, found, lambda one: [one.declared_at.isoformat(), one.declaration_id])
        return pb.ListDeclarationsResponse(declarations=map(t.declaration_out, rows), page=page)

    async def RecordTillSale(
        self, request: pb.RecordTillSaleRequest, context: object
    ) -> pb.RecordTillSaleResponse:
        answer = await self._shelf.record_till_sale(
            commands.RecordTillSale(
                request_id=request.request_id,
                sku=request.sku,
                point_id=request.point_id,
                quantity=request.quantity,
                sold_at=times.field_or_none(request, "sold_at"),
                actor=request.actor,
                receipt=request.receipt,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.RecordTillSaleResponse(balance=balance_out(answer.balance), effect=t.effect_out(answer.effect))

    async def RecordTillReturn(
        self, request: pb.RecordTillReturnRequest, context: object
    ) -> pb.RecordTillReturnResponse:
        answer = await self._shelf.record_till_return(
            commands.RecordTillReturn(
                request_id=request.request_id,
                sku=request.sku,
                point_id=request.point_id,
                quantity=request.quantity,
                returned_at=times.field_or_none(request, "returned_at"),
                actor=request.actor,
                receipt=request.receipt,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.RecordTillReturnResponse(balance=balance_out(answer.balance), effect=t.effect_out(answer.effect))

    async def CloseBusinessDay(
        self, request: pb.CloseBusinessDayRequest, context: object
    ) -> pb.CloseBusinessDayResponse:
        report = await self._days.close(
            commands.CloseBusinessDay(
                request_id=request.request_id,
                point_id=request.point_id,
                business_date=t.date_in(request.business_date),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.CloseBusinessDayResponse(report=t.report_out(report))

    async def GetAdjustmentReport(
        self, request: pb.GetAdjustmentReportRequest, context: object
    ) -> pb.GetAdjustmentReportResponse:
        found = await self._days.get_report(request.report_id)
        return pb.GetAdjustmentReportResponse(report=t.report_out(found))

    async def ListAdjustmentReports(
        self, request: pb.ListAdjustmentReportsRequest, context: object
    ) -> pb.ListAdjustmentReportsResponse:
        asked = paging.read(request.page, [""])
        found = await self._days.list_reports(request.point_id, t.date_key(asked.after), asked.size + 1)
        rows, page = paging.split(asked, found, lambda one: [one.business_date.isoformat()])
        return pb.ListAdjustmentReportsResponse(reports=map(t.report_out, rows), page=page)

    async def RecordReceipt(self, request: pb.RecordReceiptRequest, context: object) -> pb.RecordReceiptResponse:
        receipt, balances = await self._shelf.record_receipt(
            commands.RecordReceipt(
                request_id=request.request_id,
                point_id=request.point_id,
                reference=request.reference,
                lines=t.receipt_lines_in(request.lines),
                actor=request.actor,
                received_at=times.field_or_none(request, "received_at"),
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.RecordReceiptResponse(
            receipt=t.receipt_out(receipt), balances=[balance_out(balance) for balance in balances]
        )

    async def ListReceipts(self, request: pb.ListReceiptsRequest, context: object) -> pb.ListReceiptsResponse:
        asked = paging.read(request.page, [_NEWEST])
        found = await self._shelf.list_receipts(request.point_id, int(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda row: [row[0]])
        return pb.ListReceiptsResponse(receipts=[t.receipt_out(one) for _, one in rows], page=page)

    async def OpenCount(self, request: pb.OpenCountRequest, context: object) -> pb.OpenCountResponse:
        count = await self._counting.open_count(
            commands.OpenCount(
                request_id=request.request_id,
                point_id=request.point_id,
                skus=tuple(request.skus),
                categories=tuple(request.categories),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.OpenCountResponse(count=t.count_out(count))

    async def RecordCount(self, request: pb.RecordCountRequest, context: object) -> pb.RecordCountResponse:
        count = await self._counting.record_count(
            commands.RecordCount(
                request_id=request.request_id,
                count_id=request.count_id,
                lines=t.counted_in(request.lines),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.RecordCountResponse(count=t.count_out(count))

    async def CloseCount(self, request: pb.CloseCountRequest, context: object) -> pb.CloseCountResponse:
        as_of = times.field_or_now(request, "as_of")
        command = commands.CloseCount(request.request_id, request.count_id, request.actor, as_of)
        return pb.CloseCountResponse(count=t.count_out(await self._counting.close_count(command)))

    async def CancelCount(self, request: pb.CancelCountRequest, context: object) -> pb.CancelCountResponse:
        as_of = times.field_or_now(request, "as_of")
        command = commands.CancelCount(request.request_id, request.count_id, request.actor, as_of)
        return pb.CancelCountResponse(count=t.count_out(await self._counting.cancel_count(command)))

    async def GetCount(self, request: pb.GetCountRequest, context: object) -> pb.GetCountResponse:
        return pb.GetCountResponse(count=t.count_out(await self._counting.get_count(request.count_id)))

    async def ListCounts(self, request: pb.ListCountsRequest, context: object) -> pb.ListCountsResponse:
        asked = paging.read(request.page, [_NEWEST])
        found = await self._counting.list_counts(request.point_id, int(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda row: [row[0]])
        return pb.ListCountsResponse(counts=[t.count_out(one) for _, one in rows], page=page)
