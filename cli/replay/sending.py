"""One request until it has an answer: what was lost or put off is sent again with the same key.

Knows no business: an answer below 500 that does not ask to come back later is an answer, whatever it says.
"""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from cli.client import AsyncApi
from deploy.local.tokens import Scope

_AGAIN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
# Who is told to stop still waits this long for the answers that are under way.
STOP_SECONDS = 30.0


class NoAnswer(Exception):
    """Patience ended. `reason` is what the last attempt met, in UPPER_SNAKE."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and how many attempts it took: with more than one, an earlier one may have acted too."""

    answer: httpx.Response
    attempts: int


class Sender:
    """Sends with patience; `stop` shortens it for everyone."""

    def __init__(self, api: AsyncApi, patience_seconds: float, stop_seconds: float = STOP_SECONDS) -> None:
        self._api = api
        self._patience_seconds = patience_seconds
        self._stop_seconds = stop_seconds
        self._stopped_at: float | None = None

    def stop(self) -> None:
        """What is under way may end, and is given up sooner if it does not."""
        self._stopped_at = time.monotonic()

    def deadline(self) -> float:
        """Until when something that begins now may be tried, on the monotonic clock."""
        return time.monotonic() + self._patience_seconds

    def is_over(self, deadline: float) -> bool:
        """Whether patience has ended."""
        if self._stopped_at is not None:
            deadline = min(deadline, self._stopped_at + self._stop_seconds)
        return time.monotonic() >= deadline

    async def send(
        self, deadline: float, method: str, path: str, role: str, scope: Scope | None = None, **options: Any
    ) -> Answered:
        """The first real answer. Raises NoAnswer at the deadline."""
        attempts, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            attempts += 1
            wait = pause
            try:
                answer = await self._api.send(method, path, role, scope, **options)
            except httpx.TransportError as error:
                reason = "TIMEOUT" if isinstance(error, httpx.TimeoutException) else "CONNECTION"
            else:
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status_code not in _AGAIN:
                    return Answered(answer, attempts)
                reason = reason_of(answer)
                wait = max(pause, _retry_after(answer))
            if self.is_over(deadline):
                raise NoAnswer(reason)
            await asyncio.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def reason_of(answer: httpx.Response) -> str:
    """The problem's own reason, or the status when somebody else answered."""
    try:
        reason = answer.json().get("reason")
    except (ValueError, AttributeError):
        reason = None
    return str(reason or f"HTTP_{answer.status_code}")


def _retry_after(answer: httpx.Response) -> float:
    seconds = answer.headers.get("Retry-After", "")
    return min(float(seconds), _LONGEST_PAUSE_SECONDS) if seconds.isdigit() else 0.0
