"""Kept images with canned answers: three figures, of which two come after number 1."""

from typing import TYPE_CHECKING, Any

import grpc

from kit.errors import FailedPrecondition, Unavailable
from oms.inventory.v1 import image_service_pb2 as pb
from oms.inventory.v1.image_service_pb2_grpc import ImageServiceServicer, add_ImageServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

FIGURES = [
    pb.ImageFigure(sku="SKU-1", available=5, ship=4, collect=5, show=6, sequence=1),
    pb.ImageFigure(sku="SKU-2", zero_reason="EXCLUDED: recall", sequence=2),
    pb.ImageFigure(sku="SKU-3", available=1, ship=1, sequence=3),
]


class FakeImages(ImageServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def GetImage(self, request: Any, context: Any) -> pb.GetImageResponse:
        self._world.note("GetImage", request)
        return pb.GetImageResponse(figures=FIGURES[:1])

    async def ListImageChanges(self, request: Any, context: Any) -> pb.ListImageChangesResponse:
        self._world.note("ListImageChanges", request)
        if request.after_sequence > 3:
            raise FailedPrecondition("CURSOR_AHEAD", "this feed has not come so far", field="after_sequence")
        found = [figure for figure in FIGURES if figure.sequence > request.after_sequence]
        if not found and request.wait_milliseconds:
            raise Unavailable("STOPPED", "this process ends")
        return pb.ListImageChangesResponse(figures=found[:2], sequence=found[:2][-1].sequence if found else 3)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_ImageServiceServicer_to_server(FakeImages(world), server)
