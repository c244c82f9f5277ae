"""The process that works one simulation: `python -m services.promise.simulation_worker`. Wiring only.

It is nice to others, uses one core at most, and ends with the process that started it: when its standard input
does.
"""

import asyncio
import os
import sys
import threading

from kit import db, rpc, telemetry
from kit.errors import Unavailable
from kit.settings import ServiceSettings
from services.promise.follower import StockFollower
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.simulation_work import SimulationWork

_NICENESS = 10
_STOCK_SECONDS = 120.0
_LOOK_SECONDS = 0.05


class Settings(ServiceSettings):
    """`OMS_INVENTORY_ADDRESS`: host:port of the stock feed."""

    inventory_address: str


async def read_stock(address: str) -> StockReplica:
    """A replica of its own, filled by one snapshot and then left alone. UNAVAILABLE / STOCK_UNKNOWN."""
    inventory = rpc.connect(address)
    replica = StockReplica()
    following = asyncio.create_task(StockFollower(inventory, replica).run())
    try:
        async with asyncio.timeout(_STOCK_SECONDS):
            while not replica.is_ready:  # noqa: ASYNC110 - what is awaited has no event.
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise Unavailable("STOCK_UNKNOWN", f"inventory told no stock within {_STOCK_SECONDS:.0f} s") from None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await inventory.close(None)
    return replica


async def main(settings: Settings) -> None:
    """Works the oldest job that waits, if there is one."""
    database = db.connect(settings.database_url, pool_size=2)

    async def stock_now() -> StockReplica:
        return await read_stock(settings.inventory_address)

    try:
        await SimulationWork(database, stock_now, is_public_holiday).run()
    finally:
        await database.dispose()


def end_with_parent() -> None:
    """Returns at once; a thread ends the process when nobody holds the other end of its standard input."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    os.nice(_NICENESS)
    end_with_parent()
    telemetry.start("promise-simulation")
    asyncio.run(main(Settings()))
    telemetry.flush()
