"""Reservations: reserve, then confirm, release, expire; issue, move, report short (SPEC STK-7).

Every function takes the book of locked balances and the reservation under lock, and gives the reservation as it
must be afterwards. A refused wish is an answer (shortfalls); a broken rule is an error.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import FailedPrecondition
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Balance, Book, Cause, Position


class ReservationState(StrEnum):
    """Where a reservation is in its life."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    EXPIRED = "expired"


# A holder whose units are gone may take units again under the same name: an expired basket that is paid after
# all, an order that is planned again after a short pick.
_TRANSITIONS: Mapping[ReservationState, frozenset[ReservationState]] = {
    ReservationState.HELD: frozenset(
        {ReservationState.CONFIRMED, ReservationState.CLOSED, ReservationState.EXPIRED}
    ),
    ReservationState.CONFIRMED: frozenset({ReservationState.CLOSED}),
    ReservationState.CLOSED: frozenset({ReservationState.HELD, ReservationState.CONFIRMED}),
    ReservationState.EXPIRED: frozenset({ReservationState.HELD, ReservationState.CONFIRMED}),
}


@dataclass(frozen=True, slots=True)
class HoldLine:
    """Units of a SKU at a point."""

    sku: str
    point_id: str
    quantity: int

    @property
    def position(self) -> Position:
        return Position(self.sku, self.point_id)


@dataclass(frozen=True, slots=True)
class HoldMove:
    """Held units that change their point."""

    sku: str
    from_point_id: str
    to_point_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """A holder's claim on stock. `lines` are what is still held: positive, one a position, in order.

    `expires_at` is None once confirmed, and stays so.
    """

    reservation_id: str
    channel_id: str
    state: ReservationState
    expires_at: datetime | None
    lines: tuple[HoldLine, ...] = ()

    def held(self) -> Counter[Position]:
        """Units still held by position."""
        return Counter({line.position: line.quantity for line in self.lines})


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A wish that the image cannot grant, with the true figures."""

    sku: str
    point_id: str
    requested: int
    available: int
    free: int


def opened(reservation_id: str, channel_id: str, time_to_live_seconds: int, now: datetime) -> Reservation:
    """A reservation that holds nothing yet; without a time to live it is confirmed at once."""
    if time_to_live_seconds == 0:
        return Reservation(reservation_id, channel_id, ReservationState.CONFIRMED, None)
    expires_at = now + timedelta(seconds=time_to_live_seconds)
    return Reservation(reservation_id, channel_id, ReservationState.HELD, expires_at)


def continued(existing: Reservation, fresh: Reservation) -> Reservation:
    """The reservation that a further reserve adds to: confirmed stays confirmed, the later expiry counts."""
    if existing.channel_id != fresh.channel_id:
        raise FailedPrecondition(
            "OTHER_CHANNEL",
            f"the reservation belongs to channel {existing.channel_id}",
            reservation_id=existing.reservation_id,
            channel_id=existing.channel_id,
        )
    if existing.state in (ReservationState.CLOSED, ReservationState.EXPIRED):
        return _to(existing, fresh.state, fresh.expires_at)
    if existing.expires_at is None or fresh.expires_at is None:
        return existing if existing.expires_at is None else _to(existing, ReservationState.CONFIRMED, None)
    return replace(existing, expires_at=max(existing.expires_at, fresh.expires_at))


def reserve(
    book: Book,
    terms: Terms,
    reservation: Reservation,
    wishes: Sequence[HoldLine],
    cause: Cause,
    *,
    allow_partial: bool,
) -> tuple[Reservation, tuple[Shortfall, ...], bool]:
    """Holds units against the channel's image: all or none, or as many as there are.

    Lines of one position add up before they are judged. The last value says whether anything is held now.
    """
    wanted = _sum_up(wishes)
    granted = {
        position: min(quantity, terms.available(book.balance(position))) for position, quantity in wanted.items()
    }
    shortfalls = tuple(
        _shortfall(terms, book.balance(position), quantity)
        for position, quantity in wanted.items()
        if granted[position] < quantity
    )
    if (shortfalls and not allow_partial) or not any(granted.values()):
        return reservation, shortfalls, False
    held = reservation.held()
    for position, quantity in granted.items():
        if quantity:
            book.move(position, cause, reserved=quantity, reservation_id=reservation.reservation_id)
            held[position] += quantity
    return _holding(reservation, held), shortfalls, True


def confirm(reservation: Reservation, now: datetime) -> Reservation:
    """Removes the expiry. Again gives the same; too late is RESERVATION_EXPIRED."""
    facts = {"reservation_id": reservation.reservation_id}
    if reservation.expires_at is None:
        return reservation
    if reservation.state is ReservationState.EXPIRED or (
        reservation.state is ReservationState.HELD and reservation.expires_at <= now
    ):
        raise FailedPrecondition("RESERVATION_EXPIRED", "the reservation expired before it was confirmed", **facts)
    if reservation.state is ReservationState.CLOSED:
        raise FailedPrecondition("RESERVATION_CLOSED", "all was released before it was confirmed", **facts)
    return _to(reservation, ReservationState.CONFIRMED, None)


def release(
    book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause
) -> tuple[Reservation, tuple[HoldLine, ...]]:
    """Gives back what is held of the wishes (all of it without wishes); nothing held is no error."""
    held = reservation.held()
    wanted = _sum_up(wishes) if wishes else held
    given_back = Counter({position: min(quantity, held[position]) for position, quantity in wanted.items()})
    for position, quantity in sorted(given_back.items()):
        if quantity:
            book.move(position, cause, reserved=-quantity, reservation_id=reservation.reservation_id)
    return _holding(reservation, held - given_back), _lines(given_back)


def expire(book: Book, reservation: Reservation, cause: Cause) -> Reservation:
    """Gives everything back; the reservation's time has passed."""
    emptied, _ = release(book, reservation, (), cause)
    return replace(_to(reservation, ReservationState.EXPIRED, reservation.expires_at), lines=emptied.lines)


