"""Delivery slots and their bookings. Mirrors the protos."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kit import times
from services.gateway.schemas.base import (
    Asked,
    Country,
    Day,
    Id,
    LongId,
    Money,
    MoneyView,
    Paged,
    Postcode,
    Sent,
    Shown,
    WindowView,
    example,
)

BookingState = Literal["held", "confirmed", "kept", "missed", "released", "expired"]
_DAYS_SHOWN = timedelta(days=14)
_Minute = Annotated[int, Field(ge=0, le=1440, description="Local minutes after midnight")]
_Prefix = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Za-z0-9 -]+$")]
_PatternId = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
_Weekday = Annotated[int, Field(ge=1, le=7)]
_DayOrNone = Annotated[str | None, BeforeValidator(lambda day: day or None)]
_Code = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")]


class SlotPattern(Sent):
    """Slots that a carrier service offers again and again."""

    pattern_id: _PatternId
    carrier_id: Id
    service_id: Id
    country: Country
    postcode_prefixes: list[_Prefix] = Field(
        default_factory=list, max_length=1_000, description="Without any, the whole country"
    )
    weekdays: list[_Weekday] = Field(min_length=1, max_length=7, description="1 Monday to 7 Sunday")
    from_minute: _Minute
    until_minute: _Minute
    time_zone: str = Field(max_length=64, examples=["Europe/Paris"], description="IANA")
    capacity: int = Field(ge=0, le=10_000, description="Places of each date; 0 takes no more bookings")
    lead_days: int = Field(0, ge=0, le=90, description="How many days before its date it is booked at the latest")
    price: Money | None = Field(None, description="What the customer pays for the slot, beside the delivery")
    valid_from: Day
    valid_until: Day | None = Field(None, description="Included; null: without end")
    closed_dates: list[Day] = Field(default_factory=list, max_length=1_000, description="There is none on these")


class SlotPatterns(Sent):
    """Patterns to write; the others stay."""

    model_config = example(
        {
            "patterns": [
                {
                    "pattern_id": "lyon-morning",
                    "carrier_id": "colis",
                    "service_id": "colis-rendez-vous",
                    "country": "FR",
                    "postcode_prefixes": ["69"],
                    "weekdays": [1, 2, 3, 4, 5],
                    "from_minute": 480,
                    "until_minute": 720,
                    "time_zone": "Europe/Paris",
                    "capacity": 12,
                    "lead_days": 2,
                    "valid_from": "2026-11-01",
                    "closed_dates": ["2026-12-25"],
                }
            ]
        }
    )

    patterns: list[SlotPattern] = Field(min_length=1, max_length=1_000)


class SlotPatternView(Shown):
    """A pattern as it stands, or as one of its versions stood."""

    pattern_id: str
    version: int
    carrier_id: str
    service_id: str
    country: str
    postcode_prefixes: list[str]
    weekdays: list[int]
    from_minute: int
    until_minute: int
    time_zone: str
    capacity: int
    lead_days: int
    price: MoneyView | None
    valid_from: str
    valid_until: _DayOrNone
    closed_dates: list[str]


class SlotPatternVersionView(Shown):
    """A version, when it was set and by whom."""

    pattern: SlotPatternView
    set_at: datetime
    set_by: str


class PatternFilters(Asked):
    """Which patterns."""

    carrier_id: Id | None = None
    service_id: Id | None = None


def _today() -> str:
    return times.now().date().isoformat()


class SlotFilters(Asked):
    """Which slots: of a destination, of a carrier service, or both; at most 62 days."""

    country: Country | None = None
    postcode: Postcode | None = None
    carrier_id: Id | None = None
    service_id: Id | None = None
    from_date: Day = Field(default_factory=_today, description="Without it, today")
    until_date: Day | None = Field(None, description="Included; without it, two weeks")
    only_open: bool = Field(True, description="Only those with a place that can be had")

    @property
    def last(self) -> str:
        """The last day."""
        return self.until_date or (date.fromisoformat(self.from_date) + _DAYS_SHOWN).isoformat()


class SlotView(Shown):
    """A time at which a carrier comes, and the places that are left."""

    id: str
    carrier_id: str
    service_id: str
    date: str
    window: WindowView
    capacity: int
    left: int = Field(description="Places that can be had now")
    price: MoneyView | None = Field(description="What the customer pays for the slot, beside the delivery")
    bookable_until: datetime


def _somewhere(postcode: str) -> str:
    if not postcode.strip():
        raise ValueError("a postcode is required")
    return postcode


class SlotHold(Sent):
    """A place for a customer who is about to order."""

    model_config = example({"channel_id": "web-fr", "country": "FR", "postcode": "69002"})

    channel_id: Id
    country: Country
    postcode: Annotated[Postcode, AfterValidator(_somewhere), Field(min_length=1)]
    time_to_live_seconds: int = Field(900, ge=60, le=7_200)


class BookingView(Shown):
    """A place in a slot."""

    id: str
    status: BookingState
    slot_id: str
    carrier_id: str
    service_id: str
    date: str
    window: WindowView
    price: MoneyView | None
    order_id: str | None
    channel_id: str
    expires_at: datetime | None = Field(description="While it is held")
    taken_at: datetime
    changed_at: datetime
    moves: int
    misses: int


class BookingFilters(Paged):
    """Which bookings."""

    order_id: LongId | None = None
    carrier_id: Id | None = None
    service_id: Id | None = None
    from_date: Day | None = None
    until_date: Day | None = None
    status: BookingState | None = None


class BookingMissed(Sent):
    """Why the customer was not met, as a code of the carrier."""

    model_config = example({"reason": "not_at_home"})

    reason: _Code = ""


class AppointmentMove(Sent):
    """Another slot of the same service."""

    model_config = example({"slot_id": "lyon-morning.20261207"})

    slot_id: LongId
