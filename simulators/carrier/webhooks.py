"""Posts the carriers' events, signed, each until the receiver takes it; one that is refused keeps no other."""

import asyncio
import hashlib
import hmac
import json
import logging
import time

import httpx

from simulators.carrier.books import Body, Books

_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 15.0
_IDLE_SECONDS = 60.0


def sign(payload: bytes, secret: str, timestamp: int) -> str:
    """The `Carrier-Signature` header: HMAC-SHA256 over `timestamp.payload`."""
    message = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


class Webhooks:
    """The posting of events. Without an address nothing is posted."""

    def __init__(self, books: Books, url: str, secret: str) -> None:
        self._books = books
        self._url = url
        self._secret = secret
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """There is something to post."""
        self._bell.set()

    async def run(self) -> None:
        """Posts for as long as the process lives; what was not taken is posted after a restart."""
        if not self._url:
            return
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                self._bell.clear()
                for number, carrier, event, tries in self._books.due_posts(time.time()):
                    if await self._post(client, carrier, event):
                        self._books.mark_posted(number)
                    else:
                        wait = min(_FIRST_WAIT_SECONDS * 2**tries, _LONGEST_WAIT_SECONDS)
                        self._books.put_off(number, time.time() + wait)
                await self._wait()

    async def _wait(self) -> None:
        next_at = self._books.next_post_at()
        wait = _IDLE_SECONDS if next_at is None else max(0.0, next_at - time.time())
        try:
            await asyncio.wait_for(self._bell.wait(), wait)
        except TimeoutError:
            return

    async def _post(self, client: httpx.AsyncClient, carrier: str, event: Body) -> bool:
        payload = json.dumps({"events": [event]}).encode()
        headers = {
            "Content-Type": "application/json",
            "Carrier-Signature": sign(payload, self._secret, int(time.time())),
        }
        try:
            response = await client.post(self._url.format(carrier=carrier), content=payload, headers=headers)
        except httpx.HTTPError as error:
            _log.warning("event %s not posted: %s", event["id"], type(error).__name__)
            return False
        if response.is_error:
            _log.warning("event %s refused with %s", event["id"], response.status_code)
        return not response.is_error
