"""The gateway over HTTP, in process, in front of services with canned answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from temporalio.client import Client

from kit import temporal
from services.gateway.app import Options, create_app
from services.gateway.clients import Clients
from services.gateway.readiness import Readiness
from tests.services.gateway import fakes
from tests.services.gateway.fakes import Peers, World
from tests.services.gateway.tokens import Issuer

# To make these takes a worker a minute, whatever is then chosen of them.
_DEAR = {"test_contract_boundaries.py": "not attack", "test_contract.py": "attack"}
CODEC_KEYS = "test:" + "A" * 43


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing is made of which nothing can be chosen."""
    return True if config.option.markexpr == _DEAR.get(collection_path.name) else None


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Signs the tokens that the gateway under test believes."""
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def app(issuer: Issuer) -> FastAPI:
    """One app for the run: its routes are slow to make. Each test gives it clients of its own."""
    options = Options(placement_wait_seconds=5, body_limit_bytes=100_000, task_queue=f"gateway-{uuid4().hex}")
    return create_app(cast(Clients, None), issuer.verifier(), options)


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    async with fakes.serving() as peers:
        yield peers


@pytest.fixture
def world(peers: Peers) -> World:
    return peers.world


@pytest.fixture
async def temporal_client() -> Client:
    """Temporal is away, but in modules that replace this fixture."""
    return await temporal.connect("127.0.0.1:1", "default", CODEC_KEYS, lazy=True)


@pytest.fixture
async def http(app: FastAPI, peers: Peers, temporal_client: Client) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway."""
    clients = Clients(peers.addresses, temporal_client)
    app.state.clients = clients
    app.state.readiness = Readiness(clients, app.state.options.task_queue)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client
    await clients.close()
