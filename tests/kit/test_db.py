"""Statements that go to the driver itself: they give and fail like all others."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db

DIVIDE = text("SELECT CAST(:dividend AS integer) / CAST(:divisor AS integer)")


async def test_it_gives_rows_and_writes_in_the_transaction_of_its_connection(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as tx:
        await tx.execute(text("CREATE TEMPORARY TABLE guest (name text)"))
        await tx.commit()
        added = await db.rows(
            tx,
            text("INSERT INTO guest SELECT unnest(CAST(:names AS text[])) RETURNING name"),
            {"names": ["50 %", 'q"']},
        )
        assert added == [("50 %",), ('q"',)]
        assert await db.rows(tx, text("SELECT name FROM guest WHERE name LIKE '5%'"), {}) == [("50 %",)]
        assert await db.rows(tx, text("DELETE FROM guest"), {}) == []
        await tx.rollback()
        assert await db.rows(tx, text("SELECT name FROM guest"), {}) == []


async def test_its_errors_are_those_of_the_engine_and_quote_no_value(orders_db: AsyncEngine) -> None:
    async with orders_db.begin() as tx:
        with pytest.raises(DBAPIError) as raised:
            await db.rows(tx, DIVIDE, {"dividend": 4711, "divisor": 0})
        await tx.rollback()
        assert await db.rows(tx, DIVIDE, {"dividend": 6, "divisor": 3}) == [(2,)]
    assert getattr(raised.value.orig, "sqlstate", None) == "22012"
    assert not db.is_outage(raised.value)
    assert "4711" not in str(raised.value)


async def test_a_connection_that_is_lost_is_an_outage_and_the_next_one_is_another(orders_db: AsyncEngine) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with orders_db.begin() as tx:
            await db.rows(tx, text("SELECT pg_terminate_backend(pg_backend_pid())"), {})
    assert raised.value.connection_invalidated
    assert db.is_outage(raised.value)
    async with orders_db.begin() as tx:
        assert await db.rows(tx, DIVIDE, {"dividend": 6, "divisor": 3}) == [(2,)]
