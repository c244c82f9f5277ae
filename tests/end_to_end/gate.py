"""The gateway as people meet it who do not give up: the same request again and again, until there is an answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx

from cli.client import Json
from deploy.local.tokens import Scope
from tests.stack import SharedStack

_TIMEOUT_SECONDS = 15
_PAUSE_SECONDS = 0.2


class Gate:
    """For many at once. An answer is anything that does not say "ask again" (5xx, or none at all)."""

    def __init__(self, stack: SharedStack, insist_seconds: float = 90) -> None:
        self._stack = stack
        self._insist_seconds = insist_seconds
        self._http = httpx.AsyncClient(base_url=stack.gateway_url, timeout=_TIMEOUT_SECONDS)
        self._tokens: dict[tuple[str, Scope], str] = {}
        # Defects: an outage has to be told as such (503, 504), not as an internal error.
        self.internal_errors: list[str] = []
        self.repeated = 0

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def send(
        self, method: str, path: str, role: str, scope: Scope | None = None, **options: Any
    ) -> httpx.Response:
        """The answer, below 500. Raises TimeoutError when there was none for a long time."""
        options["headers"] = {**options.get("headers", {}), "Authorization": f"Bearer {self._token(role, scope)}"}
        last = ""
        deadline = asyncio.get_running_loop().time() + self._insist_seconds
        while asyncio.get_running_loop().time() < deadline:
            try:
                answer = await self._http.request(method, path, **options)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code < 500:
                    return answer
                last = f"{answer.status_code} {answer.text}"
                if answer.status_code == 500:
                    self.internal_errors.append(f"{method} {path}: {answer.text}")
            self.repeated += 1
            await asyncio.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"{method} {path}: no answer for {self._insist_seconds:.0f} s, at last {last}")

    async def get(self, path: str, role: str, scope: Scope | None = None, **parameters: Any) -> Json:
        """The body of a 200."""
        answer = await self.send("GET", path, role, scope, params=parameters)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        body: Json = answer.json()
        return body

    async def rows(self, path: str, role: str, **parameters: Any) -> AsyncIterator[Json]:
        """Every row of a list, page after page."""
        while True:
            page = await self.get(path, role, **parameters)
            for row in page["items"]:
                yield row
            if not page.get("next_cursor"):
                return
            parameters["cursor"] = page["next_cursor"]

    def _token(self, role: str, scope: Scope | None) -> str:
        scope = scope or Scope()
        if (role, scope) not in self._tokens:
            self._tokens[role, scope] = self._stack.token(role, scope)
        return self._tokens[role, scope]
