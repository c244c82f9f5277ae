"""oms.promise.v1.SimulationService over SimulationService: translates requests and answers, and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.promise.v1 import simulation_service_pb2 as pb
from oms.promise.v1.simulation_service_pb2_grpc import SimulationServiceServicer
from oms.type.v1 import type_pb2 as types
from services.promise import simulations_translate as translate
from services.promise.simulations import SimulationService

_MAX_SIZE = 500
_DEFAULT_SIZE = 50
_BEYOND_ALL = 2**63 - 1


class SimulationRpc(SimulationServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, service: SimulationService) -> None:
        self._service = service

    async def KeepSimulationFile(
        self, request_iterator: AsyncIterator[pb.KeepSimulationFileRequest], context: Any
    ) -> pb.KeepSimulationFileResponse:
        """Keeps a file."""
        parts = aiter(request_iterator)
        first = await anext(parts, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidArgument("header", "the first message is the header")
        header = first.header
        kept = await self._service.keep_file(header.file_name, _content(parts), times.now(), gzip=header.gzip)
        return pb.KeepSimulationFileResponse(file=translate.file_proto(kept))

    async def CreateSimulation(
        self, request: pb.CreateSimulationRequest, context: object
    ) -> pb.CreateSimulationResponse:
        """Makes a job."""
        content = translate.create_content(request)
        made = await self._service.create(
            request_id=request.request_id,
            candidate=translate.to_candidate(request.setup),
            setup_with=translate.setup_with(request.setup),
            actor=request.actor,
            content=content,
            now=times.now(),
        )
        return pb.CreateSimulationResponse(simulation=translate.simulation_proto(made))

    async def GetSimulation(self, request: pb.GetSimulationRequest, context: object) -> pb.GetSimulationResponse:
        """A job with its result."""
        found = await self._service.get(request.simulation_id)
        return pb.GetSimulationResponse(simulation=translate.simulation_proto(found))

    async def ListSimulations(
        self, request: pb.ListSimulationsRequest, context: object
    ) -> pb.ListSimulationsResponse:
        """A page of jobs."""
        before, size = _asked(request.page)
        found = await self._service.list_newest(before, size + 1)
        page, more = found[:size], len(found) > size
        return pb.ListSimulationsResponse(
            simulations=[translate.simulation_proto(one) for one in page],
            page=types.PageInfo(next_cursor=str(page[-1].number) if more else ""),
        )

    async def CancelSimulation(
        self, request: pb.CancelSimulationRequest, context: object
    ) -> pb.CancelSimulationResponse:
        """Stops a job."""
        found = await self._service.cancel(request.simulation_id, times.now())
        return pb.CancelSimulationResponse(simulation=translate.simulation_proto(found))

    async def RestartSimulation(
        self, request: pb.RestartSimulationRequest, context: object
    ) -> pb.RestartSimulationResponse:
        """Runs a job again that ended without a result."""
        found = await self._service.restart(request.simulation_id, times.now())
        return pb.RestartSimulationResponse(simulation=translate.simulation_proto(found))


async def _content(parts: AsyncIterator[pb.KeepSimulationFileRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "content":
            raise InvalidArgument("content", "after the header there is only content")
        yield part.content


def _asked(page: types.PageRequest) -> tuple[int, int]:
    """The number before which a page begins, and its size."""
    if not 0 <= page.size <= _MAX_SIZE:
        raise InvalidArgument("page.size", f"not between 1 and {_MAX_SIZE}")
    cursor = page.cursor
    is_number = cursor.isascii() and cursor.isdigit() and len(cursor) < 19
    if cursor and not is_number:
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return int(cursor) if cursor else _BEYOND_ALL, page.size or _DEFAULT_SIZE
