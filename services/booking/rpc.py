"""oms.booking.v1.BookingService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.booking.v1 import booking_service_pb2 as pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceServicer
from services.booking import translate
from services.booking.patterns import Patterns
from services.booking.service import BookingService, Confirm, Hold, Move, Release, Said


class BookingRpc(BookingServiceServicer):
    """One method per RPC of the proto."""

    def __init__(self, service: BookingService, patterns: Patterns) -> None:
        self._service = service
        self._patterns = patterns

    async def PutSlotPatterns(
        self, request: pb.PutSlotPatternsRequest, context: object
    ) -> pb.PutSlotPatternsResponse:
        wanted = [translate.to_pattern(one, f"patterns[{i}]") for i, one in enumerate(request.patterns)]
        changed = await self._patterns.put(wanted, request.actor, times.field_or_now(request, "as_of"))
        return pb.PutSlotPatternsResponse(changed=changed)

    async def ListSlotPatterns(
        self, request: pb.ListSlotPatternsRequest, context: object
    ) -> pb.ListSlotPatternsResponse:
        found = await self._patterns.listed(request.carrier_id, request.service_id)
        return pb.ListSlotPatternsResponse(patterns=map(translate.from_pattern, found))

    async def ListSlotPatternVersions(
        self, request: pb.ListSlotPatternVersionsRequest, context: object
    ) -> pb.ListSlotPatternVersionsResponse:
        found = await self._patterns.versions(request.pattern_id)
        return pb.ListSlotPatternVersionsResponse(versions=map(translate.from_version, found))

    async def ListSlots(self, request: pb.ListSlotsRequest, context: object) -> pb.ListSlotsResponse:
        now = times.field_or_now(request, "as_of")
        found = await self._patterns.slots(
            request.carrier_id,
            request.service_id,
            translate.to_place(request.destination) if request.HasField("destination") else None,
            translate.to_day(request.from_date, "from_date"),
            translate.to_day(request.until_date, "until_date"),
        )
        slots = [translate.from_offered(one, now) for one in found]
        return pb.ListSlotsResponse(slots=[one for one in slots if one.left or not request.only_open])

    async def ListAlternatives(
        self, request: pb.ListAlternativesRequest, context: object
    ) -> pb.ListAlternativesResponse:
        now = times.field_or_now(request, "as_of")
        place = translate.to_place(request.destination) if request.HasField("destination") else None
        found = await self._service.alternatives(request.booking_id, place, now)
        return pb.ListAlternativesResponse(slots=[translate.from_offered(one, now) for one in found])

    async def GetSlot(self, request: pb.GetSlotRequest, context: object) -> pb.GetSlotResponse:
        found = await self._patterns.slot(request.slot_id)
        return pb.GetSlotResponse(slot=translate.from_offered(found, times.field_or_now(request, "as_of")))

    async def HoldSlot(self, request: pb.HoldSlotRequest, context: object) -> pb.HoldSlotResponse:
        now = times.field_or_now(request, "as_of")
        outcome = await self._service.hold(
            Hold(
                request_id=request.request_id,
                slot_id=request.slot_id,
                channel_id=request.channel_id,
                place=translate.to_place(request.destination),
                time_to_live_seconds=request.time_to_live_seconds,
            ),
            now,
        )
        return pb.HoldSlotResponse(
            booking=translate.from_booking_or_none(outcome.booking), refusal=translate.from_refusal(outcome, now)
        )

    async def ConfirmBooking(
        self, request: pb.ConfirmBookingRequest, context: object
    ) -> pb.ConfirmBookingResponse:
        now = times.field_or_now(request, "as_of")
        outcome = await self._service.confirm(
            Confirm(
                request_id=request.request_id,
                booking_id=request.booking_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                place=translate.to_place(request.destination),
            ),
            now,
        )
        return pb.ConfirmBookingResponse(
            booking=translate.from_booking_or_none(outcome.booking), refusal=translate.from_refusal(outcome, now)
        )

    async def ReleaseBooking(
        self, request: pb.ReleaseBookingRequest, context: object
    ) -> pb.ReleaseBookingResponse:
        released = await self._service.release(
            Release(
                request_id=request.request_id,
                booking_id=request.booking_id,
                order_id=request.order_id,
                channel_id=request.channel_id,
                reason=request.reason,
            ),
            times.field_or_now(request, "as_of"),
        )
        return pb.ReleaseBookingResponse(booking=translate.from_booking_or_none(released))

    async def MoveBooking(self, request: pb.MoveBookingRequest, context: object) -> pb.MoveBookingResponse:
        now = times.field_or_now(request, "as_of")
        outcome = await self._service.move(
            Move(request.request_id, request.booking_id, request.order_id, request.slot_id), now
        )
        return pb.MoveBookingResponse(
            booking=translate.from_booking_or_none(outcome.booking), refusal=translate.from_refusal(outcome, now)
        )

    async def RecordKept(self, request: pb.RecordKeptRequest, context: object) -> pb.RecordKeptResponse:
        said = Said(request.request_id, request.booking_id, request.actor)
        kept = await self._service.kept(said, times.field_or_now(request, "as_of"))
        return pb.RecordKeptResponse(booking=translate.from_booking(kept))

    async def RecordMissed(self, request: pb.RecordMissedRequest, context: object) -> pb.RecordMissedResponse:
        said = Said(request.request_id, request.booking_id, request.actor, request.reason)
        missed = await self._service.missed(said, times.field_or_now(request, "as_of"))
        return pb.RecordMissedResponse(booking=translate.from_booking(missed))

    async def GetBooking(self, request: pb.GetBookingRequest, context: object) -> pb.GetBookingResponse:
        return pb.GetBookingResponse(booking=translate.from_booking(await self._service.get(request.booking_id)))

    async def ListBookings(self, request: pb.ListBookingsRequest, context: object) -> pb.ListBookingsResponse:
        size = translate.page_size(request.page.size)
        found, more = await self._service.listed(translate.to_wanted(request), size)
        return pb.ListBookingsResponse(
            bookings=map(translate.from_booking, found), page=translate.page_info(found, more=more)
        )

    async def FindSlotDifferences(
        self, request: pb.FindSlotDifferencesRequest, context: object
    ) -> pb.FindSlotDifferencesResponse:
        checked, found = await self._patterns.differences()
        return pb.FindSlotDifferencesResponse(
            differences=[
                pb.SlotDifference(slot_id=slot_id, counted=counted, booked=booked)
                for slot_id, counted, booked in found
            ],
            checked=checked,
        )
