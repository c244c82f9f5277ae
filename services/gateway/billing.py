"""Tax documents as a caller may see them: fetched, checked against his scope, joined with their buyer.

For REST and console.
"""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from kit.errors import NotFound
from oms.orders.v1 import document_service_pb2 as documents
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import access, reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.schemas.base import Page
from services.gateway.schemas.documents import DocumentDetail, DocumentFilters, DocumentsAsked, DocumentView
from services.gateway.wire import message, plain

_PAGE = 500
_OF_A_ROW = (
    "number",
    "kind",
    "series",
    "year",
    "sequence",
    "issued_at",
    "issued_on",
    "order_id",
    "channel_id",
    "point_id",
    "cause",
    "corrects",
    "currency",
)
_COLUMNS = (*_OF_A_ROW, "tax_rate_basis_points", "net_minor", "tax_minor", "gross_minor")


async def of_order(clients: Clients, caller: Caller, order_id: str) -> list[DocumentView]:
    """Newest first. Raises NotFound / ORDER_NOT_FOUND also for an order that the caller may not see."""
    await reading.check_visible(clients, caller, order_id)
    asked = DocumentsAsked(order_id=order_id)
    return [_view(one) async for page in _pages(clients, asked) for one in page]


async def detail(clients: Clients, caller: Caller, number: str) -> DocumentDetail:
    """Raises NotFound / DOCUMENT_NOT_FOUND also for a document of an order that the caller may not see."""
    answer = await clients.read(clients.documents.GetDocument, documents.GetDocumentRequest(number=number))
    found = answer.document
    try:
        order = await reading.visible_order(clients, caller, found.order_id)
    except NotFound:
        # Word for word what orders says of a document that does not exist.
        raise NotFound("DOCUMENT_NOT_FOUND", "there is no such document", field="number", number=number) from None
    is_known = answer.HasField("buyer") and access.knows_buyer(caller, order.content.channel_id)
    buyer = {"name": answer.buyer.name, "address": plain(answer.buyer)} if is_known else None
    tenders = await _tenders(clients, found)
    return DocumentDetail.model_validate({**_values(found), "buyer": buyer, "tenders": tenders})


async def page(clients: Clients, filters: DocumentFilters) -> Page[DocumentView]:
    """A page, newest first."""
    found = await _list(clients, filters, filters.page)
    return Page(items=[_view(one) for one in found.documents], next_cursor=found.page.next_cursor or None)


async def as_csv(clients: Clients, asked: DocumentsAsked) -> AsyncIterator[str]:
    """A row for each tax rate of each document, newest first; what credit notes take back is below zero."""
    heading: list[Sequence[object]] = [_COLUMNS]
    async for found in _pages(clients, asked):
        yield _written([*heading, *(row for one in found for row in _rows(one))])
        heading = []


async def _pages(clients: Clients, asked: DocumentsAsked) -> AsyncIterator[Sequence[documents.Document]]:
    cursor = ""
    while True:
        found = await _list(clients, asked, {"cursor": cursor, "size": _PAGE})
        yield found.documents
        cursor = found.page.next_cursor
        if not cursor:
            return


async def _list(
    clients: Clients, asked: DocumentsAsked, wanted: Mapping[str, Any]
) -> documents.ListDocumentsResponse:
    request = message(documents.ListDocumentsRequest, {**asked.filter, "page": wanted})
    return await clients.read(clients.documents.ListDocuments, request)


# -- values -----------------------------------------------------------------------------------------------


def _view(one: documents.Document) -> DocumentView:
    return DocumentView.model_validate(_values(one))


def _values(one: documents.Document) -> dict[str, Any]:
    values = plain(one)
    for name in ("lines", "shipping", "adjustments", "totals"):
        values[name] = [part | {"gross_minor": part["net_minor"] + part["tax_minor"]} for part in values[name]]
    for line in values["lines"]:
        line["quantity"] = line["to_unit"] - line["from_unit"]
    amount = sum(part["gross_minor"] for part in values["totals"])
    return values | {
        "point_id": one.point_id or None,
        "total": {"amount_minor": amount, "currency": one.currency},
    }


async def _tenders(clients: Clients, one: documents.Document) -> list[dict[str, Any]]:
    """What moved for the document's cause: captures of a bill, refunds of a credit note, by kind of means."""
    try:
        asked = payments.GetPaymentRequest(order_id=one.order_id)
        payment = (await clients.read(clients.payments.GetPayment, asked)).payment
    except NotFound:
        return []
    kind = payments.OPERATION_KIND_REFUND if one.kind == "credit_note" else payments.OPERATION_KIND_CAPTURE
    position = {tender.tender_id: tender.position for tender in payment.tenders}
    moved: dict[str, int] = {}
    for done in sorted(payment.operations, key=lambda done: position.get(done.tender_id, 0)):
        if (done.cause, done.kind, done.state) == (one.cause, kind, payments.OPERATION_STATE_SUCCEEDED):
            moved[done.tender_kind] = moved.get(done.tender_kind, 0) + done.amount.amount_minor
    return [
        {"kind": name, "amount": {"amount_minor": amount, "currency": one.currency}}
        for name, amount in moved.items()
    ]


def _rows(one: documents.Document) -> list[list[object]]:
    sign = -1 if one.kind == "credit_note" else 1
    about = plain(one) | {"corrects": " ".join(one.corrects)}
    about["issued_at"] = about["issued_at"].isoformat()
    return [
        [
            *(about[name] for name in _OF_A_ROW),
            part.tax_rate_basis_points,
            sign * part.net_minor,
            sign * part.tax_minor,
            sign * (part.net_minor + part.tax_minor),
        ]
        for part in one.totals
    ]


def _written(rows: Sequence[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()
