"""Tax documents: of an order, one by its number as JSON or as a page to print, lists and files for finance."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.gateway import access, billing
from services.gateway.console.documents import printed
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import DocumentNumber, OrderId, router
from services.gateway.schemas.base import Listed, Page
from services.gateway.schemas.documents import (
    DocumentDetail,
    DocumentFilters,
    DocumentsAsked,
    DocumentView,
    Language,
)

documents_router = router("documents")

_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A row for each tax rate of each document",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@documents_router.get("/orders/{order_id}/documents")
async def list_of_order(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[DocumentView]:
    """List the documents of an order, newest first. They come to what was captured less what was refunded."""
    return Listed(items=await billing.of_order(clients, caller, order_id))


@documents_router.get("/documents")
async def list_documents(
    filters: Annotated[DocumentFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[DocumentView]:
    """List documents, newest first, by period, kind, series and channel."""
    access.check_all_brands(caller)
    return await billing.page(clients, filters)


@documents_router.get("/documents/export", response_class=StreamingResponse, responses=_CSV)
async def export(
    asked: Annotated[DocumentsAsked, Query()], caller: CallerIs, clients: ClientsAre
) -> StreamingResponse:
    """Write documents as CSV (RFC 4180), newest first, a row for each tax rate of each.

    What a credit note takes back is below zero, so that a column adds up.
    """
    access.check_all_brands(caller)
    parts = billing.as_csv(clients, asked)
    # What cannot be read is told by a status: the first part is awaited before there is one.
    first = await anext(parts)

    async def content() -> AsyncIterator[str]:
        yield first
        async for part in parts:
            yield part

    headers = {"Content-Disposition": 'attachment; filename="documents.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(content(), media_type="text/csv", headers=headers)


@documents_router.get("/documents/{number}")
async def read(number: DocumentNumber, caller: CallerIs, clients: ClientsAre) -> DocumentDetail:
    """Read one document. Its buyer is shown to customer service, finance and the order's own channel."""
    return await billing.detail(clients, caller, number)


@documents_router.get("/documents/{number}/page", response_class=HTMLResponse)
async def read_page(
    number: DocumentNumber,
    request: Request,
    caller: CallerIs,
    clients: ClientsAre,
    lang: Language | None = None,
    accepted: Annotated[str, Header(alias="Accept-Language", max_length=500)] = "",
) -> Response:
    """Read one document as a page to print, in English or French: as `lang` says, or else `Accept-Language`."""
    return printed(request, await billing.detail(clients, caller, number), lang, accepted)
