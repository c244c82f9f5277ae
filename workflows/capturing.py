"""Taking money, for the stories that do: tried until it is there, or somebody lets it go, or nothing is due."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from workflows import calls, policies, versions
from workflows.attention import Story
from workflows.calls import StepFailed
from workflows.messages import CaptureAnswer, MoneyRequest

# What is recorded of an attempt: its name, the outcome, the provider's code, when it is tried again.
Record = Callable[[str, str, str, str], Awaitable[None]]
# The step of payments that takes it.
Take = Callable[[MoneyRequest], Awaitable[CaptureAnswer]]
_CLOSED = "PAYMENT_CLOSED"
# The authorisation has ended, or is smaller than the amount: as good as declined.
NOT_AUTHORIZED = "CAPTURE_EXCEEDS_AUTHORISATION"


class Capturing(Story):
    """A story that takes money."""

    async def _collect(
        self, request: MoneyRequest, record: Record, cancelled: str, take: Take = calls.capture
    ) -> str:
        """`captured`, `overridden` or `cancelled`. A decline is tried again on a schedule, or when somebody asks.

        `request`: without the number of the attempt in its id. `cancelled`: the event that ends it.
        """
        attempt = 0
        while True:
            attempt += 1
            self._happenings.pop("capture_retry_requested", None)
            answer = await self._try_capture(request, attempt, take)
            if answer is None:
                await self._first_of(cancelled)
                return "cancelled"
            if answer.state == "succeeded":
                await record("captured", "captured", "", "")
                return "captured"
            pause = pause_after(attempt)
            next_try_at = (workflow.now() + pause).isoformat() if pause else ""
            await record(f"capture-failed/{attempt}", "failed", answer.failure_code, next_try_at)
            decision = await self._first_of(
                cancelled, "capture_overridden", "capture_retry_requested", within=pause
            )
            if decision == cancelled:
                return "cancelled"
            if decision == "capture_overridden":
                return "overridden"
            await self._write_down()

    async def _try_capture(self, request: MoneyRequest, attempt: int, take: Take) -> CaptureAnswer | None:
        """None when the payment was closed: the order is being cancelled, and that telling will come."""
        numbered = replace(request, request_id=f"{request.request_id}/{attempt}")
        try:
            return await self._insist_on(take, numbered, unless=_is_an_answer)
        except StepFailed as failed:
            return None if failed.reason == _CLOSED else CaptureAnswer("failed", failed.reason)


def _is_an_answer(reason: str) -> bool:
    return reason == _CLOSED or (reason == NOT_AUTHORIZED and versions.knows("not-authorized-is-declined"))


def pause_after(attempt: int) -> timedelta | None:
    """None when the schedule is over: a person decides."""
    schedule = policies.CAPTURE_RETRIES
    return schedule[attempt - 1] if attempt <= len(schedule) else None
