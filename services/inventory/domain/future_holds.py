"""Reservations of units to come: reserve, then confirm, release, expire; served or lost when a delivery changes.

They live as reservations of stock do (`holds`), under the same ids; what they hold are units of expected
deliveries and of pre-orders. A line is what was taken at one time, so that those who wait are served in the order
of taking.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from kit.errors import FailedPrecondition
from services.inventory.domain import holds
from services.inventory.domain.holds import Reservation, ReservationState


class SourceKind(StrEnum):
    """What units are taken from."""

    DELIVERY = "delivery"
    PREORDER = "preorder"


class Source(NamedTuple):
    """One expected delivery or one pre-order."""

    kind: SourceKind
    source_id: str


@dataclass(frozen=True, slots=True)
class FutureLine:
    """Units of a source. `line_id` is 0 until it is written; the older line has the lower one."""

    source: Source
    quantity: int
    line_id: int = 0


@dataclass(frozen=True, slots=True)
class FutureReservation:
    """A holder's claim on units to come. `life` holds no stock; `lines` are what is waited for, oldest first."""

    life: Reservation
    lines: tuple[FutureLine, ...] = ()

    @property
    def reservation_id(self) -> str:
        return self.life.reservation_id

    def held(self) -> Counter[Source]:
        """Units waited for by source."""
        return sum_up(self.lines)

    def is_due(self, now: datetime) -> bool:
        """Whether its time has passed, swept or not."""
        expires_at = self.life.expires_at
        return self.life.state is ReservationState.HELD and expires_at is not None and expires_at <= now


@dataclass(frozen=True, slots=True)
class Figure:
    """What a channel may take of a source now, and why that is 0 whatever there is."""

    available: int
    zero_reason: str = ""


@dataclass(frozen=True, slots=True)
class FutureShortfall:
    """A wish that the figure cannot grant."""

    source: Source
    requested: int
    available: int
    zero_reason: str


class Share(NamedTuple):
    """Units of a delivery that belong, or belonged, to a reservation."""

    reservation_id: str
    quantity: int


def sum_up(lines: Iterable[FutureLine]) -> Counter[Source]:
    """Units by source: the same one in two lines counts twice."""
    total: Counter[Source] = Counter()
    for line in lines:
        total[line.source] += line.quantity
    return total


def reserve(
    current: FutureReservation,
    wishes: Sequence[FutureLine],
    figures: Mapping[Source, Figure],
    *,
    allow_partial: bool,
) -> tuple[FutureReservation, tuple[FutureShortfall, ...], bool]:
    """Holds units against the figures: all or none, or as many as there are.

    The last value says whether anything is held now.
    """
    wanted = sum_up(wishes)
    granted = {source: min(quantity, figures[source].available) for source, quantity in wanted.items()}
    shortfalls = tuple(
        FutureShortfall(source, quantity, figures[source].available, figures[source].zero_reason)
        for source, quantity in wanted.items()
        if granted[source] < quantity
    )
    if (shortfalls and not allow_partial) or not any(granted.values()):
        return current, shortfalls, False
    taken = tuple(FutureLine(source, quantity) for source, quantity in granted.items() if quantity)
    return replace(current, lines=(*current.lines, *taken)), shortfalls, True


def confirm(current: FutureReservation, now: datetime) -> FutureReservation:
    """Removes the expiry. Again gives the same; too late is RESERVATION_EXPIRED."""
    return replace(current, life=holds.confirm(current.life, now))


def release(
    current: FutureReservation, wishes: Sequence[FutureLine]
) -> tuple[FutureReservation, tuple[FutureLine, ...]]:
    """Gives back what is held of the wishes (all of it without wishes), what was taken last first."""
    left = sum_up(wishes) if wishes else current.held()
    given_back: Counter[int] = Counter()
    for line in reversed(current.lines):
        units = min(line.quantity, left[line.source])
        left[line.source] -= units
        given_back[line.line_id] = units
    released = sum_up(replace(line, quantity=given_back[line.line_id]) for line in current.lines)
    return without(current, given_back), lines_of(released)


def expire(current: FutureReservation) -> FutureReservation:
    """Gives everything back; the reservation's time has passed."""
    return FutureReservation(holds.ended(current.life, ReservationState.EXPIRED))


def convert(current: FutureReservation, units: Mapping[str, int], skus: Mapping[str, str]) -> Counter[int]:
    """Which lines pre-ordered units of these SKUs come from, the oldest first. Raises NOT_HELD.

    `skus` says what each pre-order is of.
    """
    left = Counter(units)
    taken: Counter[int] = Counter()
    for line in current.lines:
        sku = skus.get(line.source.source_id, "") if line.source.kind is SourceKind.PREORDER else ""
        taken[line.line_id] = min(line.quantity, left[sku]) if sku else 0
        left[sku] -= taken[line.line_id]
    for sku, missing in left.items():
        if missing > 0:
            raise FailedPrecondition(
                "NOT_HELD",
                f"{units[sku] - missing} of {sku} are pre-ordered, not {units[sku]}",
                reservation_id=current.reservation_id,
                sku=sku,
                held=units[sku] - missing,
                requested=units[sku],
            )
    return +taken


def without(current: FutureReservation, taken: Mapping[int, int]) -> FutureReservation:
    """With fewer units in these lines; closed once nothing is left."""
    lines = tuple(
        replace(line, quantity=line.quantity - taken.get(line.line_id, 0))
        for line in current.lines
        if line.quantity > taken.get(line.line_id, 0)
    )
    life = current.life
    if not lines and life.state in (ReservationState.HELD, ReservationState.CONFIRMED):
        life = holds.ended(life, ReservationState.CLOSED)
    return FutureReservation(life, lines)


def lines_of(held: Mapping[Source, int]) -> tuple[FutureLine, ...]:
    """One line for each source, in order."""
    return tuple(FutureLine(source, quantity) for source, quantity in sorted(held.items()) if quantity)


# -- those who wait for one delivery ----------------------------------------------------------------------

Holders = Mapping[str, FutureReservation]


def first_come(holders: Holders, source: Source, units: int) -> dict[str, Counter[int]]:
    """Units for those who wait, in the order in which they took: by reservation, by line."""
    return _share_out(_waiting(holders, source), units)


def last_come(holders: Holders, source: Source, units: int) -> dict[str, Counter[int]]:
    """Units that those who took last must do without: by reservation, by line."""
    return _share_out(reversed(_waiting(holders, source)), units)


def take(holders: Holders, found: Mapping[str, Counter[int]]) -> dict[str, FutureReservation]:
    """Those who wait, after units were taken from their lines."""
    return {holder: without(one, found.get(holder, {})) for holder, one in holders.items()}


def waiting_for(holders: Holders, source: Source) -> int:
    """Units of a source that are waited for."""
    return sum(one.held()[source] for one in holders.values())


def shares(found: Mapping[str, Counter[int]]) -> tuple[Share, ...]:
    """As units by reservation."""
    return tuple(Share(holder, taken.total()) for holder, taken in found.items())


def _waiting(holders: Holders, source: Source) -> list[tuple[str, FutureLine]]:
    found = [(holder, line) for holder, one in holders.items() for line in one.lines if line.source == source]
    return sorted(found, key=lambda pair: pair[1].line_id)


def _share_out(waiting: Iterable[tuple[str, FutureLine]], units: int) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for holder, line in waiting:
        given = min(units, line.quantity)
        if given <= 0:
            break
        found.setdefault(holder, Counter())[line.line_id] = given
        units -= given
    return found
