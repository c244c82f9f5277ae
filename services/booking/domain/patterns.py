"""Patterns of slots: which dates they have, whom they serve, and what a slot of a date is (SPEC BKG-3)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kit.values.money import Money

MINUTES_A_DAY = 1440
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Instants [start, end), in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a customer lives, no finer than planning needs it: ISO 3166-1 alpha-2, and a postcode."""

    country: str
    postcode: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Slots that a carrier service offers again and again.

    Weekdays from 1, Monday; local minutes after midnight. `lead_days`: how long before its date a slot is booked
    at the latest. `version`: given by the service.
    """

    pattern_id: str
    carrier_id: str
    service_id: str
    country: str
    postcode_prefixes: tuple[str, ...]
    weekdays: tuple[int, ...]
    from_minute: int
    until_minute: int
    time_zone: str
    capacity: int
    lead_days: int
    valid_from: date
    valid_until: date | None = None
    closed_dates: tuple[date, ...] = ()
    price: Money | None = None
    version: int = 0

    def serves(self, place: Place) -> bool:
        """Whether it goes there; without prefixes to the whole country."""
        if place.country != self.country:
            return False
        postcode = normal_postcode(place.postcode)
        prefixes = self.postcode_prefixes or ("",)
        return any(postcode.startswith(normal_postcode(prefix)) for prefix in prefixes)

    def slot_on(self, day: date) -> "Slot | None":
        """The slot of a date; None where there is none."""
        if day < self.valid_from or (self.valid_until and day > self.valid_until):
            return None
        if day.isoweekday() not in self.weekdays or day in self.closed_dates:
            return None
        window = Window(self._instant(day, self.from_minute), self._instant(day, self.until_minute))
        # In the hour that a change of clocks leaves out there is nobody to meet.
        if window.start >= window.end:
            return None
        last_day_ends = self._instant(day - self.lead_days * _DAY, MINUTES_A_DAY)
        return Slot(self, day, window, min(window.start, last_day_ends) if self.lead_days else window.start)

    def _instant(self, day: date, minute: int) -> datetime:
        day += minute // MINUTES_A_DAY * _DAY
        minute %= MINUTES_A_DAY
        local = datetime.combine(day, time(minute // 60, minute % 60), ZoneInfo(self.time_zone))
        return local.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Slot:
    """One date of a pattern. It can be booked before `bookable_until`."""

    pattern: Pattern
    day: date
    window: Window
    bookable_until: datetime

    @property
    def slot_id(self) -> str:
        """The same as long as the pattern has this date."""
        return slot_id(self.pattern.pattern_id, self.day)

    def left(self, taken: int, now: datetime) -> int:
        """Places that can be had now."""
        return max(0, self.pattern.capacity - taken) if now < self.bookable_until else 0


def slot_id(pattern_id: str, day: date) -> str:
    """Of a pattern's date."""
    return f"{pattern_id}.{day:%Y%m%d}"


def pattern_and_day(of_slot: str) -> tuple[str, date] | None:
    """What a slot's id says; None for what is no such id."""
    pattern_id, _, written = of_slot.rpartition(".")
    try:
        day = datetime.strptime(written, "%Y%m%d").date()
    except ValueError:
        return None
    # There is one way to write it.
    return (pattern_id, day) if slot_id(pattern_id, day) == of_slot else None


def normal_postcode(postcode: str) -> str:
    """As it is compared: upper case, without spaces and hyphens."""
    return postcode.upper().replace(" ", "").replace("-", "")
