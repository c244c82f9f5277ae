"""Puts the parts together: routes, console, problems, description. Owns no behaviour of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from kit import telemetry
from kit.temporal import TASK_QUEUE
from services.gateway import openapi, problems
from services.gateway.auth import TokenVerifier
from services.gateway.clients import Clients
from services.gateway.console.pages import console_router
from services.gateway.readiness import Readiness
from services.gateway.routes.checks import checks_router
from services.gateway.routes.health import health_router
from services.gateway.routes.network import network_router
from services.gateway.routes.orders import orders_router
from services.gateway.routes.payments import payments_router
from services.gateway.routes.promises import promises_router
from services.gateway.routes.webhooks import webhooks_router
from services.gateway.routes.work import carriers_router, work_router

_TAGS = (
    ("orders", "Place orders and follow them."),
    ("promises", "What a channel may show: stock, and how and when it can be delivered."),
    ("store work", "Offers to points: accept or refuse, pick, pack, hand over."),
    ("carrier events", "What carriers say of parcels."),
    ("payments", "Authorisations, captures, voids and refunds, and events of providers."),
    ("webhooks", "Signed events to your systems, their log and their replay."),
    ("network", "Items, points, channels, carriers and physical stock."),
    ("checks", "Whether stock, orders, money, workflows and events agree with each other."),
    ("health", "Whether it works."),
)


@dataclass(frozen=True)
class Options:
    """What may be set from outside."""

    placement_wait_seconds: float = 10.0
    # Channels keep their own cooling-off; a quote assumes this one unless it is told an instant.
    quote_cooling_off_seconds: int = 1800
    body_limit_bytes: int = 2 * 1024 * 1024
    task_queue: str = TASK_QUEUE


def create_app(clients: Clients, verifier: TokenVerifier, options: Options | None = None) -> FastAPI:
    """The gateway as an ASGI app. It closes `clients` and `verifier` when it ends."""
    options = options or Options()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await clients.close()
        await verifier.close()
        await asyncio.to_thread(telemetry.flush)

    app = FastAPI(
        title="Order management",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": text} for name, text in _TAGS],
    )
    app.state.clients = clients
    app.state.verifier = verifier
    app.state.options = options
    app.state.readiness = Readiness(clients, options.task_queue)
    for router in (
        orders_router,
        promises_router,
        work_router,
        carriers_router,
        payments_router,
        webhooks_router,
        network_router,
        checks_router,
        health_router,
        console_router,
    ):
        app.include_router(router)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(problems.LimitBody, limit_bytes=options.body_limit_bytes)
    app.add_middleware(problems.AnswerDefects)
    if telemetry.is_exporting():
        # Imported here: it is slow to load, and of no use to a process that exports nothing.
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, excluded_urls="healthz,readyz", exclude_spans=["receive", "send"])
    return app
