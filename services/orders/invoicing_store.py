"""All SQL of tax documents: given their numbers, kept, listed. Knows no rule; never changes what was issued."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import NotFound
from services.orders import documents as doc
from services.orders.domain.document import Document, DocumentKind, Seller
from services.orders.domain.model import Address, DocumentTerms
from services.orders.reading import Position
from services.orders.tables import document, sales_channel


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents; an empty part filters nothing. `from_` and `until` are instants of issue, [from, until)."""

    order_id: str = ""
    channel_ids: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    kinds: tuple[DocumentKind, ...] = ()
    from_: datetime | None = None
    until: datetime | None = None


async def find_terms(tx: AsyncConnection, channel_id: str) -> tuple[DocumentTerms, Seller]:
    """How the channel's documents are numbered today, and who issues them."""
    c = sales_channel.c
    row = (await tx.execute(select(c.name, c.documents).where(c.channel_id == channel_id))).one()
    terms = doc.DOCUMENT_TERMS.validate_python(row.documents)
    return terms, Seller(terms.seller_name or row.name, terms.seller_lines)


# Whoever comes second waits for the first to commit or to roll back. Dates follow the numbers: an instant that is
# told late is that of the one before.
_NEXT = text(
    """
    INSERT INTO document_series AS s (series, kind, year, last, last_issued_at)
    VALUES (:series, :kind, :year, 1, :as_of)
    ON CONFLICT (series, kind, year) DO UPDATE
    SET last = s.last + 1, last_issued_at = greatest(s.last_issued_at, excluded.last_issued_at)
    RETURNING last, last_issued_at
    """
)


async def next_number(
    tx: AsyncConnection, series: str, kind: DocumentKind, year: int, as_of: datetime
) -> tuple[int, datetime]:
    """The next number of a series, which stays locked until the transaction ends, and when it is issued."""
    row = (await tx.execute(_NEXT, {"series": series, "kind": kind.value, "year": year, "as_of": as_of})).one()
    return row.last, row.last_issued_at


_ADD = text(
    """
    WITH told AS (
        INSERT INTO timeline (order_id, at, kind, text, actor, fulfilment_id, data)
        VALUES (:order_id, :issued_at, 'document.issued', :told, '', '', CAST(:data AS jsonb))
    )
    INSERT INTO document SELECT * FROM jsonb_populate_record(NULL::document, CAST(:row AS jsonb))
    """
)


async def add(tx: AsyncConnection, new: Document, told: str, data: dict[str, Any]) -> None:
    """Keeps a document, and tells of it in the order's timeline."""
    content = new.content
    row = {
        "number": new.number,
        "series": new.series,
        "kind": content.kind.value,
        "year": new.year,
        "sequence": new.sequence,
        "order_id": content.order_id,
        "channel_id": content.channel_id,
        "cause": content.cause,
        "currency": content.currency,
        "amount_minor": content.amount_minor,
        "issued_at": new.issued_at.isoformat(),
        "issued_on": new.issued_on.isoformat(),
        "seller": doc.to_json(doc.SELLER, new.seller),
        "content": doc.to_json(doc.DOCUMENT_CONTENT, content),
    }
    parameters = {
        "order_id": content.order_id,
        "issued_at": new.issued_at,
        "told": told,
        "data": json.dumps(data),
        "row": json.dumps(row),
    }
    await tx.execute(_ADD, parameters)


# -- reading ----------------------------------------------------------------------------------------------


async def list_of_order(tx: AsyncConnection, order_id: str) -> list[Document]:
    """All documents of an order, the oldest first."""
    d = document.c
    query = select(document).where(d.order_id == order_id).order_by(d.issued_at, d.kind.desc(), d.sequence)
    return [_document(row) for row in (await tx.execute(query)).all()]


async def read(tx: AsyncConnection, number: str) -> Document:
    """NotFound / DOCUMENT_NOT_FOUND."""
    row = (await tx.execute(select(document).where(document.c.number == number))).one_or_none()
    if row is None:
        raise NotFound("DOCUMENT_NOT_FOUND", "there is no such document", field="number", number=number)
    return _document(row)


_BUYER = text(
    """SELECT jsonb_build_object('name', coalesce(nullif(name, ''), ship_to_name), 'street_lines', street_lines,
                                 'postcode', postcode, 'city', city, 'country', country)
       FROM order_customer WHERE order_id = :order_id AND (name <> '' OR ship_to_name <> '')"""
)


async def read_buyer(tx: AsyncConnection, order_id: str) -> Address | None:
    """Whom an order's documents are for, and where it went; None when nothing is left of him."""
    found = (await tx.execute(_BUYER, {"order_id": order_id})).scalar_one_or_none()
    return doc.ADDRESS.validate_python(found) if found else None


async def list_documents(
    tx: AsyncConnection, wanted: DocumentFilter, size: int, after: Position | None
) -> list[Document]:
    """A page, newest first."""
    d = document.c
    query = select(document).order_by(d.issued_at.desc(), d.number.desc()).limit(size)
    if wanted.order_id:
        query = query.where(d.order_id == wanted.order_id)
    if wanted.channel_ids:
        query = query.where(d.channel_id.in_(wanted.channel_ids))
    if wanted.series:
        query = query.where(d.series.in_(wanted.series))
    if wanted.kinds:
        query = query.where(d.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.from_:
        query = query.where(d.issued_at >= wanted.from_)
    if wanted.until:
        query = query.where(d.issued_at < wanted.until)
    if after:
        query = query.where(tuple_(d.issued_at, d.number) < tuple_(*after))
    return [_document(row) for row in (await tx.execute(query)).all()]


def _document(row: Any) -> Document:
    return Document(
        number=row.number,
        series=row.series,
        year=row.year,
        sequence=row.sequence,
        issued_at=row.issued_at,
        issued_on=row.issued_on,
        seller=doc.SELLER.validate_python(row.seller),
        content=doc.DOCUMENT_CONTENT.validate_python(row.content),
    )
