"""The steps that promise answers: where lines ship from, and room that is given back."""

import grpc
from temporalio import activity

from oms.promise.v1 import capacity_service_pb2 as capacity
from oms.promise.v1 import promise_service_pb2 as pb
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.translate import CALL_SECONDS, amount, instant, text, text_or_empty
from workflows.messages import (
    Appointment,
    CapacityRequest,
    Leg,
    LegPlace,
    Line,
    Option,
    Plan,
    PlanRequest,
    RefusedLine,
    WaitingHub,
)


class PromiseActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PromiseServiceStub(channel)
        self._capacity = CapacityServiceStub(channel)

    @activity.defn
    async def plan_order(self, request: PlanRequest) -> Plan:
        """PlanOrder; keeps the best plan only, the others stand in the decision record."""
        reply = await self._stub.PlanOrder(question(request), timeout=CALL_SECONDS)
        best = reply.plans[0] if reply.plans else None
        asked = {line.line_number: line.quantity for line in request.lines}
        return Plan(
            decision_id=reply.decision_id,
            legs=[leg_of(leg) for leg in best.legs] if best else [],
            window_start=text(best.window.start) if best else "",
            window_end=text(best.window.end) if best else "",
            unplanned=[
                RefusedLine(
                    line_number=line.line_number,
                    sku=line.sku,
                    requested=asked[line.line_number],
                    available=asked[line.line_number] - line.quantity,
                    reason=line.reason,
                    missing_fields=list(line.missing_fields),
                )
                for line in reply.unplanned
            ],
            onward=leg_of(best.onward) if best and best.HasField("onward") else None,
            quote_broken=reply.quote_broken,
            options=[
                Option(
                    mode=types.DeliveryMode.Name(option.mode),
                    window_start=text(option.window.start),
                    window_end=text(option.window.end),
                    price=amount(option.price),
                    parcels=option.parcels,
                    point_id=option.point_id,
                )
                for option in reply.new_options
            ],
        )

    @activity.defn
    async def release_capacity(self, request: CapacityRequest) -> bool:
        """ReleaseCapacity."""
        asked = capacity.ReleaseCapacityRequest(order_id=request.order_id, legs=map(place_proto, request.legs))
        return (await self._capacity.ReleaseCapacity(asked, timeout=CALL_SECONDS)).released > 0


def question(request: PlanRequest) -> pb.PlanOrderRequest:
    """A question for the planner."""
    return pb.PlanOrderRequest(
        request_id=request.request_id,
        order_id=request.order_id,
        channel_id=request.channel_id,
        destination=types.Destination(
            country=request.country, postcode=request.postcode, point_id=request.collect_at
        ),
        lines=[
            pb.BasketLine(
                line_number=line.line_number,
                sku=line.sku,
                quantity=line.quantity,
                personalisations=line.personalisations,
            )
            for line in request.lines
        ],
        mode=types.DeliveryMode.Value(request.mode),
        quote_id=request.quote_id,
        promised_until=instant(request.promised_until) if request.promised_until else None,
        excluded_points=[
            pb.ExcludedPoint(point_id=row.point_id, reason=row.reason, sku=row.sku) for row in request.excluded
        ],
        own_holds=[
            pb.OwnHold(sku=row.sku, point_id=row.point_id, quantity=row.quantity) for row in request.own_holds
        ],
        overlays=[pb.StockOverlay(sku=row.sku, point_id=row.point_id, free=row.free) for row in request.overlays],
        as_of=instant(request.as_of),
        not_before=instant(request.not_before),
        replaced_legs=map(place_proto, request.replaced),
        appointment=_appointment(request.appointment) if request.appointment else None,
        may_wait=request.may_wait,
        may_consolidate=request.may_consolidate,
        supply_overlays=[
            pb.SupplyOverlay(sku=row.sku, point_id=row.point_id, supply_id=row.supply_id, units=row.units)
            for row in request.supplies
        ],
        check_required=request.check_required,
        joins=_joins(request.joins) if request.joins else None,
    )


def _joins(hub: WaitingHub) -> pb.WaitingHub:
    return pb.WaitingHub(point_id=hub.point_id, carrier_id=hub.carrier_id, service_id=hub.service_id)


def _appointment(kept: Appointment) -> pb.Appointment:
    window = types.Window(start=instant(kept.window_start), end=instant(kept.window_end))
    return pb.Appointment(window=window, service_id=kept.service_id)


def place_proto(leg: LegPlace) -> pb.LegPlace:
    """A leg as it was planned."""
    lines = [pb.LegLine(line_number=line.line_number, sku=line.sku, quantity=line.quantity) for line in leg.lines]
    return pb.LegPlace(point_id=leg.point_id, lines=lines, decision_id=leg.decision_id)


def leg_of(leg: pb.Leg) -> Leg:
    """A leg from the wire."""
    return Leg(
        point_id=leg.point_id,
        carrier_id=leg.carrier_id,
        service_id=leg.service_id,
        lines=[Line(line.line_number, line.sku, line.quantity, line.supply_id) for line in leg.lines],
        window_start=text(leg.window.start),
        window_end=text(leg.window.end),
        hand_over_by=text(leg.hand_over_by),
        latest_start=text_or_empty(leg, "latest_start"),
        next_hand_over_by=text_or_empty(leg, "next_hand_over_by"),
        next_window_start=text_or_empty(leg.next_window, "start"),
        next_window_end=text_or_empty(leg.next_window, "end"),
        hand_over_from=text_or_empty(leg, "hand_over_from"),
        waits_until=text_or_empty(leg, "waits_until"),
        via_point_id=leg.via_point_id,
        plain_lines=sorted({line.line_number for line in leg.lines if line.plain}),
    )
