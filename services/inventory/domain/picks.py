"""How often a point finds what it is asked to pick (SPEC STK-15): picks as they happen, and rates of them.

Each unit issued from a hold was found; each unit that a short pick newly declares was missed. A unit that a count
or a declaration had known to be missing is no miss of the pick: nobody could have found it. (`holds.report_short`
only gives such units back, so what a pick missed is exactly what its movement declares.)
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from services.inventory.domain.ledger import Book, Position

WINDOW_DAYS = 90
MAX_WINDOW_DAYS = 366
# So many asked units weigh as much as what is known without them.
PRIOR_UNITS = 20
WHOLE_BASIS_POINTS = 10_000


class Depth(StrEnum):
    """How many units the books had where one was picked: the last one is hard to find."""

    ONE = "one"
    TWO = "two"
    THREE_TO_FIVE = "three_to_five"
    SIX_OR_MORE = "six_or_more"


# The least units of each depth, in order.
LEAST_UNITS: Mapping[Depth, int] = {Depth.ONE: 1, Depth.TWO: 2, Depth.THREE_TO_FIVE: 3, Depth.SIX_OR_MORE: 6}


@dataclass(frozen=True, slots=True)
class Pick:
    """Units of a SKU found or missed at a point where the books had `on_hand`."""

    sku: str
    point_id: str
    on_hand: int
    found: int = 0
    missed: int = 0


def picked(book: Book) -> tuple[Pick, ...]:
    """The picks that issues or short picks wrote into a book; `on_hand` is as it stood before all of them."""
    left = Counter[Position]()
    for movement in book.movements:
        left[movement.position] -= movement.on_hand
    return tuple(
        Pick(
            *movement.position,
            on_hand=book.balance(movement.position).on_hand + left[movement.position],
            found=-movement.on_hand,
            missed=movement.unavailable,
        )
        for movement in book.movements
        if movement.on_hand or movement.unavailable
    )


class Tally(NamedTuple):
    """Units found, and asked for."""

    found: int = 0
    asked: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.found + other.found, self.asked + other.asked)


@dataclass(frozen=True, slots=True)
class Picked:
    """What was picked at a point at a depth: of the category that is asked about, and of all articles."""

    point_id: str
    depth: Depth
    of_category: Tally
    of_all: Tally


@dataclass(frozen=True, slots=True)
class FindRate:
    """How often a point finds what is asked for at a depth; no rate when nobody picked anything anywhere."""

    point_id: str
    depth: Depth
    tally: Tally
    basis_points: int | None


def shrunk(tally: Tally, prior: Fraction | None) -> Fraction | None:
    """(found + PRIOR_UNITS * prior) / (asked + PRIOR_UNITS): the share found, leaning on what is known without it.

    Exactly the prior when nothing was asked, and the nearer to the raw share the more was. Without a prior it is
    the raw share, or None when nothing was asked.
    """
    if prior is None:
        return Fraction(tally.found, tally.asked) if tally.asked else None
    return (tally.found + PRIOR_UNITS * prior) / (tally.asked + PRIOR_UNITS)


def find_rates(
    picked: Sequence[Picked], point_ids: Iterable[str], depths: Iterable[Depth], *, by_category: bool
) -> list[FindRate]:
    """The rates of these points at these depths, in their order.

    A rate leans on the next wider one, four deep: of the category at the depth at the point, of the depth at the
    point, of the point, of the network. Asked about no category, the first is left out.
    """
    at_depth = {(one.point_id, one.depth): one for one in picked}
    network, at_point = Tally(), dict[str, Tally]()
    for one in picked:
        network = network.plus(one.of_all)
        at_point[one.point_id] = at_point.get(one.point_id, Tally()).plus(one.of_all)
    of_network, wanted = shrunk(network, None), tuple(depths)
    found: list[FindRate] = []
    for point_id in point_ids:
        of_point = shrunk(at_point.get(point_id, Tally()), of_network)
        for depth in wanted:
            one = at_depth.get((point_id, depth)) or Picked(point_id, depth, Tally(), Tally())
            rate = shrunk(one.of_all, of_point)
            if by_category:
                rate = shrunk(one.of_category, rate)
            found.append(FindRate(point_id, depth, one.of_category, _basis_points(rate)))
    return found


@dataclass(frozen=True, slots=True)
class RateRow:
    """The rates of a point for a category, one of each depth, in order.

    An empty category is that of all articles, an empty point that of all points.
    """

    category: str
    point_id: str
    basis_points: tuple[int, ...]


def rate_table(picked: Iterable[tuple[str, str, Depth, Tally]]) -> tuple[RateRow, ...]:
    """Every rate that differs from the next wider one, of what was picked: category path, point, depth, tally.

    A category stands here with the points that picked of it, all articles with the points that picked. Who is not
    here has the rates of the next wider row: of all articles at the point, then of the network. No row when nobody
    picked anything. The rates are those of `find_rates`, of paths from the root.
    """
    counted: dict[tuple[str, str], dict[Depth, Tally]] = {}
    network = Tally()
    for path, point_id, depth, tally in picked:
        network = network.plus(tally)
        names = path.split("/") if path else []
        for category in ("", *("/".join(names[:n]) for n in range(1, len(names) + 1))):
            at = counted.setdefault((category, point_id), {})
            at[depth] = at.get(depth, Tally()).plus(tally)
    of_network = shrunk(network, None)
    if of_network is None:
        return ()
    at_point: dict[str, dict[Depth, Fraction | None]] = {}
    rows = [RateRow("", "", _row(dict.fromkeys(Depth, of_network)))]
    # All articles sort before any category, so that a category finds its point there.
    for (category, point_id), tallies in sorted(counted.items(), key=lambda one: one[0]):
        if not category:
            of_point = shrunk(reduce(Tally.plus, tallies.values()), of_network)
            wider: Mapping[Depth, Fraction | None] = dict.fromkeys(Depth, of_point)
        else:
            wider = at_point[point_id]
        rates = {depth: shrunk(tallies.get(depth, Tally()), wider[depth]) for depth in Depth}
        if not category:
            at_point[point_id] = rates
        rows.append(RateRow(category, point_id, _row(rates)))
    return tuple(rows)


def _row(rates: Mapping[Depth, Fraction | None]) -> tuple[int, ...]:
    return tuple(_basis_points(rates[depth]) or 0 for depth in Depth)


def _basis_points(rate: Fraction | None) -> int | None:
    """Rounded half up."""
    return None if rate is None else int(rate * WHOLE_BASIS_POINTS + Fraction(1, 2))
