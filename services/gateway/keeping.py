"""What the gateway keeps in memory between requests: made when it is first asked for."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastapi import Request

from services.gateway.clients import Clients

Kept = TypeVar("Kept")


def kept(request: Request, clients: Clients, kind: Callable[[Clients], Kept]) -> Kept:
    """The gateway's own of a kind: one for each set of clients, since a test brings others."""
    known: dict[Any, tuple[Clients, Any]] = request.app.state.kept
    if kind not in known or known[kind][0] is not clients:
        known[kind] = (clients, kind(clients))
    return cast(Kept, known[kind][1])
