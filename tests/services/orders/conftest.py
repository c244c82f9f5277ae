"""The orders service on its own database."""

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from tests.services.orders.builders import IDENTITIES, Shop


@pytest_asyncio.fixture
async def shop(orders_db: AsyncEngine) -> Shop:
    """A shop that is open: one channel, one life cycle."""
    bell = Bell()
    made = Shop(OrdersService(orders_db, bell, IDENTITIES), Tracking(orders_db, bell, {}))
    await made.open()
    return made
