"""Units that meet at a hub and leave as one shipment: on their way there, received, waited for (SPEC RTE-8).

What is on its way to a hub left the stock of the point that sent it, and is the order's: no stock of the hub, and
nobody else's. It is received by scan, in the state RECEIVED, and leaves with what the hub has itself. Each
function decides on the aggregate that the caller has locked.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from services.orders.domain import holds
from services.orders.domain.fulfilment import brands, moved, received, told
from services.orders.domain.model import (
    Decision,
    Fulfilment,
    FulfilmentLine,
    Happening,
    Hold,
    HoldKind,
    Leg,
    Order,
    Reach,
    Units,
    Window,
)
from services.orders.domain.plan import counted_ranges, lines_of, unit_facts, units_in_words, unplaced
from services.orders.domain.ranges import LineRange, in_fulfilment, in_state, shift, take
from services.orders.domain.states import (
    GONE_ASTRAY,
    LEFT_THE_POINT,
    OPEN_FULFILMENT,
    UNDONE,
    FulfilmentState,
    UnitState,
)

# Goods for no order any more lie at a point: they go to its stock.
UNITS_BACK = "order.inbound_units_back"
# Why units look for another place.
NOT_RECEIVED = "not_received"
_JOINABLE = (FulfilmentState.PLANNED, FulfilmentState.OFFERED, FulfilmentState.ACCEPTED)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What is said of a line of a parcel that came to a hub: units that are good, and units that are not."""

    line_number: int
    quantity: int
    damaged: int = 0
    sku: str = ""


# -- plans ------------------------------------------------------------------------------------------------


def with_onward(legs: Sequence[Leg], onward: Leg | None) -> tuple[Leg, ...]:
    """The legs of a plan as work of points: that of the hub is one, with what it has itself, and comes last.

    `onward`: what goes on from there to the customer, without lines of its own; None where nothing meets.
    """
    if onward is None:
        return tuple(legs)
    if onward.lines:
        raise InvalidArgument("onward.lines", "what goes on from a hub has no lines of its own")
    if not any(leg.via_point_id for leg in legs):
        raise InvalidArgument("onward", "no leg goes to a hub")
    own = [leg for leg in legs if leg.via_point_id == leg.point_id]
    others = [leg for leg in legs if leg.via_point_id != leg.point_id]
    units = tuple(unit for leg in own for unit in leg.lines)
    return (*others, replace(onward, lines=units, via_point_id="", consolidates=True))


def is_within(reach: Reach, order: Order, work: Fulfilment) -> bool:
    """Whether the parcel goes to one of the points and has a line of one of the brands."""
    hub = _hub_of(order, work)
    at_point = not reach.point_ids or (hub is not None and hub.point_id in reach.point_ids)
    return at_point and (not reach.brands or not reach.brands.isdisjoint(brands(order, work)))


# -- arrival ----------------------------------------------------------------------------------------------


def receive(order: Order, work: Fulfilment, arrived: Sequence[Arrived], actor: str, as_of: datetime) -> Decision:
    """A parcel was opened at its hub: what of it is there goes on, what is not looks for another place.

    Of an order that was cancelled meanwhile, or of a parcel whose units were planned again, the goods go to the
    stock of the hub. Raises NOT_INBOUND, NOT_ON_ITS_WAY.
    """
    hub = _hub_of(order, work)
    if hub is None:
        raise FailedPrecondition("NOT_INBOUND", "the parcel goes to the customer, not to a hub")
    if work.state not in (FulfilmentState.HANDED_OVER, *GONE_ASTRAY):
        state = work.state.value
        raise FailedPrecondition("NOT_ON_ITS_WAY", f"the parcel is {state.replace('_', ' ')}", state=state)
    good = _check_arrived(work, arrived)
    damaged = sum(one.damaged for one in arrived)
    assert work.parcel is not None, "what was handed over is a parcel"
    is_wanted = order.state not in UNDONE and not (work.parcel.loss and work.parcel.loss.decision)
    loss = work.parcel.loss if not is_wanted else None
    here = replace(
        moved(work, FulfilmentState.DELIVERED), parcel=replace(work.parcel, delivered_at=as_of, loss=loss)
    )
    if not is_wanted:
        text = f"{hub.point_id} received {_count(good)} that the order does not wait for any more."
        decision = told(order, here, "received", text, as_of, actor=actor, facts={"received": _facts(work, good)})
        back = _units_back(decision.order, hub.point_id, work.fulfilment_id, _unmarked(work.lines), good, as_of)
        return replace(decision, happenings=(*decision.happenings, *back))
    missing = Counter({line.line_number: line.quantity for line in work.lines}) - good
    decision = _received(order, here, hub, good, as_of)
    text = f"{hub.point_id} received {_count(good)} from {work.point_id}"
    text += f"; {_count(missing)} of the parcel did not come in order" if missing else ""
    text += f", {damaged} of them damaged." if damaged else "."
    facts: dict[str, Any] = {"received": _facts(work, good), "missing": _facts(work, missing)}
    follow_up = next((one for one in decision.created), None)
    if follow_up:
        facts["follows"] = {
            "fulfilment_id": follow_up.fulfilment_id,
            "point_id": follow_up.point_id,
            "lines": unit_facts(follow_up.lines),
            "window_end": follow_up.window.end.isoformat() if follow_up.window else "",
            "collected": follow_up.is_collected,
        }
    came = told(decision.order, here, "received", text, as_of, actor=actor, facts=facts)
    return replace(came, created=decision.created)


