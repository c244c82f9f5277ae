"""Use cases of what channels may promise of stock to come: rules, figures, pre-orders, and who holds units.

Locks as in `supply`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import outbox, requests
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.inventory import supply_events as events
from services.inventory.answers import HoldAnswer
from services.inventory.domain import explaining, future_holds, holds, preorder, supply, validation
from services.inventory.domain.future_holds import Figure, FutureLine, FutureReservation, Source, SourceKind
from services.inventory.domain.holds import ReservationState
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Cause
from services.inventory.domain.preorder import Preorder, PreorderFigure
from services.inventory.domain.supply import ExpectedDelivery, FutureRules, Prospect
from services.inventory.domain.supply_commands import ConvertPreorder, ReleaseFuture, ReserveFuture
from services.inventory.domain.supply_validation import (
    check_known,
    check_lines,
    check_preorders,
    check_rules,
)
from services.inventory.domain.validation import Problem
from services.inventory.reserving import ACTOR
from services.inventory.store import catalogue, image, ledger, reservations
from services.inventory.store import future_holds as waiting
from services.inventory.store import preorder as preorders
from services.inventory.store import supply as deliveries
from services.inventory.supply_answers import (
    ConvertAnswer,
    FutureAnswer,
    from_convert,
    from_future,
    from_lines,
    to_convert,
    to_future,
    to_lines,
)
from services.inventory.usecases import UseCases, check, first_answer, no_channel, no_reservation

MAX_SKUS = 500
# Those who want the same delivery at the same moment wait here, not with a connection each: there are ten.
RESERVING_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class FutureFigures:
    """One SKU on a channel: what there is, what comes, what can be pre-ordered. Never added up."""

    sku: str
    available_now: int
    zero_reason: str
    release_date: str
    under_embargo: bool
    prospects: tuple[Prospect, ...]
    preorders: tuple[PreorderFigure, ...]


class FutureService(UseCases):
    """One method per RPC about promises, pre-orders and who holds them."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        super().__init__(engine, bell)
        self._turns = asyncio.Semaphore(RESERVING_AT_ONCE)

    # -- rules and figures --------------------------------------------------------------------------------

    async def put_rules(self, channel_id: str, rules: FutureRules) -> bool:
        """Replaces what a channel may promise; whether that changed anything."""
        check(validation.name("channel_id", channel_id), check_rules(rules))
        points = [rule.point_id for rule in rules.protection]
        async with self._change() as tx:
            await _must_know_channels(tx, {"channel_id": channel_id})
            check(check_known("rules.protection", [], points, await catalogue.known(tx, [], points)))
            return await deliveries.put_rules(tx, channel_id, rules)

    async def get_rules(self, channel_id: str) -> FutureRules:
        """What a channel may promise."""
        check(validation.name("channel_id", channel_id))
        async with self._still.begin() as tx:
            await _must_know_channels(tx, {"channel_id": channel_id})
            return await deliveries.read_rules(tx, channel_id)

    async def get_availability(
        self, channel_id: str, skus: Sequence[str], as_of: datetime, time_zone: str = "UTC"
    ) -> list[FutureFigures]:
        """The three figures of up to 500 SKUs, in the order asked for, with every input."""
        check(
            validation.name("channel_id", channel_id),
            [] if 1 <= len(skus) <= MAX_SKUS else [Problem("skus", f"1 to {MAX_SKUS} are needed")],
            validation.skus(skus),
            [] if validation.is_time_zone(time_zone) else [Problem("time_zone", "not an IANA time zone")],
        )
        async with self._still.begin() as tx:
            terms = await self._terms(tx, channel_id, skus, as_of)
            with_parts = [*skus, *(part.sku for sku in skus for part in terms.parts(sku))]
            balances = await image.balances_behind(tx, channel_id, with_parts)
            releases = {item.sku: item.release_date for item in await catalogue.items(tx, with_parts)}
            expected = await deliveries.expected_of(tx, skus)
            prospects = await self._prospects(tx, terms, expected, as_of)
            sold = await self._preorder_figures(tx, terms, await preorders.read(tx, skus, channel_id), as_of)
        coming: dict[str, list[Prospect]] = defaultdict(list)
        for one in prospects:
            coming[one.delivery.sku].append(one)
        offered: dict[str, list[PreorderFigure]] = defaultdict(list)
        for offer in sold:
            offered[offer.preorder.sku].append(offer)
        found = []
        for sku in skus:
            release_date = preorder.released_on(sku, terms.parts(sku), releases)
            now = explaining.availability(terms, sku, balances, explain=False)
            found.append(
                FutureFigures(
                    sku,
                    now.available_now,
                    terms.zero_reason(sku),
                    release_date,
                    preorder.under_embargo(release_date, time_zone, as_of),
                    tuple(coming[sku]),
                    tuple(offered[sku]),
                )
            )
        return found

    async def _prospects(
        self, tx: AsyncConnection, terms: Terms, found: Sequence[ExpectedDelivery], as_of: datetime
    ) -> tuple[Prospect, ...]:
        rules = await deliveries.read_rules(tx, terms.channel_id)
        held = await waiting.held(tx, SourceKind.DELIVERY, [one.delivery_id for one in found])
        zones = await deliveries.time_zones(tx, [one.point_id for one in found])
        today: Mapping[str, date] = {point_id: supply.day_at(zone, as_of) for point_id, zone in zones.items()}
        by_sku: dict[str, list[ExpectedDelivery]] = defaultdict(list)
        for delivery in found:
            by_sku[delivery.sku].append(delivery)
        return tuple(
            one for of_one in by_sku.values() for one in supply.prospects(terms, rules, of_one, held, today)
        )

    async def _preorder_figures(
        self, tx: AsyncConnection, terms: Terms, found: Sequence[Preorder], as_of: datetime
    ) -> tuple[PreorderFigure, ...]:
        held = await waiting.held(tx, SourceKind.PREORDER, [one.preorder_id for one in found])
        return preorder.figures(terms, found, held, as_of)

    # -- pre-orders ---------------------------------------------------------------------------------------

    async def put_preorders(self, sent: Sequence[Preorder]) -> int:
        """Creates or replaces; how many really changed."""
        check(check_preorders(sent))
        skus = [one.sku for one in sent]
        async with self._change() as tx:
            check(check_known("preorders", skus, [], await catalogue.known(tx, skus, [])))
            named = {f"preorders[{i}].channel_id": one.channel_id for i, one in enumerate(sent) if one.channel_id}
            await _must_know_channels(tx, named)
            created = await preorders.create(tx, sent)
            known = await preorders.lock(tx, [one.preorder_id for one in sent if one.preorder_id not in created])
            held = await waiting.held(tx, SourceKind.PREORDER, known)
            changed = [
                after
                for one in sent
                if one.preorder_id in known
                and (after := preorder.revised(known[one.preorder_id], one, held.get(one.preorder_id, 0)))
                != known[one.preorder_id]
            ]
            if changed:
                await preorders.write(tx, changed)
        return len(created) + len(changed)

    async def list_preorders(
        self, skus: Sequence[str], channel_id: str, after: str, limit: int
    ) -> list[tuple[Preorder, int]]:
        """In the order of their ids after one, each with the units that are held of it."""
        check(validation.skus(skus), validation.name("channel_id", channel_id) if channel_id else ())
        async with self._still.begin() as tx:
            found = await preorders.read(tx, skus, channel_id, after, limit)
            held = await waiting.held(tx, SourceKind.PREORDER, [one.preorder_id for one in found])
        return [(one, held.get(one.preorder_id, 0)) for one in found]

    # -- reservations of units to come --------------------------------------------------------------------

    async def reserve(self, command: ReserveFuture) -> FutureAnswer:
        """Holds units against the figures shown."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.name("channel_id", command.channel_id),
            check_lines(command.lines),
            validation.check_time_to_live(command.time_to_live_seconds),
        )
        async with self._turns, self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return to_future(first)
            figures = await self._lock_figures(tx, command)
            life = holds.opened(
                command.reservation_id, command.channel_id, command.time_to_live_seconds, command.as_of
            )
            before, created = await waiting.lock_or_create(tx, life)
            current = before if created else replace(before, life=holds.continued(before.life, life))
            after, shortfalls, done = future_holds.reserve(
                current, command.lines, figures, allow_partial=command.allow_partial
            )
            if done:
                await waiting.write(tx, [(before, after)])
            elif created:
                await waiting.drop(tx, command.reservation_id)
            kept = after if done else None if created else before
            answer = FutureAnswer(done, kept, shortfalls)
            await requests.remember(tx, command.request_id, from_future(answer))
        return answer

    async def _lock_figures(self, tx: AsyncConnection, command: ReserveFuture) -> dict[Source, Figure]:
        """What the channel may take of each source that is named, under the locks of all that it hangs on."""
        named: Mapping[SourceKind, list[str]] = {
            kind: [line.source.source_id for line in command.lines if line.source.kind is kind]
            for kind in SourceKind
        }
        expected = await deliveries.lock_positions(tx, named[SourceKind.DELIVERY])
        sold = list((await preorders.lock(tx, named[SourceKind.PREORDER])).values())
        known = {Source(SourceKind.DELIVERY, one.delivery_id) for one in expected}
        known |= {Source(SourceKind.PREORDER, one.preorder_id) for one in sold}
        for i, line in enumerate(command.lines):
            kind, source_id = line.source
            if line.source not in known:
                detail = f"there is no {kind} {source_id}"
                raise InvalidArgument(f"lines[{i}].{kind}_id", detail, f"UNKNOWN_{kind.upper()}")
        skus = sorted({one.sku for one in expected} | {one.sku for one in sold})
        terms = await self._terms(tx, command.channel_id, skus, command.as_of)
        prospects = await self._prospects(tx, terms, expected, command.as_of)
        offers = await self._preorder_figures(tx, terms, sold, command.as_of)
        figures = {
            Source(SourceKind.DELIVERY, one.delivery.delivery_id): Figure(one.available, one.zero_reason)
            for one in prospects
        }
        return figures | {
            Source(SourceKind.PREORDER, one.preorder.preorder_id): Figure(one.available, one.zero_reason)
            for one in offers
        }

    async def confirm(self, reservation_id: str, as_of: datetime) -> FutureReservation:
        """held -> confirmed; a repeat gives the same."""
        check(validation.identifier("reservation_id", reservation_id))
        async with self._change() as tx:
            before = await waiting.lock(tx, reservation_id)
            if before is None:
                raise no_reservation(reservation_id)
            after = future_holds.confirm(before, as_of)
            await waiting.write(tx, [(before, after)])
        return after

    async def release(self, command: ReleaseFuture) -> tuple[FutureLine, ...]:
        """Gives back what is held; accepts that nothing ever was."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            check_lines(command.lines, required=False),
        )
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return to_lines(first)
            before = await waiting.lock(tx, command.reservation_id)
            released: tuple[FutureLine, ...] = ()
            if before is not None:
                after, released = future_holds.release(before, command.lines)
                await waiting.write(tx, [(before, after)])
            await requests.remember(tx, command.request_id, from_lines(released))
        return released

    async def expire(self, as_of: datetime, limit: int) -> list[str]:
        """Gives back what held reservations keep past their time; which ones ended."""
        if not 1 <= limit <= 1000:
            raise InvalidArgument("limit", "not between 1 and 1000")
        async with self._change() as tx:
            due = await waiting.lock_due(tx, as_of, limit)
            await waiting.write(tx, [(one, future_holds.expire(one)) for one in due])
            await outbox.write(tx, [events.expired(one, as_of) for one in due])
        return [one.reservation_id for one in due]

    async def get_reservation(self, reservation_id: str) -> FutureReservation:
        """With what is still waited for."""
        check(validation.identifier("reservation_id", reservation_id))
        async with self._still.begin() as tx:
            found = await waiting.read(tx, reservation_id)
        if found is None:
            raise no_reservation(reservation_id)
        return found

    async def convert_preorder(self, command: ConvertPreorder) -> ConvertAnswer:
        """Pre-ordered units become units held at points, against the channel's image: all or none."""
        check(
            validation.identifier("reservation_id", command.reservation_id),
            validation.check_lines(command.lines),
        )
        wanted: Counter[str] = Counter()
        for line in command.lines:
            wanted[line.sku] += line.quantity
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return to_convert(first)
            before, sold = await self._lock_preordered(tx, command)
            skus = {one.preorder_id: one.sku for one in sold.values()}
            taken = future_holds.convert(before, wanted, skus)
            hold, pairs, movements = await self._hold_stock(tx, command, before)
            after = before
            if hold.done:
                after = future_holds.without(before, taken)
                left = before.held() - after.held()
                await preorders.write(
                    tx,
                    [
                        replace(one, converted=one.converted + left[Source(SourceKind.PREORDER, one.preorder_id)])
                        for one in sold.values()
                    ],
                )
                await waiting.write(tx, [(before, after)])
            answer = ConvertAnswer(hold, after)
            await ledger.write(
                tx,
                movements=movements,
                reservations=pairs,
                answers=[ledger.Answer(command.request_id, from_convert(answer))],
            )
        return answer

    async def _lock_preordered(
        self, tx: AsyncConnection, command: ConvertPreorder
    ) -> tuple[FutureReservation, dict[str, Preorder]]:
        # Read first, to lock in the one order: pre-orders, then the reservation.
        named = await waiting.read(tx, command.reservation_id)
        sources = named.held() if named else {}
        sold = await preorders.lock(tx, [one.source_id for one in sources if one.kind is SourceKind.PREORDER])
        found = await waiting.lock(tx, command.reservation_id)
        if found is None:
            raise no_reservation(command.reservation_id)
        if found.life.state is ReservationState.EXPIRED or found.is_due(command.as_of):
            raise FailedPrecondition(
                "RESERVATION_EXPIRED",
                "the reservation expired before it was converted",
                reservation_id=command.reservation_id,
            )
        return found, sold

    async def _hold_stock(
        self, tx: AsyncConnection, command: ConvertPreorder, before: FutureReservation
    ) -> tuple[HoldAnswer, list[tuple[holds.Reservation, holds.Reservation]], list[ledger.Dated]]:
        positions = [line.position for line in command.lines]
        life = before.life
        opened, terms = await reservations.open_all(tx, [life], positions, command.as_of)
        existing = opened[life.reservation_id]
        current = life if existing is None else holds.continued(existing, life)
        book = await ledger.lock(tx, holds.touched(current, terms[life.channel_id], command.lines))
        cause = Cause("reserve", ACTOR, command.request_id)
        after, shortfalls, held = holds.reserve(
            book, terms[life.channel_id], current, command.lines, cause, allow_partial=False
        )
        if held:
            return (
                HoldAnswer(True, after),
                [(existing or life, after)],
                ledger.dated(book.movements, command.as_of),
            )
        if existing is None:
            await reservations.drop(tx, [life.reservation_id])
        return HoldAnswer(False, existing, shortfalls), [], []

    # -- transactions -------------------------------------------------------------------------------------

    async def _terms(self, tx: AsyncConnection, channel_id: str, skus: Sequence[str], now: datetime) -> Terms:
        terms = (await image.terms(tx, [channel_id], skus, now=now)).get(channel_id)
        if terms is None:
            raise no_channel(channel_id, "channel_id")
        return terms


async def _must_know_channels(tx: AsyncConnection, fields: Mapping[str, str]) -> None:
    """The channels must exist. `fields`: the id by the field that names it."""
    known = await catalogue.known_channels(tx, sorted(set(fields.values())))
    for field, channel_id in fields.items():
        if channel_id not in known:
            raise no_channel(channel_id, field)
