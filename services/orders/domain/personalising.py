"""Putting on units what the customer asked for, between pick and pack (SPEC ORD-6): begun, done, or in vain.

What was begun cannot be taken back: such a unit is nobody else's any more. What is put on is in texts.py.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from kit.errors import FailedPrecondition
from services.orders.domain import consolidating, holds
from services.orders.domain.fulfilment import check_not_cancelled, told
from services.orders.domain.model import Decision, Fulfilment, FulfilmentLine, Order
from services.orders.domain.plan import lines_of, unit_facts, units_in_words
from services.orders.domain.states import CAPTURE_SETTLED, OPEN_FULFILMENT, FulfilmentState


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
