"""Banks of lockers behind one small interface: a maker of them is one file here. Translates; decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class LockerAway(Exception):
    """The bank does not answer; it may be asked again later."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A customer opened, with its code, the compartment that was booked under this reference."""

    reference: str
    at: datetime


class Bank(Protocol):
    """The lockers at one point. `reference`: the work; asked again with it, a bank answers again what it did.

    All but `read` raise LockerAway, also for what the bank refuses.
    """

    def read(self, payload: bytes, signature: str, now: datetime) -> Sequence[Opening]:
        """What was posted. BadSignature; InvalidArgument for what is not of the bank's format."""

    async def book(self, reference: str) -> str:
        """The compartment, as it is written on its door; empty: none is free."""

    async def deposit(self, reference: str, code: str) -> None:
        """From now on the compartment opens for who enters the code, and for no other code."""

    async def close(self, reference: str) -> datetime | None:
        """From now on the code opens it no more; when it did before: the instant, and nothing is closed."""

    async def release(self, reference: str) -> None:
        """Gives the compartment back, if any is booked; it is empty."""

    async def openings(self, since: datetime) -> Sequence[Opening]:
        """Those since then, oldest first: what is posted may be lost."""

    async def end(self) -> None:
        """Ends its connections."""
