"""Steps that orders answers, with the state that the order or fulfilment really has."""

import grpc
from temporalio import activity

from kit.errors import Conflict
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.translate import CALL_SECONDS, amount, instant, instant_or_none, text, text_or_empty
from workflows.appointment_messages import AppointmentMoveStep, WorksToDate, WorkToDate
from workflows.messages import (
    Accepted,
    AcceptRequest,
    Appointment,
    AuthorisationStep,
    FulfilmentInput,
    FulfilmentStep,
    Leg,
    Line,
    MissedAppointmentStep,
    Offered,
    OrderStep,
    PaymentDue,
    RefundStep,
    Refusal,
    RefuseRequest,
    Rerouted,
    RerouteRequest,
)

_ACTOR = "workflows"
# Of works whose parcel has not left.
_TO_LEAVE = (
    pb.FULFILMENT_STATE_PLANNED,
    pb.FULFILMENT_STATE_OFFERED,
    pb.FULFILMENT_STATE_ACCEPTED,
    pb.FULFILMENT_STATE_PICKED,
    pb.FULFILMENT_STATE_PACKED,
)


class OrderActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = OrdersServiceStub(channel)

    @activity.defn
    async def accept_order(self, request: AcceptRequest) -> Accepted:
        """AcceptOrder."""
        reply = await self._stub.AcceptOrder(
            pb.AcceptOrderRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                legs=[to_leg(leg) for leg in request.legs],
                promise=types.Window(
                    start=instant_or_none(request.promise_start), end=instant_or_none(request.promise_end)
                ),
                decision_id=request.decision_id,
                payment=request.payment,
                as_of=instant(request.as_of),
                booking_id=request.appointment.booking_id if request.appointment else "",
                slot=_slot(request.appointment),
                taken=request.taken,
                authorised_until=instant_or_none(request.authorised_until),
                onward=to_leg(request.onward) if request.onward else None,
            ),
            timeout=CALL_SECONDS,
        )
        paid_by_channel = request.payment == "paid_by_channel"
        return Accepted(
            state=_order_state(reply.state),
            cooling_off_until=text(reply.cooling_off_until),
            fulfilments=[to_work(row, paid_by_channel) for row in reply.fulfilments],
            refusal=Refusal(reply.refusal.reason, reply.refusal.detail) if reply.HasField("refusal") else None,
            receipt_number=reply.receipt_number,
        )

    @activity.defn
    async def refuse_order(self, request: RefuseRequest) -> str:
        """RefuseOrder."""
        try:
            reply = await self._stub.RefuseOrder(_refusal(request), timeout=CALL_SECONDS)
        except Conflict:
            # A workflow task that is run again may meet another reason: the first one stands.
            asked = pb.GetOrderRequest(order_id=request.order_id)
            return _order_state((await self._stub.GetOrder(asked, timeout=CALL_SECONDS)).order.state)
        return _order_state(reply.state)

    @activity.defn
    async def require_payment_action(self, request: OrderStep) -> str:
        """RequirePaymentAction; the detail is the address where the customer acts."""
        reply = await self._stub.RequirePaymentAction(
            pb.RequirePaymentActionRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                next_action_url=request.detail,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def release_order(self, request: OrderStep) -> str:
        """ReleaseOrder."""
        reply = await self._stub.ReleaseOrder(
            pb.ReleaseOrderRequest(
                request_id=request.request_id, order_id=request.order_id, as_of=instant(request.as_of)
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def payment_due(self, request: OrderStep) -> PaymentDue:
        """GetPaymentDue."""
        asked = pb.GetPaymentDueRequest(order_id=request.order_id, as_of=instant(request.as_of))
        reply = await self._stub.GetPaymentDue(asked, timeout=CALL_SECONDS)
        begin = text(reply.authorise_from) if reply.HasField("authorise_from") else ""
        return PaymentDue(_order_state(reply.state), begin, reply.held)

    @activity.defn
    async def record_authorisation(self, request: AuthorisationStep) -> str:
        """RecordAuthorisation."""
        reply = await self._stub.RecordAuthorisation(
            pb.RecordAuthorisationRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                outcome=request.outcome,
                reason=request.reason,
                next_try_at=instant_or_none(request.next_try_at),
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def reroute_units(self, request: RerouteRequest) -> Rerouted:
        """RerouteUnits."""
        reply = await self._stub.RerouteUnits(
            pb.RerouteUnitsRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                legs=[to_leg(leg) for leg in request.legs],
                cancelled=_planned(request.cancelled),
                reason=request.reason,
                decision_id=request.decision_id,
                as_of=instant(request.as_of),
                replaces=request.replaces,
                fulfilment_id=request.fulfilment_id,
                onward=to_leg(request.onward) if request.onward else None,
            ),
            timeout=CALL_SECONDS,
        )
        due = reply.no_longer_due
        return Rerouted(
            state=_order_state(reply.state),
            fulfilments=[to_work(row, request.paid_by_channel) for row in reply.fulfilments],
            no_longer_due=amount(due) if reply.HasField("no_longer_due") else None,
            captured=amount(reply.captured) if reply.HasField("captured") else None,
        )

    @activity.defn
    async def complete_cancellation(self, request: OrderStep) -> str:
        """CompleteCancellation."""
        reply = await self._stub.CompleteCancellation(
            pb.CompleteCancellationRequest(
                request_id=request.request_id, order_id=request.order_id, as_of=instant(request.as_of)
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def close_order(self, request: OrderStep) -> str:
        """CloseOrder."""
        reply = await self._stub.CloseOrder(
            pb.CloseOrderRequest(
                request_id=request.request_id, order_id=request.order_id, as_of=instant(request.as_of)
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def offer_fulfilment(self, request: FulfilmentStep) -> Offered:
        """OfferFulfilment."""
        reply = await self._stub.OfferFulfilment(
            pb.OfferFulfilmentRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return Offered(_fulfilment_state(reply.state), text(reply.offer_deadline))

    @activity.defn
    async def lapse_offer(self, request: FulfilmentStep) -> str:
        """LapseOffer."""
        reply = await self._stub.LapseOffer(
            pb.LapseOfferRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _fulfilment_state(reply.state)

    @activity.defn
    async def record_capture(self, request: FulfilmentStep) -> str:
        """RecordCapture; the detail is the outcome."""
        reply = await self._stub.RecordCapture(
            pb.RecordCaptureRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                order_id="" if request.fulfilment_id else request.order_id,
                capture_state=request.detail,
                reason=request.reason,
                actor=_ACTOR,
                as_of=instant(request.as_of),
                next_try_at=instant_or_none(request.next_try_at),
            ),
            timeout=CALL_SECONDS,
        )
        return _fulfilment_state(reply.state)

    @activity.defn
    async def record_refund(self, request: RefundStep) -> str:
        """RecordRefund."""
        reply = await self._stub.RecordRefund(
            pb.RecordRefundRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                refund_id=request.refund_id,
                state=request.state,
                failure=request.failure,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return reply.refund.state

    @activity.defn
    async def record_appointment_move(self, request: AppointmentMoveStep) -> str:
        """RecordAppointmentMove."""
        reply = await self._stub.RecordAppointmentMove(
            pb.RecordAppointmentMoveRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                number=request.number,
                slot=_slot(request.answer.appointment),
                refusal=request.answer.refusal,
                as_of=instant(request.as_of),
                dated=[
                    pb.DatedWork(fulfilment_id=one.fulfilment_id, leg=to_leg(one.leg)) for one in request.dated
                ],
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)

    @activity.defn
    async def works_to_date(self, request: OrderStep) -> WorksToDate:
        """GetOrder; of the buyer, nothing but country and postcode."""
        asked = pb.GetOrderRequest(order_id=request.order_id)
        one = (await self._stub.GetOrder(asked, timeout=CALL_SECONDS)).order
        return WorksToDate(
            channel_id=one.content.channel_id,
            country=one.content.ship_to.country,
            postcode=one.content.ship_to.postcode,
            mode=types.DeliveryMode.Name(one.content.mode),
            works=[_to_date(work) for work in one.fulfilments if work.state in _TO_LEAVE and not work.awaited],
        )

    @activity.defn
    async def record_missed_appointment(self, request: MissedAppointmentStep) -> str:
        """RecordMissedAppointment."""
        reply = await self._stub.RecordMissedAppointment(
            pb.RecordMissedAppointmentRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                slot_id=request.slot_id,
                reason=request.reason,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _order_state(reply.state)


def _refusal(request: RefuseRequest) -> pb.RefuseOrderRequest:
    refusal = request.refusal
    lines = [
        pb.RefusedLine(
            line_number=line.line_number,
            sku=line.sku,
            requested=line.requested,
            available=line.available,
            reason=line.reason,
        )
        for line in refusal.lines
    ]
    return pb.RefuseOrderRequest(
        request_id=request.request_id,
        order_id=request.order_id,
        refusal=pb.Refusal(reason=refusal.reason, detail=refusal.detail, lines=lines),
        as_of=instant(request.as_of),
    )


def _order_state(state: "pb.OrderState.ValueType") -> str:
    return pb.OrderState.Name(state).removeprefix("ORDER_STATE_")


def _fulfilment_state(state: "pb.FulfilmentState.ValueType") -> str:
    return pb.FulfilmentState.Name(state).removeprefix("FULFILMENT_STATE_")


def _planned(lines: list[Line]) -> list[pb.PlannedLine]:
    return [
        pb.PlannedLine(
            line_number=line.line_number,
            sku=line.ordered_sku or line.sku,
            quantity=line.quantity,
            supply_id=line.supply_id,
        )
        for line in lines
    ]


def to_leg(leg: Leg) -> pb.PlannedLeg:
    """A leg for the wire."""
    return pb.PlannedLeg(
        point_id=leg.point_id,
        carrier_id=leg.carrier_id,
        service_id=leg.service_id,
        lines=_planned(leg.lines),
        window=_window(leg.window_start, leg.window_end),
        hand_over_by=instant(leg.hand_over_by),
        latest_start=instant_or_none(leg.latest_start),
        next_hand_over_by=instant_or_none(leg.next_hand_over_by),
        next_window=_window(leg.next_window_start, leg.next_window_end),
        hand_over_from=instant_or_none(leg.hand_over_from),
        waits_until=instant_or_none(leg.waits_until),
        via_point_id=leg.via_point_id,
        plain_lines=leg.plain_lines,
    )


def _slot(kept: Appointment | None) -> pb.AppointmentSlot | None:
    if kept is None:
        return None
    window = _window(kept.window_start, kept.window_end)
    return pb.AppointmentSlot(slot_id=kept.slot_id, date=kept.date, window=window)


def _window(start: str, end: str) -> types.Window | None:
    """Absent, not empty, when there is none: a repeat of a request from before must be the same."""
    return types.Window(start=instant(start), end=instant(end)) if start else None


def _to_date(row: pb.Fulfilment) -> WorkToDate:
    return WorkToDate(
        fulfilment_id=row.fulfilment_id,
        point_id=row.point_id,
        carrier_id=row.carrier_id,
        service_id=row.service_id,
        lines=_lines(row),
        window_end=text(row.window.end),
    )


def _lines(row: pb.Fulfilment) -> list[Line]:
    return [
        Line(line.line_number, line.sku, line.quantity, personalisations=list(line.personalisations))
        for line in row.lines
    ]


def to_work(row: pb.Fulfilment, paid_by_channel: bool) -> FulfilmentInput:
    return FulfilmentInput(
        fulfilment_id=row.fulfilment_id,
        order_id=row.order_id,
        point_id=row.point_id,
        lines=_lines(row),
        paid_by_channel=paid_by_channel,
        replaces=row.replaces,
        window_end=text_or_empty(row.window, "end"),
        collected=row.collected,
        joins=row.joins,
        consolidates=row.consolidates,
    )