def _check_arrived(work: Fulfilment, arrived: Sequence[Arrived]) -> Counter[int]:
    """Units that are good, by line number. All lines are said, each once."""
    sent = {line.line_number: line for line in work.lines}
    good: Counter[int] = Counter()
    said: set[int] = set()
    for i, one in enumerate(arrived):
        line = sent.get(one.line_number)
        if line is None:
            raise InvalidArgument(f"units[{i}].line_number", "the parcel has no such line")
        if one.line_number in said:
            raise InvalidArgument(f"units[{i}].line_number", "a line is said once")
        if one.sku not in ("", line.sku):
            raise InvalidArgument(f"units[{i}].sku", "the line is of another SKU")
        if one.quantity < 0 or one.damaged < 0 or one.quantity + one.damaged > line.quantity:
            raise InvalidArgument(f"units[{i}].quantity", f"{line.quantity} units were sent, with damaged ones")
        said.add(one.line_number)
        good[one.line_number] = one.quantity
    if left := sent.keys() - said:
        raise InvalidArgument("units", f"line {min(left)} is missing", line_number=min(left))
    return +good


def _received(order: Order, here: Fulfilment, hub: Fulfilment, good: Counter[int], as_of: datetime) -> Decision:
    """The units at the hub: with its work, or in work of their own where that is too far."""
    created: tuple[Fulfilment, ...] = ()
    if good:
        into = next((one for one in _at_hub(order, hub) if one.state in _JOINABLE), None)
        if into is None:
            into = _following(order, hub, as_of)
            created = (into,)
            order = replace(order, fulfilments=(*order.fulfilments, into))
        ranges = take(order.ranges, good, _of(here), UnitState.RECEIVED, into.fulfilment_id)
        order = replace(order, ranges=ranges)
        grown = replace(into, lines=lines_at(order, into))
        order = _with(order, grown)
        created = tuple(grown for _ in created)
    return Decision(without_place(order, here), created=created)


def without_place(order: Order, work: Fulfilment) -> Order:
    """What is on its way to a hub, and does not arrive there, looks for another place."""
    return replace(order, ranges=shift(order.ranges, _of(work), UnitState.UNPLACED, work.replaces))


def _following(order: Order, hub: Fulfilment, as_of: datetime) -> Fulfilment:
    """Work at the hub for what came after the others had gone: by the same service, days later."""
    days = _DAY
    while hub.hand_over_by + days < as_of:
        days += _DAY
    round_ = max(one.round for one in order.fulfilments) + 1
    return Fulfilment(
        fulfilment_id=derived_id("ful", order.order_id, str(round_), "0"),
        order_id=order.order_id,
        point_id=hub.point_id,
        carrier_id=hub.carrier_id,
        service_id=hub.service_id,
        state=FulfilmentState.PLANNED,
        lines=(),
        hand_over_by=hub.hand_over_by + days,
        round=round_,
        position=0,
        decision_id=hub.decision_id,
        window=Window(hub.window.start + days, hub.window.end + days) if hub.window else None,
        consolidates=True,
    )


