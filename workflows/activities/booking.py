"""The steps that booking answers: which place of which slot an order has."""

import grpc
from temporalio import activity

from oms.booking.v1 import booking_service_pb2 as pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub
from oms.type.v1 import type_pb2 as types
from workflows.activities.translate import CALL_SECONDS, instant, text
from workflows.messages import Appointment, BookingAnswer, BookingRequest


class BookingActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = BookingServiceStub(channel)

    @activity.defn
    async def confirm_booking(self, request: BookingRequest) -> BookingAnswer:
        """ConfirmBooking."""
        reply = await self._stub.ConfirmBooking(
            pb.ConfirmBookingRequest(
                request_id=request.request_id,
                booking_id=request.booking_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                destination=types.Destination(country=request.country, postcode=request.postcode),
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _answer(reply)

    @activity.defn
    async def release_booking(self, request: BookingRequest) -> bool:
        """ReleaseBooking."""
        await self._stub.ReleaseBooking(
            pb.ReleaseBookingRequest(
                request_id=request.request_id,
                booking_id=request.booking_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                reason="undo",
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return True

    @activity.defn
    async def move_booking(self, request: BookingRequest) -> BookingAnswer:
        """MoveBooking."""
        reply = await self._stub.MoveBooking(
            pb.MoveBookingRequest(
                request_id=request.request_id,
                booking_id=request.booking_id,
                order_id=request.order_id,
                slot_id=request.slot_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _answer(reply)

    @activity.defn
    async def look_at_booking(self, request: BookingRequest) -> BookingAnswer:
        """GetBooking."""
        asked = pb.GetBookingRequest(booking_id=request.booking_id)
        return BookingAnswer(_appointment((await self._stub.GetBooking(asked, timeout=CALL_SECONDS)).booking))


def _answer(reply: pb.ConfirmBookingResponse | pb.MoveBookingResponse) -> BookingAnswer:
    """The alternatives are asked for by whoever shows them."""
    if reply.HasField("refusal"):
        return BookingAnswer(refusal=reply.refusal.reason)
    return BookingAnswer(_appointment(reply.booking))


def _appointment(booking: pb.Booking) -> Appointment:
    return Appointment(
        booking_id=booking.booking_id,
        slot_id=booking.slot_id,
        date=booking.date,
        window_start=text(booking.window.start),
        window_end=text(booking.window.end),
        service_id=booking.service_id,
    )
