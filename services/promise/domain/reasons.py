"""Why units have no place, in one word each."""

from collections.abc import Collection, Mapping, Sequence

from services.promise.domain.candidates import Gathered
from services.promise.domain.found import Found
from services.promise.domain.network import BasketLine
from services.promise.domain.plans import Unplanned
from services.promise.domain.rulesets import Ruleset

# Why a parcel that could be sent is not, the most telling first.
_TELLING = (
    "NOT_TODAY",
    "AFTER_APPOINTMENT",
    "OTHER_APPOINTMENT",
    "SEVERAL_PARCELS",
    "AFTER_QUOTED_WINDOW",
    "ABOVE_QUOTED_PRICE",
    "TOO_LATE",
    "TOO_FAR",
    "CARRIER_PAUSED",
)


def why_not(sku: str, units: int, gathered: Gathered, found: Sequence[Found], ruleset: Ruleset) -> str:
    """Why not all of so many units of a SKU have a place."""
    if gathered.stocked.get(sku, 0) < units:
        seen = sum(one.available for one in gathered.seen if one.sku == sku)
        return "NOT_PERSONALISED" if sku in gathered.personal and seen >= units else "NO_STOCK"
    roomiest: dict[str, int] = {}
    for candidate in gathered.candidates:
        point_id = candidate.point.point_id
        roomiest[point_id] = max(roomiest.get(point_id, 0), candidate.capacity.get(sku, 0))
    if sum(roomiest.values()) < units and sku in gathered.crowded:
        return "NO_CAPACITY"
    if sum(roomiest.values()) < units:
        met = {rejected.reason for rejected in gathered.rejected} | gathered.met
        return gathered.misfits.get(sku) or most_telling(met)
    if found and found[0].legs[0].service.one_shipment:
        return "ONE_SHIPMENT"
    if found and len(found[0].legs) == ruleset.max_parcels:
        return "TOO_MANY_PARCELS"
    return "MUST_TRAVEL_TOGETHER" if ruleset.together_tags else "BELOW_SPLIT_VALUE"


def most_telling(met: Collection[str]) -> str:
    """Of the reasons that kept services from taking it."""
    return next((reason for reason in _TELLING if reason in met), "NO_CARRIER")


def unplanned(
    lines: Sequence[BasketLine], served: Mapping[str, int], reasons: Mapping[str, str]
) -> tuple[Unplanned, ...]:
    """What no plan serves, taken from the last lines of a SKU."""
    left = dict(served)
    found: list[Unplanned] = []
    for line in lines:
        part = min(line.quantity, left.get(line.sku, 0))
        if line.sku in left:
            left[line.sku] -= part
        if part < line.quantity:
            reason = reasons.get(line.sku, "UNKNOWN_ITEM")
            found.append(Unplanned(line.line_number, line.sku, line.quantity - part, reason))
    return tuple(found)
