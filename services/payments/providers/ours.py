"""What providers of our own have in common: no pages, no kept means, no banks that do something later."""

from services.payments.domain.model import Operation, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.providers import BadSignature, Dispute, Page, ProviderEvent, RefundState


class OwnProvider:
    """The part of a Provider that ours have no use for; their abilities say so."""

    async def save_means(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider."""
        return failed("means_not_saved")

    async def forget_means(self, saved_means: str) -> None:
        """See Provider."""

    async def open_page(self, tender: Tender, operation: Operation, page: Page) -> Outcome:
        """See Provider."""
        return failed("no_page")

    async def refund_state(self, reference: str) -> RefundState | None:
        """See Provider. A refund is done when it is answered."""
        return None

    async def dispute(self, reference: str) -> Dispute | None:
        """See Provider."""
        return None

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """See Provider. It posts no events: whoever does is somebody else."""
        raise BadSignature

    async def close(self) -> None:
        """See Provider. There is nothing open."""
