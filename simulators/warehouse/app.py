"""The simulator over HTTP: the warehouse's API, and the desk at which tests order things (`/_desk`)."""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from simulators.warehouse.books import Body, Books
from simulators.warehouse.floor import Floor, Step
from simulators.warehouse.rules import Rule, Rules
from simulators.warehouse.webhooks import Webhooks

_LOOK_AGAIN_SECONDS = 0.05
# A request that is never answered is let go after this; clients give up long before.
_SILENCE_SECONDS = 60
_OUTAGES = frozenset({"down", "lost_answer"})


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


class Line(BaseModel):
    """Units to pick."""

    line_number: int = Field(ge=1)
    sku: str
    title: str = ""
    quantity: int = Field(ge=1)


class ShipTo(BaseModel):
    """Where the parcel goes."""

    name: str
    street_lines: list[str]
    postcode: str
    city: str
    country: str


class PreparationOrder(BaseModel):
    """What a client wants prepared; its id is the client's, and is used once."""

    id: str = Field(min_length=1)
    site: str
    order_reference: str
    carrier: str
    carrier_service: str
    start_by: str | None = None
    hand_over_by: str | None = None
    lines: list[Line] = Field(min_length=1)
    ship_to: ShipTo


class StepOrder(BaseModel):
    """A step to take now, and what to say instead of what is so."""

    step: Step
    data: dict[str, Any] = Field(default_factory=dict)


def create_app(
    state_file: str, api_key: str, webhook_secret: str, messages_url: str, pace_seconds: float
) -> FastAPI:
    """The simulator. An empty `messages_url` sends nothing; a pace of 0 moves nothing by itself."""
    books, rules = Books(state_file), Rules()
    floor, webhooks = Floor(books, pace_seconds), Webhooks(books, messages_url, webhook_secret)

    async def work() -> None:
        while True:
            floor.move_on(time.time())
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(webhooks.run()), asyncio.create_task(work())]
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        books.close()

    app = FastAPI(title="Warehouse simulator", lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.exception_handler(Refused)
    async def refuse(_request: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body, error.status)

    @app.get("/healthz")
    async def healthz() -> Body:
        return {"status": "ok"}

    app.include_router(_api(books, rules, floor, api_key))
    app.include_router(_desk(books, rules, floor))
    return app


def _api(books: Books, rules: Rules, floor: Floor, api_key: str) -> APIRouter:
    def check_key(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization.encode(), f"Bearer {api_key}".encode()):
            raise Refused(401, "unauthorized", "the API key is not known")

    router = APIRouter(prefix="/v1/preparation-orders", dependencies=[Depends(check_key)])

    @router.post("")
    async def prepare(request: Request, order: PreparationOrder) -> Response:
        content = order.model_dump()
        fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

        def act() -> tuple[int, Body]:
            known = books.fingerprint(order.id)
            if known not in (None, fingerprint):
                raise Refused(409, "id_used", "another preparation order has this id")
            if known is None and rules.fault(order.id, frozenset({"reject"})):
                raise Refused(422, "order_not_accepted", "the warehouse takes no such order")
            if known is None:
                floor.receive(content, fingerprint, rules.behaviours(order.id))
            return (201 if known is None else 200), _status(books, order.id)

        return await _answer(request, books, rules, order.id, act)

    @router.get("/{preparation_id}")
    async def read(request: Request, preparation_id: str) -> Response:
        return await _answer(request, books, rules, preparation_id, lambda: (200, _status(books, preparation_id)))

    @router.post("/{preparation_id}/cancel")
    async def cancel(request: Request, preparation_id: str) -> Response:
        return await _answer(
            request,
            books,
            rules,
            preparation_id,
            lambda: (200, {"outcome": floor.cancel(_known(books, preparation_id))}),
        )

    return router


async def _answer(
    request: Request, books: Books, rules: Rules, preparation_id: str, act: Callable[[], tuple[int, Body]]
) -> Response:
    fault = rules.fault(preparation_id, _OUTAGES)
    if fault == "down":
        raise Refused(503, "unavailable", "the warehouse is away")
    with books.transaction():
        status, body = act()
    if fault == "lost_answer":
        for _ in range(_SILENCE_SECONDS * 20):
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.05)
    return JSONResponse(body, status)


def _desk(books: Books, rules: Rules, floor: Floor) -> APIRouter:
    router = APIRouter(prefix="/_desk")

    @router.post("/rules")
    async def order(rule: Rule) -> Body:
        rules.order(rule)
        return {"ordered": rule.kind}

    @router.delete("/rules")
    async def clear() -> Body:
        rules.clear()
        return {}

    @router.get("/preparation-orders")
    async def everything() -> Body:
        return {"items": books.all()}

    @router.delete("/preparation-orders/{preparation_id}")
    async def lose(preparation_id: str) -> Body:
        with books.transaction():
            books.forget(preparation_id)
        return {}

    @router.post("/preparation-orders/{preparation_id}/steps")
    async def step(preparation_id: str, wanted: StepOrder) -> Body:
        with books.transaction():
            floor.step(_known(books, preparation_id), wanted.step, wanted.data)
        return _status(books, preparation_id)

    return router


def _known(books: Books, preparation_id: str) -> Body:
    preparation = books.find(preparation_id)
    if preparation is None:
        raise Refused(404, "not_found", "there is no such preparation order")
    return preparation


def _status(books: Books, preparation_id: str) -> Body:
    """As clients see it: nothing of the address, and all that was said."""
    preparation = _known(books, preparation_id)
    return {
        "id": preparation_id,
        "status": preparation["status"],
        "messages": books.messages(preparation_id),
    }
