"""A Reserve that holds nothing: it answers what it was asked, in a message of the same size as a real answer."""

from typing import Any

import grpc
import uvloop

from kit import rpc, telemetry, times
from kit.settings import Settings
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceServicer,
    add_InventoryServiceServicer_to_server,
)


class Echo(InventoryServiceServicer):
    """Only Reserve answers."""

    async def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        """The reservation that was asked for."""
        return pb.ReserveResponse(
            reserved=True,
            reservation=pb.Reservation(
                reservation_id=request.reservation_id,
                channel_id=request.channel_id,
                state=pb.RESERVATION_STATE_HELD,
                expires_at=times.to_proto(times.now()),
                lines=request.lines,
            ),
        )


async def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("echo")

    def register(server: grpc.aio.Server) -> None:
        add_InventoryServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]

    await rpc.serve(Settings().listen, register)


if __name__ == "__main__":
    uvloop.run(main())
