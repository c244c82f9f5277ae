"""Who is at the console: the token that was pasted at login, in a cookie that no script can read.

Checked again on each page, with the same roles as the REST face. Keeps nothing on the server.
"""

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, cast
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from kit import telemetry
from kit.errors import OmsError, Unauthenticated
from kit.times import now
from services.gateway import access
from services.gateway.auth import Caller, TokenVerifier
from services.gateway.console import templates
from services.gateway.guard import ORDER_ID

COOKIE = "oms_console"
HOME = "/console"


class PageRoute(APIRoute):
    """A console page: asks for a login when there is none, and tells errors as a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The page's handler behind its guard."""
        allowed = {method: access.ACCESS[method, self.path] for method in self.methods or ()}
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            roles = allowed[request.method]
            request.state.caller = caller = await signed_in(request)
            if roles is not access.PUBLIC and caller is None:
                return RedirectResponse(f"{HOME}?next={quote(request.url.path)}", 303)
            order_id = request.path_params.get("order_id", "")
            try:
                if roles is not access.PUBLIC and caller is not None:
                    access.check_role(caller, roles)
                with telemetry.about_order(order_id) if ORDER_ID.fullmatch(order_id) else nullcontext():
                    return await handle(request)
            except OmsError as error:
                return templates.page(request, "error.html", error.http_status, error=error)
            except RequestValidationError:
                return templates.page(request, "error.html", 422, error=None)

        return guarded


async def signed_in(request: Request) -> Caller | None:
    """The caller of the cookie; None when there is none, or it does not hold any more."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    verifier: TokenVerifier = request.app.state.verifier
    try:
        return await verifier.verify(token)
    except OmsError:
        return None


async def sign_in(request: Request, token: str) -> Caller:
    """Raises Unauthenticated when the token does not hold."""
    check_same_site(request)
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token)


def check_same_site(request: Request) -> None:
    """Raises Unauthenticated / CROSS_SITE for a form that another site sent."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Unauthenticated("CROSS_SITE", "this is done from the console itself")


def keep(request: Request, response: Response, token: str, caller: Caller) -> None:
    """Puts the token in the cookie, for as long as it is valid."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=max(0, caller.expires_at - int(now().timestamp())),
        path=HOME,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def forget(response: Response) -> None:
    """Removes the cookie."""
    response.delete_cookie(COOKIE, path=HOME, httponly=True, samesite="strict")


def caller_of(request: Request) -> Caller:
    """Who is at the console, on a page that needs a login."""
    return cast(Caller, request.state.caller)
