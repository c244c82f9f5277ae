"""Single processes of the system for tests that need a few of them, not the whole (see `stack.py`)."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_ROOT = Path(__file__).parents[1]
_START_SECONDS = 60


@asynccontextmanager
async def running(
    module: str, address: str, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m <module>` on host:port, once it says that it is SERVING; stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=_ROOT,
        env={**os.environ, **environment, "OMS_LISTEN": address, "PYTHONPATH": "protos/gen"},
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            await _wait_until_serving(address)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_until_serving(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        answer = await stub.Check(request, wait_for_ready=True)
        while answer.status != health_pb2.HealthCheckResponse.SERVING:
            await asyncio.sleep(0.05)
            answer = await stub.Check(request)
