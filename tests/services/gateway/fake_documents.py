"""What tax documents there are, with canned answers."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import NotFound
from oms.orders.v1 import document_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.document_service_pb2_grpc import (
    DocumentServiceServicer,
    add_DocumentServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types
from tests.services.gateway.bodies import PARAMETERS

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


class FakeDocuments(DocumentServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def GetDocument(self, request: Any, context: Any) -> pb.GetDocumentResponse:
        self._world.note("GetDocument", request)
        if request.number != INVOICE.number:
            raise NotFound("DOCUMENT_NOT_FOUND", "there is no such document", number=request.number)
        placed = self._world.placed.get(INVOICE.order_id)
        buyer = None
        if placed and (placed.content.customer.name or placed.content.ship_to.name):
            buyer = orders.Address()
            buyer.CopyFrom(placed.content.ship_to)
            buyer.name = placed.content.customer.name or buyer.name
        return pb.GetDocumentResponse(document=INVOICE, buyer=buyer)

    async def ListDocuments(self, request: Any, context: Any) -> pb.ListDocumentsResponse:
        self._world.note("ListDocuments", request)
        if list(request.kinds) == ["sales_receipt"]:
            return pb.ListDocumentsResponse(documents=[RECEIPT])
        if request.page.cursor:
            return pb.ListDocumentsResponse(documents=[INVOICE])
        return pb.ListDocumentsResponse(documents=[NOTE], page=types.PageInfo(next_cursor="more"))


def _document(number: str, kind: str, **more: Any) -> pb.Document:
    return pb.Document(
        number=number,
        kind=kind,
        series="WEB-FR",
        year=2026,
        sequence=1,
        issued_at=times.to_proto(datetime(2026, 11, 20, 9, tzinfo=UTC)),
        issued_on="2026-11-20",
        order_id=PARAMETERS["order_id"],
        channel_id="web-fr",
        currency="EUR",
        seller_name="Acme <SA>",
        seller_lines=["1 rue de la Paix", "FR 00 123456789"],
        **more,
    )


_GOODS = pb.DocumentPart(tax_rate_basis_points=2000, net_minor=104_167, tax_minor=20_833)
_BOOK = pb.DocumentPart(tax_rate_basis_points=550, net_minor=948, tax_minor=52)
INVOICE = _document(
    PARAMETERS["number"],
    "invoice",
    cause="parcel/par_1",
    lines=[
        pb.DocumentLine(
            line_number=1,
            sku="SKU-1",
            title="A <coat>",
            from_unit=1,
            to_unit=3,
            net_minor=104_167,
            tax_rate_basis_points=2000,
            tax_minor=20_833,
            discounts=[pb.DocumentDiscount(code="TEN", amount_minor=1_000)],
        )
    ],
    shipping=[_BOOK],
    totals=[_BOOK, _GOODS],
)
RECEIPT = _document("STORE-LYON-SR-2026-000001", "sales_receipt", cause="receipt/ord_1", point_id="store-lyon")
NOTE = _document(
    "WEB-FR-CN-2026-000001",
    "credit_note",
    cause="refund/rfd_1",
    adjustments=[_BOOK],
    totals=[_BOOK],
    corrects=[INVOICE.number],
)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_DocumentServiceServicer_to_server(FakeDocuments(world), server)
