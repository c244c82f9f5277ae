"""Sends what a simulation reads, makes it, and waits until it has ended."""

import time
from collections.abc import Iterator
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli import show
from cli.client import Api, Json, body_of

ROLE = "supply_chain"
ADDRESS = "/v1/simulations"
UNFINISHED = ("received", "running")
_PORTION_BYTES = 256 * 1024
_LOOK_SECONDS = 0.5
_GZIP = b"\x1f\x8b"


def send_file(api: Api, path: Path) -> str:
    """The id of a file that is kept; it is read portion by portion. Raises Problem."""
    with path.open("rb") as opened:
        packed = opened.read(2) == _GZIP
        opened.seek(0)

        def portions() -> Iterator[bytes]:
            while portion := opened.read(_PORTION_BYTES):
                yield portion

        headers = {"Content-Encoding": "gzip"} if packed else {}
        sent = api.send(
            "POST", f"{ADDRESS}/files", ROLE, params={"file_name": path.name}, content=portions(), headers=headers
        )
    file_id: str = body_of(sent)["file_id"]
    return file_id


def follow(api: Api, simulation: Json) -> Json:
    """Draws how far it is until it has ended; the simulation then. Raises Problem."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=show.console(), transient=True) as progress:
        task = progress.add_task("waiting", total=None)
        while simulation["state"] in UNFINISHED:
            progress.update(
                task,
                description=f"{simulation['state']}, orders",
                completed=simulation["planned"],
                total=simulation["total"] or None,
            )
            time.sleep(_LOOK_SECONDS)
            simulation = get(api, simulation["simulation_id"])
    return simulation


def get(api: Api, simulation_id: str) -> Json:
    """A simulation, with its result if it has one. Raises Problem."""
    return api.get(f"{ADDRESS}/{simulation_id}", ROLE)
