"""Opaque cursors: the key of the last row of a page."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kit.errors import InvalidArgument
from oms.type.v1 import type_pb2 as types

T = TypeVar("T")
Key = Sequence[str | int]

MAX_SIZE = 500
DEFAULT_SIZE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """The key to start after, and how many rows."""

    after: Key
    size: int


def split(asked: Asked, rows: Sequence[T], key: Callable[[T], Key]) -> tuple[Sequence[T], types.PageInfo]:
    """A page out of up to one row more than was asked for, and how to go on."""
    page = rows[: asked.size]
    more = len(rows) > asked.size
    return page, types.PageInfo(next_cursor=_encode(key(page[-1])) if more else "")


def read(page: types.PageRequest, first: Key) -> Asked:
    """`first` is the key before all keys; a cursor must have its shape."""
    if not 0 <= page.size <= MAX_SIZE:
        raise InvalidArgument("page.size", f"not between 1 and {MAX_SIZE}")
    return Asked(_decode(page.cursor, first) if page.cursor else first, page.size or DEFAULT_SIZE)


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode()


def _decode(cursor: str, first: Key) -> Key:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError:
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != [type(part) for part in first]:
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    if any(not _fits(part) for part in key):
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return key


def _fits(part: str | int) -> bool:
    # What the database can compare with.
    return "\x00" not in part if isinstance(part, str) else 0 <= part < 2**63
