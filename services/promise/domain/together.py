"""Articles that must travel together (RTE-6) are searched for as one: a point has all of them, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.promise.domain.network import Item


@dataclass(frozen=True, slots=True)
class Article:
    """What the search counts as one: units of each SKU in one piece of it, and how many pieces are wanted.

    `is_single`: a piece is one unit of the SKU `name`.
    """

    name: str
    units_each: Mapping[str, int]
    wanted: int
    is_single: bool

    def pieces(self, units: Mapping[str, int]) -> int:
        """How many of it so many units of each SKU make."""
        if self.is_single:
            found = units.get(self.name, 0)
            return found if found > 0 else 0
        return min(max(0, units.get(sku, 0)) // each for sku, each in self.units_each.items())


def articles(items: Mapping[str, Item], wanted: Mapping[str, int], tags: Sequence[str]) -> list[Article]:
    """All units of the SKUs that share one of the tags are one article; every other SKU is one for itself."""
    group_of: dict[str, list[str]] = {}
    for tag in tags:
        tagged = [sku for sku in wanted if tag in items[sku].tags]
        merged = list(dict.fromkeys(sku for one in tagged for sku in group_of.get(one, [one])))
        group_of.update((sku, merged) for sku in merged)
    found: list[Article] = []
    for sku, units in wanted.items():
        group = group_of.get(sku)
        if group is None:
            found.append(Article(sku, {sku: 1}, units, is_single=True))
        elif group[0] == sku:
            found.append(Article(sku, {one: wanted[one] for one in group}, 1, is_single=False))
    return found
