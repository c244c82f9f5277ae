"""Parcels that were packed and do not leave: unpacked, and each unit put back on its shelf (SPEC STO-5, ORD-7).

What is in a closed parcel is no stock to sell: its units are held back until somebody says where they are again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from kit.errors import FailedPrecondition
from services.orders.domain import consolidating, substituting
from services.orders.domain.fulfilment import told
from services.orders.domain.model import Decision, Fulfilment, Happening, Order, PutBack
from services.orders.domain.plan import unit_facts, units_in_words
from services.orders.domain.states import FulfilmentState

UNITS_BACK = "order.packed_units_back"


def begun(order: Order, work: Fulfilment, at: datetime) -> Fulfilment:
    """Work that is about to be cancelled; packed work has its units to put back.

    Not those with something on them: nobody else can have these. Nor what came to a hub: that is no stock of its.
    """
    if work.state is not FulfilmentState.PACKED:
        return work
    own = consolidating.own_units(order, work)
    personal = {line.line_number for line in work.lines if line.personalisations and work.personalising_since}
    mine = Counter({number: quantity for number, quantity in own.items() if number not in personal})
    units = substituting.units_of(substituting.first(work.lines, mine))
    return replace(work, put_back=PutBack(units, at)) if units else work


def facts(work: Fulfilment) -> dict[str, Any]:
    """What the event that it was cancelled says of it."""
    return {"put_back": unit_facts(work.put_back.units)} if work.put_back else {}


def facts_of_all(before: Order, after: Order) -> Mapping[str, Any]:
    """The same of an order that is cancelled as a whole: nothing where nothing was packed by then."""
    packed = [
        {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.put_back.units)}
        for was, one in zip(before.fulfilments, after.fulfilments, strict=True)
        if one.put_back and not was.put_back
    ]
    return {"put_back": packed} if packed else {}


def confirm(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """They lie on their shelf again, and may be sold. FailedPrecondition / NOTHING_TO_PUT_BACK."""
    back = work.put_back
    if back is None or back.done_at:
        raise FailedPrecondition("NOTHING_TO_PUT_BACK", "nothing of it is to be put back", state=work.state.value)
    text = f"{units_in_words(back.units)} of {work.point_id} were unpacked and are on their shelf again."
    about = {"lines": unit_facts(back.units)}
    after = replace(work, put_back=replace(back, done_at=as_of))
    decision = told(order, after, "put_back", text, as_of, actor=actor, facts=about)
    data = {**about, "fulfilment_id": work.fulfilment_id, "point_id": work.point_id}
    story = f"put-back/{work.fulfilment_id}"
    released = Happening(UNITS_BACK, "They may be sold again.", as_of, data, actor=actor, story=story)
    return replace(decision, happenings=(*decision.happenings, released))
