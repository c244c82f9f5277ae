"""Any process may die at any moment, the servers included: every order goes on, and nothing happens twice.

One boundary of each process here; all of them in `test_every_failpoint.py`.
"""

import asyncio
from uuid import uuid4

import httpx
import pytest

from cli.client import Api
from cli.people import Buyer, Shop
from deploy.local.tokens import Scope
from tests.end_to_end.crowd import Crowd
from tests.end_to_end.hooks import Receiver
from tests.end_to_end.journeys import CHANNEL, deliver, well_stocked
from tests.stack import SharedStack

ORDERS = 6

# Where somebody has acted, and whoever asked does not know.
BOUNDARIES = [
    ("gateway", "place_order.recorded"),
    ("orders", "AcceptOrder.before_answer"),
    ("inventory", "Reserve.before_answer"),
    ("promise", "PlanOrder.before_answer"),
    ("payments", "Capture.before_commit.2"),
    ("relay", "deliver.before_commit"),
    ("worker", "authorize.after"),
]


async def test_every_process_dies_between_two_commits_and_no_order_notices(
    stack: SharedStack, hooks: Receiver
) -> None:
    async with Crowd(stack, hooks, seed=1) as crowd:
        for process, point in BOUNDARIES:
            stack.arm(process, point)
        await crowd.place(ORDERS)
        for process, point in BOUNDARIES:
            await stack.wait_fired(process, point)
        await crowd.finish()
        await crowd.verify()


@pytest.mark.parametrize(
    "server",
    ["postgres", *(pytest.param(one, marks=pytest.mark.attack) for one in ("temporal", "payment_provider"))],
)
async def test_a_server_dies_in_the_middle_of_orders_and_none_is_lost(
    stack: SharedStack, hooks: Receiver, server: str
) -> None:
    async with Crowd(stack, hooks, seed=100 + len(server)) as crowd:
        placing = asyncio.create_task(crowd.place(ORDERS))
        await crowd.until_placed(ORDERS // 2)
        starts = stack.starts(server)
        await stack.kill(server)
        await placing
        await crowd.finish()
        await crowd.verify()
        assert stack.starts(server) == starts + 1


async def test_an_order_that_its_shop_never_asks_for_again_is_carried_out(stack: SharedStack) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, CHANNEL)
        content = shop.order_content([(well_stocked(shop), 1)], Buyer(), shipping_minor=490)
        stack.arm("gateway", "place_order.recorded")
        headers = {"Idempotency-Key": f"silent-{uuid4().hex}"}
        stack.arm("worker", "start_missing.started")  # who finds it dies, too
        with pytest.raises(httpx.TransportError):
            api.send("POST", "/v1/orders", "channel", Scope(channels=(CHANNEL,)), json=content, headers=headers)
        await stack.wait_fired("worker", "start_missing.started")
        await stack.wait_ready("gateway")
        found = await asyncio.to_thread(_order_of, api, content["channel_order_number"])
        order = await asyncio.to_thread(deliver, api, found)
        assert order["customer_status"] == "delivered"


def _order_of(api: Api, channel_order_number: str) -> str:
    rows = api.rows("/v1/orders", "customer_service", size=100)
    return next(str(row["id"]) for row in rows if row["channel_order_number"] == channel_order_number)
