"""The whole system on one machine, as a library: `oms up` and the end-to-end tests start a `Stack`.

    stack = Stack(StackOptions(state=tmp_path, ports=random_ports()))
    await stack.start()
    ... httpx on stack.gateway_url ...; await stack.kill("worker"); await stack.wait_ready("worker")
    await stack.stop()

Wires keys, ports, servers and processes together. Which processes there are is `processes.py`.
"""

import asyncio
import hashlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.local import environment, tokens
from deploy.local.keys import Keys, load_or_make
from deploy.local.postgres import PostgresServer, create_database
from deploy.local.process import ProcessFailed, ProcessSpec, free_port, grpc_ready, http_ready
from deploy.local.processes import DEFAULT_PORTS, GRPC_SERVICES, PROCESSES, Process
from deploy.local.state import RunInfo, StateFolder, describe
from deploy.local.supervisor import (
    DEATHS_ALLOWED,
    LONGEST_PAUSE_SECONDS,
    Event,
    Part,
    Service,
    Step,
    Supervisor,
)
from deploy.local.temporal import TemporalServer
from kit import db

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
# Generous: one that dies is noticed at once anyway, and a gateway waits for all the others.
READY_SECONDS = 120.0
DEMO_RETAILER = "retailers.demo.load"


class PortTaken(Exception):
    """Somebody else listens on a port that is to be ours."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port
        super().__init__(f"port {port}, wanted for {name}, is taken")


@dataclass(frozen=True)
class StackOptions:
    """What may differ from one stack to another.

    `ports` overrides the defaults by name. `replicas` runs each of our processes that many times.
    `environment` is added for every process of ours. `durable=False` gives up safety for speed.
    `through` names the ports at which others reach a part, where that is not its own (a proxy stands before it).
    `disks` names the folders of the data of postgres and temporal, where they have a disk of their own.
    `failpoints` is the folder in which tests arm them, a folder in it for each process. A process that died more
    than `deaths_allowed` times in a minute is given up; before that, it is started again after a pause.
    """

    state: Path = ROOT / ".oms"
    ports: Mapping[str, int] = field(default_factory=dict)
    replicas: int = 1
    durable: bool = True
    web_ui: bool = True
    time_skipping: bool = False
    load_demo: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    through: Mapping[str, int] = field(default_factory=dict)
    disks: Mapping[str, Path] = field(default_factory=dict)
    failpoints: Path | None = None
    deaths_allowed: int = DEATHS_ALLOWED
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS


def random_ports() -> dict[str, int]:
    """Free ports for all, so that stacks can run side by side."""
    return {name: free_port() for name in DEFAULT_PORTS}


class Stack:
    """One system: start it, look at it, hurt it, stop it."""

    def __init__(self, options: StackOptions, observe: Callable[[Event], None] = lambda _: None) -> None:
        self.options = options
        self.ports = {**DEFAULT_PORTS, **options.ports}
        self.state = StateFolder(options.state)
        self._observe = observe
        self._supervisor: Supervisor | None = None
        self._keys: Keys | None = None
        self._replica_ports = self._assign_replica_ports()

    # -- life -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Return when every process is healthy and the demo retailer is loaded.

        AlreadyRunning, PortTaken or ProcessFailed otherwise; then nothing of it runs.
        """
        await asyncio.to_thread(self.state.take)
        try:
            self._check_ports()
            self._keys = load_or_make(self.state.keys)
            self._supervisor = Supervisor(
                self._parts(),
                self._on_event,
                deaths_allowed=self.options.deaths_allowed,
                longest_pause_seconds=self.options.longest_pause_seconds,
            )
            await self._supervisor.start()
        except BaseException:
            self.state.give_back()
            raise

    async def stop(self) -> None:
        """Stop everything in reverse order, within ten seconds."""
        if self._supervisor:
            await self._supervisor.stop()
        self.state.give_back()

    async def wait_failure(self) -> ProcessFailed:
        """Return only if a process could not be kept alive."""
        return await self.supervisor.wait_failure()

    # -- where things are -------------------------------------------------------------------------------

    @property
    def supervisor(self) -> Supervisor:
        assert self._supervisor is not None, "not started"
        return self._supervisor

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.ports['gateway']}"

    def replica_names(self, name: str) -> list[str]:
        """`inventory`, `inventory-2`...: the names of a process's replicas."""
        return [replica for replica in self._replica_ports if replica.partition("-")[0] == name]

    def listen_address(self, replica: str) -> str:
        """host:port of one process, or of postgres, temporal, temporal_ui."""
        return f"{HOST}:{self._replica_ports.get(replica) or self.ports[replica]}"

    @property
    def addresses(self) -> dict[str, str]:
        """host:port by name; with replicas, a gRPC target that names them all."""
        found = {name: f"{HOST}:{port}" for name, port in self.ports.items()}
        for name in GRPC_SERVICES:
            replicas = [self.listen_address(replica) for replica in self.replica_names(name)]
            found[name] = replicas[0] if len(replicas) == 1 else "ipv4:" + ",".join(replicas)
        return found | {name: f"{HOST}:{port}" for name, port in self.options.through.items()}

    def database_url(self, service: str) -> str:
        """SQLAlchemy's URL of a service's database."""
        return self._postgres().url(service)

    def token(self, role: str, scope: tokens.Scope | None = None) -> str:
        """A bearer token for the gateway."""
        return tokens.sign(self.keys.jwt_private_file, role, scope or tokens.Scope())

    @property
    def keys(self) -> Keys:
        assert self._keys is not None, "not started"
        return self._keys

    # -- hurting it (tests) -----------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """SIGKILL; it is started again on its own."""
        await self.supervisor.kill(name)

    async def wait_ready(self, name: str) -> None:
        """Return when it is healthy (again)."""
        await self.supervisor.wait_ready(name)

    async def hold(self, name: str) -> None:
        """Stop one process and leave it down."""
        await self.supervisor.hold(name)

    async def release(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a held process; `environment` holds for this start only (a failpoint, for example)."""
        await self.supervisor.release(name, environment)

    async def restart(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Stop it cleanly and start it again."""
        await self.hold(name)
        await self.release(name, environment)

    # -- parts ------------------------------------------------------------------------------------------

    def _parts(self) -> list[Part]:
        postgres, temporal = self._postgres(), self._temporal()
        parts: list[Part] = [
            Step("cluster", lambda: asyncio.to_thread(self._prepare_cluster, postgres)),
            Service(postgres.spec(), needs=("cluster",)),
            Step("databases", self._make_databases, needs=("postgres",)),
            Service(temporal.spec()),
            Step("namespace", temporal.configure, needs=("temporal",)),
        ]
        for process in PROCESSES:
            uses = tuple(replica for used in process.uses for replica in self.replica_names(used))
            for replica in self.replica_names(process.name):
                parts.append(Service(self._spec(process, replica), process.needs, uses))
        if self.options.load_demo:
            loaded = ("inventory", "promise", "orders", "payments", "booking", "handover")
            parts.append(Step("demo retailer", self._load_demo, needs=loaded))
        return parts

    def _postgres(self) -> PostgresServer:
        return PostgresServer(
            self._disk("postgres") / "postgres",
            self.ports["postgres"],
            self.state.log("postgres"),
            durable=self.options.durable,
            password=self.keys.postgres_password,
        )

    def _temporal(self) -> TemporalServer:
        return TemporalServer(
            self._disk("temporal") / "temporal.db",
            self.ports["temporal"],
            self.state.log("temporal"),
            ui_port=self.ports["temporal_ui"] if self.options.web_ui else None,
            time_skipping=self.options.time_skipping,
        )

    def _disk(self, server: str) -> Path:
        return self.options.disks.get(server, self.state.folder)

    def _spec(self, process: Process, replica: str) -> ProcessSpec:
        address = self.listen_address(replica)
        ready = grpc_ready(address) if process.health == "grpc" else http_ready(address, process.health)
        return ProcessSpec(
            name=replica,
            command=(sys.executable, "-m", process.module),
            log_file=self.state.log(replica),
            ready=ready,
            environment=self._environment(process, address),
            working_directory=ROOT,
            ready_seconds=READY_SECONDS,
        )

    def _environment(self, process: Process, address: str) -> dict[str, str]:
        told = self._common_environment() | environment.secrets(self.keys, process.secrets, self.addresses)
        told["OMS_LISTEN"] = address
        if process.database:
            reached_at = self.options.through.get("postgres", self.ports["postgres"])
            told["OMS_DATABASE_URL"] = replace(self._postgres(), port=reached_at).url(process.name)
        if self.options.failpoints:
            told["OMS_FAILPOINTS"] = str(self.options.failpoints / process.name)
        return told | dict(self.options.environment)

    def _common_environment(self) -> dict[str, str]:
        return environment.common(self.addresses, self.keys, self.state.folder)

    # -- steps ------------------------------------------------------------------------------------------

    def _prepare_cluster(self, postgres: PostgresServer) -> None:
        if not postgres.exists:
            for done in self.state.folder.glob("*.done"):
                done.unlink()
        postgres.prepare()

    async def _make_databases(self) -> None:
        digest = await asyncio.to_thread(_digest, ROOT.glob("services/*/migrations/**/*.py"))
        if self._was_done("migrations", digest):
            return
        admin_url = self._postgres().url(driver="postgresql")
        for service in GRPC_SERVICES:  # one by one: Alembic keeps its context in globals
            await asyncio.to_thread(create_database, admin_url, service)
            await db.migrate(service, self.database_url(service))
        self._mark_done("migrations", digest)

    async def _load_demo(self) -> None:
        digest = await asyncio.to_thread(_digest, ROOT.glob("retailers/demo/**/*"))
        if self._was_done("demo-retailer", digest):
            return
        log = self.state.log("demo-retailer")
        with log.open("ab") as output:
            loading = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                DEMO_RETAILER,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._common_environment()},
                cwd=ROOT,
            )
            try:
                code = await loading.wait()
            except asyncio.CancelledError:
                loading.kill()
                raise
        if code != 0:
            raise ProcessFailed("demo retailer", f"could not be loaded (exit {code})", log)
        self._mark_done("demo-retailer", digest)

    # -- inside -----------------------------------------------------------------------------------------

    def _was_done(self, what: str, digest: str) -> bool:
        done = self.state.folder / f"{what}.done"
        return done.exists() and done.read_text() == digest

    def _mark_done(self, what: str, digest: str) -> None:
        (self.state.folder / f"{what}.done").write_text(digest)

    def _assign_replica_ports(self) -> dict[str, int]:
        assigned = {}
        for process in PROCESSES:
            assigned[process.name] = self.ports[process.name]
            for number in range(2, self.options.replicas + 1 if process.replicated else 2):
                assigned[f"{process.name}-{number}"] = free_port()
        return assigned

    def _check_ports(self) -> None:
        for name, port in self.ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    raise PortTaken(name, port) from None

    def _on_event(self, event: Event) -> None:
        if event.what in ("launched", "stopped"):
            self._write_run_file()
        self._observe(event)

    def _write_run_file(self) -> None:
        running = {}
        for name, pid in self.supervisor.pids().items():
            number = signal.SIGINT if name == "postgres" else signal.SIGTERM
            if known := describe(pid, number):
                running[name] = known
        self.state.write(
            RunInfo(os.getpid(), {**self.addresses, "gateway": f"{HOST}:{self.ports['gateway']}"}, running)
        )


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(ROOT)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
