"""Refunds of an order: decided here, carried out by a workflow that the event of the decision starts."""

from collections.abc import Callable
from datetime import datetime

from services.orders import documents as doc
from services.orders.changing import Asked, Changes
from services.orders.domain import refunds
from services.orders.domain.model import Decision, Order, Refund, RefundWish


class Refunds(Changes):
    """One method per RPC."""

    async def request(self, asked: Asked, order_id: str, wish: RefundWish, as_of: datetime) -> Refund:
        """A new refund, pending; FailedPrecondition / NOTHING_TO_REFUND, PermissionDenied / GOODWILL_OVER_CAP."""
        return await self._refund(asked, order_id, "", lambda one: refunds.request(one, wish, as_of))

    async def record_outcome(
        self, asked: Asked, order_id: str, refund_id: str, state: str, failure: str, as_of: datetime
    ) -> Refund:
        """pending -> succeeded or failed; NotFound / REFUND_NOT_FOUND."""
        return await self._refund(
            asked,
            order_id,
            refund_id,
            lambda one: refunds.record_outcome(one, refund_id, state, failure, as_of),
        )

    async def retry(self, asked: Asked, order_id: str, refund_id: str, actor: str, as_of: datetime) -> Refund:
        """failed -> pending; FailedPrecondition / REFUND_NOT_FAILED."""
        return await self._refund(
            asked, order_id, refund_id, lambda one: refunds.retry(one, refund_id, actor, as_of)
        )

    async def _refund(
        self, asked: Asked, order_id: str, refund_id: str, decide: Callable[[Order], Decision]
    ) -> Refund:
        """The refund of this id after the decision; the newest one without an id."""

        def told(decision: Decision) -> dict[str, object]:
            found = refunds.find(decision.order, refund_id) if refund_id else decision.order.refunds[-1]
            answer: dict[str, object] = doc.to_json(doc.REFUND, found)
            return answer

        return doc.REFUND.validate_python(await self.on_order(asked, order_id, decide, told))
