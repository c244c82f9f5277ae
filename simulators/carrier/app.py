"""The simulator over HTTP: the carriers' API, and the doors for tests (`/_...`)."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Request, Response

from simulators.carrier.books import Body, Books
from simulators.carrier.desk import Announcement, Desk, Fate, Happening
from simulators.carrier.faults import Fault, Faults
from simulators.carrier.webhooks import Webhooks

Carrier = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$", max_length=64)]


def create_app(*, file: str, api_key: str, webhook_secret: str, events_url: str = "") -> FastAPI:
    """Every carrier that is asked for, with one key and one secret for all."""
    books, faults = Books(file), Faults()
    webhooks = Webhooks(books, events_url, webhook_secret)
    desk = Desk(books, faults, webhooks)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        posting = asyncio.create_task(webhooks.run())
        yield
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        books.close()

    app = FastAPI(title="Carrier simulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(_doors(desk, faults))
    app.include_router(_api(desk, faults, api_key))
    return app


def _api(desk: Desk, faults: Faults, api_key: str) -> APIRouter:
    async def is_open(request: Request) -> None:
        told = request.headers.get("Authorization", "").encode()
        if not secrets.compare_digest(told, f"Bearer {api_key}".encode()):
            raise HTTPException(401, "the key is not known")
        if faults.take("down", request.path_params.get("tracking_code", "")):
            raise HTTPException(503, "out of order")

    router = APIRouter(dependencies=[Depends(is_open)])

    @router.post("/{carrier}/shipments", status_code=201)
    async def announce(carrier: Carrier, announcement: Announcement, response: Response) -> Body:
        shipment, is_new = desk.announce(carrier, announcement)
        response.status_code = 201 if is_new else 200
        return shipment

    @router.get("/{carrier}/shipments/{tracking_code}")
    async def shipment(carrier: Carrier, tracking_code: str) -> Body:
        return desk.shipment(carrier, tracking_code)

    @router.get("/{carrier}/shipments/{tracking_code}/events")
    async def events(carrier: Carrier, tracking_code: str) -> Body:
        return {"events": desk.events(carrier, tracking_code)}

    return router


def _doors(desk: Desk, faults: Faults) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def health() -> Body:
        return {"status": "ok"}

    @router.post("/_desk/{carrier}/{tracking_code}/events")
    async def happen(carrier: Carrier, tracking_code: str, happening: Happening) -> Body:
        desk.shipment(carrier, tracking_code)
        return desk.happen(carrier, tracking_code, happening)

    @router.post("/_desk/{carrier}/{tracking_code}/fate")
    async def play(carrier: Carrier, tracking_code: str, fate: Fate) -> Body:
        desk.shipment(carrier, tracking_code)
        return {"events": desk.play(carrier, tracking_code, fate)}

    @router.post("/_faults")
    async def order_fault(fault: Fault) -> Body:
        faults.order(fault)
        return {"ordered": fault.kind}

    @router.delete("/_faults")
    async def heal() -> Body:
        faults.clear()
        return {}

    return router
