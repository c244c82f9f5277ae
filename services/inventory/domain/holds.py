"""Reservations: reserve, then confirm, release, expire; issue, move, report short (SPEC STK-7).

Every function takes the book of locked balances and the reservation under lock, and gives the reservation as it
must be afterwards. A refused wish is an answer (shortfalls); a broken rule is an error.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import FailedPrecondition
from services.inventory.domain.bundles import Parts, spread
from services.inventory.domain.catalogue import Purpose
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Balance, Book, Cause, Position

# The channel of what other documents hold (transfers): only their own acts touch it.
NO_CHANNEL = ""


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
class ShortReason:
    """Units of a short pick that are missing for this reason (`declarations.Reason`), and not just not found."""

    sku: str
    point_id: str
    quantity: int
    reason: str

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

    `expires_at` is None once confirmed, and stays so. `parts`: of the bundles among the lines, as they were taken.
    """

    reservation_id: str
    channel_id: str
    state: ReservationState
    expires_at: datetime | None
    lines: tuple[HoldLine, ...] = ()
    parts: Mapping[Position, Parts] = field(default_factory=dict)

    def held(self) -> Counter[Position]:
        """Units still held by position."""
        return Counter({line.position: line.quantity for line in self.lines})

    def stock(self, position: Position, quantity: int = 1) -> Iterator[tuple[Position, int]]:
        """The units of stock that so many held units at a position are."""
        return spread(self.parts.get(position, ()), position, quantity)

    def stocks(self, positions: Iterable[Position] | None = None) -> list[Position]:
        """Whose balances change with what is held, or with these positions of it."""
        named = self.held() if positions is None else positions
        return [one for position in named for one, _ in self.stock(position)]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A wish that the image cannot grant, with the true figures."""

    sku: str
    point_id: str
    requested: int
    available: int
    free: int


def must_be_a_channels(reservation: Reservation) -> Reservation:
    """The reservation itself. Raises HELD_BY_DOCUMENT when a transfer holds the units."""
    if reservation.channel_id == NO_CHANNEL:
        raise FailedPrecondition(
            "HELD_BY_DOCUMENT",
            "a transfer holds these units: act on the transfer",
            reservation_id=reservation.reservation_id,
        )
    return reservation


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
    purpose: Purpose | None = None,
) -> tuple[Reservation, tuple[Shortfall, ...], bool]:
    """Holds units against the channel's image: all or none, or as many as there are.

    Lines of one position add up before they are judged. The last value says whether anything is held now.
    """
    taking = with_parts(reservation, terms, wishes)
    granted, shortfalls = _grant(book, terms, taking, _sum_up(wishes), purpose)
    if (shortfalls and not allow_partial) or not granted:
        return reservation, shortfalls, False
    for position, quantity in granted.items():
        _move(book, taking, position, quantity, cause, reserved=1)
    return _holding(taking, taking.held() + granted), shortfalls, True


def _grant(
    book: Book, terms: Terms, reservation: Reservation, wanted: Mapping[Position, int], purpose: Purpose | None
) -> tuple[Counter[Position], tuple[Shortfall, ...]]:
    """What can be held of the wishes, in their order: what one claims through a bundle the next one has not."""
    claims = Claims(book)
    granted: Counter[Position] = Counter()
    shortfalls: list[Shortfall] = []
    for position, quantity in wanted.items():
        available = terms.takeable(reservation.parts.get(position, ()), position, claims.balance, purpose)
        if available < quantity:
            free = min(claims.balance(one).free // units for one, units in reservation.stock(position))
            shortfalls.append(Shortfall(*position, quantity, available, free))
        if held := min(quantity, available):
            granted[position] = held
            claims.claim(reservation.stock(position, held))
    return granted, tuple(shortfalls)


class Claims:
    """Units that wishes have been granted and that are not written in the book yet."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._claimed: Counter[Position] = Counter()

    def claim(self, stock: Iterable[tuple[Position, int]]) -> None:
        """These are somebody's."""
        for position, units in stock:
            self._claimed[position] += units

    def balance(self, position: Position) -> Balance:
        """What the next wish finds."""
        balance, claimed = self._book.balance(position), self._claimed[position]
        return replace(balance, reserved=balance.reserved + claimed) if claimed else balance


def touched(reservation: Reservation, terms: Terms, wishes: Sequence[HoldLine]) -> list[Position]:
    """Whose balances `reserve` reads and moves."""
    return with_parts(reservation, terms, wishes).stocks(wish.position for wish in wishes)


