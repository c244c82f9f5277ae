"""Protobuf messages of tax documents and of their terms to domain records and back."""

from collections.abc import Iterable

from kit import times
from oms.orders.v1 import document_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from services.orders.domain.document import Document, DocumentKind
from services.orders.domain.model import DocumentTerms, PointSeries, TaxPart
from services.orders.invoicing_store import DocumentFilter
from services.orders.wire import from_instant, one_of


def to_terms(message: orders.DocumentTerms) -> DocumentTerms:
    return DocumentTerms(
        message.series,
        message.time_zone,
        message.seller_name,
        tuple(message.seller_lines),
        tuple(PointSeries(one.point_id, one.series) for one in message.points),
    )


def to_filter(message: pb.ListDocumentsRequest) -> DocumentFilter:
    return DocumentFilter(
        message.order_id,
        tuple(message.channel_ids),
        tuple(message.series),
        tuple(one_of(DocumentKind, kind, f"kinds[{i}]") for i, kind in enumerate(message.kinds)),
        times.field_or_none(message, "from"),
        times.field_or_none(message, "until"),
    )


def from_document(one: Document) -> pb.Document:
    content = one.content
    return pb.Document(
        number=one.number,
        kind=content.kind.value,
        series=one.series,
        year=one.year,
        sequence=one.sequence,
        issued_at=from_instant(one.issued_at),
        issued_on=one.issued_on.isoformat(),
        order_id=content.order_id,
        channel_id=content.channel_id,
        point_id=content.point_id,
        cause=content.cause,
        currency=content.currency,
        lines=[
            pb.DocumentLine(
                line_number=line.line_number,
                sku=line.sku,
                title=line.title,
                from_unit=line.from_unit,
                to_unit=line.to_unit,
                net_minor=line.net_minor,
                tax_rate_basis_points=line.tax_rate_basis_points,
                tax_minor=line.tax_minor,
                discounts=[
                    pb.DocumentDiscount(code=each.code, amount_minor=each.amount_minor) for each in line.discounts
                ],
            )
            for line in content.lines
        ],
        shipping=_parts(content.shipping),
        adjustments=_parts(content.adjustments),
        totals=_parts(content.totals),
        corrects=content.corrects,
        seller_name=one.seller.name,
        seller_lines=one.seller.lines,
    )


def _parts(parts: Iterable[TaxPart]) -> list[pb.DocumentPart]:
    return [
        pb.DocumentPart(
            tax_rate_basis_points=part.tax_rate_basis_points, net_minor=part.net_minor, tax_minor=part.tax_minor
        )
        for part in parts
    ]
