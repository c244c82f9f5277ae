"""The consolidated status of an order, for the customer and for the inside (SPEC ORD-1).

The status is that of the least advanced unit that is not cancelled, with "partially" when others are ahead of it.
What was lost and refunded is waited for by nobody, as what was cancelled. Of an order of which something was taken
along from a store, it is that of the rest.
"""

from services.orders.domain.consolidating import awaits
from services.orders.domain.fulfilment import received
from services.orders.domain.holds import holds_work, open_holds
from services.orders.domain.model import HoldKind, Order, StatusLabel
from services.orders.domain.money_back import lost_for_good, sent_units
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import FulfilmentState, OrderState, UnitState

_BEFORE_WORK = {
    OrderState.RECORDED: ("received", "waiting"),
    OrderState.ACTION_REQUIRED: ("action required", "waiting for payment"),
    OrderState.REFUSED: ("refused", "refused"),
    OrderState.VALIDATED: ("validated", "waiting"),
    OrderState.CANCELLING: ("cancelled", "cancelling"),
    OrderState.CANCELLED: ("cancelled", "cancelled"),
}
CUSTOMER_STATUSES = frozenset(words for words, _ in _BEFORE_WORK.values()) | {
    "partially shipped",
    "ready for collection",
    "choice required",
    "shipped",
    "partially delivered",
    "delivered",
}
_IN_HANDS = (FulfilmentState.ACCEPTED, FulfilmentState.PICKED, FulfilmentState.PACKED, FulfilmentState.READY)
_WITH_A_POINT = (*_IN_HANDS, FulfilmentState.PLANNED, FulfilmentState.OFFERED)
# From the least advanced on: in this order they speak for units that have left.
_LEFT = (UnitState.LOST, UnitState.RETURNING, UnitState.SHIPPED, UnitState.DELIVERED, UnitState.RETURNED)


def customer_status(order: Order) -> str:
    """What the customer reads."""
    if order.state in _BEFORE_WORK:
        return _BEFORE_WORK[order.state][0]
    return _journey(order) or _waiting(order) or "validated"


def fine_status(order: Order) -> str:
    """What people inside read."""
    if order.state is OrderState.VALIDATED and (held := _held_for(order)):
        return f"waiting: {held}"
    if order.state in _BEFORE_WORK:
        return _BEFORE_WORK[order.state][1]
    if order.state is OrderState.RELEASED and order.trial and not order.trial.settled_at:
        return "on trial"
    return _journey(order) or _waiting(order) or _preparation(order)


def labels(order: Order) -> tuple[StatusLabel, ...]:
    """The customer status in the words of the life cycle, one for each language."""
    status = customer_status(order)
    return tuple(one for one in order.life_cycle.labels if one.status == status)


def _held_for(order: Order) -> str:
    """What keeps the whole order, but for the cooling-off that every order has."""
    kinds = {one.kind for one in open_holds(order) if not one.fulfilment_id} - {HoldKind.COOLING_OFF}
    return ", ".join(sorted(kind.value.replace("_", " ") for kind in kinds))


def _journey(order: Order) -> str:
    """How far the goods have come, or empty while none has left."""
    refunded = quantity(lost_for_good(order))
    live = _live(order)
    counts = {state: quantity(in_state(order.sent_ranges, state)) for state in _LEFT}
    counts[UnitState.LOST] -= refunded
    left = sum(counts.values())
    if live == 0 and order.taken:
        return "delivered"
    if live == 0:
        return "refunded" if refunded else "cancelled"
    if left < live:
        partly = "partially delivered" if order.content.is_collected else "partially shipped"
        return partly if left else ""
    if counts[UnitState.RETURNED] == live:
        return "returned"
    for state in (UnitState.LOST, UnitState.RETURNING):
        if counts[state]:
            return state.value
    if counts[UnitState.SHIPPED]:
        ahead = counts[UnitState.DELIVERED] + counts[UnitState.RETURNED]
        return "partially delivered" if ahead else "shipped"
    return "partially returned" if counts[UnitState.RETURNED] else "delivered"


def _waiting(order: Order) -> str:
    """Of an order whose customer is asked, or awaited at a counter with all of it; empty for any other."""
    if any(not one.kind for one in order.choices) and order.state is OrderState.RELEASED:
        return "choice required"
    ready = {one.fulfilment_id for one in order.fulfilments if one.state is FulfilmentState.READY}
    waiting = [one for one in sent_units(order) if one.state is not UnitState.DELIVERED]
    if ready and all(one.fulfilment_id in ready for one in waiting):
        return "ready for collection"
    return ""


def _preparation(order: Order) -> str:
    states = {one.state for one in order.fulfilments if not holds_work(order, one) or one.state in _IN_HANDS}
    packed = quantity(in_state(order.sent_ranges, UnitState.PACKED))
    packed += sum(
        quantity(received(order, one)) for one in order.fulfilments if one.state is FulfilmentState.PACKED
    )
    if packed == _live(order) and not any(one.joins and one.state in _IN_HANDS for one in order.fulfilments):
        return "prepared"
    if awaits(order):
        return "to consolidate"
    if not states.isdisjoint(_IN_HANDS):
        return "in preparation"
    return "waiting" if states.isdisjoint(_WITH_A_POINT) else "to prepare"


def _live(order: Order) -> int:
    """The sent units that somebody waits for, or has."""
    return quantity(sent_units(order)) - quantity(lost_for_good(order))
