"""A way to serve a demand: legs with what each of them takes; and which of two ways ranks higher."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.promise.domain.candidates import Candidate
from services.promise.domain.network import Window
from services.promise.domain.packing import Packed


@dataclass(frozen=True, slots=True)
class Found:
    """A set of legs with the units of each (by leg, by SKU)."""

    legs: tuple[Candidate, ...]
    shares: tuple[tuple[int, ...], ...]
    cost: int
    window: Window

    @property
    def order_before(self) -> datetime:
        """The last instant at which the legs are all in time for the window."""
        return min(leg.order_before(self.window) for leg in self.legs)

    @property
    def ids(self) -> list[tuple[str, str, str, int]]:
        """Of its legs, sorted."""
        return sorted(leg.id for leg in self.legs)


def overhead_of(candidates: Sequence[Candidate], split_cost: int) -> int:
    """What a set costs beside parcels and units."""
    fixed = sum(candidate.fixed_cost for candidate in candidates) + (len(candidates) - 1) * split_cost
    return fixed + max(candidate.lateness_cost for candidate in candidates)


def found_of(candidates: Sequence[Candidate], packed: Packed, overhead: int) -> Found:
    """A set with its shares. `overhead`: what it costs beside parcels and units."""
    shares = tuple(map(tuple, packed.shares.tolist()))
    return Found(tuple(candidates), shares, overhead + packed.cost, latest(candidates))


def latest(candidates: Sequence[Candidate]) -> Window:
    """The window of the one that arrives last."""
    return max((candidate.window for candidate in candidates), key=lambda window: window.rank)


def precedes(one: Found, other: Found) -> bool:
    """Whether a plan ranks higher; the costly last comparison is made only on a tie."""
    if one.cost != other.cost:
        return one.cost < other.cost
    if one.window.rank != other.window.rank:
        return one.window.rank < other.window.rank
    if one.order_before != other.order_before:
        return one.order_before > other.order_before
    return (len(one.legs), one.ids) < (len(other.legs), other.ids)
