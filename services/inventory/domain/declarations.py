"""Units declared unavailable: who said so, why, and what is left of it (SPEC STK-6).

At every position the balance's `unavailable` is the sum of what is left of its open declarations: each function
here that takes a book changes both together. Declarations change under the lock of their position's balance.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition
from kit.values.ids import derived_id
from services.inventory.domain.ledger import (
    Balance,
    Book,
    Cause,
    Movement,
    Position,
    declare_unavailable,
    release_unavailable,
)

# The cause of units that a picker did not find; of others their reason stands behind it: "short_pick_damaged".
SHORT_PICK = "short_pick"


class Reason(StrEnum):
    """Why units cannot be sold where they lie."""

    BEING_SOLD = "being_sold"
    NOT_FOUND = "not_found"
    DAMAGED = "damaged"
    # In a parcel that does not leave, until it is unpacked: it is there, and never written off.
    PACKED = "packed"
    OTHER = "other"

    @classmethod
    def of(cls, word: str) -> "Reason":
        """The reason that a free word names; any other word is `other`."""
        return cls(word) if word in set(cls) else cls.OTHER


_SOLD_LAST = frozenset({Reason.DAMAGED, Reason.PACKED})


class Ending(StrEnum):
    """What used up the last unit of a declaration."""

    SNAPSHOT = "snapshot"
    RELEASED = "released"
    TILL_SALE = "till_sale"
    END_OF_DAY = "end_of_day"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Units of a SKU at a point that somebody said cannot be sold; `remaining` is 0 once it has ended."""

    declaration_id: str
    sku: str
    point_id: str
    quantity: int
    remaining: int
    reason: Reason
    actor: str
    source: str
    declared_at: datetime
    ended_at: datetime | None = None
    ended_by: Ending | None = None

    @property
    def position(self) -> Position:
        return Position(self.sku, self.point_id)


def id_of(request_id: str, position: Position) -> str:
    """Of the one declaration that a request makes at a position."""
    return derived_id("dec", request_id, *position)


def opened(
    request_id: str, position: Position, quantity: int, reason: Reason, actor: str, source: str, now: datetime
) -> Declaration:
    """The one declaration that a request makes at a position."""
    name = id_of(request_id, position)
    return Declaration(name, *position, quantity, quantity, reason, actor, source, now)


def declare(book: Book, declaration: Declaration, cause: Cause) -> Balance:
    """Its units leave every image. Raises NOT_ON_HAND when fewer lie there."""
    return declare_unavailable(book, declaration.position, declaration.quantity, cause)


def of_short_pick(
    movements: Iterable[Movement], request_id: str, actor: str, now: datetime
) -> tuple[Declaration, ...]:
    """What a picker did not find or could not send, where that took units out of the image."""
    missing: Counter[tuple[Position, Reason]] = Counter()
    for moved in movements:
        if moved.unavailable > 0:
            missing[moved.position, _of_pick(moved.cause)] += moved.unavailable
    return tuple(
        opened(
            # Units of one position may be missing for several reasons.
            request_id if reason is Reason.NOT_FOUND else f"{request_id}/{reason}",
            position,
            units,
            reason,
            actor,
            request_id,
            now,
        )
        for (position, reason), units in missing.items()
    )


def _of_pick(cause: Cause) -> Reason:
    reason = cause.cause.removeprefix(SHORT_PICK).removeprefix("_")
    return Reason.of(reason) if reason else Reason.NOT_FOUND


def of_causes(movements: Iterable[Movement], request_id: str, now: datetime) -> tuple[Declaration, ...]:
    """What movements took out of the image for the reason that their cause names."""
    return tuple(
        opened(
            request_id,
            moved.position,
            moved.unavailable,
            Reason.of(moved.cause.cause),
            moved.cause.actor,
            moved.cause.source,
            now,
        )
        for moved in movements
        if moved.unavailable > 0
    )


def release_at(
    book: Book, position: Position, declared: Sequence[Declaration], quantity: int, cause: Cause, now: datetime
) -> tuple[Declaration, ...]:
    """Units of a position come back to the image, the oldest declaration first. Raises NOT_UNAVAILABLE."""
    release_unavailable(book, position, quantity, cause)
    return used(sorted(declared, key=_age), quantity, Ending.RELEASED, now)


def release_one(
    book: Book, declaration: Declaration, quantity: int, cause: Cause, now: datetime
) -> tuple[Declaration, ...]:
    """Units of one declaration (0: all that is left) come back. Raises DECLARATION_ENDED, NOT_UNAVAILABLE."""
    facts = {"declaration_id": declaration.declaration_id}
    if declaration.ended_by is not None:
        raise FailedPrecondition(
            "DECLARATION_ENDED", f"the declaration was ended by {declaration.ended_by}", **facts
        )
    if quantity > declaration.remaining:
        raise FailedPrecondition(
            "NOT_UNAVAILABLE",
            f"only {declaration.remaining} are left of the declaration",
            remaining=declaration.remaining,
            **facts,
        )
    quantity = quantity or declaration.remaining
    release_unavailable(book, declaration.position, quantity, cause)
    return used([declaration], quantity, Ending.RELEASED, now)


def sold(
    declared: Sequence[Declaration], quantity: int, undeclared: int, now: datetime
) -> tuple[Declaration, ...]:
    """What a till sale uses up: being sold first, then the oldest; those that changed.

    A damaged unit, or a packed one, is not sold while a whole one lies beside it: they go last, and only as far as
    the sale exceeds the `undeclared` units of the position.
    """
    last = [one for one in declared if one.reason in _SOLD_LAST]
    others = [one for one in declared if one.reason not in _SOLD_LAST]
    others.sort(key=lambda one: (one.reason is not Reason.BEING_SOLD, *_age(one)))
    changed = used(others, quantity, Ending.TILL_SALE, now)
    beyond = quantity - sum(one.remaining for one in others) - max(0, undeclared)
    return changed + used(sorted(last, key=_age), beyond, Ending.TILL_SALE, now)


def used(declared: Iterable[Declaration], quantity: int, by: Ending, now: datetime) -> tuple[Declaration, ...]:
    """Takes up to `quantity` units from declarations in the order given; those that changed."""
    changed = []
    for one in declared:
        taken = min(quantity, one.remaining)
        if taken <= 0:
            continue
        quantity -= taken
        left = one.remaining - taken
        changed.append(
            replace(one, remaining=left) if left else replace(one, remaining=0, ended_at=now, ended_by=by)
        )
    return tuple(changed)


def taken(before: Iterable[Declaration], changed: Iterable[Declaration]) -> int:
    """How many units the change used up."""
    remaining = {one.declaration_id: one.remaining for one in before}
    return sum(remaining[one.declaration_id] - one.remaining for one in changed)


def _age(one: Declaration) -> tuple[datetime, str]:
    return one.declared_at, one.declaration_id
