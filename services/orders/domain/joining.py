"""Units that are planned again by way of a hub: they join what waits there, or meet anew (SPEC RTE-8, RTE-9).

What waits at a hub, or at the store of a customer who collects it, is work that other parcels of the order go to.
Each function decides on the aggregate that the caller has locked.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import InvalidArgument
from services.orders.domain import holds, to_store
from services.orders.domain.consolidating import lines_at, with_onward
from services.orders.domain.model import Fulfilment, Leg, Order
from services.orders.domain.plan import counted, lines_of, waiting_in
from services.orders.domain.ranges import Ranges, take
from services.orders.domain.states import UnitState


def new_work(order: Order, legs: Sequence[Leg], onward: Leg | None, replaces: str = "") -> tuple[Leg, ...]:
    """The legs of a plan as new work. What the hub has itself joins its work there, where that waits for others.

    `onward`: as in `with_onward`. `replaces`: of a parcel that was lost on its way to the customer.
    """
    if onward is None:
        return to_store.gathered(order, legs)
    if replaces:
        raise InvalidArgument("onward", "what is sent again goes to its customer")
    hub = _waiting(order, onward)
    return with_onward(legs, onward) if hub is None else tuple(leg for leg in legs if leg.point_id != hub.point_id)


def with_own(
    order: Order, ranges: Ranges, legs: Sequence[Leg], onward: Leg | None
) -> tuple[Ranges, tuple[Fulfilment, ...]]:
    """What a hub that waits has itself has its place in its work there; that, with these units alone, to be told.

    `ranges`: with new work placed.
    """
    hub = _waiting(order, onward)
    own = counted(unit for leg in legs if hub and leg.point_id == hub.point_id for unit in leg.lines)
    if hub is None or not own:
        return ranges, ()
    ranges = take(ranges, own, waiting_in(UnitState.UNPLACED, ""), UnitState.ALLOCATED, hub.fulfilment_id)
    return ranges, (replace(hub, lines=lines_of(order.content, own)),)


def joined(
    before: Order, order: Order, created: Sequence[Fulfilment], onward: Leg | None, as_of: datetime
) -> Order:
    """The order, whose work at the hub leaves no sooner than what has just joined it, and waits as long."""
    hub = _waiting(before, onward)
    if hub is None or onward is None:
        return to_store.joined(order, created, as_of)
    after = replace(hub, lines=lines_at(order, hub))
    if onward.hand_over_by and onward.hand_over_by > hub.hand_over_by:
        after = replace(
            after,
            hand_over_by=onward.hand_over_by,
            window=onward.window,
            latest_start=onward.latest_start,
            next_hand_over_by=onward.next_hand_over_by,
            next_window=onward.next_window,
        )
    works = tuple(after if one.fulfilment_id == hub.fulfilment_id else one for one in order.fulfilments)
    coming = [one for one in created if one.joins == hub.fulfilment_id]
    return holds.wait_longer(replace(order, fulfilments=works), hub.fulfilment_id, coming, as_of)


def _waiting(order: Order, onward: Leg | None) -> Fulfilment | None:
    """The work at the hub that waits for others still; what has gone on is not kept back for more."""
    waiting = to_store.waiting(order)
    return order.fulfilment(waiting[onward.point_id]) if onward and onward.point_id in waiting else None
