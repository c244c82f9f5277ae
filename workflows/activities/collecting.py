"""The steps of what is collected at a store, that orders and promise answer."""

import grpc
from temporalio import activity

from oms.orders.v1 import collection_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.collection_service_pb2_grpc import CollectionServiceStub
from oms.promise.v1 import promise_service_pb2 as promise
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.translate import CALL_SECONDS, amount, instant, money, text
from workflows.collection_messages import AskRequest, Choice, ClosingsRequest, DatesRequest, OptionsRequest
from workflows.messages import Line, Option, OrderStep

_COLLECTED, _SENT_THERE = types.DELIVERY_MODE_CLICK_AND_COLLECT, types.DELIVERY_MODE_SHIP_TO_STORE
_LOCKER = types.DELIVERY_MODE_STORE_LOCKER
# What a customer may have instead, the best first: of what was to be sent to a store, also at one that has it.
_INSTEAD = {
    _COLLECTED: (_COLLECTED, types.DELIVERY_MODE_HOME_STANDARD),
    _SENT_THERE: (_COLLECTED, _SENT_THERE, types.DELIVERY_MODE_HOME_STANDARD),
    _LOCKER: (_SENT_THERE, _LOCKER, types.DELIVERY_MODE_HOME_STANDARD),
}


class CollectionActivities:
    """One call each."""

    def __init__(self, orders_channel: grpc.aio.Channel, promise_channel: grpc.aio.Channel) -> None:
        self._orders = CollectionServiceStub(orders_channel)
        self._promise = PromiseServiceStub(promise_channel)

    @activity.defn
    async def closings(self, request: ClosingsRequest) -> list[str]:
        """GetClosings."""
        asked = promise.GetClosingsRequest(
            point_id=request.point_id, from_at=instant(request.from_at), days=request.days
        )
        return [text(one) for one in (await self._promise.GetClosings(asked, timeout=CALL_SECONDS)).closings]

    @activity.defn
    async def set_collection_dates(self, request: DatesRequest) -> bool:
        """SetCollectionDates."""
        asked = pb.SetCollectionDatesRequest(
            request_id=request.request_id,
            fulfilment_id=request.fulfilment_id,
            closings=[instant(one) for one in request.closings],
            as_of=instant(request.as_of),
        )
        await self._orders.SetCollectionDates(asked, timeout=CALL_SECONDS)
        return True

    @activity.defn
    async def collection_options(self, request: OptionsRequest) -> list[Option]:
        """Quote, near the store: collected elsewhere, or a delivery of what is paid. Each store once.

        What a locker's store lacks may also be sent there by others: no mode of a locker says so beforehand.
        """
        asked = promise.QuoteRequest(
            channel_id=request.channel_id,
            destination=types.Destination(
                country=request.country, postcode=request.postcode, point_id=request.point_id
            ),
            lines=[
                promise.BasketLine(line_number=line.line_number, sku=line.sku, quantity=line.quantity)
                for line in request.lines
            ],
            as_of=instant(request.as_of),
            elsewhere=True,
        )
        asked_for = types.DeliveryMode.Value(request.mode)
        modes = _INSTEAD.get(asked_for, (asked_for,))
        found = [*(await self._promise.Quote(asked, timeout=CALL_SECONDS)).options]
        if asked_for == _LOCKER:
            # Sent to that store alone: another one may have no locker.
            found = [one for one in found if one.mode != _SENT_THERE] + await self._sent_there(asked)
        once: dict[str, promise.DeliveryOption] = {}
        for mode in modes:
            for one in found:
                if one.mode == mode:
                    once.setdefault(one.point_id, one)
        return [
            Option(
                mode=types.DeliveryMode.Name(one.mode),
                window_start=text(one.window.start),
                window_end=text(one.window.end),
                price=amount(one.price),
                parcels=one.parcels,
                point_id=one.point_id,
            )
            for one in once.values()
        ]

    async def _sent_there(self, elsewhere: promise.QuoteRequest) -> list[promise.DeliveryOption]:
        """What other points would send to the store itself."""
        asked = promise.QuoteRequest()
        asked.CopyFrom(elsewhere)
        asked.elsewhere = False
        found = (await self._promise.Quote(asked, timeout=CALL_SECONDS)).options
        return [one for one in found if (one.mode, one.point_id) == (_SENT_THERE, asked.destination.point_id)]

    @activity.defn
    async def ask_customer(self, request: AskRequest) -> str:
        """AskCustomer."""
        asked = pb.AskCustomerRequest(
            request_id=request.request_id,
            order_id=request.order_id,
            fulfilment_id=request.fulfilment_id,
            lines=[_line(line) for line in request.lines],
            reason=request.reason,
            options=[_option(one) for one in request.options],
            as_of=instant(request.as_of),
        )
        return (await self._orders.AskCustomer(asked, timeout=CALL_SECONDS)).choice_id

    @activity.defn
    async def read_choice(self, request: OrderStep) -> Choice:
        """GetChoice; the detail is the question."""
        asked = pb.GetChoiceRequest(order_id=request.order_id, choice_id=request.detail)
        reply = await self._orders.GetChoice(asked, timeout=CALL_SECONDS)
        return Choice(
            kind=reply.choice.kind,
            lines=[Line(line.line_number, line.sku, line.quantity) for line in reply.lines],
            mode=types.DeliveryMode.Name(reply.mode),
            point_id=reply.destination.point_id,
            country=reply.destination.country,
            postcode=reply.destination.postcode,
        )


def _line(line: Line) -> orders.PlannedLine:
    return orders.PlannedLine(line_number=line.line_number, sku=line.sku, quantity=line.quantity)


def _option(one: Option) -> orders.ChangeOption:
    window = types.Window(start=instant(one.window_start), end=instant(one.window_end))
    return orders.ChangeOption(
        mode=types.DeliveryMode.Value(one.mode),
        window=window,
        price=money(one.price),
        parcels=one.parcels,
        point_id=one.point_id,
    )
