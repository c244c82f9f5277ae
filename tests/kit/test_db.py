"""Statements that go to the driver itself: they give and fail like all others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from tests.conftest import MakeDatabase
from tests.trips import round_trips

DIVIDE = text("SELECT CAST(:dividend AS integer) / CAST(:divisor AS integer)")
SIX_BY_THREE = {"dividend": 6, "divisor": 3}


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
        assert await db.rows(tx, DIVIDE, SIX_BY_THREE) == [(2,)]
    assert getattr(raised.value.orig, "sqlstate", None) == "22012"
    assert not db.is_outage(raised.value)
    assert "4711" not in str(raised.value)


async def in_one_trip(tx: AsyncConnection, statement: TextClause, values: dict[str, Any]) -> object:
    return await db.in_one_trip(tx, (DIVIDE, SIX_BY_THREE), (statement, values), ends=True)


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
        assert await db.rows(tx, DIVIDE, SIX_BY_THREE) == [(2,)]


async def test_a_trip_that_is_given_up_leaves_its_connection_to_the_next_one(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as tx:
        [[(mine,)]] = await db.in_one_trip(tx, (text("SELECT pg_backend_pid()"), {}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await db.in_one_trip(tx, (DIVIDE, SIX_BY_THREE), (text("SELECT pg_sleep(60)"), {}))
        await tx.rollback()
        gave = await db.in_one_trip(tx, (text("SELECT pg_backend_pid()"), {}), (DIVIDE, SIX_BY_THREE))
        assert gave == [[(mine,)], [(2,)]]


async def test_a_trip_begins_its_transaction_as_the_engine_says(orders_db: AsyncEngine) -> None:
    level, own = text("SHOW transaction_isolation"), text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
    still = orders_db.execution_options(isolation_level="REPEATABLE READ")
    async with still.begin() as tx:
        assert await db.in_one_trip(tx, (level, {})) == [[("repeatable read",)]]
    async with db.single(orders_db).connect() as connection:
        await db.in_one_trip(connection, (text("CREATE TEMPORARY TABLE guest (name text)"), {}))
        assert await db.in_one_trip(connection, (own, {})) == [[(False,)]]


async def test_a_value_that_cannot_be_written_fails_its_trip_alone(orders_db: AsyncEngine) -> None:
    async with orders_db.connect() as tx:
        with pytest.raises(TypeError, match="no array is made of object"):
            await db.in_one_trip(tx, (DIVIDE, SIX_BY_THREE), (text("SELECT :it"), {"it": [object()]}))
        assert await db.in_one_trip(tx, (DIVIDE, SIX_BY_THREE)) == [[(2,)]]


async def test_a_transaction_begins_and_ends_in_the_trips_of_its_statements(
    make_database: MakeDatabase,
) -> None:
    engine = db.connect(make_database("orders").url, pool_size=1)

    async def two_trips() -> None:
        async with engine.begin() as tx:
            assert await db.rows(tx, DIVIDE, SIX_BY_THREE) == [(2,)]
            await db.in_one_trip(tx, (DIVIDE, SIX_BY_THREE), (text("SELECT 1"), {}), ends=True)

    # Not prepared, while it is being prepared, and prepared.
    assert [await round_trips(engine, two_trips()) for _ in range(8)] == [2] * 8
    await engine.dispose()


async def test_a_statement_whose_trip_failed_before_it_was_prepared_is_prepared_by_the_next(
    orders_db: AsyncEngine,
) -> None:
    often = text("SELECT 1")
    async with db.single(orders_db).connect() as connection:
        for _ in range(5):  # the driver prepares what comes once more
            await db.rows(connection, often, {})
        for _ in range(2):
            with pytest.raises(DBAPIError):
                await db.in_one_trip(connection, (DIVIDE, {"dividend": 1, "divisor": 0}), (often, {}))
            assert await db.rows(connection, often, {}) == [(1,)]


async def test_a_transaction_goes_on_from_before_a_trip_that_failed(orders_db: AsyncEngine) -> None:
    async with orders_db.begin() as tx:
        for _ in range(7):
            with pytest.raises(DBAPIError):
                async with tx.begin_nested():
                    await db.in_one_trip(tx, (text("SELECT 1"), {}), (DIVIDE, {"dividend": 1, "divisor": 0}))
            assert await db.rows(tx, DIVIDE, SIX_BY_THREE) == [(2,)]
