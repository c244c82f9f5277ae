"""Wires and runs promise. The only reader of its environment."""

from functools import partial

import grpc
import uvloop

from kit import db, rpc, telemetry, times
from kit.settings import ServiceSettings
from oms.promise.v1.allocation_service_pb2_grpc import add_AllocationServiceServicer_to_server
from oms.promise.v1.capacity_service_pb2_grpc import add_CapacityServiceServicer_to_server
from oms.promise.v1.decision_service_pb2_grpc import add_DecisionServiceServicer_to_server
from oms.promise.v1.promise_service_pb2_grpc import add_PromiseServiceServicer_to_server
from oms.promise.v1.ruleset_service_pb2_grpc import add_RulesetServiceServicer_to_server
from oms.promise.v1.simulation_service_pb2_grpc import add_SimulationServiceServicer_to_server
from services.promise.allocation_rpc import AllocationRpc
from services.promise.capacities import Capacities
from services.promise.capacities_rpc import CapacityRpc
from services.promise.decisions import Decisions
from services.promise.decisions_rpc import DecisionRpc
from services.promise.follower import StockFollower
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.rulesets import Rulesets
from services.promise.rulesets_rpc import RulesetRpc
from services.promise.service import PromiseService
from services.promise.simulation_runner import SimulationRunner
from services.promise.simulations import SimulationService
from services.promise.simulations_rpc import SimulationRpc

# Each question looks whether the terms changed: read beforehand, they keep none waiting.
TERMS_SECONDS = 2
QUOTES_SECONDS = 3600
CAPACITY_SECONDS = 3600
SIMULATIONS_SECONDS = 1
SIMULATION_FILES_SECONDS = 3600


class Settings(ServiceSettings):
    """`OMS_INVENTORY_ADDRESS`: host:port of the stock feed."""

    inventory_address: str


async def main(settings: Settings) -> None:
    """Serves until told to stop."""
    database = db.connect(settings.database_url)
    inventory = rpc.connect(settings.inventory_address)
    replica = StockReplica()
    service = PromiseService(database, replica, is_public_holiday)
    simulations = SimulationService(database, replica)
    capacities = Capacities(database, replica)

    async def forget_quotes() -> int:
        return await service.forget_quotes(times.now())

    async def forget_capacity() -> int:
        return await capacities.forget(times.now())

    async def forget_simulation_files() -> int:
        return await simulations.forget_files(times.now())

    def register(server: grpc.aio.Server) -> None:
        add_PromiseServiceServicer_to_server(PromiseRpc(service), server)
        add_DecisionServiceServicer_to_server(DecisionRpc(Decisions(database, service)), server)
        add_CapacityServiceServicer_to_server(CapacityRpc(capacities), server)
        add_AllocationServiceServicer_to_server(AllocationRpc(service), server)
        add_SimulationServiceServicer_to_server(SimulationRpc(simulations), server)
        add_RulesetServiceServicer_to_server(RulesetRpc(Rulesets(database)), server)

    await rpc.serve(
        settings.listen,
        register,
        background=(
            StockFollower(inventory, replica).run,
            partial(rpc.periodically, "refresh_terms", TERMS_SECONDS, service.refresh_terms),
            partial(rpc.periodically, "forget_quotes", QUOTES_SECONDS, forget_quotes),
            partial(rpc.periodically, "forget_capacity", CAPACITY_SECONDS, forget_capacity),
            partial(rpc.periodically, "run_simulations", SIMULATIONS_SECONDS, SimulationRunner(database).run),
            partial(
                rpc.periodically, "forget_simulation_files", SIMULATION_FILES_SECONDS, forget_simulation_files
            ),
        ),
        ready=lambda: service.is_ready,
    )
    await inventory.close(None)
    await database.dispose()


if __name__ == "__main__":
    telemetry.start("promise")
    uvloop.run(main(Settings()))
