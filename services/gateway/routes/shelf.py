"""What a shop says of its shelf. A point's people speak for their own point only; the supply chain for all."""

import csv
import io
import json
from typing import Annotated

from fastapi import Query, Response

from kit.errors import NotFound
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import shelf_service_pb2 as shelf
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import (
    CountId,
    DeclarationId,
    OptionalKey,
    PointId,
    ReportId,
    RequiredKey,
    act_id,
    new_act_id,
    router,
)
from services.gateway.schemas.base import Page, Paged
from services.gateway.schemas.network_views import BalanceView
from services.gateway.schemas.shelf import (
    AdjustmentReportDetail,
    AdjustmentReportView,
    CountDetail,
    CountedLines,
    CountOrder,
    CountView,
    DeclarationFilters,
    DeclarationOrder,
    DeclarationRelease,
    DeclarationView,
    DeclaredView,
    EndOfDay,
    ReceiptOrder,
    ReceiptView,
    ReceivedView,
    TillReturn,
    TillSale,
    TillView,
)
from services.gateway.wire import message, plain, sent, shown

shelf_router = router("shelf")


class CsvResponse(Response):
    """Lines for a spreadsheet or an import (RFC 4180)."""

    media_type = "text/csv"


class NdjsonResponse(Response):
    """One JSON object a line."""

    media_type = "application/x-ndjson"


# -- declarations -----------------------------------------------------------------------------------------


