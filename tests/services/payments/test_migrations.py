"""What the migrations make of rows that were there before."""

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from uuid import uuid4

import pytest_asyncio
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from deploy.local.postgres import create_database
from kit import db
from kit.db import AsyncEngine
from services.payments.domain.model import Kind
from services.payments.history import History
from services.payments.history_store import Filter
from tests.infra import Database


@pytest_asyncio.fixture
async def old_database(postgres: str) -> AsyncIterator[AsyncEngine]:
    """As the first migration left it, with an order that was captured."""
    database = Database(f"payments_{uuid4().hex[:12]}", postgres)
    create_database(postgres, database.name)
    config = Config()
    config.set_main_option("script_location", str(resources.files("services.payments") / "migrations"))
    config.set_main_option("sqlalchemy.url", database.url.replace("%", "%%"))
    await asyncio.to_thread(command.upgrade, config, "0001")
    engine = db.connect(database.url)
    async with engine.begin() as tx:
        await tx.execute(
            text(
                """INSERT INTO payment (order_id, channel_id, currency, status, tender_kind, tender_reference,
                                        provider, provider_payment_id, authorized, captured)
                   VALUES ('ord_1', 'web', 'EUR', 'authorized', 'payment_method_token', '',
                           'stripe', 'pi_1', 900, 400)"""
            )
        )
        await tx.execute(
            text(
                """INSERT INTO operation (operation_id, request_id, order_id, kind, state, amount_minor, currency,
                                          cause, actor, provider, intended_at, settled_at, asked_at)
                   SELECT 'pop_' || kind, kind, 'ord_1', kind, 'succeeded', minor, 'EUR', '', '', 'stripe',
                          now(), now(), now()
                   FROM (VALUES ('authorize', 900), ('capture', 400)) AS done (kind, minor)"""
            )
        )
    await asyncio.to_thread(command.upgrade, config, "head")
    yield engine
    await engine.dispose()
    database.drop()


async def test_operations_from_before_are_found_by_what_they_are_filtered_by_now(
    old_database: AsyncEngine,
) -> None:
    wanted = Filter(channel_id=("web",), tender_kind=("payment_method_token",), kind=(Kind.CAPTURE,))
    for walked in (0, 100):
        (found,), more = await History(old_database, walked=walked).list_operations(wanted, None, 5)
        assert (found.operation_id, found.amount_minor, more) == ("pop_capture", 400, False)
