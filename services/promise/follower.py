"""Follows inventory's WatchStock into the replica, for ever: reconnects, resumes, starts over when it must."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import grpc

from kit import times
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from services.promise.feed_translate import to_change
from services.promise.replica import StockReplica

_log = logging.getLogger(__name__)


# A restored database: what is known cannot be continued, only replaced.
_WENT_BACK = "numbers went back"


class StockFollower:
    """The one writer of the replica."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        replica: StockReplica,
        *,
        now: Callable[[], datetime] = times.now,
        silence_seconds: float = 10.0,
        backoff_seconds: tuple[float, float] = (0.1, 1.0),
    ) -> None:
        """A stream without a message for `silence_seconds` is taken for dead; it has a heartbeat each second."""
        self._stub = InventoryServiceStub(channel)
        self._replica = replica
        self._now = now
        self._silence_seconds = silence_seconds
        self._backoff_seconds = backoff_seconds

    async def run(self) -> None:
        """Never returns."""
        least, most = self._backoff_seconds
        pause, after = least, 0
        while True:
            before = self._replica.resume_after
            try:
                reason = await self._follow(after)
            finally:
                self._replica.lost()
            _log.warning("stock feed lost after %s: %s", self._replica.resume_after, reason)
            after = 0 if reason == _WENT_BACK else self._replica.resume_after
            pause = least if self._replica.resume_after != before else min(pause * 2, most)
            await asyncio.sleep(pause)

    async def _follow(self, after: int) -> str:
        """One stream, to its end; why it ended."""
        call = self._stub.WatchStock(pb.WatchStockRequest(after_sequence=after))
        is_open = False
        try:
            while True:
                async with asyncio.timeout(self._silence_seconds):
                    message = await call.read()
                if not isinstance(message, pb.WatchStockResponse):
                    return "ended"
                if not is_open:
                    self._replica.opened()
                    is_open = True
                if not message.snapshot and message.sequence < self._replica.resume_after:
                    return _WENT_BACK
                self._replica.take(to_change(message), self._now())
        except TimeoutError:
            return "silent"
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        except Exception as error:
            # A message that cannot be read must not end the process: the snapshot may be sound.
            _log.exception("stock feed: message refused")
            return f"{type(error).__name__}"
        finally:
            call.cancel()
