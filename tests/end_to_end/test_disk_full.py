"""A disk is full, really: whoever asks is told so and may ask again; nothing is half written, and all goes on.

PostgreSQL and Temporal have a small disk of their own each here: a filesystem in memory, filled to the last byte.
To mount one takes root; a container must allow it.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from cli.client import Api, Json
from cli.people import Buyer, Shop, priced
from deploy.local.tokens import Scope
from tests import infra
from tests.end_to_end.journeys import CHANNEL, well_stocked
from tests.end_to_end.own import TEST_SECONDS, System, running_system

pytestmark = [pytest.mark.attack, pytest.mark.timeout(TEST_SECONDS)]

ORDERS = 5
POSTGRES_MEGABYTES = 384
TEMPORAL_MEGABYTES = 64
# Long enough for sweeps and long polls to meet it too.
FULL_SECONDS = 4.0
_SIDE_BY_SIDE = 8
_LOOK_AGAIN_SECONDS = 0.3
_MEGABYTE = 1024 * 1024
_PATIENCE_SECONDS = 60


class Disk:
    """A small filesystem."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left inside the block."""
        self._fill()
        try:
            yield
        finally:
            self._ballast.unlink()

    def _fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:  # to the error that everyone else will meet
                ballast.write(bytes(_MEGABYTE))
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))


@contextmanager
def mounted(name: str, megabytes: int) -> Iterator[Disk]:
    """A filesystem of this size, which skips the test where none can be mounted."""
    folder = infra.server_folder(name)
    options = f"size={megabytes}m,mode=711"
    command = ["mount", "-t", "tmpfs", "-o", options, f"oms-{name}", str(folder)]
    if os.geteuid() != 0 or (done := subprocess.run(command, capture_output=True, text=True)).returncode != 0:
        said = "not root" if os.geteuid() != 0 else done.stderr.strip()
        pytest.skip(f"no small disk to be had here: only root may mount one, where the container lets it ({said})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def postgres_disk() -> Iterator[Disk]:
    with mounted("postgres-disk", POSTGRES_MEGABYTES) as disk:
        yield disk


@pytest.fixture(scope="module")
def temporal_disk() -> Iterator[Disk]:
    with mounted("temporal-disk", TEMPORAL_MEGABYTES) as disk:
        yield disk


@pytest.fixture(scope="module")
def system(postgres_disk: Disk, temporal_disk: Disk) -> Iterator[System]:
    disks = {"postgres": postgres_disk.folder, "temporal": temporal_disk.folder}
    with running_system(disks=disks) as running:
        yield running


class Till:
    """Places orders one by one and shows each answer as it came."""

    def __init__(self, system: System, item: Json) -> None:
        self._http = httpx.AsyncClient(base_url=system.stack.gateway_url, timeout=30)
        self._token = system.stack.token("channel", Scope(channels=(CHANNEL,)))
        self._item = item

    @classmethod
    @asynccontextmanager
    async def of(cls, system: System) -> AsyncIterator["Till"]:
        """A till that sells one article of which there is plenty."""
        with Api.of(system.stack.gateway_url, system.stack.state) as api:
            shop = Shop(api, CHANNEL)
            [item] = shop.items(well_stocked(shop))
        till = cls(system, item)
        try:
            yield till
        finally:
            await till._http.aclose()

    async def place(self, key: str) -> httpx.Response:
        """One unit, under this key."""
        content = {
            **priced(CHANNEL, [self._item], [(self._item["sku"], 1)], 490),
            "channel_order_number": key,
            "customer": Buyer().customer,
            "ship_to": Buyer().address,
            "mode": "home_standard",
            "payment": {"payment_method_token": "pm_card_visa"},
        }
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        return await self._http.post("/v1/orders", json=content, headers=headers)

    async def place_until(self, wanted: Callable[[httpx.Response], bool]) -> tuple[str, httpx.Response]:
        """Orders side by side, until one is answered so: its key and the answer.

        Those before it may be taken. There is room in pages that are there, and an order whose stock or money
        cannot be written is recorded all the same.
        """
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                keys = [f"till-{uuid4().hex}" for _ in range(_SIDE_BY_SIDE)]
                for key, answer in zip(keys, await asyncio.gather(*map(self.place, keys)), strict=True):
                    if wanted(answer):
                        return key, answer
                    assert answer.status_code in (201, 202, 503, 504), answer.text

    async def until_taken(self, key: str) -> str:
        """Ask with the same key until the order stands; its id."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (answer := await self.place(key)).status_code != 201:
                assert answer.status_code in (202, 503, 504), answer.text
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return str(answer.json()["id"])


def told(reason: str) -> Callable[[httpx.Response], bool]:
    """Answers of problem+json that give this reason."""
    return lambda answer: bool(answer.json().get("reason") == reason)


async def test_a_full_disk_is_told_to_whoever_asks_and_all_goes_on_with_the_same_keys(
    system: System, postgres_disk: Disk
) -> None:
    async with system.crowd(seed=400) as crowd, Till.of(system) as till:
        await crowd.place(1)
        with postgres_disk.full():
            key, answer = await till.place_until(told("STORAGE_FULL"))
            placing = [asyncio.create_task(crowd.place(ORDERS))]
            await asyncio.sleep(FULL_SECONDS)
            # What still fits into pages that are there is written: more is asked for until it does not.
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not crowd.repeated:
                    placing.append(asyncio.create_task(crowd.place(1)))
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 1
        await asyncio.gather(*placing)
        assert await till.until_taken(key) == (await till.place(key)).json()["id"]
        await crowd.finish()
        await crowd.verify()
        assert crowd.repeated


async def test_postgres_that_cannot_write_its_log_dies_and_comes_back_when_there_is_space(
    system: System, postgres_disk: Disk
) -> None:
    async with system.crowd(seed=401) as crowd, Till.of(system) as till:
        await crowd.place(2)
        with postgres_disk.full():
            placing = asyncio.create_task(crowd.place(ORDERS))
            await _use_up_log(system)
            key, answer = await till.place_until(told("DATABASE_UNAVAILABLE"))
            assert answer.status_code == 503
            await asyncio.sleep(FULL_SECONDS)
        await placing
        assert "PANIC:  could not write" in (system.stack.logs / "postgres.log").read_text()
        await till.until_taken(key)
        await crowd.finish()
        await crowd.verify()


async def test_orders_are_taken_while_the_workflows_have_no_space_and_go_on_afterwards(
    system: System, temporal_disk: Disk
) -> None:
    async with system.crowd(seed=402) as crowd, Till.of(system) as till:
        await crowd.place(2)
        with temporal_disk.full():
            key, answer = await till.place_until(lambda answer: answer.status_code == 202)
            assert answer.json()["status"] == "recorded"
            placing = asyncio.create_task(crowd.place(ORDERS))
            await asyncio.sleep(FULL_SECONDS)
        await placing
        await till.until_taken(key)
        await crowd.finish()
        await crowd.verify()


async def _use_up_log(system: System) -> None:
    """Every segment that is there is filled; the next one cannot be made."""
    url = system.stack.database_url("orders").replace("postgresql+psycopg://", "postgresql://")
    with suppress(psycopg.OperationalError):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while True:
                await connection.execute("SELECT pg_logical_emit_message(false, 'filler', 'x'), pg_switch_wal()")
