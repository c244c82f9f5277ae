"""The total of an order changes after it was authorised: less is given up, more is raised.

A raise counts only once it stands, so one that is declined leaves everything as it was. The first of these that
can be had is asked for: what we gave up and the provider still holds; a raise of an authorisation; another
authorisation with means that were kept; the means that whoever asks brings.
"""

from collections.abc import Sequence
from dataclasses import replace

from kit.errors import FailedPrecondition, Unavailable
from kit.values.money import Money
from services.payments.domain import keeping, rules, sharing
from services.payments.domain.model import Kind, MeansKind, Operation, Payment, State, Status, Tender
from services.payments.domain.rules import Intent

# Why what was authorised for a raise is let go: another change came first.
WITHDRAWN = "change_withdrawn"
# Why nothing could be asked: it needs the customer, and nobody brought a means.
NO_MEANS = "no_means_for_more"

_NOT_YET = (Status.PENDING, Status.ACTION_REQUIRED, Status.DECLINED)


def check(payment: Payment, operations: Sequence[Operation]) -> None:
    """Raises PAYMENT_CLOSED, PAYMENT_NOT_AUTHORIZED, MONEY_IN_FLIGHT."""
    if payment.closing:
        raise rules.closed(payment)
    if any(one.unsettled for one in operations):
        raise Unavailable("MONEY_IN_FLIGHT", "the outcome of something before is not known yet; ask again")
    if payment.status in _NOT_YET:
        raise FailedPrecondition(
            "PAYMENT_NOT_AUTHORIZED",
            "only what is authorised can be changed",
            order_id=payment.order_id,
            status=payment.status.value,
        )


def difference(payment: Payment, operations: Sequence[Operation], total: Money) -> int:
    """By how much more the order is to be authorised to come to this total; below 0: less.

    What was captured stays: a total below it raises TOTAL_BELOW_CAPTURE. Refunds are another matter.
    """
    rules.check_currency(payment, total.currency)
    # What a till took and the order does not need was captured to be given back.
    for_nothing = sum(one.amount_minor for one in operations if one.cause == sharing.TAKEN)
    captured = payment.captured - for_nothing
    if total.amount_minor < captured:
        raise FailedPrecondition(
            "TOTAL_BELOW_CAPTURE",
            "more was captured: give it back by a refund",
            order_id=payment.order_id,
            captured_minor=captured,
            currency=payment.currency,
        )
    return total.amount_minor - captured - payment.uncaptured - sharing.lapsed(payment)


def lower(payment: Payment, amount: Money, intent: Intent) -> tuple[Payment, list[Operation]]:
    """Gives an amount up: of what providers let go first, then of the tender used last."""
    payment, rest = sharing.need_less(payment, amount)
    return payment, sharing.void(payment, [], rest, intent) if rest and rest.amount_minor else []


def take_back(payment: Payment, amount: int, intent: Intent) -> tuple[Payment, list[Operation]]:
    """Of what we gave up in our ledger only, where that is enough: nobody is asked."""
    if sum(one.given_up for one in payment.tenders) < amount:
        return payment, []
    shares = list(sharing.shares(payment.tenders, amount, lambda one: one.given_up))
    changed = [replace(tender, taken_back=tender.taken_back + share) for tender, share in shares]
    operations = [
        replace(
            rules.intend_authorize(replace(tender, amount=share), intent.part(number)),
            state=State.SUCCEEDED,
            settled_at=intent.now,
        )
        for number, (tender, share) in enumerate(shares)
    ]
    return payment.having(*changed), operations


def raisable(tender: Tender, operations: Sequence[Operation], most: int) -> bool:
    """Whether more may be authorised on it: as often as its provider allows, and before anything is captured."""
    asked = [one for one in operations if one.tender_id == tender.tender_id and one.kind is Kind.AUTHORIZE]
    # What a channel authorised may hold more than we took over; that is seen when it is asked for.
    able = tender.incremental or tender.means.kind is MeansKind.PROVIDER_AUTHORISATION
    held = tender.uncaptured > 0 and not (tender.captured or tender.provider_closed or tender.superseded)
    return able and held and len(asked) <= most


def intend_raise(tender: Tender, amount: int, intent: Intent) -> Operation:
    """The provider is asked to hold so much more on a tender."""
    return rules.intend_authorize(replace(tender, amount=amount), intent)


def off_session(payment: Payment, tender_id: str, amount: int) -> Tender | None:
    """The tender that pays more with means that were kept, without the customer; None: nothing was kept."""
    kept = keeping.kept_by(payment)
    if kept is None:
        return None
    more = keeping.off_session(kept, tender_id, last_position(payment) + 1, amount)
    return replace(more, raises=True, superseded=True)


def refuse(payment: Payment, amount: int, intent: Intent) -> Operation:
    """The record that more was asked for and nobody could be asked."""
    operation = intend_raise(payment.tenders[-1], amount, intent)
    return replace(operation, state=State.FAILED, failure_code=NO_MEANS, settled_at=intent.now)


def stand(tender: Tender, intent: Intent) -> tuple[list[Tender], list[Operation]]:
    """What follows when a raise is authorised: it counts, unless it was withdrawn meanwhile."""
    if tender.release_due:
        return [], [rules.intend_void(tender, tender.uncaptured, intent)]
    return [replace(tender, superseded=False)], []


def last_position(payment: Payment) -> int:
    """Of the tender that is used last."""
    return max(one.position for one in payment.tenders)


def brought(tender: Tender) -> bool:
    """Whether it pays more with means that whoever asked brought."""
    return tender.raises and tender.means.kind is not MeansKind.SAVED_MEANS


def declined_without_customer(payment: Payment, operation: Operation) -> bool:
    """Whether a raise was declined that no means was brought for."""
    declined = operation.kind is Kind.AUTHORIZE and operation.state is State.FAILED
    return declined and not brought(payment.tender(operation.tender_id))
