"""When a point works, when a carrier comes, when a parcel arrives. Wall clocks are IANA zones; sums are in UTC.

Local times that a clock change skips are read with the offset before it (02:30 becomes 03:30); those that it
repeats are the first of the two.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from zoneinfo import ZoneInfo

from services.promise.domain.columns import PointColumns
from services.promise.domain.network import (
    Carrier,
    CarrierPause,
    CarrierService,
    IsHoliday,
    Point,
    Window,
    ZoneTerms,
)

# Nothing is promised or looked for beyond this.
HORIZON_DAYS = 120
# A calendar lives as long as its point: what it has worked out is dropped from time to time.
_DAYS_KEPT = 4 * HORIZON_DAYS
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=4096)
def instant(day: date, minute: int, time_zone: str) -> datetime:
    """The instant of a local minute after midnight; 1440 is the next midnight."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return local.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class HandOver:
    """A cut-off: the carrier's day at the point, and the instant at which the parcel must be ready."""

    day: date
    at: datetime
    cut_off_minute: int = 0


@dataclass(frozen=True, slots=True)
class Begin:
    """When work on an order begins: the point's day, the instant, and full days before that were passed over."""

    day: date
    at: datetime
    passed: tuple[date, ...] = ()


_AT = attrgetter("at")


def _never(_: object) -> bool:
    return False


def _always(_: object) -> bool:
    return True


