"""The simulator over HTTP: the provider's API, the customer's pages, and the doors for tests (`/_...`)."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from simulators.payment_provider import api, doors
from simulators.payment_provider.desk import Account, Desk
from simulators.payment_provider.errors import ProviderError
from simulators.payment_provider.faults import Faults
from simulators.payment_provider.news import Clock

_ENDING_SECONDS = 1.0


def create_app(accounts: Sequence[Account]) -> FastAPI:
    """The simulator; each account has its own key, books and events."""
    clock, faults = Clock(), Faults()
    desks = [Desk(account, clock, faults) for account in accounts]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(desk.webhooks.run()) for desk in desks]
        running.append(asyncio.create_task(_end_what_is_due(desks)))
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for desk in desks:
            desk.books.close()

    app = FastAPI(title="Payment provider simulator", lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.exception_handler(ProviderError)
    async def refuse(_request: Request, error: ProviderError) -> JSONResponse:
        return JSONResponse(error.body, error.status)

    def desk_of(request: Request) -> Desk:
        told = request.headers.get("Authorization", "").encode()
        for desk in desks:
            if secrets.compare_digest(told, f"Bearer {desk.account.api_key}".encode()):
                return desk
        raise ProviderError(401, "invalid_request_error", "Invalid API Key provided.")

    app.include_router(api.routes(desk_of))
    app.include_router(doors.customer_pages(desks))
    app.include_router(doors.controls(desks, clock, faults))
    return app


async def _end_what_is_due(desks: Sequence[Desk]) -> None:
    """Time ends authorisations and pages also when nobody looks."""
    while True:
        for desk in desks:
            desk.end_what_is_due()
        await asyncio.sleep(_ENDING_SECONDS)
