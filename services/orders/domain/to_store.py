"""What is collected at a store that does not have it: other points send it there (SPEC STO-2).

The store is a hub whose parcel nobody carries on: what it lacks is received there as at any hub, joins what it has
itself, and is put aside for its customer.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import InvalidArgument
from services.orders.domain import holds
from services.orders.domain.model import Fulfilment, HoldKind, Leg, Order
from services.orders.domain.ranges import Ranges, in_fulfilment, in_state
from services.orders.domain.states import FulfilmentState, UnitState

# What lies at a counter: the store's own, which its stock holds, and what came from others, which is no stock.
_AT_COUNTER = (UnitState.PACKED, UnitState.RECEIVED)


def gathered(order: Order, legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """The legs as work: those that go to a store meet in one there, which comes last and waits for them.

    With what the store has itself; without, they join work there that waits for others already.
    """
    if not order.content.is_collected:
        return tuple(legs)
    coming = [leg for leg in legs if leg.via_point_id]
    if not coming:
        return tuple(legs)
    if len({leg.via_point_id for leg in coming}) > 1:
        raise InvalidArgument("legs", "what is collected comes to one store")
    store = coming[0].via_point_id
    own = [leg for leg in legs if leg.point_id == store]
    if any(leg.via_point_id or leg.carrier_id for leg in own):
        raise InvalidArgument("legs", "a store sends itself nothing")
    others = tuple(leg for leg in legs if leg.point_id != store)
    if not own and store in waiting(order):
        return others
    windows = [leg.window for leg in legs if leg.window]
    last = max(windows, key=lambda one: one.start, default=None)
    times = [leg.hand_over_by for leg in legs if leg.hand_over_by] + [one.start for one in windows]
    releases = [leg.hand_over_from for leg in legs if leg.hand_over_from]
    at_store = Leg(
        point_id=store,
        carrier_id="",
        service_id="",
        lines=tuple(unit for leg in own for unit in leg.lines),
        window=last,
        hand_over_by=max(times, default=None),
        hand_over_from=max(releases, default=None),
        consolidates=True,
    )
    return (*others, at_store)


def waiting(order: Order) -> dict[str, str]:
    """Work that waits for what others send, by its store or hub."""
    held = {one.fulfilment_id for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION}
    return {
        one.point_id: one.fulfilment_id
        for one in order.fulfilments
        if one.consolidates and one.state is FulfilmentState.PLANNED and one.fulfilment_id in held
    }


def joined(order: Order, created: Sequence[Fulfilment], as_of: datetime) -> Order:
    """The order, whose work at the store is ready no sooner than what has just joined it, and waits as long."""
    new = {one.fulfilment_id for one in created}
    for work in created:
        there = order.fulfilment(work.joins) if work.joins else None
        if there is None or there.fulfilment_id in new or work.window is None:
            continue
        if there.window is None or there.window.start < work.window.start:
            there = replace(there, window=work.window, hand_over_by=max(there.hand_over_by, work.window.start))
        works = tuple(there if one.fulfilment_id == there.fulfilment_id else one for one in order.fulfilments)
        order = replace(order, fulfilments=works)
        order = holds.wait_longer(order, there.fulfilment_id, [work], as_of)
    return order


def at_counter(ranges: Ranges, work: Fulfilment) -> Ranges:
    """Units that are put aside."""
    return in_state(in_fulfilment(ranges, work.fulfilment_id), *_AT_COUNTER)
