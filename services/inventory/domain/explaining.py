"""A figure of the channel image, and why it is what it is: its five inputs, point by point (SPEC STK-4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.inventory.domain.bundles import Part, spread
from services.inventory.domain.catalogue import Purpose
from services.inventory.domain.image import NOT_ACTIVATED, Terms
from services.inventory.domain.ledger import Balance, Position


@dataclass(frozen=True, slots=True)
class PointAvailability:
    """How one point adds to the figure. `barred`: why it adds nothing whatever its stock; empty if it may.

    Of a bundle in whole bundles, each figure as the part allows of which there is least in the end: `limited_by`.
    """

    point_id: str
    on_hand: int
    reserved: int
    unavailable: int
    safety_stock: int
    available: int
    safety_stock_rule: str
    barred: str = ""
    limited_by: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The five inputs, summed over the activated points: the figure is the first less the other four.

    Each is what it really took, clamped point by point: two units reserved where one lies took one.
    """

    physical: int = 0
    reserved: int = 0
    excluded: int = 0
    unavailable: int = 0
    safety_stock: int = 0

    def __add__(self, other: "Inputs") -> "Inputs":
        return Inputs(
            self.physical + other.physical,
            self.reserved + other.reserved,
            self.excluded + other.excluded,
            self.unavailable + other.unavailable,
            self.safety_stock + other.safety_stock,
        )


@dataclass(frozen=True, slots=True)
class Availability:
    """The figure of one SKU on a channel; `zero_reason` says why it is 0 whatever the stock.

    `inputs` and `points` are there when the figure was to be explained.
    """

    sku: str
    available_now: int
    zero_reason: str = ""
    points: tuple[PointAvailability, ...] = ()
    inputs: Inputs | None = None


def availability(
    terms: Terms,
    sku: str,
    balances: Mapping[str, Sequence[Balance]],
    *,
    explain: bool,
    purpose: Purpose | None = None,
) -> Availability:
    """The figure of one SKU; `balances` by SKU, those of a bundle's parts among them."""
    zero_reason = terms.zero_reason(sku)
    parts = terms.parts(sku)
    stock = {one.position: one for part in (parts or (Part(sku, 1),)) for one in balances.get(part.sku, ())}
    point_ids = sorted({position.point_id for position in stock} & terms.points.keys())

    def balance_of(position: Position) -> Balance:
        return stock.get(position) or Balance(*position)

    if not explain or sku not in terms.items:
        total = sum(terms.takeable(parts, Position(sku, point_id), balance_of, purpose) for point_id in point_ids)
        return Availability(sku, total, zero_reason)
    points = tuple(
        _at_bundle(terms, Position(sku, point_id), balance_of, purpose)
        if parts
        else _at_point(terms, balance_of(Position(sku, point_id)), purpose)
        for point_id in point_ids
    )
    inputs = sum((_inputs(point) for point in points if point.barred != NOT_ACTIVATED), Inputs())
    return Availability(sku, sum(point.available for point in points), zero_reason, points, inputs)


def _at_bundle(
    terms: Terms, position: Position, balance_of: Callable[[Position], Balance], purpose: Purpose | None
) -> PointAvailability:
    rows = {
        part.sku: _in_bundles(_at_point(terms, balance_of(part), purpose), units)
        for part, units in spread(terms.parts(position.sku), position, 1)
    }
    least = min(rows, key=lambda part: rows[part].available)
    barred = terms.barred(*position, purpose)
    return replace(rows[least], barred=barred, available=0 if barred else rows[least].available, limited_by=least)


def _in_bundles(row: PointAvailability, units: int) -> PointAvailability:
    """A part's figures in whole bundles: each input is what was left less what is left, so that they add up."""
    left, counts = row.on_hand, [row.on_hand // units]
    for took in (row.reserved, row.unavailable, row.safety_stock):
        left = max(0, left - took)
        counts.append(left // units)
    on_hand, unreserved, whole, available = counts
    return replace(
        row,
        on_hand=on_hand,
        reserved=on_hand - unreserved,
        unavailable=unreserved - whole,
        safety_stock=whole - available,
        available=available,
    )


def _at_point(terms: Terms, balance: Balance, purpose: Purpose | None) -> PointAvailability:
    kept = terms.safety_stock(balance)
    return PointAvailability(
        point_id=balance.point_id,
        on_hand=balance.on_hand,
        reserved=balance.reserved,
        unavailable=balance.unavailable,
        safety_stock=kept.quantity,
        available=terms.available(balance, purpose),
        safety_stock_rule=kept.rule,
        barred=terms.barred(balance.sku, balance.point_id, purpose),
    )


def _inputs(point: PointAvailability) -> Inputs:
    """What each input took at one point, in the order in which SPEC STK-4 names them."""
    left = point.on_hand
    reserved = min(left, point.reserved)
    left -= reserved
    if point.barred:
        return Inputs(point.on_hand, reserved, excluded=left)
    unavailable = min(left, point.unavailable)
    left -= unavailable
    return Inputs(point.on_hand, reserved, 0, unavailable, min(left, point.safety_stock))
