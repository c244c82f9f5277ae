"""Whether the process lives, and whether the system works."""

from fastapi import Request, Response
from pydantic import BaseModel

from services.gateway.problems import problem
from services.gateway.readiness import Readiness
from services.gateway.routes.common import router

health_router = router("health", prefix="")


class Alive(BaseModel):
    """Always `ok`."""

    status: str = "ok"


@health_router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process lives."""
    return Alive()


@health_router.get("/readyz", response_model=Alive)
async def readyz(request: Request) -> Alive | Response:
    """Say whether an order placed now would be worked on: services serve and workers poll."""
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.missing()
    if not missing:
        return Alive()
    return problem(
        503,
        "NOT_READY",
        f"not ready: {', '.join(missing)}",
        {"Retry-After": "1"},
        facts=dict.fromkeys(missing, "not serving"),
    )
