"""Reserve, for all commands that came together: one transaction, decided in the order of arrival.

The locks are taken in the one order of every transaction here: requests, reservations, balances, each sorted. A
command that is refused or wrong is answered for itself and leaves nothing behind; the others go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from services.inventory.store import ledger

# Who moves reserved units: the holder is named by the reservation's id.
ACTOR = "inventory"
Commands = Sequence[commands.Reserve]


def names_of(command: commands.Reserve) -> tuple[tuple[str, str], ...]:
    """What two commands of one transaction may not have in common."""
    basket = (("reservation", command.basket),) if command.basket else ()
    return ("request", command.request_id), ("reservation", command.reservation_id), *basket


@dataclass(frozen=True, slots=True)
class _Decision:
    """What becomes of one command. `pairs` are reservations before and after, when units are held."""

    answer: HoldAnswer
    pairs: Sequence[tuple[Reservation, Reservation]] = ()


class Reserving:
    """Carries out reserves; an answer or an error for each."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell

    async def carry_out(self, asked: Commands, /, *, again: bool = False) -> Sequence[HoldAnswer | Exception]:
        """Six trips to the database for all of them together, when all goes well."""
        async with self._engine.begin() as tx:
            if again:
                # A row that somebody holds for long must not keep those who want others waiting in a row.
                await db.be_brief(tx)
            contents = {command.request_id: commands.content(command) for command in asked}
            given = await requests.first_answers(tx, contents)
            new = [command for command in asked if given[command.request_id] is None]
            decided = await self._decide(tx, new) if new else {}
        self._bell.ring()
        return [decided.get(command.request_id) or _again(given[command.request_id]) for command in asked]

    async def _decide(self, tx: AsyncConnection, new: Commands) -> dict[str, HoldAnswer | Exception]:
        fresh = [
            holds.opened(command.reservation_id, command.channel_id, command.time_to_live_seconds, command.as_of)
            for command in new
        ]
        positions = [line.position for command in new for line in command.lines]
        opened, terms = await ledger.open_reservations(tx, fresh, positions, new[0].as_of)
        baskets = await ledger.lock_reservations(tx, [command.basket for command in new if command.basket])
        book = await ledger.lock(
            tx,
            {
                position
                for command, wish in zip(new, fresh, strict=True)
                if command.channel_id in terms
                for position in holds.touched(
                    opened[command.reservation_id] or wish, terms[command.channel_id], command.lines
                )
            }.union(position for basket in baskets.values() for position in basket.stocks()),
        )
        outcomes: dict[str, HoldAnswer | Exception] = {}
        movements: list[ledger.Dated] = []
        pairs: list[tuple[Reservation, Reservation]] = []
        dropped: list[str] = []
        for command, wish in zip(new, fresh, strict=True):
            before = opened[command.reservation_id]
            made = len(book.movements)
            try:
                decision = _reserve(book, terms, command, before, wish, baskets.get(command.basket or ""))
            except OmsError as error:
                outcomes[command.request_id] = error
            else:
                outcomes[command.request_id] = decision.answer
                pairs += decision.pairs
            movements += [(movement, command.as_of) for movement in book.movements[made:]]
            outcome = outcomes[command.request_id]
            if before is None and not (isinstance(outcome, HoldAnswer) and outcome.done):
                dropped.append(command.reservation_id)
        if dropped:
            await ledger.drop_reservations(tx, dropped)
        if wrong := [request_id for request_id, one in outcomes.items() if isinstance(one, Exception)]:
            await requests.forget(tx, wrong)
        kept = [
            ledger.Answer(request_id, answers.from_hold(one))
            for request_id, one in outcomes.items()
            if isinstance(one, HoldAnswer)
        ]
        await ledger.write(tx, movements=movements, reservations=pairs, answers=kept)
        return outcomes


def _reserve(
    book: Book,
    terms: Mapping[str, Terms],
    command: commands.Reserve,
    before: Reservation | None,
    fresh: Reservation,
    basket: Reservation | None,
) -> _Decision:
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
        return _Decision(HoldAnswer(False, before, shortfalls))
    return _Decision(HoldAnswer(True, after, shortfalls), [*pairs, (before or fresh, after)])


def _again(given: Mapping[str, Any] | Exception | None) -> HoldAnswer | Exception:
    """What the first of these requests was told."""
    assert given is not None  # a new one was decided
    return given if isinstance(given, Exception) else answers.to_hold(given)
