"""The running system, as a command asks it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from cli import show
from cli.client import Api, Problem
from cli.state import running_system


@contextmanager
def asking(state: Path) -> Iterator[Api]:
    """The gateway. What it refuses is told, and ends the command with exit code 1."""
    with Api.of(running_system(state).gateway_url, state) as api:
        try:
            yield api
        except Problem as problem:
            tell(problem)
            raise typer.Exit(1) from None


def tell(problem: Problem) -> None:
    """On the standard error: each field with its rule, and what can be had instead."""
    typer.echo(str(problem), err=True)
    for error in problem.body.get("errors", []):
        typer.echo(f"  {error['field']}: {error.get('detail') or error['rule']}", err=True)
    for slot in problem.body.get("alternatives", []):
        typer.echo(f"  instead: {slot['id']}, {show.moment(slot['window']['start'])}", err=True)
