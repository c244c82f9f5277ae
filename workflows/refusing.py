"""Why a plan, or an order, cannot be had: as stories tell each other, and in what figures they believe."""

from collections import Counter

from workflows.messages import (
    Exclusion,
    Leg,
    Line,
    LostUnits,
    Option,
    Overlay,
    Refusal,
    RefusedLine,
    Shortfall,
)

_NO_STOCK = ("NO_STOCK", "UNKNOWN_ITEM")


class Refused(Exception):
    """Placement cannot go on."""

    def __init__(self, refusal: Refusal, options: list[Option] | None = None) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.options = options or []


def no_place(unplanned: list[RefusedLine]) -> Refusal:
    """Lines that no plan has a place for."""
    if incomplete := [line for line in unplanned if line.missing_fields]:
        missing = (
            f"line {line.line_number}: {line.sku} is not sold without {' and '.join(line.missing_fields)}"
            for line in incomplete
        )
        return Refusal("PERSONALISATION_REQUIRED", "; ".join(missing), incomplete)
    if any(line.reason in _NO_STOCK for line in unplanned):
        return Refusal("STOCK_UNAVAILABLE", "not enough stock for these lines", unplanned)
    return Refusal("NOT_DELIVERABLE", "these lines cannot be delivered to this destination", unplanned)


def sold_out(lines: list[Line], shortfalls: list[Shortfall]) -> Refusal:
    """Names the lines whose article went while the order was being placed."""
    available = {s.sku: 0 for s in shortfalls}
    for shortfall in shortfalls:
        available[shortfall.sku] += shortfall.available
    refused = [
        RefusedLine(line.line_number, line.sku, line.quantity, min(available[line.sku], line.quantity), "NO_STOCK")
        for line in lines
        if line.sku in available
    ]
    return Refusal("STOCK_UNAVAILABLE", "sold while the order was being placed", refused)


def believe(overlays: list[Overlay], shortfalls: list[Shortfall]) -> list[Overlay]:
    """The newest true figure of each position."""
    believed = {(o.sku, o.point_id): o for o in overlays}
    believed.update({(s.sku, s.point_id): Overlay(s.sku, s.point_id, s.free) for s in shortfalls})
    return list(believed.values())


def never_again(lost: LostUnits) -> list[Exclusion]:
    """A point that refused or kept silent is out for this order; one that was short, for the article only."""
    if lost.held:
        return [Exclusion(lost.point_id, lost.reason), *lost.refused_by]
    return [Exclusion(lost.point_id, lost.reason, sku) for sku in sorted({line.sku for line in lost.lines})]


def without(lines: list[Line], legs: list[Leg]) -> list[Line]:
    """The units of `lines` that no leg takes."""
    taken = Counter[int]()
    for leg in legs:
        for line in leg.lines:
            taken[line.line_number] += line.quantity
    left = [(line, line.quantity - taken[line.line_number]) for line in lines]
    return [
        Line(line.line_number, line.sku, quantity, ordered_sku=line.ordered_sku)
        for line, quantity in left
        if quantity > 0
    ]
