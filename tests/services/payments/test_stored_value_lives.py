"""A few lives of instruments; many are an attack."""

import asyncio
from collections.abc import Iterator

import pytest

from kit import db
from tests.conftest import MakeDatabase
from tests.services.payments.cards import Cards
from tests.services.payments.stored_value_lives import live


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    found = asyncio.new_event_loop()
    yield found
    found.close()


@pytest.fixture
def both(make_database: MakeDatabase, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Cards, Cards]]:
    """Two services, each with connections of its own, on one database."""
    engines = [db.connect(make_database("payments").url) for _ in range(2)]
    yield Cards(engines[0]), Cards(engines[1])
    for engine in engines:
        loop.run_until_complete(engine.dispose())


def test_books_agree_after_a_few_lives(both: tuple[Cards, Cards], loop: asyncio.AbstractEventLoop) -> None:
    live(*both, loop, examples=10, steps=12)


@pytest.mark.attack
@pytest.mark.timeout(300)
def test_books_agree_after_many_long_lives(both: tuple[Cards, Cards], loop: asyncio.AbstractEventLoop) -> None:
    live(*both, loop, examples=60, steps=30)
