"""The databases that all other tests stand on."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.infra import Database, clone_database

TABLES = """
    CREATE TABLE movement (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, quantity int);
    CREATE TABLE counter (name text PRIMARY KEY, value int);
    INSERT INTO counter VALUES ('feed', 0);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'append-only'; END $$;
    CREATE TRIGGER kept BEFORE TRUNCATE OR DELETE ON movement EXECUTE FUNCTION refuse();
"""


async def make_tables(service: str, url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(TABLES))
    # Left connected, as a careless migration would leave it.


@pytest.fixture(scope="module")
def ledger(postgres: str) -> Iterator[Database]:
    database = clone_database(postgres, "ledger", make_tables)
    yield database
    database.drop()


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_test_finds_only_what_the_migrations_left(ledger: Database, time: str) -> None:
    ledger.clean()
    engine = create_async_engine(ledger.url)
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM movement"))).scalar() == 0
        assert (await connection.execute(text("SELECT value FROM counter"))).scalars().all() == [0]
        made = await connection.execute(text("INSERT INTO movement (quantity) VALUES (5) RETURNING id"))
        assert made.scalar() == 1, "numbers start again"
        await connection.execute(text("UPDATE counter SET value = 7"))
    await engine.dispose()


async def test_the_append_only_rule_still_holds_inside_a_test(ledger: Database) -> None:
    engine = create_async_engine(ledger.url)
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO movement (quantity) VALUES (5)"))
        with pytest.raises(Exception, match="append-only"):
            await connection.execute(text("DELETE FROM movement"))
    await engine.dispose()


def test_two_clones_of_one_service_do_not_see_each_other(postgres: str, ledger: Database) -> None:
    other = clone_database(postgres, "ledger", make_tables)  # the template exists by now
    with psycopg.connect(other._plain_url) as connection:
        connection.execute("INSERT INTO movement (quantity) VALUES (1)")
    ledger.clean()
    with psycopg.connect(ledger._plain_url) as connection:
        assert connection.execute("SELECT count(*) FROM movement").fetchone() == (0,)
    other.drop()


def test_the_runs_temporal_answers(temporal_address: str) -> None:
    assert temporal_address.startswith("127.0.0.1:")
