"""Reserve, for all commands that came together: one transaction, decided in the order of arrival.

The locks are taken in one order: reservations, balances, requests (written last, with their answers), each sorted.
A command that is refused or wrong is answered for itself and leaves nothing behind; the others go on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from kit import db, requests
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import InvalidArgument, OmsError
from kit.feed import Bell
from services.inventory import answers
from services.inventory.answers import HoldAnswer
from services.inventory.domain import commands, holds
from services.inventory.domain.baskets import taken_over
from services.inventory.domain.holds import Reservation
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Book, Cause
from services.inventory.store import ledger, reservations

# Who moves reserved units: the holder is named by the reservation's id.
ACTOR = "inventory"
Commands = Sequence[commands.Reserve]


def names_of(command: commands.Reserve) -> tuple[tuple[str, str], ...]:
    """What two commands of one transaction may not have in common."""
    basket = (("reservation", command.basket),) if command.basket else ()
    return ("request", command.request_id), ("reservation", command.reservation_id), *basket


class Reserving:
    """Carries out reserves; an answer or an error for each."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell

    async def carry_out(self, asked: Commands, /, *, again: bool = False) -> Sequence[HoldAnswer | Exception]:
        """Two trips to the database for all of them together when all goes well."""
        try:
            outcomes = await self._transact(asked, again=again)
        except DBAPIError as error:
            if not db.is_duplicate(error):
                raise
            # One of them has a twin elsewhere, which was first: now its answer is found.
            outcomes = await self._transact(asked, again=again)
        self._bell.ring()
        return outcomes

    async def _transact(self, asked: Commands, *, again: bool) -> list[HoldAnswer | Exception]:
        fresh = [
            holds.opened(command.reservation_id, command.channel_id, command.time_to_live_seconds, command.as_of)
            for command in asked
        ]
        digests = {command.request_id: requests.digest(commands.content(command)) for command in asked}
        async with self._engine.begin() as tx:
            given, opened, terms, baskets, book = await _lock(tx, asked, fresh, digests, again=again)
            outcomes: list[HoldAnswer | Exception] = []
            movements: list[ledger.Dated] = []
            pairs: list[tuple[Reservation, Reservation]] = []
            kept: list[ledger.Answer] = []
            dropped: list[str] = []
            for command, wish in zip(asked, fresh, strict=True):
                request_id, before = command.request_id, opened[command.reservation_id]
                held: Sequence[tuple[Reservation, Reservation]] = ()
                outcome: HoldAnswer | Exception
                if request_id in given:
                    outcome = _again(given[request_id])
                else:
                    made = len(book.movements)
                    try:
                        outcome, held = _reserve(
                            book, terms, command, before, wish, baskets.get(command.basket or "")
                        )
                    except OmsError as error:
                        outcome = error
                    else:
                        kept.append(ledger.Answer(request_id, answers.from_hold(outcome), digests[request_id]))
                    movements += [(movement, command.as_of) for movement in book.movements[made:]]
                pairs += held
                outcomes.append(outcome)
                if before is None and not held:
                    dropped.append(command.reservation_id)
            written = ledger.writing(movements=movements, reservations=pairs, answers=kept)
            forgotten = [reservations.dropping(dropped)] if dropped else []
            await db.in_one_trip(tx, *forgotten, written, ends=True)
        return outcomes


async def _lock(
    tx: AsyncConnection,
    asked: Commands,
    fresh: Sequence[Reservation],
    digests: Mapping[str, bytes],
    *,
    again: bool,
) -> tuple[
    Mapping[str, Mapping[str, Any] | Exception],
    Mapping[str, Reservation | None],
    Mapping[str, Terms],
    Mapping[str, Reservation],
    Book,
]:
    """What was answered before, the reservations, the terms of the channels, the baskets, and the balances.

    Whose balances those are stands in the wishes, unless there are bundles or baskets: then it is known only when
    the rest is, and they are locked in a trip of their own.
    """
    wished = {line.position for command in asked for line in command.lines}
    named = [command.basket for command in asked if command.basket]
    # A row that somebody holds for long must not keep those who want others waiting in a row.
    brief = [db.BE_BRIEF] if again else []
    *_, stood, known, balances = await db.in_one_trip(
        tx,
        *brief,
        reservations.opening(fresh, wished),
        requests.asking(list(digests)),  # after the wait for a reservation: a twin has been answered by then
        ledger.locking_unless_bundled(() if named else wished),
    )
    opened, terms = await reservations.opened(tx, stood, fresh, wished, asked[0].as_of)
    baskets = await reservations.lock_all(tx, named)
    touched = {
        position
        for command, wish in zip(asked, fresh, strict=True)
        if command.channel_id in terms
        for position in holds.touched(
            opened[command.reservation_id] or wish, terms[command.channel_id], command.lines
        )
    }.union(position for basket in baskets.values() for position in basket.stocks())
    # None are locked when one is a bundle's; its parts may all be wished for as well.
    is_locked = bool(balances) and touched <= wished
    book = ledger.locked(balances) if is_locked else await ledger.lock(tx, touched)
    return requests.told(known, digests), opened, terms, baskets, book


def _reserve(
    book: Book,
    terms: Mapping[str, Terms],
    command: commands.Reserve,
    before: Reservation | None,
    fresh: Reservation,
    basket: Reservation | None,
) -> tuple[HoldAnswer, Sequence[tuple[Reservation, Reservation]]]:
    """The answer; and, when units are held, the reservations before and after."""
    if command.channel_id not in terms:
        raise InvalidArgument("channel_id", f"there is no channel {command.channel_id}", "UNKNOWN_CHANNEL")
    current = fresh if before is None else holds.continued(before, fresh)
    channel_terms, cause = terms[command.channel_id].at(command.as_of), Cause("reserve", ACTOR, command.request_id)
    pairs: list[tuple[Reservation, Reservation]] = []
    if basket and basket.lines:
        after, emptied, shortfalls, held = taken_over(
            book,
            channel_terms,
            basket,
            current,
            command.lines,
            cause,
            allow_partial=command.allow_partial,
            purpose=command.purpose,
        )
        pairs.append((basket, emptied))
    else:
        after, shortfalls, held = holds.reserve(
            book,
            channel_terms,
            current,
            command.lines,
            cause,
            allow_partial=command.allow_partial,
            purpose=command.purpose,
        )
    if not held:
        return HoldAnswer(False, before, shortfalls), ()
    return HoldAnswer(True, after, shortfalls), [*pairs, (before or fresh, after)]


def _again(given: Mapping[str, Any] | Exception) -> HoldAnswer | Exception:
    """What the first of these requests was told."""
    return given if isinstance(given, Exception) else answers.to_hold(given)
