"""`oms up`, `oms down`, `oms status`: the system of this machine as a whole."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.state import DEFAULT_STATE, StateOption, running_system
from deploy.local.launcher import PortTaken, Stack, StackOptions
from deploy.local.process import ProcessFailed
from deploy.local.processes import DEFAULT_PORTS
from deploy.local.state import AlreadyRunning, StateFolder, living
from deploy.local.supervisor import Event
from deploy.local.tokens import ROLES

STOP_SECONDS = 15


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    state: StateOption = DEFAULT_STATE,
    port: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER, for example gateway=8081; also as OMS_PORT_GATEWAY=8081."),
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=4, help="How many of each of our processes.")] = 1,
) -> None:
    """Start everything and stay until Ctrl-C. Exit code 0 also when it is running already; 1 on failure."""
    os.umask(0o077)  # what the system writes holds customers' data: for its owner only
    console = Console(highlight=False)
    progress = _Progress(console)
    stack = Stack(StackOptions(state=state, ports=_ports(port or []), replicas=replicas), progress)
    try:
        asyncio.run(_run(stack, console, progress))
    except AlreadyRunning as running:
        console.print(f"It is {running}.")
    except PortTaken as taken:
        console.print(f"[red]Port {taken.port}, wanted for {taken.name}, is taken by another program.[/]")
        other = f"{taken.name}={taken.port + 1}"
        console.print(f"Choose another: oms up --port {other}   or   OMS_PORT_{other.upper()} make run")
        raise typer.Exit(1) from None
    except ProcessFailed as failed:
        console.print(
            f"[red]{failed.name} {failed.what}.[/] Everything was stopped. The end of {failed.log_file}:"
        )
        console.print(failed.log_tail, markup=False)
        raise typer.Exit(1) from None


def down(state: StateOption = DEFAULT_STATE) -> None:
    """Stop the system that runs in the background or in another terminal; its data stays."""
    info = running_system(state)
    os.kill(info.launcher_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while StateFolder(state).is_taken():
        if time.monotonic() > deadline:
            typer.echo(f"It still runs (pid {info.launcher_pid}).", err=True)
            raise typer.Exit(1)
        time.sleep(0.1)
    typer.echo("Stopped.")


def status(state: StateOption = DEFAULT_STATE) -> None:
    """Show the processes that run, their memory and their addresses."""
    info = running_system(state)
    table = Table("process", "pid", "MB", "up", "address", box=None, pad_edge=False)
    for name, one in info.processes.items():
        process = living(one)
        address = info.addresses.get(name, "")
        if process is None:
            table.add_row(name, "-", "", "down", address)
            continue
        minutes = (time.time() - process.create_time()) / 60
        table.add_row(name, str(one.pid), f"{_megabytes(process):.0f}", f"{minutes:.0f} min", address)
    Console(highlight=False).print(table)


# -- running ------------------------------------------------------------------------------------------------


async def _run(stack: Stack, console: Console, progress: "_Progress") -> None:
    begun = time.monotonic()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    try:
        started = await _unless(told_to_stop, stack.start())
    finally:
        progress.rest()
    if not started:
        console.print("Stopped before everything was up.")
        return
    _say_what_next(console, stack, time.monotonic() - begun)
    failed: list[ProcessFailed] = []
    try:
        await _unless(told_to_stop, _collect_failure(stack, failed))
    finally:
        console.print("Stopping...")
        await stack.stop()
        console.print("Stopped.")
    if failed:
        raise failed[0]


async def _collect_failure(stack: Stack, failed: list[ProcessFailed]) -> None:
    failed.append(await stack.wait_failure())


async def _unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do the work, unless the event comes first: then it is cancelled and the answer is False."""
    doing, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing})
        return False
    doing.result()
    return True


def _ports(settings: list[str]) -> dict[str, int]:
    """From OMS_PORT_<NAME>, then from --port, which wins."""
    ports: dict[str, int] = {}
    for name in DEFAULT_PORTS:
        if value := os.environ.get(f"OMS_PORT_{name.upper()}"):
            ports[name] = _port_number(f"OMS_PORT_{name.upper()}", value)
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in DEFAULT_PORTS:
            raise typer.BadParameter(f"--port {setting}: no such name; one of {', '.join(DEFAULT_PORTS)}")
        ports[name] = _port_number(f"--port {setting}", value)
    return ports


def _port_number(setting: str, value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise typer.BadParameter(f"{setting}: a port is a number from 1 to 65535")
    return int(value)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


# -- what people see ------------------------------------------------------------------------------------------


class _Progress:
    """One line per part that is up; a spinner names those that are awaited."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._awaited: list[str] = []
        self._status = console.status("")

    def __call__(self, event: Event) -> None:
        if event.what == "starting":
            self._awaited.append(event.part)
        elif event.what == "ready":
            self._ready(event)
        elif event.what == "died":
            note = f"{event.part} died ({event.detail}); started again in {event.seconds:.1f} s"
            self._console.print(f"[yellow]{note}[/]")
        self._spin()

    def rest(self) -> None:
        """Take the spinner off the screen."""
        self._status.stop()

    def _ready(self, event: Event) -> None:
        if event.part in self._awaited:
            self._awaited.remove(event.part)
        self._console.print(f"  [green]ready[/] {event.part:<18} {event.seconds:5.1f} s")

    def _spin(self) -> None:
        if not self._console.is_terminal:
            return
        if self._awaited:
            self._status.update("waiting for " + ", ".join(self._awaited))
            self._status.start()
        else:
            self._status.stop()


def _say_what_next(console: Console, stack: Stack, seconds: float) -> None:
    url, oms, at = stack.gateway_url, _oms(), _state_option(stack)
    console.print(f"\nEverything is up after {seconds:.0f} s. Ctrl-C stops it; its data stays.\n")
    for name, value in (
        ("gateway", url),
        ("API documentation", f"{url}/docs"),
        ("console", f"{url}/console"),
        ("mails and SMS", f"http://{stack.listen_address('messages')}"),
        ("Temporal UI", f"http://{stack.listen_address('temporal_ui')}"),
        ("data and logs", str(stack.state.folder)),
        ("a token for a role", f"{oms} token ROLE{at}"),
        ("", f"ROLE is one of {', '.join(ROLES)}"),
        ("try next", f"{oms} demo{at}" if at else "make demo"),
        ("", f'curl -H "Authorization: Bearer $({oms} token customer_service{at})" {url}/v1/orders'),
    ):
        console.print(f"[bold]{name:<20}[/]{escape(value)}", soft_wrap=True)
    console.print()


def _oms() -> str:
    """How this command is called from here."""
    return "oms" if shutil.which("oms") else os.path.relpath(Path(sys.executable).parent / "oms")


def _state_option(stack: Stack) -> str:
    """What other commands must be told to find this system."""
    return "" if stack.state.folder == DEFAULT_STATE else f" --state {stack.state.folder}"
