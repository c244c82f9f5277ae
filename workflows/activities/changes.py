"""Steps about changes of orders that stand, which orders answers."""

from collections import Counter

import grpc
from temporalio import activity

from oms.orders.v1 import change_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.change_service_pb2_grpc import ChangeServiceStub
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.orders import to_leg, to_work
from workflows.activities.translate import CALL_SECONDS, amount, instant, money, text
from workflows.messages import (
    Applied,
    ApplyRequest,
    ChangeRefusal,
    FulfilmentStep,
    Hold,
    Line,
    Option,
    OrderStep,
    Proposal,
    RefusedLine,
    SupplyOverlay,
    WaitingHub,
)


class ChangeActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ChangeServiceStub(channel)
        self._orders = OrdersServiceStub(channel)

    @activity.defn
    async def work_lines(self, request: FulfilmentStep) -> list[Line]:
        """GetFulfilment."""
        asked = orders.GetFulfilmentRequest(fulfilment_id=request.fulfilment_id)
        found = (await self._orders.GetFulfilment(asked, timeout=CALL_SECONDS)).fulfilment
        return [
            Line(line.line_number, line.sku, line.quantity, personalisations=list(line.personalisations))
            for line in found.lines
        ]

    @activity.defn
    async def waiting_hub(self, request: FulfilmentStep) -> WaitingHub:
        """GetFulfilment."""
        asked = orders.GetFulfilmentRequest(fulfilment_id=request.fulfilment_id)
        hub = (await self._orders.GetFulfilment(asked, timeout=CALL_SECONDS)).fulfilment
        is_waiting = hub.state == orders.FULFILMENT_STATE_PLANNED
        return WaitingHub(hub.point_id, hub.carrier_id, hub.service_id) if is_waiting else WaitingHub()

    @activity.defn
    async def read_proposal(self, request: OrderStep) -> Proposal:
        """GetProposal; the detail is the change's id."""
        asked = pb.GetProposalRequest(order_id=request.order_id, change_id=request.detail)
        reply = await self._stub.GetProposal(asked, timeout=CALL_SECONDS)
        held: Counter[tuple[str, str]] = Counter()
        awaited: Counter[tuple[str, str, str]] = Counter()
        waiting = [work for work in reply.fulfilments if work.awaited and _waits_whole(work)]
        leaving = [work for work in reply.fulfilments if work.fulfilment_id in reply.leaving_fulfilment_ids]
        for work in reply.fulfilments:
            for line in work.lines:
                held[line.sku, work.point_id] += line.quantity
            for one in work.awaited:
                held[one.sku, work.point_id] -= one.quantity
                awaited[one.sku, work.point_id, one.supply_id] += one.quantity
        return Proposal(
            state=reply.change.state,
            country=reply.destination.country,
            postcode=reply.destination.postcode,
            mode=types.DeliveryMode.Name(reply.mode),
            quote_id=reply.quote_id,
            total=amount(reply.total),
            lines=[
                Line(line.line_number, line.sku, line.quantity, personalisations=list(line.personalisations))
                for line in reply.lines
            ],
            accepts_later=reply.accepts_later,
            due=amount(reply.due),
            held=[Hold(sku, point_id, quantity) for (sku, point_id), quantity in sorted(held.items()) if quantity],
            awaited=[SupplyOverlay(*where, units) for where, units in sorted(awaited.items())],
            kind=reply.change.kind,
            expected_by=max((text(work.window.end) for work in reply.fulfilments if work.awaited), default=""),
            emptied=[work.fulfilment_id for work in leaving or waiting],
            leaves=reply.change.point_id,
            leaving=[Hold(line.sku, work.point_id, line.quantity) for work in leaving for line in work.lines],
            cooling_off_until=text(reply.cooling_off_until),
        )

    @activity.defn
    async def apply_change(self, request: ApplyRequest) -> Applied:
        """ApplyChange."""
        reply = await self._stub.ApplyChange(
            pb.ApplyChangeRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                change_id=request.change_id,
                legs=[to_leg(leg) for leg in request.legs],
                promise=types.Window(start=instant(request.promise_start), end=instant(request.promise_end)),
                decision_id=request.decision_id,
                as_of=instant(request.as_of),
                onward=to_leg(request.onward) if request.onward else None,
            ),
            timeout=CALL_SECONDS,
        )
        return Applied(reply.change.state, [to_work(row, request.paid_by_channel) for row in reply.fulfilments])

    @activity.defn
    async def refuse_change(self, request: ChangeRefusal) -> str:
        """RefuseChange."""
        refusal = request.refusal
        reply = await self._stub.RefuseChange(
            pb.RefuseChangeRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                change_id=request.change_id,
                refusal=orders.Refusal(
                    reason=refusal.reason, detail=refusal.detail, lines=[_refused(line) for line in refusal.lines]
                ),
                options=[_option(one) for one in request.options],
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return reply.change.state

    @activity.defn
    async def settle_change(self, request: OrderStep) -> str:
        """SettleChange; the detail is the change's id."""
        reply = await self._stub.SettleChange(
            pb.SettleChangeRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                change_id=request.detail,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return reply.change.state


def _waits_whole(work: orders.Fulfilment) -> bool:
    return sum(one.quantity for one in work.awaited) == sum(line.quantity for line in work.lines)


def _refused(line: RefusedLine) -> orders.RefusedLine:
    return orders.RefusedLine(
        line_number=line.line_number,
        sku=line.sku,
        requested=line.requested,
        available=line.available,
        reason=line.reason,
    )


def _option(one: Option) -> orders.ChangeOption:
    return orders.ChangeOption(
        mode=types.DeliveryMode.Value(one.mode),
        window=types.Window(start=instant(one.window_start), end=instant(one.window_end)),
        price=money(one.price) if one.price.currency else None,
        parcels=one.parcels,
        point_id=one.point_id,
    )
