"""Turning the legs of a plan into fulfilments: each unit gets its place, or the plan is refused."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import InvalidArgument
from kit.values.ids import derived_id
from services.orders.domain.model import (
    AwaitedUnits,
    Content,
    Fulfilment,
    FulfilmentLine,
    Leg,
    Locker,
    Order,
    Units,
)
from services.orders.domain.ranges import LineRange, Ranges, quantity, take
from services.orders.domain.states import FulfilmentState, UnitState


def check_legs(content: Content, legs: Sequence[Leg]) -> None:
    """Raises InvalidArgument, naming the field, for a leg that nobody could work on."""
    for i, leg in enumerate(legs):
        path = "onward" if leg.consolidates else f"legs[{i}]"
        # Nobody carries what is collected where it lies.
        at_counter = content.is_collected and not leg.carrier_id and not leg.service_id
        for name in ("point_id",) if at_counter else ("point_id", "carrier_id", "service_id"):
            if not getattr(leg, name):
                raise InvalidArgument(f"{path}.{name}", "a leg names its point, carrier and service")
        if leg.hand_over_by is None:
            raise InvalidArgument(f"{path}.hand_over_by", "a leg says when its parcel must leave")
        if (leg.next_hand_over_by is None) != (leg.next_window is None):
            raise InvalidArgument(f"{path}.next_window", "the next hand-over has its window, or there is neither")
        if leg.next_hand_over_by and leg.next_hand_over_by <= leg.hand_over_by:
            raise InvalidArgument(f"{path}.next_hand_over_by", "the next hand-over comes after hand_over_by")
        if not leg.lines and not leg.consolidates:
            raise InvalidArgument(f"legs[{i}].lines", "a leg has at least one line")
        if leg.waits_until is None and any(one.supply_id for one in leg.lines):
            raise InvalidArgument(f"legs[{i}].waits_until", "a leg with units to come says when they are due")
        if leg.plain_lines and (leg.via_point_id in ("", leg.point_id) or content.is_collected):
            raise InvalidArgument(f"{path}.plain_lines", "only what goes to a hub is personalised there")
        check_units(content, leg.lines, f"{path}.lines")


def check_units(content: Content, units: Sequence[Units], path: str) -> None:
    """Raises InvalidArgument, naming the field, for units that are not of this order."""
    by_number = {line.line_number: line for line in content.lines}
    for i, one in enumerate(units):
        line = by_number.get(one.line_number)
        if line is None:
            raise InvalidArgument(f"{path}[{i}].line_number", "the order has no such line")
        if one.sku not in ("", line.sku):
            raise InvalidArgument(f"{path}[{i}].sku", "the line is of another SKU")
        if one.quantity < 1:
            raise InvalidArgument(f"{path}[{i}].quantity", "the quantity is at least 1")


def counted(units: Iterable[Units]) -> Counter[int]:
    """Quantities by line number; a line that is named twice adds up."""
    total: Counter[int] = Counter()
    for one in units:
        total[one.line_number] += one.quantity
    return total


def counted_ranges(ranges: Iterable[LineRange]) -> Counter[int]:
    """Quantities of ranges by line number."""
    total: Counter[int] = Counter()
    for one in ranges:
        total[one.line_number] += one.quantity
    return total


def place(
    order: Order,
    legs: Sequence[Leg],
    state: UnitState,
    decision_id: str,
    replaces: str = "",
    waiting: Mapping[str, str] | None = None,
) -> tuple[Ranges, tuple[Fulfilment, ...]]:
    """Gives units in `state` to a new fulfilment for each leg. The quantities have been checked.

    `replaces`: the fulfilment whose lost parcel is sent again; only its units are. `waiting`: work by the point at
    which new legs may join it.
    """
    round_ = max((one.round for one in order.fulfilments), default=0) + 1
    ranges = order.ranges
    created: list[Fulfilment] = []
    for position, leg in enumerate(legs):
        fulfilment_id = derived_id("ful", order.order_id, str(round_), str(position))
        ranges = take(ranges, counted(leg.lines), waiting_in(state, replaces), UnitState.ALLOCATED, fulfilment_id)
        assert leg.hand_over_by is not None, "check_legs came first"
        one = _fulfilment(order, leg, fulfilment_id, round_, position, decision_id, leg.hand_over_by)
        created.append(replace(one, replaces=replaces))
    hubs = {**(waiting or {}), **{one.point_id: one.fulfilment_id for one in created if one.consolidates}}
    for i, leg in enumerate(legs):
        if leg.via_point_id and leg.via_point_id not in hubs:
            raise InvalidArgument(f"legs[{i}].via_point_id", "nothing goes on from this point")
    joining = (
        replace(one, joins=hubs[leg.via_point_id]) if leg.via_point_id else one
        for one, leg in zip(created, legs, strict=True)
    )
    return ranges, tuple(joining)


def waiting_in(state: UnitState, replaces: str) -> Callable[[LineRange], bool]:
    """Which units are in this state; of those that look for a place, whether they are of a lost parcel."""
    return lambda one: one.state == state and one.fulfilment_id == replaces


def _fulfilment(
    order: Order,
    leg: Leg,
    fulfilment_id: str,
    round_: int,
    position: int,
    decision_id: str,
    hand_over_by: datetime,
) -> Fulfilment:
    return Fulfilment(
        fulfilment_id=fulfilment_id,
        order_id=order.order_id,
        point_id=leg.point_id,
        carrier_id=leg.carrier_id,
        service_id=leg.service_id,
        state=FulfilmentState.PLANNED,
        lines=_as_prepared(lines_of(order.content, counted(leg.lines)), leg),
        hand_over_by=hand_over_by,
        round=round_,
        position=position,
        decision_id=decision_id,
        window=leg.window,
        latest_start=leg.latest_start,
        next_hand_over_by=leg.next_hand_over_by,
        next_window=leg.next_window,
        hand_over_from=leg.hand_over_from,
        awaited=_awaited(order, leg),
        consolidates=leg.consolidates,
        locker=Locker() if order.content.is_for_locker and not leg.carrier_id else None,
    )


def _as_prepared(lines: tuple[FulfilmentLine, ...], leg: Leg) -> tuple[FulfilmentLine, ...]:
    """Nothing is put on what goes to a hub as it is."""
    return tuple(replace(one, personalisations=()) if one.line_number in leg.plain_lines else one for one in lines)


def _awaited(order: Order, leg: Leg) -> tuple[AwaitedUnits, ...]:
    due_at = leg.waits_until
    skus = {line.line_number: line.sku for line in order.content.lines}
    return tuple(
        AwaitedUnits(one.line_number, skus[one.line_number], one.quantity, one.supply_id, due_at)
        for one in leg.lines
        if one.supply_id and due_at
    )


def lines_of(content: Content, quantities: Mapping[int, int]) -> tuple[FulfilmentLine, ...]:
    """The lines of a fulfilment, in the order of their numbers; what has no units is left out."""
    return tuple(
        FulfilmentLine(line.line_number, line.sku, quantities[line.line_number], line.title, line.personalisations)
        for line in content.lines
        if quantities.get(line.line_number)
    )


def fewer(lines: Sequence[FulfilmentLine], quantities: Mapping[int, int]) -> tuple[FulfilmentLine, ...]:
    """Lines of a fulfilment with these quantities; what has no units is left out."""
    return tuple(
        replace(line, quantity=quantities[line.line_number]) for line in lines if quantities.get(line.line_number)
    )


def unit_facts(lines: Iterable[FulfilmentLine | Units]) -> list[dict[str, int | str]]:
    """Lines as events tell them: no title, for it may be what a customer had engraved."""
    return [_facts(one) for one in lines]


def _facts(one: FulfilmentLine | Units) -> dict[str, int | str]:
    about: dict[str, int | str] = {"line_number": one.line_number, "sku": one.sku, "quantity": one.quantity}
    return about | {"ordered_sku": one.ordered_sku} if one.ordered_sku else about


def units_in_words(lines: Iterable[FulfilmentLine | Units | LineRange]) -> str:
    """For example "1 unit", "3 units"."""
    count = sum(one.quantity for one in lines)
    return f"{count} unit" if count == 1 else f"{count} units"


def unplaced(order: Order, replaces: str) -> Counter[int]:
    """Units that lost their place, by line number: those of a lost parcel, or those that never left."""
    return counted_ranges(filter(waiting_in(UnitState.UNPLACED, replaces), order.ranges))


def nothing_left(ranges: Ranges) -> bool:
    """Whether every unit is cancelled."""
    return quantity(ranges) == quantity(one for one in ranges if one.state == UnitState.CANCELLED)
