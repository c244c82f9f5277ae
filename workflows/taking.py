"""What a customer takes along while the rest is sent: held and paid with the order, gone with its acceptance.

Until then a decline or missing stock refuses the whole order; afterwards nothing of this is undone any more.
"""

from collections.abc import Sequence
from dataclasses import replace

from temporalio import workflow

from workflows import calls
from workflows.attention import Story
from workflows.calls import StepFailed
from workflows.capturing import NOT_AUTHORIZED
from workflows.messages import Hold, HoldChange, MoneyRequest, OrderInput, Shortfall


class Declined(Exception):
    """The money of what is taken along could not be captured."""


class Taking(Story):
    """A story some of whose units leave a store at once."""

    async def _sell(self, order: OrderInput, paid_by_channel: bool) -> str:
        """What became of the money of what is taken along; empty when it is nothing. Raises Declined."""
        taken = order.taken
        if taken is None:
            return ""
        if paid_by_channel or not taken.amount.amount_minor:
            return "not_needed"
        # A lost task would authorise once more, and meet a payment that is captured already.
        await self._write_down()
        request = MoneyRequest(_key("sell"), order.order_id, _cause(order), taken.amount, taken.point_id)
        try:
            answer = await calls.capture(request)
        except StepFailed as failed:
            if failed.reason == NOT_AUTHORIZED:
                raise Declined(failed.reason) from failed
            raise
        if answer.state != "succeeded":
            raise Declined(answer.failure_code or answer.state)
        return "captured"

    async def _let_go(self, order: OrderInput) -> None:
        """The units are out of the store, and out of its stock."""
        request = HoldChange(
            _key("let-go"), order.order_id, holds_of(order), _cause(order), workflow.now().isoformat()
        )
        await self._insist_on(calls.issue_stock, request)

    async def _void_rest(self, order: OrderInput) -> None:
        """What of the money is not taken yet. What was taken of the rest, orders gives back as a refund."""
        await self._insist_on(calls.void, MoneyRequest(_key("void-rest"), order.order_id, "the rest is cancelled"))


def holds_of(order: OrderInput) -> list[Hold]:
    """What is taken along, at its store."""
    taken = order.taken
    return [Hold(line.sku, taken.point_id, line.quantity) for line in taken.lines] if taken else []


def lacks(order: OrderInput, shortfalls: Sequence[Shortfall]) -> bool:
    """Whether the store has less than is taken along: no other place can help."""
    wanted = _quantities(order)
    return any(one.available < wanted.get((one.sku, one.point_id), 0) for one in shortfalls)


def beside(order: OrderInput, shortfalls: Sequence[Shortfall]) -> list[Shortfall]:
    """The true figures for what is sent: without what is taken along."""
    wanted = _quantities(order)
    return [replace(one, free=max(0, one.free - wanted.get((one.sku, one.point_id), 0))) for one in shortfalls]


def _quantities(order: OrderInput) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for one in holds_of(order):
        found[one.sku, one.point_id] = found.get((one.sku, one.point_id), 0) + one.quantity
    return found


def _cause(order: OrderInput) -> str:
    return f"receipt/{order.order_id}"


def _key(step: str) -> str:
    return f"{workflow.info().workflow_id}/{step}"
