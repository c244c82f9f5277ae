"""Picking several works at once (SPEC STO-5): who has which work, and whose a found unit is.

A claim is part of its work, so that two people never fetch the same units: the first to have it picks it.
It counts while the work is accepted; whatever ends that ends it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from string import ascii_uppercase

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import missing_units
from services.orders.domain.fulfilment import told
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import Decision, Fulfilment, Order, Picking, Units
from services.orders.domain.states import FulfilmentState

# One container each: more are not carried through a shop.
SLOTS = ascii_uppercase
MAX_WORKS = len(SLOTS)


@dataclass(frozen=True, slots=True)
class FoundArticle:
    """So many units of an article found for a whole list; why the others are missing."""

    sku: str
    quantity: int
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picked:
    """What of an article goes into the containers: by work and line; and units that nobody wants any more."""

    by_work: Mapping[str, Sequence[Units]]
    left_over: Mapping[str, int]


def picking_of(work: Fulfilment) -> Picking | None:
    """Who picks it now, if somebody does."""
    return work.picking if work.state == FulfilmentState.ACCEPTED else None


def is_on(work: Fulfilment, pick_list_id: str) -> bool:
    """Whether it is still to be picked by this list."""
    picking = picking_of(work)
    return picking is not None and picking.pick_list_id == pick_list_id


def claim(order: Order, work: Fulfilment, picking: Picking) -> Decision:
    """Somebody begins to pick it with other work. FailedPrecondition / NOT_TO_PICK, BEING_PICKED."""
    if work.state != FulfilmentState.ACCEPTED:
        raise FailedPrecondition(
            "NOT_TO_PICK",
            f"the work is {work.state.value}: only accepted work is picked",
            fulfilment_id=work.fulfilment_id,
            state=work.state.value,
        )
    if work.picking:
        raise _being_picked("BEING_PICKED", work, work.picking)
    return _untold(
        order, replace(work, picking=picking), "claimed", "Picking began.", picking.actor, picking.since
    )


def put_back(order: Order, work: Fulfilment, pick_list_id: str, actor: str, as_of: datetime) -> Decision:
    """The work of a list is anybody's again; nothing for work that is not on it."""
    if not is_on(work, pick_list_id):
        return Decision(order)
    return _untold(order, replace(work, picking=None), "put_back", "Picking was left to others.", actor, as_of)


def check_may_pick(work: Fulfilment, actor: str) -> None:
    """Raises FailedPrecondition / PICKED_BY_ANOTHER while it is on the list of somebody else."""
    picking = picking_of(work)
    if picking and picking.actor != actor:
        raise _being_picked("PICKED_BY_ANOTHER", work, picking)


def check_found(works: Iterable[Fulfilment], found: Sequence[FoundArticle]) -> None:
    """Raises InvalidArgument, naming the field, unless every article of the works is told once, with a reason."""
    asked = Counter[str]()
    for work in works:
        for line in work.lines:
            asked[line.sku] += line.quantity
    told_of: set[str] = set()
    for i, one in enumerate(found):
        if one.sku in told_of:
            raise InvalidArgument(f"found[{i}].sku", "an article is said once")
        if one.quantity < 0:
            raise InvalidArgument(f"found[{i}].quantity", "a quantity is not negative")
        if one.reason or one.note:
            missing_units.check_words(f"found[{i}]", one.reason, one.note)
        told_of.add(one.sku)
    if untold := asked.keys() - told_of:
        raise InvalidArgument("found", f"{min(untold)} is missing", sku=min(untold))


def share_out(works: Iterable[Fulfilment], found: Sequence[FoundArticle]) -> Picked:
    """Each unit found goes to the work that must leave first of those that still lack it."""
    left = Counter({one.sku: one.quantity for one in found})
    by_work: dict[str, list[Units]] = {}
    for work in sorted(works, key=lambda one: (one.hand_over_by, one.fulfilment_id)):
        by_work[work.fulfilment_id] = []
        for line in work.lines:
            quantity = min(line.quantity, left[line.sku])
            left[line.sku] -= quantity
            by_work[work.fulfilment_id].append(Units(line.line_number, line.sku, quantity))
    return Picked(by_work, {sku: quantity for sku, quantity in left.items() if quantity})


def reasons(work: Fulfilment, units: Sequence[Units], found: Sequence[FoundArticle]) -> list[Missing]:
    """Why the lines of a work are short, by what was said of their articles."""
    said = {one.sku: one for one in found if one.reason}
    got = {one.line_number: one.quantity for one in units}
    return [
        Missing(line.line_number, said[line.sku].reason, said[line.sku].note)
        for line in work.lines
        if line.sku in said and got[line.line_number] < line.quantity
    ]


def _being_picked(reason: str, work: Fulfilment, picking: Picking) -> FailedPrecondition:
    return FailedPrecondition(
        reason,
        f"{picking.actor} is picking it",
        fulfilment_id=work.fulfilment_id,
        pick_list_id=picking.pick_list_id,
        actor=picking.actor,
    )


def _untold(order: Order, work: Fulfilment, kind: str, text: str, actor: str, at: datetime) -> Decision:
    """In the timeline only: no story waits for it."""
    decision = told(order, work, kind, text, at, actor=actor)
    return replace(decision, happenings=tuple(replace(one, told=False) for one in decision.happenings))