def with_parts(reservation: Reservation, terms: Terms, wishes: Iterable[HoldLine]) -> Reservation:
    """Knows the parts of the bundles among the wishes: of one that is held already, those that it has."""
    parts = {
        wish.position: reservation.parts.get(wish.position) or found
        for wish in wishes
        if (found := terms.parts(wish.sku))
    }
    return replace(reservation, parts={**reservation.parts, **parts}) if parts else reservation


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


def extend(reservation: Reservation, seconds: int, now: datetime) -> Reservation:
    """held: expires no earlier than so many seconds from now. Confirmed units do not expire anyway."""
    facts = {"reservation_id": reservation.reservation_id}
    expires_at = reservation.expires_at
    if expires_at is None:
        return reservation
    if reservation.state is ReservationState.CLOSED:
        raise FailedPrecondition("RESERVATION_CLOSED", "it holds nothing any more", **facts)
    if reservation.state is ReservationState.EXPIRED or expires_at <= now:
        raise FailedPrecondition("RESERVATION_EXPIRED", "it expired before it was extended", **facts)
    return replace(reservation, expires_at=max(expires_at, now + timedelta(seconds=seconds)))


def release(
    book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause
) -> tuple[Reservation, tuple[HoldLine, ...]]:
    """Gives back what is held of the wishes (all of it without wishes); nothing held is no error."""
    held = reservation.held()
    wanted = _sum_up(wishes) if wishes else held
    given_back = Counter({position: min(quantity, held[position]) for position, quantity in wanted.items()})
    for position, quantity in sorted(given_back.items()):
        if quantity:
            _move(book, reservation, position, quantity, cause, reserved=-1)
    return _holding(reservation, held - given_back), _lines(given_back)


def expire(book: Book, reservation: Reservation, cause: Cause) -> Reservation:
    """Gives everything back; the reservation's time has passed."""
    release(book, reservation, (), cause)
    return replace(_to(reservation, ReservationState.EXPIRED, reservation.expires_at), lines=(), parts={})


def grant(book: Book, reservation: Reservation, position: Position, quantity: int, cause: Cause) -> Reservation:
    """Holds units that were promised to the holder before they came: no image is asked."""
    book.move(position, cause, reserved=quantity, reservation_id=reservation.reservation_id)
    held = reservation.held()
    held[position] += quantity
    return _holding(reservation, held)


def ended(reservation: Reservation, state: ReservationState) -> Reservation:
    """Closed or expired: nothing is held, or waited for, any more."""
    return _to(reservation, state, reservation.expires_at)


def issue(book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause) -> Reservation:
    """Held units leave stock at hand-over."""
    held = reservation.held()
    wanted = _sum_up(wishes)
    _must_hold(reservation, held, wanted)
    for position, quantity in wanted.items():
        for one, units in reservation.stock(position, quantity):
            balance = book.balance(one)
            if units > balance.on_hand:
                raise FailedPrecondition(
                    "STOCK_BELOW_ZERO",
                    f"{one.point_id} has {balance.on_hand} of {one.sku}: {units} cannot leave",
                    sku=one.sku,
                    point_id=one.point_id,
                    on_hand=balance.on_hand,
                )
        _move(book, reservation, position, quantity, cause, on_hand=-1, reserved=-1)
    return _holding(reservation, held - wanted)


def move(
    book: Book,
    terms: Terms,
    reservation: Reservation,
    moves: Sequence[HoldMove],
    cause: Cause,
    purpose: Purpose | None = None,
) -> tuple[Reservation, tuple[Shortfall, ...]]:
    """Moves held units from point to point: all or, with shortfalls at the points of arrival, none.

    Everything leaves before anything arrives, so that two units may change places. On a refusal the book has
    been written in: throw it away.
    """
    held = reservation.held()
    leaving = _sum_up(HoldLine(m.sku, m.from_point_id, m.quantity) for m in moves)
    arriving = _sum_up(HoldLine(m.sku, m.to_point_id, m.quantity) for m in moves)
    _must_hold(reservation, held, leaving)
    on_the_way = moving(reservation, moves)
    _must_have_one_composition(on_the_way, moves)
    for position, quantity in leaving.items():
        _move(book, on_the_way, position, quantity, cause, reserved=-1)
    granted, shortfalls = _grant(book, terms, on_the_way, arriving, purpose)
    if shortfalls:
        return reservation, shortfalls
    for position, quantity in granted.items():
        _move(book, on_the_way, position, quantity, cause, reserved=1)
    return _holding(on_the_way, held - leaving + arriving), ()


