"""Reads what orders tells: work that is offered at a point of a system begins a hand-over, other news wakes it."""

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import failpoints, times
from kit.errors import OmsError
from kit.feed import Bell
from oms.outbox.v1 import outbox_service_pb2 as pb
from services.handover import store
from services.handover.store import New

if TYPE_CHECKING:
    from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceAsyncStub

_SOURCE = "orders"
_LIMIT = 500
_WAIT_MILLISECONDS = 10_000
_PULL_TIMEOUT_SECONDS = _WAIT_MILLISECONDS / 1000 + 5
# Events that follow closely are read together: nobody outside waits for a tenth of a second.
_GATHER_SECONDS = 0.1
_AGAIN_SECONDS = 1.0
_PREFIX = "oms.orders.fulfilment."
_OFFERED = f"{_PREFIX}offered"
# What its system may have to be told, or what something that it said waits for.
_WAKING = frozenset(
    _PREFIX + what
    for what in ("cancelled", "lapsed", "refused", "short", "captured", "capture_overridden", "personalised")
)
_log = logging.getLogger(__name__)


class Follower:
    """The events of orders, each read once: replicas that read the same ones find that the cursor has moved."""

    def __init__(self, engine: AsyncEngine, orders: "OutboxServiceAsyncStub", bell: Bell) -> None:
        """Rings `bell` when there is something to look at."""
        self._engine = engine
        self._orders = orders
        self._bell = bell

    async def run(self) -> None:
        """Follows for ever; whatever goes wrong is logged and tried again."""
        while True:
            try:
                await self.step()
                await asyncio.sleep(_GATHER_SECONDS)
            except (OmsError, store.CursorMoved, SQLAlchemyError) as error:
                # The text of a database error may quote a row: the class, or our own reason, is enough.
                what = error.reason if isinstance(error, OmsError) else type(error).__name__
                _log.warning("following orders interrupted: %s", what)
                await asyncio.sleep(_AGAIN_SECONDS)
            except Exception:
                # A defect: kept in sight, and out of the way of what systems say.
                _log.exception("following orders failed")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def step(self, wait_milliseconds: int = _WAIT_MILLISECONDS) -> int:
        """Waits for events and takes them in; returns how many there were."""
        async with self._engine.connect() as connection:
            after = await store.read_cursor(connection, _SOURCE)
        request = pb.PullEventsRequest(after_sequence=after, limit=_LIMIT, wait_milliseconds=wait_milliseconds)
        events = (await self._orders.PullEvents(request, timeout=_PULL_TIMEOUT_SECONDS)).events
        if events:
            with failpoints.acting("follow"):
                await self._take(after, events, times.now())
        return len(events)

    async def _take(self, after: int, events: Sequence[pb.Event], now: datetime) -> None:
        offered = [json.loads(one.data_json) for one in events if one.type == _OFFERED]
        woken = [json.loads(one.data_json)["fulfilment_id"] for one in events if one.type in _WAKING]
        async with self._engine.begin() as tx:
            await store.advance_cursor(tx, _SOURCE, after, events[-1].sequence)
            if offered:
                systems = await store.list_systems(tx)
                owners = {point: one.system_id for one in systems if one.enabled for point in one.point_ids}
                new = [_new(one, owners[one["point_id"]]) for one in offered if one["point_id"] in owners]
                await store.add_handovers(tx, new, now)
            if woken:
                await store.wake(tx, woken, now)
        if offered or woken:
            self._bell.ring()


def _new(facts: dict[str, Any], system_id: str) -> New:
    return New(
        fulfilment_id=facts["fulfilment_id"],
        order_id=facts["order_id"],
        channel_id=facts["channel_id"],
        system_id=system_id,
        point_id=facts["point_id"],
        acknowledge_by=datetime.fromisoformat(facts["offer_deadline"]),
    )
