"""The demo retailer's delivery slots: within what its carriers do, and put once."""

from collections.abc import Callable

from kit import rpc
from oms.booking.v1 import booking_service_pb2 as pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub
from oms.type.v1 import type_pb2 as types
from retailers.demo import data
from retailers.demo.load import load_slots
from tests.conftest import MakeDatabase
from tests.processes import running


def test_slots_are_of_services_that_keep_appointments_at_hours_at_which_they_deliver() -> None:
    retailer = data.read()
    services = {
        (carrier.carrier_id, service.service_id): service
        for carrier in retailer.carriers
        for service in carrier.services
    }
    assert len({one.pattern_id for one in retailer.slots}) == len(retailer.slots)
    for one in retailer.slots:
        service = services[one.carrier_id, one.service_id]
        assert service.mode in (types.DELIVERY_MODE_APPOINTMENT, types.DELIVERY_MODE_WHITE_GLOVE)
        assert set(one.weekdays) <= set(service.delivery_weekdays), one.pattern_id
        assert service.delivery_from_minute <= one.from_minute, one.pattern_id
        assert one.until_minute <= service.delivery_until_minute, one.pattern_id
        # Whoever books at the last moment is still reached.
        assert one.lead_days > max(zone.transit_days_max for zone in service.zones), one.pattern_id


async def test_they_are_put_once_and_belong_to_who_changes_them(
    make_database: MakeDatabase, unused_tcp_port_factory: Callable[[], int]
) -> None:
    address = f"127.0.0.1:{unused_tcp_port_factory()}"
    async with running("services.booking", address, {"OMS_DATABASE_URL": make_database("booking").url}):
        count = await load_slots(address)
        assert count == len(data.read().slots)
        async with rpc.connect(address) as channel:
            stub = BookingServiceStub(channel)
            (first, *_) = (await stub.ListSlotPatterns(pb.ListSlotPatternsRequest())).patterns
            first.capacity += 1
            await stub.PutSlotPatterns(pb.PutSlotPatternsRequest(patterns=[first], actor="anna"))
            assert await load_slots(address) == count
            (again, *_) = (await stub.ListSlotPatterns(pb.ListSlotPatternsRequest())).patterns
            assert (again.version, again.capacity) == (2, first.capacity)