def moving(reservation: Reservation, moves: Iterable[HoldMove]) -> Reservation:
    """Knows that bundles arrive with the parts that they leave with."""
    arriving = {
        Position(move.sku, move.to_point_id): parts
        for move in moves
        if (parts := reservation.parts.get(Position(move.sku, move.from_point_id)))
    }
    return replace(reservation, parts={**arriving, **reservation.parts}) if arriving else reservation


def _must_have_one_composition(reservation: Reservation, moves: Iterable[HoldMove]) -> None:
    for move in moves:
        leaves, arrives = Position(move.sku, move.from_point_id), Position(move.sku, move.to_point_id)
        if reservation.parts.get(leaves, ()) != reservation.parts.get(arrives, ()):
            raise FailedPrecondition(
                "OTHER_PARTS",
                f"{move.sku} is held at {move.to_point_id} with other parts",
                reservation_id=reservation.reservation_id,
                sku=move.sku,
                point_id=move.to_point_id,
            )


def report_short(
    book: Book,
    reservation: Reservation,
    wishes: Sequence[HoldLine],
    cause: Cause,
    reasons: Sequence[ShortReason] = (),
) -> Reservation:
    """Held units are missing: the hold goes and they leave the image at once, for their reason (not found, unless
    `reasons` says more of some of them).

    Units that a count had found missing already, or that somebody has declared before, are in no image: they are
    only given back. Of a bundle all parts leave it, until somebody says which of them are there after all.
    """
    held = reservation.held()
    wanted = _sum_up(wishes)
    _must_hold(reservation, held, wanted)
    for position, quantity, why in _by_reason(wanted, reasons, cause):
        for one, units in reservation.stock(position, quantity):
            balance = book.balance(one)
            known_missing = min(units, balance.short)
            undeclared = max(0, balance.on_hand - balance.unavailable)
            book.move(
                one,
                why,
                reserved=-units,
                unavailable=min(units - known_missing, undeclared),
                reservation_id=reservation.reservation_id,
            )
    return _holding(reservation, held - wanted)


def _by_reason(
    wanted: Mapping[Position, int], reasons: Iterable[ShortReason], cause: Cause
) -> Iterator[tuple[Position, int, Cause]]:
    """Units of a position that are missing for one reason, with the cause that names it."""
    left = Counter(wanted)
    for one in reasons:
        left[one.position] -= one.quantity
        yield one.position, one.quantity, replace(cause, cause=f"{cause.cause}_{one.reason}")
    for position, quantity in left.items():
        if quantity:
            yield position, quantity, cause


def _move(
    book: Book,
    reservation: Reservation,
    position: Position,
    quantity: int,
    cause: Cause,
    *,
    reserved: int,
    on_hand: int = 0,
) -> None:
    """Moves what so many held units are made of. `reserved`, `on_hand`: 1 to add each unit, -1 to take it."""
    for one, units in reservation.stock(position, quantity):
        book.move(
            one,
            cause,
            on_hand=units * on_hand,
            reserved=units * reserved,
            reservation_id=reservation.reservation_id,
        )


def _sum_up(lines: Iterable[HoldLine]) -> Counter[Position]:
    # The same SKU at the same point in two lines counts twice.
    total: Counter[Position] = Counter()
    for line in lines:
        total[line.position] += line.quantity
    return total


def _lines(held: Mapping[Position, int]) -> tuple[HoldLine, ...]:
    return tuple(HoldLine(*position, quantity) for position, quantity in sorted(held.items()) if quantity)


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
        return replace(_to(reservation, ReservationState.CLOSED, reservation.expires_at), lines=(), parts={})
    if not reservation.parts:
        return replace(reservation, lines=lines)
    parts = {line.position: parts for line in lines if (parts := reservation.parts.get(line.position))}
    return replace(reservation, lines=lines, parts=parts)


def _to(reservation: Reservation, state: ReservationState, expires_at: datetime | None) -> Reservation:
    if state not in _TRANSITIONS[reservation.state]:
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            f"a reservation never goes from {reservation.state} to {state}",
            reservation_id=reservation.reservation_id,
        )
    return replace(reservation, state=state, expires_at=expires_at)
