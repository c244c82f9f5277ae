"""What the tests of stock share."""

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.inventory.shop import Shop


@pytest_asyncio.fixture
async def shop(inventory_db: AsyncEngine) -> Shop:
    """Three items, three points, one channel; no stock."""
    return await Shop(inventory_db).open()
