"""The simulator over HTTP: the banks' API, and the doors for customers and tests (`/_...`)."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Request, Response
from pydantic import AwareDatetime

from simulators.carrier.webhooks import Webhooks
from simulators.locker.bank import Banks, Code, Fault
from simulators.locker.books import Body, Books

Bank = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$", max_length=64)]


def create_app(
    *, file: str, api_key: str, webhook_secret: str, events_url: str = "", compartments: int = 12
) -> FastAPI:
    """Every bank that is asked for, with one key and one secret for all."""
    books = Books(file)
    webhooks = Webhooks(books, events_url, webhook_secret, of="bank", header="Locker-Signature")
    banks = Banks(books, compartments, webhooks.ring)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        posting = asyncio.create_task(webhooks.run())
        yield
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        books.close()

    app = FastAPI(title="Locker simulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(_doors(banks))
    app.include_router(_api(banks, api_key))
    return app


def _api(banks: Banks, api_key: str) -> APIRouter:
    async def is_open(request: Request) -> AsyncIterator[None]:
        told = request.headers.get("Authorization", "").encode()
        if not secrets.compare_digest(told, f"Bearer {api_key}".encode()):
            raise HTTPException(401, "the key is not known")
        if banks.fails("down"):
            raise HTTPException(503, "out of order")
        yield
        if banks.fails("lost_answer"):
            raise HTTPException(503, "out of order")

    # What fails after the act fails before the answer.
    router = APIRouter(dependencies=[Depends(is_open, scope="function")])

    @router.put("/{bank}/bookings/{reference}", status_code=201)
    async def book(bank: Bank, reference: str, response: Response) -> Body:
        booking, is_new = banks.book(bank, reference)
        response.status_code = 201 if is_new else 200
        return booking

    @router.post("/{bank}/bookings/{reference}/deposit")
    async def deposit(bank: Bank, reference: str, body: Code) -> Body:
        return banks.deposit(bank, reference, body.code)

    @router.post("/{bank}/bookings/{reference}/close")
    async def close(bank: Bank, reference: str) -> Body:
        return banks.close(bank, reference)

    @router.delete("/{bank}/bookings/{reference}", status_code=204)
    async def release(bank: Bank, reference: str) -> None:
        banks.release(bank, reference)

    @router.get("/{bank}/openings")
    async def openings(bank: Bank, since: AwareDatetime) -> Body:
        return {"events": banks.openings(bank, since)}

    return router


def _doors(banks: Banks) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def health() -> Body:
        return {"status": "ok"}

    @router.post("/_doors/{bank}/{compartment}")
    async def enter(bank: Bank, compartment: str, body: Code) -> Body:
        return banks.enter(bank, compartment, body.code)

    @router.post("/_faults")
    async def order_fault(fault: Fault) -> Body:
        banks.order(fault)
        return {"ordered": fault.kind}

    @router.delete("/_faults")
    async def heal() -> Body:
        banks.heal()
        return {}

    return router
