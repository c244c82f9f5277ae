"""Asks for a token before anything else of a request is read, and marks the request with its order.

The only place where routes meet rights: a route that `access` does not name cannot be made.
"""

import re
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from kit import telemetry
from kit.errors import Unauthenticated
from services.gateway import access
from services.gateway.auth import Caller, TokenVerifier
from services.gateway.clients import Clients

ORDER_ID = re.compile(r"ord_[0-9a-f]{32}")


class GuardedRoute(APIRoute):
    """A route whose caller is known and allowed before its body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler behind its guard."""
        allowed = {method: access.ACCESS[method, self.path] for method in self.methods or ()}
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            roles = allowed[request.method]
            if roles is not access.PUBLIC:
                caller = await _authenticate(request)
                access.check_role(caller, roles)
                request.state.caller = caller
            order_id = request.path_params.get("order_id", "")
            with telemetry.about_order(order_id) if ORDER_ID.fullmatch(order_id) else nullcontext():
                return await handle(request)

        return guarded


async def _authenticate(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("TOKEN_MISSING", "send a bearer token in the header Authorization")
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token.strip())


# Not plain functions: each of those would be run in a thread of its own.
async def _caller(request: Request) -> Caller:
    return cast(Caller, request.state.caller)


async def _clients(request: Request) -> Clients:
    return cast(Clients, request.app.state.clients)


CallerIs = Annotated[Caller, Depends(_caller)]
ClientsAre = Annotated[Clients, Depends(_clients)]
