"""Giving money back: decided once and for all, under the order's lock, before anything moves (SPEC PAY-7).

Decides who may give what; how much is left and of which tax rate is in money_back.py.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from kit.values.ids import derived_id
from kit.values.money import Money
from services.orders.domain import money_back
from services.orders.domain.model import (
    Decision,
    Happening,
    Order,
    Refund,
    RefundKind,
    RefundWish,
    TaxPart,
    UnitRange,
)
from services.orders.domain.money_back import Left
from services.orders.domain.plan import check_units, counted, counted_ranges
from services.orders.domain.ranges import Ranges, first, in_state, within, without
from services.orders.domain.states import (
    REFUND_MOVES,
    UNDONE,
    OrderState,
    RefundState,
    UnitState,
    move,
)

# Goods that the customer no longer wants: with the last of them goes the delivery fee, at the standard rate.
WITHDRAWAL = "withdrawal"
# A parcel that the customer did not take, refunded by itself: as much as for a withdrawal.
RETURNED_TO_SENDER = "returned_to_sender"
REASONS = (WITHDRAWAL, "damaged", "not_as_described", "lost", "late", "price_adjustment", "gesture", "other")
# What payments says of money that is not there to be given back.
EXCEEDS_CAPTURE = "REFUND_EXCEEDS_CAPTURE"

_WORDS = {
    RefundKind.GOODS: "goods",
    RefundKind.GOODWILL: "goodwill",
    RefundKind.DELIVERY_FEE: "delivery fee",
    RefundKind.CANCELLED_UNITS: "units that were paid for and cancelled",
}


def request(order: Order, wish: RefundWish, as_of: datetime) -> Decision:
    """A new refund, pending. Raises NOTHING_TO_REFUND, REFUND_EXCEEDS_CAPTURE, GOODWILL_OVER_CAP."""
    _check(order, wish)
    if order.state not in (OrderState.RELEASED, OrderState.CLOSED):
        raise _nothing(order, f"the order is {order.state.value}")
    left = money_back.left_of(order)
    if wish.kind == RefundKind.GOODS:
        return _goods(order, wish, left, as_of)
    if wish.kind == RefundKind.GOODWILL:
        assert wish.amount is not None, "it was checked"
        _check_cap(order, wish)
        _check_left(wish.amount, left.amount_minor)
        parts = money_back.together(money_back.of_amount(left, wish.amount.amount_minor))
        return _requested(order, wish, parts, as_of)
    return _delivery_fee(order, wish, left, as_of)


def of_cancelled_units(before: Order, after: Order, left: Left, reason: str, as_of: datetime) -> Decision:
    """`after`, with the money of units that were paid for, and cancelled since `before`.

    When they were the last that the customer was to have, what was taken of the delivery fee goes back with them.
    `left`: what could be given back of them.
    """
    were = [
        (one.line_number, one.from_unit, one.to_unit) for one in before.ranges if one.state == UnitState.CANCELLED
    ]
    gone = without(tuple(one for one in after.ranges if one.state == UnitState.CANCELLED), were)
    units = within(gone, _triples(left.units))
    goods = money_back.of_units(after, left, units)
    rest = money_back.after(left, goods)
    return _of_cancelled(after, units, goods, rest, reason, as_of)


def of_rest(after: Order, left: Left, as_of: datetime) -> Decision:
    """`after`, with the money of all that was cancelled of an order of which something was taken along.

    `left`: what could be given back before it was cancelled.
    """
    units = within(left.units, _triples(in_state(after.ranges, UnitState.CANCELLED)))
    goods = money_back.of_units(after, left, units)
    return _of_cancelled(after, units, goods, money_back.after(left, goods), "the rest was cancelled", as_of)


def _of_cancelled(
    after: Order, units: Ranges, goods: money_back.Parts, rest: Left, reason: str, as_of: datetime
) -> Decision:
    """These units, and the delivery fee once the customer is to have nothing that is sent."""
    fee = money_back.of_fee(after, rest, 0 if money_back.kept_units(after) else rest.fee_minor)
    kind = RefundKind.CANCELLED_UNITS if units else RefundKind.DELIVERY_FEE
    wish = RefundWish(kind, "cancelled", reason, "")
    parts = money_back.together(goods, fee)
    if not parts:
        return Decision(after)
    return _requested(after, wish, parts, as_of, units, money_back.amount_of(fee.values()))


def of_parcel(order: Order, units: Ranges, reason_code: str, as_of: datetime) -> Decision:
    """Units that did not reach the customer, as far as they were paid and are not refunded; maybe nothing."""
    left = money_back.left_of(order)
    wish = RefundWish(RefundKind.GOODS, reason_code, "", "")
    return _of_units(order, wish, left, within(units, _triples(left.units)), as_of)


def of_fee_taken_twice(order: Order, as_of: datetime) -> Decision:
    """One of two delivery fees that were captured: a parcel that was given up brought its own all the same."""
    fees = money_back.taken_fees(order)
    if len(fees) < 2:
        return Decision(order)
    fee = money_back.of_fee(order, money_back.left_of(order), fees[-1])
    wish = RefundWish(RefundKind.DELIVERY_FEE, "cancelled", "it was captured twice", "")
    return _requested(order, wish, money_back.together(fee), as_of, (), money_back.amount_of(fee.values()))


def record_outcome(order: Order, refund_id: str, outcome: str, failure: str, as_of: datetime) -> Decision:
    """pending -> succeeded or failed; failed -> succeeded, when somebody gave the money back another way.

    What the undoing of the order gave back before is superseded.
    """
    if outcome not in (RefundState.SUCCEEDED, RefundState.FAILED):
        raise InvalidArgument("state", "a refund succeeded or failed")
    one = find(order, refund_id)
    if one.state in (outcome, RefundState.SUPERSEDED):
        return Decision(order)
    state = RefundState(outcome)
    if state == RefundState.FAILED and failure == EXCEEDS_CAPTURE and order.state in UNDONE:
        state = RefundState.SUPERSEDED
    state = move("refund", REFUND_MOVES, one.state, state)
    settled_at = None if state == RefundState.FAILED else as_of
    settled = replace(
        one, state=state, failure=failure if state == RefundState.FAILED else "", settled_at=settled_at
    )
    amount = Money(one.amount_minor, one.currency)
    text = {
        RefundState.SUCCEEDED: f"{amount} were given back ({_WORDS[one.kind]}).",
        RefundState.FAILED: f"{amount} could not be given back ({_WORDS[one.kind]}): {failure}.",
        RefundState.SUPERSEDED: f"{amount} were given back with the whole order, not by themselves.",
    }[state]
    return _told(order, settled, state.value, text, as_of, "", {"failure": failure} if settled.failure else {})


def retry(order: Order, refund_id: str, actor: str, as_of: datetime) -> Decision:
    """failed -> pending: whoever mended the cause wants it to be tried again."""
    one = find(order, refund_id)
    if one.state != RefundState.FAILED:
        raise FailedPrecondition("REFUND_NOT_FAILED", f"the refund is {one.state.value}", state=one.state.value)
    again = replace(
        one,
        state=move("refund", REFUND_MOVES, one.state, RefundState.PENDING),
        attempts=one.attempts + 1,
        failure="",
    )
    text = f"{Money(one.amount_minor, one.currency)} are tried to be given back again."
    return _told(order, again, "retried", text, as_of, actor)


def find(order: Order, refund_id: str) -> Refund:
    """The refund of this order. NotFound / REFUND_NOT_FOUND."""
    for one in order.refunds:
        if one.refund_id == refund_id:
            return one
    raise NotFound("REFUND_NOT_FOUND", "the order has no such refund", field="refund_id", refund_id=refund_id)


# -- what may be wished -----------------------------------------------------------------------------------


def _check(order: Order, wish: RefundWish) -> None:
    ways = [bool(wish.lines), wish.amount is not None, wish.whole]
    if sum(ways) != 1:
        raise InvalidArgument("lines", "say lines, an amount or whole, and only one of them")
    if wish.kind == RefundKind.GOODS and wish.amount is not None:
        raise InvalidArgument("amount", "goods are named by their lines, or as a whole")
    if wish.kind == RefundKind.GOODWILL and wish.amount is None:
        raise InvalidArgument("amount", "goodwill is an amount")
    if wish.kind == RefundKind.DELIVERY_FEE and wish.lines:
        raise InvalidArgument("lines", "the delivery fee is of no line: say an amount or whole")
    if wish.kind == RefundKind.CANCELLED_UNITS:
        raise InvalidArgument("kind", "units that are cancelled are refunded by themselves")
    if wish.reason_code not in REASONS:
        raise InvalidArgument("reason_code", f"one of {', '.join(REASONS)}")
    _check_lines(order, wish)
    if wish.amount is not None:
        _check_amount(order, wish.amount)


def _check_lines(order: Order, wish: RefundWish) -> None:
    check_units(order.content, wish.lines, "lines")
    numbers = [one.line_number for one in wish.lines]
    for i, number in enumerate(numbers):
        if number in numbers[:i]:
            raise InvalidArgument(f"lines[{i}].line_number", "a line is said once")


def _check_amount(order: Order, amount: Money) -> None:
    currency = order.content.total.currency
    if amount.currency != currency:
        raise InvalidArgument(
            "amount.currency",
            f"the order is in {currency}",
            reason="CURRENCY_MISMATCH",
            expected=currency,
        )
    if amount.amount_minor < 1:
        raise InvalidArgument("amount.amount_minor", "an amount to give back is above 0")


def _check_cap(order: Order, wish: RefundWish) -> None:
    """The cap is of the role, what was given is of the order, whoever gave it."""
    assert wish.amount is not None, "goodwill is an amount"
    caps = [
        cap.amount_minor
        for cap in order.life_cycle.goodwill_caps
        if cap.role in wish.roles and cap.currency == wish.amount.currency
    ]
    cap = max(caps, default=0)
    given = sum(
        one.amount_minor
        for one in order.refunds
        if one.kind == RefundKind.GOODWILL and one.state != RefundState.SUPERSEDED
    )
    if given + wish.amount.amount_minor > cap:
        currency = wish.amount.currency
        raise PermissionDenied(
            "GOODWILL_OVER_CAP",
            f"up to {Money(cap, currency)} may be given for an order, and {Money(given, currency)} were",
            field="amount",
            cap_minor=cap,
            given_minor=given,
            currency=currency,
        )


def _check_left(amount: Money, left_minor: int) -> None:
    if amount.amount_minor > left_minor:
        raise FailedPrecondition(
            EXCEEDS_CAPTURE,
            f"{Money(left_minor, amount.currency)} are left to give back",
            field="amount",
            available_minor=left_minor,
            currency=amount.currency,
        )


def _nothing(order: Order, why: str) -> FailedPrecondition:
    return FailedPrecondition("NOTHING_TO_REFUND", f"nothing is left to give back: {why}", state=order.state.value)


# -- what is given back -----------------------------------------------------------------------------------


def _goods(order: Order, wish: RefundWish, left: Left, as_of: datetime) -> Decision:
    """Units with the money that they bear; the last of them takes the delivery fee along."""
    decision = _of_units(order, wish, left, left.units if wish.whole else _chosen(wish, left), as_of)
    if not decision.happenings:
        raise _nothing(order, "no money of these units was captured, or it was given back")
    return decision


def _of_units(order: Order, wish: RefundWish, left: Left, units: Ranges, as_of: datetime) -> Decision:
    goods = money_back.of_units(order, left, units)
    rest = money_back.after(left, goods)
    refunded = [*money_back.refunded_units(order.refunds), *_triples(units)]
    is_last = not without(money_back.kept_units(order), refunded)
    fee = money_back.of_fee(order, rest, _fee_minor(order, wish, rest) if is_last else 0)
    parts = money_back.together(goods, fee)
    if not parts:
        return Decision(order)
    return _requested(order, wish, parts, as_of, units, money_back.amount_of(fee.values()))


def _chosen(wish: RefundWish, left: Left) -> Ranges:
    available = counted_ranges(left.units)
    wanted = counted(wish.lines)
    for i, one in enumerate(wish.lines):
        if one.quantity > available[one.line_number]:
            raise FailedPrecondition(
                "UNITS_NOT_REFUNDABLE",
                f"{available[one.line_number]} units of line {one.line_number} are paid and not refunded",
                field=f"lines[{i}].quantity",
                line_number=one.line_number,
                refundable=available[one.line_number],
                wanted=one.quantity,
            )
    return first(left.units, wanted)


def _fee_minor(order: Order, wish: RefundWish, left: Left) -> int:
    """Of a withdrawal no more in all than standard delivery would have cost; else all that is left of the fee."""
    standard = order.content.standard_shipping
    if wish.reason_code not in (WITHDRAWAL, RETURNED_TO_SENDER) or standard is None:
        return left.fee_minor
    given = sum(one.shipping_minor for one in order.refunds if one.state != RefundState.SUPERSEDED)
    return min(left.fee_minor, max(0, standard.amount_minor - given))


def _delivery_fee(order: Order, wish: RefundWish, left: Left, as_of: datetime) -> Decision:
    whole = money_back.of_fee(order, left, left.fee_minor)
    available = money_back.amount_of(whole.values())
    if not available:
        raise _nothing(order, "no delivery fee was captured, or it was given back")
    if wish.amount is not None:
        _check_left(wish.amount, available)
        whole = money_back.of_fee(order, left, wish.amount.amount_minor)
    parts = money_back.together(whole)
    return _requested(order, wish, parts, as_of, shipping_minor=money_back.amount_of(parts))


def _requested(
    order: Order,
    wish: RefundWish,
    parts: Sequence[TaxPart],
    as_of: datetime,
    units: Ranges = (),
    shipping_minor: int = 0,
) -> Decision:
    number = len(order.refunds) + 1
    refund = Refund(
        refund_id=derived_id("rfd", order.order_id, str(number)),
        order_id=order.order_id,
        number=number,
        kind=wish.kind,
        state=RefundState.PENDING,
        amount_minor=money_back.amount_of(parts),
        currency=order.content.total.currency,
        shipping_minor=shipping_minor,
        units=tuple(UnitRange(*one) for one in _triples(units)),
        taxes=tuple(parts),
        reason_code=wish.reason_code,
        reason=wish.reason,
        actor=wish.actor,
        requested_at=as_of,
        point_id=wish.point_id,
    )
    text = f"{Money(refund.amount_minor, refund.currency)} are to be given back ({_WORDS[wish.kind]})."
    decision = _told(order, refund, "requested", text, as_of, wish.actor, {"reason_code": wish.reason_code})
    happening = replace(decision.happenings[0], notes={"reason": wish.reason} if wish.reason else {})
    return replace(decision, happenings=(happening,))


def _triples(units: Ranges) -> list[tuple[int, int, int]]:
    return [(one.line_number, one.from_unit, one.to_unit) for one in units]


def _told(
    order: Order,
    refund: Refund,
    what: str,
    text: str,
    at: datetime,
    actor: str,
    more: dict[str, object] | None = None,
) -> Decision:
    """The order with this refund in it, and the telling of it."""
    others = [one for one in order.refunds if one.refund_id != refund.refund_id]
    refunds = tuple(sorted([*others, refund], key=lambda one: one.number))
    facts = {
        "refund_id": refund.refund_id,
        "kind": refund.kind.value,
        "amount_minor": refund.amount_minor,
        "shipping_minor": refund.shipping_minor,
        "currency": refund.currency,
        **({"point_id": refund.point_id} if refund.point_id else {}),
        **(more or {}),
    }
    happening = Happening(f"order.refund_{what}", text, at, facts, refund_id=refund.refund_id, actor=actor)
    return Decision(replace(order, refunds=refunds, updated_at=at), (happening,))
