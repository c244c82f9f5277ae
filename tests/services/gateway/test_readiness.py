"""What keeps the system from being ready, and how often it is looked at."""

import httpx
from fastapi import FastAPI
from grpc_health.v1 import health_pb2

from tests.services.gateway.fakes import Peers


async def test_a_process_lives_even_if_nothing_else_does(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_what_is_missing_is_named(http: httpx.AsyncClient, peers: Peers, app: FastAPI) -> None:
    now = 0.0
    app.state.readiness._clock = lambda: now
    for _ in range(10):
        answer = await http.get("/readyz")
        if len(answer.json()["facts"]) == 1:
            break
        # On a busy machine a service that has just started may be asked for longer than it is waited for.
        app.state.readiness._looked_at = float("-inf")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["facts"] == {"worker": "not serving"}, "Temporal is away here"

    await peers.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    now = 0.9
    assert set((await http.get("/readyz")).json()["facts"]) == {"worker"}, "looked at once a second"
    now = 1.1
    missing = {"inventory", "promise", "orders", "payments", "relay", "booking", "handover", "worker"}
    assert set((await http.get("/readyz")).json()["facts"]) == missing
