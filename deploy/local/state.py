"""The state folder of one machine's system (`.oms/`): who runs it, where it listens, what it left behind.

Owns the lock that makes a second launcher impossible, and `run.json`, which the other commands read.
"""

import fcntl
import json
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

LOG_BYTES_KEPT = 20_000_000


@dataclass(frozen=True)
class RunningProcess:
    """A process by number and birth, so that a later owner of the number is not taken for it."""

    pid: int
    created: float
    stop_signal: int


@dataclass(frozen=True)
class RunInfo:
    """What `run.json` says of the system that runs (or ran last)."""

    launcher_pid: int
    addresses: dict[str, str]
    processes: dict[str, RunningProcess] = field(default_factory=dict)

    @property
    def gateway_url(self) -> str:
        return f"http://{self.addresses['gateway']}"


class AlreadyRunning(Exception):
    """Another launcher holds this state folder; `info` is what it wrote, once it has."""

    def __init__(self, info: RunInfo | None) -> None:
        self.info = info
        super().__init__("already running" + (f" (pid {info.launcher_pid}) at {info.gateway_url}" if info else ""))


class StateFolder:
    """Paths and the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._lock: IO[str] | None = None

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def _run_file(self) -> Path:
        return self.folder / "run.json"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def take(self) -> None:
        """Become its only user, until `give_back` or the end of this process; AlreadyRunning if another is."""
        self.logs.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(self.read()) from None
        self._lock = lock
        self._end_left_overs()
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES_KEPT:
                log.replace(log.with_suffix(".log.1"))

    def give_back(self) -> None:
        """Let another launcher take it."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def is_taken(self) -> bool:
        """Whether a launcher holds it now."""
        if not (self.folder / "lock").exists():
            return False
        with (self.folder / "lock").open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def write(self, info: RunInfo) -> None:
        """Say how the system runs now."""
        draft = self._run_file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(info), indent=2))
        draft.replace(self._run_file)

    def read(self) -> RunInfo | None:
        """What was said last; it may have ended since (see `is_taken`)."""
        try:
            content = json.loads(self._run_file.read_text())
        except FileNotFoundError:
            return None
        processes = {name: RunningProcess(**one) for name, one in content.pop("processes").items()}
        return RunInfo(processes=processes, **content)

    def _end_left_overs(self) -> None:
        """End the processes of a launcher that was killed: they hold our ports and our files."""
        last = self.read()
        found = [(one, living(one)) for one in last.processes.values()] if last else []
        left = []
        for one, process in found:
            if process:
                with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                    process.send_signal(signal.Signals(one.stop_signal))
                    left.append(process)
        for process in psutil.wait_procs(left, timeout=5)[1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(5)


def describe(pid: int, stop_signal: int) -> RunningProcess | None:
    """A process that runs now, for `run.json`."""
    try:
        return RunningProcess(pid, psutil.Process(pid).create_time(), stop_signal)
    except psutil.NoSuchProcess:
        return None


def living(one: RunningProcess) -> psutil.Process | None:
    """The same process, if it still lives."""
    try:
        process = psutil.Process(one.pid)
        return process if abs(process.create_time() - one.created) < 1 else None
    except psutil.NoSuchProcess:
        return None
