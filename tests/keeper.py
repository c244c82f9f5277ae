"""Keeps one server of a test run alive: `python -m tests.keeper postgres|temporal RUN_FOLDER WATCHED_PID`.

It runs outside of pytest because two xdist workers share the server and either may finish first. It ends on
SIGTERM, or when the watched process (pytest) is gone, however it went.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import psutil

from deploy.local.postgres import PostgresServer
from deploy.local.process import ManagedProcess, ProcessSpec, free_port
from deploy.local.temporal import TemporalServer

WATCH_SECONDS = 0.5


def postgres(folder: Path) -> tuple[ProcessSpec, str]:
    """The server's process and its address."""
    server = PostgresServer(folder / "pg", free_port(), folder / "postgres.log", durable=False)
    server.prepare()
    return server.spec(), server.url(driver="postgresql")


def temporal(folder: Path) -> tuple[ProcessSpec, str]:
    """The server's process and its address."""
    server = TemporalServer(folder / "temporal.db", free_port(), folder / "temporal.log", time_skipping=True)
    return server.spec(), server.address


async def keep(kind: str, folder: Path, watched_pid: int) -> None:
    """Start the server, publish its address in `<kind>.json`, wait for the end of the run, stop it."""
    spec, address = {"postgres": postgres, "temporal": temporal}[kind](folder)
    server = ManagedProcess(spec)
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    await server.start()
    try:
        await server.wait_ready()
        draft = folder / f"{kind}.draft"
        draft.write_text(json.dumps({"address": address, "pid": server.pid}))
        draft.rename(folder / f"{kind}.json")
        while not told_to_stop.is_set() and psutil.pid_exists(watched_pid):
            try:
                await asyncio.wait_for(told_to_stop.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue
    finally:
        await server.stop()


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