def lines_at(order: Order, hub: Fulfilment) -> tuple[FulfilmentLine, ...]:
    """All that the work has. What came was personalised where it came from, or is personalised here."""
    here = in_fulfilment(order.ranges, hub.fulfilment_id)
    own = counted_ranges(one for one in here if one.state is not UnitState.RECEIVED)
    done_here = {*own, *_came_plain(order, hub)}
    return tuple(
        line if line.line_number in done_here else replace(line, personalisations=())
        for line in lines_of(order.content, counted_ranges(here))
    )


def _came_plain(order: Order, hub: Fulfilment) -> set[int]:
    """Lines on whose units nothing was put where they came from, though something is to be: the hub does it."""
    here = {one.fulfilment_id for one in _at_hub(order, hub)}
    personal = {line.line_number for line in order.content.lines if line.personalisations}
    sent = (line for work in order.fulfilments if work.joins in here for line in work.lines)
    return {line.line_number for line in sent if not line.personalisations} & personal


# -- waiting ----------------------------------------------------------------------------------------------


def coming(order: Order, hub: Fulfilment) -> list[Fulfilment]:
    """Works whose parcels are still to come to this one."""
    alive = {one.fulfilment_id for one in order.ranges if one.state is not UnitState.CANCELLED}
    return [one for one in order.fulfilments if one.joins == hub.fulfilment_id and one.fulfilment_id in alive]


def own_units(order: Order, work: Fulfilment) -> Counter[int]:
    """The others, by line number."""
    here = in_fulfilment(order.ranges, work.fulfilment_id)
    return counted_ranges(one for one in here if one.state is not UnitState.RECEIVED)


def awaits(order: Order) -> bool:
    """Whether something is on its way to a hub, or there and not begun: "to consolidate"."""
    if in_state(order.ranges, UnitState.FORWARDED):
        return True
    waiting = (FulfilmentState.PLANNED, FulfilmentState.OFFERED)
    return any(received(order, one) for one in order.fulfilments if one.consolidates and one.state in waiting)


def follow(decision: Decision, now: datetime) -> Decision:
    """The decision, with what it means for hubs: work whose parcels are all there, or will not come, goes on.

    Work that has nothing left to wait for, and no units, is cancelled.
    """
    for work in decision.order.fulfilments:
        if not work.consolidates or work.state not in OPEN_FULFILMENT or decision.order.state in UNDONE:
            continue
        then = _followed(decision.order, work, now)
        decision = replace(decision, order=then.order, happenings=(*decision.happenings, *then.happenings))
    return decision


def _followed(order: Order, work: Fulfilment, now: datetime) -> Decision:
    still = coming(order, work)
    if work.refusal_reason or _may_still_come(order, work):
        # It was set aside, and only a person decides; or a place is looked for from which more of it comes.
        return Decision(order)
    if not still and not in_fulfilment(order.ranges, work.fulfilment_id):
        gone = moved(work, FulfilmentState.CANCELLED)
        decision = told(order, gone, "cancelled", f"Nothing is left that {work.point_id} could join.", now)
        return holds.settled(replace(decision, order=replace(decision.order, updated_at=now)), now)
    held = [one for one in holds.open_holds(order) if _is_wait(one, work)]
    if not held:
        return Decision(order)
    if not still:
        return holds.meet(order, HoldKind.CONSOLIDATION, work.fulfilment_id, now)
    # Only what is waited for changes: its date came with the plan.
    reason = holds.waits_for_points(still)
    return Decision(holds.expect(order, work.fulfilment_id, reason, None, now, HoldKind.CONSOLIDATION))


def _may_still_come(order: Order, work: Fulfilment) -> bool:
    """Whether units look for a place, and may join what waits, with nothing else on its way; not at a store."""
    looking = unplaced(order, work.replaces).total() and not work.is_collected
    return bool(looking) and not coming(order, work) and work.state is FulfilmentState.PLANNED


def _is_wait(hold: Hold, work: Fulfilment) -> bool:
    return hold.kind is HoldKind.CONSOLIDATION and hold.fulfilment_id == work.fulfilment_id


# -- undoing ----------------------------------------------------------------------------------------------


def undone(order: Order, as_of: datetime) -> tuple[Happening, ...]:
    """What the cancellation of an order means for goods that left their points: told to who waits for them.

    `order`: before it. Goods at a hub go to its stock; those on their way do so when they are received.
    """
    happenings: list[Happening] = []
    for work in order.fulfilments:
        if work.joins and in_state(in_fulfilment(order.ranges, work.fulfilment_id), UnitState.FORWARDED):
            text = f"What {work.point_id} sent goes to the stock of the hub when it is there."
            happenings.append(Happening("fulfilment.cancelled", text, as_of, fulfilment=work))
        happenings += units_back(order, work, as_of)
    return tuple(happenings)


