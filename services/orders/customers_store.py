"""All SQL of customers' links beside that of the order itself, which is in store.py."""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.tables import orders, sales_channel


async def is_order(tx: AsyncConnection, order_id: str) -> bool:
    """Whether there is one with this id."""
    return bool((await tx.execute(select(exists().where(orders.c.order_id == order_id)))).scalar_one())


async def channel_name(tx: AsyncConnection, channel_id: str) -> str:
    """What the channel is called."""
    found = await tx.execute(select(sales_channel.c.name).where(sales_channel.c.channel_id == channel_id))
    return str(found.scalar_one())
