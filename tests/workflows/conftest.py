"""One world per module; its lives run side by side."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import running as running_provider
from tests.workflows.start import running
from tests.workflows.world import World


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    make_database: MakeDatabase, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        async with running(make_database, temporal_address, provider) as started:
            yield started