class PointCalendar:
    """Working time and collections of one point. `pauses` of carriers, by carrier."""

    def __init__(
        self, point: Point, is_holiday: IsHoliday, pauses: Mapping[str, Sequence[CarrierPause]] | None = None
    ) -> None:
        self._point = point
        self._is_holiday = is_holiday
        self._pauses = pauses or {}
        self._zone = ZoneInfo(point.time_zone)
        self._intervals: dict[date, list[tuple[datetime, datetime]]] = {}
        self._cut_offs: dict[str, dict[int, list[int]]] = {}
        self._known_visits: dict[tuple[str, date], Sequence[HandOver]] = {}

    def begins_at(self, start: datetime, handling: timedelta, is_full: Callable[[date], bool]) -> Begin | None:
        """The first working time from `start` on a day that is not full; None when that is beyond the horizon."""
        # The day before may close at midnight, which is `start` itself.
        first = start.astimezone(self._zone).date() - _DAY
        passed: list[date] = []
        for offset in range(HORIZON_DAYS):
            day = first + offset * _DAY
            for opens, closes in self._open(day):
                begins = max(opens, start)
                if begins > closes or (begins == closes and handling):
                    continue
                if is_full(day):
                    passed.append(day)
                    break
                return Begin(day, begins, tuple(passed))
        return None

    def ready_at(self, start: datetime, handling: timedelta) -> datetime | None:
        """When `handling` of working time from `start` is over; None when that is beyond the horizon."""
        # The day before may close at midnight, which is `start` itself.
        first = start.astimezone(self._zone).date() - _DAY
        left = handling
        for offset in range(HORIZON_DAYS):
            for opens, closes in self._open(first + offset * _DAY):
                begins = max(opens, start)
                if begins > closes or (begins == closes and left):
                    continue
                if closes - begins >= left:
                    return begins + left
                left -= closes - begins
        return None

    def latest_start(
        self, ready_by: datetime, handling: timedelta, is_full: Callable[[date], bool] = _never
    ) -> datetime | None:
        """The last instant from which what `begins_at` then is `ready_at` not after `ready_by`: their inverse.

        Before a full day it is the last second of the working time before.
        """
        last = ready_by.astimezone(self._zone).date()
        left = handling
        for offset in range(HORIZON_DAYS):
            day = last - offset * _DAY
            for opens, closes in reversed(self._open(day)):
                ends = min(closes, ready_by)
                if ends < opens:
                    continue
                if ends - opens < left:
                    left -= ends - opens
                elif not is_full(day):
                    return ends - left
                else:
                    left = min(left, _SECOND)
        return None

    def local_day(self, at: datetime) -> date:
        """The day of an instant at the point."""
        return at.astimezone(self._zone).date()

    def next_open(self, at: datetime) -> Window | None:
        """The rest of the opening hours in which `at` lies, or the next ones; None beyond the horizon."""
        # The day before may still be open.
        first = at.astimezone(self._zone).date() - _DAY
        for offset in range(HORIZON_DAYS):
            for opens, closes in self._open(first + offset * _DAY):
                if closes > at:
                    return Window(max(opens, at), closes)
        return None

    def closings(self, at: datetime) -> Iterator[datetime]:
        """The end of each opening day that is not over at `at`, in order."""
        first = at.astimezone(self._zone).date() - _DAY
        for offset in range(HORIZON_DAYS):
            hours = self._open(first + offset * _DAY)
            if hours and hours[-1][1] > at:
                yield hours[-1][1]

    def hand_overs(
        self, carrier_id: str, ready: datetime, has_room: Callable[[HandOver], bool] = _always
    ) -> Iterator[HandOver]:
        """The carrier's cut-offs at or after `ready` that have room, in order.

        A carrier does not come on a public holiday, nor to a closed point, nor while it is paused.
        """
        cut_offs = self._cut_offs_of(carrier_id)
        # The cut-off at midnight (1440) of the day before may be `ready` itself.
        first = ready.astimezone(self._zone).date() - _DAY if cut_offs else date.max
        for offset in range(HORIZON_DAYS if cut_offs else 0):
            for visit in self._visits(carrier_id, first + offset * _DAY):
                if visit.at >= ready and self.pause(carrier_id, visit.at) is None and has_room(visit):
                    yield visit

    def is_visited_by(self, carrier_id: str) -> bool:
        """Whether a carrier comes at all."""
        return bool(self._cut_offs_of(carrier_id))

    def _visits(self, carrier_id: str, day: date) -> Sequence[HandOver]:
        """A carrier's cut-offs of a day, in order."""
        key = (carrier_id, day)
        known = self._known_visits.get(key)
        if known is None:
            if len(self._known_visits) > _DAYS_KEPT:
                self._known_visits = {}
            minutes = self._cut_offs_of(carrier_id).get(day.isoweekday(), ())
            if minutes and (not self._open(day) or self._is_public_holiday(day)):
                minutes = ()
            visits = [HandOver(day, instant(day, minute, self._point.time_zone), minute) for minute in minutes]
            known = self._known_visits[key] = tuple(sorted(visits, key=_AT))
        return known

    def _cut_offs_of(self, carrier_id: str) -> Mapping[int, Sequence[int]]:
        """By weekday."""
        known = self._cut_offs.get(carrier_id)
        if known is None:
            known = {}
            for collection in self._point.collections:
                if collection.carrier_id == carrier_id:
                    known.setdefault(collection.weekday, []).append(collection.cut_off_minute)
            self._cut_offs[carrier_id] = known
        return known

    def pause(self, carrier_id: str, at: datetime) -> CarrierPause | None:
        """The pause of a carrier that a visit at this instant would fall into."""
        pauses = self._pauses.get(carrier_id)
        if not pauses:
            return None
        return next((pause for pause in pauses if pause.covers(self._point.point_id, at)), None)

    def _is_public_holiday(self, day: date) -> bool:
        return self._is_holiday(day, self._point.country, self._point.subdivision)

    def _open(self, day: date) -> list[tuple[datetime, datetime]]:
        """The opening intervals of a day, merged, in order."""
        known = self._intervals.get(day)
        if known is None:
            if len(self._intervals) > _DAYS_KEPT:
                self._intervals = {}
            known = self._intervals[day] = self._compute_open(day)
        return known

    def _compute_open(self, day: date) -> list[tuple[datetime, datetime]]:
        point = self._point
        if day in point.closed_dates:
            return []
        weekday = day.isoweekday()
        hours = sorted(
            (instant(day, o.opens_minute, point.time_zone), instant(day, o.closes_minute, point.time_zone))
            for o in point.openings
            if o.weekday == weekday
        )
        if not hours or (not point.open_on_public_holidays and self._is_public_holiday(day)):
            return []
        merged: list[tuple[datetime, datetime]] = []
        for begins, ends in hours:
            if ends <= begins:
                continue  # Swallowed by a clock change.
            if merged and begins <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
            else:
                merged.append((begins, ends))
        return merged


