"""The kept files of simulations as text, portion by portion, whatever they unpack to."""

import gzip
import io
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from typing import IO, Any, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from services.promise import simulation_store
from services.promise.domain.past_orders import FileRefused

# A file of a hundred million rows; what unpacks to more is no file of orders.
MAX_PLAIN_BYTES = 4 * 1024**3
_ROWS_AT_ONCE = 5_000

# Called now and then while much is read: raises when the job was cancelled.
Tell = Callable[[], Awaitable[None]]
Read = TypeVar("Read")


@asynccontextmanager
async def plain(tx: AsyncConnection, file_id: str, tell: Tell) -> AsyncIterator[tuple[IO[bytes], str]]:
    """A kept file on this machine's disk, unpacked as it is read, and its name. Raises FileRefused."""
    file = await simulation_store.get_file(tx, file_id)
    if file is None:
        raise FileRefused("FILE_FORGOTTEN", f"the file {file_id} was forgotten")
    with tempfile.TemporaryFile() as kept:
        nth = 0
        while (piece := await simulation_store.content(tx, file.upload_id, nth)) is not None:
            kept.write(piece)
            nth += 1
            await tell()
        kept.seek(0)
        try:
            yield cast(IO[bytes], _Bounded(gzip.GzipFile(fileobj=kept) if file.gzip else kept)), file.file_name
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise FileRefused("MALFORMED_GZIP", "the bytes are no gzip, or are damaged") from None


class _Bounded(io.RawIOBase):
    """Reads on to a limit, whatever a file unpacks to."""

    def __init__(self, inner: IO[bytes] | gzip.GzipFile) -> None:
        self._inner = inner
        self._left = MAX_PLAIN_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._inner.read(len(buffer))
        self._left -= len(found)
        if self._left < 0:
            raise FileRefused("FILE_TOO_LARGE", f"it unpacks to more than {MAX_PLAIN_BYTES} bytes")
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def text(raw: IO[bytes], encoding: str) -> Iterator[io.TextIOWrapper]:
    """Bytes that are no text in this encoding stay what they are, and their cells are refused."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # the same, and a mark at the beginning is no part of the first name
    with io.TextIOWrapper(
        io.BufferedReader(cast(Any, raw)), encoding, errors="surrogateescape", newline=""
    ) as found:
        yield found


def header(found: Iterator[list[str]]) -> list[str]:
    """The first row. Raises FileRefused for a file without one."""
    names = next(found, None)
    if names is None:
        raise FileRefused("EMPTY_FILE", "the file does not begin with the names of its columns")
    return names


def parts(found: Iterator[Read]) -> Iterator[list[Read]]:
    """Some rows at a time."""
    while part := list(islice(found, _ROWS_AT_ONCE)):
        yield part
