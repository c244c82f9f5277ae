"""Use cases of expected deliveries: put, list, cancel, receive, tell the overdue ones.

Locks, always in this order: the request, deliveries and pre-orders by id, reservations of future units by id,
reservations of stock by id, balances by (SKU, point).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox, requests
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.outbox import Event
from services.inventory import supply_events as events
from services.inventory.domain import declarations, future_holds, holds, supply, validation
from services.inventory.domain.declarations import Reason
from services.inventory.domain.future_holds import FutureReservation, Share, Source, SourceKind
from services.inventory.domain.holds import Reservation
from services.inventory.domain.ledger import Book, Cause
from services.inventory.domain.supply import ExpectedDelivery, PutOutcome
from services.inventory.domain.supply_commands import CancelExpected, ReceiveExpected
from services.inventory.domain.supply_validation import check_deliveries, check_known, check_receipt
from services.inventory.reserving import ACTOR
from services.inventory.store import catalogue, ledger, reservations
from services.inventory.store import declarations as declaration_store
from services.inventory.store import future_holds as waiting
from services.inventory.store import supply as deliveries
from services.inventory.store.future_holds import SupplyDifference
from services.inventory.store.supply import Filters
from services.inventory.supply_answers import DeliveryView, ReceiptAnswer, from_receipt, to_receipt
from services.inventory.usecases import UseCases, check, first_answer, must_have_stock

MAX_FILTERS = 500


@dataclass
class _Holders:
    """Who waits for some deliveries: as locked, as it will be written, and what to tell of it."""

    before: Mapping[str, FutureReservation]
    now: dict[str, FutureReservation]
    events: list[Event]

    def pairs(self) -> list[tuple[FutureReservation, FutureReservation]]:
        return [(one, self.now[holder]) for holder, one in self.before.items() if self.now[holder] != one]

    def lose(self, delivery: ExpectedDelivery) -> tuple[Share, ...]:
        """What is waited for beyond what still comes is lost, by those who took last."""
        source = _source(delivery)
        excess = future_holds.waiting_for(self.now, source) - delivery.outstanding
        lost = future_holds.last_come(self.now, source, excess)
        self.now = future_holds.take(self.now, lost)
        return future_holds.shares(lost)

    def waiting(self, delivery: ExpectedDelivery) -> tuple[Share, ...]:
        source = _source(delivery)
        found = ((holder, one.held()[source]) for holder, one in self.now.items())
        return tuple(Share(holder, quantity) for holder, quantity in found if quantity)


class SupplyService(UseCases):
    """One method per RPC about deliveries."""

    async def put_deliveries(self, sent: Sequence[ExpectedDelivery], as_of: datetime) -> list[PutOutcome]:
        """Creates or changes; what became of each. Reservations that it touches are told."""
        check(check_deliveries(sent))
        skus, points = [one.sku for one in sent], [one.point_id for one in sent]
        async with self._change() as tx:
            check(check_known("deliveries", skus, points, await catalogue.known(tx, skus, points)))
            await must_have_stock(tx, {f"deliveries[{i}].sku": sku for i, sku in enumerate(skus)})
            created = await deliveries.create(tx, sent)
            known = await deliveries.lock(tx, [one.delivery_id for one in sent if one.delivery_id not in created])
            outcomes: list[PutOutcome] = []
            changed: list[tuple[ExpectedDelivery, ExpectedDelivery]] = []
            for i, one in enumerate(sent):
                if one.delivery_id in created:
                    outcomes.append(PutOutcome.CREATED)
                    continue
                before = known[one.delivery_id]
                with _row(f"deliveries[{i}]"):
                    after, outcome = supply.revised(before, one)
                outcomes.append(outcome)
                if outcome is PutOutcome.CHANGED:
                    changed.append((before, after))
            if changed:
                await self._apply(tx, changed, as_of)
        return outcomes

    async def _apply(
        self, tx: AsyncConnection, changed: Sequence[tuple[ExpectedDelivery, ExpectedDelivery]], as_of: datetime
    ) -> None:
        holders = await self._holders(tx, [after for _, after in changed], as_of)
        zones = await deliveries.time_zones(tx, [after.point_id for _, after in changed])
        for before, after in changed:
            holders.events += events.told("short", after, holders.lose(after), as_of)
            if (before.from_date, before.until_date) != (after.from_date, after.until_date):
                what = "late" if after.until_date > before.until_date else "changed"
                due_at = supply.expected_at(after, zones[after.point_id])
                found = holders.waiting(after)
                holders.events += events.told(what, after, found, as_of, due_at if due_at > as_of else None)
        await deliveries.write(tx, [after for _, after in changed])
        await self._write(tx, holders)

    async def list_deliveries(
        self, filters: Filters, after: str, limit: int, as_of: datetime
    ) -> list[DeliveryView]:
        """In the order of their ids after one, with what is held of each."""
        for field in ("delivery_ids", "skus", "point_ids"):
            if len(getattr(filters, field)) > MAX_FILTERS:
                raise InvalidArgument(field, f"at most {MAX_FILTERS}")
        check(
            validation.names("delivery_ids", filters.delivery_ids),
            validation.skus(filters.skus),
            validation.names("point_ids", filters.point_ids),
            validation.text("document", filters.document),
        )
        async with self._still.begin() as tx:
            found = await deliveries.read(tx, filters, after, limit)
            return await self._views(tx, found, as_of)

    async def cancel(self, command: CancelExpected) -> ReceiptAnswer:
        """Nothing more will come; who no longer waits. Again changes nothing."""
        check(validation.name("delivery_id", command.delivery_id), validation.text("reason", command.reason))
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return first
            before = await self._must_lock(tx, command.delivery_id)
            after = supply.cancelled(before, command.reason)
            lost: tuple[Share, ...] = ()
            if after != before:
                holders = await self._holders(tx, [after], command.as_of)
                lost = holders.lose(after)
                holders.events += events.told("cancelled", after, lost, command.as_of)
                await deliveries.write(tx, [after])
                await self._write(tx, holders)
            (view,) = await self._views(tx, [after], command.as_of)
            answer = ReceiptAnswer(view, lost=lost)
            await requests.remember(tx, command.request_id, from_receipt(answer))
        return answer

    async def receive(self, command: ReceiveExpected) -> ReceiptAnswer:
        """Units came: on hand, damaged ones unavailable, and held by those who waited, first come first served."""
        check(check_receipt(command))
        async with self._change() as tx:
            if (first := await self._first_answer(tx, command)) is not None:
                return first
            before = await self._must_lock(tx, command.delivery_id, command.at_points)
            after = supply.received(before, command.quantity + command.damaged, close=command.close)
            holders = await self._holders(tx, [before], command.as_of)
            book, pairs, served = await self._serve(tx, command, before, holders)
            lost = holders.lose(after)
            holders.events = [
                events.received(after, command, served),
                *events.told("served", after, served, command.as_of),
                *events.told("short", after, lost, command.as_of),
                *holders.events,
            ]
            await deliveries.write(tx, [after])
            await self._write(tx, holders)
            (view,) = await self._views(tx, [after], command.as_of)
            answer = ReceiptAnswer(view, book.balance(before.position), served, lost)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, command.as_of),
                reservations=pairs,
                answers=[ledger.Answer(command.request_id, from_receipt(answer))],
            )
        return answer

    async def _serve(
        self, tx: AsyncConnection, command: ReceiveExpected, delivery: ExpectedDelivery, holders: _Holders
    ) -> tuple[Book, list[tuple[Reservation, Reservation]], tuple[Share, ...]]:
        """The receipt's movements: in, damaged aside, then held by those who waited. No image is asked."""
        source, position = _source(delivery), delivery.position
        units = command.quantity + command.damaged
        if not units:
            return await ledger.lock(tx, [position]), [], ()
        first = future_holds.first_come(holders.now, source, command.quantity)
        fresh = [holders.now[holder].life for holder in sorted(first)]
        opened, _ = await reservations.open_all(tx, fresh, [position], command.as_of) if fresh else ({}, {})
        book = await ledger.lock_or_create(tx, [position])
        receipt = Cause("receipt", command.actor, command.source or f"expected/{delivery.delivery_id}")
        arrived = book.move(position, receipt, on_hand=units, unavailable=command.damaged)
        if command.damaged:
            damaged = declarations.opened(
                command.request_id,
                position,
                command.damaged,
                Reason.DAMAGED,
                receipt.actor,
                receipt.source,
                command.as_of,
            )
            await declaration_store.save(tx, [damaged])
        # Units that a count had missed were promised earlier: what comes covers them first.
        served = future_holds.first_come(holders.now, source, min(command.quantity, max(0, arrived.free)))
        cause = Cause("reserve", ACTOR, f"expected/{delivery.delivery_id}")
        pairs = [
            _granted(book, opened, holders.now[holder].life, delivery, taken, cause)
            for holder, taken in served.items()
        ]
        if dropped := [
            one.reservation_id
            for one in fresh
            if opened[one.reservation_id] is None and one.reservation_id not in served
        ]:
            await reservations.drop(tx, dropped)
        holders.now = future_holds.take(holders.now, served)
        return book, pairs, future_holds.shares(served)

    async def tell_overdue(self, as_of: datetime, limit: int) -> list[str]:
        """Tells deliveries whose last day has passed, and those who wait for them, once; which deliveries."""
        if not 1 <= limit <= 1000:
            raise InvalidArgument("limit", "not between 1 and 1000")
        async with self._change() as tx:
            today = {zone: supply.day_at(zone, as_of) for zone in await deliveries.all_time_zones(tx)}
            found = await deliveries.lock_overdue(tx, today, limit)
            if found:
                holders = await self._holders(tx, found, as_of)
                for one in found:
                    holders.events.append(events.overdue(one, as_of))
                    holders.events += events.told("late", one, holders.waiting(one), as_of)
                await self._write(tx, holders)
        return [one.delivery_id for one in found]

    async def find_differences(self) -> list[SupplyDifference]:
        """Deliveries and pre-orders of which more is held than there is. Must be empty."""
        async with self._still.begin() as tx:
            return await waiting.differences(tx)

    # -- transactions -------------------------------------------------------------------------------------

    async def _first_answer(
        self, tx: AsyncConnection, command: CancelExpected | ReceiveExpected
    ) -> ReceiptAnswer | None:
        # Who may receive where is a matter of rights: it does not make another request.
        asked = replace(command, at_points=()) if isinstance(command, ReceiveExpected) else command
        first = await first_answer(tx, asked)
        return None if first is None else to_receipt(first)

    async def _must_lock(
        self, tx: AsyncConnection, delivery_id: str, at_points: Sequence[str] = ()
    ) -> ExpectedDelivery:
        found = (await deliveries.lock(tx, [delivery_id])).get(delivery_id)
        if found is None or (at_points and found.point_id not in at_points):
            raise NotFound("DELIVERY_NOT_FOUND", f"there is no delivery {delivery_id}", delivery_id=delivery_id)
        return found

    async def _holders(self, tx: AsyncConnection, found: Sequence[ExpectedDelivery], as_of: datetime) -> _Holders:
        """Who waits for these. Those whose time has passed wait no longer, swept or not."""
        locked = await waiting.lock_holders(tx, [one.delivery_id for one in found])
        due = [one for one in locked.values() if one.is_due(as_of)]
        now = dict(locked) | {one.reservation_id: future_holds.expire(one) for one in due}
        return _Holders(locked, now, [events.expired(one, as_of) for one in due])

    async def _write(self, tx: AsyncConnection, holders: _Holders) -> None:
        await waiting.write(tx, holders.pairs())
        await outbox.write(tx, holders.events)

    async def _views(
        self, tx: AsyncConnection, found: Sequence[ExpectedDelivery], as_of: datetime
    ) -> list[DeliveryView]:
        held = await waiting.held(tx, SourceKind.DELIVERY, [one.delivery_id for one in found])
        zones = await deliveries.time_zones(tx, [one.point_id for one in found])
        return [
            DeliveryView(
                one,
                held.get(one.delivery_id, 0),
                supply.is_overdue(one, supply.day_at(zones[one.point_id], as_of)),
            )
            for one in found
        ]


def _granted(
    book: Book,
    opened: Mapping[str, Reservation | None],
    life: Reservation,
    delivery: ExpectedDelivery,
    taken: Counter[int],
    cause: Cause,
) -> tuple[Reservation, Reservation]:
    existing = opened[life.reservation_id]
    # A receipt is never refused: units join the holder's reservation whichever channel that was opened on.
    current = (
        life if existing is None else holds.continued(existing, replace(life, channel_id=existing.channel_id))
    )
    return existing or life, holds.grant(book, current, delivery.position, taken.total(), cause)


def _source(delivery: ExpectedDelivery) -> Source:
    return Source(SourceKind.DELIVERY, delivery.delivery_id)


@contextmanager
def _row(field: str) -> Iterator[None]:
    # The rule knows the facts; which row of the request it was, only the loop knows.
    try:
        yield
    except FailedPrecondition as broken:
        broken.facts["field"] = field
        raise
