"""The simulator over HTTP: the provider's API, the customer's page, and the doors for tests (`/_...`)."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from simulators.payment_provider import forms, pages
from simulators.payment_provider.books import NO_END, Body, Books
from simulators.payment_provider.errors import ProviderError, broken, declined, invalid
from simulators.payment_provider.faults import Fault, Faults, Operation
from simulators.payment_provider.intents import Intents, public
from simulators.payment_provider.webhooks import Webhooks

# A request that is never answered is let go after this; clients give up long before.
_SILENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Config:
    """What the process is told. An empty `events_url` sends no events."""

    state_file: str
    api_key: str
    webhook_secret: str
    events_url: str = ""


def create_app(config: Config) -> FastAPI:
    """The simulator on its state file."""
    books = Books(config.state_file)
    webhooks = Webhooks(books, config.events_url, config.webhook_secret)
    desk = _Desk(config.api_key, books, webhooks)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sending = asyncio.create_task(webhooks.run())
        yield
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        books.close()

    app = FastAPI(title="Payment provider simulator", lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.exception_handler(ProviderError)
    async def refuse(_request: Request, error: ProviderError) -> JSONResponse:
        return JSONResponse(error.body, error.status)

    _add_api(app, desk)
    _add_customer_pages(app, desk)
    _add_test_doors(app, desk)
    return app


class _Desk:
    """What every call goes through: the key, ordered faults, idempotency, one transaction."""

    def __init__(self, api_key: str, books: Books, webhooks: Webhooks) -> None:
        self._api_key = api_key
        self.books = books
        self.webhooks = webhooks
        self.intents = Intents(books)
        self.faults = Faults()
        self._in_progress: set[str] = set()

    async def change(
        self, request: Request, operation: Operation, act: Callable[[Body], Body], intent_id: str = ""
    ) -> Response:
        """A POST: the same idempotency key and content give the same answer; other content is an error."""
        self._authenticate(request)
        params = await _form(request)
        fault = self.faults.take(operation, self._order_of(intent_id, params))
        if fault == "down":
            raise broken(503)
        if fault == "timeout_before":
            return await _never_answer(request)
        key = request.headers.get("Idempotency-Key", "")
        fingerprint = hashlib.sha256(json.dumps([request.url.path, params], sort_keys=True).encode()).hexdigest()
        if key in self._in_progress:
            raise ProviderError(
                409,
                "invalid_request_error",
                "Another request with this Idempotency-Key is in progress.",
                code="idempotency_key_in_use",
            )
        known = self.books.answer(key) if key else None
        if known is not None:
            status, body = self._replay(known, fingerprint)
        else:
            status, body = self._execute(operation, act, params, intent_id, fault, key, fingerprint)
            self.webhooks.ring()
        if fault == "timeout_after_success":
            return await _never_answer(request)
        headers = {"Idempotent-Replayed": "true"} if known is not None else {}
        return JSONResponse(body, status, headers)

    async def read(
        self, request: Request, look: Callable[[Body], Body | list[Body]], intent_id: str = ""
    ) -> Response:
        """A GET."""
        self._authenticate(request)
        query = forms.decode(request.query_params.multi_items())
        fault = self.faults.take("retrieve", self._order_of(intent_id, {}))
        if fault in ("timeout_before", "timeout_after_success"):
            return await _never_answer(request)
        if fault == "down":
            raise broken(503)
        if fault:
            raise broken()
        with self.books.transaction():
            found = look(query)
        if isinstance(found, list):
            page = _page(found, query, request.url.path)
            return JSONResponse(page | {"data": [self.shown(row, query) for row in page["data"]]})
        return JSONResponse(self.shown(found, query))

    def shown(self, thing: Body, params: Body) -> Body:
        """As a client sees it, with the charge inside if it asks so."""
        shown = public(thing)
        wants = forms.values(params.get("expand"))
        if thing["object"] == "payment_intent" and ("latest_charge" in wants or "data.latest_charge" in wants):
            shown["latest_charge"] = self.intents.charge(thing)
        return shown

    def _execute(
        self,
        operation: Operation,
        act: Callable[[Body], Body],
        params: Body,
        intent_id: str,
        fault: str,
        key: str,
        fingerprint: str,
    ) -> tuple[int, Body]:
        with self.books.transaction():
            try:
                if fault == "error_500":
                    raise broken(saved=True)
                if fault == "decline":
                    params = self._make_decline(operation, params, intent_id)
                status, body = 200, self.shown(act(params), params)
                if fault == "error_500_after_success":
                    status, body = 500, broken().body
            except ProviderError as error:
                if not error.saved:
                    raise
                status, body = error.status, _public_error(error.body)
            if key:
                self.books.remember(key, fingerprint, status, body)
        return status, body

    def _make_decline(self, operation: Operation, params: Body, intent_id: str) -> Body:
        if operation in ("create", "confirm"):
            return {**params, "payment_method": "pm_card_visa_chargeDeclined"}
        if operation == "capture":
            raise declined("card_declined", "generic_decline", self.intents.find(intent_id))
        raise invalid(f"The {operation} was refused.", code=f"{operation}_refused")

    def _replay(self, known: tuple[str, int, Body], fingerprint: str) -> tuple[int, Body]:
        if known[0] != fingerprint:
            raise ProviderError(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the parameters they were first used with.",
            )
        return known[1], known[2]

    def _order_of(self, intent_id: str, params: Body) -> str:
        intent = self.books.intent(intent_id or str(params.get("payment_intent", "")))
        metadata = intent["metadata"] if intent else forms.text_map(params.get("metadata"))
        return str(metadata.get("order_id", ""))

    def _authenticate(self, request: Request) -> None:
        if request.headers.get("Authorization", "") != f"Bearer {self._api_key}":
            raise ProviderError(401, "invalid_request_error", "Invalid API Key provided.")


def _add_api(app: FastAPI, desk: _Desk) -> None:
    @app.post("/v1/payment_intents")
    async def create(request: Request) -> Response:
        base = str(request.base_url)
        return await desk.change(request, "create", lambda params: desk.intents.create(params, base))

    @app.get("/v1/payment_intents")
    async def list_intents(request: Request) -> Response:
        return await desk.read(request, lambda query: desk.books.intents(*_created(query)))

    @app.get("/v1/payment_intents/{intent_id}")
    async def retrieve(request: Request, intent_id: str) -> Response:
        return await desk.read(request, lambda _query: desk.intents.find(intent_id), intent_id)

    @app.post("/v1/payment_intents/{intent_id}/confirm")
    async def confirm(request: Request, intent_id: str) -> Response:
        base = str(request.base_url)
        return await desk.change(
            request, "confirm", lambda params: desk.intents.confirm(intent_id, params, base), intent_id
        )

    @app.post("/v1/payment_intents/{intent_id}/capture")
    async def capture(request: Request, intent_id: str) -> Response:
        return await desk.change(
            request, "capture", lambda params: desk.intents.capture(intent_id, params), intent_id
        )

    @app.post("/v1/payment_intents/{intent_id}/cancel")
    async def cancel(request: Request, intent_id: str) -> Response:
        return await desk.change(
            request,
            "cancel",
            lambda params: desk.intents.cancel(intent_id, params.get("cancellation_reason")),
            intent_id,
        )

    @app.post("/v1/refunds")
    async def refund(request: Request) -> Response:
        return await desk.change(request, "refund", desk.intents.refund)

    @app.get("/v1/refunds")
    async def list_refunds(request: Request) -> Response:
        return await desk.read(request, lambda query: desk.books.refunds(str(query.get("payment_intent", ""))))


def _add_customer_pages(app: FastAPI, desk: _Desk) -> None:
    @app.get("/3ds/{intent_id}")
    async def ask(intent_id: str) -> HTMLResponse:
        intent = desk.intents.find(intent_id)
        waiting = intent["status"] == "requires_action"
        return HTMLResponse(pages.ask(intent) if waiting else pages.done(intent))

    @app.post("/3ds/{intent_id}/{choice}")
    async def act(intent_id: str, choice: str) -> Response:
        if choice not in ("approve", "refuse"):
            raise invalid("approve or refuse", param="choice")
        with desk.books.transaction():
            intent = desk.intents.authenticate(intent_id, choice == "approve")
        desk.webhooks.ring()
        if back := intent.get("return_url"):
            return RedirectResponse(f"{back}{'&' if '?' in back else '?'}payment_intent={intent_id}", 303)
        return HTMLResponse(pages.done(intent))


def _add_test_doors(app: FastAPI, desk: _Desk) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/_faults", status_code=201)
    async def order_fault(fault: Fault) -> Fault:
        desk.faults.order(fault)
        return fault

    @app.delete("/_faults", status_code=204)
    async def clear_faults() -> None:
        desk.faults.clear()

    @app.get("/_books")
    async def show_books() -> dict[str, Any]:
        return {"intents": [_sums(desk, intent) for intent in desk.books.intents()]}

    @app.get("/_events")
    async def show_events() -> dict[str, Any]:
        return {"events": desk.books.events()}


def _sums(desk: _Desk, intent: Body) -> Body:
    return {
        "id": intent["id"],
        "order_id": intent["metadata"].get("order_id", ""),
        "currency": intent["currency"],
        "status": intent["status"],
        "amount": intent["amount"],
        "authorised": intent.get("authorised", 0),
        "captured": intent["amount_received"],
        "capturable": intent["amount_capturable"],
        "refunded": desk.intents.refunded(intent["id"]),
    }


async def _form(request: Request) -> Body:
    try:
        return forms.decode(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    except ValueError as error:
        raise invalid(f"Malformed body: {error}") from error


async def _never_answer(request: Request) -> Response:
    for _ in range(_SILENCE_SECONDS * 20):
        if await request.is_disconnected():
            break
        await asyncio.sleep(0.05)
    return Response(status_code=504)


def _page(rows: list[Body], query: Body, url: str) -> Body:
    limit = min(int(query.get("limit", "10")), 100)
    if after := query.get("starting_after"):
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(after) + 1 :] if after in ids else []
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": rows[:limit]}


def _created(query: Body) -> tuple[int, int]:
    created = query.get("created")
    asked = created if isinstance(created, dict) else {}
    return int(asked.get("gte", "0")), int(asked.get("lte", str(NO_END)))


def _public_error(body: Body) -> Body:
    error = dict(body["error"])
    if intent := error.get("payment_intent"):
        error["payment_intent"] = public(intent)
    return {"error": error}
