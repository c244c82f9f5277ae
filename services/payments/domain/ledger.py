"""The double-entry ledger: which accounts an operation moves. Entries of one operation sum to zero.

    authorise   debit  provider/{p}/authorized         credit order/{id}/authorized
    void        debit  order/{id}/voided               credit provider/{p}/authorized
    capture     debit  order/{id}/drawn                credit provider/{p}/authorized
                debit  provider/{p}/receivable         credit order/{id}/captured
    refund      debit  order/{id}/refunded             credit provider/{p}/receivable
    chargeback  debit  order/{id}/disputed             credit provider/{p}/receivable
    reversal    of a refund or a chargeback: the same with the sides exchanged
    paid by channel       debit channel/{c}/receivable       credit order/{id}/paid_by_channel
    asked of the channel  debit order/{id}/asked_of_channel  credit channel/{c}/receivable

So `provider/{p}/authorized` is what may still be captured there, `provider/{p}/receivable` what the provider owes
us, and each total of a tender is the balance of one account of its order, over the operations of that tender:
`TOTALS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.payments.domain.model import Kind, Operation, Tender


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: positive is a debit, negative a credit, in minor units."""

    account: str
    amount_minor: int
    currency: str


# Total of a tender -> (suffix of the order's account, sign of its balance).
TOTALS = {
    "authorized": ("authorized", -1),
    "captured": ("captured", -1),
    "voided": ("voided", 1),
    "refunded": ("refunded", 1),
    "disputed": ("disputed", 1),
    "paid_by_channel": ("paid_by_channel", -1),
    "asked_of_channel": ("asked_of_channel", 1),
}


def entries_of(tender: Tender, operation: Operation) -> Sequence[Entry]:
    """The entries of an operation that succeeded."""
    order = f"order/{operation.order_id}"
    held = f"provider/{operation.provider}/authorized"
    owed = f"provider/{operation.provider}/receivable"
    channel = f"channel/{tender.channel_id}/receivable"
    by_channel = tender.by_channel
    match operation.kind:
        case Kind.AUTHORIZE if by_channel:
            pairs = [(channel, f"{order}/paid_by_channel")]
        case Kind.REFUND if by_channel:
            pairs = [(f"{order}/asked_of_channel", channel)]
        case Kind.AUTHORIZE:
            pairs = [(held, f"{order}/authorized")]
        case Kind.SAVE_MEANS:
            pairs = []
        case Kind.VOID:
            pairs = [(f"{order}/voided", held)]
        case Kind.CAPTURE:
            pairs = [(f"{order}/drawn", held), (owed, f"{order}/captured")]
        case Kind.REFUND:
            pairs = [(f"{order}/refunded", owed)]
        case Kind.REFUND_REVERSAL:
            pairs = [(owed, f"{order}/refunded")]
        case Kind.CHARGEBACK:
            pairs = [(f"{order}/disputed", owed)]
        case Kind.CHARGEBACK_REVERSAL:
            pairs = [(owed, f"{order}/disputed")]
    amount, currency = operation.amount_minor, operation.currency
    return [
        entry
        for debit, credit in pairs
        for entry in (Entry(debit, amount, currency), Entry(credit, -amount, currency))
    ]
