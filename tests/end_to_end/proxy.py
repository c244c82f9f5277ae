"""A TCP proxy that misbehaves as it is told: it delays, holds back, loses answers, cuts, refuses.

Stands between two processes and knows nothing of what they say. It lives on an event loop of its own, in a
thread, so that its fault may be changed from any test at any moment.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_HOST = "127.0.0.1"
_CHUNK_BYTES = 64 * 1024
# What waits for its moment inside the proxy; after that the sender feels it, as on a real line.
_CHUNKS_ON_THE_WAY = 256


@dataclass(frozen=True)
class Fault:
    """What is wrong with the line. The default is nothing.

    `delay_seconds` is for each direction. A line that `holds` forwards nothing, and goes on from there once it is
    healed, as after a partition of the network. `loses_answers`: what the client says arrives, what the server
    says does not, ever: such a connection is cut when the line is healed. `refuses`: open connections are cut and
    new ones too. `cut_after_bytes` cuts each connection in the middle of what it says, so many bytes from now on.
    """

    delay_seconds: float = 0.0
    holds: bool = False
    loses_answers: bool = False
    refuses: bool = False
    cut_after_bytes: int | None = None


SOUND = Fault()


class Proxy:
    """One line to one server."""

    def __init__(self, name: str, target_port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.port = 0
        self._target_port = target_port
        self._loop = loop
        self._fault = SOUND
        self._changed = asyncio.Event()
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    def suffer(self, fault: Fault) -> None:
        """From now on the line is like this. May be called from any thread."""
        asyncio.run_coroutine_threadsafe(self._change(fault), self._loop).result()

    def heal(self) -> None:
        """From now on nothing is wrong."""
        self.suffer(SOUND)

    def cut(self) -> int:
        """Cut every open connection; new ones are served. How many were open."""
        return asyncio.run_coroutine_threadsafe(self._cut(lambda _: True), self._loop).result()

    def strand(self) -> int:
        """Open connections never hear anything again and are not told; new ones are served. How many were open."""
        return asyncio.run_coroutine_threadsafe(self._strand(), self._loop).result()

    @contextmanager
    def suffering(self, fault: Fault) -> Iterator[None]:
        """The line is like this inside the block, and sound after it."""
        self.suffer(fault)
        try:
            yield
        finally:
            self.heal()

    # -- on the proxy's own loop ------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen; `port` is known afterwards."""
        self._server = await asyncio.start_server(self._serve, _HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server:
            self._server.close()
        running = list(self._connections.values())
        await self._cut(lambda _: True)
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def fault(self) -> Fault:
        """How the line is now."""
        return self._fault

    async def wait_change(self) -> None:
        """Return when the line is no longer as it was."""
        await self._changed.wait()

    async def _change(self, fault: Fault) -> None:
        self._fault = fault
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for connection in self._connections:
            connection.bytes_left = fault.cut_after_bytes
        await self._cut(lambda one: fault.refuses or (one.lost_something and not fault.loses_answers))

    async def _cut(self, wanted: "Callable[[_Connection], bool]") -> int:
        cut = [connection for connection in self._connections if wanted(connection)]
        for connection in cut:
            connection.abort()
        return len(cut)

    async def _strand(self) -> int:
        for connection in self._connections:
            connection.is_stranded = True
        return len(self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault.refuses:
            writer.transport.abort()
            return
        connection = _Connection(self, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.run(reader, self._target_port)
        finally:
            del self._connections[connection]


class _Connection:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._ends = [client]
        self._directions: list[asyncio.Task[None]] = []
        self.bytes_left = proxy.fault.cut_after_bytes
        self.lost_something = False
        self.is_stranded = False

    def abort(self) -> None:
        """Both ends are reset: nothing more is said."""
        for end in self._ends:
            end.transport.abort()
        for direction in self._directions:
            direction.cancel()

    async def run(self, client_reader: asyncio.StreamReader, target_port: int) -> None:
        """Until one side ends it."""
        try:
            server_reader, server = await asyncio.open_connection(_HOST, target_port)
        except OSError:
            self.abort()
            return
        self._ends.append(server)
        self._directions = [
            asyncio.create_task(self._carry(client_reader, server, is_answer=False)),
            asyncio.create_task(self._carry(server_reader, self._ends[0], is_answer=True)),
        ]
        try:
            await asyncio.wait(self._directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in self._directions:
                direction.cancel()
            await asyncio.gather(*self._directions, return_exceptions=True)
            for end in self._ends:
                end.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        """One direction: what is read now is written when its delay is over."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_ON_THE_WAY)
        reading = asyncio.create_task(self._read(source, on_the_way))
        try:
            with suppress(ConnectionError):
                while True:
                    due, chunk = await on_the_way.get()
                    await self._until(due)
                    if not chunk:
                        return
                    await self._write(sink, chunk, is_answer=is_answer)
        finally:
            reading.cancel()

    async def _read(self, source: asyncio.StreamReader, on_the_way: "asyncio.Queue[tuple[float, bytes]]") -> None:
        loop = asyncio.get_running_loop()
        chunk = b"more"
        while chunk:
            try:
                chunk = await source.read(_CHUNK_BYTES)
            except ConnectionError:
                chunk = b""
            await on_the_way.put((loop.time() + self._proxy.fault.delay_seconds, chunk))

    async def _until(self, due: float) -> None:
        remaining = due - asyncio.get_running_loop().time()
        if remaining > 0:
            await asyncio.sleep(remaining)
        while self._proxy.fault.holds or self.is_stranded:
            await self._proxy.wait_change()

    async def _write(self, sink: asyncio.StreamWriter, chunk: bytes, *, is_answer: bool) -> None:
        if is_answer and self._proxy.fault.loses_answers:
            # From here on the stream makes no sense to the client.
            self.lost_something = True
        if is_answer and self.lost_something:
            return
        if self.bytes_left is not None:
            if len(chunk) > self.bytes_left:
                sink.write(chunk[: self.bytes_left])
                await sink.drain()
                self.abort()
                raise ConnectionAbortedError
            self.bytes_left -= len(chunk)
        sink.write(chunk)
        await sink.drain()


@contextmanager
def running_proxies(ports: Mapping[str, int]) -> Iterator[dict[str, Proxy]]:
    """A proxy before each of these servers, by name; their ports need not be open yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    proxies = {name: Proxy(name, port, loop) for name, port in ports.items()}
    try:
        for proxy in proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.open(), loop).result()
        yield proxies
    finally:
        for proxy in proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
