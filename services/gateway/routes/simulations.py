"""Another ruleset over past orders: files are taken first, then simulations are made and looked at as jobs."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Path, Query, Request

from oms.promise.v1 import simulation_service_pb2 as pb
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, new_act_id, router
from services.gateway.schemas.base import Page, Paged
from services.gateway.schemas.simulations import FileTerms, SimulationFileView, SimulationSent, SimulationView
from services.gateway.wire import message, shown

simulations_router = router("simulations")
STREAMED = frozenset({("POST", "/v1/simulations/files")})

_PORTION_BYTES = 1024**2
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, at most 1 GiB as sent; gzip with `Content-Encoding: gzip`.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "examples": {
                    "orders": {
                        "value": "order_id,placed_at,country,postcode,sku,quantity\n"
                        "W-1,2026-11-02T10:15:00+01:00,FR,69002,AUB-TEE-NAVY-M,2\n"
                    },
                    "stock": {"value": "sku,point_id,units\nAUB-TEE-NAVY-M,store-lyon,12\n"},
                },
            },
        },
    }
}
SimulationId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@simulations_router.post("/simulations/files", status_code=201, openapi_extra=_FILE)
async def keep_file(
    terms: Annotated[FileTerms, Query()],
    request: Request,
    clients: ClientsAre,
    encoding: Annotated[
        str, Header(alias="Content-Encoding", pattern="^(identity|gzip)$", description="identity or gzip")
    ] = "identity",
) -> SimulationFileView:
    """Send a file of orders or of stock, for simulations to name.

    The same bytes are the same file. One that no simulation has named for 30 days is forgotten.
    """
    header = message(
        pb.KeepSimulationFileRequest, {"header": {"file_name": terms.file_name, "gzip": encoding == "gzip"}}
    )
    answer = await clients.send(clients.simulations.KeepSimulationFile, _parts(header, request))
    return shown(answer.file, SimulationFileView)


@simulations_router.post("/simulations", status_code=202)
async def create_simulation(
    body: SimulationSent, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> SimulationView:
    """Run a ruleset over past orders beside the one in force. Nothing is reserved, published or changed.

    It is worked in the background, one after the other, in the order in which they came.
    """
    request = message(
        pb.CreateSimulationRequest,
        {
            "request_id": new_act_id("simulate", caller, key),
            "setup": body.model_dump(),
            "actor": caller.subject,
        },
    )
    answer = await clients.act(clients.simulations.CreateSimulation, request)
    return shown(answer.simulation, SimulationView)


@simulations_router.get("/simulations")
async def list_simulations(page: Annotated[Paged, Query()], clients: ClientsAre) -> Page[SimulationView]:
    """List simulations without their results, newest first."""
    request = message(pb.ListSimulationsRequest, {"page": page.page})
    found = await clients.read(clients.simulations.ListSimulations, request)
    return Page(
        items=[shown(one, SimulationView) for one in found.simulations],
        next_cursor=found.page.next_cursor or None,
    )


@simulations_router.get("/simulations/{simulation_id}")
async def get_simulation(simulation_id: SimulationId, clients: ClientsAre) -> SimulationView:
    """Show a simulation: how far it is and, in the end, the comparison."""
    request = pb.GetSimulationRequest(simulation_id=simulation_id)
    found = await clients.read(clients.simulations.GetSimulation, request)
    return shown(found.simulation, SimulationView)


@simulations_router.post("/simulations/{simulation_id}/cancel")
async def cancel_simulation(simulation_id: SimulationId, clients: ClientsAre) -> SimulationView:
    """Stop a simulation that waits or runs. It has no result then."""
    request = pb.CancelSimulationRequest(simulation_id=simulation_id)
    answer = await clients.act(clients.simulations.CancelSimulation, request)
    return shown(answer.simulation, SimulationView)


@simulations_router.post("/simulations/{simulation_id}/restart")
async def restart_simulation(simulation_id: SimulationId, clients: ClientsAre) -> SimulationView:
    """Run a simulation again that was interrupted, cancelled or failed."""
    request = pb.RestartSimulationRequest(simulation_id=simulation_id)
    answer = await clients.act(clients.simulations.RestartSimulation, request)
    return shown(answer.simulation, SimulationView)


async def _parts(
    header: pb.KeepSimulationFileRequest, request: Request
) -> AsyncIterator[pb.KeepSimulationFileRequest]:
    """The header, then the body as it comes."""
    yield header
    async for portion in request.stream():
        for start in range(0, len(portion), _PORTION_BYTES):
            yield pb.KeepSimulationFileRequest(content=portion[start : start + _PORTION_BYTES])
