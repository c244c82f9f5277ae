"""The lines of an order: which of them has units that a plan sends, and which has those that none sends."""

from collections.abc import Mapping, Sequence

from services.promise.domain.network import BasketLine
from services.promise.domain.plans import LegLine, Unplanned


class LineFiller:
    """Gives units of a SKU to the order lines that want it, first line first."""

    def __init__(self, lines: Sequence[BasketLine]) -> None:
        self._open: dict[str, list[tuple[int, int]]] = {}
        for line in reversed(lines):
            self._open.setdefault(line.sku, []).append((line.line_number, line.quantity))

    def take(self, sku: str, units: int) -> list[LegLine]:
        """Parts of lines that make up `units`."""
        taken: list[LegLine] = []
        waiting = self._open[sku]
        while units:
            line_number, wanted = waiting.pop()
            part = min(units, wanted)
            taken.append(LegLine(line_number, sku, part))
            units -= part
            if wanted > part:
                waiting.append((line_number, wanted - part))
        return taken


def unplanned(
    lines: Sequence[BasketLine], served: Mapping[str, int], reasons: Mapping[str, str]
) -> tuple[Unplanned, ...]:
    """What no plan serves, taken from the last lines of a SKU."""
    left = dict(served)
    missing: list[Unplanned] = []
    for line in lines:
        part = min(line.quantity, left.get(line.sku, 0))
        if line.sku in left:
            left[line.sku] -= part
        if part < line.quantity:
            reason = reasons.get(line.sku, "UNKNOWN_ITEM")
            missing.append(Unplanned(line.line_number, line.sku, line.quantity - part, reason))
    return tuple(missing)
