"""Days on which a decision found no room, at points and with carriers: in sentences."""

from collections.abc import Iterator, Sequence
from datetime import date

from services.promise.domain import wording as w
from services.promise.domain.capacity import ALL_DAY, Counter, SeenCapacity
from services.promise.domain.telling import POINTS_TOLD, Sentence, Told

DAYS_TOLD = 3


def full(told: Told, point_id: str = "") -> Iterator[Sentence]:
    """Of all points that had a full day, nearest first, or of one of them."""
    groups: dict[tuple[str, str, str, int], list[SeenCapacity]] = {}
    for seen in told.record.capacity:
        counter = seen.counter
        if seen.taken >= seen.most and point_id in ("", counter.point_id):
            whose = (counter.point_id, counter.carrier_id, counter.service_id, counter.cut_off_minute)
            groups.setdefault(whose, []).append(seen)
    away = {point.point_id: point.distance_kilometres for point in told.record.points}
    ordered = sorted(groups, key=lambda whose: (away.get(whose[0], float("inf")), whose))
    for whose in ordered[:POINTS_TOLD]:
        yield _full(told, groups[whose], away)
    if (more := len(ordered) - POINTS_TOLD) > 0:
        yield Sentence("MORE_FULL", f"And {w.counted(more, 'more limit')} without room.", {"limits": str(more)})


def _full(told: Told, seen: Sequence[SeenCapacity], away: dict[str, float]) -> Sentence:
    counter = seen[0].counter
    known = counter.point_id in away
    where = told.name(counter.point_id, away[counter.point_id]) if known else counter.point_id
    what = "parcels" if counter.carrier_id else "orders"
    days = [f"{_day(one.counter.day)} ({one.taken} of {one.most} {what})" for one in seen]
    facts = {
        "point_id": counter.point_id,
        "carrier_id": counter.carrier_id,
        "service_id": counter.service_id,
        "days": " ".join(one.counter.day.isoformat() for one in seen[:DAYS_TOLD]),
    }
    if not counter.carrier_id:
        return Sentence("POINT_FULL", f"{where} had no room on {w.listed(days, DAYS_TOLD)}.", facts)
    text = f"{_who(counter)} took no more from {where} on {w.listed(days, DAYS_TOLD)}."
    return Sentence("COLLECTION_FULL", text, facts)


def _who(counter: Counter) -> str:
    who = f"{counter.carrier_id} {counter.service_id}".rstrip()
    minute = counter.cut_off_minute
    return who if minute == ALL_DAY else f"{who} at {minute // 60:02}:{minute % 60:02}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"
