"""Sends the warehouse's messages, signed after Standard Webhooks, each until the receiver takes it."""

import asyncio
import json
import logging
import time
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from simulators.warehouse.books import Body, Books

_log = logging.getLogger(__name__)
_LOOK_AGAIN_SECONDS = 0.05
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 15.0


class Webhooks:
    """The delivery of messages. Without an address nothing is sent and they stay in the books."""

    def __init__(self, books: Books, url: str, secret: str) -> None:
        self._books = books
        self._url = url
        self._signer = Webhook(secret)
        self._client = httpx.AsyncClient(timeout=10)

    async def send_due(self) -> bool:
        """What is to be sent by now, once; whether there was anything."""
        waiting = self._books.sendings(time.time()) if self._url else []
        for number, attempts, message in waiting:
            if await self._post(message):
                self._books.taken(number)
            else:
                wait = min(_FIRST_WAIT_SECONDS * 2**attempts, _LONGEST_WAIT_SECONDS)
                self._books.postpone(number, time.time() + wait)
        return bool(waiting)

    async def run(self) -> None:
        """Sends for as long as the process lives; what was not taken is sent after a restart."""
        try:
            while True:
                if not await self.send_due():
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        finally:
            await self._client.aclose()

    async def _post(self, message: Body) -> bool:
        payload, now = json.dumps(message), datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message["message_id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message["message_id"], now, payload),
        }
        try:
            response = await self._client.post(self._url, content=payload, headers=headers)
        except httpx.HTTPError as error:
            _log.warning("message %s not delivered: %s", message["message_id"], type(error).__name__)
            return False
        if response.is_error:
            _log.warning("message %s refused with %s", message["message_id"], response.status_code)
        return response.is_success
