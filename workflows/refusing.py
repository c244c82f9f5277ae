"""Why a plan, or an order, cannot be had: as stories tell each other, and in what figures they believe."""

from workflows.messages import Line, Option, Overlay, Refusal, RefusedLine, Shortfall

_NO_STOCK = ("NO_STOCK", "UNKNOWN_ITEM")


class Refused(Exception):
    """Placement cannot go on."""

    def __init__(self, refusal: Refusal, options: list[Option] | None = None) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.options = options or []


def no_place(unplanned: list[RefusedLine]) -> Refusal:
    """Lines that no plan has a place for."""
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
