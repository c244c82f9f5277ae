"""Sends the provider's events, signed, in order, until the receiver takes them."""

import asyncio
import hashlib
import hmac
import json
import logging
import time

import httpx

from simulators.payment_provider.books import Body, Books

_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 15.0


def sign(payload: str, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header: HMAC-SHA256 over `timestamp.payload`."""
    digest = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Webhooks:
    """The delivery of events. Without an address nothing is sent and the events stay in the books."""

    def __init__(self, books: Books, url: str, secret: str) -> None:
        self._books = books
        self._url = url
        self._secret = secret
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """There is something to send."""
        self._bell.set()

    async def run(self) -> None:
        """Sends for as long as the process lives; what was not delivered is sent after a restart."""
        if not self._url:
            return
        wait_seconds = _FIRST_WAIT_SECONDS
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                self._bell.clear()
                waiting = self._books.waiting_events()
                if not waiting:
                    await self._bell.wait()
                    continue
                if await self._deliver(client, waiting):
                    wait_seconds = _FIRST_WAIT_SECONDS
                else:
                    await asyncio.sleep(wait_seconds)
                    wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)

    async def _deliver(self, client: httpx.AsyncClient, waiting: list[tuple[int, Body]]) -> bool:
        for number, event in waiting:
            payload = json.dumps(event)
            headers = {
                "Content-Type": "application/json",
                "Stripe-Signature": sign(payload, self._secret, int(time.time())),
            }
            try:
                response = await client.post(self._url, content=payload, headers=headers)
            except httpx.HTTPError as error:
                _log.warning("event %s not delivered: %s", event["id"], type(error).__name__)
                return False
            if response.is_error:
                _log.warning("event %s refused with %s", event["id"], response.status_code)
                return False
            self._books.mark_delivered(number)
        return True
