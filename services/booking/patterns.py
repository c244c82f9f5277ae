"""Use cases of patterns and of the slots that follow from them. Commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from kit.errors import InvalidArgument, NotFound
from services.booking import checks, store
from services.booking.domain import bookings
from services.booking.domain.patterns import Pattern, Place, Slot, Window, pattern_and_day

_DAY = timedelta(days=1)
# So far around the wanted date it is looked for others, and so many of them are told.
_NEAR = 21 * _DAY
_MOST_ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class Offered:
    """A slot, and how many places of it are taken."""

    slot: Slot
    taken: int


class Patterns:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._single = db.single(engine)

    async def put(self, wanted: Sequence[Pattern], actor: str, now: datetime) -> int:
        """How many really changed. What was taken in their slots stays taken."""
        checks.actor(actor)
        checks.patterns(wanted)
        async with self._engine.begin() as tx:
            known = await store.lock_patterns(tx, [one.pattern_id for one in wanted])
            changed = []
            for one in wanted:
                old = known.get(one.pattern_id)
                if old is None or replace(one, version=old.version) != old:
                    changed.append(replace(one, version=old.version + 1 if old else 1))
            await store.put_patterns(tx, changed, now, actor)
        return len(changed)

    async def listed(self, carrier_id: str, service_id: str) -> list[Pattern]:
        """As they stand; of a carrier, of a service, or (empty) all."""
        async with self._single.connect() as tx:
            return await store.list_patterns(tx, carrier_id, service_id)

    async def versions(self, pattern_id: str) -> list[store.PatternVersion]:
        """Newest first. NotFound / UNKNOWN_PATTERN."""
        async with self._single.connect() as tx:
            found = await store.list_versions(tx, pattern_id)
        if not found:
            raise NotFound("UNKNOWN_PATTERN", "there is no such pattern", field="pattern_id")
        return found

    async def slot(self, slot_id: str) -> Offered:
        """NotFound / UNKNOWN_SLOT."""
        async with self._single.connect() as tx:
            found = await slot_of(tx, slot_id)
            taken = await store.taken(tx, [slot_id])
        return Offered(found, taken.get(slot_id, 0))

    async def slots(
        self, carrier_id: str, service_id: str, place: Place | None, first: date, last: date
    ) -> list[Offered]:
        """By start. Says a service, a place, or both."""
        if place is None and not (carrier_id and service_id):
            raise InvalidArgument("destination", "destination: is required, or carrier_id and service_id")
        if place is not None:
            checks.place(place, "destination")
        checks.days(first, last)
        return await self._offered(carrier_id, service_id, place, first, last)

    async def alternatives(
        self, carrier_id: str, service_id: str, place: Place, wanted: Window, now: datetime
    ) -> list[Offered]:
        """The nearest ones of the service that can be had, by how near they are to a window."""
        day, today = wanted.start.date(), now.date()
        found = await self._offered(
            carrier_id, service_id, place, max(day - _NEAR, today - _DAY), max(day, today) + _NEAR
        )
        to_be_had = [one for one in found if one.slot.left(one.taken, now)]
        to_be_had.sort(key=lambda one: (abs(one.slot.window.start - wanted.start), one.slot.slot_id))
        return to_be_had[:_MOST_ALTERNATIVES]

    async def differences(self) -> tuple[int, list[tuple[str, int, int]]]:
        """How many slots there are; and those whose count is not that of their bookings, with both."""
        async with self._engine.execution_options(isolation_level="REPEATABLE READ").begin() as tx:
            return await store.count_slots(tx), await store.differences(tx, checks.MOST_PATTERNS)

    async def _offered(
        self, carrier_id: str, service_id: str, place: Place | None, first: date, last: date
    ) -> list[Offered]:
        async with self._single.connect() as tx:
            patterns = await store.list_patterns(tx, carrier_id, service_id, place.country if place else "")
            slots = list(_slots(patterns, place, first, last))
            taken = await store.taken(tx, [one.slot_id for one in slots])
        offered = [Offered(one, taken.get(one.slot_id, 0)) for one in slots]
        return sorted(offered, key=lambda one: (one.slot.window.start, one.slot.slot_id))


async def slot_of(tx: AsyncConnection, slot_id: str, *, shared: bool = False) -> Slot:
    """As its pattern says; `shared`: it says so until the transaction ends. NotFound / UNKNOWN_SLOT."""
    checks.required(slot_id, "slot_id")
    if named := pattern_and_day(slot_id):
        pattern = await store.read_pattern(tx, named[0], shared=shared)
        if pattern and (found := pattern.slot_on(named[1])):
            return found
    raise bookings.unknown_slot(slot_id)


def _slots(patterns: Iterable[Pattern], place: Place | None, first: date, last: date) -> Iterable[Slot]:
    """Raises InvalidArgument for more than can be told."""
    count = 0
    for pattern in patterns:
        if place is not None and not pattern.serves(place):
            continue
        for offset in range((last - first).days + 1):
            if found := pattern.slot_on(first + offset * _DAY):
                count += 1
                if count > checks.MOST_SLOTS:
                    raise InvalidArgument("until_date", f"until_date: more than {checks.MOST_SLOTS} slots")
                yield found
