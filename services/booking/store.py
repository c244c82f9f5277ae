"""All SQL of booking. Returns domain objects; never commits and decides nothing.

Locks, in this order: the booking's row, a share of the pattern's, the slots' rows by id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, Table, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.values.money import Money
from services.booking.domain.bookings import WITH_A_PLACE, Booking, State
from services.booking.domain.patterns import Pattern, Place, Window
from services.booking.tables import booking, pattern, pattern_version, slot

_PATTERN = TypeAdapter(Pattern)


# -- patterns -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PatternVersion:
    """A version, when it was set and by whom."""

    pattern: Pattern
    set_at: datetime
    set_by: str


async def lock_patterns(tx: AsyncConnection, pattern_ids: Iterable[str]) -> dict[str, Pattern]:
    """Those that there are, to be changed: nobody takes a place in them meanwhile, or changes any."""
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('booking/patterns'))"))
    query = select(pattern).where(pattern.c.pattern_id.in_(sorted(pattern_ids)))
    rows = (await tx.execute(query.order_by(pattern.c.pattern_id).with_for_update())).all()
    return {row.pattern_id: _pattern(row) for row in rows}


async def put_patterns(tx: AsyncConnection, changed: Sequence[Pattern], set_at: datetime, set_by: str) -> None:
    """Writes each as its version says."""
    if not changed:
        return
    rows = [
        {
            "pattern_id": one.pattern_id,
            "carrier_id": one.carrier_id,
            "service_id": one.service_id,
            "country": one.country,
            "version": one.version,
            "content": _PATTERN.dump_python(one, mode="json"),
        }
        for one in sorted(changed, key=lambda one: one.pattern_id)
    ]
    put = insert(pattern)
    new = {name: put.excluded[name] for name in ("carrier_id", "service_id", "country", "version", "content")}
    await tx.execute(put.on_conflict_do_update(index_elements=["pattern_id"], set_=new), rows)
    versions = [{name: row[name] for name in ("pattern_id", "version", "content")} for row in rows]
    await tx.execute(insert(pattern_version), [row | {"set_at": set_at, "set_by": set_by} for row in versions])


async def read_pattern(tx: AsyncConnection, pattern_id: str, *, shared: bool = False) -> Pattern | None:
    """As it stands; `shared`: it stays so until the transaction ends."""
    query = select(pattern).where(pattern.c.pattern_id == pattern_id)
    row = (await tx.execute(query.with_for_update(read=True) if shared else query)).first()
    return _pattern(row) if row else None


async def list_patterns(
    tx: AsyncConnection, carrier_id: str = "", service_id: str = "", country: str = ""
) -> list[Pattern]:
    """By id; what is empty does not matter."""
    query = _filtered(select(pattern), pattern, carrier_id=carrier_id, service_id=service_id, country=country)
    return [_pattern(row) for row in (await tx.execute(query.order_by(pattern.c.pattern_id))).all()]


async def list_versions(tx: AsyncConnection, pattern_id: str) -> list[PatternVersion]:
    """Newest first."""
    query = select(pattern_version).where(pattern_version.c.pattern_id == pattern_id)
    rows = (await tx.execute(query.order_by(pattern_version.c.version.desc()))).all()
    return [PatternVersion(_pattern(row), row.set_at, row.set_by) for row in rows]


def _pattern(row: Row[Any]) -> Pattern:
    return _PATTERN.validate_python({**row.content, "version": row.version})


# -- slots ----------------------------------------------------------------------------------------------------

_LAY_OUT = text(
    """INSERT INTO slot (slot_id, taken) SELECT slot_id, 0 FROM unnest(CAST(:ids AS text[])) AS slot_id
       ORDER BY slot_id ON CONFLICT DO NOTHING"""
)
_DIFFERENCES = text(
    """SELECT slot_id, coalesce(s.taken, 0) AS counted, coalesce(b.booked, 0) AS booked
       FROM slot s
       FULL JOIN (SELECT slot_id, count(*) AS booked FROM booking WHERE state = ANY(:states) GROUP BY slot_id) b
            USING (slot_id)
       WHERE coalesce(s.taken, 0) <> coalesce(b.booked, 0)
       ORDER BY slot_id LIMIT :most"""
)


async def lock_slots(tx: AsyncConnection, *slot_ids: str) -> None:
    """Under their locks, in the order of their ids; those that nobody asked for before are laid out."""
    ids = sorted(set(slot_ids))
    await tx.execute(_LAY_OUT, {"ids": ids})
    await tx.execute(
        select(slot.c.slot_id).where(slot.c.slot_id.in_(ids)).order_by(slot.c.slot_id).with_for_update()
    )


async def take(tx: AsyncConnection, slot_id: str, capacity: int) -> bool:
    """One place more, if there is one. The caller holds the slot's lock."""
    wanted = update(slot).where(slot.c.slot_id == slot_id, slot.c.taken < capacity)
    return (await tx.execute(wanted.values(taken=slot.c.taken + 1).returning(slot.c.slot_id))).first() is not None


