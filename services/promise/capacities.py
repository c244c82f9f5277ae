"""Capacity of points and carriers: limits and figures, what orders take of it and give back. Commits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, auto

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from kit.errors import NotFound
from services.promise import capacity_checks, capacity_store, checks, store
from services.promise.domain import takings
from services.promise.domain.calendars import HORIZON_DAYS
from services.promise.domain.capacity import Capacity, Counter, Limit, Limits, SetLimit
from services.promise.domain.network import CONSOLIDATION, PlanRequest, Point, StockSlice
from services.promise.domain.personalising import done_at, needs_of
from services.promise.domain.plans import Decision
from services.promise.domain.takings import LegPlace, Taking
from services.promise.replica import StockReplica

# Days that are past are kept so long, to be looked at.
MEMORY_DAYS = 60
# More counters than that that are wrong are not told one by one.
MOST_DIFFERENCES = 1_000
_DAY = timedelta(days=1)


class Kept(Enum):
    """What became of a decision that was to be kept."""

    KEPT = auto()
    # Its request was answered before.
    ANSWERED = auto()
    # Somebody else took the room meanwhile.
    NO_ROOM = auto()


@dataclass(frozen=True, slots=True)
class Figure:
    """A counter with its limit, if it has one."""

    counter: Counter
    most: int | None
    taken: int


class Capacities:
    """One method a question."""

    def __init__(self, database: AsyncEngine, replica: StockReplica) -> None:
        self._database = database
        self._single = db.single(database)
        self._at_one_moment = database.execution_options(isolation_level="REPEATABLE READ")
        self._replica = replica

    # -- limits and figures -----------------------------------------------------------------------------------

    async def put_limits(self, limits: Sequence[Limit], at: datetime, actor: str) -> int:
        """Sets limits; those of other scopes stay. How many really changed."""
        checks.required(actor, "actor")
        points = self._replica.slice(()).points
        async with self._database.begin() as tx:
            await store.raise_terms_version(tx)
            carriers = {carrier.carrier_id: carrier for carrier in await store.list_carriers(tx)}
            capacity_checks.limits(limits, carriers, points)
            return await capacity_store.put_limits(tx, limits, at, actor)

    async def remove_limits(self, scopes: Sequence[Limit]) -> int:
        """Removes limits of these scopes: what is wider holds again. How many there were."""
        capacity_checks.scopes(scopes)
        async with self._database.begin() as tx:
            await store.raise_terms_version(tx)
            return await capacity_store.remove_limits(tx, scopes)

    async def list_limits(self, point_id: str, carrier_id: str) -> list[SetLimit]:
        """Of a point, of a carrier, or (empty) all."""
        async with self._single.connect() as tx:
            return await capacity_store.list_limits(tx, point_id, carrier_id)

    async def figures(self, point_id: str, first: date, last: date) -> list[Figure]:
        """Of each day: the point's, then those of carriers with a limit there or from which something is taken.

        NOT_FOUND / POINT_NOT_FOUND.
        """
        capacity_checks.days(first, last)
        point = self._replica.slice(()).points.get(point_id)
        if point is None:
            raise NotFound("POINT_NOT_FOUND", f"there is no point {point_id}", point_id=point_id)
        async with self._single.connect() as tx:
            limits = await capacity_store.limits(tx)
            carriers = {carrier.carrier_id for carrier in await store.list_carriers(tx)}
            taken = await capacity_store.taken(tx, [point_id], carriers, first, last)
        return [
            Figure(counter, limits.most(counter, point.daily_capacity), taken.get(counter, 0))
            for counter in _told(point, limits, taken, first, last)
        ]

    async def of_order(self, order_id: str) -> list[Taking]:
        """What an order has taken."""
        checks.required(order_id, "order_id")
        async with self._single.connect() as tx:
            return await capacity_store.of_order(tx, order_id)

    async def takers(self, order_ids: Sequence[str], after: str, most: int) -> list[tuple[str, list[str]]]:
        """Orders that have taken something, each with the points of its legs."""
        async with self._single.connect() as tx:
            return await capacity_store.takers(tx, order_ids, after, most)

    async def differences(self) -> tuple[int, list[tuple[Counter, int, int]]]:
        """How many counters there are; and those that are not the sum of what legs took, with both figures."""
        async with self._at_one_moment.begin() as tx:
            return await capacity_store.count_counters(tx), await capacity_store.differences(tx, MOST_DIFFERENCES)

    async def forget(self, now: datetime) -> int:
        """Removes what was taken of days that are long past; how many counters."""
        async with self._database.begin() as tx:
            return await capacity_store.forget(tx, now.date() - MEMORY_DAYS * _DAY)

    # -- taken and given back ---------------------------------------------------------------------------------

    async def seen(
        self, stock: StockSlice, request: PlanRequest, limits: Limits, own: Sequence[Taking] = ()
    ) -> Capacity:
        """What has room for a question, with what is given back for it: one look at hubs and points with stock."""
        holders = {point_id for by_point in stock.positions.values() for point_id in by_point}
        if request.joins:
            holders.add(request.joins.point_id)
        if request.may_consolidate:
            needs = needs_of(stock.items, request.lines)
            holders |= {
                point.point_id
                for point in stock.points.values()
                if CONSOLIDATION in point.capabilities or done_at(needs, point)
            }
        limited = sorted(
            point_id for point_id in holders & stock.points.keys() if limits.touch(stock.points[point_id])
        )
        if not limited:
            return Capacity(limits)
        start = max(request.now, request.not_before or request.now)
        # The day at a point may be another one than that of UTC.
        first, last = request.now.date() - _DAY, start.date() + (HORIZON_DAYS + 1) * _DAY
        async with self._single.connect() as tx:
            taken = await capacity_store.taken(tx, limited, limits.carriers, first, last)
        return Capacity(limits, takings.of_others(taken, own))

    async def replaced(self, order_id: str, request: PlanRequest, places: Sequence[LegPlace]) -> list[Taking]:
        """What a plan gives back: before there is a promise all of the order's, then that of the legs named."""
        if request.promised_until is not None and not places:
            return []
        async with self._single.connect() as tx:
            found = await capacity_store.of_order(tx, order_id)
        return found if request.promised_until is None else takings.at(found, places)

    async def keep(
        self,
        request_id: str,
        digest: bytes,
        decision: Decision,
        given_back: Sequence[Taking],
        limits: Limits,
        points: Mapping[str, Point],
    ) -> Kept:
        """Keeps a decision and takes what its best plan needs, both or neither; gives back what it replaces."""
        taken = takings.of_best_plan(decision)
        if not taken and not given_back:
            async with self._single.connect() as tx:
                kept = await store.add_decision(tx, request_id, digest, decision)
            return Kept.KEPT if kept else Kept.ANSWERED
        changes = takings.changes(taken, given_back)
        async with self._database.connect() as tx:
            added, gone, _, counts, _ = await db.in_one_trip(
                tx,
                store.adding_decision(request_id, digest, decision),
                capacity_store.giving_back(given_back),
                *capacity_store.counting(changes),
                capacity_store.taking(decision.order_id, taken),
            )
            if not added:
                return Kept.ANSWERED
            after = capacity_store.counts_of(counts)
            is_other = len(gone) < len(given_back)
            if is_other or takings.is_too_much(changes, after, limits, points):
                return Kept.NO_ROOM
            await tx.commit()
        return Kept.KEPT

    async def release(self, order_id: str, places: Sequence[LegPlace]) -> int:
        """Gives back what legs of an order took, or (none named) all of it; how many legs had something."""
        checks.required(order_id, "order_id")
        async with self._database.begin() as tx:
            found = await capacity_store.of_order(tx, order_id)
            return await self._give_back(tx, takings.at(found, places) if places else found)

    async def move(self, order_id: str, place: LegPlace, moved: Callable[[Taking], Taking]) -> bool:
        """What a leg took becomes what `moved` says, whatever the limits are; False when it has nothing."""
        checks.required(order_id, "order_id")
        async with self._database.begin() as tx:
            found = takings.at(await capacity_store.of_order(tx, order_id), [place])
            if not found:
                return False
            # Two who move the same: whoever is second finds nothing.
            [gone] = await db.in_one_trip(tx, capacity_store.giving_back(found))
            given = capacity_store.takings_of(gone)
            taken = [moved(one) for one in given]
            counting = capacity_store.counting(takings.changes(taken, given))
            await db.in_one_trip(tx, *counting, capacity_store.taking(order_id, taken))
            return bool(given)

    async def _give_back(self, tx: AsyncConnection, found: Sequence[Taking]) -> int:
        if not found:
            return 0
        # Two who give back the same: whoever is second finds nothing.
        [gone] = await db.in_one_trip(tx, capacity_store.giving_back(found))
        given = capacity_store.takings_of(gone)
        await db.in_one_trip(tx, *capacity_store.counting(takings.changes((), given)))
        return len(given)


def _told(
    point: Point, limits: Limits, taken: Mapping[Counter, int], first: date, last: date
) -> Iterable[Counter]:
    """Of each day the point, then carriers as a whole where something is taken, and whatever has a limit."""
    scopes = {
        (limit.carrier_id, limit.service_id, limit.cut_off_minute)
        for limit in limits.all
        if limit.carrier_id and limit.point_id in ("", point.point_id)
    }
    for offset in range((last - first).days + 1):
        day = first + offset * _DAY
        yield Counter(point.point_id, day)
        told = {Counter(point.point_id, day, *scope) for scope in scopes}
        limited = {counter for counter in told if limits.most(counter, 0) is not None}
        whole = {one for one in taken if one.day == day and one.carrier_id and one == _whole(one)}
        yield from sorted(limited | whole)


def _whole(counter: Counter) -> Counter:
    return Counter(counter.point_id, counter.day, counter.carrier_id)
