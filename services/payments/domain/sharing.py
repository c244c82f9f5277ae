"""How an amount of an order is shared over its tenders: taken in their order of use, given back in reverse.

A gift card that is used first is emptied first and given back last: what the customer paid last comes back first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from kit.errors import FailedPrecondition, InvalidArgument, Unavailable
from kit.values.money import Money
from services.payments.domain import rules, settlement
from services.payments.domain.model import AT_A_TILL, Kind, Operation, Payment, State, Status, Tender
from services.payments.domain.rules import Intent

# What is wrong with a capture of money that the provider no longer holds for us.
ENDED = "authorisation_ended"
# Why money that a till took is captured though the order does not need it.
TAKEN = "provider/taken_at_a_till"


def amounts(total: Money, asked: Sequence[Money | None]) -> list[int]:
    """What each tender is to pay of the total; one of them may leave it open and pays the rest."""
    for number, amount in enumerate(asked):
        if amount is not None:
            rules.check_amount(amount, f"tenders[{number}].amount")
            if amount.currency != total.currency:
                raise InvalidArgument(f"tenders[{number}].amount.currency", f"the order is in {total.currency}")
    said = sum(amount.amount_minor for amount in asked if amount)
    rest, open_ones = total.amount_minor - said, [n for n, amount in enumerate(asked) if amount is None]
    if len(open_ones) > 1:
        raise InvalidArgument(f"tenders[{open_ones[1]}].amount", "only one tender may pay the rest")
    if (open_ones and rest <= 0) or (not open_ones and rest != 0):
        raise InvalidArgument(
            "tenders", f"the tenders pay {said} of {total.amount_minor} {total.currency} minor units"
        )
    return [amount.amount_minor if amount else rest for amount in asked]


def capturable(payment: Payment, unsettled: Sequence[Operation]) -> int:
    """What may be captured of the order's tenders."""
    return sum(rules.capturable(one, unsettled) for one in payment.tenders)


def captures_for(cause: str, operations: Sequence[Operation]) -> list[Operation]:
    """What captured, or is capturing, for this cause."""
    return [
        one
        for one in operations
        if one.kind is Kind.CAPTURE and one.cause == cause and one.state is not State.FAILED
    ]


def lapsed(payment: Payment) -> int:
    """What the providers let go of by themselves and the order still needs."""
    return sum(one.lapsed for one in payment.tenders)


def capture(payment: Payment, operations: Sequence[Operation], amount: Money, intent: Intent) -> list[Operation]:
    """The captures that take what is missing for the intent's cause, in the tenders' order of use.

    `operations`: those that are unsettled and those of the same cause. What was captured for the cause before
    counts: where nothing is missing, that is the answer. Money that no provider holds any more fails at once.
    Raises PAID_BY_CHANNEL, PAYMENT_CLOSED, CAPTURE_EXCEEDS_AUTHORISATION, CAPTURE_IN_FLIGHT and MONEY_IN_FLIGHT.
    """
    if payment.status is Status.PAID_BY_CHANNEL:
        raise FailedPrecondition(
            "PAID_BY_CHANNEL",
            "the channel was paid: there is nothing of ours to capture",
            order_id=payment.order_id,
        )
    if payment.closing:
        raise rules.closed(payment)
    rules.check_currency(payment, amount.currency)
    before = captures_for(intent.cause, operations)
    missing = amount.amount_minor - sum(one.amount_minor for one in before)
    if missing <= 0:
        return before
    unsettled = [one for one in operations if one.unsettled]
    _check_not_raised(payment, unsettled)
    available = capturable(payment, unsettled)
    in_flight = _waiting_for_another(payment, unsettled)
    if available + lapsed(payment) < missing <= available + lapsed(payment) + in_flight:
        raise Unavailable("CAPTURE_IN_FLIGHT", "the card allows one capture and one is being made; ask again")
    if missing > available + lapsed(payment):
        raise rules.exceeds("CAPTURE_EXCEEDS_AUTHORISATION", "more than is authorised", payment, available)
    if missing > available:
        return [_ended(payment, missing, intent)]
    parts = shares(payment.tenders, missing, lambda one: rules.capturable(one, unsettled))
    return [
        rules.intend_capture(tender, unsettled, share, intent.part(number))
        for number, (tender, share) in enumerate(parts)
    ]


def need_less(payment: Payment, amount: Money | None) -> tuple[Payment, Money | None]:
    """The order needs an amount less, or nothing more: first of what providers let go by themselves.

    Answers what is left of the amount to give up. Where nothing more is needed, neither is what waits for more.
    """
    if amount is None:
        payment = payment.having(*withdrawn(payment))
    else:
        rules.check_currency(payment, amount.currency)
    left = lapsed(payment) if amount is None else amount.amount_minor
    parts = shares(reversed(payment.tenders), left, lambda one: one.lapsed)
    changed = [settlement.not_needed(tender, share) for tender, share in parts]
    if not changed:
        return payment, amount
    rest = left - (lapsed(payment) - lapsed(payment.having(*changed)))
    return payment.having(*changed), None if amount is None else Money(rest, amount.currency)


def withdrawn(payment: Payment) -> list[Tender]:
    """What waits for the customer to pay more than was authorised, as no longer wanted."""
    waiting = [one for one in payment.tenders if one.raises and one.status is Status.ACTION_REQUIRED]
    return [replace(one, release_due=True) for one in waiting]