def issue(book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause) -> Reservation:
    """Held units leave stock at hand-over."""
    held = reservation.held()
    wanted = _sum_up(wishes)
    _must_hold(reservation, held, wanted)
    for position, quantity in wanted.items():
        balance = book.balance(position)
        if quantity > balance.on_hand:
            raise FailedPrecondition(
                "STOCK_BELOW_ZERO",
                f"{position.point_id} has {balance.on_hand} of {position.sku}: {quantity} cannot leave",
                sku=position.sku,
                point_id=position.point_id,
                on_hand=balance.on_hand,
            )
        book.move(
            position, cause, on_hand=-quantity, reserved=-quantity, reservation_id=reservation.reservation_id
        )
    return _holding(reservation, held - wanted)


def move(
    book: Book, terms: Terms, reservation: Reservation, moves: Sequence[HoldMove], cause: Cause
) -> tuple[Reservation, tuple[Shortfall, ...]]:
    """Moves held units from point to point: all or, with shortfalls at the points of arrival, none.

    Everything leaves before anything arrives, so that two units may change places. On a refusal the book has
    been written in: throw it away.
    """
    held = reservation.held()
    leaving = _sum_up(HoldLine(m.sku, m.from_point_id, m.quantity) for m in moves)
    arriving = _sum_up(HoldLine(m.sku, m.to_point_id, m.quantity) for m in moves)
    _must_hold(reservation, held, leaving)
    for position, quantity in leaving.items():
        book.move(position, cause, reserved=-quantity, reservation_id=reservation.reservation_id)
    shortfalls = tuple(
        _shortfall(terms, book.balance(position), quantity)
        for position, quantity in arriving.items()
        if quantity > terms.available(book.balance(position))
    )
    if shortfalls:
        return reservation, shortfalls
    for position, quantity in arriving.items():
        book.move(position, cause, reserved=quantity, reservation_id=reservation.reservation_id)
    return _holding(reservation, held - leaving + arriving), ()


def report_short(book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause) -> Reservation:
    """Held units were not found: the hold goes and they leave the image at once.

    Units that a count had found missing already are in no image: they are only given back.
    """
    held = reservation.held()
    wanted = _sum_up(wishes)
    _must_hold(reservation, held, wanted)
    for position, quantity in wanted.items():
        known_missing = min(quantity, book.balance(position).short)
        book.move(
            position,
            cause,
            reserved=-quantity,
            unavailable=quantity - known_missing,
            reservation_id=reservation.reservation_id,
        )
    return _holding(reservation, held - wanted)


def _sum_up(lines: Iterable[HoldLine]) -> Counter[Position]:
    # The same SKU at the same point in two lines counts twice.
    total: Counter[Position] = Counter()
    for line in lines:
        total[line.position] += line.quantity
    return total


def _lines(held: Mapping[Position, int]) -> tuple[HoldLine, ...]:
    return tuple(HoldLine(*position, quantity) for position, quantity in sorted(held.items()) if quantity)


def _shortfall(terms: Terms, balance: Balance, requested: int) -> Shortfall:
    return Shortfall(balance.sku, balance.point_id, requested, terms.available(balance), balance.free)


def _must_hold(reservation: Reservation, held: Mapping[Position, int], wanted: Mapping[Position, int]) -> None:
    for position, quantity in wanted.items():
        if quantity > held.get(position, 0):
            raise FailedPrecondition(
                "NOT_HELD",
                f"{held.get(position, 0)} of {position.sku} are held at {position.point_id}, not {quantity}",
                reservation_id=reservation.reservation_id,
                sku=position.sku,
                point_id=position.point_id,
                held=held.get(position, 0),
                requested=quantity,
            )


def _holding(reservation: Reservation, held: Mapping[Position, int]) -> Reservation:
    lines = _lines(held)
    open_states = (ReservationState.HELD, ReservationState.CONFIRMED)
    if not lines and reservation.state in open_states:
        return replace(_to(reservation, ReservationState.CLOSED, reservation.expires_at), lines=())
    return replace(reservation, lines=lines)


def _to(reservation: Reservation, state: ReservationState, expires_at: datetime | None) -> Reservation:
    if state not in _TRANSITIONS[reservation.state]:
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            f"a reservation never goes from {reservation.state} to {state}",
            reservation_id=reservation.reservation_id,
        )
    return replace(reservation, state=state, expires_at=expires_at)
