"""Where the running system of this machine is found: shared by the commands that talk to it."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.local.launcher import ROOT
from deploy.local.state import RunInfo, StateFolder

StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        envvar="OMS_STATE",
        help="Folder of the system's data, keys and logs; .oms/ unless given.",
        show_default=False,
    ),
]
DEFAULT_STATE = ROOT / ".oms"


def running_system(state: Path) -> RunInfo:
    """Its addresses; ends the command with exit code 1 when nothing runs."""
    folder = StateFolder(state)
    info = folder.read() if folder.is_taken() else None
    if info is None:
        typer.echo("Nothing runs here; start it with: oms up", err=True)
        raise typer.Exit(1)
    return info
