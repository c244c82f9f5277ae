"""Steps that payments answers. An answer that is not known yet is asked for again."""

from contextlib import suppress
from typing import Any

import grpc
from temporalio import activity

from kit.errors import FailedPrecondition, Unavailable
from oms.payments.v1 import payments_service_pb2 as pb
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.refund_operations import RefundOperations
from workflows.activities.translate import (
    CALL_SECONDS,
    PROVIDER_CALL_SECONDS,
    instant,
    instant_or_none,
    money,
    text_or_empty,
)
from workflows.messages import (
    AmountChange,
    AuthorizeRequest,
    CaptureAnswer,
    MoneyRequest,
    OrderStep,
    PaymentAnswer,
    RefundAnswer,
    RefundLook,
    SavedMeansRequest,
    Tender,
)

_ACTOR = "workflows"
_TENDER_FIELDS = {
    "payment_method": "payment_method_token",
    "provider_authorisation": "provider_authorisation_id",
    "paid_by_channel": "paid_by_channel_reference",
    "stored_value": "stored_value_code",
}
_AT_A_TILL = ("cash", "till_card")


class PaymentActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PaymentsServiceStub(channel)

    @activity.defn
    async def authorize(self, request: AuthorizeRequest) -> PaymentAnswer:
        """Authorize."""
        reply = await self._stub.Authorize(
            pb.AuthorizeRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                amount=money(request.amount),
                tender=None if request.first else _tender(request.tender),
                tenders=_tenders(request) if request.first else [],
                save_means=request.save_means,
                needed_until=instant_or_none(request.needed_until),
                cause="placement",
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        payment = reply.payment
        return _answer(payment.status, payment.next_action_url, payment.decline_code)

    @activity.defn
    async def save_means(self, request: AuthorizeRequest) -> PaymentAnswer:
        """SaveMeans; authorised at once where that holds for as long as it is needed."""
        reply = await self._stub.SaveMeans(
            pb.SaveMeansRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                amount=money(request.amount),
                tender=_tender(request.tender),
                needed_until=instant_or_none(request.needed_until),
                cause="placement",
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        payment = reply.payment
        return _answer(payment.status, payment.next_action_url, payment.decline_code)

    @activity.defn
    async def authorize_saved(self, request: SavedMeansRequest) -> PaymentAnswer:
        """Authorize, with the means that were kept."""
        reply = await self._stub.Authorize(
            pb.AuthorizeRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                amount=money(request.amount),
                needed_until=instant_or_none(request.needed_until),
                cause="release",
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        payment = reply.payment
        return _answer(payment.status, payment.next_action_url, payment.decline_code)

    @activity.defn
    async def change_amount(self, request: AmountChange) -> PaymentAnswer:
        """ChangeAmount."""
        reply = await self._stub.ChangeAmount(
            pb.ChangeAmountRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                total=money(request.total),
                means=_link(request.link_until) if request.link_until else None,
                cause=request.cause,
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        return _answer(reply.status, reply.next_action_url, reply.decline_code)

    @activity.defn
    async def capture(self, request: MoneyRequest) -> CaptureAnswer:
        """Capture."""
        reply = await self._stub.Capture(
            pb.CaptureRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                amount=money(request.amount) if request.amount else None,
                cause=request.cause,
                actor=_ACTOR,
                point_id=request.point_id,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        state = pb.OperationState.Name(reply.operation.state).removeprefix("OPERATION_STATE_").lower()
        if state not in ("succeeded", "failed"):
            raise Unavailable("CAPTURE_PENDING", "the provider's answer is not known yet")
        return CaptureAnswer(state, reply.operation.failure_code)

    @activity.defn
    async def settle_payment(self, request: MoneyRequest) -> CaptureAnswer:
        """Settle. What was there already succeeded before."""
        assert request.amount is not None, "what is kept is an amount"
        reply = await self._stub.Settle(
            pb.SettleRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                kept=money(request.amount),
                cause=request.cause,
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        if not reply.HasField("operation"):
            return CaptureAnswer("succeeded")
        state = pb.OperationState.Name(reply.operation.state).removeprefix("OPERATION_STATE_").lower()
        if state not in ("succeeded", "failed"):
            raise Unavailable("CAPTURE_PENDING", "the provider's answer is not known yet")
        return CaptureAnswer(state, reply.operation.failure_code)

    @activity.defn
    async def authorised_until(self, request: OrderStep) -> str:
        """GetPayment."""
        asked = pb.GetPaymentRequest(order_id=request.order_id)
        payment = (await self._stub.GetPayment(asked, timeout=CALL_SECONDS)).payment
        return text_or_empty(payment, "sure_until")

    @activity.defn
    async def void(self, request: MoneyRequest) -> bool:
        """Void. False where an authorisation has ended: less is held than there is to give up."""
        try:
            await self._stub.Void(
                pb.VoidRequest(
                    request_id=request.request_id,
                    order_id=request.order_id,
                    amount=money(request.amount) if request.amount else None,
                    cause=request.cause,
                    actor=_ACTOR,
                ),
                timeout=PROVIDER_CALL_SECONDS,
            )
        except FailedPrecondition as refusal:
            if refusal.reason != "VOID_EXCEEDS_AUTHORISATION":
                raise
            return False
        return True

    @activity.defn
    async def refund(self, request: MoneyRequest) -> bool:
        """Refund, until its outcome is known; what is refused for good is a person's task at payments."""
        reply = await self._stub.Refund(
            pb.RefundRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                amount=money(request.amount) if request.amount else None,
                cause=request.cause,
                actor=_ACTOR,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        if reply.operation.state not in (pb.OPERATION_STATE_SUCCEEDED, pb.OPERATION_STATE_FAILED):
            raise Unavailable("REFUND_PENDING", "the provider's answer is not known yet")
        return True

    @activity.defn
    async def give_back(self, request: MoneyRequest) -> RefundAnswer:
        """Refund, until its outcome is known; that it cannot be had is an outcome too.

        What payments gave back in another way at once (a credit note) was given back.
        """
        reply = await self._stub.Refund(
            pb.RefundRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                amount=money(request.amount) if request.amount else None,
                cause=request.cause,
                actor=_ACTOR,
                point_id=request.point_id,
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        state = pb.OperationState.Name(reply.operation.state).removeprefix("OPERATION_STATE_").lower()
        if state not in ("succeeded", "failed"):
            raise Unavailable("REFUND_PENDING", "the provider's answer is not known yet")
        if state == "failed":
            return (await self._operations(request.order_id, request.cause)).outcome()
        return RefundAnswer(state)

    @activity.defn
    async def look_at_refund(self, request: RefundLook) -> RefundAnswer:
        """GetPayment and ListTasks; before, if it is to be tried again, ResolveTask of what is open."""
        found = await self._operations(request.order_id, request.cause)
        if request.retry:
            for task in found.open_tasks():
                await self._retry(task, request)
            found = await self._operations(request.order_id, request.cause)
        return found.outcome()

    async def _operations(self, order_id: str, cause: str) -> RefundOperations:
        asked = pb.GetPaymentRequest(order_id=order_id)
        payment = (await self._stub.GetPayment(asked, timeout=CALL_SECONDS)).payment
        listed = pb.ListTasksRequest(order_id=order_id, page=types.PageRequest(size=500))
        tasks = (await self._stub.ListTasks(listed, timeout=CALL_SECONDS)).tasks
        return RefundOperations(cause, payment.operations, tasks)

    async def _retry(self, task: pb.Task, request: RefundLook) -> None:
        with suppress(FailedPrecondition):  # by somebody else meanwhile: the next look tells how
            await self._stub.ResolveTask(
                pb.ResolveTaskRequest(
                    request_id=f"{request.request_id}/{task.task_id}",
                    task_id=task.task_id,
                    resolution=pb.TASK_RESOLUTION_RETRY,
                    actor=_ACTOR,
                ),
                timeout=PROVIDER_CALL_SECONDS,
            )

    @activity.defn
    async def unwind_payment(self, request: MoneyRequest) -> bool:
        """Unwind, until it is complete."""
        reply = await self._stub.Unwind(
            pb.UnwindRequest(
                request_id=request.request_id, order_id=request.order_id, cause=request.cause, actor=_ACTOR
            ),
            timeout=PROVIDER_CALL_SECONDS,
        )
        if not reply.complete:
            raise Unavailable("UNWIND_PENDING", "the provider's answer is not known yet")
        return True


def _answer(status: pb.PaymentStatus.ValueType, next_action_url: str, decline_code: str) -> PaymentAnswer:
    name = pb.PaymentStatus.Name(status).removeprefix("PAYMENT_STATUS_").lower()
    if name == "pending":
        raise Unavailable("PAYMENT_PENDING", "the provider's answer is not known yet")
    return PaymentAnswer(name, next_action_url, decline_code)


def _link(until: str) -> pb.Tender:
    return pb.Tender(payment_link=pb.PaymentLink(expires_at=instant(until)))


def _tenders(request: AuthorizeRequest) -> list[pb.TenderPart]:
    first = [pb.TenderPart(tender=_tender(one.tender), amount=money(one.amount)) for one in request.first]
    return [*first, pb.TenderPart(tender=_tender(request.tender))]


def _tender(tender: Tender) -> pb.Tender:
    values: dict[str, Any] = {"customer_ref": tender.customer_ref}
    if tender.kind in _AT_A_TILL:
        values[tender.kind] = pb.TillReceipt(reference=tender.reference, point_id=tender.point_id)
    else:
        values[_TENDER_FIELDS[tender.kind]] = tender.reference
    return pb.Tender(**values)
