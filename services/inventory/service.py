"""Inventory's use cases: open a transaction, check the request id, load under lock, decide, save. Only it commits.

It never decides where an order ships from, and calls nobody.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, requests
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.feed import Bell
from services.inventory import answers, events
from services.inventory.answers import HoldAnswer
from services.inventory.domain import commands, holds, validation
from services.inventory.domain import image as channel_image
from services.inventory.domain import ledger as stock
from services.inventory.domain.catalogue import Channel, Item, StockPoint
from services.inventory.domain.holds import HoldLine, Reservation
from services.inventory.domain.image import Availability
from services.inventory.domain.ledger import Balance, Book, Cause, Difference, Movement, Position
from services.inventory.domain.validation import Problem
from services.inventory.gathering import Gathering
from services.inventory.reserving import ACTOR, Reserving, names_of
from services.inventory.store import catalogue, feed, image, ledger

MAX_SKUS = 500
MARKS_KEPT = 1_000_000
# Reserves in one transaction: enough to share its cost, few enough to answer the first one soon.
MAX_GATHERED = 64


class InventoryService:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        self._reserves = Gathering(Reserving(engine, bell).carry_out, names_of, most=MAX_GATHERED)
        # For reads of several statements that must agree.
        self._still = engine.execution_options(isolation_level="REPEATABLE READ")

    # -- items, points, channels --------------------------------------------------------------------------

    async def put_items(self, items: Sequence[Item]) -> int:
        """Creates or replaces; how many rows really changed."""
        _check(validation.check_items(items))
        async with self._change() as tx:
            return await catalogue.put_items(tx, items)

    async def list_items(self, skus: Sequence[str], after: str, limit: int) -> list[Item]:
        """Items in SKU order after one; no SKUs means all."""
        _check(validation.skus(skus))
        async with self._engine.begin() as tx:
            return await catalogue.items(tx, skus or None, after, limit)

    async def put_stock_points(self, points: Sequence[StockPoint]) -> int:
        """Creates or replaces; how many rows really changed."""
        _check(validation.check_points(points))
        async with self._change() as tx:
            return await catalogue.put_points(tx, points)

    async def list_stock_points(self) -> list[StockPoint]:
        """All, in id order."""
        async with self._engine.begin() as tx:
            return await catalogue.points(tx)

    async def put_channels(self, channels: Sequence[Channel]) -> int:
        """Creates or replaces; how many channels really changed. Their points must exist."""
        _check(validation.check_channels(channels))
        named = [point_id for channel in channels for point_id in channel.activated_points]
        named += [rule.point_id for channel in channels for rule in channel.safety_stock]
        async with self._change() as tx:
            _, known = await catalogue.known(tx, [], named)
            _check(validation.check_known_points(channels, known))
            return await catalogue.put_channels(tx, channels)

    async def list_channels(self) -> list[Channel]:
        """All, in id order."""
        async with self._still.begin() as tx:
            return await catalogue.channels(tx)

    # -- stock --------------------------------------------------------------------------------------------

    async def adjust_stock(self, command: commands.AdjustStock) -> tuple[Balance, ...]:
        """Moves physical stock, all lines or none; the balances afterwards."""
        _check(validation.check_deltas(command.deltas), validation.check_cause(command.cause))
        positions = [Position(delta.sku, delta.point_id) for delta in command.deltas]
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return answers.to_balances(first)
            skus, point_ids = await catalogue.known(
                tx, [p.sku for p in positions], [p.point_id for p in positions]
            )
            _check(validation.check_known_positions(command.deltas, skus, point_ids))
            book = await ledger.lock_or_create(tx, positions)
            for i, (position, delta) in enumerate(zip(positions, command.deltas, strict=True)):
                with _line(f"deltas[{i}].quantity"):
                    stock.adjust(book, position, delta.quantity, command.cause)
            balances = book.balances(positions)
            await outbox.write(tx, events.stock_adjusted(command, balances))
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                answers=[ledger.Answer(command.request_id, answers.from_balances(balances))],
            )
        return balances

    async def declare_unavailable(self, command: commands.DeclareUnavailable) -> Balance:
        """Units leave every channel's image; the balance afterwards."""
        return await self._change_unavailable(command, stock.declare_unavailable)

    async def release_unavailable(self, command: commands.ReleaseUnavailable) -> Balance:
        """Units declared unavailable come back; the balance afterwards."""
        return await self._change_unavailable(command, stock.release_unavailable)

    async def _change_unavailable(
        self, command: commands.DeclareUnavailable | commands.ReleaseUnavailable, rule: "_Rule"
    ) -> Balance:
        _check(
            validation.sku("sku", command.sku),
            validation.name("point_id", command.point_id),
            validation.quantity("quantity", command.quantity),
            validation.check_cause(command.cause),
        )
        position = Position(command.sku, command.point_id)
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return answers.to_balances(first)[0]
            book = await ledger.lock(tx, [position])
            balance = rule(book, position, command.quantity, command.cause)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                answers=[ledger.Answer(command.request_id, answers.from_balances([balance]))],
            )
        return balance

    async def list_balances(
        self, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int
    ) -> list[Balance]:
        """In (sku, point) order after one; empty filters mean all."""
        _check(validation.skus(skus), validation.names("point_ids", point_ids))
        async with self._engine.begin() as tx:
            return await ledger.balances(tx, skus, point_ids, after, limit)

    async def list_movements(
        self, sku: str, point_id: str, after: int, limit: int
    ) -> list[tuple[int, Movement, datetime]]:
        """The ledger of a SKU, oldest first: id, line, when."""
        _check(validation.sku("sku", sku), validation.name("point_id", point_id) if point_id else ())
        async with self._engine.begin() as tx:
            return await ledger.movements(tx, sku, point_id, after, limit)

    async def get_availability(
        self, channel_id: str, skus: Sequence[str], *, explain: bool = False
    ) -> list[Availability]:
        """The channel image of up to 500 SKUs, in the order asked for."""
        _check(
            validation.name("channel_id", channel_id),
            [] if 1 <= len(skus) <= MAX_SKUS else [Problem("skus", f"1 to {MAX_SKUS} are needed")],
            validation.skus(skus),
        )
        async with self._still.begin() as tx:
            terms = (await image.terms(tx, [channel_id], skus)).get(channel_id)
            if terms is None:
                raise _no_channel(channel_id)
            balances = await image.balances_behind(tx, channel_id, skus)
        return [channel_image.availability(terms, sku, balances.get(sku, ()), explain=explain) for sku in skus]

    # -- reservations -------------------------------------------------------------------------------------

    async def reserve(self, command: commands.Reserve) -> HoldAnswer:
        """Holds units against the channel's image; with whatever else is reserved at this moment."""
        _check(
            validation.identifier("request_id", command.request_id),
            validation.identifier("reservation_id", command.reservation_id),
            validation.name("channel_id", command.channel_id),
            validation.check_lines(command.lines),
            validation.check_time_to_live(command.time_to_live_seconds),
        )
        return await self._reserves.submit(command)

    async def confirm(self, reservation_id: str, as_of: datetime) -> Reservation:
        """held -> confirmed; a repeat gives the same."""
        _check(validation.identifier("reservation_id", reservation_id))
        async with self._change() as tx:
            before = await self._must_lock(tx, reservation_id)
            after = holds.confirm(before, as_of)
            if after != before:
                await ledger.write(tx, reservations=[(before, after)])
        return after

    async def release(self, command: commands.Release) -> tuple[HoldLine, ...]:
        """Gives back what is held; accepts that nothing ever was."""
        _check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines, required=False),
            validation.text("reason", command.reason),
        )
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return answers.to_lines(first)
            before = await ledger.lock_reservation(tx, command.reservation_id)
            released: tuple[HoldLine, ...] = ()
            movements: Sequence[Movement] = ()
            pairs: list[tuple[Reservation, Reservation]] = []
            if before is not None and before.lines:
                book = await ledger.lock(tx, before.held())
                cause = Cause("release", ACTOR, command.reason)
                after, released = holds.release(book, before, command.lines, cause)
                movements, pairs = book.movements, [(before, after)]
            await ledger.write(
                tx,
                movements=ledger.dated(movements, command.as_of),
                reservations=pairs,
                answers=[ledger.Answer(command.request_id, answers.from_lines(released))],
            )
        return released

    async def issue(self, command: commands.Issue) -> tuple[Balance, ...]:
        """Held units leave stock; the balances afterwards."""
        _check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines),
            validation.text("reference", command.reference),
        )
        return await self._take(command, holds.issue, Cause("issue", ACTOR, command.reference))

    async def report_short(self, command: commands.ReportShort) -> tuple[Balance, ...]:
        """Held units were not found: given back and declared unavailable at once; the balances afterwards."""
        _check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines),
            validation.text("actor", command.actor, required=True),
        )
        return await self._take(
            command, holds.report_short, Cause("short_pick", command.actor, command.request_id)
        )

    async def _take(
        self, command: commands.Issue | commands.ReportShort, rule: "_TakingRule", cause: Cause
    ) -> tuple[Balance, ...]:
        positions = [line.position for line in command.lines]
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return answers.to_balances(first)
            before = await self._must_lock(tx, command.reservation_id)
            book = await ledger.lock(tx, positions)
            after = rule(book, before, command.lines, cause)
            balances = book.balances(positions)
            if isinstance(command, commands.ReportShort):
                await outbox.write(tx, [events.short_reported(before, command.lines, command.as_of)])
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=[(before, after)],
                answers=[ledger.Answer(command.request_id, answers.from_balances(balances))],
            )
        return balances

    async def move_reservation(self, command: commands.MoveReservation) -> HoldAnswer:
        """Moves held units from point to point: all, or none with the true figures at the arrivals."""
        _check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_moves(command.moves),
        )
        positions = [Position(move.sku, move.from_point_id) for move in command.moves]
        positions += [Position(move.sku, move.to_point_id) for move in command.moves]
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return answers.to_hold(first)
            before = await self._must_lock(tx, command.reservation_id)
            terms = (
                await image.terms(
                    tx,
                    [before.channel_id],
                    sorted({position.sku for position in positions}),
                    sorted({position.point_id for position in positions}),
                )
            )[before.channel_id]
            book = await ledger.lock(tx, positions)
            cause = Cause("move", ACTOR, command.request_id)
            after, shortfalls = holds.move(book, terms, before, command.moves, cause)
            answer = HoldAnswer(not shortfalls, after, shortfalls)
            await ledger.write(
                tx,
                movements=() if shortfalls else ledger.dated(book.movements, command.as_of),
                reservations=[] if shortfalls else [(before, after)],
                answers=[ledger.Answer(command.request_id, answers.from_hold(answer))],
            )
        return answer

    async def get_reservation(self, reservation_id: str) -> Reservation:
        """With what is still held."""
        _check(validation.identifier("reservation_id", reservation_id))
        async with self._still.begin() as tx:
            found = await ledger.reservation(tx, reservation_id)
        if found is None:
            raise _no_reservation(reservation_id)
        return found

    async def expire_reservations(self, as_of: datetime, limit: int) -> list[str]:
        """Gives back what held reservations keep past their time; which ones ended."""
        if not 1 <= limit <= 1000:
            raise InvalidArgument("limit", "not between 1 and 1000")
        async with self._change() as tx:
            due = await ledger.lock_due_reservations(tx, as_of, limit)
            if not due:
                return []
            book = await ledger.lock(tx, [line.position for one in due for line in one.lines])
            cause = Cause("expire", ACTOR)
            pairs = [(before, holds.expire(book, before, cause)) for before in due]
            await outbox.write(tx, [events.reservation_expired(before, as_of) for before in due])
            await ledger.write(tx, movements=ledger.dated(book.movements, as_of), reservations=pairs)
        return [before.reservation_id for before in due]

    # -- upkeep -------------------------------------------------------------------------------------------

    async def find_differences(self) -> list[Difference]:
        """Balances that differ from their movements or from what reservations hold. Must be empty."""
        async with self._still.begin() as tx:
            return await ledger.differences(tx)

    async def count_balances(self) -> int:
        """How many there are to look at."""
        async with db.single(self._engine).connect() as tx:
            return await ledger.count_balances(tx)

    async def list_holds(
        self, reservation_ids: Sequence[str], after: str = "", limit: int = MAX_SKUS
    ) -> list[Reservation]:
        """Reservations that hold something: of these ids, or in the order of their ids after one."""
        if len(reservation_ids) > MAX_SKUS:
            raise InvalidArgument("reservation_ids", f"at most {MAX_SKUS}")
        async with self._still.begin() as tx:
            return await ledger.holding(tx, reservation_ids, after, limit)

    async def forget_old_marks(self) -> None:
        """Bounds the change feed; a replica that was away longer starts from a snapshot."""
        async with self._engine.begin() as tx:
            await feed.forget_old(tx, MARKS_KEPT)

    # -- transactions -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as tx:
            yield tx
        self._bell.ring()

    async def _first_answer(self, tx: AsyncConnection, command: commands.Command) -> Mapping[str, Any] | None:
        _check(validation.identifier("request_id", command.request_id))
        return await requests.first_answer(tx, command.request_id, commands.content(command))

    async def _must_lock(self, tx: AsyncConnection, reservation_id: str) -> Reservation:
        found = await ledger.lock_reservation(tx, reservation_id)
        if found is None:
            raise _no_reservation(reservation_id)
        return found


class _Rule(Protocol):
    def __call__(self, book: Book, position: Position, quantity: int, cause: Cause) -> Balance: ...


class _TakingRule(Protocol):
    def __call__(
        self, book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause
    ) -> Reservation: ...


def _check(*problems: Iterable[Problem]) -> None:
    for problem in chain(*problems):
        raise InvalidArgument(problem.field, problem.detail, problem.reason)


@contextmanager
def _line(field: str) -> Iterator[None]:
    # The rule knows the figures; which line of the request it was, only the loop knows.
    try:
        yield
    except FailedPrecondition as broken:
        broken.facts["field"] = field
        raise


def _no_channel(channel_id: str) -> InvalidArgument:
    return InvalidArgument("channel_id", f"there is no channel {channel_id}", "UNKNOWN_CHANNEL")


def _no_reservation(reservation_id: str) -> NotFound:
    return NotFound(
        "RESERVATION_NOT_FOUND", f"there is no reservation {reservation_id}", reservation_id=reservation_id
    )
