"""How much of an order's money may still be given back, and what of it is of which tax rate (SPEC PAY-7, ORD-12).

Units bear shares of their line's net and tax (kit.values.allocation), so that any partition of a line comes to its
amounts. An amount without units is spread over the rates by what is left of each. Of no rate is more given back
than was taken of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kit.values.allocation import share
from services.orders.domain.dues import cancelled_before_charge, charged_fee_minor, charged_units
from services.orders.domain.model import Fulfilment, Line, Order, Refund, RefundKind, TaxPart
from services.orders.domain.pricing import BASIS_POINTS, shipping_minor
from services.orders.domain.ranges import Ranges, in_state, merged, within, without
from services.orders.domain.states import CaptureState, FulfilmentState, RefundState, UnitState

# By tax rate.
Parts = Mapping[int, TaxPart]


@dataclass(frozen=True, slots=True)
class Left:
    """What was taken and is not given back: the units, the delivery fee, and all of it by tax rate."""

    units: Ranges
    fee_minor: int
    parts: Parts

    @property
    def amount_minor(self) -> int:
        """All of it."""
        return amount_of(self.parts.values())


def amount_of(parts: Iterable[TaxPart]) -> int:
    """Net and tax of all rates."""
    return sum(part.gross_minor for part in parts)


def left_of(order: Order) -> Left:
    """What may still be given back. A refund counts from its request on, whatever becomes of it but SUPERSEDED."""
    given = [one for one in order.refunds if one.state != RefundState.SUPERSEDED]
    lines, units, fees = order.content.lines, _taken_units(order), taken_fees(order)
    parts = summed([*parts_of_units(lines, units), *(part for fee in fees for part in parts_of_fee(lines, fee))])
    for part in (part for refund in given for part in refund.taxes):
        parts = less(parts, part)
    return Left(
        without(units, refunded_units(given)),
        max(0, sum(fees) - sum(refund.shipping_minor for refund in given)),
        parts,
    )


def refunded_units(refunds: Iterable[Refund]) -> list[tuple[int, int, int]]:
    """Units whose money is given back: (line number, from, to)."""
    return [
        (one.line_number, one.from_unit, one.to_unit)
        for refund in refunds
        if refund.state != RefundState.SUPERSEDED
        for one in refund.units
    ]


def sent_units(order: Order) -> Ranges:
    """The units that were sent, or are to be."""
    return tuple(one for one in order.sent_ranges if one.state != UnitState.CANCELLED)


def kept_units(order: Order) -> Ranges:
    """Those of them that the customer has, or is to have: the delivery fee is for these."""
    lost = [(one.line_number, one.from_unit, one.to_unit) for one in lost_for_good(order)]
    return without(tuple(one for one in sent_units(order) if one.state != UnitState.RETURNED), lost)


def lost_for_good(order: Order) -> Ranges:
    """Units that nobody waits for any more: they were lost, and refunded."""
    decided = {
        one.fulfilment_id
        for one in order.fulfilments
        if one.parcel and one.parcel.loss and one.parcel.loss.decision
    }
    return tuple(one for one in in_state(order.ranges, UnitState.LOST) if one.fulfilment_id in decided)


def given_up(order: Order) -> Ranges:
    """Units of parcels that were given up for want of their money, until they are cancelled.

    Should that money have come all the same, the story of the order gives it back when it cancels them.
    """
    works = {one.fulfilment_id for one in order.fulfilments if one.state == FulfilmentState.CANCELLED}
    return tuple(one for one in in_state(order.ranges, UnitState.UNPLACED) if one.fulfilment_id in works)


def of_units(order: Order, left: Left, units: Ranges) -> Parts:
    """What these units bear, at most what is left of each rate."""
    wanted = summed(parts_of_units(order.content.lines, units))
    return {rate: _capped(left.parts, rate, part) for rate, part in wanted.items() if rate in left.parts}


def of_fee(order: Order, left: Left, amount_minor: int) -> Parts:
    """So much of the delivery fee, or what is left of it, at the rates of the lines that brought it."""
    weights = {
        part.tax_rate_basis_points: min(part.gross_minor, left.parts[part.tax_rate_basis_points].gross_minor)
        for part in parts_of_fee(order.content.lines, shipping_minor(order.content.lines))
        if part.tax_rate_basis_points in left.parts
    }
    spread = _spread(min(amount_minor, left.fee_minor), weights)
    return {rate: _capped(left.parts, rate, _at_rate(rate, gross)) for rate, gross in spread.items()}


def of_amount(left: Left, amount_minor: int) -> Parts:
    """An amount that is no unit's, spread over what is left of each rate."""
    spread = _spread(amount_minor, {rate: part.gross_minor for rate, part in left.parts.items()})
    return {
        rate: _capped(left.parts, rate, _in_proportion(left.parts[rate], gross)) for rate, gross in spread.items()
    }


def after(left: Left, parts: Parts) -> Left:
    """What is left when these are given back too."""
    remaining = left.parts
    for part in parts.values():
        remaining = less(remaining, part)
    return Left(left.units, left.fee_minor, remaining)


def together(*several: Parts) -> tuple[TaxPart, ...]:
    """All parts, one a rate, without those that are nothing."""
    whole = summed(part for parts in several for part in parts.values())
    return tuple(whole[rate] for rate in sorted(whole) if whole[rate].gross_minor)


# -- what was taken ---------------------------------------------------------------------------------------


