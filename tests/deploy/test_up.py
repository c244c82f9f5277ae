"""`oms up` from start to Ctrl-C, with every real process: what a new user meets first."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.launcher import random_ports
from deploy.local.process import tail
from deploy.local.state import RunInfo, StateFolder, living

START_SECONDS = 150
PROCESSES = {
    "postgres", "temporal", "payment_provider", "carrier", "locker", "warehouse", "messages", "inventory",
    "promise", "orders", "payments", "booking", "handover", "relay", "worker", "gateway",
}  # fmt: skip


class Machine:
    """One state folder and one set of ports, and the command run on them."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.output = folder / "output"
        self._ports = [f"--port={name}={port}" for name, port in random_ports().items()]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cli.main", *words, "--state", str(self.state)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[bytes]]:
        """The launcher, once it says that everything is up."""
        self.output.write_text("")
        with self.output.open("ab") as output:
            launcher = subprocess.Popen(self.command("up", *self._ports), stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_SECONDS
            while "Everything is up" not in self.output.read_text():
                assert launcher.poll() is None, tail(self.output)
                assert time.monotonic() < deadline, tail(self.output)
                time.sleep(0.1)
            yield launcher
        finally:
            if launcher.poll() is None:
                launcher.send_signal(signal.SIGTERM)
                launcher.wait(30)

    def info(self) -> RunInfo:
        found = StateFolder(self.state).read()
        assert found
        return found


def alive(info: RunInfo) -> list[str]:
    return [name for name, one in info.processes.items() if living(one)]


def stopped_within(launcher: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> bool:
    begun = time.monotonic()
    launcher.send_signal(number)
    launcher.wait(seconds * 3)
    return time.monotonic() - begun < seconds


@pytest.mark.timeout(600)
def test_a_new_user_starts_looks_around_and_stops_and_a_crash_leaves_nothing_behind(server_folder: Path) -> None:
    machine = Machine(server_folder)

    with machine.up() as launcher:
        info = machine.info()
        shown = machine.output.read_text()
        assert set(alive(info)) == PROCESSES
        assert info.gateway_url in shown
        assert f"{info.gateway_url}/docs" in shown
        assert "oms token" in shown
        assert httpx.get(f"{info.gateway_url}/readyz").status_code == 200
        assert httpx.get(f"{info.gateway_url}/openapi.json").status_code == 200
        assert httpx.get(f"http://{info.addresses['temporal_ui']}").status_code == 200
        token = machine.run("token", "operator").stdout.strip()
        answer = httpx.get(f"{info.gateway_url}/v1/orders", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        assert httpx.get(f"{info.gateway_url}/v1/orders").status_code == 401

        again = machine.run("up")
        assert again.returncode == 0
        assert f"already running (pid {launcher.pid}) at {info.gateway_url}" in again.stdout
        status = machine.run("status").stdout
        assert all(re.search(rf"^{name} +\d+ ", status, re.MULTILINE) for name in PROCESSES)

        assert stopped_within(launcher, signal.SIGINT, 10)
        assert launcher.returncode == 0
        assert alive(info) == []

    with machine.up() as launcher:  # the data was kept: the retailer is not loaded again
        first_load = (machine.state / "logs" / "demo-retailer.log").read_text()
        assert first_load.count("stock points") == 1
        crashed = machine.info()
        launcher.kill()
        launcher.wait()
    assert set(alive(crashed)) == PROCESSES

    with machine.up():
        assert alive(crashed) == []
        down = machine.run("down")
        assert down.returncode == 0, down.stderr
        assert alive(machine.info()) == []
