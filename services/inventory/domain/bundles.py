"""Bundles: articles that have no stock of their own and can be taken where their parts can (SPEC STK-13).

A bundle is held by its own SKU, and what moves is its parts. Who holds one keeps the parts that it had when it was
taken, so that what is given back, issued or moved later is what was taken, whatever became of the bundle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.inventory.domain.ledger import Position


@dataclass(frozen=True, slots=True)
class Part:
    """Units of an item in one bundle."""

    sku: str
    quantity: int


# Empty for an article that is no bundle: it is its own only part.
Parts = tuple[Part, ...]


def spread(parts: Parts, position: Position, quantity: int) -> Iterator[tuple[Position, int]]:
    """The units of stock that so many units at a position are."""
    if not parts:
        yield position, quantity
    for part in parts:
        yield Position(part.sku, position.point_id), part.quantity * quantity
