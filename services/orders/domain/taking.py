"""What a customer takes along from a store while the rest of the order is sent (SPEC PAY-3).

The taken units are a fulfilment that is born delivered: no offer, no carrier, no promise. They are sold in the
store: whatever becomes of the rest of the order, they and their money stay, and come back as a refund only.
"""

from dataclasses import replace
from datetime import datetime

from kit.errors import InvalidArgument
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain.model import Fulfilment, Happening, Order, Parcel
from services.orders.domain.plan import lines_of, unit_facts, units_in_words
from services.orders.domain.pricing import taken_minor
from services.orders.domain.ranges import cancel, shift
from services.orders.domain.states import CaptureState, FulfilmentState, UnitState

# What may have become of their money when the order is accepted.
_PAID = (CaptureState.CAPTURED, CaptureState.NOT_NEEDED)


def take(order: Order, capture_state: str, as_of: datetime) -> tuple[Order, tuple[Happening, ...]]:
    """The order with what is taken in its customer's hands, and the telling of it; as it is, if nothing is taken.

    Its other units have their places. `capture_state`: "captured" or "not_needed".
    """
    lines = order.content.taken
    if not lines:
        return order, ()
    if capture_state not in _PAID:
        raise InvalidArgument("taken", "captured or not_needed: what is taken along is paid before")
    currency = order.content.total.currency
    fulfilment_id = derived_id("ful", order.order_id, "taken")
    parcel = Parcel(
        parcel_id=derived_id("par", fulfilment_id),
        amount_minor=taken_minor(lines),
        currency=currency,
        weight_grams=0,
        closed_at=as_of,
        capture_state=CaptureState(capture_state),
        handed_over_at=as_of,
        delivered_at=as_of,
    )
    numbers = {line.line_number for line in lines}
    ranges = shift(order.ranges, lambda one: one.line_number in numbers, UnitState.DELIVERED, fulfilment_id)
    work = Fulfilment(
        fulfilment_id=fulfilment_id,
        order_id=order.order_id,
        point_id=lines[0].taken_at_point_id,
        carrier_id="",
        service_id="",
        state=FulfilmentState.DELIVERED,
        lines=lines_of(order.content, {line.line_number: line.quantity for line in lines}),
        hand_over_by=as_of,
        round=1,
        position=len(order.fulfilments),
        parcel=parcel,
        taken=True,
    )
    amount = Money(parcel.amount_minor, currency)
    text = (
        f"{units_in_words(work.lines)} taken along from {work.point_id}: {amount}, {_WORDS[parcel.capture_state]}."
    )
    facts = {
        "parcel_id": parcel.parcel_id,
        "amount_minor": amount.amount_minor,
        "currency": currency,
        "capture_state": parcel.capture_state.value,
        "lines": unit_facts(work.lines),
    }
    happening = Happening("fulfilment.taken", text, as_of, facts, fulfilment=work)
    return replace(order, ranges=ranges, fulfilments=(*order.fulfilments, work)), (happening,)


_WORDS = {CaptureState.CAPTURED: "captured", CaptureState.NOT_NEEDED: "paid already"}


def without_rest(order: Order) -> Order:
    """All units cancelled that the customer does not have yet.

    They keep the place that they had: by it the money is known that their parcel brought, or still brings.
    """
    numbers = {line.line_number for line in order.content.taken}
    return replace(order, ranges=cancel(order.ranges, lambda one: one.line_number not in numbers))


def rest_is_cancelled(order: Order) -> bool:
    """Whether nothing is sent any more of an order of which something was taken."""
    return bool(order.taken) and not any(one.state != UnitState.CANCELLED for one in order.sent_ranges)
