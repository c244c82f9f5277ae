"""Pre-order (SPEC STK-11): a theoretical stock, sold in a window of time, with no physical stock tied up.

What can be pre-ordered is quantity - held - converted while the window is open, and 0 outside of it. Also the
embargo of a release date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from kit.errors import FailedPrecondition
from services.inventory.domain.bundles import Parts
from services.inventory.domain.image import Terms
from services.inventory.domain.supply import day_at

NOT_OPEN_YET = "NOT_OPEN_YET"
CLOSED = "CLOSED"
OTHER_CHANNEL = "OTHER_CHANNEL"


@dataclass(frozen=True, slots=True)
class Preorder:
    """Units of a SKU that a channel (without one: every channel) sells from `opens_at` until before `closes_at`.

    `converted` are those that became held stock.
    """

    preorder_id: str
    sku: str
    channel_id: str
    quantity: int
    opens_at: datetime
    closes_at: datetime
    release_at: datetime
    converted: int = 0


@dataclass(frozen=True, slots=True)
class PreorderFigure:
    """What a channel may sell of one pre-order now; 0 whatever the quantity for a `zero_reason`."""

    preorder: Preorder
    held: int
    available: int
    zero_reason: str = ""


def revised(known: Preorder, sent: Preorder, held: int) -> Preorder:
    """The pre-order after it was put again. Raises OTHER_PREORDER, PREORDER_TAKEN."""
    facts = {"preorder_id": known.preorder_id}
    if (known.sku, known.channel_id) != (sent.sku, sent.channel_id):
        channel = known.channel_id or "every channel"
        raise FailedPrecondition(
            "OTHER_PREORDER", f"pre-order {known.preorder_id} is of {known.sku} on {channel}", **facts
        )
    if sent.quantity < held + known.converted:
        raise FailedPrecondition(
            "PREORDER_TAKEN",
            f"{held + known.converted} units of pre-order {known.preorder_id} are taken",
            taken=held + known.converted,
            **facts,
        )
    return replace(sent, converted=known.converted)


def figures(
    terms: Terms, preorders: Sequence[Preorder], held: Mapping[str, int], as_of: datetime
) -> tuple[PreorderFigure, ...]:
    """Each pre-order on a channel, those that close first before the others."""
    found = []
    for one in sorted(preorders, key=lambda one: (one.closes_at, one.preorder_id)):
        taken = held.get(one.preorder_id, 0)
        reason = _zero_reason(terms, one, as_of)
        available = 0 if reason else one.quantity - taken - one.converted
        found.append(PreorderFigure(one, taken, available, reason))
    return tuple(found)


def _zero_reason(terms: Terms, preorder: Preorder, as_of: datetime) -> str:
    if preorder.channel_id not in ("", terms.channel_id):
        return OTHER_CHANNEL
    if excluded := terms.zero_reason(preorder.sku):
        return excluded
    if as_of < preorder.opens_at:
        return NOT_OPEN_YET
    return CLOSED if preorder.closes_at <= as_of else ""


def released_on(sku: str, parts: Parts, release_dates: Mapping[str, str]) -> str:
    """The ISO date before which an item is not handed over; of a bundle the last of its parts'. Empty for none."""
    return max((release_dates.get(one, "") for one in (sku, *(part.sku for part in parts))), default="")


def under_embargo(release_date: str, time_zone: str, as_of: datetime) -> bool:
    """Whether the release date lies ahead in a zone: nothing is delivered or handed over there yet."""
    return bool(release_date) and day_at(time_zone, as_of) < date.fromisoformat(release_date)
