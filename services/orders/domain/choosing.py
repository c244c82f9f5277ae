"""What a customer is asked whose store does not have it ready: another store, a delivery, or the money (RTE-9).

Nothing is sent elsewhere unless he says so. Who says nothing until the deadline of the life cycle is refunded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from services.orders.domain.model import CustomerChoice, Decision, DeliveryOption, Happening, Order, Units
from services.orders.domain.plan import check_units, unit_facts, units_in_words, unplaced
from services.orders.domain.states import OrderState

STORE, DELIVERY, REFUND = "store", "delivery", "refund"
KINDS = (STORE, DELIVERY, REFUND)
# What the story of the order is told.
CHOSEN = "order.collection_chosen"


def ask(
    order: Order,
    fulfilment_id: str,
    units: Sequence[Units],
    reason: str,
    options: Sequence[DeliveryOption],
    as_of: datetime,
) -> Decision:
    """Units of this work have no place: a question for each loss. Nothing of an order that is being undone."""
    check_units(order.content, units, "lines")
    if order.state is not OrderState.RELEASED:
        return Decision(order)
    work = order.fulfilment(fulfilment_id)
    # What comes from another point is asked about for the store to which it should have come.
    point_id = order.fulfilment(work.joins).point_id if work.joins else work.point_id
    until = as_of + timedelta(hours=order.life_cycle.collection.choice_hours)
    choice = CustomerChoice(
        choice_id=str(len(order.choices) + 1),
        fulfilment_id=fulfilment_id,
        point_id=point_id,
        reason=reason,
        units=tuple(units),
        options=tuple(options),
        asked_at=as_of,
        until=until,
    )
    text = (
        f"{point_id} does not have {units_in_words(units)} ready ({reason.replace('_', ' ')}): "
        f"the customer says until {_moment(until)} what becomes of them."
    )
    facts = {
        "choice_id": choice.choice_id,
        "fulfilment_id": fulfilment_id,
        "point_id": point_id,
        "reason": reason,
        "until": until.isoformat(),
        "lines": unit_facts(units),
        "options": [*map(_option_facts, options), {"kind": REFUND}],
    }
    after = replace(order, choices=(*order.choices, choice), updated_at=as_of)
    return Decision(after, (Happening("order.customer_asked", text, as_of, facts),))


def choose(
    order: Order, choice_id: str, kind: str, point_id: str, has_address: bool, actor: str, as_of: datetime
) -> Decision:
    """What the customer wants. Without an id the question that is open is answered."""
    if kind not in KINDS:
        raise InvalidArgument("kind", f"one of {', '.join(KINDS)}")
    if (kind == STORE) != bool(point_id):
        raise InvalidArgument("point_id", "the other store, and only of a store")
    choice = _open(order, choice_id)
    if choice.until <= as_of:
        raise FailedPrecondition("CHOICE_OVER", f"it could be answered until {_moment(choice.until)}")
    offered = {_kind_of(one): one for one in choice.options}
    if kind == STORE and point_id not in {one.point_id for one in choice.options if one.point_id}:
        raise FailedPrecondition("OPTION_NOT_OFFERED", "this store was not offered", field="point_id")
    if kind == DELIVERY and DELIVERY not in offered:
        raise FailedPrecondition("OPTION_NOT_OFFERED", "no delivery was offered", field="kind")
    if kind == DELIVERY and not has_address:
        raise InvalidArgument("ship_to", "say where it is delivered", reason="ADDRESS_NEEDED")
    return _decided(order, choice, kind, point_id, actor, as_of)


def lapse(order: Order, now: datetime) -> Decision:
    """Questions that nobody answered in time: refunded."""
    decision = Decision(order)
    for choice in order.choices:
        if not choice.kind and choice.until <= now:
            then = _decided(decision.order, choice, REFUND, "", "", now)
            decision = replace(then, happenings=(*decision.happenings, *then.happenings))
    return decision


def deadlines(order: Order) -> list[datetime]:
    """Of the questions that are open."""
    return [one.until for one in order.choices if not one.kind]


def find(order: Order, choice_id: str) -> CustomerChoice:
    """NotFound / CHOICE_NOT_FOUND."""
    found = next((one for one in order.choices if one.choice_id == choice_id), None)
    if found is None:
        raise NotFound("CHOICE_NOT_FOUND", "the customer was not asked this", field="choice_id")
    return found


def still_homeless(order: Order, choice: CustomerChoice) -> tuple[Units, ...]:
    """Of its units, those that have no place yet: some may have been cancelled since."""
    waiting = unplaced(order, "")
    left: list[Units] = []
    for one in choice.units:
        count = min(one.quantity, waiting[one.line_number])
        waiting -= Counter({one.line_number: count})
        if count:
            left.append(replace(one, quantity=count))
    return tuple(left)


def _open(order: Order, choice_id: str) -> CustomerChoice:
    if order.state is not OrderState.RELEASED:
        raise FailedPrecondition("NOT_ASKED", "the order waits for no answer", state=order.state.value)
    if choice_id:
        choice = find(order, choice_id)
    else:
        choices = [one for one in order.choices if not one.kind]
        if not choices:
            raise FailedPrecondition("NOT_ASKED", "the customer is asked nothing", state=order.state.value)
        choice = choices[0]
    if choice.kind:
        raise FailedPrecondition("CHOICE_OVER", f"it was answered: {choice.kind}", kind=choice.kind)
    return choice


def _decided(
    order: Order, choice: CustomerChoice, kind: str, point_id: str, actor: str, as_of: datetime
) -> Decision:
    made = replace(choice, kind=kind, chosen_point_id=point_id, decided_at=as_of, actor=actor)
    choices = tuple(made if one.choice_id == choice.choice_id else one for one in order.choices)
    what = {STORE: f"collected at {point_id}", DELIVERY: "delivered", REFUND: "refunded"}[kind]
    who = "The customer chose" if actor else "Nobody answered in time"
    text = f"{who}: {units_in_words(choice.units)} are {what}."
    facts = {"choice_id": choice.choice_id, "kind": kind, "point_id": point_id, "lines": unit_facts(choice.units)}
    after = replace(order, choices=choices, updated_at=as_of)
    return Decision(after, (Happening(CHOSEN, text, as_of, facts, actor=actor),))


def _kind_of(option: DeliveryOption) -> str:
    return STORE if option.point_id else DELIVERY


def _option_facts(option: DeliveryOption) -> dict[str, Any]:
    return {
        "kind": _kind_of(option),
        "mode": str(option.mode),
        "point_id": option.point_id,
        "window": {"start": option.window.start.isoformat(), "end": option.window.end.isoformat()},
    }


def _moment(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M %Z}"
