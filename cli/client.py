"""The gateway's REST API as the commands use it: one connection, a token of the right role for each call.

Tokens are signed with the local key, as `oms token` does. Knows no business; the people who call are in `people`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.local import tokens
from deploy.local.keys import load_or_make
from deploy.local.state import StateFolder

Json = dict[str, Any]
# Longer than the gateway waits for the outcome of a placement.
_TIMEOUT_SECONDS = 20
_POLL_SECONDS = 0.1


class Problem(Exception):
    """An answer of application/problem+json."""

    def __init__(self, answer: httpx.Response) -> None:
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        self.status: int = answer.status_code
        self.reason: str = body.get("reason", "")
        self.body: Json = body
        detail = body.get("detail") or answer.reason_phrase
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {self.status} {self.reason}: {detail}"
        )


class TookTooLong(Exception):
    """Something that was awaited did not come."""


class Api:
    """The gateway, seen by everyone who has a token of this system."""

    def __init__(self, url: str, sign: Callable[[str, tokens.Scope], str]) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._sign = sign
        self._tokens: dict[tuple[str, tokens.Scope], str] = {}

    @classmethod
    def of(cls, url: str, state: Path) -> "Api":
        """With tokens signed by the key in a state folder."""
        keys = load_or_make(StateFolder(state).keys)
        return cls(url, lambda role, scope: tokens.sign(keys.jwt_private_file, role, scope))

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, role: str, scope: tokens.Scope | None = None, **parameters: Any) -> Json:
        """The answer's body. Raises Problem."""
        return self._body(self.send("GET", path, role, scope, params=parameters))

    def rows(self, path: str, role: str, scope: tokens.Scope | None = None, **parameters: Any) -> Iterator[Json]:
        """Every row of a list, page after page. Raises Problem."""
        while True:
            page = self.get(path, role, scope, **parameters)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            parameters["cursor"] = page["next_cursor"]

    def post(
        self,
        path: str,
        role: str,
        body: Json | None = None,
        *,
        scope: tokens.Scope | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """The answer's body. Raises Problem."""
        return self._body(self.send("POST", path, role, scope, json=body, headers=headers))

    def send(
        self, method: str, path: str, role: str, scope: tokens.Scope | None = None, **options: Any
    ) -> httpx.Response:
        """One request with a token of this role; the answer as it came."""
        headers = {**(options.pop("headers", None) or {}), "Authorization": f"Bearer {self._token(role, scope)}"}
        return self._http.request(method, path, headers=headers, **options)

    def _body(self, answer: httpx.Response) -> Json:
        if answer.status_code >= 400:
            raise Problem(answer)
        body: Json = answer.json() if answer.content else {}
        return body

    def _token(self, role: str, scope: tokens.Scope | None) -> str:
        scope = scope or tokens.Scope(stores=(tokens.ALL,), channels=(tokens.ALL,))
        if (role, scope) not in self._tokens:
            self._tokens[role, scope] = self._sign(role, scope)
        return self._tokens[role, scope]


def wait_for(what: str, look: Callable[[], Json | None], seconds: float = 30) -> Json:
    """Looks again and again until there is something; TookTooLong names what was awaited."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what} did not come within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return found