class DeliveryCalendar:
    """When a service to one zone delivers what it collected."""

    def __init__(
        self, service: CarrierService, terms: ZoneTerms, time_zone: str, is_holiday_there: Callable[[date], bool]
    ) -> None:
        self._service = service
        self._terms = terms
        self._time_zone = time_zone
        self._is_holiday_there = is_holiday_there
        self._windows: dict[HandOver, Window | None] = {}

    def window(self, hand_over: HandOver) -> Window | None:
        """From the first possible delivery day to the last one; None beyond the horizon."""
        known = self._windows
        if hand_over not in known:
            if len(known) > _DAYS_KEPT:
                known = self._windows = {}
            known[hand_over] = self._compute(hand_over)
        return known[hand_over]

    def local_day(self, at: datetime) -> date:
        """The day of an instant at the destination."""
        return at.astimezone(ZoneInfo(self._time_zone)).date()

    def last_day(self, window: Window) -> date:
        """The last day of a window at the destination; its end is outside, which may be a midnight."""
        return self.local_day(window.end - timedelta(microseconds=1))

    def _compute(self, hand_over: HandOver) -> Window | None:
        first = self._day(hand_over, self._terms.transit_days_min)
        last = self._day(hand_over, self._terms.transit_days_max)
        if first is None or last is None:
            return None
        return Window(
            instant(first, self._service.delivery_from_minute, self._time_zone),
            instant(last, self._service.delivery_until_minute, self._time_zone),
        )

    def _day(self, hand_over: HandOver, transit_days: int) -> date | None:
        """The n-th delivery day after the collection; for 0 the same day if its window is still to come."""
        left = transit_days
        for offset in range(0 if transit_days == 0 else 1, HORIZON_DAYS):
            day = hand_over.day + offset * _DAY
            if day.isoweekday() not in self._service.delivery_weekdays or self._is_holiday_there(day):
                continue
            if transit_days == 0:
                if instant(day, self._service.delivery_from_minute, self._time_zone) >= hand_over.at:
                    return day
                continue
            left -= 1
            if left == 0:
                return day
        return None


class KeptCalendars:
    """Calendars worked out under one set of carriers. A point that changed is another object with another one."""

    def __init__(self, carriers: Sequence[Carrier]) -> None:
        self.carriers = carriers
        self._pauses = {carrier.carrier_id: carrier.pauses for carrier in carriers if carrier.pauses}
        self._points: dict[str, tuple[Point, PointCalendar]] = {}
        self._deliveries: dict[tuple[str, str, str, str, str, str], DeliveryCalendar] = {}

    def of_point(self, point: Point, is_holiday: IsHoliday) -> PointCalendar:
        """Of a point, with the carriers' pauses."""
        known = self._points.get(point.point_id)
        if known is None or known[0] is not point:
            known = self._points[point.point_id] = (point, PointCalendar(point, is_holiday, self._pauses))
        return known[1]

    def of_delivery(
        self,
        carrier_id: str,
        service: CarrierService,
        terms: ZoneTerms,
        time_zone: str,
        region: tuple[str, str],
        is_holiday: IsHoliday,
    ) -> DeliveryCalendar:
        """Of a service to a zone, in a region (country, subdivision) with holidays of its own."""
        key = (carrier_id, service.service_id, terms.zone_id, time_zone, *region)
        known = self._deliveries.get(key)
        if known is None:
            known = self._deliveries[key] = DeliveryCalendar(
                service, terms, time_zone, lambda day: is_holiday(day, *region)
            )
        return known


class Calendars:
    """Keeps calendars from question to question: working them out is most of the work of an easy one.

    Questions may be answered by several threads at once: each holds on to those of its own carriers and points.
    """

    def __init__(self) -> None:
        self._kept = KeptCalendars(())
        self._columns = PointColumns({})

    def columns(self, points: Mapping[str, Point]) -> PointColumns:
        """Points as columns, which are kept like calendars."""
        kept = self._columns
        if kept.by_id is not points:
            kept = self._columns = PointColumns(points)
        return kept

    def under(self, carriers: Sequence[Carrier]) -> KeptCalendars:
        """Those of these carriers; all anew when the carriers are others than before."""
        kept = self._kept
        if kept.carriers is not carriers:
            kept = self._kept = KeptCalendars(carriers)
        return kept
