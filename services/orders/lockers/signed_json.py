"""A bank that speaks JSON over HTTP and signs what it posts (signatures.py); simulators/locker is one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kit.errors import InvalidArgument
from services.orders import signatures
from services.orders.lockers import LockerAway, Opening


class _Event(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    reference: str = Field(min_length=1, max_length=200)
    code: str = Field(max_length=40)
    occurred_at: AwareDatetime


class _Events(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    events: list[_Event] = Field(max_length=500)


class _Booking(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    compartment: str = Field(min_length=1, max_length=40)
    state: Literal["booked", "deposited", "opened", "closed"]
    opened_at: AwareDatetime | None = None


class SignedJsonBank:
    """One bank at its address."""

    def __init__(self, *, url: str, api_key: str, webhook_secret: str, timeout_seconds: float = 8) -> None:
        self._secret = webhook_secret.encode()
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout_seconds, headers={"Authorization": f"Bearer {api_key}"}
        )

    def read(self, payload: bytes, signature: str, now: datetime) -> Sequence[Opening]:
        """The openings of what was posted."""
        signatures.check(self._secret, payload, signature, now)
        try:
            return _openings(_Events.model_validate_json(payload))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "events"
            raise InvalidArgument(where, "not of the format of the bank of lockers") from error

    async def book(self, reference: str) -> str:
        """409: none is free."""
        answer = await self._call("PUT", _booking(reference), taken=(httpx.codes.CONFLICT,))
        return "" if answer.status_code == httpx.codes.CONFLICT else _read(answer).compartment

    async def deposit(self, reference: str, code: str) -> None:
        """The code is told to the bank alone."""
        await self._call("POST", f"{_booking(reference)}/deposit", {"code": code})

    async def close(self, reference: str) -> datetime | None:
        """A bank that knows no such booking has nothing to close."""
        answer = await self._call("POST", f"{_booking(reference)}/close", taken=(httpx.codes.NOT_FOUND,))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _read(answer).opened_at

    async def release(self, reference: str) -> None:
        """Nothing where there is none."""
        await self._call("DELETE", _booking(reference), taken=(httpx.codes.NOT_FOUND,))

    async def openings(self, since: datetime) -> Sequence[Opening]:
        """All that it knows."""
        answer = await self._call("GET", f"/openings?since={quote(since.isoformat(), safe='')}")
        try:
            return _openings(_Events.model_validate_json(answer.content))
        except ValidationError as error:
            raise LockerAway(type(error).__name__) from error

    async def end(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def _call(
        self, method: str, path: str, body: dict[str, str] | None = None, taken: tuple[int, ...] = ()
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, json=body)
            if answer.status_code not in taken:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            raise LockerAway(type(error).__name__) from error
        return answer


def _booking(reference: str) -> str:
    return f"/bookings/{quote(reference, safe='')}"


def _read(answer: httpx.Response) -> _Booking:
    try:
        return _Booking.model_validate_json(answer.content)
    except ValidationError as error:
        raise LockerAway(type(error).__name__) from error


def _openings(told: _Events) -> list[Opening]:
    return [Opening(one.reference, one.occurred_at) for one in told.events if one.code == "OPENED"]
