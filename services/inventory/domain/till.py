"""What a till says: units were sold, or brought back (SPEC STK-6).

A sale at the till is a fact. It is recorded whatever the books say: declared units are used up first, reserved
ones become `short`, and what the books did not know of is told as such. Nothing goes below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain import declarations
from services.inventory.domain.declarations import Declaration
from services.inventory.domain.ledger import Book, Cause, Position


@dataclass(frozen=True, slots=True)
class Effect:
    """What a sale or a return did to the books: quantity = taken + known + unknown.

    taken: units by which on_hand changed; declared: declared units that it used up; known: units that the books
    had taken or put already; unknown: sold units that the books did not have.
    """

    taken: int = 0
    declared: int = 0
    known: int = 0
    unknown: int = 0

    def __add__(self, other: "Effect") -> "Effect":
        return Effect(
            self.taken + other.taken,
            self.declared + other.declared,
            self.known + other.known,
            self.unknown + other.unknown,
        )


def sell(
    book: Book,
    position: Position,
    quantity: int,
    declared: Sequence[Declaration],
    cause: Cause,
    now: datetime,
    *,
    known: int,
) -> tuple[Effect, tuple[Declaration, ...]]:
    """Units left with a customer, `known` of them earlier on the books. With the declarations that changed."""
    before = book.balance(position)
    leaving = quantity - known
    changed = declarations.sold(declared, leaving, before.on_hand - before.unavailable, now)
    used = declarations.taken(declared, changed)
    taken = min(leaving, before.on_hand)
    if taken or used:
        book.move(position, cause, on_hand=-taken, unavailable=-used)
    return Effect(taken, used, known, leaving - taken), changed


def bring_back(book: Book, position: Position, quantity: int, cause: Cause, *, known: int) -> Effect:
    """Units came back to the shelf; `known` of them were counted there already."""
    if quantity > known:
        book.move(position, cause, on_hand=quantity - known)
    return Effect(quantity - known, 0, known, 0)
