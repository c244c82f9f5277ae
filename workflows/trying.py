"""Goods that are tried at home: authorised for long enough, and paid once orders knows what is kept."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

from workflows import calls, policies, versions
from workflows.amending import CHANGE_TOLD
from workflows.messages import Amount, MoneyRequest, OrderStep
from workflows.planning_again import PlanningAgain

_SETTLED = "trial_settled"


class Trying(PlanningAgain):
    """A story of an order that may be tried at home."""

    if TYPE_CHECKING:
        # What the story of the order lends.
        def _step(self, name: str, detail: str = "") -> OrderStep: ...
        async def _record_capture(self, name: str, outcome: str, reason: str, next_try_at: str) -> None: ...

    def _is_tried(self) -> bool:
        return self._order.life_cycle.capture_at == "trial"

    def _needed_until(self, window_end: str) -> str:
        """How long the authorisation must last: until the promise is kept, and what is tried is settled."""
        if not self._is_tried():
            return window_end
        least = workflow.now() + policies.TRIAL_AUTHORISATION
        over = datetime.fromisoformat(window_end) + timedelta(days=self._order.life_cycle.trial_days)
        return max(least, over).isoformat()

    async def _authorised_until(self) -> str:
        """Empty where it does not matter, or the authorisation lasts for as long as it is needed."""
        return await calls.authorised_until(self._step("authorised-until")) if self._is_tried() else ""

    async def _settle_trial(self) -> None:
        """What is kept is captured, all else given up; nothing of an order that is not tried, or is cancelled."""
        if not self._is_tried() or self._is_cancelling():
            return
        while (told := await self._first_of("cancellation_requested", CHANGE_TOLD, _SETTLED)) == CHANGE_TOLD:
            await self._carry_out_changes()
        if told != _SETTLED:
            return
        await self._write_down()
        kept = self._happenings[_SETTLED].data
        amount = Amount(int(kept["amount_minor"]), str(kept["currency"]))
        cause = f"order/{self._order.order_id}"
        request = MoneyRequest(self._key("settle"), self._order.order_id, cause, amount)
        if amount.amount_minor:
            told = await self._collect(
                request, self._record_capture, "cancellation_requested", calls.settle_payment
            )
            if told == "overridden" and versions.knows("trial-let-go-is-given-up"):
                # Nobody takes it any more: the customer's bank is not to keep it until the authorisation ends.
                rest = MoneyRequest(self._key("settle/give-up"), self._order.order_id, cause)
                await self._insist_on(calls.void, rest)
        else:
            await self._insist_on(calls.settle_payment, request)
