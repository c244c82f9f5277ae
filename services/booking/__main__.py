"""Wires and runs booking. The only reader of its environment."""

import grpc
import uvloop

from kit import db, outbox, rpc, telemetry, times
from kit.feed import Bell
from kit.settings import ServiceSettings
from oms.booking.v1.booking_service_pb2_grpc import add_BookingServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.booking.patterns import Patterns
from services.booking.rpc import BookingRpc
from services.booking.service import BookingService

_EXPIRE_SECONDS = 2


async def main(settings: ServiceSettings) -> None:
    """Serves until told to stop."""
    engine = db.connect(settings.database_url)
    bell = Bell()
    service = BookingService(engine, bell)

    def register(server: grpc.aio.Server) -> None:
        add_BookingServiceServicer_to_server(BookingRpc(service, Patterns(engine)), server)
        add_OutboxServiceServicer_to_server(outbox.OutboxRpc(engine, bell, "/booking"), server)

    async def expire() -> None:
        await rpc.periodically("expire_bookings", _EXPIRE_SECONDS, lambda: service.expire(times.now()))

    try:
        await rpc.serve(settings.listen, register, background=[expire])
    finally:
        await engine.dispose()


if __name__ == "__main__":
    telemetry.start("booking")
    uvloop.run(main(ServiceSettings.model_validate({})))
