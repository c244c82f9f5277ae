"""The gRPC face of orders: translates, and nothing else."""

from typing import Any

from kit import telemetry, times
from kit.errors import InvalidArgument
from kit.values.ids import derived_id
from kit.values.money import Money
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceServicer
from oms.type.v1 import type_pb2
from services.orders import translate as to
from services.orders import translate_money as money
from services.orders import wire
from services.orders.appointing import Appointments
from services.orders.domain.holds import review_until
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import HoldKind
from services.orders.domain.substituting import Substitute
from services.orders.holding import Holding
from services.orders.holds_rpc import HoldsRpc
from services.orders.offers_translate import from_taken
from services.orders.reading import OrderFilter
from services.orders.refunding import Refunds
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from services.orders.translate_appointment import from_appointment, to_slot, to_wanted_slot
from services.orders.translate_dated import to_dated
from services.orders.translate_parcels import to_scan

MAX_UNSTARTED = 500
MAX_MARKS = 1000


class OrdersRpc(HoldsRpc, OrdersServiceServicer):
    """OrdersService over gRPC."""

    def __init__(
        self,
        service: OrdersService,
        refunds: Refunds,
        holding: Holding,
        tracking: Tracking,
        appointments: Appointments,
    ) -> None:
        super().__init__(holding)
        self._service = service
        self._refunds = refunds
        self._tracking = tracking
        self._appointments = appointments

    # -- settings -----------------------------------------------------------------------------------------

    @wire.checked
    async def PutSalesChannels(
        self, request: pb.PutSalesChannelsRequest, context: Any
    ) -> pb.PutSalesChannelsResponse:
        channels = [to.to_channel(one) for one in request.channels]
        return pb.PutSalesChannelsResponse(changed=await self._service.put_sales_channels(channels))

    @wire.checked
    async def PublishLifeCycle(
        self, request: pb.PublishLifeCycleRequest, context: Any
    ) -> pb.PublishLifeCycleResponse:
        published = await self._service.publish_life_cycle(to.to_life_cycle(request.life_cycle))
        return pb.PublishLifeCycleResponse(life_cycle=to.from_life_cycle(published))

    @wire.checked
    async def ListLifeCycles(self, request: pb.ListLifeCyclesRequest, context: Any) -> pb.ListLifeCyclesResponse:
        found = await self._service.list_life_cycles()
        return pb.ListLifeCyclesResponse(life_cycles=[to.from_life_cycle(one) for one in found])

    @wire.checked
    async def GetLifeCycle(self, request: pb.GetLifeCycleRequest, context: Any) -> pb.GetLifeCycleResponse:
        if request.version < 0:
            raise InvalidArgument("version", "at least 1; 0 for the latest")
        found = await self._service.get_life_cycle(request.life_cycle_id, request.version)
        return pb.GetLifeCycleResponse(life_cycle=to.from_life_cycle(found))

    # -- the order ----------------------------------------------------------------------------------------

    @wire.checked
    async def RecordOrder(self, request: pb.RecordOrderRequest, context: Any) -> pb.RecordOrderResponse:
        order_id = derived_id("ord", request.content.channel_id, request.idempotency_key)
        now = times.now()
        placed_at = times.from_proto(request.placed_at) if request.HasField("placed_at") else now
        with telemetry.about_order(order_id):
            view, existed = await self._service.record_order(
                request.idempotency_key,
                to.to_content(request.content),
                to.to_buyer(request.content),
                placed_at,
                now,
            )
        return pb.RecordOrderResponse(order=to.from_view(view), existed=existed, facts=to.from_facts(view))

    @wire.checked
    async def AcceptOrder(self, request: pb.AcceptOrderRequest, context: Any) -> pb.AcceptOrderResponse:
        planned = await self._service.accept_order(
            wire.asked(request),
            request.order_id,
            to.to_legs(request.legs),
            wire.to_window(request.promise, "promise"),
            request.decision_id,
            request.payment,
            times.field_or_now(request, "as_of"),
            request.booking_id,
            to_slot(request),
            request.taken,
            times.field_or_none(request, "authorised_until"),
            to.to_onward(request),
        )
        return pb.AcceptOrderResponse(
            state=to.from_order_state(planned.state),
            cooling_off_until=wire.from_instant(planned.cooling_off_until),
            fulfilments=[to.from_fulfilment(one) for one in planned.fulfilments],
            refusal=to.from_refusal(planned.refusal) if planned.refusal else None,
            receipt_number=planned.receipt_number,
        )

    @wire.checked
    async def RefuseOrder(self, request: pb.RefuseOrderRequest, context: Any) -> pb.RefuseOrderResponse:
        state = await self._service.refuse_order(
            wire.asked(request),
            request.order_id,
            to.to_refusal(request.refusal),
            times.field_or_now(request, "as_of"),
        )
        return pb.RefuseOrderResponse(state=to.from_order_state(state))

    @wire.checked
    async def RequirePaymentAction(
        self, request: pb.RequirePaymentActionRequest, context: Any
    ) -> pb.RequirePaymentActionResponse:
        state = await self._service.require_payment_action(
            wire.asked(request), request.order_id, request.next_action_url, times.field_or_now(request, "as_of")
        )
        return pb.RequirePaymentActionResponse(state=to.from_order_state(state))

    @wire.checked
    async def ReleaseOrder(self, request: pb.ReleaseOrderRequest, context: Any) -> pb.ReleaseOrderResponse:
        state = await self._service.release_order(
            wire.asked(request), request.order_id, times.field_or_now(request, "as_of")
        )
        return pb.ReleaseOrderResponse(state=to.from_order_state(state))

    @wire.checked
    async def GetPaymentDue(self, request: pb.GetPaymentDueRequest, context: Any) -> pb.GetPaymentDueResponse:
        due = await self._service.payment_due(request.order_id, times.field_or_now(request, "as_of"))
        return pb.GetPaymentDueResponse(
            state=to.from_order_state(due.state),
            authorise_from=wire.from_instant(due.authorise_from),
            held=due.held,
        )

    @wire.checked
    async def RecordAuthorisation(
        self, request: pb.RecordAuthorisationRequest, context: Any
    ) -> pb.RecordAuthorisationResponse:
        state = await self._service.record_authorisation(
            wire.asked(request), request.order_id, money.to_authorisation(request)
        )
        return pb.RecordAuthorisationResponse(state=to.from_order_state(state))

    @wire.checked
    async def RerouteUnits(self, request: pb.RerouteUnitsRequest, context: Any) -> pb.RerouteUnitsResponse:
        planned = await self._service.reroute_units(
            wire.asked(request),
            request.order_id,
            to.to_legs(request.legs),
            to.to_units(request.cancelled),
            request.reason,
            request.decision_id,
            times.field_or_now(request, "as_of"),
            request.replaces,
            request.fulfilment_id,
            to.to_onward(request),
        )
        return pb.RerouteUnitsResponse(
            state=to.from_order_state(planned.state),
            fulfilments=[to.from_fulfilment(one) for one in planned.fulfilments],
            no_longer_due=wire.from_money(Money(planned.no_longer_due_minor, planned.currency)),
            captured=wire.from_money(Money(planned.captured_minor, planned.currency)),
        )

    @wire.checked
    async def RequestCancellation(
        self, request: pb.RequestCancellationRequest, context: Any
    ) -> pb.RequestCancellationResponse:
        state = await self._service.request_cancellation(
            wire.asked(request),
            request.order_id,
            request.reason,
            request.actor,
            times.field_or_now(request, "as_of"),
            request.roles,
        )
        return pb.RequestCancellationResponse(state=to.from_order_state(state))

    @wire.checked
    async def CompleteCancellation(
        self, request: pb.CompleteCancellationRequest, context: Any
    ) -> pb.CompleteCancellationResponse:
        state = await self._service.complete_cancellation(
            wire.asked(request), request.order_id, times.field_or_now(request, "as_of")
        )
        return pb.CompleteCancellationResponse(state=to.from_order_state(state))

    @wire.checked
    async def CloseOrder(self, request: pb.CloseOrderRequest, context: Any) -> pb.CloseOrderResponse:
        state = await self._service.close_order(
            wire.asked(request), request.order_id, times.field_or_now(request, "as_of")
        )
        return pb.CloseOrderResponse(state=to.from_order_state(state))

    # -- refunds ------------------------------------------------------------------------------------------

    @wire.checked
    async def RequestRefund(self, request: pb.RequestRefundRequest, context: Any) -> pb.RequestRefundResponse:
        wish = money.to_refund_wish(request)
        refund = await self._refunds.request(
            wire.asked(request), request.order_id, wish, times.field_or_now(request, "as_of")
        )
        return pb.RequestRefundResponse(refund=money.from_refund(refund))

    @wire.checked
    async def RecordRefund(self, request: pb.RecordRefundRequest, context: Any) -> pb.RecordRefundResponse:
        refund = await self._refunds.record_outcome(
            wire.asked(request),
            request.order_id,
            request.refund_id,
            request.state,
            request.failure,
            times.field_or_now(request, "as_of"),
        )
        return pb.RecordRefundResponse(refund=money.from_refund(refund))

    @wire.checked
    async def RetryRefund(self, request: pb.RetryRefundRequest, context: Any) -> pb.RetryRefundResponse:
        refund = await self._refunds.retry(
            wire.asked(request),
            request.order_id,
            request.refund_id,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.RetryRefundResponse(refund=money.from_refund(refund))

    # -- appointments -------------------------------------------------------------------------------------

    @wire.checked
    async def RequestAppointmentMove(
        self, request: pb.RequestAppointmentMoveRequest, context: Any
    ) -> pb.RequestAppointmentMoveResponse:
        moving = await self._appointments.request_move(
            wire.asked(request),
            request.order_id,
            to_wanted_slot(request),
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.RequestAppointmentMoveResponse(appointment=from_appointment(moving))

    @wire.checked
    async def RecordAppointmentMove(
        self, request: pb.RecordAppointmentMoveRequest, context: Any
    ) -> pb.RecordAppointmentMoveResponse:
        state = await self._appointments.record_move(
            wire.asked(request),
            request.order_id,
            request.number,
            to_slot(request),
            request.refusal,
            times.field_or_now(request, "as_of"),
            to_dated(request),
        )
        return pb.RecordAppointmentMoveResponse(state=to.from_order_state(state))

    @wire.checked
    async def RecordMissedAppointment(
        self, request: pb.RecordMissedAppointmentRequest, context: Any
    ) -> pb.RecordMissedAppointmentResponse:
        state = await self._appointments.record_missed(
            wire.asked(request),
            request.order_id,
            request.slot_id,
            request.reason,
            times.field_or_now(request, "as_of"),
        )
        return pb.RecordMissedAppointmentResponse(state=to.from_order_state(state))

    # -- reading ------------------------------------------------------------------------------------------

    @wire.checked
    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        return pb.GetOrderResponse(order=to.from_view(await self._service.get_order(request.order_id)))

    @wire.checked
    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        wanted = OrderFilter(
            tuple(request.channel_ids),
            to.to_order_state(request.state),
            tuple(request.brands),
            request.channel_order_number,
            request.late,
            request.payment_failed,
            wire.one_of(HoldKind, request.held_for, "held_for") if request.held_for else None,
            request.undecided_loss,
            request.unclaimed,
        )
        size, after = wire.to_page(request.page)
        views = await self._service.list_orders(wanted, size, after)
        positions = [(view.order.placed_at, view.order.order_id) for view in views]
        return pb.ListOrdersResponse(
            orders=[to.from_view(view) for view in views], page=wire.from_page(positions, size)
        )

    @wire.checked
    async def ListReviews(self, request: pb.ListReviewsRequest, context: Any) -> pb.ListReviewsResponse:
        wanted = OrderFilter(tuple(request.channel_ids), brands=tuple(request.brands))
        size, after = wire.to_page(request.page)
        views = await self._service.list_reviews(wanted, size, after)
        positions = [(until, view.order.order_id) for view in views if (until := review_until(view.order))]
        return pb.ListReviewsResponse(
            orders=[to.from_view(view) for view in views], page=wire.from_page(positions, size)
        )

    @wire.checked
    async def GetTimeline(self, request: pb.GetTimelineRequest, context: Any) -> pb.GetTimelineResponse:
        entries = await self._service.get_timeline(request.order_id)
        return pb.GetTimelineResponse(entries=[to.from_entry(entry) for entry in entries])

    @wire.checked
    async def ListUnstarted(self, request: pb.ListUnstartedRequest, context: Any) -> pb.ListUnstartedResponse:
        if not 0 <= request.limit <= MAX_UNSTARTED:
            raise InvalidArgument("limit", f"1 to {MAX_UNSTARTED}")
        views = await self._service.list_unstarted(
            times.field_or_now(request, "recorded_before"), request.limit or 100
        )
        return pb.ListUnstartedResponse(orders=[to.from_facts(view) for view in views])

    @wire.checked
    async def ListObligations(
        self, request: pb.ListObligationsRequest, context: Any
    ) -> pb.ListObligationsResponse:
        if len(request.order_ids) > wire.MAX_PAGE:
            raise InvalidArgument("order_ids", f"at most {wire.MAX_PAGE}")
        size, after = wire.to_id_page(request.page)
        found = await self._service.list_obligations(request.order_ids, after, size)
        last = found[-1].order_id if len(found) == size and not request.order_ids else ""
        return pb.ListObligationsResponse(
            obligations=[to.from_obligation(one) for one in found], page=type_pb2.PageInfo(next_cursor=last)
        )

    # -- fulfilments --------------------------------------------------------------------------------------

    @wire.checked
    async def OfferFulfilment(
        self, request: pb.OfferFulfilmentRequest, context: Any
    ) -> pb.OfferFulfilmentResponse:
        work = await self._service.offer_fulfilment(
            wire.asked(request), request.fulfilment_id, times.field_or_now(request, "as_of")
        )
        return pb.OfferFulfilmentResponse(
            state=to.from_fulfilment_state(work.state), offer_deadline=wire.from_instant(work.offer_deadline)
        )

    @wire.checked
    async def AcceptOffer(self, request: pb.AcceptOfferRequest, context: Any) -> pb.AcceptOfferResponse:
        work = await self._service.accept_offer(
            wire.asked(request),
            request.fulfilment_id,
            request.actor,
            times.field_or_now(request, "as_of"),
            request.point_id,
        )
        taken, claim = from_taken(work)
        return pb.AcceptOfferResponse(fulfilment=taken, claim=claim)

    @wire.checked
    async def RefuseOffer(self, request: pb.RefuseOfferRequest, context: Any) -> pb.RefuseOfferResponse:
        work = await self._service.refuse_offer(
            wire.asked(request),
            request.fulfilment_id,
            request.reason,
            request.actor,
            times.field_or_now(request, "as_of"),
            request.point_id,
        )
        return pb.RefuseOfferResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def LapseOffer(self, request: pb.LapseOfferRequest, context: Any) -> pb.LapseOfferResponse:
        work = await self._service.lapse_offer(
            wire.asked(request), request.fulfilment_id, times.field_or_now(request, "as_of")
        )
        return pb.LapseOfferResponse(state=to.from_fulfilment_state(work.state))

    @wire.checked
    async def RecordPick(self, request: pb.RecordPickRequest, context: Any) -> pb.RecordPickResponse:
        work = await self._service.record_pick(
            wire.asked(request),
            request.fulfilment_id,
            to.to_units(request.found),
            request.actor,
            times.field_or_now(request, "as_of"),
            [Missing(one.line_number, one.reason, one.note) for one in request.missing],
            [Substitute(one.line_number, one.sku, one.quantity, one.title) for one in request.substituted],
        )
        return pb.RecordPickResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def BeginPersonalisation(
        self, request: pb.BeginPersonalisationRequest, context: Any
    ) -> pb.BeginPersonalisationResponse:
        work = await self._service.begin_personalisation(
            wire.asked(request), request.fulfilment_id, request.actor, times.field_or_now(request, "as_of")
        )
        return pb.BeginPersonalisationResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def CompletePersonalisation(
        self, request: pb.CompletePersonalisationRequest, context: Any
    ) -> pb.CompletePersonalisationResponse:
        work = await self._service.complete_personalisation(
            wire.asked(request), request.fulfilment_id, request.actor, times.field_or_now(request, "as_of")
        )
        return pb.CompletePersonalisationResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def ReportSpoiled(self, request: pb.ReportSpoiledRequest, context: Any) -> pb.ReportSpoiledResponse:
        work = await self._service.report_spoiled(
            wire.asked(request),
            request.fulfilment_id,
            to.to_units(request.spoiled),
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.ReportSpoiledResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def CloseParcel(self, request: pb.CloseParcelRequest, context: Any) -> pb.CloseParcelResponse:
        work = await self._service.close_parcel(
            wire.asked(request),
            request.fulfilment_id,
            request.weight_grams,
            request.actor,
            times.field_or_now(request, "as_of"),
            request.box_id,
        )
        return pb.CloseParcelResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def RecordCapture(self, request: pb.RecordCaptureRequest, context: Any) -> pb.RecordCaptureResponse:
        outcome = money.to_outcome(request)
        if not request.fulfilment_id:
            await self._service.record_capture_of_order(wire.asked(request), request.order_id, outcome)
            return pb.RecordCaptureResponse()
        work = await self._service.record_capture(wire.asked(request), request.fulfilment_id, outcome)
        return pb.RecordCaptureResponse(
            state=to.from_fulfilment_state(work.state), fulfilment=to.from_fulfilment(work)
        )

    @wire.checked
    async def RetryCapture(self, request: pb.RetryCaptureRequest, context: Any) -> pb.RetryCaptureResponse:
        asked, as_of = wire.asked(request), times.field_or_now(request, "as_of")
        if not request.fulfilment_id:
            await self._service.retry_capture_of_order(asked, request.order_id, request.actor, as_of)
            return pb.RetryCaptureResponse()
        work = await self._service.retry_capture(asked, request.fulfilment_id, request.actor, as_of)
        return pb.RetryCaptureResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def GiveUpParcel(self, request: pb.GiveUpParcelRequest, context: Any) -> pb.GiveUpParcelResponse:
        work = await self._service.give_up_parcel(
            wire.asked(request),
            request.fulfilment_id,
            request.reason,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.GiveUpParcelResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def HandOver(self, request: pb.HandOverRequest, context: Any) -> pb.HandOverResponse:
        work = await self._service.hand_over(
            wire.asked(request),
            request.fulfilment_id,
            request.tracking_code,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.HandOverResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def RecordCarrierEvent(
        self, request: pb.RecordCarrierEventRequest, context: Any
    ) -> pb.RecordCarrierEventResponse:
        scan = to_scan(request)
        work, duplicate = await self._tracking.record(wire.asked(request), request.carrier_id, scan, times.now())
        return pb.RecordCarrierEventResponse(fulfilment=to.from_fulfilment(work), duplicate=duplicate)

    @wire.checked
    async def ListWork(self, request: pb.ListWorkRequest, context: Any) -> pb.ListWorkResponse:
        size, after = wire.to_page(request.page)
        works = await self._service.list_work(
            list(request.point_ids), to.to_fulfilment_states(request.states), size, after
        )
        positions = [(work.hand_over_by, f"{work.fulfilment_id}/{work.point_id}") for work in works]
        return pb.ListWorkResponse(
            fulfilments=[to.from_fulfilment(work) for work in works], page=wire.from_page(positions, size)
        )

    @wire.checked
    async def ListWorkMarks(self, request: pb.ListWorkMarksRequest, context: Any) -> pb.ListWorkMarksResponse:
        if not 1 <= len(request.point_ids) <= MAX_MARKS:
            raise InvalidArgument("point_ids", f"1 to {MAX_MARKS} points")
        return pb.ListWorkMarksResponse(marks=await self._service.work_marks(request.point_ids))

    @wire.checked
    async def GetFulfilment(self, request: pb.GetFulfilmentRequest, context: Any) -> pb.GetFulfilmentResponse:
        work = await self._service.get_fulfilment(request.fulfilment_id, request.point_ids)
        return pb.GetFulfilmentResponse(
            fulfilment=to.from_fulfilment(work.fulfilment),
            ship_to=to.from_address(work.ship_to) if work.ship_to else None,
            channel_id=work.channel_id,
            brands=work.brands,
            channel_order_number=work.channel_order_number,
            customer_name=work.customer_name,
            gift_message=work.gift_message,
            texts=[
                pb.PersonalText(line_number=one.line_number, name=one.name, text=one.text) for one in work.texts
            ],
            hub_point_id=work.hub_point_id,
            substitutable=sorted(work.substitutable),
        )
