"""How an error is told outside: application/problem+json (RFC 9457). Never repeats what the caller sent.

Owns the shape of every answer that is not a success. Logs neither values nor messages that may hold one.
"""

import json
import logging
import traceback
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import DeadlineExceeded, Internal, OmsError, Unauthenticated, Unavailable
from services.gateway.schemas.base import MoneyView
from services.gateway.schemas.booking import SlotView

MEDIA_TYPE = "application/problem+json"
_MAX_FIELD_CHARACTERS = 200
_MAX_ERRORS = 50
# How messages of the services name what the REST body has at its top.
_WIRE_PREFIXES = ("content.", "page.", "delta.", "life_cycle.")
# Most outages pass by themselves and soon; this one waits for a person.
_RETRY_AFTER_SECONDS = {"STORAGE_FULL": 30}
_log = logging.getLogger(__name__)


class FieldError(BaseModel):
    """One thing that is wrong, and where: a path such as `lines[0].quantity`."""

    field: str
    rule: str = Field(description="The rule that is broken, for programs.", examples=["greater_than_equal"])
    detail: str | None = Field(None, description="The same for people.")


class RefusedLineView(BaseModel):
    """A line that could not be had, and how much of it could."""

    model_config = ConfigDict(extra="ignore")

    line_number: int
    sku: str
    requested: int
    available: int
    reason: str


class PromiseOption(BaseModel):
    """A delivery that can be had now instead of the one that was quoted."""

    mode: str
    window_start: str
    window_end: str
    price: MoneyView
    parcels: int
    point_id: str = Field("", description="The store at which it is collected; empty when it is brought")


class Problem(BaseModel):
    """What went wrong (RFC 9457): `reason` for programs, `detail` for people. What does not apply is absent."""

    type: str = Field(examples=["urn:oms:problem:stock-unavailable"])
    title: str = Field(examples=["Stock unavailable"])
    status: int = Field(examples=[409])
    detail: str
    reason: str = Field(examples=["STOCK_UNAVAILABLE"])
    errors: list[FieldError] | None = Field(None, description="The fields that are wrong.")
    facts: dict[str, str] | None = Field(None, description="More about the reason, by name.")
    order_id: str | None = None
    lines: list[RefusedLineView] | None = Field(None, description="The lines that cannot be had, and why.")
    options: list[PromiseOption] | None = Field(None, description="Deliveries that can be had instead.")
    alternatives: list[SlotView] | None = Field(None, description="The nearest slots that can be had instead.")
    decline_code: str | None = Field(None, description="The payment provider's code.")


def problem(
    status: int, reason: str, detail: str, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """A problem as an answer. `members` are those of Problem."""
    body = Problem(
        type=f"urn:oms:problem:{reason.lower().replace('_', '-')}",
        title=reason.replace("_", " ").capitalize(),
        status=status,
        detail=_safe(detail, 1_000),
        reason=reason,
        **members,
    )
    content = body.model_dump(mode="json", exclude_none=True)
    return Response(json.dumps(content).encode(), status, headers, MEDIA_TYPE)


def of_error(error: OmsError) -> Response:
    """The answer to an error of the domain."""
    facts = {name: _safe(str(value)) for name, value in error.facts.items() if name not in ("field", "order_id")}
    field, order_id = error.facts.get("field"), error.facts.get("order_id")
    return problem(
        error.http_status,
        error.reason,
        error.detail,
        _headers(error),
        errors=[FieldError(field=_outside(str(field)), rule=error.reason, detail=error.detail)] if field else None,
        facts=facts or None,
        order_id=str(order_id) if order_id else None,
    )


def install(app: FastAPI) -> None:
    """Every error of the app is answered as a problem."""

    @app.exception_handler(OmsError)
    async def domain(_request: Request, error: OmsError) -> Response:
        if isinstance(error, Internal | Unavailable | DeadlineExceeded):
            _log.warning("answered %s %s", type(error).__name__, error.reason)
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return of_validation(error.errors())

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        return _of_http(error)


def of_validation(errors: Sequence[Any]) -> Response:
    """The answer to a request that breaks the schema: each field that is wrong, and the rule."""
    found = [FieldError(field=_path(one["loc"]), rule=one["type"], detail=_safe(one["msg"])) for one in errors]
    first = found[0]
    if first.field == "Idempotency-Key" and first.rule == "missing":
        reason, detail = "IDEMPOTENCY_KEY_REQUIRED", "the header Idempotency-Key is required"
    elif len(found) == 1 and first.rule.isupper():
        reason, detail = first.rule, first.detail or first.rule
    else:
        reason, detail = (
            "INVALID_REQUEST",
            "the request breaks the schema: " + ", ".join(one.field for one in found[:5]),
        )
    return problem(422, reason, detail, errors=found[:_MAX_ERRORS])


def _of_http(error: HTTPException) -> Response:
    if error.status_code == 400:
        malformed = FieldError(field="body", rule="malformed")
        return problem(400, "MALFORMED_BODY", "the body cannot be read as JSON", errors=[malformed])
    phrase = HTTPStatus(error.status_code).phrase
    reason = {404: "NO_SUCH_ENDPOINT"}.get(error.status_code, phrase.upper().replace(" ", "_"))
    return problem(error.status_code, reason, phrase, dict(error.headers or {}))


def _headers(error: OmsError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="oms"'}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(_RETRY_AFTER_SECONDS.get(error.reason, 1))}
    return {}


def _path(location: Sequence[str | int]) -> str:
    """("body", "lines", 0, "sku") as `lines[0].sku`; the place itself ("body") when nothing is inside it."""
    where, *inside = location
    path = ""
    for part in inside:
        # A syntax error is located by its offset in the text.
        if isinstance(part, int):
            path += f"[{part}]" if path else ""
        else:
            path += f".{part}" if path else part
    if where == "header":
        path = path.title()
    return _safe(path or str(where))


def _outside(field: str) -> str:
    """A field as the REST body names it."""
    for prefix in _WIRE_PREFIXES:
        field = field.removeprefix(prefix)
    return _safe(field)


def _safe(text: str, characters: int = _MAX_FIELD_CHARACTERS) -> str:
    # Names of unknown fields come from the caller: any length, and perhaps half a surrogate pair.
    return text[:characters].encode("utf-8", "replace").decode()


class AnswerDefects:
    """Outermost: a defect is answered 500, and logged by its class and place, without values."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            # The message of an exception may quote what a customer sent; its place may not.
            place = "".join(traceback.format_tb(error.__traceback__)[-8:])
            _log.error("defect: %s at\n%s", type(error).__name__, place)
            if started or scope["type"] != "http":
                raise
            answer = problem(500, "INTERNAL", "an internal error; it was logged")
            await answer(scope, receive, send)


class LimitBody:
    """Bodies above the limit are answered 413 before anything reads them.

    Those of the endpoints in `streamed`, (method, path), are left alone: they are never held, and have a limit of
    their own.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, streamed: frozenset[tuple[str, str]] = frozenset()) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) in self._streamed:
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        body = None if not length.isdigit() or int(length) > self._limit_bytes else await self._read(receive)
        if body is None:
            detail = f"the body is larger than {self._limit_bytes} bytes"
            too_large = problem(413, "BODY_TOO_LARGE", detail, errors=[FieldError(field="body", rule="too_large")])
            await too_large(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit_bytes:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
