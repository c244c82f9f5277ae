"""Balances and the movements that change them (SPEC STK-3).

No balance changes without a movement, and every movement keeps: nothing negative, on_hand + short >= reserved.
`short` counts reserved units that are not there. Only who looked at the shelf, or sold from it, may raise
it; whatever brings units or gives reservations back lowers it at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kit.errors import FailedPrecondition

# Causes that say what is so on the shelf, and are no wishes: only they may find that reserved units are missing.
LOOKED = frozenset({"count", "snapshot", "end_of_day", "till_sale"})


class Position(NamedTuple):
    """A SKU at a point. Sorted by both: the one order in which balances are locked."""

    sku: str
    point_id: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What a point holds of a SKU. A position without a row is all zeros."""

    sku: str
    point_id: str
    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0
    short: int = 0

    @property
    def position(self) -> Position:
        return Position(self.sku, self.point_id)

    @property
    def free(self) -> int:
        """What nobody holds; negative when reserved units are missing."""
        return self.on_hand - self.reserved - self.unavailable


@dataclass(frozen=True, slots=True)
class Cause:
    """Why and by whom. `actor` is a subject or a service name, never a person's name."""

    cause: str
    actor: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the ledger, not yet written."""

    position: Position
    on_hand: int
    reserved: int
    unavailable: int
    short: int
    cause: Cause
    reservation_id: str = ""


class Book:
    """The balances that one transaction has locked, and the movements that it makes.

    Pure: it starts from what it is given and never reads or writes anything else.
    """

    def __init__(self, balances: Iterable[Balance]) -> None:
        self._balances: dict[Position, Balance] = {balance.position: balance for balance in balances}
        self.movements: list[Movement] = []

    def trial(self) -> "Book":
        """The same balances, to try something on: `accept` it, or throw it away."""
        return Book(self._balances.values())

    def accept(self, trial: "Book") -> None:
        """What was tried happens."""
        self._balances = trial._balances
        self.movements += trial.movements

    def balance(self, position: Position) -> Balance:
        """As it stands after the movements made so far."""
        return self._balances.get(position) or Balance(*position)

    def balances(self, positions: Iterable[Position]) -> tuple[Balance, ...]:
        """Each position once, in order."""
        return tuple(self.balance(position) for position in sorted(set(positions)))

    def move(
        self,
        position: Position,
        cause: Cause,
        *,
        on_hand: int = 0,
        reserved: int = 0,
        unavailable: int = 0,
        reservation_id: str = "",
    ) -> Balance:
        """Changes a balance and records why; `short` follows by itself."""
        before = self.balance(position)
        holding, there = before.reserved + reserved, before.on_hand + on_hand
        missing = max(0, holding - there)
        after = Balance(position.sku, position.point_id, there, holding, before.unavailable + unavailable, missing)
        if after.short > before.short and cause.cause not in LOOKED:
            raise FailedPrecondition(
                "STOCK_RESERVED",
                f"units of {position.sku} at {position.point_id} are reserved; only a count may miss them",
                sku=position.sku,
                point_id=position.point_id,
                on_hand=before.on_hand,
                reserved=before.reserved,
            )
        self._balances[position] = after
        self.movements.append(
            Movement(position, on_hand, reserved, unavailable, after.short - before.short, cause, reservation_id)
        )
        return after


def adjust(book: Book, position: Position, quantity: int, cause: Cause) -> Balance:
    """Physical units arrive or go. Raises STOCK_BELOW_ZERO, or STOCK_RESERVED when no count says so."""
    before = book.balance(position)
    if before.on_hand + quantity < 0:
        raise FailedPrecondition(
            "STOCK_BELOW_ZERO",
            f"{position.point_id} has {before.on_hand} of {position.sku}: {-quantity} cannot leave",
            sku=position.sku,
            point_id=position.point_id,
            on_hand=before.on_hand,
        )
    return book.move(position, cause, on_hand=quantity)


def declare_unavailable(book: Book, position: Position, quantity: int, cause: Cause) -> Balance:
    """Units leave every image where they lie (SPEC STK-6). Never more than lie there."""
    before = book.balance(position)
    if before.unavailable + quantity > before.on_hand:
        raise FailedPrecondition(
            "NOT_ON_HAND",
            f"{position.point_id} has {before.on_hand} of {position.sku}, {before.unavailable} unavailable",
            sku=position.sku,
            point_id=position.point_id,
            on_hand=before.on_hand,
            unavailable=before.unavailable,
        )
    return book.move(position, cause, unavailable=quantity)


def release_unavailable(book: Book, position: Position, quantity: int, cause: Cause) -> Balance:
    """Units declared unavailable come back to the image."""
    before = book.balance(position)
    if quantity > before.unavailable:
        raise FailedPrecondition(
            "NOT_UNAVAILABLE",
            f"only {before.unavailable} of {position.sku} are unavailable at {position.point_id}",
            sku=position.sku,
            point_id=position.point_id,
            unavailable=before.unavailable,
        )
    return book.move(position, cause, unavailable=-quantity)


@dataclass(frozen=True, slots=True)
class Difference:
    """A balance that is not the sum of its movements, of what reservations hold, or of what is declared."""

    balance: Balance
    ledger: Balance
    held: int
    declared: int
