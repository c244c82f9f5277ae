"""The bytes of a file that may be compressed, in portions of bounded size, whatever it unpacks to."""

import zlib
from collections.abc import AsyncIterator

from services.inventory.domain.imports import FileRefused

# Small enough to be read between two reserves, and from the processor's cache.
PORTION_BYTES = 64 * 1024
# A file of a hundred million records; what unpacks to more is no file of stock.
MAX_PLAIN_BYTES = 4 * 1024**3
_GZIP = 16 + zlib.MAX_WBITS


async def plain(
    pieces: AsyncIterator[bytes], compression: str, most: int = MAX_PLAIN_BYTES
) -> AsyncIterator[bytes]:
    """What the pieces unpack to. Raises FileRefused: MALFORMED_GZIP, FILE_TOO_LARGE."""
    size = 0
    async for portion in _unpacked(pieces) if compression == "gzip" else _cut(pieces):
        size += len(portion)
        if size > most:
            raise FileRefused("FILE_TOO_LARGE", f"it unpacks to more than {most} bytes")
        yield portion


async def _cut(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        for start in range(0, len(piece), PORTION_BYTES):
            yield piece[start : start + PORTION_BYTES]


async def _unpacked(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A gzip file is one member or several, one after the other (RFC 1952)."""
    member, begun = zlib.decompressobj(_GZIP), False
    async for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member, begun = zlib.decompressobj(_GZIP), False
            try:
                portion = member.decompress(rest, PORTION_BYTES)
            except zlib.error:
                raise FileRefused("MALFORMED_GZIP", "the bytes are no gzip, or are damaged") from None
            begun = True
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if portion:
                yield portion
        # What the last portion left inside of the decompressor.
        while not member.eof and (portion := member.decompress(b"", PORTION_BYTES)):
            yield portion
    if begun and not member.eof:
        raise FileRefused("MALFORMED_GZIP", "the file ends too early")
