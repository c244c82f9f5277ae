"""What a channel may not sell, of which items, from where and when (SPEC STK-4, STK-17)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from services.inventory.domain.buffers import categories
from services.inventory.domain.catalogue import Exclusion, ItemTerms, PointTerms

EXCLUDED = "EXCLUDED"


class Exclusions:
    """The exclusions of one channel. All that an exclusion names must fit; what it leaves open fits anything."""

    def __init__(self, exclusions: Sequence[Exclusion]) -> None:
        self._by_sku: dict[str, list[Exclusion]] = defaultdict(list)
        self._by_category: dict[str, list[Exclusion]] = defaultdict(list)
        self._others: list[Exclusion] = []
        self._of: dict[str, tuple[Exclusion, ...]] = {}
        for one in exclusions:
            if one.sku:
                self._by_sku[one.sku].append(one)
            elif one.category:
                self._by_category[one.category].append(one)
            else:
                self._others.append(one)

    def names(self, sku: str) -> bool:
        """Whether an exclusion is of this item by its SKU."""
        return sku in self._by_sku

    def everywhere(self, sku: str, item: ItemTerms, now: datetime) -> str:
        """Why the item is off the whole channel now; empty if it is not."""
        return _first(one for one in self._about(sku, item) if one.is_everywhere and one.in_force(now))

    def at(self, sku: str, item: ItemTerms, point_id: str, point: PointTerms, now: datetime) -> str:
        """Why the item may not be sold from the point now, whatever of the exclusion says so; empty if it may."""
        return _first(
            one
            for one in self._about(sku, item)
            if one.point_id in ("", point_id) and one.point_type in (None, point.type) and one.in_force(now)
        )

    def _about(self, sku: str, item: ItemTerms) -> tuple[Exclusion, ...]:
        found = self._of.get(sku)
        if found is None:
            found = self._of[sku] = tuple(self._find(sku, item))
        return found

    def _find(self, sku: str, item: ItemTerms) -> Iterator[Exclusion]:
        names = categories(item.path)
        named = [*self._by_sku.get(sku, ()), *(one for name in names for one in self._by_category.get(name, ()))]
        for one in (*named, *self._others):
            if (
                one.category in ("", *names)
                and one.brand in ("", item.brand)
                and (not one.tag or one.tag in item.tags)
            ):
                yield one


def _first(found: Iterable[Exclusion]) -> str:
    for one in found:
        return f"{EXCLUDED}: {one.reason}" if one.reason else EXCLUDED
    return ""
