"""Services that do nothing: they answer what they were asked, in messages of the same size as real answers."""

from typing import Any

import grpc
import uvloop

from kit import rpc, telemetry, times
from kit.settings import Settings
from oms.inventory.v1 import image_service_pb2 as images_pb
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1.image_service_pb2_grpc import ImageServiceServicer, add_ImageServiceServicer_to_server
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


class ImageEcho(ImageServiceServicer):
    """Only GetImage answers."""

    async def GetImage(self, request: images_pb.GetImageRequest, context: Any) -> images_pb.GetImageResponse:
        """Some figure of each SKU that was asked for."""
        now = times.to_proto(times.now())
        return images_pb.GetImageResponse(
            figures=[
                images_pb.ImageFigure(
                    sku=sku, available=1000, ship=1000, collect=1000, show=1000, sequence=100_000, changed_at=now
                )
                for sku in request.skus
            ]
        )


async def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("echo")

    def register(server: grpc.aio.Server) -> None:
        add_InventoryServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]
        add_ImageServiceServicer_to_server(ImageEcho(), server)  # type: ignore[abstract]

    await rpc.serve(Settings().listen, register)


if __name__ == "__main__":
    uvloop.run(main())
