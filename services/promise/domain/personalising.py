"""What is to be put on articles before they are packed: which points can, and how long it takes (SPEC ORD-6).

Units of an article of which any is personalised are all sent from points that can: they lie on one shelf. To a hub
that can they are sent from any point, and personalised there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.promise.domain.network import BasketLine, Item, PlanRequest, Point
from services.promise.domain.plans import Unplanned

# A name that the article does not have: no point has this, so that nothing is promised that nobody can do.
_UNKNOWN = "\0"


@dataclass(frozen=True, slots=True)
class Need:
    """Of an article. `minutes` of working time, for one unit as for many: they are worked on side by side."""

    capabilities: frozenset[str]
    minutes: int

    def is_met_by(self, point: Point) -> bool:
        """Whether the point can do all of it."""
        return self.capabilities <= point.capabilities

    def in_words(self) -> str:
        """What it takes, for example "engraving"."""
        known = sorted(self.capabilities - {_UNKNOWN})
        return ", ".join(one.replace("_", " ") for one in known) or "this personalisation"


Needs = Mapping[str, Need]


def needs_of(items: Mapping[str, Item], lines: Iterable[BasketLine]) -> Needs:
    """By SKU, of articles that are personalised. What a line asks for is done one after the other."""
    needs: dict[str, Need] = {}
    for line in lines:
        if not line.personalisations or line.sku not in items:
            continue
        known = items[line.sku].personalisations
        wanted = [known.get(name) for name in line.personalisations]
        capabilities = {one.capability if one else _UNKNOWN for one in wanted} - {""}
        minutes = sum(one.minutes for one in wanted if one)
        before = needs.get(line.sku, Need(frozenset(), 0))
        needs[line.sku] = Need(before.capabilities | capabilities, max(before.minutes, minutes))
    return needs


def incomplete(items: Mapping[str, Item], request: PlanRequest) -> tuple[Unplanned, ...]:
    """Lines that do not name all that must be put on their article; none of an order that stands."""
    found = []
    for line in request.lines if request.check_required else ():
        known = items[line.sku].personalisations if line.sku in items else {}
        required = (name for name, one in sorted(known.items()) if one.required)
        if missing := tuple(name for name in required if name not in line.personalisations):
            reason = "PERSONALISATION_REQUIRED"
            found.append(Unplanned(line.line_number, line.sku, line.quantity, reason, missing))
    return tuple(found)


def done_at(needs: Needs, point: Point) -> frozenset[str]:
    """The articles that the point personalises when they are brought there; not what any point can do."""
    return frozenset(sku for sku, need in needs.items() if need.capabilities and need.is_met_by(point))


def minutes_of(needs: Needs, skus: Iterable[str]) -> int:
    """How long a point works on these articles, beside the handling of the parcel."""
    return max((needs[sku].minutes for sku in skus if sku in needs), default=0)