def void(
    payment: Payment, unsettled: Sequence[Operation], amount: Money | None, intent: Intent
) -> list[Operation]:
    """What gives up the rest, or the amount, of the tender used last first: voids, and refunds of what tills took.

    Raises VOID_EXCEEDS_AUTHORISATION, MONEY_IN_FLIGHT.
    """
    _check_not_raised(payment, unsettled)
    available = capturable(payment, unsettled)
    asked = available if amount is None else amount.amount_minor
    if asked > available:
        raise rules.exceeds("VOID_EXCEEDS_AUTHORISATION", "more than is authorised", payment, available)
    parts = shares(reversed(payment.tenders), asked, lambda one: rules.capturable(one, unsettled))
    todo: list[Operation] = []
    for tender, share in parts:
        todo += _give_up(tender, share, intent.part(len(todo)), intent.part(len(todo) + 1))
    return todo


def refund(payment: Payment, unsettled: Sequence[Operation], amount: Money, intent: Intent) -> list[Operation]:
    """The refunds of an amount, the tender used last first. Raises REFUND_EXCEEDS_CAPTURE."""
    rules.check_currency(payment, amount.currency)
    available = refundable(payment, unsettled)
    if amount.amount_minor > available:
        raise rules.exceeds("REFUND_EXCEEDS_CAPTURE", "more than was captured", payment, available)
    parts = shares(reversed(payment.tenders), amount.amount_minor, lambda one: rules.refundable(one, unsettled))
    return [
        rules.intend_refund(tender, share, intent.part(number)) for number, (tender, share) in enumerate(parts)
    ]


def settle(payment: Payment, kept: Money, moving: Intent, giving_up: Intent) -> list[Operation]:
    """What brings the money to what the customer keeps, nothing being in flight: captures what is missing, refunds
    what is too much, gives the rest up.

    Raises what a capture raises.
    """
    rules.check_currency(payment, kept.currency)
    if payment.closing:
        raise rules.closed(payment)
    missing = kept.amount_minor - (payment.captured - payment.refunded - sum(one.owed for one in payment.tenders))
    todo: list[Operation] = []
    if missing > 0:
        todo = capture(payment, [], Money(missing, kept.currency), moving)
        if todo[0].state is State.FAILED:
            return todo
    elif missing < 0:
        todo = refund(payment, [], Money(-missing, kept.currency), moving)
    return _together(todo + void(payment, todo, None, giving_up))


def refundable(payment: Payment, unsettled: Sequence[Operation]) -> int:
    """What may be given back of the order's tenders."""
    return sum(rules.refundable(one, unsettled) for one in payment.tenders)


def unwind(
    payment: Payment, unsettled: Sequence[Operation], voiding: Intent, refunding: Intent
) -> list[Operation]:
    """What is left to do to undo a payment: void the rest, give back what was captured."""
    todo = void(payment, unsettled, None, voiding)
    if back := refundable(payment, unsettled):
        todo += refund(payment, unsettled, Money(back, payment.currency), refunding)
    return todo


def give_up(payment: Payment, unsettled: Sequence[Operation], intent: Intent) -> list[Operation]:
    """What gives up what other tenders hold for a payment that was declined: all tenders pay, or none does."""
    if payment.status is not Status.DECLINED:
        return []
    return void(payment, unsettled, None, intent)


def _give_up(tender: Tender, amount: int, first: Intent, second: Intent) -> list[Operation]:
    """A till took the money: it cannot let go of it, so it is booked as taken, and is to be given back."""
    if tender.means.kind not in AT_A_TILL:
        return [rules.intend_void(tender, amount, first)]
    taken = rules.intend_capture(tender, [], amount, replace(first, cause=TAKEN))
    taken = replace(taken, state=State.SUCCEEDED, settled_at=first.now, final=False)
    return [taken, rules.intend_refund(tender, amount, second)]


def _together(operations: Sequence[Operation]) -> list[Operation]:
    """One request makes one operation of a kind on a tender: what a till took, kept or not, is one capture."""
    found: dict[tuple[str, Kind], Operation] = {}
    for one in operations:
        before = found.get((one.tender_id, one.kind))
        if before:
            total = before.amount_minor + one.amount_minor
            one = replace(one, operation_id=before.operation_id, amount_minor=total)
        found[one.tender_id, one.kind] = one
    return list(found.values())


def _waiting_for_another(payment: Payment, unsettled: Sequence[Operation]) -> int:
    """What tenders hold beyond the only capture that they allow, while that is being made."""
    return sum(
        one.uncaptured - rules.reserved(one, unsettled, Kind.CAPTURE, Kind.VOID)
        for one in payment.tenders
        if not one.multi_capture and not one.provider_closed and rules.reserved(one, unsettled, Kind.CAPTURE)
    )


def _check_not_raised(payment: Payment, unsettled: Sequence[Operation]) -> None:
    """While it is not known how much is held, neither its last capture nor its end can be decided."""
    for one in unsettled:
        tender = payment.tender(one.tender_id)
        if one.kind is Kind.AUTHORIZE and (tender.raises or tender.authorized):
            raise Unavailable("MONEY_IN_FLIGHT", "more is being authorised; ask again")


def _ended(payment: Payment, missing: int, intent: Intent) -> Operation:
    tender = next(one for one in payment.tenders if one.lapsed)
    operation = rules.intend_capture(replace(tender, provider_closed=False), [], missing, intent)
    return replace(operation, state=State.FAILED, failure_code=ENDED, settled_at=intent.now, final=False)


def shares(tenders: Iterable[Tender], amount: int, room: Callable[[Tender], int]) -> Iterator[tuple[Tender, int]]:
    """What each tender, in this order, gives of an amount, having room for so much."""
    for tender in tenders:
        share = min(amount, room(tender))
        if share > 0:
            yield tender, share
            amount -= share
