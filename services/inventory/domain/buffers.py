"""Units kept back from a channel: one precedence for every kind of buffer (SPEC STK-5).

Safety stock lowers the figure that is shown and taken; a routing buffer only counts when a point is chosen.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.inventory.domain.catalogue import BufferRule, PointType

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """Units kept back, and the rule that says so in words (empty for none)."""

    quantity: int = 0
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """What one rule keeps back: units, or a share of what is on hand."""

    quantity: int
    percent: int
    words: str

    def of(self, on_hand: int) -> int:
        """In units."""
        # Rounded up: a share that is kept back for its unreliability is never less than was asked for.
        return -(-on_hand * self.percent // 100) if self.percent else self.quantity

    def explained(self, on_hand: int) -> Kept:
        """With the rule in words."""
        units = self.of(on_hand)
        share = f"{self.percent} % of {on_hand}: " if self.percent else ""
        return Kept(units, f"{self.words}: {share}{units}")


def categories(path: Sequence[str]) -> tuple[str, ...]:
    """What a rule's category may say to mean an item of this path: any element, or a path from the root."""
    prefixes = ("/".join(path[: end + 1]) for end in range(len(path)))
    return tuple(dict.fromkeys((*path, *prefixes)))


class BufferRules:
    """The rules of one kind on one channel, ready to be asked many times."""

    def __init__(self, rules: Sequence[BufferRule]) -> None:
        self._rules: dict[_Key, list[BufferRule]] = defaultdict(list)
        self._skus = frozenset(rule.sku for rule in rules if rule.sku)
        self._levels: dict[tuple[str, tuple[str, ...], str], tuple[Amount, ...]] = {}
        for rule in rules:
            self._rules[rule.sku, rule.category, rule.point_id, rule.point_type or ""].append(rule)

    def names(self, sku: str) -> bool:
        """Whether the item has a rule of its own."""
        return sku in self._skus

    def at(self, sku: str, path: tuple[str, ...], point_id: str, point_type: PointType, on_hand: int) -> Kept:
        """What is kept back of an item at a point: of the level that decides, the larger."""
        level = self.level(sku, path, point_id, point_type)
        found = (amount.explained(on_hand) for amount in level)
        return max(found, key=lambda kept: kept.quantity, default=Kept())

    def level(self, sku: str, path: tuple[str, ...], point_id: str, point_type: PointType) -> tuple[Amount, ...]:
        """The amounts of the most specific level that has a rule; none where nothing is kept back."""
        if not self._rules:
            return ()
        # Items without a rule of their own share the level of their category.
        key = (sku if sku in self._skus else "", path, point_id)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = self._decide(sku, path, point_id, point_type)
        return level

    def _decide(self, sku: str, path: tuple[str, ...], point_id: str, point_type: PointType) -> tuple[Amount, ...]:
        names = categories(path)
        levels: tuple[list[tuple[_Key, str]], ...] = (
            [((sku, "", point_id, ""), f"item {sku} at point {point_id}")],
            [((sku, "", "", ""), f"item {sku}")],
            [(("", name, point_id, ""), f"category {name} at point {point_id}") for name in names],
            [(("", name, "", ""), f"category {name}") for name in names],
            [(("", "", point_id, ""), f"point {point_id}")],
            [(("", "", "", point_type.value), f"point type {point_type.value}")],
            [(("", "", "", ""), "channel")],
        )
        for level in levels:
            found = tuple(
                Amount(rule.quantity, rule.percent, words)
                for key, words in level
                for rule in self._rules.get(key, ())
            )
            if found:
                return found
        return ()
