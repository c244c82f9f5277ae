"""Transfers: units that move from one point to another (SPEC STK-16).

A requested transfer holds its units at the origin by the reservation of its own id, which belongs to no channel:
it is judged by what nobody holds (`free`), not by a channel's safety stock. Between dispatch and receipt units are
on hand nowhere: a line keeps dispatched = in transit + received + settled. Every function takes the book of locked
balances and gives the transfer as it must be afterwards; after a raised error the book is thrown away.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition
from services.inventory.domain import holds
from services.inventory.domain.holds import NO_CHANNEL, HoldLine, Reservation, ReservationState, Shortfall
from services.inventory.domain.lanes import Window
from services.inventory.domain.ledger import Book, Cause, Position

# Causes of the movements that a transfer makes; `FindTransferDifferences` reads them.
HOLD, OUT, GIVE_BACK, NOT_FOUND = "transfer_request", "transfer_out", "transfer_release", "not_found"
IN, OVER, RETURN, DAMAGED = "transfer_in", "transfer_over", "transfer_return", "damaged"


class TransferState(StrEnum):
    """Where a transfer is in its life."""

    REQUESTED = "requested"
    DISPATCHED = "dispatched"
    RECEIVED = "received"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Act(StrEnum):
    """What is done to a transfer."""

    REQUEST = "request"
    DISPATCH = "dispatch"
    RECEIVE = "receive"
    SETTLE = "settle"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """What became of units that were missing."""

    FOUND_AT_DESTINATION = "found_at_destination"
    RETURNED = "returned"
    LOST = "lost"


_S = TransferState
TRANSITIONS: Mapping[tuple[TransferState, Act], frozenset[TransferState]] = {
    (_S.REQUESTED, Act.DISPATCH): frozenset({_S.DISPATCHED}),
    (_S.REQUESTED, Act.CANCEL): frozenset({_S.CANCELLED}),
    (_S.DISPATCHED, Act.RECEIVE): frozenset({_S.RECEIVED, _S.CLOSED}),
    (_S.DISPATCHED, Act.SETTLE): frozenset({_S.DISPATCHED, _S.CLOSED}),
    (_S.RECEIVED, Act.RECEIVE): frozenset({_S.RECEIVED, _S.CLOSED}),
    (_S.RECEIVED, Act.SETTLE): frozenset({_S.RECEIVED, _S.CLOSED}),
}


@dataclass(frozen=True, slots=True)
class TransferLine:
    """One article: asked for, dispatched, of those received and settled (returned or lost), and beside them over
    and damaged."""

    sku: str
    quantity: int
    dispatched: int = 0
    received: int = 0
    settled: int = 0
    lost: int = 0
    over: int = 0
    damaged: int = 0

    @property
    def in_transit(self) -> int:
        """Units that are on hand nowhere."""
        return self.dispatched - self.received - self.settled


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units on their way. `lines` are in SKU order, one for each article."""

    transfer_id: str
    origin_id: str
    destination_id: str
    state: TransferState
    lane_id: str
    expected: Window | None
    requested_at: datetime
    lines: tuple[TransferLine, ...]
    dispatched_at: datetime | None = None
    closed_at: datetime | None = None

    def line(self, sku: str) -> TransferLine:
        """The article's line; one of zeros for an article that was not announced."""
        return next((line for line in self.lines if line.sku == sku), TransferLine(sku, 0))

    @property
    def in_transit(self) -> int:
        """Units of all articles that are on hand nowhere."""
        return sum(line.in_transit for line in self.lines)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Units of an article."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Units of an article that arrived, `damaged` ones included."""

    sku: str
    quantity: int
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of missing units."""

    sku: str
    quantity: int
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActLine:
    """What an act did with one article."""

    sku: str
    quantity: int
    damaged: int = 0
    over: int = 0
    outcome: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActDone:
    """One step in a transfer's life."""

    act: Act
    actor: str
    reason: str
    at: datetime
    lines: tuple[ActLine, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A transfer after an act, what the act did, and the reservation that holds its units, if that changed."""

    transfer: Transfer
    done: tuple[ActLine, ...]
    held: Reservation | None = None


def summed(lines: Iterable[Quantity | Receipt]) -> dict[str, int]:
    """Units by article, in SKU order: the same SKU in two lines counts twice."""
    total: Counter[str] = Counter()
    for line in lines:
        total[line.sku] += line.quantity
    return dict(sorted(total.items()))


def holder(transfer_id: str) -> Reservation:
    """The reservation of a transfer, before it holds anything."""
    return Reservation(transfer_id, NO_CHANNEL, ReservationState.CONFIRMED, None)


def request(book: Book, transfer: Transfer, actor: str) -> tuple[Reservation, tuple[Shortfall, ...]]:
    """Holds every line at the origin, or nothing: then with the true figures. The draft itself does not change."""
    cause = Cause(HOLD, actor, transfer.transfer_id)
    wishes = [HoldLine(line.sku, transfer.origin_id, line.quantity) for line in transfer.lines]
    free = {wish.position: book.balance(wish.position).free for wish in wishes}
    shortfalls = tuple(
        Shortfall(wish.sku, wish.point_id, wish.quantity, max(0, free[wish.position]), free[wish.position])
        for wish in wishes
        if wish.quantity > free[wish.position]
    )
    if not shortfalls:
        for wish in wishes:
            book.move(wish.position, cause, reserved=wish.quantity, reservation_id=transfer.transfer_id)
    held = () if shortfalls else tuple(wishes)
    return replace(holder(transfer.transfer_id), lines=held), shortfalls


def dispatch(
    book: Book,
    transfer: Transfer,
    held: Reservation,
    found: Sequence[Quantity],
    actor: str,
    now: datetime,
    *,
    declare_not_found: bool,
) -> Result:
    """What was found leaves the origin; the rest is given back, or declared unavailable. No lines: all leaves."""
    must_allow(transfer, Act.DISPATCH)
    leaving = summed(found) if found else {line.sku: line.quantity for line in transfer.lines}
    leaving = {sku: quantity for sku, quantity in leaving.items() if quantity}
    if not leaving:
        raise FailedPrecondition(
            "NOTHING_DISPATCHED", "nothing leaves: cancel the transfer", transfer_id=transfer.transfer_id
        )
    at = {sku: Position(sku, transfer.origin_id) for sku in leaving}
    for sku, quantity in leaving.items():
        _others_keep_theirs(book, held, at[sku], quantity)
    wishes = [HoldLine(*at[sku], quantity) for sku, quantity in leaving.items()]
    left = holds.issue(book, held, wishes, Cause(OUT, actor, transfer.transfer_id))
    if left.lines and declare_not_found:
        left = holds.report_short(book, left, left.lines, Cause(NOT_FOUND, actor, transfer.transfer_id))
    elif left.lines:
        left, _ = holds.release(book, left, (), Cause(GIVE_BACK, actor, transfer.transfer_id))
    lines = tuple(replace(line, dispatched=leaving.get(line.sku, 0)) for line in transfer.lines)
    after = _to(replace(transfer, lines=lines, dispatched_at=now), Act.DISPATCH, _S.DISPATCHED, now)
    return Result(after, tuple(ActLine(sku, quantity) for sku, quantity in leaving.items()), left)


def _others_keep_theirs(book: Book, held: Reservation, position: Position, quantity: int) -> None:
    # A count or a declaration after the request may have left fewer units than are held: customers come first.
    balance = book.balance(position)
    mine = held.held()[position]
    if quantity <= mine and quantity > balance.free + mine:
        raise FailedPrecondition(
            "NOT_ENOUGH_FREE",
            f"others hold what is left of {position.sku} at {position.point_id}: {max(0, balance.free + mine)}"
            " may leave",
            sku=position.sku,
            point_id=position.point_id,
            free=balance.free + mine,
            requested=quantity,
        )


def receive(book: Book, transfer: Transfer, receipts: Sequence[Receipt], actor: str, now: datetime) -> Result:
    """Units enter stock at the destination: those in transit, then those over; damaged ones out of the image."""
    must_allow(transfer, Act.RECEIVE)
    damaged: Counter[str] = Counter()
    for receipt in receipts:
        damaged[receipt.sku] += receipt.damaged
    done = []
    for sku, quantity in summed(receipts).items():
        line, position = transfer.line(sku), Position(sku, transfer.destination_id)
        expected = min(quantity, line.in_transit)
        over = quantity - expected
        for units, cause in ((expected, IN), (over, OVER)):
            if units:
                _move(book, position, cause, actor, transfer, on_hand=units)
        if damaged[sku]:
            _move(book, position, DAMAGED, actor, transfer, unavailable=damaged[sku])
        transfer = _with_line(
            transfer,
            replace(
                line,
                received=line.received + expected,
                over=line.over + over,
                damaged=line.damaged + damaged[sku],
            ),
        )
        done.append(ActLine(sku, quantity, damaged[sku], over))
    return Result(_to(transfer, Act.RECEIVE, _S.RECEIVED, now), tuple(done))


def settle(book: Book, transfer: Transfer, settlements: Sequence[Settlement], actor: str, now: datetime) -> Result:
    """Missing units are found at one of the ends, or written off as lost."""
    must_allow(transfer, Act.SETTLE)
    for settlement in settlements:
        line, quantity = transfer.line(settlement.sku), settlement.quantity
        if quantity > line.in_transit:
            raise FailedPrecondition(
                "NOT_IN_TRANSIT",
                f"{line.in_transit} of {line.sku} are missing, not {quantity}",
                transfer_id=transfer.transfer_id,
                sku=line.sku,
                in_transit=line.in_transit,
                requested=quantity,
            )
        if settlement.outcome is Outcome.FOUND_AT_DESTINATION:
            destination = Position(line.sku, transfer.destination_id)
            _move(book, destination, IN, actor, transfer, on_hand=quantity)
            line = replace(line, received=line.received + quantity)
        elif settlement.outcome is Outcome.RETURNED:
            _move(book, Position(line.sku, transfer.origin_id), RETURN, actor, transfer, on_hand=quantity)
            line = replace(line, settled=line.settled + quantity)
        else:
            line = replace(line, settled=line.settled + quantity, lost=line.lost + quantity)
        transfer = _with_line(transfer, line)
    done = tuple(ActLine(s.sku, s.quantity, outcome=s.outcome, reason=s.reason) for s in settlements)
    return Result(_to(transfer, Act.SETTLE, transfer.state, now), done)


def cancel(book: Book, transfer: Transfer, held: Reservation, actor: str, now: datetime) -> Result:
    """Everything is given back at the origin."""
    must_allow(transfer, Act.CANCEL)
    left, released = holds.release(book, held, (), Cause(GIVE_BACK, actor, transfer.transfer_id))
    done = tuple(ActLine(line.sku, line.quantity) for line in released)
    return Result(_to(transfer, Act.CANCEL, _S.CANCELLED, now), done, left)


def must_allow(transfer: Transfer, act: Act) -> frozenset[TransferState]:
    """The states to which the act may lead from here. Raises ILLEGAL_TRANSITION."""
    allowed = TRANSITIONS.get((transfer.state, act))
    if allowed is None:
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            f"a transfer that is {transfer.state} allows no {act}",
            transfer_id=transfer.transfer_id,
            state=transfer.state.value,
        )
    return allowed


def _to(transfer: Transfer, act: Act, state: TransferState, now: datetime) -> Transfer:
    allowed = must_allow(transfer, act)
    if _S.CLOSED in allowed and not transfer.in_transit:
        state = _S.CLOSED
    if state not in allowed:
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            f"{act} never leads from {transfer.state} to {state}",
            transfer_id=transfer.transfer_id,
            state=transfer.state.value,
        )
    ended = state in (_S.CLOSED, _S.CANCELLED)
    return replace(transfer, state=state, closed_at=now if ended else None)


def _with_line(transfer: Transfer, line: TransferLine) -> Transfer:
    others = [each for each in transfer.lines if each.sku != line.sku]
    return replace(transfer, lines=tuple(sorted([*others, line], key=lambda each: each.sku)))


def _move(
    book: Book,
    position: Position,
    cause: str,
    actor: str,
    transfer: Transfer,
    *,
    on_hand: int = 0,
    unavailable: int = 0,
) -> None:
    book.move(
        position,
        Cause(cause, actor, transfer.transfer_id),
        on_hand=on_hand,
        unavailable=unavailable,
        reservation_id=transfer.transfer_id,
    )
