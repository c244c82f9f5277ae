"""ImageService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.inventory.v1 import image_service_pb2 as pb
from oms.inventory.v1.image_service_pb2_grpc import ImageServiceServicer
from services.inventory.domain.image import UNKNOWN_ITEM
from services.inventory.images import Images
from services.inventory.store.images import Kept


class ImageRpc(ImageServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, images: Images) -> None:
        self._images = images

    async def GetImage(self, request: pb.GetImageRequest, context: object) -> pb.GetImageResponse:
        found = await self._images.get(request.channel_id, request.skus)
        return pb.GetImageResponse(
            figures=[
                _figure_out(found[sku]) if sku in found else pb.ImageFigure(sku=sku, zero_reason=UNKNOWN_ITEM)
                for sku in request.skus
            ]
        )

    async def ListImageChanges(
        self, request: pb.ListImageChangesRequest, context: object
    ) -> pb.ListImageChangesResponse:
        found = await self._images.changes(
            request.channel_id, request.after_sequence, request.limit, request.wait_milliseconds / 1000
        )
        return pb.ListImageChangesResponse(
            figures=map(_figure_out, found), sequence=found[-1].sequence if found else request.after_sequence
        )


def _figure_out(kept: Kept) -> pb.ImageFigure:
    figures = kept.figures
    return pb.ImageFigure(
        sku=kept.sku,
        available=figures.available,
        ship=figures.ship,
        collect=figures.collect,
        show=figures.show,
        zero_reason=figures.zero_reason,
        sequence=kept.sequence,
        changed_at=times.to_proto(kept.changed_at),
    )
