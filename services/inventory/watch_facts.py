"""What the stock feed tells beside stock (SPEC STK-15): how fast a position sells, its markdown, how points find.

A rate that the ledger gives is that of the moment when its position was told: each sale tells the position anew,
the mere passing of days does not. Find rates are one small table, told whole: by point, category and depth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain import picks, sales
from services.inventory.domain.facts import Fact, FactKind, Markdown
from services.inventory.domain.ledger import Position
from services.inventory.domain.picks import RateRow
from services.inventory.domain.sales import Sold
from services.inventory.store import facts
from services.inventory.store import picks as pick_store
from services.inventory.store import sales as sales_store


@dataclass(frozen=True, slots=True)
class PositionFacts:
    """Mean daily sales in thousandths, 0 for none or not known; the markdown that is planned."""

    daily_thousandths: int = 0
    markdown: Markdown | None = None


NO_FACTS = PositionFacts()
# Few enough to be worked out between two calls.
_AT_ONCE = 500


async def read(
    tx: AsyncConnection, positions: Sequence[Position], now: datetime
) -> Mapping[Position, PositionFacts]:
    """Of those of which anything is known."""
    found: dict[Position, PositionFacts] = {}
    for start in range(0, len(positions), _AT_ONCE):
        found |= await _some(tx, positions[start : start + _AT_ONCE], now)
    return found


async def _some(
    tx: AsyncConnection, positions: Sequence[Position], now: datetime
) -> dict[Position, PositionFacts]:
    said = await facts.read(tx, positions, sales.TOLD)
    rates = {position: known.get(FactKind.SALES_RATE) for position, known in said.items()}
    # The ledger is asked only where nobody told a rate that still counts.
    unsaid = [position for position, rate in rates.items() if not _counts(rate, now)]
    sold = await sales_store.sold(tx, unsaid, now) if unsaid else {}
    found: dict[Position, PositionFacts] = {}
    for position, known in said.items():
        rate = sales.rate(rates[position], sold.get(position, Sold()), now)
        markdown = known.get(FactKind.MARKDOWN)
        content = markdown.content if markdown else None
        one = PositionFacts(rate[0] if rate else 0, content if isinstance(content, Markdown) else None)
        if one != NO_FACTS:
            found[position] = one
    return found


def _counts(rate: Fact | None, now: datetime) -> bool:
    return rate is not None and rate.content is not None and sales.is_fresh(rate, now)


async def find_rates(tx: AsyncConnection, now: datetime) -> tuple[RateRow, ...]:
    """Of the picks of the last days, of all points and categories; nothing when nobody picked."""
    return picks.rate_table(await pick_store.all_picked(tx, now - timedelta(days=picks.WINDOW_DAYS), now))
