"""A booking service on a real database, and the hands of a test."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from services.booking import store
from services.booking.domain.bookings import Booking, Refusal
from services.booking.domain.patterns import Pattern, Place, slot_id
from services.booking.patterns import Patterns
from services.booking.service import BookingService, Confirm, Hold, Move, Outcome, Release, Said

# A Friday, early enough for all that is asked for.
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
FRIDAY, MONDAY, TUESDAY = date(2026, 12, 4), date(2026, 12, 7), date(2026, 12, 8)
PARIS = Place("FR", "75011")


def pattern(pattern_id: str = "morning", **other: Any) -> Pattern:
    """Two men in Paris, every day from 08:00 to 12:00, three times."""
    described: dict[str, Any] = {
        "carrier_id": "vallier",
        "service_id": "vallier-rendez-vous",
        "country": "FR",
        "postcode_prefixes": ("75",),
        "weekdays": (1, 2, 3, 4, 5, 6),
        "from_minute": 480,
        "until_minute": 720,
        "time_zone": "Europe/Paris",
        "capacity": 3,
        "lead_days": 2,
        "valid_from": date(2026, 11, 1),
        **other,
    }
    return Pattern(pattern_id=pattern_id, **described)


@dataclass
class Desk:
    """What customers, orders and carriers ask of booking."""

    engine: AsyncEngine
    service: BookingService
    patterns: Patterns

    async def put(self, *wanted: Pattern, now: datetime = NOW) -> int:
        return await self.patterns.put(wanted, "anna", now)

    async def hold(
        self,
        day: date = MONDAY,
        *,
        pattern_id: str = "morning",
        key: str = "",
        place: Place = PARIS,
        seconds: int = 600,
        now: datetime = NOW,
    ) -> Outcome:
        asked = Hold(key or uuid4().hex, slot_id(pattern_id, day), "web", place, seconds)
        return await self.service.hold(asked, now)

    async def held(self, day: date = MONDAY, **other: Any) -> Booking:
        outcome = await self.hold(day, **other)
        assert outcome.booking, outcome
        return outcome.booking

    async def confirm(
        self,
        booking: Booking,
        order_id: str = "ord_1",
        *,
        place: Place = PARIS,
        key: str = "",
        now: datetime = NOW,
    ) -> Outcome:
        asked = Confirm(key or uuid4().hex, booking.booking_id, order_id, "web", place)
        return await self.service.confirm(asked, now)

    async def booked(self, day: date = MONDAY, order_id: str = "ord_1", **other: Any) -> Booking:
        """A booking that is an order's."""
        confirmed = (await self.confirm(await self.held(day, **other), order_id)).booking
        assert confirmed
        return confirmed

    async def release(
        self, booking: Booking, order_id: str = "", *, channel_id: str = "", now: datetime = NOW
    ) -> Booking | None:
        asked = Release(uuid4().hex, booking.booking_id, order_id, channel_id, "cancelled")
        return await self.service.release(asked, now)

    async def move(
        self,
        booking: Booking,
        day: date,
        order_id: str = "ord_1",
        *,
        pattern_id: str = "morning",
        key: str = "",
        now: datetime = NOW,
    ) -> Outcome:
        asked = Move(key or uuid4().hex, booking.booking_id, order_id, slot_id(pattern_id, day))
        return await self.service.move(asked, now)

    async def missed(self, booking: Booking, now: datetime) -> Booking:
        return await self.service.missed(Said(uuid4().hex, booking.booking_id, "vallier", "not_at_home"), now)

    async def kept(self, booking: Booking, now: datetime) -> Booking:
        return await self.service.kept(Said(uuid4().hex, booking.booking_id, "vallier"), now)

    async def taken(self, day: date = MONDAY, pattern_id: str = "morning") -> int:
        """Places of the slot, which are those of its bookings."""
        assert await self.patterns.differences() == (await self._slots(), [])
        return (await self.patterns.slot(slot_id(pattern_id, day))).taken

    async def told(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Events so far: type, subject, data."""
        async with self.engine.connect() as tx:
            rows = (await tx.execute(text("SELECT type, subject, data FROM outbox ORDER BY id"))).all()
        return [(row.type.removeprefix("oms.booking.booking."), row.subject, row.data) for row in rows]

    async def kinds(self) -> Sequence[str]:
        """The types of events so far; none of them may hold where a customer lives."""
        told = await self.told()
        assert PARIS.postcode not in json.dumps(told)
        return [kind for kind, _, _ in told]

    async def _slots(self) -> int:
        async with self.engine.connect() as tx:
            return await store.count_slots(tx)


@pytest.fixture
async def desk(booking_db: AsyncEngine) -> Desk:
    desk = Desk(booking_db, BookingService(booking_db, Bell()), Patterns(booking_db))
    assert await desk.put(pattern()) == 1
    return desk


def refused(outcome: Outcome, refusal: Refusal) -> list[str]:
    """The slots that can be had instead."""
    assert (outcome.booking, outcome.refusal) == (None, refusal)
    return [one.slot.slot_id for one in outcome.alternatives]


def later(**delta: int) -> datetime:
    return NOW + timedelta(**delta)
