"""What of an order's total is due, and which parcel brings it (SPEC PAY-2, PAY-7).

Goods are due while their units are not cancelled. The delivery fee comes with the first parcel; when that one is
given up for want of its money, with the next to be opened, or not at all when there is none. When its money came
all the same, no other parcel brings the fee; should nothing be sent at last, it goes back as a refund. Both bring
it where the other was opened before that money came: then one fee goes back at once.
"""

from services.orders.domain.model import Fulfilment, Order
from services.orders.domain.pricing import goods_minor, shipping_minor
from services.orders.domain.ranges import Ranges, in_fulfilment, without
from services.orders.domain.states import CAPTURE_SETTLED, CaptureState, FulfilmentState, UnitState


def is_settled_ahead(order: Order) -> bool:
    """Whether nothing is to be taken for a parcel: it was taken, or let go, for the whole order."""
    return order.charge is not None and order.charge.state in CAPTURE_SETTLED


def charged_units(order: Order) -> Ranges:
    """The units that the charge of the whole order is for: all that is sent, or what was kept of a trial."""
    if order.trial is None:
        return without(order.sent_ranges, cancelled_before_charge(order))
    kept = [(one.line_number, one.from_unit, one.to_unit) for one in order.trial.kept]
    others = without(order.ranges, kept)
    return without(order.ranges, [(one.line_number, one.from_unit, one.to_unit) for one in others])


def cancelled_before_charge(order: Order) -> list[tuple[int, int, int]]:
    """Units that the charge of the whole order is not for: (line number, from, to)."""
    gone = order.charge.without if order.charge else ()
    return [(one.line_number, one.from_unit, one.to_unit) for one in gone]


def charged_fee_minor(order: Order) -> int:
    """What of that charge is delivery fee."""
    return order.trial.shipping_minor if order.trial else shipping_minor(order.content.lines)


def parcel_goods_minor(order: Order, work: Fulfilment) -> int:
    """What the units of this work bear of their lines' net and tax."""
    return goods_minor(order.content.lines, in_fulfilment(order.ranges, work.fulfilment_id))


def parcel_shipping_minor(order: Order) -> int:
    """What of the delivery fee the next parcel brings: all of it, or nothing."""
    return 0 if _brought_fee(order) else shipping_minor(order.content.lines)


def no_longer_due_minor(before: Order, after: Order) -> int:
    """The money of the units cancelled between two states, with the delivery fee once nothing can bring it.

    Of what a till of the store was to take nothing ever was due to us.
    """
    if before.content.is_paid_in_store:
        return 0
    return due_minor(before) - due_minor(after)


def fee_no_longer_due_minor(before: Order, after: Order) -> int:
    """The delivery fee, once nothing can bring it."""
    return _due_fee_minor(before) - _due_fee_minor(after)


def due_minor(order: Order) -> int:
    """What the order comes to without its cancelled units, with a fee that was taken already."""
    return goods_minor(order.content.lines, _kept(order)) + _due_fee_minor(order)


def _due_fee_minor(order: Order) -> int:
    in_parcels = {
        one.fulfilment_id
        for one in order.fulfilments
        if one.parcel
        and not one.joins
        and not (one.state == FulfilmentState.CANCELLED and one.parcel.shipping_minor)
    }
    fee_can_come = any(one.fulfilment_id not in in_parcels for one in _kept(order))
    is_due = fee_can_come or _brought_fee(order)
    return shipping_minor(order.content.lines) if is_due else 0


def _kept(order: Order) -> Ranges:
    return tuple(one for one in order.ranges if one.state != UnitState.CANCELLED)


def _brought_fee(order: Order) -> bool:
    """By a parcel that stands, or by one whose money came although it was given up meanwhile."""
    return any(
        one.parcel.shipping_minor
        and (one.state != FulfilmentState.CANCELLED or one.parcel.capture_state == CaptureState.CAPTURED)
        for one in order.fulfilments
        if one.parcel
    )
