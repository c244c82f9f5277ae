"""Sends what is due: claims in one transaction, calls outside of any, writes the outcome in another.

A process that dies between claim and outcome leaves a claim that runs out; the delivery is then made again.
"""

import asyncio
import logging
from datetime import datetime, timedelta

import httpx
from opentelemetry import metrics
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import failpoints, times
from kit.feed import Bell
from kit.values.ids import new_id
from services.relay import domain, store
from services.relay.domain import Outcome
from services.relay.envelope import headers_of
from services.relay.store import Claim

TIMEOUT_SECONDS = 10.0
# Longer than any attempt takes, its outcome included.
_CLAIM_FOR = timedelta(seconds=TIMEOUT_SECONDS + 5)
_PARALLEL = 32
# One slow endpoint must not take every place.
_PARALLEL_PER_ENDPOINT = 8
_LOOK_AGAIN_SECONDS = 1.0
_KEPT = timedelta(days=30)
_FORGET_AT_ONCE = 5000
_log = logging.getLogger(__name__)
_attempts = metrics.get_meter("oms.relay").create_counter(
    "oms.relay.delivery.attempts", description="Attempts to deliver, by outcome"
)


def client() -> httpx.AsyncClient:
    """The client for endpoints: a redirect is a failure, because it would carry a signed event elsewhere."""
    return httpx.AsyncClient(
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        headers={"user-agent": "oms-relay"},
        limits=httpx.Limits(max_connections=_PARALLEL, max_keepalive_connections=_PARALLEL),
    )


class Deliverer:
    """Delivers the heads of the lines as they fall due. Replicas share the work through claims."""

    def __init__(self, engine: AsyncEngine, http: httpx.AsyncClient, bell: Bell) -> None:
        self._engine = engine
        self._http = http
        self._bell = bell

    async def run(self) -> None:
        """Delivers for ever."""
        in_the_air: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(in_the_air) >= _PARALLEL:
                    await asyncio.wait(in_the_air, return_when=asyncio.FIRST_COMPLETED)
                for claimed in await self._wait_for_due(_PARALLEL - len(in_the_air)):
                    task = asyncio.create_task(self._deliver(claimed, times.now()))
                    in_the_air.add(task)
                    task.add_done_callback(in_the_air.discard)
        finally:
            for task in in_the_air:
                task.cancel()

    async def deliver_due(self, as_of: datetime) -> int:
        """Attempts the heads that are due at `as_of`, once; returns how many it attempted."""
        claims = await self._claim(as_of, _PARALLEL)
        await asyncio.gather(*(self._deliver(claimed, as_of) for claimed in claims))
        return len(claims)

    async def forget_old(self, as_of: datetime) -> int:
        """Removes settled deliveries older than 30 days from the log; returns how many."""
        async with self._engine.begin() as tx:
            return await store.forget(tx, as_of - _KEPT, _FORGET_AT_ONCE)

    async def _wait_for_due(self, limit: int) -> list[Claim]:
        async def claim() -> list[Claim]:
            return await self._claim(times.now(), limit)

        try:
            return list(await self._bell.wait_for(claim, _LOOK_AGAIN_SECONDS)) if limit > 0 else []
        except Exception as error:
            _log.warning("deliveries interrupted: %s", type(error).__name__)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            return []

    async def _claim(self, as_of: datetime, limit: int) -> list[Claim]:
        with failpoints.acting("claim"):
            async with self._engine.begin() as tx:
                return await store.claim_due(
                    tx, new_id("clm"), as_of, as_of + _CLAIM_FOR, limit, _PARALLEL_PER_ENDPOINT
                )

    async def _deliver(self, claimed: Claim, as_of: datetime) -> None:
        started = asyncio.get_running_loop().time()
        outcome = await self._attempt(claimed, as_of)
        at = as_of + timedelta(seconds=asyncio.get_running_loop().time() - started)
        try:
            with failpoints.acting("deliver"):
                await self._record(claimed, outcome, at)
        except Exception as error:
            # The claim runs out and the delivery is made again.
            _log.warning("outcome of %s not recorded: %s", claimed.delivery_id, type(error).__name__)
        self._bell.ring()

    async def _attempt(self, claimed: Claim, at: datetime) -> Outcome:
        headers = headers_of(claimed.secret, claimed.event_id, claimed.body, at)
        try:
            # The answer's body is not read: it may be endless.
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._http.stream("POST", claimed.url, content=claimed.body, headers=headers) as response,
            ):
                status_code = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return Outcome(0, type(error).__name__)
        return Outcome(status_code, "" if 200 <= status_code < 300 else f"HTTP {status_code}")

    async def _record(self, claimed: Claim, outcome: Outcome, at: datetime) -> None:
        again_at = domain.next_attempt(claimed.tries + 1, at)
        async with self._engine.begin() as tx:
            if outcome.succeeded:
                await store.settle(tx, claimed, "delivered", outcome.status_code, "", at)
            elif outcome.endpoint_gone:
                await store.disable_endpoint(tx, claimed.endpoint_id, "the endpoint is gone")
                await store.settle(tx, claimed, "failed", outcome.status_code, outcome.error, at)
            elif again_at is None:
                await store.settle(tx, claimed, "failed", outcome.status_code, outcome.error, at)
            else:
                await store.postpone(tx, claimed, outcome.status_code, outcome.error, again_at)
        _attempts.add(1, {"outcome": "delivered" if outcome.succeeded else "failed"})
        if not outcome.succeeded:
            _log.info("%s to %s: %s", claimed.event_id, claimed.endpoint_id, outcome.error)
