"""How long a channel waits for its order to be accepted, beside a bare workflow on the same server.

`acceptance_p50_ms`: POST /v1/orders to 201, one at a time, all processes on this machine; budget 120 ms.
`bare_p50_ms`: update-with-start of a workflow with the same number of local activities that do nothing, with the
same sandbox and codec. The ratio of the two is what the services, the databases and the gateway cost.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from benchmarks._bare import Bare, nothing
from cli.client import Api
from cli.people import Buyer, Shop
from deploy.local.keys import load_or_make
from deploy.local.launcher import Stack, StackOptions, random_ports
from kit import temporal
from workflows.worker import sandbox

ORDERS = 60
WARM_UP = 10
BUDGET_MS = 120.0


async def _bare(stack: Stack) -> list[float]:
    keys = load_or_make(stack.state.keys)
    client = await temporal.connect(stack.addresses["temporal"], "default", keys.codec_keys)
    took = []
    async with Worker(
        client, task_queue="bare", workflows=[Bare], activities=[nothing], workflow_runner=sandbox()
    ):
        for _ in range(ORDERS):
            start = WithStartWorkflowOperation(
                Bare.run, id=uuid4().hex, task_queue="bare", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
            )
            began = time.perf_counter()
            await client.execute_update_with_start_workflow(Bare.placed, start_workflow_operation=start)
            took.append((time.perf_counter() - began) * 1000)
    return took[WARM_UP:]


def _accept(stack: Stack) -> list[float]:
    took = []
    with Api.of(stack.gateway_url, stack.options.state) as api:
        shop = Shop(api, "web-fr")
        items = [row["sku"] for row in shop.availability(*(row["sku"] for row in shop.items()))[:200]]
        shown = [row["sku"] for row in shop.availability(*items) if row["available_now"] >= 3]
        for number in range(ORDERS):
            content = shop.order_content([(shown[number % len(shown)], 1)], Buyer())
            began = time.perf_counter()
            shop.place(content)
            took.append((time.perf_counter() - began) * 1000)
    return took[WARM_UP:]


async def main() -> None:
    """Starts a system of its own, measures, prints."""
    with tempfile.TemporaryDirectory(prefix="oms-bench-") as folder:
        stack = Stack(StackOptions(state=Path(folder) / "state", ports=random_ports(), web_ui=False))
        await stack.start()
        try:
            accepted = await asyncio.to_thread(_accept, stack)
            bare = await _bare(stack)
        finally:
            await stack.stop()
    p50, bare_p50 = statistics.median(accepted), statistics.median(bare)
    table = Table("figure", "value", "limit", "ratio", box=None)
    table.add_row("acceptance_p50_ms", f"{p50:.0f}", f"{BUDGET_MS:.0f}", f"{p50 / BUDGET_MS:.2f}")
    table.add_row("acceptance_over_bare", f"{p50:.0f} ms", f"{bare_p50:.0f} ms", f"{p50 / bare_p50:.2f}")
    table.add_row("load of the machine", f"{os.getloadavg()[0]:.1f}", "", "")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    asyncio.run(main())
