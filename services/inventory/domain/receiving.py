"""Goods that arrive at a point (SPEC STK-16): what came is on hand at once, and differences are kept and told."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain import declarations
from services.inventory.domain.declarations import Declaration, Reason
from services.inventory.domain.ledger import Book, Cause, Position


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """Units that arrived, damaged ones included; `expected` is None where nothing was announced."""

    sku: str
    expected: int | None
    received: int
    damaged: int

    @property
    def differs(self) -> bool:
        """Over, short or damaged."""
        return self.damaged > 0 or self.expected not in (None, self.received)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What arrived at a point against a reference."""

    receipt_id: str
    point_id: str
    reference: str
    actor: str
    received_at: datetime
    recorded_at: datetime
    lines: tuple[ReceiptLine, ...]


def receive(
    book: Book, receipt: Receipt, request_id: str, counted: Collection[Position]
) -> tuple[Declaration, ...]:
    """Puts the units on the books; damaged ones are declared at once, one declaration for each SKU.

    What was `counted` after it arrived is on the books already.
    """
    new = [line for line in receipt.lines if Position(line.sku, receipt.point_id) not in counted]
    arrived, damaged = _sum_up(new)
    for sku, quantity in sorted(arrived.items()):
        if quantity:
            cause = Cause("receipt", receipt.actor, receipt.reference)
            book.move(Position(sku, receipt.point_id), cause, on_hand=quantity)
    opened = tuple(
        declarations.opened(
            request_id,
            Position(sku, receipt.point_id),
            quantity,
            Reason.DAMAGED,
            receipt.actor,
            receipt.reference,
            receipt.received_at,
        )
        for sku, quantity in sorted(damaged.items())
        if quantity
    )
    for one in opened:
        declarations.declare(book, one, Cause("damaged", receipt.actor, receipt.reference))
    return opened


def _sum_up(lines: Sequence[ReceiptLine]) -> tuple[Counter[str], Counter[str]]:
    # The same SKU in two lines counts twice.
    arrived: Counter[str] = Counter()
    damaged: Counter[str] = Counter()
    for line in lines:
        arrived[line.sku] += line.received
        damaged[line.sku] += line.damaged
    return arrived, damaged
