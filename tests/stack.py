"""One full system for the tests of a whole run: every process, real disks (fsync on), random ports.

It lives on an event loop of its own, in a thread: each test has its own loop, and the supervisor must go on
watching between them. Its methods may be awaited from any test.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from deploy.local.launcher import Stack, StackOptions, random_ports
from deploy.local.tokens import Scope
from kit import failpoints

T = TypeVar("T")


class SharedStack:
    """A `Stack` seen from tests."""

    def __init__(self, stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
        self.stack = stack
        self._loop = loop

    @property
    def gateway_url(self) -> str:
        return self.stack.gateway_url

    @property
    def addresses(self) -> dict[str, str]:
        """host:port by name."""
        return self.stack.addresses

    @property
    def logs(self) -> Path:
        return self.stack.state.logs

    @property
    def state(self) -> Path:
        """The folder of its data, keys and logs."""
        return self.stack.state.folder

    def database_url(self, service: str) -> str:
        """SQLAlchemy's URL of a service's database."""
        return self.stack.database_url(service)

    def token(self, role: str, scope: Scope | None = None) -> str:
        """A bearer token."""
        return self.stack.token(role, scope)

    def starts(self, name: str) -> int:
        """How often a process was started: one more after each death."""
        return self.stack.supervisor.starts(name)

    def away(self) -> list[str]:
        """The processes that are not up now."""
        return self.stack.supervisor.away()

    async def kill(self, name: str) -> None:
        """SIGKILL; it is started again on its own."""
        await self._there(self.stack.kill(name))

    async def wait_ready(self, name: str) -> None:
        """Return when it is healthy (again)."""
        await self._there(self.stack.wait_ready(name))

    async def wait_started(self, name: str, times: int) -> None:
        """Return when it has been started so often and is healthy (after a death that `kill` did not cause)."""
        async with asyncio.timeout(60):
            while self.starts(name) < times:  # noqa: ASYNC110 - it lives in another thread
                await asyncio.sleep(0.05)
        await self.wait_ready(name)

    def arm(self, process: str, point: str) -> None:
        """The next replica of the process that comes to this failpoint dies there (see `kit/failpoints`)."""
        self._failpoints(process).mkdir(parents=True, exist_ok=True)
        (self._failpoints(process) / point).touch()

    def disarm(self, process: str, point: str) -> bool:
        """Whether it was still armed: nobody came there."""
        try:
            (self._failpoints(process) / point).unlink()
        except FileNotFoundError:
            return False
        return True

    def is_armed(self, process: str, point: str) -> bool:
        """Whether nobody has died there yet."""
        return (self._failpoints(process) / point).exists()

    async def wait_fired(self, process: str, point: str, within_seconds: float = 60) -> None:
        """Return when somebody died there."""
        async with asyncio.timeout(within_seconds):
            while self.is_armed(process, point):  # noqa: ASYNC110 - the file tells nobody
                await asyncio.sleep(0.02)

    def reached(self, process: str) -> set[str]:
        """The failpoints that the process ever came to."""
        return {file.name for file in (self._failpoints(process) / failpoints.REACHED).glob("*")}

    def _failpoints(self, process: str) -> Path:
        folder = self.stack.options.failpoints
        assert folder is not None, "this system was started without failpoints"
        return folder / process

    async def hold(self, name: str) -> None:
        """Stop a process and leave it down."""
        await self._there(self.stack.hold(name))

    async def release(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a held process; `environment` holds for this start only."""
        await self._there(self.stack.release(name, environment))

    async def restart(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Stop it cleanly and start it again."""
        await self._there(self.stack.restart(name, environment))

    async def restart_all(self) -> None:
        """Stop the whole system, then start it on the data that it left."""
        await self._there(self.stack.stop())
        await self._there(self.stack.start())

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


@contextmanager
def running_stack(folder: Path, *, mortal: bool = False, **options: Any) -> Iterator[SharedStack]:
    """Start a system in `folder`; stop it at the end. `options` are StackOptions'.

    In a `mortal` one processes may be killed again and again, at failpoints too.
    """
    if mortal:
        options |= {"failpoints": folder / "failpoints", "deaths_allowed": 1000, "longest_pause_seconds": 0.5}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stack", daemon=True)
    thread.start()
    stack = Stack(StackOptions(**{"state": folder, "ports": random_ports(), **options}))
    starting = asyncio.run_coroutine_threadsafe(stack.start(), loop)
    try:
        starting.result()
        yield SharedStack(stack, loop)
    finally:
        # Also when the start was too slow for the test that asked for it: nothing may stay behind.
        starting.cancel()
        asyncio.run_coroutine_threadsafe(stack.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
