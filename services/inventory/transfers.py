"""Transfers between points: open a transaction, check the request id, load under lock, decide, save.

Locks are taken in the one order of the service: request, transfer, its reservation, balances by (SKU, point).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox
from kit.errors import InvalidArgument, NotFound
from kit.values.ids import new_id
from services.inventory import transfer_answers, transfer_events
from services.inventory.domain import declarations, lanes, transfers, validation
from services.inventory.domain import transfer_commands as commands
from services.inventory.domain.catalogue import StockPoint
from services.inventory.domain.holds import Reservation
from services.inventory.domain.lanes import Departure, Window
from services.inventory.domain.ledger import Book, Position
from services.inventory.domain.transfers import (
    Act,
    ActDone,
    ActLine,
    Result,
    Transfer,
    TransferLine,
    TransferState,
)
from services.inventory.domain.validation import Problem
from services.inventory.store import catalogue, ledger, reservations
from services.inventory.store import declarations as declaration_store
from services.inventory.store import lanes as lane_store
from services.inventory.store import transfers as store
from services.inventory.store.transfers import InTransit, TransferDifference
from services.inventory.transfer_answers import TransferAnswer
from services.inventory.usecases import UseCases, check, first_answer, must_have_stock

_Decide = Callable[[Book, Transfer, Reservation], Result]


class Transfers(UseCases):
    """One method per RPC about transfers."""

    async def request(self, command: commands.RequestTransfer) -> TransferAnswer:
        """nothing -> requested: every line is held at the origin, or none with the true figures."""
        check(commands.check(command))
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return transfer_answers.from_json(first)
            origin, destination = await _ends(tx, command)
            await _check_items(tx, [line.sku for line in command.lines])
            lane_id, expected = await _way(tx, command, origin, destination)
            draft = Transfer(
                transfer_id=new_id("trf"),
                origin_id=command.origin_id,
                destination_id=command.destination_id,
                state=TransferState.REQUESTED,
                lane_id=lane_id,
                expected=expected,
                requested_at=command.as_of,
                lines=tuple(TransferLine(sku, units) for sku, units in transfers.summed(command.lines).items()),
            )
            book = await ledger.lock(tx, [Position(line.sku, command.origin_id) for line in draft.lines])
            held, shortfalls = transfers.request(book, draft, command.actor)
            answer = TransferAnswer(None if shortfalls else draft, shortfalls)
            if not shortfalls:
                await store.insert(tx, draft)
                lines = tuple(ActLine(line.sku, line.quantity) for line in draft.lines)
                await _tell(tx, Act.REQUEST, Result(draft, lines), command.actor, command.reason, command.as_of)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=[] if shortfalls else [(transfers.holder(draft.transfer_id), held)],
                answers=[ledger.Answer(command.request_id, transfer_answers.to_json(answer))],
            )
        return answer

    async def dispatch(self, command: commands.DispatchTransfer) -> Transfer:
        """requested -> dispatched: what was found is in transit, the rest is given back or declared not found."""

        def decide(book: Book, transfer: Transfer, held: Reservation) -> Result:
            return transfers.dispatch(
                book,
                transfer,
                held,
                command.lines,
                command.actor,
                command.as_of,
                declare_not_found=command.declare_not_found,
            )

        return await self._act(Act.DISPATCH, command, decide)

    async def receive(self, command: commands.ReceiveTransfer) -> Transfer:
        """dispatched, received -> received or closed: units enter stock at the destination."""

        def decide(book: Book, transfer: Transfer, held: Reservation) -> Result:
            return transfers.receive(book, transfer, command.lines, command.actor, command.as_of)

        return await self._act(Act.RECEIVE, command, decide)

    async def settle(self, command: commands.SettleTransfer) -> Transfer:
        """dispatched, received -> the same or closed: a person says what became of missing units."""

        def decide(book: Book, transfer: Transfer, held: Reservation) -> Result:
            return transfers.settle(book, transfer, command.lines, command.actor, command.as_of)

        return await self._act(Act.SETTLE, command, decide)

    async def cancel(self, command: commands.CancelTransfer) -> Transfer:
        """requested -> cancelled: everything is given back."""

        def decide(book: Book, transfer: Transfer, held: Reservation) -> Result:
            return transfers.cancel(book, transfer, held, command.actor, command.as_of)

        return await self._act(Act.CANCEL, command, decide)

    async def _act(
        self,
        act: Act,
        command: commands.DispatchTransfer
        | commands.ReceiveTransfer
        | commands.SettleTransfer
        | commands.CancelTransfer,
        decide: _Decide,
    ) -> Transfer:
        check(commands.check(command))
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return _known(transfer_answers.from_json(first))
            before = await self._must_lock(tx, command.transfer_id)
            transfers.must_allow(before, act)
            held = await reservations.lock(tx, before.transfer_id) or transfers.holder(before.transfer_id)
            if isinstance(command, commands.ReceiveTransfer | commands.SettleTransfer):
                await _check_items(tx, [line.sku for line in command.lines])
            book = await ledger.lock_or_create(tx, _touched(act, before, command))
            result = decide(book, before, held)
            if isinstance(command, commands.DispatchTransfer):
                result = await _expected(tx, result, command)
            await store.save(tx, result.transfer)
            declared = declarations.of_causes(book.movements, command.request_id, command.as_of)
            await declaration_store.save(tx, declared)
            reason = command.reason if isinstance(command, commands.CancelTransfer) else ""
            await _tell(tx, act, result, command.actor, reason, command.as_of)
            answer = TransferAnswer(result.transfer)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=[] if result.held is None else [(held, result.held)],
                answers=[ledger.Answer(command.request_id, transfer_answers.to_json(answer))],
            )
        return result.transfer

    async def get(self, transfer_id: str) -> tuple[Transfer, list[ActDone]]:
        """With what was done to it, oldest first."""
        check(validation.identifier("transfer_id", transfer_id))
        async with self._still.begin() as tx:
            found = await store.named(tx, transfer_id)
            if found is None:
                raise _no_transfer(transfer_id)
            return found, await store.acts(tx, transfer_id)

    async def listed(
        self, point_ids: Sequence[str], states: Sequence[TransferState], after: str, limit: int
    ) -> list[Transfer]:
        """Those that begin or end at these points and are in these states, in id order; empty filters mean all."""
        check(validation.names("point_ids", point_ids))
        async with self._still.begin() as tx:
            return await store.listed(tx, point_ids, states, after, limit)

    async def in_transit(
        self, skus: Sequence[str], point_ids: Sequence[str], after: tuple[str, str, str], limit: int
    ) -> list[InTransit]:
        """Units on hand nowhere, in (sku, destination, transfer) order; empty filters mean all."""
        check(validation.skus(skus), validation.names("point_ids", point_ids))
        async with self._engine.begin() as tx:
            return await store.in_transit(tx, skus, point_ids, after, limit)

    async def find_differences(self) -> tuple[int, list[TransferDifference]]:
        """How many lines there are, and those that the stock ledger tells otherwise. There must be none."""
        async with self._still.begin() as tx:
            return await store.differences(tx)

    async def _must_lock(self, tx: AsyncConnection, transfer_id: str) -> Transfer:
        found = await store.lock(tx, transfer_id)
        if found is None:
            raise _no_transfer(transfer_id)
        return found


async def _ends(tx: AsyncConnection, command: commands.RequestTransfer) -> tuple[StockPoint, StockPoint]:
    points = {p.point_id: p for p in await catalogue.points(tx, [command.origin_id, command.destination_id])}
    check(
        Problem(field, f"there is no point {point_id}", "UNKNOWN_POINT")
        for field, point_id in (("origin_id", command.origin_id), ("destination_id", command.destination_id))
        if point_id not in points
    )
    return points[command.origin_id], points[command.destination_id]


async def _check_items(tx: AsyncConnection, skus: Sequence[str]) -> None:
    known, _ = await catalogue.known(tx, skus, [])
    check(
        Problem(f"lines[{i}].sku", f"there is no item {sku}", "UNKNOWN_ITEM")
        for i, sku in enumerate(skus)
        if sku not in known
    )
    await must_have_stock(tx, {f"lines[{i}].sku": sku for i, sku in enumerate(skus)})


async def _way(
    tx: AsyncConnection, command: commands.RequestTransfer, origin: StockPoint, destination: StockPoint
) -> tuple[str, Window | None]:
    """The lane that is named, or the one that arrives first; and when the destination can expect it."""
    between = await lane_store.between(tx, origin.point_id, destination.point_id)
    if command.lane_id:
        between = [lane for lane in between if lane.lane_id == command.lane_id]
        if not between:
            known = await lane_store.named(tx, command.lane_id)
            detail = "the lane joins other points" if known else f"there is no lane {command.lane_id}"
            raise InvalidArgument("lane_id", detail, "OTHER_LANE" if known else "UNKNOWN_LANE")
    best = lanes.soonest(between, origin, destination, command.as_of)
    lane_id = command.lane_id or (best[0].lane_id if best else "")
    return lane_id, command.expected or (best[1].arrives if best else None)


async def _expected(tx: AsyncConnection, result: Result, command: commands.DispatchTransfer) -> Result:
    """It has really left: the window is counted from now, unless who dispatches knows better."""
    transfer, expected = result.transfer, command.expected
    lane = await lane_store.named(tx, transfer.lane_id) if transfer.lane_id and not expected else None
    if lane is not None and (lane.origin_id, lane.destination_id) == (transfer.origin_id, transfer.destination_id):
        points = {p.point_id: p for p in await catalogue.points(tx, [lane.origin_id, lane.destination_id])}
        left = Departure(lanes.local_day(command.as_of, points[lane.origin_id].time_zone), command.as_of)
        expected = lanes.arrival(lane, points[lane.destination_id], left)
    return replace(result, transfer=replace(transfer, expected=expected or transfer.expected))


def _touched(act: Act, transfer: Transfer, command: commands.Command) -> Iterable[Position]:
    """The balances that an act may change."""
    if act in (Act.DISPATCH, Act.CANCEL):
        return [Position(line.sku, transfer.origin_id) for line in transfer.lines]
    skus = [line.sku for line in getattr(command, "lines", ())]
    ends = [transfer.destination_id] + ([transfer.origin_id] if act is Act.SETTLE else [])
    return [Position(sku, point_id) for sku in skus for point_id in ends]


async def _tell(tx: AsyncConnection, act: Act, result: Result, actor: str, reason: str, now: datetime) -> None:
    await store.add_act(tx, result.transfer.transfer_id, ActDone(act, actor, reason, now, result.done))
    await outbox.write(tx, transfer_events.of(act, result, now))


def _known(answer: TransferAnswer) -> Transfer:
    assert answer.transfer is not None  # only a request is refused
    return answer.transfer


def _no_transfer(transfer_id: str) -> NotFound:
    return NotFound("TRANSFER_NOT_FOUND", "there is no such transfer", transfer_id=transfer_id)
