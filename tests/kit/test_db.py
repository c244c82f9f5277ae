"""Statements that go to the driver itself: they give and fail like all others."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

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
        await tx.rollback()
        assert await db.rows(tx, text("SELECT name FROM guest"), {}) == []
        assert await db.rows(tx, text("DELETE FROM guest"), {}) == []


async def test_several_in_one_trip_are_carried_out_in_their_order_and_each_gives_its_own(
    orders_db: AsyncEngine,
) -> None:
    async with orders_db.connect() as tx:
        await tx.execute(text("CREATE TEMPORARY TABLE guest (name text)"))
        await tx.commit()
        add, count = (
            text("INSERT INTO guest VALUES (:name)"),
            text("SELECT count(*) FROM guest WHERE name <> :name"),
        )
        gave = await db.in_one_trip(tx, (add, {"name": "a"}), (count, {"name": "b"}), (add, {"name": "b"}))
        assert gave == [[], [(1,)], []]
        assert await db.rows(tx, count, {"name": ""}) == [(2,)]
        await tx.rollback()
        assert await db.rows(tx, count, {"name": ""}) == [(0,)]


async def alone(engine: AsyncEngine, *statements: db.Statement) -> None:
    async with engine.begin() as tx:
        await db.in_one_trip(tx, *statements, ends=True)


@pytest.mark.parametrize("times", [1, 7])  # of a statement that comes often, the driver keeps the plan
async def test_a_trip_may_end_the_transaction_and_one_that_fails_ends_nothing(
    orders_db: AsyncEngine, times: int
) -> None:
    add, count = text("INSERT INTO guest VALUES (:name)"), text("SELECT count(*) FROM guest")
    bad = (DIVIDE, {"dividend": 4711, "divisor": 0})
    async with orders_db.begin() as tx:
        await tx.execute(text("CREATE TABLE guest (name text)"))
    for _ in range(times):
        await alone(orders_db, (add, {"name": "a"}), (count, {}))
        with pytest.raises(DBAPIError) as raised:
            await alone(orders_db, (add, {"name": "b"}), bad, (add, {"name": "c"}))
        assert getattr(raised.value.orig, "sqlstate", None) == "22012"
        assert "4711" not in str(raised.value)
    async with orders_db.begin() as tx:
        assert await db.rows(tx, text("SELECT name FROM guest"), {}) == [("a",)] * times
        await tx.execute(text("DROP TABLE guest"))


async def test_its_errors_are_those_of_the_engine_and_quote_no_value(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as tx:
        with pytest.raises(DBAPIError) as raised:
            await db.rows(tx, DIVIDE, {"dividend": 4711, "divisor": 0})
        await tx.rollback()
        assert await db.rows(tx, DIVIDE, {"dividend": 6, "divisor": 3}) == [(2,)]
    assert getattr(raised.value.orig, "sqlstate", None) == "22012"
    assert not db.is_outage(raised.value)
    assert "4711" not in str(raised.value)


async def in_one_trip(tx: AsyncConnection, statement: TextClause, values: dict[str, Any]) -> object:
    return await db.in_one_trip(tx, (DIVIDE, {"dividend": 6, "divisor": 3}), (statement, values), ends=True)


@pytest.mark.parametrize("lose", [db.rows, in_one_trip])
async def test_a_connection_that_is_lost_is_an_outage_and_the_next_one_is_another(
    orders_db: AsyncEngine, lose: Callable[..., Awaitable[object]]
) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with orders_db.begin() as tx:
            await lose(tx, text("SELECT pg_terminate_backend(pg_backend_pid())"), {})
    assert raised.value.connection_invalidated
    assert db.is_outage(raised.value)
    async with orders_db.begin() as tx:
        assert await db.rows(tx, DIVIDE, {"dividend": 6, "divisor": 3}) == [(2,)]