async def give_back(tx: AsyncConnection, slot_id: str, places: int = 1) -> None:
    """So many places less. The caller holds the slot's lock."""
    await tx.execute(update(slot).where(slot.c.slot_id == slot_id).values(taken=slot.c.taken - places))


async def taken(tx: AsyncConnection, slot_ids: Sequence[str]) -> dict[str, int]:
    """Of slots in which a place was ever taken."""
    query = text("SELECT slot_id, taken FROM slot WHERE slot_id = ANY(CAST(:ids AS text[]))")
    return {row.slot_id: row.taken for row in (await tx.execute(query, {"ids": list(slot_ids)})).all()}


async def count_slots(tx: AsyncConnection) -> int:
    """Those in which a place was ever taken."""
    return int((await tx.execute(select(func.count()).select_from(slot))).scalar_one())


async def differences(tx: AsyncConnection, most: int) -> list[tuple[str, int, int]]:
    """Slots whose count is not that of their bookings, with both."""
    states = sorted(state.value for state in WITH_A_PLACE)
    rows = (await tx.execute(_DIFFERENCES, {"states": states, "most": most})).all()
    return [(row.slot_id, row.counted, row.booked) for row in rows]


# -- bookings -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bookings: what every filter that is given allows."""

    order_id: str = ""
    carrier_id: str = ""
    service_id: str = ""
    first: date | None = None
    last: date | None = None
    state: State | None = None
    channel_ids: tuple[str, ...] = ()
    after: tuple[datetime, str] | None = None


async def read(tx: AsyncConnection, booking_id: str) -> Booking | None:
    """As it stands."""
    row = (await tx.execute(select(booking).where(booking.c.booking_id == booking_id))).first()
    return _booking(row) if row else None


async def lock(tx: AsyncConnection, booking_id: str) -> Booking | None:
    """Under its lock: whoever comes next waits."""
    query = select(booking).where(booking.c.booking_id == booking_id).with_for_update()
    row = (await tx.execute(query)).first()
    return _booking(row) if row else None


async def insert_booking(tx: AsyncConnection, new: Booking) -> None:
    """Adds it."""
    await tx.execute(insert(booking), _values(new))


async def save(tx: AsyncConnection, changed: Booking) -> None:
    """Writes it back; the caller holds its lock."""
    await tx.execute(update(booking).where(booking.c.booking_id == changed.booking_id).values(_values(changed)))


async def take_expired(tx: AsyncConnection, as_of: datetime, limit: int) -> list[Booking]:
    """Holds whose time is over, under their locks; those that somebody else has locked are left to him."""
    over = select(booking).where(booking.c.state == State.HELD, booking.c.expires_at <= as_of)
    query = over.order_by(booking.c.expires_at).limit(limit).with_for_update(skip_locked=True)
    return [_booking(row) for row in (await tx.execute(query)).all()]


async def list_bookings(tx: AsyncConnection, wanted: Wanted, limit: int) -> list[Booking]:
    """A page, by the start of their windows."""
    query = _filtered(
        select(booking),
        booking,
        order_id=wanted.order_id,
        carrier_id=wanted.carrier_id,
        service_id=wanted.service_id,
        state=wanted.state or "",
    )
    if wanted.first:
        query = query.where(booking.c.day >= wanted.first)
    if wanted.last:
        query = query.where(booking.c.day <= wanted.last)
    if wanted.channel_ids:
        query = query.where(booking.c.channel_id.in_(wanted.channel_ids))
    if wanted.after:
        query = query.where(tuple_(booking.c.window_start, booking.c.booking_id) > tuple_(*wanted.after))
    rows = await tx.execute(query.order_by(booking.c.window_start, booking.c.booking_id).limit(limit))
    return [_booking(row) for row in rows.all()]


def _filtered(query: Select[Any], table: Table, **wanted: str) -> Select[Any]:
    return query.where(*(table.c[name] == value for name, value in wanted.items() if value))


_SAME = (
    "booking_id",
    "state",
    "slot_id",
    "carrier_id",
    "service_id",
    "day",
    "channel_id",
    "order_id",
    "expires_at",
    "taken_at",
    "changed_at",
    "moves",
    "misses",
)


def _values(one: Booking) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _SAME} | {
        "window_start": one.window.start,
        "window_end": one.window.end,
        "country": one.place.country,
        "postcode": one.place.postcode,
        "price_minor": one.price.amount_minor if one.price else None,
        "currency": one.price.currency if one.price else None,
    }


def _booking(row: Row[Any]) -> Booking:
    same = {name: getattr(row, name) for name in _SAME}
    return Booking(
        **{**same, "state": State(row.state)},
        window=Window(row.window_start, row.window_end),
        place=Place(row.country, row.postcode),
        price=Money(row.price_minor, row.currency) if row.currency else None,
    )
