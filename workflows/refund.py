"""The story of a refund: decided by orders, carried out by payments, tried again when its cause was mended."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.attention import Story
    from workflows.calls import StepFailed
    from workflows.messages import Amount, MoneyRequest, RefundAnswer, RefundInput, RefundStep

# Payments will not, whoever asks: that is the outcome.
_ANSWERS = ("REFUND_EXCEEDS_CAPTURE", "PAYMENT_NOT_FOUND")


@workflow.defn(name="RefundWorkflow")
class RefundWorkflow(Story):
    """Gives the money of one refund back, whatever has become of its order's own story."""

    @workflow.init
    def __init__(self, refund: RefundInput) -> None:
        super().__init__()
        self._refund = refund

    @workflow.run
    async def run(self, refund: RefundInput) -> str:
        """Answers the state that the refund ended in; one that failed waits for a person."""
        attempt = 1
        while True:
            answer = await self._give_back(attempt)
            state = await self._record(attempt, answer)
            if state != "failed":
                return state
            self._mark(0, answer.failure_code)
            await self._first_of("refund_retried")
            del self._happenings["refund_retried"]
            self._mark(0, "")
            attempt += 1

    async def _give_back(self, attempt: int) -> RefundAnswer:
        request = MoneyRequest(
            request_id=self._key(f"give-back/{attempt}"),
            order_id=self._refund.order_id,
            cause=f"refund/{self._refund.refund_id}",
            amount=Amount(self._refund.amount_minor, self._refund.currency),
        )
        try:
            return await self._insist_on(calls.give_back, request, unless=lambda reason: reason in _ANSWERS)
        except StepFailed as failed:
            return RefundAnswer("failed", failed.reason)

    async def _record(self, attempt: int, answer: RefundAnswer) -> str:
        step = RefundStep(
            request_id=self._key(f"outcome/{attempt}"),
            order_id=self._refund.order_id,
            refund_id=self._refund.refund_id,
            state=answer.state,
            failure=answer.failure_code,
            as_of=workflow.now().isoformat(),
        )
        return await self._insist_on(calls.record_refund, step)

    def _key(self, step: str) -> str:
        return f"{workflow.info().workflow_id}/{step}"
