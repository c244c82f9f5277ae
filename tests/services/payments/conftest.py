"""The payments service on a real database and a real provider (the simulator over HTTP)."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from kit.db import AsyncEngine
from kit.feed import Bell
from services.payments.providers.stripe import StripeProvider
from services.payments.service import PaymentsService
from tests.services.payments.world import World
from tests.simulators.payment_provider import API_KEY, WEBHOOK_SECRET, RunningProvider, running

MakeStripe = Callable[[float], StripeProvider]


@pytest.fixture(scope="module")
def provider_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with running(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(provider_server: RunningProvider) -> RunningProvider:
    provider_server.heal()
    return provider_server


def stripe_at(url: str, timeout_seconds: float) -> StripeProvider:
    return StripeProvider(
        url=url,
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        return_url="http://shop.example/back",
        timeout_seconds=timeout_seconds,
    )


@pytest_asyncio.fixture
async def world(payments_db: AsyncEngine, provider: RunningProvider) -> AsyncIterator[World]:
    """A service whose provider is given plenty of time, and one that soon gives up waiting."""
    patient, hasty = stripe_at(provider.url, 20), stripe_at(provider.url, 0.3)
    bell = Bell()
    yield World(
        engine=payments_db,
        provider=provider,
        service=PaymentsService(payments_db, bell, {"stripe": patient}, "stripe"),
        hasty=PaymentsService(payments_db, bell, {"stripe": hasty}, "stripe"),
        at=lambda clock: PaymentsService(payments_db, bell, {"stripe": patient}, "stripe", clock),
    )
    await patient.close()
    await hasty.close()
