"""Channel images as they are kept: figures, the feed of changes by long poll or as server-sent events, files."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from kit import times
from kit.errors import OmsError
from oms.inventory.v1 import image_service_pb2 as pb
from services.gateway import access
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import ChannelId, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.images import (
    ImageChangesAsked,
    ImageChangesView,
    ImageCursor,
    ImageFigureView,
    ImageFilters,
)
from services.gateway.wire import message, shown

images_router = router("channel images")

_PAGE = 1000
# A comment after so long without a change: the connection is seen to live, on both of its ends.
_SILENCE_SECONDS = 15.0
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `changes`: data as of `/image/changes`, id the number to go on from",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "A line a figure", "content": {media_type: {"schema": {"type": "string"}}}}}


@images_router.get("/channels/{channel_id}/image")
async def read_image(
    channel_id: ChannelId, filters: Annotated[ImageFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Listed[ImageFigureView]:
    """Read kept figures, in the order asked for: made to be asked often, at most a second behind."""
    access.check_asks_for(caller, channel_id)
    request = message(pb.GetImageRequest, {"channel_id": channel_id, "skus": filters.sku})
    found = await clients.read(clients.images.GetImage, request)
    return Listed(items=[_view(figure) for figure in found.figures])


@images_router.get("/channels/{channel_id}/image/changes")
async def list_changes(
    channel_id: ChannelId, asked: Annotated[ImageChangesAsked, Query()], caller: CallerIs, clients: ClientsAre
) -> ImageChangesView:
    """Read what changed after a number; with `wait_seconds` wait for the first change (long poll).

    A figure that changed twice is told once, as it stands. From 0 it is the whole image.
    """
    access.check_asks_for(caller, channel_id)
    return _changes(await _read(clients, channel_id, asked.after_sequence, asked.limit, asked.wait_seconds))


@images_router.get("/channels/{channel_id}/image/stream", response_class=StreamingResponse, responses=_STREAM)
async def stream_changes(
    channel_id: ChannelId,
    asked: Annotated[ImageCursor, Query()],
    caller: CallerIs,
    clients: ClientsAre,
    last_event_id: Annotated[
        str | None, Header(pattern=r"^[0-9]{1,18}$", description="Where to go on from, before `after_sequence`")
    ] = None,
) -> StreamingResponse:
    """Follow the changes as server-sent events, until the token expires."""
    access.check_asks_for(caller, channel_id)
    after = asked.after_sequence if last_event_id is None else int(last_event_id)
    first = await _read(clients, channel_id, after, _PAGE, 0)

    async def events() -> AsyncIterator[bytes]:
        found = first
        while True:
            yield _event(found) if found.figures else b": nothing changed\n\n"
            left = caller.expires_at - times.now().timestamp()
            if left <= 0:
                return
            wait_seconds = min(_SILENCE_SECONDS, left)
            try:
                found = await _read(clients, channel_id, found.sequence, _PAGE, wait_seconds)
            except OmsError:
                # Too late for a status: the reader connects again, and goes on from its last event.
                return

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


@images_router.get("/channels/{channel_id}/image.ndjson", responses=_file("application/x-ndjson"))
async def export_ndjson(channel_id: ChannelId, caller: CallerIs, clients: ClientsAre) -> StreamingResponse:
    """The whole image, an object a line. Go on with `/image/changes` from the greatest `sequence` in it."""
    access.check_asks_for(caller, channel_id)
    return await _export(clients, channel_id, "application/x-ndjson", _as_ndjson)


@images_router.get("/channels/{channel_id}/image.csv", responses=_file("text/csv"))
async def export_csv(channel_id: ChannelId, caller: CallerIs, clients: ClientsAre) -> StreamingResponse:
    """The whole image for a spreadsheet (RFC 4180). Go on from the greatest `sequence` in it."""
    access.check_asks_for(caller, channel_id)
    return await _export(clients, channel_id, "text/csv", _as_csv)


async def _export(
    clients: Clients, channel_id: str, media_type: str, write: Callable[[Sequence[ImageFigureView], bool], str]
) -> StreamingResponse:
    """Page by page, so that an image of any length takes little memory."""
    first = await _read(clients, channel_id, 0, _PAGE, 0)

    async def pages() -> AsyncIterator[str]:
        found, is_first = first, True
        while True:
            yield write([_view(figure) for figure in found.figures], is_first)
            if len(found.figures) < _PAGE:
                return
            found, is_first = await _read(clients, channel_id, found.sequence, _PAGE, 0), False

    return StreamingResponse(pages(), media_type=media_type)


async def _read(
    clients: Clients, channel_id: str, after: int, limit: int, wait_seconds: float
) -> pb.ListImageChangesResponse:
    request = pb.ListImageChangesRequest(
        channel_id=channel_id, after_sequence=after, limit=limit, wait_milliseconds=int(wait_seconds * 1000)
    )
    return await clients.wait(clients.images.ListImageChanges, request, wait_seconds)


def _changes(found: pb.ListImageChangesResponse) -> ImageChangesView:
    return ImageChangesView(items=[_view(figure) for figure in found.figures], sequence=found.sequence)


def _event(found: pb.ListImageChangesResponse) -> bytes:
    return format_sse_event(event="changes", id=str(found.sequence), data_str=_changes(found).model_dump_json())


def _view(figure: pb.ImageFigure) -> ImageFigureView:
    return shown(figure, ImageFigureView, zero_reason=figure.zero_reason or None)


def _as_ndjson(figures: Sequence[ImageFigureView], is_first: bool) -> str:
    return "".join(f"{figure.model_dump_json()}\n" for figure in figures)


def _as_csv(figures: Sequence[ImageFigureView], is_first: bool) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(ImageFigureView.model_fields))
    if is_first:
        writer.writeheader()
    writer.writerows(figure.model_dump(mode="json") for figure in figures)
    return file.getvalue()
