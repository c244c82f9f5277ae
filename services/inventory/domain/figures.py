"""What a channel may show of an item over all its points, worked out for many items at once (SPEC STK-4).

What the rules make of an item is in `Openings`, without its units: it is worked out once (`Terms.openings`) for
all items that rules cannot tell apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.inventory.domain.buffers import Amount
from services.inventory.domain.catalogue import Purpose

# Whoever does not say what for asks for what can be sold at all.
SALE = frozenset({Purpose.SHIP, Purpose.COLLECT})


@dataclass(frozen=True, slots=True)
class Opening:
    """What a channel may do with an item at a point: for what, and what is kept back.

    `routing_level`: what is kept back beyond that when a point is chosen.
    """

    purposes: frozenset[Purpose]
    level: tuple[Amount, ...]
    routing_level: tuple[Amount, ...] = ()

    def available(self, on_hand: int, free: int) -> int:
        """Units for each of the purposes. Never negative."""
        return max(0, free - self.safety_stock(on_hand))

    def safety_stock(self, on_hand: int) -> int:
        """In units."""
        return max(amount.of(on_hand) for amount in self.level) if self.level else 0

    def routing_buffer(self, on_hand: int) -> int:
        """In units, beyond the safety stock."""
        return max(amount.of(on_hand) for amount in self.routing_level) if self.routing_level else 0


@dataclass(frozen=True, slots=True)
class Openings:
    """Where a channel may take an item, or why nowhere."""

    zero_reason: str = ""
    points: Mapping[str, Opening] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a channel may show of one SKU, over all its points. `available` is what can be shipped or collected."""

    available: int = 0
    ship: int = 0
    collect: int = 0
    show: int = 0
    zero_reason: str = ""


# A point's units of one SKU: its id, what is on hand, what nobody holds.
Units = tuple[str, int, int]


class Stock(NamedTuple):
    """Where a channel may take an item, and what there is of it."""

    openings: Openings
    units: Iterable[Units]

    def available(self) -> dict[str, int]:
        """Units by point, clamped at zero there, so that no point eats another's stock."""
        points = self.openings.points
        return {
            point_id: points[point_id].available(on_hand, free)
            for point_id, on_hand, free in self.units
            if free > 0 and point_id in points
        }


def figures(openings: Openings, units: Iterable[Units]) -> Figures:
    """The figures of one SKU."""
    return _figures(openings, Stock(openings, units).available())


def bundle_figures(openings: Openings, parts: Iterable[tuple[int, Stock]]) -> Figures:
    """The figures of a bundle: at each point what every part allows, so many units of each in one bundle."""
    by_part = [(units, stock.available()) for units, stock in parts]
    available = {
        point_id: min(found.get(point_id, 0) // units for units, found in by_part) for point_id in openings.points
    }
    return _figures(openings, available)


def _figures(openings: Openings, units: Mapping[str, int]) -> Figures:
    available = ship = collect = show = 0
    for point_id, found in units.items():
        purposes = openings.points[point_id].purposes
        if purposes & SALE:
            available += found
        if Purpose.SHIP in purposes:
            ship += found
        if Purpose.COLLECT in purposes:
            collect += found
        if Purpose.SHOW in purposes:
            show += found
    return Figures(available, ship, collect, show, openings.zero_reason)
