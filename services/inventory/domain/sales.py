"""How fast an article sells at a point, and how long what is available will last (SPEC STK-15).

Sold are the units that tills told of and those that were issued for orders, less those that came back to a till.
The window is 28 times 24 hours: each hour of the week is in it four times, so that no weekday weighs more than
another, in whatever zone and whenever one asks; what was sold this morning counts this morning.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.inventory.domain.facts import Fact, FactKind, SalesRate
from services.inventory.domain.ledger import Balance

WINDOW_DAYS = 28
DAY = timedelta(days=1)
WINDOW = WINDOW_DAYS * DAY
# An older rate from elsewhere says less than the ledger does.
FRESH = WINDOW
# What the stock feed tells.
TOLD = (FactKind.MARKDOWN, FactKind.SALES_RATE)
# Of the ledger. What a till sold that moved no unit (`till_line`) is sold all the same.
CAUSES = ("issue", "till_return", "till_sale")


class RateSource(StrEnum):
    """Where a sales rate comes from."""

    IMPORTED = "imported"
    COMPUTED = "computed"


class NoCover(StrEnum):
    """Why it cannot be said how long stock will last."""

    NO_SALES = "no_sales"
    NO_RATE = "no_rate"


@dataclass(frozen=True, slots=True)
class Sold:
    """What the ledger says of a window.

    units: those that left less those that came back, perhaps below 0; since: from when on there was anything to
    sell, None for never.
    """

    units: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """How fast a position sells, and how long what is available lasts. Absent figures are None, never a number."""

    sku: str
    point_id: str
    available: int
    daily_thousandths: int | None
    rate_source: RateSource | None
    cover_days_tenths: int | None
    no_cover: NoCover | None
    sold: int
    days: int


def days_on_sale(sold: Sold, now: datetime) -> int:
    """Of the window, begun ones whole: 0 when there never was a unit, else 1 to 28."""
    if sold.since is None:
        return 0
    begun = -(-(now - sold.since) // DAY)
    return min(max(begun, 1), WINDOW_DAYS)


def mean_thousandths(units: int, days: int) -> int:
    """units / days in thousandths, rounded half up. Nothing sold, or more brought back, is 0."""
    return (2 * 1_000 * max(units, 0) + days) // (2 * days)


def is_fresh(rate: Fact, now: datetime) -> bool:
    """Whether a rate from elsewhere counts before the ledger's own."""
    return now - rate.stated.at < FRESH


def is_told(before: Fact | None, after: Fact) -> bool:
    """Whether replicas must hear of a fact that was said: its content is another, or a rate counts again."""
    if after.key.kind not in TOLD:
        return False
    if before is None or before.content != after.content:
        return after.content is not None or before is not None
    return isinstance(after.content, SalesRate) and not is_fresh(before, after.stated.recorded_at)


def rate(imported: Fact | None, sold: Sold, now: datetime) -> tuple[int, RateSource] | None:
    """Thousandths a day: the imported rate while it is fresh, else that of the ledger; None if there is none."""
    if imported and isinstance(imported.content, SalesRate) and is_fresh(imported, now):
        return imported.content.daily_thousandths, RateSource.IMPORTED
    if days := days_on_sale(sold, now):
        return mean_thousandths(sold.units, days), RateSource.COMPUTED
    return None


def cover(balance: Balance, imported: Fact | None, sold: Sold, now: datetime) -> Cover:
    """available / rate, the rate being the imported one while it is fresh, or else that of the ledger."""
    available = max(0, balance.free)
    daily, source = rate(imported, sold, now) or (None, None)
    return Cover(
        *balance.position,
        available,
        daily,
        source,
        available * 10_000 // daily if daily else None,
        None if daily else NoCover.NO_RATE if daily is None else NoCover.NO_SALES,
        max(0, sold.units),
        days_on_sale(sold, now),
    )
