"""Whatever dies while a file is worked, the job goes on where it stood and nothing is applied twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local.process import free_port
from kit import rpc
from oms.inventory.v1 import import_service_pb2 as pb
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceStub
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.type.v1 import type_pb2 as types
from tests.conftest import MakeDatabase
from tests.processes import running
from tests.services.inventory.files import DELTA, Desk, delta, snapshot
from tests.services.inventory.shop import POINTS, SKUS, Shop

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

_SKUS = 2_000


class Died(BaseException):
    """What a process would not live to see."""


class Deaths:
    """Lets half of the commits that are made under it die just before they are made."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.sync_engine
        self._chance = random.Random(8)
        self.count = 0

    def __enter__(self) -> None:
        event.listen(self._engine, "commit", self._commit)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "commit", self._commit)

    def _commit(self, _connection: object) -> None:
        if self._chance.random() < 0.5:
            self.count += 1
            raise Died


async def work_through_deaths(desk: Desk, job_id: str) -> int:
    """With a new runner after each death; how many there were."""
    deaths = Deaths(desk.shop.engine)
    while (await desk.ended(job_id)).state not in ("done", "failed"):
        with suppress(Died), deaths:
            await desk.runner().run()
    return deaths.count


async def test_a_snapshot_survives_deaths_before_its_commits(shop: Shop) -> None:
    desk = Desk(shop, chunk=2)
    await shop.adjust(5)
    records = [(sku, point, 7) for sku in SKUS for point in POINTS]
    job = await desk.send(snapshot(*records, ("GHOST", "LYON", 1)))
    deaths = await work_through_deaths(desk, job.job_id)
    assert deaths >= 4, "of the plan, of five chunks and of what was tried again"
    done = await desk.service.get_import(job.job_id)
    assert (done.state, done.counts.changed, done.counts.rejected) == ("done", 9, 1)
    movements = [
        line
        for sku in SKUS
        for line in await shop.service.list_movements(sku, "", 0, 100)
        if line[1].cause.source == job.job_id
    ]
    assert len(movements) == 9
    assert {(await shop.balance(sku, point)).on_hand for sku in SKUS for point in POINTS} == {7}


async def test_deltas_survive_deaths_before_their_commits(shop: Shop) -> None:
    desk = Desk(shop, chunk=2)
    records = [("DRESS", "LYON", 3, number) for number in range(1, 8)] + [("PAN", "LYON", -1, 1)]
    job = await desk.send(delta(*records), DELTA)
    assert await work_through_deaths(desk, job.job_id) >= 3
    done = await desk.service.get_import(job.job_id)
    assert (done.counts.changed, done.counts.rejected) == (7, 1)
    assert (await shop.balance()).on_hand == 21


async def test_a_process_that_is_killed_in_a_chunk_leaves_the_rest_to_the_next(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    database = make_database("inventory")
    database.clean()
    (tmp_path / "points").mkdir()
    # Its commits: progress, the plan, then one for each chunk.
    (tmp_path / "points" / "run_imports.before_commit.4").touch()
    environment = {"OMS_DATABASE_URL": database.url, "OMS_FAILPOINTS": str(tmp_path / "points")}
    address = f"127.0.0.1:{free_port()}"
    async with running("services.inventory", address, environment) as process:
        async with rpc.connect(address) as channel:
            await _furnish(InventoryServiceStub(channel))
            answer = await ImportServiceStub(channel).StartImport(_file())
        job_id = answer.job.job_id
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL
    environment["OMS_FAILPOINTS"] = ""
    async with running("services.inventory", address, environment), rpc.connect(address) as channel:
        stub, job = ImportServiceStub(channel), answer.job
        async with asyncio.timeout(30):
            while job.state != pb.IMPORT_STATE_DONE:
                await asyncio.sleep(0.05)
                job = (await stub.GetImport(pb.GetImportRequest(job_id=job_id))).job
        found = await InventoryServiceStub(channel).FindDifferences(inventory_pb.FindDifferencesRequest())
        again = await stub.StartImport(_file())
    assert (job.read, job.changed, job.rejected) == (3 * _SKUS, 3 * _SKUS, 0)
    assert (found.checked, len(found.differences)) == (3 * _SKUS, 0)
    assert (again.repeated_file, again.job.job_id) == (True, job_id)


async def _furnish(stub: "InventoryServiceAsyncStub") -> None:
    items = [inventory_pb.Item(sku=f"SKU-{number}") for number in range(_SKUS)]
    await stub.PutItems(inventory_pb.PutItemsRequest(items=items))
    points = [
        inventory_pb.StockPoint(
            point_id=point,
            name=point,
            type=types.POINT_TYPE_STORE,
            country="FR",
            time_zone="Europe/Paris",
            ownership="owned",
            position=types.Position(latitude=45.76, longitude=4.84),
        )
        for point in POINTS
    ]
    await stub.PutStockPoints(inventory_pb.PutStockPointsRequest(points=points))


async def _file() -> AsyncIterator[pb.StartImportRequest]:
    header = pb.ImportHeader(
        request_id=f"req-{os.urandom(4).hex()}",
        kind=pb.IMPORT_KIND_SNAPSHOT,
        format=pb.IMPORT_FORMAT_CSV,
        point_ids=POINTS,
        absent=pb.ABSENT_RULE_ZERO,
        actor="wms",
    )
    header.effective_at.FromJsonString("2026-01-01T00:00:00Z")
    yield pb.StartImportRequest(header=header)
    content = snapshot(*((f"SKU-{number}", point, number + 1) for number in range(_SKUS) for point in POINTS))
    for start in range(0, len(content), 10_000):
        yield pb.StartImportRequest(content=content[start : start + 10_000])
