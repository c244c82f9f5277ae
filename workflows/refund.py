"""The story of a refund: decided by orders, carried out by payments, tried again when its cause was mended."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls, policies
    from workflows.attention import Story
    from workflows.calls import StepFailed
    from workflows.messages import Amount, MoneyRequest, RefundAnswer, RefundInput, RefundLook, RefundStep

# Payments will not, whoever asks: that is the outcome.
_ANSWERS = ("REFUND_EXCEEDS_CAPTURE", "PAYMENT_NOT_FOUND")


@workflow.defn(name="RefundWorkflow")
class RefundWorkflow(Story):
    """Gives the money of one refund back, whatever has become of its order's own story."""

    @workflow.init
    def __init__(self, refund: RefundInput) -> None:
        super().__init__()
        self._refund = refund
        # Payments did not even begin: there is nothing of it to look at.
        self._is_refused = False

    @workflow.run
    async def run(self, refund: RefundInput) -> str:
        """Answers the state that the refund ended in; one that failed waits for a person."""
        attempt = 1
        answer = await self._give_back(attempt)
        while (state := await self._record(attempt, answer)) == "failed":
            self._mark(0, answer.failure_code)
            retry = bool(await self._first_of("refund_retried", within=policies.REFUND_LOOK))
            self._happenings.pop("refund_retried", None)
            await self._write_down()
            attempt += 1
            answer = await self._give_back(attempt) if self._is_refused else await self._look(attempt, retry=retry)
        self._mark(0, "")
        return state

    async def _look(self, attempt: int, *, retry: bool) -> RefundAnswer:
        """What could not be given back is a task of payments: somebody may have done it another way."""
        request = RefundLook(self._key(f"look/{attempt}"), self._refund.order_id, self._cause, retry)
        return await self._insist_on(calls.look_at_refund, request)

    @property
    def _cause(self) -> str:
        return f"refund/{self._refund.refund_id}"

    async def _give_back(self, attempt: int) -> RefundAnswer:
        request = MoneyRequest(
            request_id=self._key(f"give-back/{attempt}"),
            order_id=self._refund.order_id,
            cause=self._cause,
            amount=Amount(self._refund.amount_minor, self._refund.currency),
            point_id=self._refund.point_id,
        )
        self._is_refused = False
        try:
            return await self._insist_on(calls.give_back, request, unless=lambda reason: reason in _ANSWERS)
        except StepFailed as failed:
            self._is_refused = True
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
