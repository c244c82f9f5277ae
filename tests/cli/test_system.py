"""`oms up` and its neighbours, as a person types them."""

import socket
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from deploy.local.launcher import random_ports
from deploy.local.state import RunInfo, StateFolder
from deploy.local.tokens import ROLES
from services.gateway.auth import Role

runner = CliRunner()


def test_a_taken_port_names_the_port_and_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = random_ports() | {"gateway": other.getsockname()[1]}
        arguments = [f"--port={name}={port}" for name, port in ports.items()]
        result = runner.invoke(app, ["up", "--state", str(tmp_path), *arguments])
    assert result.exit_code == 1
    assert f"Port {ports['gateway']}, wanted for gateway, is taken" in result.output
    assert f"--port gateway={ports['gateway'] + 1}" in result.output
    assert "OMS_PORT_GATEWAY" in result.output


def test_a_second_start_says_that_it_is_running_already(tmp_path: Path) -> None:
    running = StateFolder(tmp_path)
    running.take()
    running.write(RunInfo(4711, {"gateway": "127.0.0.1:8080"}))
    result = runner.invoke(app, ["up", "--state", str(tmp_path)])
    running.give_back()
    assert result.exit_code == 0
    assert "already running (pid 4711) at http://127.0.0.1:8080" in result.output


def test_ports_that_make_no_sense_are_refused_by_name(tmp_path: Path) -> None:
    for setting, complaint in (("gatewya=1", "no such name"), ("gateway=x", "1 to 65535")):
        result = runner.invoke(app, ["up", "--state", str(tmp_path), "--port", setting])
        assert result.exit_code == 2
        assert complaint in result.output
    result = runner.invoke(app, ["up", "--state", str(tmp_path)], env={"OMS_PORT_RELAY": "70000"})
    assert result.exit_code == 2
    assert "OMS_PORT_RELAY" in result.output


def test_status_and_down_say_when_nothing_runs(tmp_path: Path) -> None:
    for command in ("status", "down"):
        result = runner.invoke(app, [command, "--state", str(tmp_path)])
        assert result.exit_code == 1
        assert "oms up" in result.output


def test_a_token_is_printed_alone_so_that_a_shell_can_use_it(tmp_path: Path) -> None:
    result = runner.invoke(app, ["token", "store", "--store", "st_lyon", "--state", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout.count(".") == 2
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


def test_the_roles_of_tokens_are_those_of_the_gateway(tmp_path: Path) -> None:
    assert set(ROLES) == {str(role) for role in Role}
    result = runner.invoke(app, ["token", "king", "--state", str(tmp_path)])
    assert result.exit_code == 2
    assert "supply_chain" in result.output
