"""The gateway's REST API as the commands use it: one connection, a token of the right role for each call.

Tokens are signed with the local key, as `oms token` does. Knows no business; the people who call are in `people`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy.local import tokens
from deploy.local.keys import load_or_make
from deploy.local.state import StateFolder

Found = TypeVar("Found")
Json = dict[str, Any]
Sign = Callable[[str, tokens.Scope], str]
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

    def __init__(self, url: str, sign: Sign) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._tokens = _Tokens(sign)

    @classmethod
    def of(cls, url: str, state: Path) -> "Api":
        """With tokens signed by the key in a state folder."""
        return cls(url, _signer(state))

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, role: str, scope: tokens.Scope | None = None, **parameters: Any) -> Json:
        """The answer's body. Raises Problem."""
        return body_of(self.send("GET", path, role, scope, params=parameters))

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
        return body_of(self.send("POST", path, role, scope, json=body, headers=headers))

    def download(self, path: str, role: str, file: Path, **parameters: Any) -> int:
        """Writes the answer's body to a file as it comes; its bytes. Raises Problem: then there is no file."""
        headers = self._tokens.header(role, None)
        with self._http.stream("GET", path, params=parameters, headers=headers) as answer:
            if answer.is_error:
                answer.read()
                raise Problem(answer)
            part = file.with_name(f"{file.name}.part")
            with part.open("wb") as written:
                for portion in answer.iter_bytes():
                    written.write(portion)
        part.replace(file)
        return file.stat().st_size

    def send(
        self, method: str, path: str, role: str, scope: tokens.Scope | None = None, **options: Any
    ) -> httpx.Response:
        """One request with a token of this role; the answer as it came."""
        headers = {**(options.pop("headers", None) or {}), **self._tokens.header(role, scope)}
        return self._http.request(method, path, headers=headers, **options)


class AsyncApi:
    """The same for many requests at once, and for longer than a token lives."""

    def __init__(self, url: str, sign: Sign, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        # Who waits for one of our own connections is not kept waiting by the gateway.
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, pool=None)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits)
        self._tokens = _Tokens(sign)

    @classmethod
    def of(cls, url: str, state: Path, connections: int) -> "AsyncApi":
        """With tokens signed by the key in a state folder."""
        return cls(url, _signer(state), connections)

    async def __aenter__(self) -> "AsyncApi":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(
        self, method: str, path: str, role: str, scope: tokens.Scope | None = None, **options: Any
    ) -> httpx.Response:
        """One request with a token of this role; a new token when the gateway no longer takes the old one."""
        headers = options.pop("headers", None) or {}
        answer = await self._http.request(
            method, path, headers={**headers, **self._tokens.header(role, scope)}, **options
        )
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._tokens.forget()
            answer = await self._http.request(
                method, path, headers={**headers, **self._tokens.header(role, scope)}, **options
            )
        return answer


def body_of(answer: httpx.Response) -> Json:
    """What was answered. Raises Problem."""
    if answer.status_code >= 400:
        raise Problem(answer)
    body: Json = answer.json() if answer.content else {}
    return body


class _Tokens:
    """One token for each role and scope."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._signed: dict[tuple[str, tokens.Scope], str] = {}

    def header(self, role: str, scope: tokens.Scope | None) -> dict[str, str]:
        scope = scope or tokens.Scope(stores=(tokens.ALL,), channels=(tokens.ALL,))
        if (role, scope) not in self._signed:
            self._signed[role, scope] = self._sign(role, scope)
        return {"Authorization": f"Bearer {self._signed[role, scope]}"}

    def forget(self) -> None:
        self._signed.clear()


def _signer(state: Path) -> Sign:
    keys = load_or_make(StateFolder(state).keys)
    return lambda role, scope: tokens.sign(keys.jwt_private_file, role, scope)


def wait_for(what: str, look: Callable[[], Found | None], seconds: float = 30) -> Found:
    """Looks again and again until there is something; TookTooLong names what was awaited."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what} did not come within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    return found
