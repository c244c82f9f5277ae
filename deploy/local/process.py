"""One child process: started, waited for until it answers, watched, stopped.

Knows nothing of what the process is: the list of ours is `processes.py`, and `supervisor.py` restarts them.
"""

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import httpx
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

POLL_SECONDS = 0.1
_LOWEST_PORT, _FIRST_OUTGOING_PORT = 15_000, 32_768


class ProcessFailed(Exception):
    """A process ended, or never became ready; `log_tail` holds its last words."""

    def __init__(self, name: str, what: str, log_file: Path) -> None:
        self.name, self.what, self.log_file = name, what, log_file
        self.log_tail = tail(log_file)
        super().__init__(f"{name} {what}; its log is {log_file}")
        self.add_note(self.log_tail)


@dataclass(frozen=True)
class Owner:
    """The system user a process runs as, when it is not ours (PostgreSQL refuses to run as root)."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessSpec:
    """All that is needed to start a process and to know that it is ready."""

    name: str
    command: tuple[str, ...]
    log_file: Path
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: Path | None = None
    owner: Owner | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    ready_seconds: float = 30.0


class ManagedProcess:
    """A running (or ended) process made from a spec; it can be started again after it ended."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.running else None  # type: ignore[union-attr]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """Minus the signal's number when a signal ended it."""
        return self._process.returncode if self._process else None

    async def start(self, extra_environment: Mapping[str, str] | None = None) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches only the launcher."""
        spec = self.spec
        owner = {} if spec.owner is None else {"user": spec.owner.uid, "group": spec.owner.gid, "extra_groups": ()}
        spec.log_file.parent.mkdir(parents=True, exist_ok=True)
        with spec.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **spec.environment, **(extra_environment or {})},
                cwd=spec.working_directory,
                start_new_session=True,
                **owner,  # type: ignore[arg-type]
            )

    async def wait_ready(self) -> None:
        """Return once the health check passes; raise ProcessFailed if it ends or stays silent."""
        deadline = time.monotonic() + self.spec.ready_seconds
        while not await self.spec.ready():
            if not self.running:
                raise ProcessFailed(self.spec.name, f"ended at start ({self.exit_code})", self.spec.log_file)
            if time.monotonic() > deadline:
                what = f"was not ready after {self.spec.ready_seconds:.0f} s"
                raise ProcessFailed(self.spec.name, what, self.spec.log_file)
            await asyncio.sleep(POLL_SECONDS)
        if not self.running:  # something else answers on its address
            raise ProcessFailed(self.spec.name, f"ended at start ({self.exit_code})", self.spec.log_file)

    async def wait(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to stop, and kill it when it does not within `stop_seconds`."""
        if not self.running or self._process is None:
            return
        self._signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, as a crash would: nothing is flushed, nothing is said. What it had started ends with it.

        PostgreSQL's sessions would outlive it for a moment, and hold the memory that the next server asks for.
        """
        if self.running and self._process is not None:
            started = _started_by(self._process.pid)
            self._signal(signal.SIGKILL)
            await self._process.wait()
            for one in started:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            await asyncio.to_thread(psutil.wait_procs, started, timeout=self.spec.stop_seconds)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def _started_by(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a file, or nothing if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def grpc_ready(address: str) -> Callable[[], Awaitable[bool]]:
    """A check that asks grpc.health.v1 at host:port."""

    async def check() -> bool:
        if not await _listens(address):
            return False
        async with grpc.aio.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
            except grpc.aio.AioRpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return check


def http_ready(address: str, path: str) -> Callable[[], Awaitable[bool]]:
    """A check that wants a 200 answer to GET path at host:port."""

    async def check() -> bool:
        if not await _listens(address):
            return False
        try:
            async with httpx.AsyncClient(timeout=2, verify=False) as client:  # no certificates to load
                return (await client.get(f"http://{address}{path}")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return check


async def _listens(address: str) -> bool:
    # The cheap question first: many checks run while eight processes want the same two cores.
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


_given_ports: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback that nobody holds now, never the same one twice.

    Below those that the system gives to outgoing connections (from 32768 on Linux): one of them could take it
    while the process that it is for is down, and keep it for as long as that connection lives.
    """
    while True:
        port = random.randrange(_LOWEST_PORT, _FIRST_OUTGOING_PORT)
        if port in _given_ports:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given_ports.add(port)
            return port