@shelf_router.post("/points/{point_id}/declarations", status_code=201)
async def declare(
    point_id: PointId, body: DeclarationOrder, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> DeclaredView:
    """Declare units unavailable: they leave every channel's image at once."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = message(
        inventory.DeclareUnavailableRequest,
        {
            "request_id": act_id("declare", point_id, caller, None, key),
            "sku": body.sku,
            "point_id": point_id,
            "quantity": body.quantity,
            "reason": body.reason,
            "cause": {"cause": body.reason, "actor": caller.subject, "source": body.source},
        },
    )
    answer = await clients.act(clients.inventory.DeclareUnavailable, request)
    return DeclaredView(
        declaration=shown(answer.declaration, DeclarationView), balance=shown(answer.balance, BalanceView)
    )


@shelf_router.get("/points/{point_id}/declarations")
async def list_declarations(
    point_id: PointId, filters: Annotated[DeclarationFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[DeclarationView]:
    """List a point's declarations, oldest first."""
    access.check_point(caller, point_id, access.PLANNERS)
    values = {
        "point_id": point_id,
        "sku": filters.sku,
        "with_ended": filters.with_ended,
        "page": filters.page,
    }
    found = await clients.read(clients.shelf.ListDeclarations, message(shelf.ListDeclarationsRequest, values))
    items = [shown(one, DeclarationView) for one in found.declarations]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@shelf_router.post("/declarations/{declaration_id}/release")
async def release(
    declaration_id: DeclarationId,
    body: DeclarationRelease,
    key: RequiredKey,
    caller: CallerIs,
    clients: ClientsAre,
) -> DeclaredView:
    """Give declared units back to the image, some or all."""
    asked = shelf.GetDeclarationRequest(declaration_id=declaration_id)
    found = await clients.read(clients.shelf.GetDeclaration, asked)
    if not _is_of(caller, found.declaration.point_id):
        raise NotFound("DECLARATION_NOT_FOUND", "there is no such declaration", declaration_id=declaration_id)
    request = message(
        inventory.ReleaseUnavailableRequest,
        {
            "request_id": act_id("release-declared", declaration_id, caller, None, key),
            "declaration_id": declaration_id,
            "quantity": body.quantity,
            "cause": {"cause": "release", "actor": caller.subject, "source": declaration_id},
        },
    )
    answer = await clients.act(clients.inventory.ReleaseUnavailable, request)
    return DeclaredView(
        declaration=shown(answer.declarations[0], DeclarationView), balance=shown(answer.balance, BalanceView)
    )


# -- the till ---------------------------------------------------------------------------------------------


@shelf_router.post("/points/{point_id}/till-sales", status_code=201)
async def sell(
    point_id: PointId, body: TillSale, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> TillView:
    """Tell what the till sold: a fact, recorded whatever the books say. The key names the receipt's line."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = sent(
        shelf.RecordTillSaleRequest,
        body,
        request_id=act_id("till-sale", point_id, caller, None, key),
        point_id=point_id,
        actor=caller.subject,
    )
    answer = await clients.act(clients.shelf.RecordTillSale, request)
    return shown(answer.effect, TillView, balance=plain(answer.balance))


@shelf_router.post("/points/{point_id}/till-returns", status_code=201)
async def take_back(
    point_id: PointId, body: TillReturn, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> TillView:
    """Tell what a customer brought back and lies on the shelf again."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = sent(
        shelf.RecordTillReturnRequest,
        body,
        request_id=act_id("till-return", point_id, caller, None, key),
        point_id=point_id,
        actor=caller.subject,
    )
    answer = await clients.act(clients.shelf.RecordTillReturn, request)
    return shown(answer.effect, TillView, balance=plain(answer.balance))


# -- the end of the day -----------------------------------------------------------------------------------


@shelf_router.post("/points/{point_id}/end-of-day")
async def end_day(
    point_id: PointId, body: EndOfDay, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> AdjustmentReportDetail:
    """Write off what is declared unavailable at a point; a date that is closed gives its report again."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = sent(
        shelf.CloseBusinessDayRequest,
        body,
        request_id=new_act_id(f"end-of-day/{point_id}", caller, key),
        point_id=point_id,
        actor=caller.subject,
    )
    answer = await clients.act(clients.shelf.CloseBusinessDay, request)
    return shown(answer.report, AdjustmentReportDetail)


@shelf_router.get("/points/{point_id}/adjustment-reports")
async def list_reports(
    point_id: PointId, filters: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[AdjustmentReportView]:
    """List a point's reports for the stock master, the newest date first."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = message(shelf.ListAdjustmentReportsRequest, {"point_id": point_id, "page": filters.page})
    found = await clients.read(clients.shelf.ListAdjustmentReports, request)
    items = [shown(one, AdjustmentReportView) for one in found.reports]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@shelf_router.get("/adjustment-reports/{report_id}")
async def read_report(report_id: ReportId, caller: CallerIs, clients: ClientsAre) -> AdjustmentReportDetail:
    """Read one report with its lines."""
    return shown(await _report(report_id, caller, clients), AdjustmentReportDetail)


@shelf_router.get("/adjustment-reports/{report_id}/lines.csv", response_class=CsvResponse)
async def read_csv(report_id: ReportId, caller: CallerIs, clients: ClientsAre) -> CsvResponse:
    """Read the lines of a report as CSV, with a heading."""
    file = io.StringIO()
    rows = _rows(await _report(report_id, caller, clients))
    writer = csv.DictWriter(file, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return CsvResponse(file.getvalue())


@shelf_router.get("/adjustment-reports/{report_id}/lines.ndjson", response_class=NdjsonResponse)
async def read_ndjson(report_id: ReportId, caller: CallerIs, clients: ClientsAre) -> NdjsonResponse:
    """Read the lines of a report as JSON, one line each."""
    rows = _rows(await _report(report_id, caller, clients))
    return NdjsonResponse("".join(json.dumps(row) + "\n" for row in rows))


_COLUMNS = (
    "report_id",
    "point_id",
    "business_date",
    "sku",
    "reason",
    "declaration_id",
    "declared",
    "quantity",
)


def _rows(report: shelf.AdjustmentReport) -> list[dict[str, object]]:
    whole = plain(report)
    return [{name: (whole | line)[name] for name in _COLUMNS} for line in whole["lines"]]


async def _report(report_id: str, caller: Caller, clients: Clients) -> shelf.AdjustmentReport:
    asked = shelf.GetAdjustmentReportRequest(report_id=report_id)
    found = (await clients.read(clients.shelf.GetAdjustmentReport, asked)).report
    if not _is_of(caller, found.point_id):
        raise NotFound("ADJUSTMENT_REPORT_NOT_FOUND", "there is no such report", report_id=report_id)
    return found


# -- receiving --------------------------------------------------------------------------------------------


@shelf_router.post("/points/{point_id}/receipts", status_code=201)
async def receive(
    point_id: PointId, body: ReceiptOrder, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> ReceivedView:
    """Tell what arrived: on hand at once, damaged units declared damaged, differences kept and told."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = sent(
        shelf.RecordReceiptRequest,
        body,
        request_id=act_id("receive", point_id, caller, None, key),
        point_id=point_id,
        actor=caller.subject,
    )
    answer = await clients.act(clients.shelf.RecordReceipt, request)
    balances = [shown(balance, BalanceView) for balance in answer.balances]
    return ReceivedView(receipt=shown(answer.receipt, ReceiptView), balances=balances)


@shelf_router.get("/points/{point_id}/receipts")
async def list_receipts(
    point_id: PointId, filters: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[ReceiptView]:
    """List what arrived at a point, the newest first."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = message(shelf.ListReceiptsRequest, {"point_id": point_id, "page": filters.page})
    found = await clients.read(clients.shelf.ListReceipts, request)
    items = [shown(one, ReceiptView) for one in found.receipts]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


# -- counts -----------------------------------------------------------------------------------------------


@shelf_router.post("/points/{point_id}/counts", status_code=201)
async def open_count(
    point_id: PointId, body: CountOrder, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> CountDetail:
    """Open a count of some articles; what the books say stays out of sight until it is closed."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = sent(
        shelf.OpenCountRequest,
        body,
        request_id=act_id("open-count", point_id, caller, None, key),
        point_id=point_id,
        actor=caller.subject,
    )
    return shown((await clients.act(clients.shelf.OpenCount, request)).count, CountDetail)


@shelf_router.get("/points/{point_id}/counts")
async def list_counts(
    point_id: PointId, filters: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[CountView]:
    """List a point's counts, the newest first."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = message(shelf.ListCountsRequest, {"point_id": point_id, "page": filters.page})
    found = await clients.read(clients.shelf.ListCounts, request)
    items = [shown(one, CountView) for one in found.counts]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@shelf_router.get("/counts/{count_id}")
async def read_count(count_id: CountId, caller: CallerIs, clients: ClientsAre) -> CountDetail:
    """Read a count with its lines; closed, it is the report of what differed."""
    return shown(await _count(count_id, caller, clients), CountDetail)


@shelf_router.post("/counts/{count_id}/lines")
async def record_count(
    count_id: CountId, body: CountedLines, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> CountDetail:
    """Say what was counted: every unit that the shop holds, and how many of them are damaged."""
    await _count(count_id, caller, clients)
    request = sent(
        shelf.RecordCountRequest,
        body,
        request_id=act_id("record-count", count_id, caller, None, key),
        count_id=count_id,
        actor=caller.subject,
    )
    return shown((await clients.act(clients.shelf.RecordCount, request)).count, CountDetail)


@shelf_router.post("/counts/{count_id}/close")
async def close_count(
    count_id: CountId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> CountDetail:
    """Close a count: each difference changes the books. 409 NOTHING_COUNTED when no line was counted."""
    await _count(count_id, caller, clients)
    request = shelf.CloseCountRequest(
        request_id=act_id("close-count", count_id, caller, None, key), count_id=count_id, actor=caller.subject
    )
    return shown((await clients.act(clients.shelf.CloseCount, request)).count, CountDetail)


@shelf_router.post("/counts/{count_id}/cancel")
async def cancel_count(
    count_id: CountId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> CountDetail:
    """Give a count up: no stock changes."""
    await _count(count_id, caller, clients)
    request = shelf.CancelCountRequest(
        request_id=act_id("cancel-count", count_id, caller, None, key), count_id=count_id, actor=caller.subject
    )
    return shown((await clients.act(clients.shelf.CancelCount, request)).count, CountDetail)


async def _count(count_id: str, caller: Caller, clients: Clients) -> shelf.Count:
    found = (await clients.read(clients.shelf.GetCount, shelf.GetCountRequest(count_id=count_id))).count
    if not _is_of(caller, found.point_id):
        raise NotFound("COUNT_NOT_FOUND", "there is no such count", count_id=count_id)
    return found


def _is_of(caller: Caller, point_id: str) -> bool:
    """Whether the point's shelf is the caller's; what is not his is answered as if it did not exist."""
    points = access.points_worked(caller, access.PLANNERS)
    return points is None or point_id in points