def forwarded_facts(order: Order) -> Mapping[str, Any]:
    """What an event says of work for a hub that was done before its order was cancelled; nothing without any."""
    done = [one.fulfilment_id for one in order.fulfilments if one.joins and one.state in LEFT_THE_POINT]
    return {"forwarded": done} if done else {}


def units_back(order: Order, work: Fulfilment, as_of: datetime) -> tuple[Happening, ...]:
    """What came to a hub for this work is for no order any more."""
    here = counted_ranges(received(order, work))
    return to_stock(order, work, here, as_of)


def to_stock(order: Order, work: Fulfilment, counts: Mapping[int, int], as_of: datetime) -> tuple[Happening, ...]:
    """The same for so many of its units, by line number; not for those that have something on them."""
    plain = set() if work.personalising_since else _came_plain(order, work)
    lines = lines_of(order.content, counts)
    free = [line for line in lines if line.line_number in plain or not line.personalisations]
    return _units_back(order, work.point_id, work.fulfilment_id, free, counts, as_of)


def returned_to_sender(order: Order, work: Fulfilment, at: datetime) -> Decision:
    """handed_over -> returned: the carrier brought the parcel back, and its units are planned again."""
    assert work.parcel is not None, "what was handed over is a parcel"
    back = replace(moved(work, FulfilmentState.RETURNED), parcel=replace(work.parcel, returned_at=at, loss=None))
    units = Counter({line.line_number: line.quantity for line in work.lines})
    text = f"The parcel for the hub came back to {work.point_id}: {units_in_words(work.lines)}."
    facts = {"received": [], "missing": unit_facts(work.lines)}
    decision = told(without_place(order, work), back, "received", text, at, facts=facts)
    stock = _units_back(order, work.point_id, work.fulfilment_id, _unmarked(work.lines), units, at)
    return replace(decision, happenings=(*decision.happenings, *stock))


def _unmarked(lines: Sequence[FulfilmentLine]) -> list[FulfilmentLine]:
    """What has something on it is nobody else's, and stays out of stock."""
    return [line for line in lines if not line.personalisations]


def _units_back(
    order: Order,
    point_id: str,
    of: str,
    lines: Sequence[FulfilmentLine],
    counts: Mapping[int, int],
    as_of: datetime,
) -> tuple[Happening, ...]:
    """A story puts them to stock."""
    units = [
        Units(line.line_number, line.sku, counts[line.line_number])
        for line in lines
        if counts.get(line.line_number)
    ]
    if not units:
        return ()
    facts = {"point_id": point_id, "lines": unit_facts(units), "returned_at": as_of.isoformat()}
    text = f"{units_in_words(units)} at {point_id} are for no order any more: they go to its stock."
    story = f"restock/{derived_id('rst', order.order_id, 'inbound', of)}"
    return (Happening(UNITS_BACK, text, as_of, facts, story=story),)


# -- what they share --------------------------------------------------------------------------------------


def _hub_of(order: Order, work: Fulfilment) -> Fulfilment | None:
    return next((one for one in order.fulfilments if work.joins and one.fulfilment_id == work.joins), None)


def _at_hub(order: Order, hub: Fulfilment) -> list[Fulfilment]:
    """The work that was planned, and what follows it, the newest last."""
    return [one for one in order.fulfilments if one.consolidates and one.point_id == hub.point_id]


def _of(work: Fulfilment) -> Callable[[LineRange], bool]:
    return lambda one: one.fulfilment_id == work.fulfilment_id and one.state is UnitState.FORWARDED


def _with(order: Order, work: Fulfilment) -> Order:
    works = tuple(work if one.fulfilment_id == work.fulfilment_id else one for one in order.fulfilments)
    return replace(order, fulfilments=works)


def _facts(work: Fulfilment, counts: Mapping[int, int]) -> list[dict[str, int | str]]:
    return unit_facts(
        Units(line.line_number, line.sku, counts[line.line_number])
        for line in work.lines
        if counts.get(line.line_number)
    )


def _count(counts: Counter[int]) -> str:
    count = counts.total()
    return "1 unit" if count == 1 else f"{count} units"
