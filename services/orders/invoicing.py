"""Tax documents: issued in the transaction that changes the money of an order, and read. Never changed.

Numbers have no hole: the row of the series is the last thing that a transaction locks, always receipts before
invoices before credit notes, and what rolls back gives its number back.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import outbox
from kit.values.money import Money
from services.orders import invoicing_store as store
from services.orders.domain import invoicing
from services.orders.domain.document import Document, DocumentContent, DocumentKind, number_of, series_of, zone_of
from services.orders.domain.model import Address, Order
from services.orders.invoicing_store import DocumentFilter
from services.orders.reading import Position

_WORDS = {
    DocumentKind.INVOICE: "Invoice",
    DocumentKind.CREDIT_NOTE: "Credit note",
    DocumentKind.SALES_RECEIPT: "Sales receipt",
}


async def issue(tx: AsyncConnection, before: Order, after: Order) -> list[Document]:
    """What the change of a locked order calls for: in the caller's transaction, after all its other locks."""
    if not invoicing.is_touched(before, after):
        return []
    issued = await store.list_of_order(tx, after.order_id)
    known = len(issued)
    issued += await _number(tx, after, invoicing.bills(after, issued))
    issued += await _number(tx, after, invoicing.credits(before, after, issued))
    return issued[known:]


def event_of(one: Document) -> outbox.Event:
    """What is told of a new document."""
    about = {"order_id": one.content.order_id, "channel_id": one.content.channel_id, **_facts(one)}
    return outbox.Event(
        "oms.orders.document.issued", f"document/{one.number}", one.content.order_id, one.issued_at, about
    )


async def _number(tx: AsyncConnection, order: Order, due: Sequence[DocumentContent]) -> list[Document]:
    if not due:
        return []
    terms, seller = await store.find_terms(tx, order.content.channel_id)
    issued = []
    for content in due:
        zone, series = zone_of(terms), series_of(terms, content)
        year = order.updated_at.astimezone(zone).year
        sequence, issued_at = await store.next_number(tx, series, content.kind, year, order.updated_at)
        number = number_of(series, content.kind, year, sequence)
        issued_on = issued_at.astimezone(zone).date()
        one = Document(number, series, year, sequence, issued_at, issued_on, seller, content)
        amount = Money(content.amount_minor, content.currency)
        await store.add(tx, one, f"{_WORDS[content.kind]} {number} was issued for {amount}.", _facts(one))
        issued.append(one)
    return issued


def _facts(one: Document) -> dict[str, object]:
    """No titles: they may be what a customer had engraved."""
    content = one.content
    return {
        "number": one.number,
        "kind": content.kind.value,
        "cause": content.cause,
        "amount_minor": content.amount_minor,
        "currency": content.currency,
        "issued_on": one.issued_on.isoformat(),
        "corrects": list(content.corrects),
    }


class Documents:
    """One method per RPC: reading."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, number: str) -> tuple[Document, Address | None]:
        """With its buyer, of whom nothing may be left. NotFound / DOCUMENT_NOT_FOUND."""
        async with self._engine.begin() as tx:
            found = await store.read(tx, number)
            return found, await store.read_buyer(tx, found.content.order_id)

    async def list_documents(self, wanted: DocumentFilter, size: int, after: Position | None) -> list[Document]:
        """A page, newest first."""
        async with self._engine.begin() as tx:
            return await store.list_documents(tx, wanted, size, after)
