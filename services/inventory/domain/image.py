"""The channel image (SPEC STK-4): what a channel may show and take at a point.

At one point: max(0, on_hand - reserved - unavailable - safety stock), and 0 where the point is not activated for
the purpose, does not carry the brand, or the item is excluded or unknown. The figure shown and the figure that a
reserve is judged by both come from `Terms.available`. Of a bundle there is what every part allows: what bars a
part bars the bundle, and what is kept back of a part is not sold in a bundle, so that no way leads around a rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.inventory.domain.buffers import BufferRules, Kept
from services.inventory.domain.bundles import Parts, spread
from services.inventory.domain.catalogue import ItemTerms, PointTerms, Purpose
from services.inventory.domain.exclusions import Exclusions
from services.inventory.domain.figures import SALE, Opening, Openings
from services.inventory.domain.ledger import Balance, Position
from services.inventory.domain.pauses import Pauses

UNKNOWN_ITEM = "UNKNOWN_ITEM"
BRAND_NOT_SOLD = "BRAND_NOT_SOLD"
BRAND_NOT_CARRIED = "BRAND_NOT_CARRIED"
NOT_ACTIVATED = "NOT_ACTIVATED"


@dataclass(frozen=True)
class Terms:
    """A channel's rules about the items and points that a question touches, judged at `now`.

    `items` are the known SKUs, `points` those activated for anything. `brands`: what the channel sells; empty
    means all. `as_told`: pauses count as the replicas were told of them, whatever the clock says.
    """

    channel_id: str
    brands: frozenset[str]
    items: Mapping[str, ItemTerms]
    points: Mapping[str, PointTerms]
    exclusions: Exclusions
    buffers: BufferRules
    routing_buffers: BufferRules
    now: datetime
    pauses: Pauses = field(default_factory=Pauses)
    as_told: bool = False

    def at(self, now: datetime) -> "Terms":
        """The same rules at another instant."""
        return self if now == self.now else replace(self, now=now)

    def zero_reason(self, sku: str) -> str:
        """Why the item is not on the channel at all; empty if it is."""
        item = self.items.get(sku)
        if item is None:
            return UNKNOWN_ITEM
        if self.brands and item.brand not in self.brands:
            return BRAND_NOT_SOLD
        paused = self.pauses.reason_everywhere(sku, self.points, self.channel_id, self._paused_at)
        return paused or self.exclusions.everywhere(sku, item, self.now) or _of_parts(item.parts, self.zero_reason)

    def barred(self, sku: str, point_id: str, purpose: Purpose | None = None) -> str:
        """Why the channel may take nothing of the item at the point, units aside; empty if it may."""
        point = self.points.get(point_id)
        if point is None or not (point.purposes & ({purpose} if purpose else SALE)):
            return NOT_ACTIVATED
        return self.zero_reason(sku) or self._barred_here(sku, point_id, point)

    def _barred_here(self, sku: str, point_id: str, point: PointTerms) -> str:
        item = self.items[sku]
        if point.brands and item.brand not in point.brands:
            return BRAND_NOT_CARRIED
        paused = self.pauses.reason_for(sku, point_id, self.channel_id, self._paused_at)
        return (
            paused
            or self.exclusions.at(sku, item, point_id, point, self.now)
            or _of_parts(item.parts, lambda part: self._barred_here(part, point_id, point))
        )

    @property
    def _paused_at(self) -> datetime | None:
        return None if self.as_told else self.now

    def safety_stock(self, balance: Balance) -> Kept:
        """Of a known item at an activated point."""
        return self._kept(self.buffers, balance)

    def routing_buffer(self, balance: Balance) -> Kept:
        """What the choice of a point keeps back beyond the safety stock; the figure shown does not know it."""
        return self._kept(self.routing_buffers, balance)

    def _kept(self, rules: BufferRules, balance: Balance) -> Kept:
        path, point = self.items[balance.sku].path, self.points[balance.point_id]
        return rules.at(balance.sku, path, balance.point_id, point.type, balance.on_hand)

    def available(self, balance: Balance, purpose: Purpose | None = None) -> int:
        """What the channel may take here now. Never negative."""
        if self.barred(balance.sku, balance.point_id, purpose):
            return 0
        return max(0, balance.free - self.safety_stock(balance).quantity)

    def takeable(
        self,
        parts: Parts,
        position: Position,
        balance_of: Callable[[Position], Balance],
        purpose: Purpose | None = None,
    ) -> int:
        """`available`, of whatever is held: of a bundle as many as each of these parts allows."""
        if not parts:
            return self.available(balance_of(position), purpose)
        if self.barred(*position, purpose):
            return 0
        return min(self.available(balance_of(one), purpose) // units for one, units in spread(parts, position, 1))

    def parts(self, sku: str) -> Parts:
        """Those of a bundle; none for any other item, known or not."""
        item = self.items.get(sku)
        return item.parts if item else ()

    def openings(self, sku: str) -> Openings:
        """Where the channel may take a known item, and for what: `available`, worked out but for the units."""
        reason = self.zero_reason(sku)
        if reason:
            return Openings(reason)
        path = self.items[sku].path
        return Openings(
            points={
                point_id: Opening(
                    point.purposes,
                    self.buffers.level(sku, path, point_id, point.type),
                    self.routing_buffers.level(sku, path, point_id, point.type),
                )
                for point_id, point in self.points.items()
                if not self._barred_here(sku, point_id, point)
            }
        )

    def kind_of(self, sku: str) -> "Kind":
        """Items of one kind have the same openings."""
        item = self.items[sku]
        rules = (self.buffers, self.routing_buffers, self.exclusions, self.pauses)
        is_named = bool(item.parts) or any(one.names(sku) for one in rules)
        return item.path, item.brand, item.tags, sku if is_named else ""


Kind = tuple[tuple[str, ...], str, frozenset[str], str]


class KnownOpenings:
    """Openings, worked out once for all items of a kind: as right as the terms that they were first asked with."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Kind], Openings] = {}

    def of(self, terms: Terms, sku: str) -> Openings:
        """Of a known item on the channel of the terms."""
        key = terms.channel_id, terms.kind_of(sku)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = terms.openings(sku)
        return found


def _of_parts(parts: Parts, reason_of: Callable[[str], str]) -> str:
    for part in parts:
        if reason := reason_of(part.sku):
            return f"PART {part.sku}: {reason}"
    return ""
