"""A customer's bank takes a payment back: opened, money withdrawn, closed as won or lost."""

from typing import Literal

from simulators.payment_provider import settlements
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.errors import invalid, missing
from simulators.payment_provider.news import Clock, new_id, tell

Reason = Literal[
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "unrecognized",
]
_EVIDENCE_SECONDS = 9 * 86_400
_OPEN = ("needs_response", "under_review")


class Disputes:
    """The rules. The caller holds the transaction."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock

    def open(self, intent: Body, amount: int, reason: str) -> Body:
        """The bank disputes captured money, and takes it at once."""
        if not 0 < amount <= intent["amount_received"]:
            raise invalid("Only what was captured can be disputed.", param="amount")
        dispute: Body = {
            "id": new_id("dp"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [self._transaction("adjustment", -amount, intent["currency"])],
            "charge": intent["latest_charge"],
            "created": self._clock(),
            "currency": intent["currency"],
            "evidence_details": {
                "due_by": self._clock() + _EVIDENCE_SECONDS,
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": intent["id"],
            "reason": reason,
            "status": "needs_response",
        }
        self._move("chargeback", dispute)
        self._save(dispute, "created", "funds_withdrawn")
        return dispute

    def find(self, dispute_id: str) -> Body:
        """One dispute. Raises a 404."""
        dispute = self._books.thing("dispute", dispute_id)
        if dispute is None:
            raise missing("dispute", dispute_id[:40], "id")
        return dispute

    def move(self, dispute_id: str, status: Literal["under_review", "won", "lost"]) -> Body:
        """The bank looks at the evidence, or has decided: what is won comes back."""
        dispute = self.find(dispute_id)
        if dispute["status"] not in _OPEN:
            raise invalid(f"The dispute is {dispute['status']}.", param="status")
        dispute["status"] = status
        if status == "won":
            back = self._transaction("adjustment_reversal", dispute["amount"], dispute["currency"])
            dispute["balance_transactions"].append(back)
            self._move("chargeback_reversal", dispute)
        news = {"under_review": ("updated",), "won": ("closed", "funds_reinstated"), "lost": ("closed",)}
        self._save(dispute, *news[status])
        return dispute

    def _move(self, kind: str, dispute: Body) -> None:
        of = (dispute["payment_intent"], dispute["currency"], self._clock())
        told = settlements.movement(kind, *of, dispute["amount"], {}, dispute["id"])
        self._books.add_movement(told)

    def _save(self, dispute: Body, *news: str) -> None:
        self._books.save(dispute, dispute["payment_intent"])
        for one in news:
            tell(self._books, self._clock(), f"charge.dispute.{one}", dispute)

    def _transaction(self, category: str, amount: int, currency: str) -> Body:
        return {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "created": self._clock(),
            "currency": currency,
            "reporting_category": "dispute" if category == "adjustment" else "dispute_reversal",
            "type": "adjustment",
        }
