"""Parts come up in order, stay up, and go down in reverse; shown with processes that only wait."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.local.process import ProcessFailed, ProcessSpec
from deploy.local.supervisor import DEATHS_ALLOWED, Event, Service, Step, Supervisor

WAIT_FOR_SIGTERM = """
import pathlib, signal, sys
pathlib.Path(sys.argv[1]).touch()
signal.sigwait([signal.SIGTERM])
pathlib.Path(sys.argv[1]).unlink()
"""
IGNORE_SIGTERM = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
FAIL = "import sys; sys.exit('no disk left')"


class Stage:
    """Makes parts in a folder and remembers what was observed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []

    def service(self, name: str, needs: tuple[str, ...] = (), code: str = WAIT_FOR_SIGTERM) -> Service:
        flag = self.folder / f"{name}.up"

        async def ready() -> bool:
            return flag.exists()

        return Service(
            ProcessSpec(
                name=name,
                command=(sys.executable, "-S", "-c", "import signal\n" + code, str(flag)),
                log_file=self.folder / f"{name}.log",
                ready=ready,
                stop_seconds=0.5,
                ready_seconds=5,
            ),
            needs,
        )

    def seen(self, what: str) -> list[str]:
        return [event.part for event in self.events if event.what == what]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - it lives in another process
                await asyncio.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_parts_come_up_after_their_needs_and_go_down_before_them(stage: Stage) -> None:
    order: list[str] = []

    async def migrate() -> None:
        assert (stage.folder / "database.up").exists()
        order.append("migrated")

    supervisor = Supervisor(
        [
            stage.service("gateway", needs=("orders",)),
            stage.service("orders", needs=("tables",)),
            Step("tables", migrate, needs=("database",)),
            stage.service("database"),
        ],
        stage.events.append,
    )
    await supervisor.start()
    assert stage.seen("ready") == ["database", "tables", "orders", "gateway"]
    pids = list(supervisor.pids().values())
    await supervisor.stop()
    assert order == ["migrated"]
    assert stage.seen("stopped") == ["gateway", "orders", "database"]
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_part_may_start_beside_what_it_uses_but_stops_before_it(stage: Stage) -> None:
    gateway = Service(stage.service("gateway").spec, uses=("worker",))
    supervisor = Supervisor([gateway, stage.service("worker")], stage.events.append)
    await supervisor.start()
    await supervisor.stop()
    assert stage.seen("stopped") == ["gateway", "worker"]


async def test_one_that_fails_at_start_takes_all_down_and_shows_its_last_words(stage: Stage) -> None:
    supervisor = Supervisor(
        [stage.service("database"), stage.service("orders", needs=("database",), code=FAIL)],
        stage.events.append,
    )
    with pytest.raises(ProcessFailed, match="orders ended at start") as failed:
        await supervisor.start()
    assert "no disk left" in failed.value.log_tail
    assert supervisor.pids() == {}


async def test_a_failed_step_takes_all_down(stage: Stage) -> None:
    async def explode() -> None:
        raise RuntimeError("bad migration")

    supervisor = Supervisor([stage.service("database"), Step("tables", explode, needs=("database",))])
    with pytest.raises(RuntimeError, match="bad migration"):
        await supervisor.start()
    assert supervisor.pids() == {}


async def test_a_start_that_is_cancelled_leaves_nothing_running(stage: Stage) -> None:
    supervisor = Supervisor([stage.service("database"), stage.service("never", code="signal.sigwait([15])")])
    starting = asyncio.create_task(supervisor.start())
    await stage.until(lambda: (stage.folder / "database.up").exists())
    pids = list(supervisor.pids().values())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_one_that_is_killed_is_started_again(stage: Stage) -> None:
    supervisor = Supervisor([stage.service("orders")], stage.events.append)
    await supervisor.start()
    first = supervisor.pid("orders")
    (stage.folder / "orders.up").unlink()
    await supervisor.kill("orders")
    await asyncio.wait_for(supervisor.wait_ready("orders"), 10)
    assert supervisor.pid("orders") not in (None, first)
    assert supervisor.starts("orders") == 2
    assert stage.seen("died") == ["orders"]
    await supervisor.stop()


async def test_one_that_dies_from_outside_is_noticed_too(stage: Stage) -> None:
    supervisor = Supervisor([stage.service("orders")], stage.events.append)
    await supervisor.start()
    pid = supervisor.pid("orders")
    assert pid
    os.kill(pid, signal.SIGKILL)
    await stage.until(lambda: stage.seen("ready") == ["orders", "orders"])
    assert [event.detail for event in stage.events if event.what == "died"] == ["exit -9"]
    await supervisor.stop()


@pytest.mark.parametrize("allowed", [DEATHS_ALLOWED, 8])
async def test_one_that_dies_again_and_again_ends_the_whole(stage: Stage, allowed: int) -> None:
    supervisor = Supervisor(
        [stage.service("orders")],
        stage.events.append,
        first_pause_seconds=0.001,
        deaths_allowed=allowed,
        longest_pause_seconds=0.01,
    )
    await supervisor.start()
    failing = asyncio.create_task(supervisor.wait_failure())
    async with asyncio.timeout(20):
        while not failing.done():
            await supervisor.kill("orders")
            back = asyncio.create_task(supervisor.wait_ready("orders"))
            await asyncio.wait({failing, back}, return_when=asyncio.FIRST_COMPLETED)
            back.cancel()
    assert f"died {allowed + 1} times" in str(failing.result())
    assert supervisor.starts("orders") == allowed + 1
    await supervisor.stop()


async def environment_of(pid: int) -> dict[str, str]:
    """What a process was told. For a moment after its program was loaded the system shows none."""
    async with asyncio.timeout(5):
        while not (told := psutil.Process(pid).environ()):  # noqa: ASYNC110 - only the system can be asked
            await asyncio.sleep(0.01)
    return told


async def test_a_held_process_stays_down_until_it_is_released(stage: Stage) -> None:
    supervisor = Supervisor([stage.service("orders")], stage.events.append)
    await supervisor.start()
    await supervisor.hold("orders")
    assert supervisor.pid("orders") is None
    await supervisor.release("orders", {"OMS_ONCE": "after-commit"})
    pid = supervisor.pid("orders")
    assert pid
    assert (await environment_of(pid))["OMS_ONCE"] == "after-commit"
    (stage.folder / "orders.up").unlink()
    await supervisor.kill("orders")
    await asyncio.wait_for(supervisor.wait_ready("orders"), 10)
    pid = supervisor.pid("orders")
    assert pid
    assert "OMS_ONCE" not in await environment_of(pid), "a crash is not repeated on its own"
    await supervisor.stop()


async def test_one_that_ignores_the_request_to_stop_is_killed(stage: Stage) -> None:
    supervisor = Supervisor([stage.service("stubborn", code=IGNORE_SIGTERM)])
    await supervisor.start()
    begun = time.monotonic()
    await supervisor.stop()
    assert supervisor.pids() == {}
    assert time.monotonic() - begun < 5
