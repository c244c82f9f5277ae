"""A world for each test: with a warehouse that waits for its orders, or one that works by itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.handover.world import World, a_world


@pytest.fixture
async def world(orders_db: AsyncEngine, handover_db: AsyncEngine, tmp_path: Path) -> AsyncIterator[World]:
    """Its warehouse moves when it is told to."""
    async with a_world(orders_db, handover_db, tmp_path, pace_seconds=0) as made:
        yield made


@pytest.fixture
async def busy_world(orders_db: AsyncEngine, handover_db: AsyncEngine, tmp_path: Path) -> AsyncIterator[World]:
    """Its warehouse works by itself, fast."""
    async with a_world(orders_db, handover_db, tmp_path, pace_seconds=0.02) as made:
        yield made
