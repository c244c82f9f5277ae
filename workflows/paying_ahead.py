"""Money of an order that waits longer than an authorisation holds: a means is kept, charged before the release.

A decline is tried again on the schedule of captures; then the orders service holds the order, until the customer
has paid in another way, somebody lets it go, or its deadline has come. Nothing is released meanwhile.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

from workflows import calls, policies
from workflows.amending import CHANGE_TOLD
from workflows.attention import Story
from workflows.calls import StepFailed
from workflows.capturing import pause_after
from workflows.messages import (
    AuthorisationStep,
    OrderInput,
    OrderStep,
    PaymentDue,
    Plan,
    SavedMeansRequest,
)

# Another attempt stands: the customer is paying by a link, or has just paid.
_ANOTHER = "PAYMENT_EXISTS"
_CLOSED = "PAYMENT_CLOSED"
_LINK_WAITS = "waits_for_the_customer"


class PayingAhead(Story):
    """A story whose money may come long after its acceptance."""

    if TYPE_CHECKING:
        _order: OrderInput
        _promised_until: str

        def _next_key(self, step: str) -> str: ...
        def _is_cancelling(self) -> bool: ...
        async def _carry_out_changes(self) -> None: ...
        async def _unwind_payment(self) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self._is_kept = False

    def _may_be_kept(self, order: OrderInput, plan: Plan) -> bool:
        """Whether all of it is prepared later, and one card is to pay. Payments knows whether that is too late."""
        # What meets at a hub is begun at once: its parcels must be there in time.
        if order.tender.kind != "payment_method" or order.first or order.taken or plan.onward:
            return False
        waiting = [
            leg.latest_start or leg.hand_over_from for leg in plan.legs if leg.hand_over_from or order.booking_id
        ]
        is_all = bool(waiting) and len(waiting) == len(plan.legs)
        is_taken_later = order.life_cycle.capture_at not in ("order", "trial")
        return is_all and is_taken_later and all(_is_to_come(one) for one in waiting)

    async def _pay_ahead(self) -> bool:
        """Authorised, or let go by somebody; False when the order is cancelled meanwhile."""
        await self._until_due()
        attempt = 0
        while not self._is_cancelling():
            attempt += 1
            declined = await self._charge_kept()
            told = await self._after_decline(attempt, declined) if declined else "authorized"
            if told == "authorized":
                return await self._record_payment(told)
            if told == "holds_ended":
                # Somebody decided that it goes on. Perhaps because there is money by now.
                declined = await self._charge_kept()
                return await self._record_payment("let_go" if declined else "authorized")
        return False

    async def _until_due(self) -> None:
        """The orders service knows the dates of what the order waits for."""
        earlier = policies.AUTHORISE_SPREAD * workflow.random().random()
        while not self._is_cancelling():
            self._happenings.pop("wait_changed", None)
            begin = (await self._look_at_due()).authorise_from
            wait = datetime.fromisoformat(begin) - earlier - workflow.now() if begin else None
            if wait is not None and wait <= timedelta(0):
                return
            await self._first_of("cancellation_requested", CHANGE_TOLD, "wait_changed", within=wait)
            # It may be another order by then, that begins earlier.
            await self._carry_out_changes()

    async def _charge_kept(self) -> str:
        """Why it is declined; empty when it is authorised."""
        # A lost task would charge what the order came to by then, under the same key.
        await self._write_down()
        if not self._order.total.amount_minor:
            # What is left of it is free: nothing is charged, and nothing kept.
            await self._unwind_payment()
            return ""
        request = SavedMeansRequest(
            request_id=self._next_key("authorize-kept"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            amount=self._order.total,
            needed_until=self._promised_until,
        )
        try:
            answer = await self._insist_on(calls.authorize_saved, request, unless=(_ANOTHER, _CLOSED).__contains__)
        except StepFailed as failed:
            return _LINK_WAITS if failed.reason == _ANOTHER else failed.reason
        return "" if answer.status == "authorized" else answer.decline_code or answer.status

    async def _after_decline(self, attempt: int, code: str) -> str:
        """`authorized`, `holds_ended` when somebody let it go, or empty: it is time to try again."""
        pause = pause_after(attempt)
        next_try_at = (workflow.now() + pause).isoformat() if pause else ""
        await self._record_payment("declined", code, next_try_at)
        if pause:
            return await self._told("authorized", within=pause)
        while (told := await self._told("authorized", "holds_ended")) == "holds_ended":
            self._happenings.pop(told)
            if not (await self._look_at_due()).held:
                break
        return told

    async def _told(self, *kinds: str, within: timedelta | None = None) -> str:
        """The first of these kinds of event, or a cancellation; changes are carried out meanwhile."""
        end = workflow.now() + within if within is not None else None
        while True:
            left = max(end - workflow.now(), timedelta(0)) if end else None
            told = await self._first_of("cancellation_requested", *kinds, CHANGE_TOLD, within=left)
            if told != CHANGE_TOLD:
                return told
            await self._carry_out_changes()

    async def _look_at_due(self) -> PaymentDue:
        key = self._next_key("payment-due")
        step = OrderStep(key, self._order.order_id, workflow.now().isoformat())
        return await self._insist_on(calls.payment_due, step)

    async def _record_payment(self, outcome: str, reason: str = "", next_try_at: str = "") -> bool:
        """Whether the order stands: the orders service may have been told of a cancellation first."""
        self._is_kept = outcome == "declined"
        step = AuthorisationStep(
            request_id=self._next_key("payment"),
            order_id=self._order.order_id,
            outcome=outcome,
            as_of=workflow.now().isoformat(),
            reason=reason,
            next_try_at=next_try_at,
        )
        return await self._insist_on(calls.record_authorisation, step) == "VALIDATED"


def _is_to_come(instant: str) -> bool:
    return bool(instant) and datetime.fromisoformat(instant) > workflow.now()
