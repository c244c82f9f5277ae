"""The channel image (SPEC STK-4, STK-5): what a channel may show and take at a point.

At one point: max(0, on_hand - reserved - unavailable - safety stock), and 0 when the point is not activated for
the channel, the item is excluded or unknown. The figure shown and the figure that a reserve is judged by both
come from `Terms.available`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.inventory.domain.catalogue import Exclusion, PointType, SafetyStockRule
from services.inventory.domain.ledger import Balance

UNKNOWN_ITEM = "UNKNOWN_ITEM"
EXCLUDED = "EXCLUDED"


@dataclass(frozen=True, slots=True)
class SafetyStock:
    """Units kept back, and the rule that says so in words (empty for none)."""

    quantity: int = 0
    rule: str = ""


@dataclass(frozen=True, slots=True)
class PointAvailability:
    """How one point adds to the figure."""

    point_id: str
    on_hand: int
    reserved: int
    unavailable: int
    safety_stock: int
    available: int
    safety_stock_rule: str


@dataclass(frozen=True, slots=True)
class Availability:
    """The figure of one SKU on a channel; `zero_reason` says why it is 0 whatever the stock."""

    sku: str
    available_now: int
    zero_reason: str = ""
    points: tuple[PointAvailability, ...] = ()


def categories(path: Sequence[str]) -> tuple[str, ...]:
    """What a rule's category may say to mean an item of this path: any element, or a path from the root."""
    prefixes = ("/".join(path[: end + 1]) for end in range(len(path)))
    return tuple(dict.fromkeys((*path, *prefixes)))


class SafetyStockRules:
    """The rules of one channel, ready to be asked many times."""

    def __init__(self, rules: Sequence[SafetyStockRule]) -> None:
        self._quantities: dict[tuple[str, str, str, str], int] = {}
        self._skus = frozenset(rule.sku for rule in rules if rule.sku)
        self._answers: dict[tuple[str, tuple[str, ...], str], SafetyStock] = {}
        for rule in rules:
            key = (rule.sku, rule.category, rule.point_id, rule.point_type or "")
            self._quantities[key] = max(rule.quantity, self._quantities.get(key, 0))

    def at(self, sku: str, path: tuple[str, ...], point_id: str, point_type: PointType) -> SafetyStock:
        """The units to keep back of an item at a point: the most specific level that has a rule."""
        if not self._quantities:
            return SafetyStock()
        # Items without a rule of their own share the answer of their category.
        key = (sku if sku in self._skus else "", path, point_id)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._decide(sku, path, point_id, point_type)
        return answer

    def _decide(self, sku: str, path: tuple[str, ...], point_id: str, point_type: PointType) -> SafetyStock:
        names = categories(path)
        levels = (
            [((sku, "", point_id, ""), f"item {sku} at point {point_id}")],
            [((sku, "", "", ""), f"item {sku}")],
            [(("", name, point_id, ""), f"category {name} at point {point_id}") for name in names],
            [(("", name, "", ""), f"category {name}") for name in names],
            [(("", "", point_id, ""), f"point {point_id}")],
            [(("", "", "", point_type.value), f"point type {point_type.value}")],
            [(("", "", "", ""), "channel")],
        )
        for level in levels:
            found = [(self._quantities[key], words) for key, words in level if key in self._quantities]
            if found:
                quantity, words = max(found, key=lambda pair: pair[0])
                return SafetyStock(quantity, f"{words}: {quantity}")
        return SafetyStock()


@dataclass(frozen=True)
class Terms:
    """A channel's rules about the items and points that a question touches.

    `items` are the known SKUs with their category paths; `points` are those activated, with their types.
    """

    channel_id: str
    items: Mapping[str, tuple[str, ...]]
    points: Mapping[str, PointType]
    exclusions: Sequence[Exclusion]
    rules: SafetyStockRules

    def zero_reason(self, sku: str) -> str:
        """Why the item is not on the channel at all; empty if it is."""
        path = self.items.get(sku)
        if path is None:
            return UNKNOWN_ITEM
        if not self.exclusions:
            return ""
        names = categories(path)
        for exclusion in self.exclusions:
            if exclusion.sku == sku or (exclusion.category and exclusion.category in names):
                return f"{EXCLUDED}: {exclusion.reason}" if exclusion.reason else EXCLUDED
        return ""

    def may_sell(self, sku: str, point_id: str) -> bool:
        """Whether the channel may take the item from the point, units aside."""
        return point_id in self.points and not self.zero_reason(sku)

    def safety_stock(self, sku: str, point_id: str) -> SafetyStock:
        """Of a known item at an activated point."""
        return self.rules.at(sku, self.items[sku], point_id, self.points[point_id])

    def available(self, balance: Balance) -> int:
        """What the channel may take here now. Never negative."""
        if not self.may_sell(balance.sku, balance.point_id):
            return 0
        return max(0, balance.free - self.safety_stock(balance.sku, balance.point_id).quantity)


def availability(terms: Terms, sku: str, balances: Sequence[Balance], *, explain: bool) -> Availability:
    """The figure of one SKU: clamped at zero point by point, so that no point eats another's stock."""
    zero_reason = terms.zero_reason(sku)
    if zero_reason:
        return Availability(sku, 0, zero_reason)
    total = 0
    points: list[PointAvailability] = []
    for balance in balances:
        available = terms.available(balance)
        total += available
        if explain and balance.point_id in terms.points:
            kept = terms.safety_stock(sku, balance.point_id)
            points.append(
                PointAvailability(
                    point_id=balance.point_id,
                    on_hand=balance.on_hand,
                    reserved=balance.reserved,
                    unavailable=balance.unavailable,
                    safety_stock=kept.quantity,
                    available=available,
                    safety_stock_rule=kept.rule,
                )
            )
    return Availability(sku, total, "", tuple(points))
