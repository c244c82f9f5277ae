"""Tells open pages that the work of their point changed. However many there are, orders is asked once a second.

One task asks, while anybody looks. What is told is a mark: a page whose own mark differs fetches itself again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kit.errors import OmsError
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.clients import Clients

POLL_SECONDS = 1.0
_POINTS_AT_ONCE = 500


class WorkBell:
    """The marks of the points that somebody looks at. Made and used inside one event loop."""

    def __init__(self, clients: Clients, poll_seconds: float = POLL_SECONDS) -> None:
        self._clients = clients
        self._poll_seconds = poll_seconds
        self._looking: Counter[str] = Counter()
        self._marks: dict[str, str] = {}
        self._asked = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    @contextmanager
    def looking_at(self, point_id: str) -> Iterator[None]:
        """While somebody does, its mark is kept."""
        self._looking[point_id] += 1
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            self._looking[point_id] -= 1
            if not self._looking[point_id]:
                del self._looking[point_id]
                self._marks.pop(point_id, None)
            if not self._looking and self._asking is not None:
                self._asking.cancel()
                self._asking = None

    async def changed(self, point_id: str, told: str | None, seconds: float) -> str | None:
        """The mark of a point that is looked at, once it is another one; None when it stays for so long."""
        try:
            async with asyncio.timeout(seconds):
                while (mark := self._marks.get(point_id, told)) == told:
                    await self._asked.wait()
                return mark
        except TimeoutError:
            return None

    async def _ask(self) -> None:
        while True:
            points = sorted(self._looking)
            for first in range(0, len(points), _POINTS_AT_ONCE):
                self._marks |= await marks_of(self._clients, points[first : first + _POINTS_AT_ONCE])
            asked, self._asked = self._asked, asyncio.Event()
            asked.set()
            await asyncio.sleep(self._poll_seconds)


async def marks_of(clients: Clients, point_ids: Sequence[str]) -> dict[str, str]:
    """What the work of these points looks like now; nothing while orders is away: what was known then holds."""
    request = orders.ListWorkMarksRequest(point_ids=point_ids)
    try:
        return dict((await clients.read(clients.orders.ListWorkMarks, request)).marks)
    except OmsError:
        return {}