def _taken_units(order: Order) -> Ranges:
    if order.charge and order.charge.state == CaptureState.CAPTURED:
        return charged_units(order) if order.trial else without(order.ranges, cancelled_before_charge(order))
    # Units lose their place when they are cancelled. Those of which a refund tells were paid for.
    back = refunded_units(one for one in order.refunds if one.kind == RefundKind.CANCELLED_UNITS)
    if order.payment_outcome == "paid_by_channel":
        # Of units that found no place the channel was asked when they were cancelled, without a refund of ours.
        stand = tuple(one for one in order.ranges if one.state != UnitState.CANCELLED)
        return merged((*stand, *within(in_state(order.ranges, UnitState.CANCELLED), back)))
    paid = {one.fulfilment_id for one in _captured(order)}
    # A replacement comes after what it replaces.
    for one in order.fulfilments:
        if one.replaces in paid:
            paid.add(one.fulfilment_id)
    gone = given_up(order)
    sent = [one for one in order.ranges if one.fulfilment_id in paid and one not in gone]
    lost = tuple(one for one in in_state(order.ranges, UnitState.CANCELLED) if one.fulfilment_id not in paid)
    return merged((*sent, *within(lost, back)))


def taken_fees(order: Order) -> list[int]:
    """What was taken of the delivery fee: twice, where a parcel's money came although it was given up."""
    fee = shipping_minor(order.content.lines)
    if order.charge and order.charge.state == CaptureState.CAPTURED:
        return [charged_fee_minor(order)]
    if order.payment_outcome == "paid_by_channel":
        back = sum(one.shipping_minor for one in order.refunds if one.kind == RefundKind.CANCELLED_UNITS)
        return [fee if sent_units(order) else back]
    return [one.parcel.shipping_minor for one in _captured(order) if one.parcel and one.parcel.shipping_minor]


def _captured(order: Order) -> list[Fulfilment]:
    return [one for one in order.fulfilments if one.parcel and one.parcel.capture_state == CaptureState.CAPTURED]


# -- parts ------------------------------------------------------------------------------------------------


def parts_of_units(lines: Iterable[Line], units: Ranges) -> list[TaxPart]:
    """What each range bears of its line: of the tax so much as of the gross, so that nothing is below zero."""
    by_number = {line.line_number: line for line in lines}
    return [_part_of(by_number[one.line_number], one.from_unit, one.to_unit) for one in units]


def _part_of(line: Line, start: int, end: int) -> TaxPart:
    whole = TaxPart(line.tax_rate_basis_points, line.net_minor, line.tax_minor)
    before, until = (share(whole.gross_minor, line.quantity, 0, unit) for unit in (start, end))
    tax = _in_proportion(whole, until).tax_minor - _in_proportion(whole, before).tax_minor
    return TaxPart(whole.tax_rate_basis_points, until - before - tax, tax)


def parts_of_fee(lines: Iterable[Line], fee_minor: int) -> list[TaxPart]:
    """So much of the delivery fee. It follows its lines' rates; it was priced with its tax within."""
    by_rate: dict[int, int] = defaultdict(int)
    for line in lines:
        by_rate[line.tax_rate_basis_points] += line.shipping_minor
    return [_at_rate(rate, gross) for rate, gross in _spread(fee_minor, by_rate).items()]


def _at_rate(rate: int, gross_minor: int) -> TaxPart:
    tax = (2 * gross_minor * rate + BASIS_POINTS + rate) // (2 * (BASIS_POINTS + rate))
    return TaxPart(rate, gross_minor - tax, tax)


def _in_proportion(whole: TaxPart, gross_minor: int) -> TaxPart:
    if not gross_minor:
        return TaxPart(whole.tax_rate_basis_points, 0, 0)
    tax = (2 * gross_minor * whole.tax_minor + whole.gross_minor) // (2 * whole.gross_minor)
    return TaxPart(whole.tax_rate_basis_points, gross_minor - tax, tax)


def _spread(amount_minor: int, weights: Mapping[int, int]) -> dict[int, int]:
    """The amount by rate: at most the weight of each, all of them when it is more than they are together."""
    total = sum(weights.values())
    amount = min(amount_minor, total)
    spread, reached = {}, 0
    for rate in sorted(weights):
        if weights[rate]:
            spread[rate] = share(amount, total, reached, reached + weights[rate])
            reached += weights[rate]
    return spread


def _capped(left: Parts, rate: int, part: TaxPart) -> TaxPart:
    """The part, or all that is left of its rate; what remains keeps a tax that is no more than itself."""
    have = left[rate]
    if part.gross_minor >= have.gross_minor:
        return have
    least = max(0, have.tax_minor - (have.gross_minor - part.gross_minor))
    tax = max(least, min(part.tax_minor, have.tax_minor))
    return TaxPart(rate, part.gross_minor - tax, tax)


def summed(parts: Iterable[TaxPart]) -> dict[int, TaxPart]:
    """By rate."""
    whole: dict[int, TaxPart] = {}
    for part in parts:
        rate = part.tax_rate_basis_points
        before = whole.get(rate, TaxPart(rate, 0, 0))
        whole[rate] = TaxPart(rate, before.net_minor + part.net_minor, before.tax_minor + part.tax_minor)
    return whole


def less(parts: Parts, taken: TaxPart) -> dict[int, TaxPart]:
    """What is left of the parts."""
    rate = taken.tax_rate_basis_points
    before = parts.get(rate, TaxPart(rate, 0, 0))
    return {
        **parts,
        rate: TaxPart(rate, before.net_minor - taken.net_minor, before.tax_minor - taken.tax_minor),
    }
