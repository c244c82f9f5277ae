"""Commands that come together share one transaction (DESIGN, group commit). Knows nothing of what they ask for.

While a transaction runs, new commands wait and are gathered; a command that comes alone is carried out at once. A
transaction that waits (for another's lock, for the disk) soon lets the next one run beside it.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

C = TypeVar("C")
A = TypeVar("A")
C_contra = TypeVar("C_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class CarryOut(Protocol[C_contra, A_co]):
    """One transaction for all of them; `again`: for one of those whose transaction has failed."""

    async def __call__(self, commands: Sequence[C_contra], /, *, again: bool) -> Sequence[A_co | Exception]: ...


@dataclass(eq=False, slots=True)
class _Waiting(Generic[C, A]):
    command: C
    answer: "asyncio.Future[A]"
    # The trace of the first command of a transaction is the one that shows its statements.
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class Gathering(Generic[C, A]):
    """Hands commands to `carry_out` in the order of their arrival, several at a time.

    `carry_out` runs one transaction and gives an answer or an error for each command. When it fails as a whole,
    each of its commands whose caller still waits is carried out once more by itself, `again`: it should not wait
    for others another time. Commands that share a name (`names_of`) are never in one transaction: a repeat finds
    the answer to the first. A transaction has at most `most` commands; another one starts beside it after
    `patience_seconds`, and at most `at_once` run.
    """

    def __init__(
        self,
        carry_out: "CarryOut[C, A]",
        names_of: Callable[[C], Sequence[Hashable]],
        *,
        most: int,
        at_once: int = 4,
        patience_seconds: float = 0.05,
    ) -> None:
        self._carry_out = carry_out
        self._names_of = names_of
        self._most = most
        self._at_once = at_once
        self._patience_seconds = patience_seconds
        self._waiting: deque[_Waiting[C, A]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        # The transaction that began last has had its time.
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, command: C) -> A:
        """The command's own answer, or its own error."""
        waiting = _Waiting[C, A](command, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._start()
        return await waiting.answer

    def _start(self) -> None:
        """The next transaction, if none runs or the last one had its time."""
        has_room = not self._running or (self._is_late and len(self._running) < self._at_once)
        if not self._waiting or not has_room:
            return
        loop = asyncio.get_running_loop()
        taken = self._take()
        task = loop.create_task(self._run(taken), context=taken[0].context)
        self._running.add(task)
        task.add_done_callback(self._ended)
        self._is_late = False
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_later(self._patience_seconds, self._note_late)

    def _note_late(self) -> None:
        self._is_late = True
        self._start()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    def _take(self) -> list[_Waiting[C, A]]:
        """The next commands; one whose name is taken stays, and so do those of its name that came after it."""
        taken: list[_Waiting[C, A]] = []
        left: list[_Waiting[C, A]] = []
        names: set[Hashable] = set()
        while self._waiting and len(taken) < self._most:
            one = self._waiting.popleft()
            mine = self._names_of(one.command)
            (left if names.intersection(mine) else taken).append(one)
            names.update(mine)
        self._waiting.extendleft(reversed(left))
        return taken

    async def _run(self, taken: Sequence[_Waiting[C, A]], *, again: bool = False) -> None:
        try:
            answers = await self._carry_out([one.command for one in taken], again=again)
        except Exception as failure:
            if len(taken) == 1:
                _tell(taken[0], failure)
                return
            for one in taken:
                if not one.answer.done():
                    await self._run([one], again=True)
            return
        for one, answer in zip(taken, answers, strict=True):
            _tell(one, answer)


def _tell(one: _Waiting[C, A], answer: A | Exception) -> None:
    if one.answer.done():  # its caller went away; what was done stands, and a repeat is told
        return
    if isinstance(answer, Exception):
        one.answer.set_exception(answer)
    else:
        one.answer.set_result(answer)
