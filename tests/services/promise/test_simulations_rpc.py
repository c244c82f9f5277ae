"""Simulations over the wire, and in the processes that work them."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import InvalidArgument, NotFound
from oms.promise.v1 import ruleset_service_pb2 as rulesets_pb
from oms.promise.v1 import simulation_service_pb2 as pb
from oms.promise.v1.simulation_service_pb2_grpc import (
    SimulationServiceStub,
    add_SimulationServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types
from services.promise.domain.ruleset_versions import Edit
from services.promise.domain.simulations import Simulation, State
from services.promise.replica import StockReplica
from services.promise.rulesets import Rulesets
from services.promise.service import PromiseService
from services.promise.simulation_runner import SimulationRunner, WorkerFailed
from services.promise.simulations import SimulationService
from services.promise.simulations_rpc import SimulationRpc
from tests.conftest import MakeDatabase
from tests.services.promise.network import CHANNEL, NOW, request
from tests.services.promise.simulations import DIRTY, LIVE, create, setup, work
from tests.services.promise.test_rpc import an_inventory, listen

if TYPE_CHECKING:
    from oms.promise.v1.simulation_service_pb2_grpc import SimulationServiceAsyncStub

WORKER = (sys.executable, "-m", "services.promise.simulation_worker")


@pytest.fixture
def simulations(promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica) -> SimulationService:
    return SimulationService(promise_db, replica)


# -- over the wire --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def stub(simulations: SimulationService) -> AsyncIterator["SimulationServiceAsyncStub"]:
    server = rpc.build_server()
    add_SimulationServiceServicer_to_server(SimulationRpc(simulations), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        yield SimulationServiceStub(channel)
    await server.stop(None)


def parts(content: bytes) -> Iterator[pb.KeepSimulationFileRequest]:
    yield pb.KeepSimulationFileRequest(header=pb.SimulationFileHeader(file_name="orders.csv"))
    yield pb.KeepSimulationFileRequest(content=content[:100])
    yield pb.KeepSimulationFileRequest(content=content[100:])


def asked_setup(**values: Any) -> pb.SimulationSetup:
    rules = rulesets_pb.Ruleset(
        ruleset_id="draft", currency="EUR", max_parcels=1, alternatives=1, shipping_percent=100
    )
    given: dict[str, Any] = {"ruleset": rules, "stock": pb.SIMULATION_STOCK_RECORDED}
    return pb.SimulationSetup(**(given | values))


async def test_a_file_is_simulated_over_the_wire(
    stub: "SimulationServiceAsyncStub", promise_db: AsyncEngine, replica: StockReplica
) -> None:
    file = (await stub.KeepSimulationFile(parts(DIRTY.encode()))).file
    assert (file.file_name, file.bytes) == ("orders.csv", len(DIRTY))
    orders = pb.OrdersFile(
        file_id=file.file_id,
        channel_id=CHANNEL,
        mode=types.DELIVERY_MODE_HOME_STANDARD,
        columns=pb.OrderColumns(
            order="invoice_no", sku="stock_code", quantity="quantity", placed_at="invoice_date", country="country"
        ),
        destinations=[
            pb.NamedDestination(name="France", destination=types.Destination(country="FR", postcode="75011"))
        ],
        time_zone="Europe/London",
        delimiter=",",
        encoding="utf-8",
        not_articles=["POST"],
    )
    asked = asked_setup(
        name="one parcel",
        orders=orders,
        stock=pb.SIMULATION_STOCK_PRESENT,
        deplete=True,
        assumed_items=pb.AssumedItems(weight_grams=300, units=20, percent=100, seed=7),
        listed_orders=5,
        max_orders=9,
        from_at=times.to_proto(NOW.replace(year=2025)),
        until_at=times.to_proto(NOW),
    )
    request = pb.CreateSimulationRequest(request_id="r1", setup=asked, actor="paul")
    made = (await stub.CreateSimulation(request)).simulation
    assert made.setup == asked, "it is told as it was asked"
    assert (made.live.version, made.state) == (1, pb.SIMULATION_STATE_RECEIVED)
    assert (await stub.CreateSimulation(request)).simulation == made
    assert await work(promise_db, replica).run()
    found = await stub.GetSimulation(pb.GetSimulationRequest(simulation_id=made.simulation_id))
    simulation = found.simulation
    assert (simulation.state, simulation.planned) == (pb.SIMULATION_STATE_DONE, 3)
    result = simulation.result
    assert result.live.real_cost_minor == result.live.shipping_minor + result.live.preparation_minor > 0
    assert sum(point.live.parcels for point in result.points) == result.live.parcels
    assert {point.point_type for point in result.points} == {types.POINT_TYPE_WAREHOUSE}
    assert result.points[0].live.days[0].day.startswith("2026-05-")
    assert result.live.carbon_factors == ["test road 1"]
    assert any(note.startswith("ASSUMED") for note in result.notes)
    (listed,) = (await stub.ListSimulations(pb.ListSimulationsRequest())).simulations
    assert listed.simulation_id == made.simulation_id
    assert not listed.HasField("result")


async def test_a_candidate_may_be_a_text_or_the_draft_of_a_ruleset(
    stub: "SimulationServiceAsyncStub", promise_db: AsyncEngine
) -> None:
    standing = await Rulesets(promise_db).get("default")
    edit = Edit("default", standing.revision, "paul", "fewer parcels", NOW, "req-draft")
    await Rulesets(promise_db).save_draft(edit, replace(LIVE, max_parcels=1))

    async def judged_by(request_id: str, **candidate: str) -> rulesets_pb.Ruleset:
        setup = pb.SimulationSetup(stock=pb.SIMULATION_STOCK_RECORDED, **candidate)  # type: ignore[arg-type]
        asked = pb.CreateSimulationRequest(request_id=request_id, setup=setup)
        return (await stub.CreateSimulation(asked)).simulation.setup.ruleset

    text = await judged_by("r1", text="ruleset_id: other\ncurrency: EUR\nmax_parcels: 2\n")
    assert (text.ruleset_id, text.max_parcels, text.shipping_percent) == ("other", 2, 100)
    draft = await judged_by("r2", draft_of="default")
    assert (draft.ruleset_id, draft.max_parcels) == ("default", 1)
    with pytest.raises(InvalidArgument) as wrong:
        await judged_by("r3", text="currency: EUR\nmax_parcel: 2\n")
    assert wrong.value.facts["line"] == "2"
    with pytest.raises(NotFound):
        await judged_by("r4", draft_of="nobodys")


async def test_wrong_requests_name_their_field(stub: "SimulationServiceAsyncStub") -> None:
    wrong = (
        (pb.SimulationSetup(stock=pb.SIMULATION_STOCK_RECORDED), "ruleset"),
        (asked_setup(stock=pb.SIMULATION_STOCK_UNSPECIFIED), "stock"),
        (asked_setup(orders=pb.OrdersFile()), "orders.mode"),
        (asked_setup(name="two\nlines"), "name"),
    )
    for asked, field in wrong:
        with pytest.raises(InvalidArgument) as refused:
            await stub.CreateSimulation(pb.CreateSimulationRequest(request_id="r", setup=asked))
        assert refused.value.facts["field"] == field
    with pytest.raises(InvalidArgument) as nameless:
        await stub.CreateSimulation(pb.CreateSimulationRequest(setup=asked_setup()))
    assert nameless.value.facts["field"] == "request_id"
    with pytest.raises(InvalidArgument) as headless:
        await stub.KeepSimulationFile(iter([pb.KeepSimulationFileRequest(content=b"x")]))
    assert headless.value.facts["field"] == "header"
    with pytest.raises(InvalidArgument) as cursor:
        await stub.ListSimulations(pb.ListSimulationsRequest(page=types.PageRequest(cursor="x")))
    assert cursor.value.facts["field"] == "page.cursor"
    with pytest.raises(NotFound) as missing:
        await stub.GetSimulation(pb.GetSimulationRequest(simulation_id="sim_0"))
    assert missing.value.reason == "SIMULATION_NOT_FOUND"


async def test_jobs_are_listed_page_by_page_and_stopped(stub: "SimulationServiceAsyncStub") -> None:
    made = [
        (
            await stub.CreateSimulation(pb.CreateSimulationRequest(request_id=f"r{i}", setup=asked_setup()))
        ).simulation.simulation_id
        for i in range(3)
    ]
    found: list[str] = []
    cursor = ""
    while True:
        page = types.PageRequest(size=2, cursor=cursor)
        answer = await stub.ListSimulations(pb.ListSimulationsRequest(page=page))
        found += [one.simulation_id for one in answer.simulations]
        if not (cursor := answer.page.next_cursor):
            break
    assert found == made[::-1]
    stopped = await stub.CancelSimulation(pb.CancelSimulationRequest(simulation_id=made[0]))
    assert stopped.simulation.state == pb.SIMULATION_STATE_CANCELLED
    again = await stub.RestartSimulation(pb.RestartSimulationRequest(simulation_id=made[0]))
    assert again.simulation.state == pb.SIMULATION_STATE_RECEIVED
    with pytest.raises(NotFound):
        await stub.RestartSimulation(pb.RestartSimulationRequest(simulation_id="sim_0"))


# -- in processes of their own --------------------------------------------------------------------------------


@pytest.fixture
def silent_inventory(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers are told of an inventory that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("OMS_DATABASE_URL", make_database("promise").url)
        monkeypatch.setenv("OMS_INVENTORY_ADDRESS", f"127.0.0.1:{listening.getsockname()[1]}")
        yield


async def begun(simulations: SimulationService, simulation: Simulation) -> None:
    """Returns when a worker has begun; the time-out of the test is its own."""
    while (await simulations.get(simulation.simulation_id)).state is not State.RUNNING:  # noqa: ASYNC110 - it has no event.
        await asyncio.sleep(0.05)


async def test_a_process_of_its_own_works_a_job_on_the_stock_that_inventory_tells(
    simulations: SimulationService,
    promise: PromiseService,
    promise_db: AsyncEngine,
    make_database: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inventory_server, port = await listen(an_inventory())
    monkeypatch.setenv("OMS_DATABASE_URL", make_database("promise").url)
    monkeypatch.setenv("OMS_INVENTORY_ADDRESS", f"127.0.0.1:{port}")
    await promise.plan_order("r", "ord_1", request(("x", 1)), "", b"")
    seen, present = [await create(simulations, asked, repr(asked)) for asked in (setup(), setup(name="again"))]
    # Two replicas of the process look at once: one works both jobs.
    await asyncio.gather(SimulationRunner(promise_db).run(), SimulationRunner(promise_db).run())
    for one in (seen, present):
        worked = await simulations.get(one.simulation_id)
        assert worked.state is State.DONE, worked.detail
        assert worked.result is not None
        assert worked.result.orders == 1
    await inventory_server.stop(None)


async def test_a_worker_that_is_stopped_leaves_an_interrupted_job(
    simulations: SimulationService, promise_db: AsyncEngine, silent_inventory: None
) -> None:
    made = await create(simulations, setup())
    running = asyncio.create_task(SimulationRunner(promise_db).run())
    await begun(simulations, made)
    other = SimulationRunner(promise_db)
    await other.run()
    assert (await simulations.get(made.simulation_id)).state is State.RUNNING, "another has the turn"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    # The server notices in its own time that the session is gone.
    while (await simulations.get(made.simulation_id)).state is State.RUNNING:
        await other.run()
    died = await simulations.get(made.simulation_id)
    assert (died.state, died.reason) == (State.INTERRUPTED, "INTERRUPTED")
    assert (await simulations.restart(made.simulation_id, NOW)).state is State.RECEIVED


async def test_a_worker_ends_with_the_process_that_started_it(
    simulations: SimulationService, silent_inventory: None
) -> None:
    made = await create(simulations, setup())
    worker = await asyncio.create_subprocess_exec(*WORKER, stdin=asyncio.subprocess.PIPE)
    await begun(simulations, made)
    assert worker.stdin is not None
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    worker.stdin.close()
    assert await worker.wait() == 1


async def test_a_worker_that_fails_is_told_of(simulations: SimulationService, promise_db: AsyncEngine) -> None:
    await create(simulations, setup())
    with pytest.raises(WorkerFailed, match="ended with 3"):
        await SimulationRunner(promise_db, (sys.executable, "-c", "raise SystemExit(3)")).run()
    (waiting,) = await simulations.list_newest(2**62, 5)
    assert waiting.state is State.RECEIVED, "nothing was begun"
