"""Inventory's use cases: open a transaction, check the request id, load under lock, decide, save. Only it commits.

It never decides where an order ships from, and calls nobody.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.inventory import answers, events, watch_coming
from services.inventory.answers import Declared, HoldAnswer
from services.inventory.declaring import Declaring
from services.inventory.domain import commands, declarations, explaining, holds, item_validation, validation
from services.inventory.domain import ledger as stock
from services.inventory.domain.catalogue import Channel, Edit, Item, Purpose, StockPoint, Version
from services.inventory.domain.explaining import Availability
from services.inventory.domain.holds import HoldLine, Reservation
from services.inventory.domain.ledger import Balance, Book, Cause, Difference, Movement, Position
from services.inventory.domain.picks import picked
from services.inventory.domain.validation import Problem
from services.inventory.gathering import Gathering
from services.inventory.reserving import ACTOR, Reserving, names_of
from services.inventory.store import catalogue, feed, image, ledger, picks, reservations, versions
from services.inventory.store import declarations as declared
from services.inventory.usecases import UseCases, check, first_answer, must_have_stock, no_channel, no_reservation

MAX_SKUS = 500
MARKS_KEPT = 1_000_000
# Reserves in one transaction: enough to share its cost, few enough to answer the first one soon.
MAX_GATHERED = 64


class InventoryService(UseCases):
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        super().__init__(engine, bell)
        self._declaring = Declaring(engine, bell)
        self._reserves = Gathering(Reserving(engine, bell).carry_out, names_of, most=MAX_GATHERED)

    # -- items, points, channels --------------------------------------------------------------------------

    async def put_items(self, items: Sequence[Item], edit: Edit) -> int:
        """Creates or replaces; how many rows really changed."""
        check(item_validation.check_items(items), validation.check_edit(edit))
        async with self._change() as tx:
            neighbours, stocked = await catalogue.lock_neighbours(tx, items)
            check(item_validation.check_catalogue(items, neighbours, stocked))
            return await catalogue.put_items(tx, items, edit)

    async def list_items(
        self, skus: Sequence[str], after: str, limit: int, *, reference: str = "", gtins: Sequence[str] = ()
    ) -> list[Item]:
        """Items in SKU order after one; no SKUs, no reference and no GTINs means all."""
        check(
            validation.skus(skus),
            validation.sku("reference", reference) if reference else (),
            validation.gtins(gtins),
        )
        async with self._engine.begin() as tx:
            return await catalogue.items(tx, skus or None, after, limit, reference=reference, gtins=gtins)

    async def put_stock_points(self, points: Sequence[StockPoint], edit: Edit) -> int:
        """Creates or replaces; how many rows really changed."""
        check(validation.check_points(points), validation.check_edit(edit))
        async with self._change() as tx:
            return await catalogue.put_points(tx, points, edit)

    async def list_stock_points(self) -> list[StockPoint]:
        """All, in id order."""
        async with self._engine.begin() as tx:
            return await catalogue.points(tx)

    async def put_channels(self, channels: Sequence[Channel], edit: Edit) -> int:
        """Creates or replaces; how many channels really changed. Their points must exist."""
        check(validation.check_channels(channels), validation.check_edit(edit))
        named = [point_id for channel in channels for _, point_id in validation.points_named(channel)]
        async with self._change() as tx:
            _, known = await catalogue.known(tx, [], named)
            check(validation.check_known_points(channels, known))
            return await catalogue.put_channels(tx, channels, edit)

    async def list_channels(self) -> list[Channel]:
        """All, in id order."""
        async with self._still.begin() as tx:
            return await catalogue.channels(tx)

    async def list_versions(self, kind: str, key: str, before: int, limit: int) -> list[Version]:
        """What an item, a point or a channel was, newest first, below a version. Unknown keys have none."""
        check(
            [] if kind in ("item", "point", "channel") else [Problem("kind", "not item, point or channel")],
            validation.sku("key", key),
        )
        async with self._engine.begin() as tx:
            return await versions.versions(tx, kind, key, before, limit)

    async def tell_turns(self, now: datetime) -> None:
        """Tells replicas of what began or ended by the clock since the last time."""
        async with self._engine.begin() as tx:
            turned = await catalogue.mark_turns(tx, now)
            has_day_begun = await watch_coming.mark_turns(tx, now)
        if turned or has_day_begun:
            self._bell.ring()

    # -- stock --------------------------------------------------------------------------------------------

    async def adjust_stock(self, command: commands.AdjustStock) -> tuple[Balance, ...]:
        """Moves physical stock, all lines or none; the balances afterwards."""
        check(validation.check_deltas(command.deltas), validation.check_cause(command.cause))
        positions = [Position(delta.sku, delta.point_id) for delta in command.deltas]
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return answers.to_balances(first)
            skus, point_ids = await catalogue.known(
                tx, [p.sku for p in positions], [p.point_id for p in positions]
            )
            check(validation.check_known_positions(command.deltas, skus, point_ids))
            await must_have_stock(tx, {f"deltas[{i}].sku": delta.sku for i, delta in enumerate(command.deltas)})
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

    async def declare_unavailable(self, command: commands.DeclareUnavailable) -> Declared:
        """Units leave every channel's image; the balance afterwards, and the declaration."""
        return await self._declaring.declare(command)

    async def release_unavailable(self, command: commands.ReleaseUnavailable) -> Declared:
        """Units declared unavailable come back; the balance afterwards, and the declarations."""
        return await self._declaring.release(command)

    async def list_balances(
        self, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int
    ) -> list[Balance]:
        """In (sku, point) order after one; empty filters mean all."""
        check(validation.skus(skus), validation.names("point_ids", point_ids))
        async with self._engine.begin() as tx:
            return await ledger.balances(tx, skus, point_ids, after, limit)

    async def list_movements(
        self, sku: str, point_id: str, after: int, limit: int
    ) -> list[tuple[int, Movement, datetime]]:
        """The ledger of a SKU, oldest first: id, line, when."""
        check(validation.sku("sku", sku), validation.name("point_id", point_id) if point_id else ())
        async with self._engine.begin() as tx:
            return await ledger.movements(tx, sku, point_id, after, limit)

    async def get_availability(
        self,
        channel_id: str,
        skus: Sequence[str],
        *,
        now: datetime,
        purpose: Purpose | None = None,
        explain: bool = False,
    ) -> list[Availability]:
        """The channel image of up to 500 SKUs, in the order asked for; no purpose means what can be sold."""
        check(
            validation.name("channel_id", channel_id),
            [] if 1 <= len(skus) <= MAX_SKUS else [Problem("skus", f"1 to {MAX_SKUS} are needed")],
            validation.skus(skus),
        )
        async with self._still.begin() as tx:
            terms = (await image.terms(tx, [channel_id], skus, now=now)).get(channel_id)
            if terms is None:
                raise no_channel(channel_id)
            parts = [part.sku for sku in skus for part in terms.parts(sku)]
            balances = await image.balances_behind(tx, channel_id, [*skus, *parts])
        return [explaining.availability(terms, sku, balances, explain=explain, purpose=purpose) for sku in skus]

    # -- reservations -------------------------------------------------------------------------------------

    async def reserve(self, command: commands.Reserve) -> HoldAnswer:
        """Holds units against the channel's image; with whatever else is reserved at this moment."""
        check(
            validation.identifier("request_id", command.request_id),
            validation.identifier("reservation_id", command.reservation_id),
            validation.name("channel_id", command.channel_id),
            validation.check_lines(command.lines),
            validation.check_time_to_live(command.time_to_live_seconds),
            validation.check_sold(command.purpose),
            validation.identifier("basket_id", command.basket) if command.basket else (),
        )
        return await self._reserves.submit(command)

    async def confirm(self, reservation_id: str, as_of: datetime) -> Reservation:
        """held -> confirmed; a repeat gives the same."""
        check(validation.identifier("reservation_id", reservation_id))
        async with self._change() as tx:
            before = await self._must_lock(tx, reservation_id)
            after = holds.confirm(before, as_of)
            if after != before:
                await ledger.write(tx, reservations=[(before, after)])
        return after

    async def release(self, command: commands.Release) -> tuple[HoldLine, ...]:
        """Gives back what is held; accepts that nothing ever was."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines, required=False),
            validation.text("reason", command.reason),
        )
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return answers.to_lines(first)
            before = await reservations.lock(tx, command.reservation_id)
            released: tuple[HoldLine, ...] = ()
            movements: Sequence[Movement] = ()
            pairs: list[tuple[Reservation, Reservation]] = []
            if before is not None and holds.must_be_a_channels(before).lines:
                book = await ledger.lock(tx, before.stocks())
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
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines),
            validation.text("reference", command.reference),
        )
        return await self._take(command, holds.issue, Cause("issue", ACTOR, command.reference))

    async def report_short(self, command: commands.ReportShort) -> tuple[Balance, ...]:
        """Held units were not found: given back and declared not found at once; the balances afterwards."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines),
            validation.text("actor", command.actor, required=True),
            validation.check_short_reasons(command.reasons or (), command.lines),
        )
        rule = partial(holds.report_short, reasons=command.reasons or ())
        return await self._take(command, rule, Cause(declarations.SHORT_PICK, command.actor, command.request_id))

    async def _take(
        self, command: commands.Issue | commands.ReportShort, rule: "_TakingRule", cause: Cause
    ) -> tuple[Balance, ...]:
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return answers.to_balances(first)
            before = await self._must_lock(tx, command.reservation_id)
            positions = before.stocks(line.position for line in command.lines)
            book = await ledger.lock(tx, positions)
            after = rule(book, before, command.lines, cause)
            balances = book.balances(positions)
            if isinstance(command, commands.ReportShort):
                await outbox.write(tx, [events.short_reported(before, command.lines, command.as_of)])
                await declared.save(
                    tx,
                    declarations.of_short_pick(book.movements, command.request_id, command.actor, command.as_of),
                )
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=[(before, after)],
                answers=[ledger.Answer(command.request_id, answers.from_balances(balances))],
            )
            await picks.add(tx, picked(book), command.as_of)
        return balances

    async def move_reservation(self, command: commands.MoveReservation) -> HoldAnswer:
        """Moves held units from point to point: all, or none with the true figures at the arrivals."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_moves(command.moves),
            validation.check_sold(command.purpose),
        )
        ends = [Position(move.sku, move.from_point_id) for move in command.moves]
        ends += [Position(move.sku, move.to_point_id) for move in command.moves]
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return answers.to_hold(first)
            before = await self._must_lock(tx, command.reservation_id)
            positions = holds.moving(before, command.moves).stocks(ends)
            terms = (
                await image.terms(
                    tx,
                    [before.channel_id],
                    sorted({position.sku for position in (*ends, *positions)}),
                    sorted({position.point_id for position in ends}),
                    now=command.as_of,
                )
            )[before.channel_id]
            book = await ledger.lock(tx, positions)
            cause = Cause("move", ACTOR, command.request_id)
            after, shortfalls = holds.move(book, terms, before, command.moves, cause, command.purpose)
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
        check(validation.identifier("reservation_id", reservation_id))
        async with self._still.begin() as tx:
            found = await reservations.one(tx, reservation_id)
        if found is None:
            raise no_reservation(reservation_id)
        return found

    async def expire_reservations(self, as_of: datetime, limit: int) -> list[str]:
        """Gives back what held reservations keep past their time; which ones ended."""
        if not 1 <= limit <= 1000:
            raise InvalidArgument("limit", "not between 1 and 1000")
        async with self._change() as tx:
            due = await reservations.lock_due(tx, as_of, limit)
            if not due:
                return []
            book = await ledger.lock(tx, [position for one in due for position in one.stocks()])
            cause = Cause("expire", ACTOR)
            pairs = [(before, holds.expire(book, before, cause)) for before in due]
            await outbox.write(tx, [events.reservation_expired(before, as_of) for before in due])
            await ledger.write(tx, movements=ledger.dated(book.movements, as_of), reservations=pairs)
        return [before.reservation_id for before in due]

    # -- upkeep -------------------------------------------------------------------------------------------

    async def find_differences(self) -> list[Difference]:
        """Balances that differ from their movements, from holds or from declarations. Must be empty."""
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
            return await reservations.holding(tx, reservation_ids, after, limit)

    async def forget_old_marks(self) -> None:
        """Bounds the change feed; a replica that was away longer starts from a snapshot."""
        async with self._engine.begin() as tx:
            await feed.forget_old(tx, MARKS_KEPT)

    # -- transactions -------------------------------------------------------------------------------------

    async def _must_lock(self, tx: AsyncConnection, reservation_id: str) -> Reservation:
        found = await reservations.lock(tx, reservation_id)
        if found is None:
            raise no_reservation(reservation_id)
        return holds.must_be_a_channels(found)


class _TakingRule(Protocol):
    def __call__(
        self, book: Book, reservation: Reservation, wishes: Sequence[HoldLine], cause: Cause
    ) -> Reservation: ...


@contextmanager
def _line(field: str) -> Iterator[None]:
    # The rule knows the figures; which line of the request it was, only the loop knows.
    try:
        yield
    except FailedPrecondition as broken:
        broken.facts["field"] = field
        raise
