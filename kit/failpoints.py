"""Failpoints: named places at which a test may have this process killed. Off, and without cost, in production.

`OMS_FAILPOINTS` names a folder of the process (of all its replicas). A test creates the file `<folder>/<point>`;
the first process that reaches the point removes the file and dies by SIGKILL, as in a crash: nothing is flushed.
Every point that was ever reached leaves a file in `<folder>/reached/`, so that none is left out unseen.

A point stands where something was made durable or told, and whoever asked does not know yet: before each commit
that writes, before the answer that follows one. Never decides anything else; knows no process by name.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event

REACHED = "reached"
_seen: set[str] = set()
# The connections whose transaction has written. Not in conn.info: an invalidated one refuses to be asked for it.
_wrote: WeakSet[Connection] = WeakSet()


@dataclass(slots=True)
class _Act:
    """What is being done, and how many of its transactions have come to a commit."""

    name: str
    commits: int = 0


_act: ContextVar[_Act | None] = ContextVar("act", default=None)


def _folder_told() -> Path | None:
    told = os.environ.get("OMS_FAILPOINTS")
    if not told:
        return None
    (Path(told) / REACHED).mkdir(parents=True, exist_ok=True)
    return Path(told)


# Read once: a process is told at its start whether it may be killed.
_folder = _folder_told()


def are_on() -> bool:
    """Whether this process may be killed at its points."""
    return _folder is not None


def reach(point: str) -> None:
    """Dies here if a test wants so. The point's name begins with the act that it is a part of, if any."""
    if _folder is None:
        return
    act = _act.get()
    name = f"{act.name}.{point}" if act else point
    if name not in _seen:
        _seen.add(name)
        (_folder / REACHED / name).touch()
    try:
        # Of two replicas that come here at once, one removes the file: one dies.
        (_folder / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """What is done inside, and its commits, bear this name."""
    if _folder is None:
        yield
        return
    token = _act.set(_Act(name))
    try:
        yield
    finally:
        _act.reset(token)


def around(name: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A call as an act: `<name>.before_answer` comes after its last commit. Itself when failpoints are off."""
    if _folder is None:
        return behaviour

    async def observed(*arguments: Any) -> Any:
        with acting(name):
            answer = await behaviour(*arguments)
            act = _act.get()
            if act and act.commits:
                reach("before_answer")
            return answer

    return observed


def watch_commits(engine: Engine) -> None:
    """`<act>.before_commit`, `.before_commit.2`...: before each commit of an act that wrote something."""

    def executing(conn: Any, cursor: Any, statement: str, values: Any, execution: Any, many: bool) -> None:
        writing(conn, statement)

    event.listen(engine, "before_cursor_execute", executing)
    event.listen(engine, "commit", committing)
    event.listen(engine, "rollback", _wrote.discard)


def writing(connection: Connection, statement: str) -> None:
    """Whoever goes past the engine's events says which statement comes now."""
    if _folder is None or statement.lstrip().upper().startswith("SELECT"):
        return
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        _reach_commit()
    else:
        _wrote.add(connection)


def committing(connection: Connection) -> None:
    """Whoever ends a transaction past the engine says so before."""
    if connection in _wrote:
        _wrote.discard(connection)
        _reach_commit()


def _reach_commit() -> None:
    act = _act.get()
    if act:
        act.commits += 1
        reach("before_commit" if act.commits == 1 else f"before_commit.{act.commits}")
