"""Baskets: units that a customer has laid aside for some minutes (SPEC STK-7).

A basket is a reservation that expires and belongs to a channel. What it holds is where there is most of it, unless
it says where: the place that an order ships from is decided when there is an order.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.inventory.domain import holds, validation
from services.inventory.domain.bundles import spread
from services.inventory.domain.catalogue import Purpose
from services.inventory.domain.holds import Claims, HoldLine, Reservation, Shortfall
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Book, Cause, Movement, Position
from services.inventory.domain.validation import Problem

DEFAULT_SECONDS = 600
MAX_SECONDS = 24 * 3600
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Units of a SKU that the customer wants; an empty point means anywhere."""

    sku: str
    quantity: int
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class HoldBasket:
    """What a basket is to hold, in the place of what it held."""

    request_id: str
    channel_id: str
    basket_id: str
    lines: tuple[BasketLine, ...]
    time_to_live_seconds: int
    allow_partial: bool
    as_of: datetime
    purpose: Purpose | None = None


def reservation_id(channel_id: str, basket_id: str) -> str:
    """The name under which a basket holds: two channels may call theirs the same."""
    return f"basket/{channel_id}/{basket_id}"


def check_id(basket_id: str) -> Iterator[Problem]:
    """A basket's name within its channel."""
    if not _ID.fullmatch(basket_id):
        yield Problem("basket_id", "not 1 to 100 letters, digits, dots, dashes and underscores")


def check_seconds(seconds: int) -> Iterator[Problem]:
    """How long a basket may live."""
    if not 1 <= seconds <= MAX_SECONDS:
        yield Problem("time_to_live_seconds", f"not between 1 and {MAX_SECONDS}")


def check_hold(command: HoldBasket) -> Iterator[Problem]:
    """A basket to hold, whatever the state of stock."""
    yield from validation.name("channel_id", command.channel_id)
    yield from check_id(command.basket_id)
    yield from check_seconds(command.time_to_live_seconds)
    yield from validation.check_sold(command.purpose)
    lines = [HoldLine(line.sku, line.point_id or "anywhere", line.quantity) for line in command.lines]
    yield from validation.check_lines(lines)


def touched(terms: Terms, before: Reservation | None, lines: Iterable[BasketLine]) -> set[Position]:
    """Whose balances `lay_aside` reads and moves."""
    found = set(before.stocks()) if before else set()
    for line in lines:
        for point_id in _points(terms, line):
            stock = spread(terms.parts(line.sku), Position(line.sku, point_id), 1)
            found.update(position for position, _ in stock)
    return found


def lay_aside(
    book: Book,
    terms: Terms,
    before: Reservation | None,
    fresh: Reservation,
    lines: Sequence[BasketLine],
    cause: Cause,
    *,
    allow_partial: bool,
    purpose: Purpose | None = None,
) -> tuple[Reservation | None, tuple[Shortfall, ...]]:
    """The basket with what it holds now, or None when it is refused and nothing has moved.

    What it held counts as given back before anything is judged; what it keeps does not move.
    """
    trial = book.trial()
    current = fresh
    if before is not None:
        emptied, _ = holds.release(trial, before, (), cause)
        current = holds.continued(emptied, fresh)
    chosen, shortfalls = _choose(trial, terms, lines, purpose)
    if (shortfalls and not allow_partial) or not chosen:
        return None, shortfalls
    wishes = [HoldLine(*position, quantity) for position, quantity in sorted(chosen.items())]
    after, _, _ = holds.reserve(trial, terms, current, wishes, cause, allow_partial=False, purpose=purpose)
    trial.movements = list(_netted(trial.movements))
    book.accept(trial)
    return after, shortfalls


def taken_over(
    book: Book,
    terms: Terms,
    basket: Reservation,
    reservation: Reservation,
    wishes: Sequence[HoldLine],
    cause: Cause,
    *,
    allow_partial: bool,
    purpose: Purpose | None = None,
) -> tuple[Reservation, Reservation, tuple[Shortfall, ...], bool]:
    """`holds.reserve`, with the units of a basket, which then holds nothing. The reservation, then the basket.

    When it is refused the basket keeps its units, and the shortfalls tell what is free beside them.
    """
    trial = book.trial()
    emptied, _ = holds.release(trial, basket, (), cause)
    after, shortfalls, held = holds.reserve(
        trial, terms, reservation, wishes, cause, allow_partial=allow_partial, purpose=purpose
    )
    if not held:
        taking = holds.with_parts(reservation, terms, wishes)
        told = tuple(
            replace(one, free=min(book.balance(stock).free // units for stock, units in taking.stock(position)))
            for one in shortfalls
            for position in (Position(one.sku, one.point_id),)
        )
        return reservation, basket, told, False
    book.accept(trial)
    return after, emptied, shortfalls, True


def _points(terms: Terms, line: BasketLine) -> Iterable[str]:
    return [line.point_id] if line.point_id else terms.points


def _choose(
    book: Book, terms: Terms, lines: Iterable[BasketLine], purpose: Purpose | None
) -> tuple[Counter[Position], tuple[Shortfall, ...]]:
    """How many units from where. Lines that say where come first: the others can go elsewhere."""
    wanted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        wanted[line.sku, line.point_id] += line.quantity
    chosen: Counter[Position] = Counter()
    shortfalls: list[Shortfall] = []
    claims = Claims(book)
    for (sku, point_id), quantity in sorted(wanted.items(), key=lambda wish: not wish[0][1]):
        parts = terms.parts(sku)
        could = {
            Position(sku, one): terms.takeable(parts, Position(sku, one), claims.balance, purpose)
            for one in _points(terms, BasketLine(sku, quantity, point_id))
        }
        left = quantity
        for position in sorted(could, key=lambda one: (-could[one], one)):
            if taken := min(left, could[position]):
                chosen[position] += taken
                claims.claim(spread(parts, position, taken))
                left -= taken
        if left:
            shortfalls.append(Shortfall(sku, point_id, quantity, quantity - left, quantity - left))
    return chosen, tuple(shortfalls)


def _netted(movements: Iterable[Movement]) -> Iterator[Movement]:
    """One movement a position; none where as many units were taken as were given back."""
    by_position: dict[Position, list[Movement]] = {}
    for movement in movements:
        by_position.setdefault(movement.position, []).append(movement)
    for position, some in sorted(by_position.items()):
        reserved, short = sum(one.reserved for one in some), sum(one.short for one in some)
        if reserved or short:
            yield Movement(position, 0, reserved, 0, short, some[-1].cause, some[-1].reservation_id)
