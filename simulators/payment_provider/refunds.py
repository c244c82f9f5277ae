"""Giving captured money back: at once, later, or, when the card was closed meanwhile, not at all."""

from simulators.payment_provider import forms, settlements
from simulators.payment_provider.amounts import amount_of
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.cards import card
from simulators.payment_provider.errors import invalid, missing
from simulators.payment_provider.news import Clock, new_id, tell
from simulators.payment_provider.profiles import Profile


class Refunds:
    """The rules. The caller holds the transaction."""

    def __init__(self, books: Books, profile: Profile, clock: Clock) -> None:
        self._books = books
        self._profile = profile
        self._clock = clock

    def create(self, params: Body) -> Body:
        """Gives back a part, or all that is left."""
        intent_id = str(params.get("payment_intent", ""))
        intent = self._books.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, "payment_intent")
        rest = intent["amount_received"] - self.refunded(intent_id)
        if rest == 0:
            raise invalid("Nothing is left to refund.", code="charge_already_refunded")
        window = self._profile.refund_window_seconds
        if window and self._clock() > intent["captured_at"] + window:
            raise invalid("The charge is too old to be refunded.", code="charge_not_refundable")
        if any(one["status"] != "won" for one in self._books.things_of("dispute", intent_id)):
            raise invalid("The charge is disputed.", code="charge_disputed")
        amount = amount_of(params["amount"], "amount", intent["currency"]) if "amount" in params else rest
        if amount > rest:
            raise invalid(
                "Refund amount is greater than the unrefunded amount on the charge.",
                code="amount_too_large",
                param="amount",
            )
        refund: Body = {
            "id": new_id("re"),
            "object": "refund",
            "amount": amount,
            "charge": intent["latest_charge"],
            "created": self._clock(),
            "currency": intent["currency"],
            "metadata": forms.text_map(params.get("metadata")),
            "payment_intent": intent_id,
            "reason": params.get("reason"),
            "status": "pending" if self._fate(intent) == "later" else "succeeded",
        }
        self._books.save_refund(refund)
        self._move("refund", refund)
        tell(self._books, self._clock(), "refund.created", refund)
        return refund

    def find(self, refund_id: str) -> Body:
        """One refund. Raises a 404."""
        refund = self._books.refund(refund_id)
        if refund is None:
            raise missing("refund", refund_id[:40], "id")
        return refund

    def conclude(self, refund_id: str, failure_reason: str = "") -> Body:
        """The bank took it, or sent it back: also one that seemed to have succeeded."""
        refund = self.find(refund_id)
        if refund["status"] == "failed":
            raise invalid("The refund has failed already.", param="id")
        refund["status"] = "failed" if failure_reason else "succeeded"
        kinds = ["refund.updated", "charge.refund.updated"]
        if failure_reason:
            refund["failure_reason"] = failure_reason
            kinds.append("refund.failed")
            self._move("refund_reversal", refund)
        self._books.save_refund(refund)
        for kind in kinds:
            tell(self._books, self._clock(), kind, refund)
        return refund

    def refunded(self, intent_id: str) -> int:
        """How much has been given back, or is on its way."""
        return sum(int(one["amount"]) for one in self._books.refunds(intent_id) if one["status"] != "failed")

    def _move(self, kind: str, refund: Body) -> None:
        of = (refund["payment_intent"], refund["currency"], self._clock())
        # The metadata name the refund, not what the bank did to it later.
        metadata = refund["metadata"] if kind == "refund" else {}
        told = settlements.movement(kind, *of, refund["amount"], metadata, refund["id"])
        self._books.add_movement(told)

    def _fate(self, intent: Body) -> str:
        saved = self._books.thing("payment_method", intent["payment_method"])
        paid_with = card(saved["token"] if saved else intent["payment_method"])
        return paid_with.refunds if paid_with else "at once"
