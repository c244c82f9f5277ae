"""CustomerService over gRPC: translates, and nothing else."""

from collections.abc import Iterable
from typing import Any

from kit import telemetry, times
from oms.orders.v1 import customer_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.customer_service_pb2_grpc import CustomerServiceServicer
from services.orders import wire
from services.orders.codes import Codes
from services.orders.customers import Customers, Seen
from services.orders.domain.customer_view import ParcelSeen, QuestionSeen, RefundSeen, TrialSeen, UnitsSeen
from services.orders.domain.model import Appointment
from services.orders.domain.status import labels
from services.orders.translate import from_mode
from services.orders.wire import from_instant, from_money, from_window


class CustomerRpc(CustomerServiceServicer):
    """Its two calls."""

    def __init__(self, customers: Customers, codes: Codes) -> None:
        self._customers = customers
        self._codes = codes

    @wire.checked
    async def MakeCustomerLink(
        self, request: pb.MakeCustomerLinkRequest, context: Any
    ) -> pb.MakeCustomerLinkResponse:
        wanted = times.field_or_none(request, "ends_at")
        now = times.field_or_now(request, "as_of")
        url, ends_at = await self._customers.link(request.order_id, wanted, now)
        return pb.MakeCustomerLinkResponse(url=url, ends_at=from_instant(ends_at))

    @wire.checked
    async def GetOrderOfLink(self, request: pb.GetOrderOfLinkRequest, context: Any) -> pb.GetOrderOfLinkResponse:
        found = await self._customers.order_of(request.token, times.field_or_now(request, "as_of"))
        with telemetry.about_order(found.view.order.order_id):
            return pb.GetOrderOfLinkResponse(order=_from_seen(found, self._codes))


def _from_seen(found: Seen, codes: Codes) -> pb.CustomerOrder:
    order, seen, ship_to = found.view.order, found.seen, found.view.buyer.ship_to
    return pb.CustomerOrder(
        order_id=order.order_id,
        channel_order_number=order.content.channel_order_number,
        channel_name=found.channel_name,
        brands=[brand for brand in order.content.brands if brand],
        customer_status=found.view.customer_status,
        labels=[
            orders.StatusLabel(status=one.status, language=one.language, text=one.text) for one in labels(order)
        ],
        placed_at=from_instant(order.placed_at),
        mode=from_mode(order.content.mode),
        city=ship_to.city,
        country=ship_to.country,
        total=from_money(order.content.total),
        step=seen.step or "",
        promised=from_window(seen.promised),
        expected=from_window(seen.expected),
        late=seen.late,
        parcels=[_from_parcel(one, codes) for one in seen.parcels],
        unplaced=_from_units(seen.unplaced),
        cancelled=_from_units(seen.cancelled),
        refunds=[_from_refund(one) for one in seen.refunds],
        appointment=_from_appointment(seen.appointment),
        trial=_from_trial(seen.trial),
        payment=seen.payment or "",
        payment_url=seen.payment_url,
        checking=seen.checking,
        changing=seen.changing,
        may_cancel=seen.may_cancel,
        cooling_off_until=from_instant(seen.cooling_off_until),
        questions=[_from_question(one) for one in seen.questions],
    )


def _from_units(units: Iterable[UnitsSeen]) -> list[pb.CustomerUnits]:
    return [
        pb.CustomerUnits(
            line_number=one.line_number, title=one.title, quantity=one.quantity, instead_of=one.instead_of
        )
        for one in units
    ]


def _from_parcel(one: ParcelSeen, codes: Codes) -> pb.CustomerParcel:
    return pb.CustomerParcel(
        stage=one.stage.value,
        units=_from_units(one.units),
        carrier_id=one.carrier_id,
        tracking_code=one.tracking_code,
        point_id=one.point_id,
        promised=from_window(one.promised),
        expected=from_window(one.expected),
        cause=one.cause or "",
        handed_over_at=from_instant(one.handed_over_at),
        delivered_at=from_instant(one.delivered_at),
        failure_reason=one.failure_reason,
        waits_until=from_instant(one.waits_until),
        released_at=from_instant(one.released_at),
        sent_again=one.sent_again,
        decision=one.decision,
        code=codes.of(one.ready) if one.ready else "",
        compartment=one.ready.compartment if one.ready else "",
        keep_until=from_instant(one.keep_until),
    )


def _from_question(one: QuestionSeen) -> pb.CustomerQuestion:
    return pb.CustomerQuestion(
        units=_from_units(one.units),
        until=from_instant(one.until),
        point_ids=one.point_ids,
        may_deliver=one.may_deliver,
    )


def _from_refund(one: RefundSeen) -> pb.CustomerRefund:
    return pb.CustomerRefund(
        kind=one.kind,
        amount=from_money(one.amount),
        done=one.is_done,
        at=from_instant(one.at),
        units=_from_units(one.units),
    )


def _from_appointment(one: Appointment | None) -> pb.CustomerAppointment | None:
    return pb.CustomerAppointment(state=one.state, window=from_window(one.slot.window)) if one else None


def _from_trial(one: TrialSeen | None) -> pb.CustomerTrial | None:
    if one is None:
        return None
    trial = one.trial
    return pb.CustomerTrial(
        days=one.days,
        begun_at=from_instant(trial.begun_at) if trial else None,
        ends_at=from_instant(trial.ends_at) if trial else None,
        decided_at=from_instant(trial.decided_at) if trial else None,
        settled_at=from_instant(trial.settled_at) if trial else None,
        announced=_from_units(one.announced),
        back=_from_units(one.back),
        kept=_from_units(one.kept),
    )
