"""What the stock feed tells of stock to come (SPEC STK-9): what each channel may promise of it, and from when.

A position is told whole: all deliveries of which some channel may promise a unit, or none. `supply.prospects` says
what that is, as for `GetFutureAvailability`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain import supply
from services.inventory.domain.catalogue import Item, Purpose
from services.inventory.domain.future_holds import SourceKind
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Position
from services.inventory.domain.preorder import released_on
from services.inventory.domain.supply import ExpectedDelivery
from services.inventory.store import catalogue, coming, future_holds, image
from services.inventory.store import supply as deliveries


@dataclass(frozen=True, slots=True)
class ComingUnits:
    """What a channel may promise of a delivery, from when on it can count on it, and what for."""

    channel_id: str
    units: int
    due_at: datetime
    purposes: tuple[Purpose, ...]


@dataclass(frozen=True, slots=True)
class ComingDelivery:
    """A delivery of which some channel may promise a unit."""

    delivery_id: str
    channels: tuple[ComingUnits, ...]


@dataclass(frozen=True, slots=True)
class ComingStock:
    """All that may be promised of what comes to a position, earliest first: instead of what was told before."""

    sku: str
    point_id: str
    deliveries: tuple[ComingDelivery, ...] = ()


async def read(tx: AsyncConnection, positions: Sequence[Position], now: datetime) -> tuple[ComingStock, ...]:
    """What comes to each of these positions, as it stands."""
    expected = await coming.expected_at(tx, positions) if positions else []
    by_position: dict[Position, list[ComingDelivery]] = defaultdict(list)
    if expected:
        # A turn that another process told, by a clock ahead of ours, is a turn.
        told = (await catalogue.told_until(tx), await coming.told_until(tx) or now)
        for delivery, channels in await _promised(tx, expected, max(now, *told)):
            by_position[delivery.position].append(ComingDelivery(delivery.delivery_id, channels))
    return tuple(ComingStock(*one, tuple(by_position[one])) for one in positions)


async def _promised(
    tx: AsyncConnection, expected: Sequence[ExpectedDelivery], now: datetime
) -> list[tuple[ExpectedDelivery, tuple[ComingUnits, ...]]]:
    """The earliest first; without those of which no channel may promise anything."""
    skus = sorted({one.sku for one in expected})
    points = sorted({one.point_id for one in expected})
    terms = await image.terms(tx, None, skus, points, now=now)
    held = await future_holds.held(tx, SourceKind.DELIVERY, [one.delivery_id for one in expected])
    zones = await deliveries.time_zones(tx, points)
    today = {point_id: supply.day_at(zone, now) for point_id, zone in zones.items()}
    of_sku: dict[str, list[ExpectedDelivery]] = defaultdict(list)
    for one in expected:
        of_sku[one.sku].append(one)
    channels: dict[str, list[ComingUnits]] = defaultdict(list)
    for channel_id, rules in (await coming.all_rules(tx)).items():
        asked = replace(terms[channel_id], as_told=True)
        for some in of_sku.values():
            for found in supply.prospects(asked, rules, some, held, today):
                if found.available:
                    delivery, point_id = found.delivery, found.delivery.point_id
                    due = supply.due_at(delivery, rules, today[point_id], zones[point_id])
                    told = ComingUnits(channel_id, found.available, due, _purposes(asked, point_id))
                    channels[delivery.delivery_id].append(told)
    ordered = sorted(expected, key=lambda one: (one.until_date, one.from_date, one.delivery_id))
    return [(one, tuple(channels[one.delivery_id])) for one in ordered if one.delivery_id in channels]


def _purposes(terms: Terms, point_id: str) -> tuple[Purpose, ...]:
    return tuple(sorted(terms.points[point_id].purposes))


async def mark_turns(tx: AsyncConnection, now: datetime) -> bool:
    """Marks what days that began since the last time make of stock to come; whether any did."""
    told = await coming.told_until(tx)
    days = [
        (zone, supply.day_at(zone, told) if told else date.min, supply.day_at(zone, now))
        for zone in await deliveries.all_time_zones(tx)
    ]
    days = [(zone, before, today) for zone, before, today in days if before < today]
    if days:
        await coming.mark_turned(tx, days)
        await coming.tell_until(tx, now)
    return bool(days)


async def released(tx: AsyncConnection, items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with the dates on which they really are released: a bundle with the last of its parts."""
    releases: Mapping[str, str] = {one.sku: one.release_date for one in items}
    unread = sorted({part.sku for one in items for part in one.parts} - releases.keys())
    if unread:
        releases = {**releases, **{one.sku: one.release_date for one in await catalogue.items(tx, unread)}}
    return tuple(
        replace(one, release_date=released_on(one.sku, one.parts, releases)) if one.parts else one for one in items
    )
