"""The state folder: one launcher at a time, and nothing left over from one that was killed."""

import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from deploy.local import tokens
from deploy.local.keys import load_or_make
from deploy.local.launcher import PortTaken, Stack, StackOptions, random_ports
from deploy.local.state import AlreadyRunning, RunInfo, StateFolder, describe

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


def test_a_second_launcher_is_told_who_runs_and_where(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    assert not first.is_taken()
    first.take()
    first.write(RunInfo(4711, {"gateway": "127.0.0.1:8080"}))
    with pytest.raises(AlreadyRunning, match=r"pid 4711\) at http://127.0.0.1:8080"):
        second.take()
    assert second.is_taken()
    first.give_back()
    assert not second.is_taken()
    second.take()
    second.give_back()


def test_processes_that_outlived_a_killed_launcher_are_ended(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as sleeper:
        known = describe(sleeper.pid, signal.SIGTERM)
        assert known
        StateFolder(tmp_path).write(RunInfo(1, {}, {"orders": known}))
        StateFolder(tmp_path).take()
        assert sleeper.poll() is not None


def test_a_process_that_only_has_the_same_number_is_spared(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as bystander:
        known = describe(bystander.pid, signal.SIGTERM)
        assert known
        earlier = type(known)(known.pid, known.created - 3600, known.stop_signal)
        StateFolder(tmp_path).write(RunInfo(1, {}, {"orders": earlier}))
        StateFolder(tmp_path).take()
        assert psutil.Process(bystander.pid).status() != psutil.STATUS_ZOMBIE
        bystander.kill()


async def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        stack = Stack(StackOptions(state=tmp_path, ports={**random_ports(), "gateway": taken}))
        with pytest.raises(PortTaken, match=f"port {taken}, wanted for gateway"):
            await stack.start()
    assert not (tmp_path / "postgres").exists()
    assert not stack.state.is_taken()


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    made = load_or_make(tmp_path / "keys")
    assert load_or_make(tmp_path / "keys") == made
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for file in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_token_carries_its_role_and_scope_and_expires_after_twelve_hours(tmp_path: Path) -> None:
    keys = load_or_make(tmp_path)
    scope = tokens.Scope(stores=("st_lyon",), brands=("atelier",))
    signed = tokens.sign(keys.jwt_private_file, "store", scope, now=1_000_000)
    public = OKPKey.import_key(keys.jwt_public_file.read_bytes())
    with pytest.warns(SecurityWarning):  # the name "EdDSA" is giving way to "Ed25519"
        claims = jwt.decode(signed, public, algorithms=["EdDSA"]).claims
    assert claims["roles"] == ["store"]
    assert claims["stores"] == ["st_lyon"]
    assert claims["brands"] == ["atelier"]
    assert claims["channels"] == []
    assert (claims["iss"], claims["aud"]) == ("oms-local", "oms")
    assert claims["exp"] == 1_000_000 + 12 * 3600
