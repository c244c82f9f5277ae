"""Brings parts up in the order of their needs, keeps processes alive, and takes all down in reverse.

A part is a step (done once, for example a migration) or a process (kept alive: one that dies is started
again with a growing pause; one that dies too often within a minute ends the whole). Knows nothing of
what the parts are for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from deploy.local.process import ManagedProcess, ProcessFailed, ProcessSpec

DEATHS_ALLOWED = 5
DEATHS_WINDOW_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
# Together they keep the promise of ten seconds. Those that others stand on (databases) have time of their own.
STOP_UPPER_SECONDS = 4.0
STOP_GROUND_SECONDS = 3.0


@dataclass(frozen=True)
class Step:
    """Something done once, at start."""

    name: str
    run: Callable[[], Awaitable[None]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """A process kept alive.

    `needs` are up before it starts. `uses` may start beside it, but are stopped only after it.
    """

    spec: ProcessSpec
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.spec.name


Part = Step | Service


@dataclass(frozen=True)
class Event:
    """What happened to a part: starting, ready (after `seconds`), died, stopping, stopped."""

    part: str
    what: str
    seconds: float = 0.0
    detail: str = ""


@dataclass
class _Child:
    """A process and whether it should be running."""

    service: Service
    process: ManagedProcess
    wanted: bool = True
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    deaths: list[float] = field(default_factory=list)
    starts: int = 0
    watch: asyncio.Task[None] | None = None


class Supervisor:
    """Runs a set of parts; `observe` is told of each event."""

    def __init__(
        self,
        parts: Sequence[Part],
        observe: Callable[[Event], None] = lambda _: None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        deaths_allowed: int = DEATHS_ALLOWED,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        """`deaths_allowed` of one process in a minute."""
        self._deaths_allowed = deaths_allowed
        self._longest_pause_seconds = longest_pause_seconds
        self._first_pause_seconds = first_pause_seconds
        self._parts = {part.name: part for part in parts}
        self._observe = observe
        self._done = {name: asyncio.Event() for name in self._parts}
        self._children = {
            part.name: _Child(part, ManagedProcess(part.spec)) for part in parts if isinstance(part, Service)
        }
        self._failure: asyncio.Queue[ProcessFailed] = asyncio.Queue()

    async def start(self) -> None:
        """Return when every part is up; when one fails, stop what runs and raise its failure."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts.values():
                    group.create_task(self._bring_up(part))
        except BaseExceptionGroup as failures:
            await self.stop()
            raise _first(failures) from None
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def wait_failure(self) -> ProcessFailed:
        """Return only if a process died too often to be started again."""
        return await self._failure.get()

    async def stop(self) -> None:
        """Stop all, those that are needed last, within ten seconds: whatever does not heed is killed."""
        for child in self._children.values():
            child.wanted = False
            if child.watch:
                child.watch.cancel()
        *upper, ground = self._stop_waves()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_UPPER_SECONDS):
                for wave in upper:
                    await asyncio.gather(*map(self._stop_child, wave))
        await asyncio.gather(*(child.process.kill() for wave in upper for child in wave))
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_GROUND_SECONDS):
                await asyncio.gather(*map(self._stop_child, ground))
        await asyncio.gather(*(child.process.kill() for child in ground))

    # -- single processes -------------------------------------------------------------------------------

    def pid(self, name: str) -> int | None:
        return self._children[name].process.pid

    def pids(self) -> dict[str, int]:
        """The processes that run now."""
        return {name: child.process.pid for name, child in self._children.items() if child.process.pid}

    def starts(self, name: str) -> int:
        """How often it has been started; one more than its restarts."""
        return self._children[name].starts

    def away(self) -> list[str]:
        """The processes that are not up: dead, held, or on their way back."""
        return [name for name, child in self._children.items() if not child.ready.is_set()]

    async def kill(self, name: str) -> None:
        """SIGKILL it; the supervisor starts it again, as after any crash."""
        child = self._children[name]
        child.ready.clear()
        await child.process.kill()

    async def hold(self, name: str) -> None:
        """Stop it and leave it down until `release`."""
        child = self._children[name]
        child.wanted = False
        child.ready.clear()
        await self._stop_child(child)

    async def release(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a held process; `environment` is added for this start only, not after a crash."""
        child = self._children[name]
        if child.watch:
            await asyncio.gather(child.watch, return_exceptions=True)
        child.wanted = True
        await self._launch(child, environment)

    async def wait_ready(self, name: str) -> None:
        """Return when it is up (again)."""
        await self._children[name].ready.wait()

    # -- inside -----------------------------------------------------------------------------------------

    async def _bring_up(self, part: Part) -> None:
        for need in part.needs:
            await self._done[need].wait()
        begun = time.monotonic()
        self._observe(Event(part.name, "starting"))
        if isinstance(part, Step):
            await part.run()
        else:
            await self._launch(self._children[part.name])
        self._done[part.name].set()
        self._observe(Event(part.name, "ready", time.monotonic() - begun))

    async def _launch(self, child: _Child, environment: Mapping[str, str] | None = None) -> None:
        child.starts += 1
        await child.process.start(environment)
        self._observe(Event(child.service.name, "launched"))
        await child.process.wait_ready()
        child.ready.set()
        child.watch = asyncio.create_task(self._watch(child))

    async def _watch(self, child: _Child) -> None:
        """Start it again each time it ends while it is wanted."""
        name = child.service.name
        while True:
            code = await child.process.wait()
            if not child.wanted:
                return
            child.ready.clear()
            deaths = _recent(child)
            if deaths > self._deaths_allowed:
                what = f"died {deaths} times in {DEATHS_WINDOW_SECONDS:.0f} s (exit {code})"
                self._failure.put_nowait(ProcessFailed(name, what, child.process.spec.log_file))
                return
            pause = min(self._first_pause_seconds * 2 ** (deaths - 1), self._longest_pause_seconds)
            self._observe(Event(name, "died", pause, f"exit {code}"))
            await asyncio.sleep(pause)
            if child.wanted:
                await self._relaunch(child)

    async def _relaunch(self, child: _Child) -> None:
        begun = time.monotonic()
        child.starts += 1
        await child.process.start()
        self._observe(Event(child.service.name, "launched"))
        try:
            await child.process.wait_ready()
        except ProcessFailed:
            await child.process.kill()  # counted as a death by the watch
            return
        child.ready.set()
        self._observe(Event(child.service.name, "ready", time.monotonic() - begun))

    async def _stop_child(self, child: _Child) -> None:
        if not child.process.running:
            return
        begun = time.monotonic()
        self._observe(Event(child.service.name, "stopping"))
        await child.process.stop()
        self._observe(Event(child.service.name, "stopped", time.monotonic() - begun))

    def _stop_waves(self) -> list[list[_Child]]:
        """Processes on which nothing else stands first; at the end (perhaps empty) those that stand on none."""
        height: dict[str, int] = {}

        def measure(name: str) -> int:
            if name not in height:
                part = self._parts[name]
                below = part.needs + (part.uses if isinstance(part, Service) else ())
                highest = max((measure(other) for other in below), default=0)
                height[name] = highest + isinstance(part, Service)  # a step is no process
            return height[name]

        waves: dict[int, list[_Child]] = {1: []}
        for name, child in self._children.items():
            waves.setdefault(measure(name), []).append(child)
        return [waves[level] for level in sorted(waves, reverse=True)]


def _recent(child: _Child) -> int:
    now = time.monotonic()
    child.deaths = [moment for moment in child.deaths if now - moment < DEATHS_WINDOW_SECONDS] + [now]
    return len(child.deaths)


def _first(failures: BaseExceptionGroup) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
