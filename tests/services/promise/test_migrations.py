"""What the migrations make of rows that were there before."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import resources
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local.postgres import create_database
from kit import db
from services.promise import store
from services.promise.domain.network import CarbonLeg
from services.promise.domain.ruleset_versions import Act
from services.promise.rulesets import Rulesets
from tests.infra import Database

JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7))
OLD = """{"ruleset_id": "default", "version": %d, "currency": "EUR", "split_cost_minor": %d, "preparation_costs":
    [{"point_type": "store", "cost_minor": 0}], "distance_cost_minor_per_kilometre": 0.5,
    "lateness_cost_minor_per_day": 0, "max_parcels": 3, "alternatives": 3}"""

_SERVICE = {
    "mode": "home_standard",
    "max_weight_grams": 1,
    "max_length_millimetres": 1,
    "delivery_weekdays": [1],
    "delivery_from_minute": 0,
    "delivery_until_minute": 60,
    "zones": [],
    "carbon_factor": "road 1",
}


@pytest.fixture
async def old_database(postgres: str) -> AsyncIterator[AsyncEngine]:
    """As the first migration left it."""
    database = Database(f"promise_{uuid4().hex[:12]}", postgres)
    create_database(postgres, database.name)
    await asyncio.to_thread(command.upgrade, _config(database), "0001")
    engine = db.connect(database.url)
    yield engine
    await engine.dispose()
    database.drop()


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("services.promise") / "migrations"))
    config.set_main_option("sqlalchemy.url", database.url.replace("%", "%%"))
    return config


async def test_the_carbon_factor_of_a_service_becomes_that_of_the_whole_way(old_database: AsyncEngine) -> None:
    services = [
        {**_SERVICE, "service_id": name, "carbon_grams_per_tonne_kilometre": factor}
        for name, factor in (("road", 92.5), ("unknown", 0.0))
    ]
    async with old_database.begin() as tx:
        for carrier_id, has in (("post", services), ("none", [])):
            document = json.dumps({"carrier_id": carrier_id, "services": has})
            await tx.execute(
                text("INSERT INTO carrier VALUES (:id, CAST(:document AS jsonb))"),
                {"id": carrier_id, "document": document},
            )
    await db.migrate("promise", old_database.url.render_as_string(hide_password=False))
    async with old_database.begin() as tx:
        none, post = await store.list_carriers(tx)
    assert none.services == ()
    assert [(one.service_id, one.carbon_legs) for one in post.services] == [
        ("road", (CarbonLeg("road", 0, 92.5),)),
        ("unknown", ()),
    ]


async def test_rulesets_of_before_keep_their_time_and_get_a_change(old_database: AsyncEngine) -> None:
    async with old_database.begin() as tx:
        for version, at in ((1, JUNE), (2, JULY)):
            await tx.execute(
                text("INSERT INTO ruleset VALUES ('default', :version, CAST(:document AS jsonb), :at)"),
                {"version": version, "document": OLD % (version, 100 * version), "at": at},
            )
    await db.migrate("promise", old_database.url.render_as_string(hide_password=False))
    rulesets = Rulesets(old_database)
    book = await rulesets.get("default")
    assert [(one.number, one.effective_at, one.published_by) for one in book.versions] == [
        (1, JUNE, "unknown"),
        (2, JULY, "unknown"),
    ]
    assert book.revision == 2
    assert [book.in_force(at) for at in (JUNE, JULY)] == list(book.versions)
    last, first = await rulesets.list_changes("default", 99, 99)
    assert (first.act, first.before, first.after) == (Act.PUBLISHED, None, book.version(1).ruleset)
    assert (last.version, last.before, last.after) == (2, book.version(1).ruleset, book.version(2).ruleset)
