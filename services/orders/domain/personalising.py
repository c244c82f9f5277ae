"""Putting on units what the customer asked for, between pick and pack (SPEC ORD-6): begun, done, or in vain.

What was begun cannot be taken back: such a unit is nobody else's any more. What is put on is in texts.py.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import consolidating, holds
from services.orders.domain.fulfilment import check_not_cancelled, in_work, moved, told
from services.orders.domain.model import Decision, Fulfilment, FulfilmentLine, Order, Units
from services.orders.domain.plan import lines_of, unit_facts, units_in_words
from services.orders.domain.ranges import LineRange, take
from services.orders.domain.states import CAPTURE_SETTLED, OPEN_FULFILMENT, FulfilmentState, UnitState


def is_needed(work: Fulfilment) -> bool:
    """Whether something is to be put on a unit of this work."""
    return any(line.personalisations for line in work.lines)


def begin(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """Of picked work: from here on it cannot be undone, so nothing may hold it, and its money must be sure.

    Money that is taken with the pack comes after.
    """
    check_not_cancelled(work)
    if not is_needed(work):
        raise FailedPrecondition("NOTHING_TO_PERSONALISE", "nothing is to be put on these units")
    if work.state is not FulfilmentState.PICKED:
        raise FailedPrecondition("NOT_PICKED", f"the work is {work.state.value}", state=work.state.value)
    if work.personalising_since:
        raise FailedPrecondition(
            "ALREADY_BEGUN", "somebody has begun it", since=work.personalising_since.isoformat()
        )
    holds.check_may_go_on(order, work, "the work")
    if work.parcel and work.parcel.capture_state not in CAPTURE_SETTLED:
        raise FailedPrecondition(
            "NOT_CAPTURED",
            "the money of the work is not captured",
            capture_state=work.parcel.capture_state.value,
        )
    begun = replace(work, personalising_since=as_of)
    text = f"{work.point_id} began to personalise {units_in_words(_personal(work))}."
    return told(order, begun, "personalisation_begun", text, as_of, actor=actor, facts=_facts(work))


def complete(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """Of what was begun: the work may be packed."""
    check_not_cancelled(work)
    if not work.personalising_since or work.personalised_at:
        reason = "ALREADY_PERSONALISED" if work.personalised_at else "NOT_BEGUN"
        raise FailedPrecondition(reason, "only what was begun is done, once", state=work.state.value)
    done = replace(work, personalised_at=as_of)
    text = f"{work.point_id} personalised {units_in_words(_personal(work))}."
    return told(order, done, "personalised", text, as_of, actor=actor, facts=_facts(work))


def spoil(order: Order, work: Fulfilment, spoiled: Sequence[Units], actor: str, as_of: datetime) -> Decision:
    """Units of begun work that were damaged look for another place; work without any left is short.

    Where money is taken before the pack it was taken for these units: their point replaces them from its shelf.
    """
    check_not_cancelled(work)
    if not work.personalising_since or work.state is not FulfilmentState.PICKED:
        raise FailedPrecondition(
            "NOT_BEGUN", "only what was begun, and is not packed, is spoiled", state=work.state.value
        )
    if work.parcel:
        raise FailedPrecondition("PAID_ALREADY", "the money of these units is taken", state=work.state.value)
    counts = _check_spoiled(work, spoiled)
    left = tuple(
        replace(one, quantity=one.quantity - counts[one.line_number])
        for one in work.lines
        if one.quantity > counts[one.line_number]
    )
    # At a hub those of its own stock come first, as in a pick: what came from others is held nowhere.
    came = counts - consolidating.own_units(order, work)
    ranges = take(order.ranges, counts - came, _own(work), UnitState.UNPLACED, work.replaces)
    ranges = take(ranges, came, in_work(work), UnitState.UNPLACED, work.replaces)
    after = (
        replace(work, lines=left)
        if left
        else replace(moved(work, FulfilmentState.SHORT), personalising_since=None)
    )
    gone = lines_of(order.content, counts)
    text = f"{work.point_id} spoiled {units_in_words(gone)}: planned anew."
    facts = {"lines": unit_facts(gone), "left": unit_facts(left)}
    if came:
        facts["unheld"] = unit_facts(lines_of(order.content, came))
    return told(replace(order, ranges=ranges), after, "spoiled", text, as_of, actor=actor, facts=facts)


def _own(work: Fulfilment) -> Callable[[LineRange], bool]:
    return lambda one: one.fulfilment_id == work.fulfilment_id and one.state is not UnitState.RECEIVED


def _check_spoiled(work: Fulfilment, spoiled: Sequence[Units]) -> Counter[int]:
    personal = {line.line_number: line for line in _personal(work)}
    counts: Counter[int] = Counter()
    if not spoiled:
        raise InvalidArgument("spoiled", "say which units are spoiled")
    for i, one in enumerate(spoiled):
        line = personal.get(one.line_number)
        if line is None:
            raise InvalidArgument(f"spoiled[{i}].line_number", "nothing is put on such a line of the fulfilment")
        if one.line_number in counts:
            raise InvalidArgument(f"spoiled[{i}].line_number", "a line is said once")
        if one.sku not in ("", line.sku):
            raise InvalidArgument(f"spoiled[{i}].sku", "the line is of another SKU")
        if not 1 <= one.quantity <= line.quantity:
            raise InvalidArgument(f"spoiled[{i}].quantity", f"1 to {line.quantity} units are there")
        counts[one.line_number] = one.quantity
    return counts


def spoiled_facts(order: Order, work: Fulfilment) -> list[dict[str, int | str]]:
    """The units that nobody else can have, should this work not leave; none before it was begun."""
    is_here = work.personalising_since is not None and work.state in OPEN_FULFILMENT
    if not is_here:
        return []
    # At a hub, what came from other points is no stock of its own.
    numbers = {line.line_number for line in _personal(work)}
    own = consolidating.own_units(order, work)
    return unit_facts(lines_of(order.content, Counter({one: own[one] for one in numbers})))


def spoiled_by_cancelling(order: Order) -> Mapping[str, Any]:
    """What an event says of such units when the whole order is cancelled: nothing where there are none."""
    spoiled = [
        {"fulfilment_id": work.fulfilment_id, "point_id": work.point_id, "lines": lines}
        for work in order.sent
        if (lines := spoiled_facts(order, work))
    ]
    return {"spoiled": spoiled} if spoiled else {}


def _facts(work: Fulfilment) -> dict[str, Any]:
    return {"lines": unit_facts(_personal(work))}


def _personal(work: Fulfilment) -> list[FulfilmentLine]:
    return [line for line in work.lines if line.personalisations]
