"""Compressed files come out as they went in, in small portions, and never without end."""

import gzip
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.imports import FileRefused
from services.inventory.unpacking import PORTION_BYTES, plain


async def cut(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 90))
async def test_members_come_out_one_after_the_other(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    assert b"".join([portion async for portion in plain(cut(packed, size), "gzip")]) == b"".join(members)
    untouched = [portion async for portion in plain(cut(packed, size), "none")]
    assert b"".join(untouched) == packed


async def test_what_unpacks_without_end_is_refused_and_never_held() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    sizes: list[int] = []

    async def unpack() -> None:
        async for portion in plain(cut(bomb, len(bomb)), "gzip", most=10_000_000):
            sizes.append(len(portion))

    with pytest.raises(FileRefused, match="FILE_TOO_LARGE"):
        await unpack()
    assert max(sizes) == PORTION_BYTES
    assert sum(sizes) <= 10_000_000


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-1], lambda packed: packed + b"more", lambda packed: b"x"]
)
async def test_a_damaged_file_is_refused(damage: Callable[[bytes], bytes]) -> None:
    packed = damage(gzip.compress(b"x" * 1_000_000))
    with pytest.raises(FileRefused, match="MALFORMED_GZIP"):
        async for _ in plain(cut(packed, 1_000), "gzip"):
            pass
