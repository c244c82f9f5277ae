"""Cash and the card terminal of a shop: the money was taken at the till, which is the one that knows.

Nobody is asked and nothing is kept here: the till's own books are elsewhere, and its reference is on the tender.
What was taken is never let go, it is given back (`sharing.void`), and only where there is a till that does so.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.payments.domain.model import Kind, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.providers import Abilities, Authorisation
from services.payments.providers.ours import OwnProvider

CASH_NEEDS_A_TILL = "cash_needs_a_till"
CARD_NEEDS_A_TILL = "card_needs_a_till"
_FOR_GOOD = timedelta(days=36_500)


class TillProvider(OwnProvider):
    """Every till of every shop. A receipt pays one order: its id of a payment is `kind/point/reference`."""

    name = "till"
    abilities = Abilities(
        partial_capture=True,
        multi_capture=True,
        validity=_FOR_GOOD,
        key_validity=_FOR_GOOD,
        longest_validity=_FOR_GOOD,
        comparable=False,
    )

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider. It is what the till says, so it is answered the same however often it is asked."""
        match operation.kind:
            case Kind.REFUND if not operation.point_id:
                return failed(CASH_NEEDS_A_TILL if tender.means.kind is MeansKind.CASH else CARD_NEEDS_A_TILL)
            case _:
                return Outcome(State.SUCCEEDED, tender.provider_payment_id)

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """See Provider."""
        return await self.perform(tender, operation)

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """See Provider. The till's books are not here."""
        return None

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """See Provider."""
        return {}

    async def release(self, tender: Tender) -> None:
        """See Provider. Nothing is held: it was taken."""
