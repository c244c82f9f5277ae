"""The published description of the REST face: what the code says, and every problem."""

import asyncio
import threading
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from services.gateway import access
from services.gateway.auth import Role
from services.gateway.problems import MEDIA_TYPE, Problem

_PROBLEMS = {
    "400": "The body cannot be read",
    "401": "No token, or one that is not valid here",
    "403": "The token's role or scope does not allow it",
    "404": "It does not exist, or not for this caller",
    "409": "The state of things forbids it, or the key was used with other content",
    "413": "The body is too large",
    "422": "The request breaks a rule; `errors` names the fields",
    "429": "Asked more often than is allowed; ask again later",
    "500": "A defect; it was logged",
    "503": "A part of the system is away; ask again",
    "504": "The answer did not come in time; ask again with the same key",
}
_ONLY_WITH_BODY = ("400", "409", "413")
_EXAMPLES = {
    "401": ("TOKEN_MISSING", "send a bearer token in the header Authorization"),
    "403": ("ROLE_NOT_ALLOWED", "this needs one of the roles: channel, customer_service"),
    "404": ("ORDER_NOT_FOUND", "no such order"),
    "409": ("STOCK_UNAVAILABLE", "not enough stock for these lines"),
    "422": ("TOTAL_MISMATCH", "the lines come to 54.80 EUR, the total says 54.00 EUR"),
}
_DESCRIPTION = """Orders of omnichannel retailers, from the channel to the customer's door.

Amounts are integers in the minor unit of their currency; instants are ISO 8601 with an offset. Lists come in
pages: pass `next_cursor` as `cursor`. Errors are `application/problem+json` (RFC 9457) with a `reason` for
programs; a 422 names each field in `errors`. A POST that changes something may be repeated safely with the same
`Idempotency-Key`."""


def install(app: FastAPI) -> None:
    """Replaces the app's description by ours, made at its first reading: seconds, in which others are served."""
    making = threading.Lock()

    def describe() -> dict[str, Any]:
        with making:
            if app.openapi_schema is None:
                app.openapi_schema = _describe(app)
        return app.openapi_schema

    async def publish(request: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(describe))

    app.openapi = describe  # type: ignore[method-assign]
    address = app.openapi_url
    assert address, "it is published"
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", "") != address]
    app.add_route(address, publish, include_in_schema=False)


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes, tags=app.openapi_tags
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), access.ACCESS[method.upper(), path])
    return document


def _complete(operation: dict[str, Any], method: str, roles: frozenset[Role]) -> None:
    responses = operation["responses"]
    for status, meaning in _PROBLEMS.items():
        if method == "GET" and status in _ONLY_WITH_BODY:
            continue
        responses[status] = {"description": meaning, "content": {MEDIA_TYPE: _content(status)}}
    if roles:
        operation["security"] = [{"bearer": []}]
        allowed = f"Roles: {', '.join(sorted(roles))}."
        operation["description"] = f"{operation.get('description', '')}\n\n{allowed}".strip()


def _content(status: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status in _EXAMPLES:
        reason, detail = _EXAMPLES[status]
        content["example"] = {
            "type": f"urn:oms:problem:{reason.lower().replace('_', '-')}",
            "title": reason.replace("_", " ").capitalize(),
            "status": int(status),
            "detail": detail,
            "reason": reason,
        }
    return content
