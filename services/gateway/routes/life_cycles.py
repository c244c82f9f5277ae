"""Life cycles: published in versions that never change. An order keeps the version it began with."""

from typing import Annotated

from fastapi import Path, Query

from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import router
from services.gateway.schemas.base import MAX_INT32, Asked, Listed
from services.gateway.schemas.life_cycles import LifeCycle, LifeCycleView
from services.gateway.wire import sent, shown

life_cycles_router = router("life cycles")

LifeCycleId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class VersionAsked(Asked):
    """Which version."""

    version: Annotated[int | None, Query(ge=1, le=MAX_INT32, description="Without it the latest")] = None


@life_cycles_router.get("/life-cycles")
async def list_life_cycles(clients: ClientsAre) -> Listed[LifeCycleView]:
    """List the latest version of each life cycle, in id order."""
    found = await clients.read(clients.orders.ListLifeCycles, orders.ListLifeCyclesRequest())
    return Listed(items=[shown(one, LifeCycleView) for one in found.life_cycles])


@life_cycles_router.get("/life-cycles/{life_cycle_id}")
async def get_life_cycle(
    life_cycle_id: LifeCycleId, asked: Annotated[VersionAsked, Query()], clients: ClientsAre
) -> LifeCycleView:
    """Show a life cycle as it was published last, or a version of it."""
    request = orders.GetLifeCycleRequest(life_cycle_id=life_cycle_id, version=asked.version or 0)
    return shown((await clients.read(clients.orders.GetLifeCycle, request)).life_cycle, LifeCycleView)


@life_cycles_router.put("/life-cycles/{life_cycle_id}")
async def publish_life_cycle(
    life_cycle_id: LifeCycleId, body: LifeCycle, caller: CallerIs, clients: ClientsAre
) -> LifeCycleView:
    """Publish the next version, for orders from now on. What is as the latest version is no new one.

    What breaks a rule is a 422 that names the field.
    """
    access.check_all_brands(caller)
    life_cycle = sent(orders.LifeCycle, body, life_cycle_id=life_cycle_id)
    request = orders.PublishLifeCycleRequest(life_cycle=life_cycle)
    return shown((await clients.act(clients.orders.PublishLifeCycle, request)).life_cycle, LifeCycleView)
