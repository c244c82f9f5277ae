"""PaymentsService over gRPC: translation only."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from kit import times
from kit.errors import InvalidArgument
from kit.telemetry import about_order
from kit.values.money import Money
from oms.payments.v1 import payments_service_pb2 as pb
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceServicer
from oms.type.v1 import type_pb2
from services.payments import commands
from services.payments.checking import Difference
from services.payments.domain.links import LinkState
from services.payments.domain.model import Kind, Means, MeansKind, Operation, Payment, State, Status, Tender
from services.payments.domain.movement import Movement, Statement
from services.payments.domain.tasks import Resolution, Task, TaskKind
from services.payments.filters import read_filter
from services.payments.paging import LARGEST_SWEEP, SWEEP, bounded, cursor_at, filter_of, page_size, read_cursor
from services.payments.service import PaymentsService

T = TypeVar("T")

_STATUS = {
    Status.PENDING: pb.PAYMENT_STATUS_PENDING,
    Status.ACTION_REQUIRED: pb.PAYMENT_STATUS_ACTION_REQUIRED,
    Status.SAVED: pb.PAYMENT_STATUS_SAVED,
    Status.AUTHORIZED: pb.PAYMENT_STATUS_AUTHORIZED,
    Status.DECLINED: pb.PAYMENT_STATUS_DECLINED,
    Status.PAID_BY_CHANNEL: pb.PAYMENT_STATUS_PAID_BY_CHANNEL,
    Status.EXPIRED: pb.PAYMENT_STATUS_EXPIRED,
    Status.CLOSED: pb.PAYMENT_STATUS_CLOSED,
}
_KIND = {
    Kind.SAVE_MEANS: pb.OPERATION_KIND_SAVE_MEANS,
    Kind.AUTHORIZE: pb.OPERATION_KIND_AUTHORIZE,
    Kind.CAPTURE: pb.OPERATION_KIND_CAPTURE,
    Kind.VOID: pb.OPERATION_KIND_VOID,
    Kind.REFUND: pb.OPERATION_KIND_REFUND,
    Kind.REFUND_REVERSAL: pb.OPERATION_KIND_REFUND_REVERSAL,
    Kind.CHARGEBACK: pb.OPERATION_KIND_CHARGEBACK,
    Kind.CHARGEBACK_REVERSAL: pb.OPERATION_KIND_CHARGEBACK_REVERSAL,
}
_STATE = {
    State.INTENDED: pb.OPERATION_STATE_INTENDED,
    State.SUCCEEDED: pb.OPERATION_STATE_SUCCEEDED,
    State.FAILED: pb.OPERATION_STATE_FAILED,
    State.UNKNOWN: pb.OPERATION_STATE_UNKNOWN,
    State.ACTION_REQUIRED: pb.OPERATION_STATE_ACTION_REQUIRED,
}
_LINK = {
    LinkState.OPEN: pb.PAYMENT_LINK_STATE_OPEN,
    LinkState.PAID: pb.PAYMENT_LINK_STATE_PAID,
    LinkState.EXPIRED: pb.PAYMENT_LINK_STATE_EXPIRED,
    LinkState.CANCELLED: pb.PAYMENT_LINK_STATE_CANCELLED,
}
_TASK_KIND = {TaskKind.REFUND_FAILED: pb.TASK_KIND_REFUND_FAILED, TaskKind.DISPUTE: pb.TASK_KIND_DISPUTE}
_RESOLUTION = {
    Resolution.RETRY: pb.TASK_RESOLUTION_RETRY,
    Resolution.CREDIT_NOTE: pb.TASK_RESOLUTION_CREDIT_NOTE,
    Resolution.BY_HAND: pb.TASK_RESOLUTION_BY_HAND,
    Resolution.ANSWERED: pb.TASK_RESOLUTION_ANSWERED,
    Resolution.ACCEPTED: pb.TASK_RESOLUTION_ACCEPTED,
    Resolution.WON: pb.TASK_RESOLUTION_WON,
    Resolution.LOST: pb.TASK_RESOLUTION_LOST,
}
_RESOLUTION_BACK = {int(number): resolution for resolution, number in _RESOLUTION.items()}


class PaymentsRpc(PaymentsServiceServicer):
    """One method per RPC of the proto."""

    def __init__(self, service: PaymentsService) -> None:
        self._service = service
        self._checking = service.checking
        self._tasks = service.tasks
        self._history = service.history

    async def SaveMeans(self, request: pb.SaveMeansRequest, context: object) -> pb.SaveMeansResponse:
        with about_order(request.order_id):
            part = _part("tender", request.tender)
            asked = replace(_authorize(request, [part]), needed_until=times.field_or_none(request, "needed_until"))
            statement = await self._service.save_means(asked)
        return pb.SaveMeansResponse(payment=_payment_proto(statement))

    async def Authorize(self, request: pb.AuthorizeRequest, context: object) -> pb.AuthorizeResponse:
        with about_order(request.order_id):
            asked = replace(
                _authorize(request, _tenders(request)),
                save_means=request.save_means,
                needed_until=times.field_or_none(request, "needed_until"),
            )
            statement = await self._service.authorize(asked)
        return pb.AuthorizeResponse(payment=_payment_proto(statement))

    async def ChangeAmount(self, request: pb.ChangeAmountRequest, context: object) -> pb.ChangeAmountResponse:
        with about_order(request.order_id):
            change = await self._service.change_amount(
                commands.ChangeAmount(
                    request_id=request.request_id,
                    order_id=request.order_id,
                    total=_money(request.total),
                    means=_part("means", request.means) if request.HasField("means") else None,
                    cause=request.cause,
                    actor=request.actor,
                )
            )
        return pb.ChangeAmountResponse(
            status=_STATUS[change.status],
            next_action_url=change.next_action_url,
            decline_code=change.decline_code,
            operations=[_operation_proto(one) for one in change.operations],
        )

    async def Capture(self, request: pb.CaptureRequest, context: object) -> pb.CaptureResponse:
        with about_order(request.order_id):
            done = await self._service.capture(_move(request))
        return pb.CaptureResponse(operation=_operation_proto(done.decisive), operations=_all(done))

    async def Void(self, request: pb.VoidRequest, context: object) -> pb.VoidResponse:
        with about_order(request.order_id):
            done = await self._service.void(_move(request))
        if done is None:
            return pb.VoidResponse()
        return pb.VoidResponse(operation=_operation_proto(done.decisive), operations=_all(done))

    async def Refund(self, request: pb.RefundRequest, context: object) -> pb.RefundResponse:
        with about_order(request.order_id):
            done = await self._service.refund(_move(request))
        return pb.RefundResponse(operation=_operation_proto(done.decisive), operations=_all(done))

    async def Settle(self, request: pb.SettleRequest, context: object) -> pb.SettleResponse:
        with about_order(request.order_id):
            done = await self._service.settle(
                commands.Settle(
                    request.request_id, request.order_id, _money(request.kept), request.cause, request.actor
                )
            )
        if done is None:
            return pb.SettleResponse()
        return pb.SettleResponse(operation=_operation_proto(done.decisive), operations=_all(done))

    async def SendPaymentLink(
        self, request: pb.SendPaymentLinkRequest, context: object
    ) -> pb.SendPaymentLinkResponse:
        with about_order(request.order_id):
            tender = await self._service.send_link(
                commands.SendLink(
                    request.request_id, request.order_id, request.lifetime_seconds, request.cause, request.actor
                )
            )
        return pb.SendPaymentLinkResponse(tender=_tender_proto(tender))

    async def OpenPaymentLink(
        self, request: pb.OpenPaymentLinkRequest, context: object
    ) -> pb.OpenPaymentLinkResponse:
        opened = await self._service.links.open(request.token)
        return pb.OpenPaymentLinkResponse(state=_LINK[opened.state], url=opened.url)

    async def ListTasks(self, request: pb.ListTasksRequest, context: object) -> pb.ListTasksResponse:
        is_open = filter_of("state", request.state, {pb.TASK_STATE_OPEN: True, pb.TASK_STATE_RESOLVED: False})
        size = page_size(request.page.size)
        rows, more = await self._tasks.list_tasks(
            request.order_id, is_open, read_cursor(request.page.cursor), size
        )
        cursor = cursor_at(rows[-1].opened_at, rows[-1].task_id) if more else ""
        return pb.ListTasksResponse(
            tasks=[_task_proto(one) for one in rows], page=type_pb2.PageInfo(next_cursor=cursor)
        )

    async def ResolveTask(self, request: pb.ResolveTaskRequest, context: object) -> pb.ResolveTaskResponse:
        task = await self._tasks.resolve(
            commands.Resolve(
                request_id=request.request_id,
                task_id=request.task_id,
                resolution=filter_of("resolution", request.resolution, _RESOLUTION_BACK),
                reference=request.reference,
                note=request.note,
                actor=request.actor,
            )
        )
        return pb.ResolveTaskResponse(task=_task_proto(task))

    async def Unwind(self, request: pb.UnwindRequest, context: object) -> pb.UnwindResponse:
        with about_order(request.order_id):
            statement, complete = await self._service.unwind(
                commands.Unwind(request.request_id, request.order_id, request.cause, request.actor)
            )
        return pb.UnwindResponse(payment=_payment_proto(statement) if statement else None, complete=complete)

    async def GetPayment(self, request: pb.GetPaymentRequest, context: object) -> pb.GetPaymentResponse:
        with about_order(request.order_id):
            statement = await self._service.get_payment(request.order_id)
        return pb.GetPaymentResponse(payment=_payment_proto(statement))

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: object
    ) -> pb.ListOperationsResponse:
        wanted = pb.OperationFilter()
        wanted.CopyFrom(request.filter)
        wanted.order_ids.extend([request.order_id] if request.order_id else [])
        wanted.kinds.extend([request.kind] if request.kind else [])
        wanted.states.extend([request.state] if request.state else [])
        size = page_size(request.page.size)
        after = read_cursor(request.page.cursor)
        rows, more = await self._history.list_operations(read_filter(wanted), after, size)
        return pb.ListOperationsResponse(
            operations=[_operation_proto(row) for row in rows],
            page=type_pb2.PageInfo(next_cursor=_cursor(rows[-1]) if more else ""),
        )

    async def ReceiveProviderEvent(
        self, request: pb.ReceiveProviderEventRequest, context: object
    ) -> pb.ReceiveProviderEventResponse:
        duplicate = await self._service.receive_provider_event(
            request.provider, request.payload, request.signature
        )
        return pb.ReceiveProviderEventResponse(duplicate=duplicate)

    async def ResolveUnknown(
        self, request: pb.ResolveUnknownRequest, context: object
    ) -> pb.ResolveUnknownResponse:
        limit = bounded("limit", request.limit, LARGEST_SWEEP, SWEEP)
        as_of = times.field_or_now(request, "as_of")
        resolved, unknown = await self._service.resolve_unknown(as_of, limit)
        return pb.ResolveUnknownResponse(resolved=resolved, unknown=unknown)

    async def BatchGetPayments(
        self, request: pb.BatchGetPaymentsRequest, context: object
    ) -> pb.BatchGetPaymentsResponse:
        found = await self._checking.payments_of(request.order_ids)
        return pb.BatchGetPaymentsResponse(payments=[_payment_proto(Statement(one, ())) for one in found])

    async def FindDifferences(
        self, request: pb.FindDifferencesRequest, context: object
    ) -> pb.FindDifferencesResponse:
        checked, found = await self._checking.find_differences(times.field_or_now(request, "as_of"))
        return pb.FindDifferencesResponse(checked=checked, differences=[_difference_proto(one) for one in found])

    async def CompareWithProvider(
        self, request: pb.CompareWithProviderRequest, context: object
    ) -> pb.CompareWithProviderResponse:
        size = page_size(request.page.size)
        if request.order_ids:
            found = await self._checking.compare(request.order_ids)
        else:
            after = read_cursor(request.page.cursor)
            found = await self._checking.compare_since(times.from_proto(request.since), after, size)
        return pb.CompareWithProviderResponse(
            checked=len(found.payments),
            differences=[_difference_proto(one) for one in found.differences],
            page=type_pb2.PageInfo(next_cursor=cursor_at(*found.last) if found.last else ""),
            payments=[_payment_proto(Statement(one, ())) for one in found.payments],
        )


def _difference_proto(one: Difference) -> pb.PaymentDifference:
    return pb.PaymentDifference(
        order_id=one.order_id, kind=one.kind, subject=one.subject, expected=one.expected, found=one.found
    )


def _money(amount: type_pb2.Money) -> Money:
    return Money(amount.amount_minor, amount.currency)


def _authorize(
    request: pb.AuthorizeRequest | pb.SaveMeansRequest, tenders: Sequence[commands.Part]
) -> commands.Authorize:
    return commands.Authorize(
        request_id=request.request_id,
        order_id=request.order_id,
        channel_id=request.channel_id,
        amount=_money(request.amount),
        tenders=tenders,
        cause=request.cause,
        actor=request.actor,
        point_id=request.point_id,
    )


def _tenders(request: pb.AuthorizeRequest) -> list[commands.Part]:
    if request.tenders and request.HasField("tender"):
        raise InvalidArgument("tenders", "say either the only tender or all of them")
    if not request.tenders:
        return [_part("tender", request.tender)] if request.HasField("tender") else []
    return [
        commands.Part(
            _means(f"tenders[{number}].tender", part.tender),
            _money(part.amount) if part.HasField("amount") else None,
            _link_end(part.tender),
        )
        for number, part in enumerate(request.tenders)
    ]


def _part(field: str, tender: pb.Tender) -> commands.Part:
    return commands.Part(_means(field, tender), expires_at=_link_end(tender))


def _means(field: str, tender: pb.Tender) -> Means:
    kind = tender.WhichOneof("kind")
    if kind is None:
        raise InvalidArgument(field, "say how the order is paid")
    match kind:
        case "payment_link":
            return Means(MeansKind.PAYMENT_LINK, "")
        case "cash" | "till_card":
            taken = getattr(tender, kind)
            return Means(MeansKind(kind), taken.reference, point_id=taken.point_id)
        case _:
            return Means(MeansKind(kind), getattr(tender, kind), tender.customer_ref)


def _link_end(tender: pb.Tender) -> datetime | None:
    end = tender.payment_link
    return times.from_proto(end.expires_at) if end.HasField("expires_at") else None


def _move(request: pb.CaptureRequest | pb.VoidRequest | pb.RefundRequest) -> commands.Move:
    return commands.Move(
        request_id=request.request_id,
        order_id=request.order_id,
        amount=_money(request.amount) if request.HasField("amount") else None,
        cause=request.cause,
        actor=request.actor,
        point_id="" if isinstance(request, pb.VoidRequest) else request.point_id,
    )


def _cursor(last: Operation) -> str:
    return cursor_at(last.intended_at, last.operation_id)


def _payment_proto(statement: Statement) -> pb.Payment:
    payment = statement.payment
    counting = [one for one in payment.tenders if not one.superseded] or payment.tenders
    ends = [one.expires_at for one in counting if one.expires_at and one.uncaptured]
    sure = [one.expires_at for one in counting if one.expires_at and one.uncaptured and not one.saved_means]
    return pb.Payment(
        order_id=payment.order_id,
        status=_STATUS[payment.status],
        authorized=_amount(payment, payment.authorized),
        captured=_amount(payment, payment.captured),
        voided=_amount(payment, payment.voided),
        refunded=_amount(payment, payment.refunded),
        provider=_first(one.provider for one in counting),
        provider_payment_id=_first(one.provider_payment_id for one in counting),
        next_action_url=_first(one.next_action_url for one in counting),
        decline_code=_first(one.decline_code for one in counting),
        authorization_expires_at=times.to_proto(min(ends)) if ends else None,
        operations=[_operation_proto(operation) for operation in statement.operations],
        tenders=[_tender_proto(one) for one in payment.tenders],
        sure_until=times.to_proto(min(sure)) if sure else None,
    )


def _first(values: Iterable[str]) -> str:
    return next((one for one in values if one), "")


def _tender_proto(one: Tender) -> pb.PaymentTender:
    return pb.PaymentTender(
        tender_id=one.tender_id,
        position=one.position,
        means=one.means.kind.value,
        status=_STATUS[one.status],
        amount=_amount(one, one.amount),
        authorized=_amount(one, one.authorized),
        captured=_amount(one, one.captured),
        voided=_amount(one, one.voided),
        refunded=_amount(one, one.refunded),
        lapsed=_amount(one, one.lapsed),
        owed=_amount(one, one.owed),
        disputed=_amount(one, one.disputed),
        provider=one.provider,
        provider_payment_id=one.provider_payment_id,
        next_action_url=one.next_action_url,
        decline_code=one.decline_code,
        authorization_expires_at=times.to_proto(one.expires_at) if one.expires_at else None,
        multi_capture=one.multi_capture,
        renewable=bool(one.saved_means),
        renews=one.renews,
        raises=one.raises,
        superseded=one.superseded,
    )


def _amount(of: Payment | Tender, amount_minor: int) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=amount_minor, currency=of.currency)


def _all(done: Movement) -> list[pb.Operation]:
    return [_operation_proto(one) for one in done.operations]


def _task_proto(one: Task) -> pb.Task:
    return pb.Task(
        task_id=one.task_id,
        kind=_TASK_KIND[one.kind],
        order_id=one.order_id,
        channel_id=one.channel_id,
        tender_id=one.tender_id,
        operation_id=one.operation_id,
        amount=type_pb2.Money(amount_minor=one.amount_minor, currency=one.currency),
        reason=one.reason,
        subject=one.subject,
        opened_at=times.to_proto(one.opened_at),
        due_at=times.to_proto(one.due_at) if one.due_at else None,
        resolution=_RESOLUTION[one.resolution] if one.resolution else pb.TASK_RESOLUTION_UNSPECIFIED,
        reference=one.reference,
        note=one.note,
        actor=one.actor,
        resolved_at=times.to_proto(one.resolved_at) if one.resolved_at else None,
    )


def _operation_proto(operation: Operation) -> pb.Operation:
    return pb.Operation(
        operation_id=operation.operation_id,
        order_id=operation.order_id,
        tender_id=operation.tender_id,
        kind=_KIND[operation.kind],
        state=_STATE[operation.state],
        amount=type_pb2.Money(amount_minor=operation.amount_minor, currency=operation.currency),
        cause=operation.cause,
        actor=operation.actor,
        provider=operation.provider,
        provider_reference=operation.provider_reference,
        failure_code=operation.failure_code,
        intended_at=times.to_proto(operation.intended_at),
        settled_at=times.to_proto(operation.settled_at) if operation.settled_at else None,
        channel_id=operation.channel_id,
        point_id=operation.point_id,
        tender_kind=operation.tender_kind,
    )
