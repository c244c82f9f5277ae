"""Cycle counts: open, record, close or cancel (SPEC STK-16)."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox, requests
from kit.errors import FailedPrecondition, NotFound
from kit.values.ids import derived_id
from services.inventory import shelf_events
from services.inventory.domain import counts, validation
from services.inventory.domain.buffers import categories
from services.inventory.domain.counts import Count, CountLine, CountState
from services.inventory.domain.ledger import Position
from services.inventory.domain.shelf_commands import (
    CancelCount,
    CloseCount,
    OpenCount,
    RecordCount,
    at,
    check_counted,
    check_counted_in,
    check_opening,
)
from services.inventory.domain.validation import MAX_LINES
from services.inventory.store import counts as store
from services.inventory.store import declarations, ledger
from services.inventory.usecases import UseCases, check, first_answer, must_have_stock, must_know


class Counting(UseCases):
    """A repeated request is answered with the count as it stands."""

    async def open_count(self, command: OpenCount) -> Count:
        """nothing -> open: what the books say is frozen under the locks."""
        check(validation.identifier("request_id", command.request_id), check_opening(command))
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return await _must_read(tx, first["count_id"])
            skus = await _articles(tx, command)
            positions = [Position(sku, command.point_id) for sku in skus]
            book = await ledger.lock_or_create(tx, positions)
            count = Count(
                derived_id("cnt", command.request_id),
                command.point_id,
                CountState.OPEN,
                command.actor,
                command.as_of,
                await store.last_movement_id(tx),
                tuple(CountLine(p.sku, book.balance(p).on_hand) for p in positions),
                line_count=len(positions),
            )
            if taken := await store.add(tx, count):
                raise FailedPrecondition(
                    "ALREADY_COUNTING",
                    f"{taken} is in another open count of {command.point_id}",
                    sku=taken,
                    point_id=command.point_id,
                )
            await requests.remember(tx, command.request_id, {"count_id": count.count_id})
        return count

    async def record_count(self, command: RecordCount) -> Count:
        """open -> open: what was counted of some articles."""
        check(check_counted(command))

        def decide(count: Count) -> Count:
            check(check_counted_in(command, [line.sku for line in count.lines], count.opened_at))
            counted = [
                CountLine(
                    line.sku,
                    0,
                    line.counted,
                    line.damaged,
                    max(count.opened_at, at(line.counted_at, command.as_of)),
                    command.actor,
                )
                for line in command.lines
            ]
            return counts.record(count, counted)

        return await self._act(command, decide)

    async def cancel_count(self, command: CancelCount) -> Count:
        """open -> cancelled."""
        return await self._act(command, lambda count: counts.cancel(count, command.actor, command.as_of))

    async def _act(self, command: RecordCount | CancelCount, decide: Callable[[Count], Count]) -> Count:
        _check_act(command)
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return await _must_read(tx, command.count_id)
            after = decide(await _must_lock(tx, command.count_id))
            await store.save(tx, after)
            await requests.remember(tx, command.request_id, {"count_id": after.count_id})
        return after

    async def close_count(self, command: CloseCount) -> Count:
        """open -> closed: each difference becomes a movement, dated when it was counted."""
        _check_act(command)
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return await _must_read(tx, command.count_id)
            count = await _must_lock(tx, command.count_id)
            times = {line.sku: line.counted_at for line in count.lines if line.counted_at is not None}
            positions = [Position(sku, count.point_id) for sku in times]
            book = await ledger.lock_or_create(tx, positions)
            before = sum(balance.short for balance in book.balances(positions))
            declared = await declarations.open_at(tx, positions)
            since = await store.since(tx, count)
            after, changed = counts.close(book, count, since, declared, command.actor, command.as_of)
            short = sum(balance.short for balance in book.balances(positions)) - before
            await declarations.save(tx, changed)
            await store.save(tx, after)
            await outbox.write(tx, [shelf_events.count_closed(after, short, command.as_of)])
            await ledger.write(
                tx,
                movements=[(moved, times[moved.position.sku]) for moved in book.movements],
                answers=[ledger.Answer(command.request_id, {"count_id": count.count_id})],
            )
        return after

    async def get_count(self, count_id: str) -> Count:
        """With its lines."""
        check(validation.identifier("count_id", count_id))
        async with self._still.begin() as tx:
            return await _must_read(tx, count_id)

    async def list_counts(self, point_id: str, before: int, limit: int) -> Sequence[tuple[int, Count]]:
        """Of a point without their lines, the newest first, before a number: number, count."""
        check(validation.name("point_id", point_id))
        async with self._engine.begin() as tx:
            return await store.of_point(tx, point_id, before, limit)


def _check_act(command: RecordCount | CloseCount | CancelCount) -> None:
    check(
        validation.identifier("request_id", command.request_id),
        validation.identifier("count_id", command.count_id),
        validation.text("actor", command.actor, required=True),
    )


async def _articles(tx: AsyncConnection, command: OpenCount) -> list[str]:
    """What the count is about, in SKU order."""
    named = {f"skus[{i}]": sku for i, sku in enumerate(command.skus)}
    await must_know(tx, command.point_id, named)
    await must_have_stock(tx, named)
    wanted = set(command.skus)
    if command.categories:
        asked = set(command.categories)
        held = await store.articles_of(tx, command.point_id)
        wanted |= {sku for sku, path in held if asked & set(categories(path))}
    if not 1 <= len(wanted) <= MAX_LINES:
        raise FailedPrecondition(
            "NOTHING_TO_COUNT" if not wanted else "TOO_MUCH_TO_COUNT",
            f"{len(wanted)} articles are meant; 1 to {MAX_LINES} can be counted at once",
            point_id=command.point_id,
        )
    return sorted(wanted)


async def _must_lock(tx: AsyncConnection, count_id: str) -> Count:
    found = await store.lock(tx, count_id)
    if found is None:
        raise _no_count(count_id)
    return found


async def _must_read(tx: AsyncConnection, count_id: str) -> Count:
    found = await store.one(tx, count_id)
    if found is None:
        raise _no_count(count_id)
    return found


def _no_count(count_id: str) -> NotFound:
    return NotFound("COUNT_NOT_FOUND", "there is no such count", count_id=count_id)
