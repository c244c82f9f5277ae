"""Posts events of carriers, or lockers, signed, each until the receiver takes it; a refused one keeps no other."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from typing import Any, Protocol

import httpx

Body = dict[str, Any]
_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 15.0
_IDLE_SECONDS = 60.0


class Posts(Protocol):
    """What is still to be posted. A post: its number, whose it is, the event, and how often it was tried."""

    def due_posts(self, now: float) -> list[tuple[int, str, Body, int]]:
        """By now."""

    def next_post_at(self) -> float | None:
        """When the next is due, in seconds since 1970."""

    def mark_posted(self, number: int) -> None:
        """It was taken."""

    def put_off(self, number: int, due_at: float) -> None:
        """It was not, and is posted again then."""


def sign(payload: bytes, secret: str, timestamp: int) -> str:
    """The header that proves who posts: HMAC-SHA256 over `timestamp.payload`."""
    message = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


class Webhooks:
    """The posting of events. `url`: by `{<of>}`, which is whose they are; without one nothing is posted."""

    def __init__(
        self, books: Posts, url: str, secret: str, of: str = "carrier", header: str = "Carrier-Signature"
    ) -> None:
        self._books = books
        self._url = url
        self._of = of
        self._header = header
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
                for number, sender, event, tries in self._books.due_posts(time.time()):
                    if await self._post(client, sender, event):
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

    async def _post(self, client: httpx.AsyncClient, sender: str, event: Body) -> bool:
        payload = json.dumps({"events": [event]}).encode()
        headers = {
            "Content-Type": "application/json",
            self._header: sign(payload, self._secret, int(time.time())),
        }
        try:
            response = await client.post(
                self._url.format_map({self._of: sender}), content=payload, headers=headers
            )
        except httpx.HTTPError as error:
            _log.warning("an event of %s not posted: %s", sender, type(error).__name__)
            return False
        if response.is_error:
            _log.warning("an event of %s refused with %s", sender, response.status_code)
        return not response.is_error
