"""What is kept of a decision beside its question, stock and plans, so that it can be told and made again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache

from services.promise.domain.geography import distance_kilometres
from services.promise.domain.modes import TERMS
from services.promise.domain.network import NO_FACTS, PlanRequest, Point, StockPosition
from services.promise.domain.plans import DeliveryOption, KnownPoint, Outcome, Record, SeenTerms
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot, place_of

# Points that are kept beside those of the plan: the nearest. The reasons of all the others are kept anyway.
NEAREST = 50
_POINTS_REMEMBERED = 20_000


def record(
    snapshot: Snapshot,
    request: PlanRequest,
    ruleset: Ruleset,
    outcome: Outcome,
    *,
    terms_version: int,
    quoted: DeliveryOption | None = None,
    quote_problem: str = "",
) -> Record:
    """Of a decision that was made of these."""
    place = place_of(snapshot, request)
    zones = [] if isinstance(place, str) else snapshot.geography.zones(place.destination)
    return Record(
        inputs_hash=inputs_hash(
            snapshot,
            request,
            ruleset,
            terms_version=terms_version,
            quoted=quoted,
            quote_problem=quote_problem,
        ),
        terms_version=terms_version,
        time_zone=zones[0].time_zone if zones else "",
        points=tuple(_points(snapshot, request, outcome)),
        terms=tuple(_terms(snapshot, request, outcome)),
        quoted=quoted,
        quote_problem=quote_problem,
        capacity=snapshot.capacity.seen,
    )


def inputs_hash(
    snapshot: Snapshot,
    request: PlanRequest,
    ruleset: Ruleset,
    *,
    terms_version: int,
    quoted: DeliveryOption | None = None,
    quote_problem: str = "",
) -> str:
    """SHA-256 of everything that decides: question, stock of its articles, points, terms, ruleset, capacity met.

    How old the stock was does not decide, and is left out. Public holidays are the library's, and not in it.
    """
    stock, channel_id = snapshot.stock, request.channel_id
    digest = hashlib.sha256()
    for part in (request, ruleset, terms_version, quoted, quote_problem):
        digest.update(_canonical(part).encode() + b"\n")
    for point_id in sorted(stock.points):
        digest.update(_of_point(stock.points[point_id]))
    for sku in sorted({line.sku for line in request.lines}):
        item = stock.items.get(sku)
        digest.update(_canonical(item).encode() + b"\n")
        by_point = stock.positions.get(sku, {})
        for point_id in sorted(by_point):
            digest.update(_of_position(point_id, by_point[point_id], channel_id).encode())
        if request.may_wait and (coming := stock.coming.get(sku)):
            digest.update(_canonical(coming).encode())
    if seen := snapshot.capacity.seen:
        digest.update(_canonical(seen).encode())
    return digest.hexdigest()


@lru_cache(maxsize=_POINTS_REMEMBERED)
def _of_point(point: Point) -> bytes:
    """Points are many, and rarely change."""
    return hashlib.sha256(_canonical(point).encode()).digest()


def _of_position(point_id: str, position: StockPosition, channel_id: str) -> str:
    safety_stock = position.safety_stock.get(channel_id)
    buffer = position.routing_buffers.get(channel_id, 0)
    facts = "" if position.facts == NO_FACTS else _canonical(position.facts)
    purposes = ",".join(sorted(position.purposes.get(channel_id, ())))
    return f"{point_id}\0{position.free}\0{safety_stock}\0{buffer}\0{facts}\0{purposes}\n"


def _canonical(value: object) -> str:
    """The same text for equal values, whatever process writes it: sets and mappings are sorted."""
    if is_dataclass(value):
        inner = (f"{field.name}={_canonical(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__name__}({','.join(inner)})"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{_canonical(key)}:{_canonical(one)}" for key, one in value.items())) + "}"
    if isinstance(value, (frozenset, set)):
        return "{" + ",".join(sorted(map(_canonical, value))) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return repr(value)


def _points(snapshot: Snapshot, request: PlanRequest, outcome: Outcome) -> Iterator[KnownPoint]:
    """The points of the first plan and the nearest others, nearest first."""
    place = place_of(snapshot, request)
    if isinstance(place, str):
        return
    area = place.area
    used = {leg.point_id for leg in outcome.plans[0].shipments} if outcome.plans else set()
    able = _able(snapshot, request, outcome)
    away = sorted(
        (distance_kilometres(point.position, area.position), point_id)
        for point_id, point in snapshot.stock.points.items()
    )
    others = 0
    for kilometres, point_id in away:
        if point_id not in used:
            others += 1
            if others > NEAREST:
                continue
        point = snapshot.stock.points[point_id]
        yield KnownPoint(point_id, point.type, point.time_zone, kilometres, point_id in able)


def _able(snapshot: Snapshot, request: PlanRequest, outcome: Outcome) -> frozenset[str]:
    """The points that the engine could choose: not dropped, and some service of the mode not dropped there."""
    services = sum(service.mode is request.mode for carrier in snapshot.carriers for service in carrier.services)
    if not TERMS[request.mode].by_carrier:
        services = 1  # The counter.
    dropped: dict[str, int] = {}
    for rejected in outcome.rejected:
        gone = 1 if rejected.service_id else services
        dropped[rejected.point_id] = dropped.get(rejected.point_id, 0) + gone
    with_stock = _with_stock(outcome)
    return frozenset(point_id for point_id in with_stock if dropped.get(point_id, 0) < services)


def _with_stock(outcome: Outcome) -> Iterable[str]:
    there = {seen.point_id for seen in outcome.seen if seen.available}
    return there.union(one.point_id for one in outcome.coming)


def _terms(snapshot: Snapshot, request: PlanRequest, outcome: Outcome) -> Iterator[SeenTerms]:
    for seen in outcome.seen:
        position = snapshot.stock.positions[seen.sku][seen.point_id]
        buffer = position.routing_buffers.get(request.channel_id, 0)
        if buffer or position.facts != NO_FACTS:
            yield SeenTerms(seen.sku, seen.point_id, buffer, position.facts)
