"""The SQL of changes beside the aggregate: where an order goes to, its texts, and lines that are replaced."""

import json

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import documents as doc
from services.orders.domain.model import Address, Buyer, Order

_WRITE_ADDRESS = text(
    """UPDATE order_customer
       SET ship_to_name = :name, street_lines = :street_lines, postcode = :postcode, city = :city,
           country = :country
       WHERE order_id = :order_id"""
)
_PROPOSE_ADDRESS = text(
    "UPDATE order_customer SET proposed_ship_to = CAST(:address AS jsonb) WHERE order_id = :order_id"
)
_PROPOSED_ADDRESS = text("SELECT proposed_ship_to FROM order_customer WHERE order_id = :order_id")
_PROPOSE_TEXTS = text(
    "UPDATE order_customer SET proposed_texts = CAST(:texts AS jsonb) WHERE order_id = :order_id"
)
_WRITE_TEXTS = text(
    """UPDATE order_customer
       SET personalisations = proposed_texts -> 'personalisations',
           gift_message = proposed_texts ->> 'gift_message', proposed_texts = NULL
       WHERE order_id = :order_id AND proposed_texts IS NOT NULL"""
)
# Units refer to their lines.
_FORGET_UNITS = text("DELETE FROM line_range WHERE order_id = :order_id")
_FORGET_LINES = text("DELETE FROM order_line WHERE order_id = :order_id")
_WRITE_LINES = text(
    "INSERT INTO order_line SELECT * FROM jsonb_populate_recordset(NULL::order_line, CAST(:lines AS jsonb))"
)
_WRITE_HEAD = text(
    """UPDATE orders
       SET total_minor = :total_minor, mode = :mode, brands = :brands, quote_id = :quote_id,
           standard_shipping_minor = :standard_shipping_minor
       WHERE order_id = :order_id"""
)


async def write_address(tx: AsyncConnection, order_id: str, address: Address) -> None:
    """Where the order goes from now on."""
    values = {
        "name": address.name,
        "street_lines": list(address.street_lines),
        "postcode": address.postcode,
        "city": address.city,
        "country": address.country,
    }
    await tx.execute(_WRITE_ADDRESS, {"order_id": order_id, **values})


async def propose_address(tx: AsyncConnection, order_id: str, address: Address | None) -> None:
    """Where the order may go to; None forgets it."""
    value = json.dumps(doc.to_json(doc.ADDRESS, address)) if address else None
    await tx.execute(_PROPOSE_ADDRESS, {"order_id": order_id, "address": value})


async def proposed_address(tx: AsyncConnection, order_id: str) -> Address | None:
    """Where a proposed change takes the order; None when it stays."""
    value = (await tx.execute(_PROPOSED_ADDRESS, {"order_id": order_id})).scalar_one_or_none()
    return doc.ADDRESS.validate_python(value) if value else None


async def propose_texts(tx: AsyncConnection, order_id: str, buyer: Buyer) -> None:
    """What may be put on its units, and the gift message that it may have."""
    texts = {
        "personalisations": doc.to_json(doc.PERSONAL_TEXTS, buyer.personalisations),
        "gift_message": buyer.gift_message,
    }
    await tx.execute(_PROPOSE_TEXTS, {"order_id": order_id, "texts": json.dumps(texts)})


async def write_texts(tx: AsyncConnection, order_id: str) -> None:
    """The texts that were proposed are those of the order from now on."""
    await tx.execute(_WRITE_TEXTS, {"order_id": order_id})


async def replace_content(tx: AsyncConnection, order: Order) -> None:
    """Other lines and totals; the units of the lines are to be written after."""
    content = order.content
    standard = content.standard_shipping
    await tx.execute(_FORGET_UNITS, {"order_id": order.order_id})
    await tx.execute(_FORGET_LINES, {"order_id": order.order_id})
    rows = [{"order_id": order.order_id, **doc.to_json(doc.LINE, line)} for line in content.lines]
    await tx.execute(_WRITE_LINES, {"lines": json.dumps(rows)})
    head = {
        "order_id": order.order_id,
        "total_minor": content.total.amount_minor,
        "mode": content.mode,
        "brands": list(content.brands),
        "quote_id": content.quote_id,
        "standard_shipping_minor": standard.amount_minor if standard else None,
    }
    await tx.execute(_WRITE_HEAD, head)
