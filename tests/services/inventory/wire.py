"""The line between a process and PostgreSQL, cut at a statement: to the database the process has died there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

# Messages of the protocol (PostgreSQL manual, 53.7) that end a statement: Sync with values, Query without.
_ENDS = (b"S", b"Q")
_LENGTH = 4
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104


@dataclass
class Wire:
    """Carries everything, until it is told where to cut.

    `cut_at` is a number of messages from now on that want an answer, over all connections: a statement, or several
    that leave in one trip with their BEGIN and COMMIT. The one that is cut is carried out, and its answer is lost;
    with `unsaid` it does not even arrive.
    """

    url: str = ""
    cut_at: int | None = None
    unsaid: bool = False
    said: int = field(default=0, init=False)

    def arm(self, cut_at: int, *, unsaid: bool) -> None:
        """Counts from here."""
        self.cut_at, self.unsaid, self.said = cut_at, unsaid, 0

    def heal(self) -> bool:
        """Never cuts; whether it had."""
        was_cut = self.cut_at is not None and self.said >= self.cut_at
        self.cut_at = None
        return was_cut

    def is_last(self, kind: bytes) -> bool:
        """Whether it is cut at this message."""
        if self.cut_at is None or kind not in _ENDS:
            return False
        self.said += 1
        return self.said == self.cut_at


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """Its `url` leads to the same database."""
    target = urlsplit(url)
    wire = Wire()
    lines: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        lines[task] = writer
        from_server, to_server = await asyncio.open_connection(target.hostname, target.port)
        answers = asyncio.create_task(_copy(from_server, writer))
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await _carry_statements(wire, reader, to_server, answers)
        finally:
            answers.cancel()
            to_server.close()
            writer.close()
            del lines[task]

    server = await asyncio.start_server(carry, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    user = target.netloc.rpartition("@")[0]
    wire.url = urlunsplit(target._replace(netloc=f"{user}@127.0.0.1:{port}"))
    try:
        yield wire
    finally:
        server.close()
        for writer in lines.values():
            writer.close()
        await asyncio.gather(*lines)


async def _carry_statements(
    wire: Wire, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, answers: "asyncio.Task[None]"
) -> None:
    has_begun = False
    while True:
        # Before the session has begun, messages have no kind.
        kind = await reader.readexactly(1) if has_begun else b""
        head = await reader.readexactly(_LENGTH)
        body = await reader.readexactly(int.from_bytes(head) - _LENGTH)
        has_begun = has_begun or int.from_bytes(body[:4]) not in (_SSL_REQUEST, _GSS_REQUEST)
        is_last = wire.is_last(kind)
        if is_last:
            answers.cancel()
            if wire.unsaid:
                return
        to_server.write(kind + head + body)
        await to_server.drain()
        if is_last:
            return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()
