"""Lists reach PostgreSQL as they are, whatever is in them."""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import arrays

NASTY = ["", "a", 'say "hi"', "back\\slash", "{a,b}", "NULL", " spaces ", "ligne\nsuivante", "é漢🎁", "'", None]
MOMENTS = [
    datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    None,
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", NASTY),
        ("text", []),
        ("text", ["1", "2"]),
        ("bigint", [0, -1, 2**63 - 1, None]),
        ("integer", [7]),
        ("boolean", [True, False, None]),
        ("bytea", [b"", b"\x00\xff\\\"'", None]),
        ("timestamptz", MOMENTS),
        ("date", [date(2026, 3, 2), None]),
    ],
)
async def test_a_list_comes_back_as_it_was(orders_db: AsyncEngine, kind: str, values: list[object]) -> None:
    async with orders_db.connect() as connection:
        back = await connection.execute(text(f"SELECT CAST(:values AS {kind}[])"), {"values": values})
        assert back.scalar_one() == values


async def test_json_texts_come_back_as_json(orders_db: AsyncEngine) -> None:
    documents = ['{"a": "say \\"hi\\" \\\\ {x}"}', "[1, null]"]
    async with orders_db.connect() as connection:
        back = await connection.execute(text("SELECT CAST(:values AS jsonb[])"), {"values": documents})
        assert back.scalar_one() == [{"a": 'say "hi" \\ {x}'}, [1, None]]


async def test_a_list_is_compared_without_a_cast(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as connection:
        found = await connection.execute(
            text("SELECT count(*) FROM pg_namespace WHERE nspname = ANY(:names)"), {"names": ["public", "none"]}
        )
        assert found.scalar_one() == 1


async def test_members_of_enumerations_are_their_values(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as connection:
        query = text("SELECT CAST(:words AS text[]), CAST(:numbers AS integer[])")
        back = await connection.execute(query, {"words": list(Word), "numbers": list(Number)})
        assert back.one() == (["yes", "no"], [1, 2])


class Word(StrEnum):
    YES = "yes"
    NO = "no"


class Number(IntEnum):
    ONE = 1
    TWO = 2


def test_what_has_no_place_in_an_array_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        arrays.write([1.5])
