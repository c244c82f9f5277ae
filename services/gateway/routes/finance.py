"""Finance: operations as files, totals by day, settlement files and the differences that they show."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse

from kit.errors import PermissionDenied
from oms.payments.v1 import finance_service_pb2 as pb
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, new_act_id, router
from services.gateway.schemas.base import Listed, Page
from services.gateway.schemas.finance import (
    DifferenceFilters,
    ExportAsked,
    Resolution,
    SettlementDifferenceView,
    SettlementFilters,
    SettlementTerms,
    SettlementView,
    TotalsAsked,
    TotalView,
)
from services.gateway.wire import message, shown

finance_router = router("finance")
STREAMED = frozenset({("POST", "/v1/settlements")})

_PORTION_BYTES = 1024**2
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_EXPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A row an operation",
        "content": {kind: {"schema": {"type": "string"}} for kind in _MEDIA_TYPES.values()},
    }
}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, at most 256 MiB, in the format of the payments service's README.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "examples": {
                    "settlement": {
                        "value": "transaction_id,kind,payment_reference,amount,fee,currency,occurred_at\n"
                        "txn_1,capture,pi_1,119.90,1.93,EUR,2026-11-20T10:00:00Z\n"
                    }
                },
            }
        },
    }
}
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SettlementId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
DifferenceId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]


@finance_router.get("/payment-operations/export", response_class=StreamingResponse, responses=_EXPORT)
async def export_operations(
    asked: Annotated[ExportAsked, Query()], caller: CallerIs, clients: ClientsAre
) -> StreamingResponse:
    """Write operations as a file, newest first, as they are at one instant.

    In CSV (RFC 4180) text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    return await export(clients, caller, asked)


@finance_router.get("/payment-totals")
async def list_totals(
    asked: Annotated[TotalsAsked, Query()], caller: CallerIs, clients: ClientsAre
) -> Listed[TotalView]:
    """Sum what succeeded, by kind and currency and whatever else is asked for. The day that runs counts so far."""
    check_all_brands(caller)
    return Listed(items=await totals(clients, asked))


@finance_router.post("/settlements", status_code=202, openapi_extra=_FILE)
async def start_settlement(
    terms: Annotated[SettlementTerms, Query()],
    request: Request,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> SettlementView:
    """Take a provider's settlement file of a day. It is kept before this answers, and worked in the background.

    The same file is the same settlement, whatever its key and name, unless that failed.
    """
    check_all_brands(caller)
    header = message(
        pb.StartSettlementRequest,
        {
            "header": {
                "request_id": new_act_id("settlement", caller, key),
                "provider": terms.provider,
                "day": terms.day,
                "file_name": terms.file_name,
                "actor": caller.subject,
            }
        },
    )
    answer = await clients.send(clients.finance.StartSettlement, _parts(header, request))
    return shown(answer.settlement, SettlementView)


@finance_router.get("/settlements")
async def list_settlements(
    filters: Annotated[SettlementFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[SettlementView]:
    """List settlement files, newest first."""
    check_all_brands(caller)
    request = message(pb.ListSettlementsRequest, {"provider": filters.provider, "page": filters.page})
    found = await clients.read(clients.finance.ListSettlements, request)
    return Page(
        items=[shown(one, SettlementView) for one in found.settlements],
        next_cursor=found.page.next_cursor or None,
    )


@finance_router.get("/settlements/{settlement_id}")
async def get_settlement(settlement_id: SettlementId, caller: CallerIs, clients: ClientsAre) -> SettlementView:
    """Show a settlement file: where its work stands, what became of its lines, the fees in it."""
    check_all_brands(caller)
    request = pb.GetSettlementRequest(settlement_id=settlement_id)
    return shown((await clients.read(clients.finance.GetSettlement, request)).settlement, SettlementView)


@finance_router.get("/settlement-differences")
async def list_differences(
    filters: Annotated[DifferenceFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[SettlementDifferenceView]:
    """List where a provider and we do not agree, newest first: open ones, unless other states are asked for."""
    check_all_brands(caller)
    return await differences(clients, filters)


@finance_router.post("/settlement-differences/{difference_id}/resolve")
async def resolve_difference(
    difference_id: DifferenceId, body: Resolution, caller: CallerIs, clients: ClientsAre
) -> SettlementDifferenceView:
    """Close a difference, saying why. Who did and when is kept with it."""
    check_all_brands(caller)
    request = pb.ResolveSettlementDifferenceRequest(
        difference_id=difference_id, reason=body.reason, actor=caller.subject
    )
    answer = await clients.act(clients.finance.ResolveSettlementDifference, request)
    return shown(answer.difference, SettlementDifferenceView)


# -- for REST and console ---------------------------------------------------------------------------------


def check_all_brands(caller: Caller) -> None:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED: what is summed over orders is not one brand's."""
    if access.brands_seen(caller) is not None:
        raise PermissionDenied("BRAND_NOT_ALLOWED", "a token limited to brands reads the operations of one order")


async def export(clients: Clients, caller: Caller, asked: ExportAsked) -> StreamingResponse:
    """The file, part by part, as slowly as the caller takes it."""
    check_all_brands(caller)
    request = message(pb.ExportOperationsRequest, {"filter": asked.filter, "format": asked.format})
    parts = clients.receive(clients.finance.ExportOperations, request)
    # What cannot be exported is told by a status: the first part is awaited before there is one.
    first = await anext(parts)

    async def content() -> AsyncIterator[bytes]:
        yield first.content
        async for part in parts:
            yield part.content

    headers = {
        "Content-Disposition": f'attachment; filename="payment-operations.{asked.format}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(content(), media_type=_MEDIA_TYPES[asked.format], headers=headers)


async def totals(clients: Clients, asked: TotalsAsked) -> list[TotalView]:
    """Ordered by what is kept apart, the kind and the currency."""
    values = {"from_day": asked.from_, "until_day": asked.until, "by": asked.by}
    found = await clients.check(clients.finance.ListTotals, message(pb.ListTotalsRequest, values))
    names = ("day", "channel_id", "provider", "tender_kind")
    kept = {"channel_id" if name == "channel" else name for name in asked.by}
    return [shown(one, TotalView, **{name: None for name in names if name not in kept}) for one in found.totals]


async def differences(clients: Clients, filters: DifferenceFilters) -> Page[SettlementDifferenceView]:
    """A page."""
    values = {
        "states": filters.state,
        "provider": filters.provider,
        "settlement_id": filters.settlement_id,
        "page": filters.page,
    }
    request = message(pb.ListSettlementDifferencesRequest, values)
    found = await clients.read(clients.finance.ListSettlementDifferences, request)
    return Page(
        items=[shown(one, SettlementDifferenceView) for one in found.differences],
        next_cursor=found.page.next_cursor or None,
    )


async def _parts(header: pb.StartSettlementRequest, request: Request) -> AsyncIterator[pb.StartSettlementRequest]:
    """The header, then the body as it comes."""
    yield header
    async for portion in request.stream():
        for start in range(0, len(portion), _PORTION_BYTES):
            yield pb.StartSettlementRequest(content=portion[start : start + _PORTION_BYTES])
