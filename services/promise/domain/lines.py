"""The lines of an order, as units of a SKU are given to them."""

from collections.abc import Sequence

from services.promise.domain.network import BasketLine
from services.promise.domain.plans import LegLine


class LineFiller:
    """Gives units of a SKU to the order lines that want it, first line first."""

    def __init__(self, lines: Sequence[BasketLine]) -> None:
        self._open: dict[str, list[tuple[int, int]]] = {}
        for line in reversed(lines):
            self._open.setdefault(line.sku, []).append((line.line_number, line.quantity))

    def take(self, sku: str, units: int, supply_id: str = "") -> list[LegLine]:
        """Parts of lines that make up `units` of a delivery, or of the shelf."""
        taken: list[LegLine] = []
        waiting = self._open[sku]
        while units:
            line_number, wanted = waiting.pop()
            part = min(units, wanted)
            taken.append(LegLine(line_number, sku, part, supply_id))
            units -= part
            if wanted > part:
                waiting.append((line_number, wanted - part))
        return taken
