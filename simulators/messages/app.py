"""The simulator over HTTP: the SMS gateway, pages and JSON of what came, and the doors for tests (`/_...`)."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.messages.faults import Fault, Faults
from simulators.messages.inbox import Inbox
from simulators.messages.pages import inbox_page, message_page
from simulators.messages.smtp import Mailboxes, serve

_SIGNATURE_AGE_SECONDS = 300


class Sms(BaseModel):
    """What is posted."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(pattern=r"^\+?[0-9]{4,16}$")
    sender: str = Field(alias="from", max_length=20)
    text: str = Field(min_length=1, max_length=1_000)


def create_app(*, api_key: str, smtp_host: str, smtp_port: int) -> FastAPI:
    """Both doors: HTTP is this app, SMTP listens while it runs; `app.state.smtp_port` says where (for port 0)."""
    inbox, faults = Inbox(), Faults()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = await serve(Mailboxes(inbox, faults), smtp_host, smtp_port)
        app.state.smtp_port = server.sockets[0].getsockname()[1]
        yield
        server.close()

    app = FastAPI(title="Messages simulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_gateway(app, inbox, faults, api_key)
    _add_pages(app, inbox)
    _add_doors(app, faults)
    return app


def _add_gateway(app: FastAPI, inbox: Inbox, faults: Faults, api_key: str) -> None:
    @app.post("/messages", status_code=202)
    async def take(request: Request) -> Response:
        body, key = await request.body(), request.headers.get("Idempotency-Key", "")
        if not _is_signed(body, request.headers.get("Sms-Signature", ""), api_key):
            raise HTTPException(401, "the signature is not ours")
        if not key:
            raise HTTPException(400, "an Idempotency-Key is required")
        try:
            sms = Sms.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, "no SMS") from error
        fault = faults.take("sms", sms.to)
        kind = fault.kind if fault else ""
        if kind == "refuse_for_now":
            raise HTTPException(503, "out of order")
        if kind == "refuse_for_ever":
            raise HTTPException(422, "no such number")
        if fault and kind == "slow":
            await asyncio.sleep(fault.seconds)
        inbox.add_sms(key, sms.sender, sms.to, sms.text)
        if kind == "drop_after_taking":
            # What a proxy says whose server went away: nobody knows whether it was taken.
            raise HTTPException(502, "the answer was lost")
        return JSONResponse({"id": key}, 202)


def _is_signed(body: bytes, given: str, api_key: str) -> bool:
    parts = dict(part.partition("=")[::2] for part in given.split(","))
    at = parts.get("t", "")
    if not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > _SIGNATURE_AGE_SECONDS:
        return False
    wanted = hmac.new(api_key.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), parts.get("v1", "").encode())


def _add_pages(app: FastAPI, inbox: Inbox) -> None:
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/", response_class=HTMLResponse)
    async def page(to: str = "") -> str:
        return inbox_page(inbox.list(to))

    @app.get("/message/{number}", response_class=HTMLResponse)
    async def message(number: int) -> str:
        found = inbox.find(number)
        if found is None:
            raise HTTPException(404, "no such message")
        return message_page(found)

    @app.get("/inbox")
    async def arrivals(to: str = "", containing: str = "") -> dict[str, Any]:
        return {"messages": [asdict(one) for one in inbox.list(to, containing)]}

    @app.delete("/inbox")
    async def forget() -> dict[str, Any]:
        inbox.clear()
        return {}


def _add_doors(app: FastAPI, faults: Faults) -> None:
    @app.post("/_faults")
    async def order_fault(fault: Fault) -> dict[str, str]:
        faults.order(fault)
        return {"ordered": fault.kind}

    @app.delete("/_faults")
    async def heal() -> dict[str, str]:
        faults.clear()
        return {}
