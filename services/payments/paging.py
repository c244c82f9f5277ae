"""Pages, filters and limits as requests say them; names the field that is wrong."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from kit.errors import InvalidArgument

T = TypeVar("T")
LARGEST_PAGE = 500
PAGE = 50
LARGEST_SWEEP = 500
SWEEP = 100


def filter_of(field: str, number: int, known: Mapping[int, T]) -> T | None:
    """The value of an enum's number; None when it does not matter."""
    if number == 0:
        return None
    if number not in known:
        raise InvalidArgument(field, "not a value of this field")
    return known[number]


def bounded(field: str, value: int, largest: int, default: int) -> int:
    """A count that was asked for, or its default."""
    if not 0 <= value <= largest:
        raise InvalidArgument(field, f"1 to {largest}, or 0 for {default}")
    return value or default


def page_size(size: int) -> int:
    """Rows of a page."""
    return bounded("page.size", size, LARGEST_PAGE, PAGE)


def cursor_at(at: datetime, last_id: str) -> str:
    """Where a page ordered by an instant and an id ended."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{last_id}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str] | None:
    """Where the page before ended; None for the first page."""
    if not cursor:
        return None
    try:
        instant, _, last_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        at = datetime.fromisoformat(instant)
    except (ValueError, binascii.Error):
        raise InvalidArgument("page.cursor", "not a cursor of this list") from None
    if at.tzinfo is None or "\x00" in last_id:
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return at, last_id


def read_number(cursor: str) -> int:
    """Where the page before ended, in a list ordered by numbers; 0 for the first page."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and int(cursor) < 2**63):
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return int(cursor or 0)
