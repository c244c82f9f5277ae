"""What the banks do: keep compartments, open them for a code, and tell of it."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from simulators.locker.books import Body, Books


class Code(BaseModel):
    """What opens a compartment."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=4, max_length=20)


class Fault(BaseModel):
    """Something that goes wrong the next `count` times. A restart forgets it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        # The API answers 503 and does nothing.
        "down",
        # It does what is asked and answers 503.
        "lost_answer",
        # An opening is not posted, only listed.
        "silent",
        # It is posted twice.
        "duplicate",
    ]
    count: int = Field(default=1, ge=1)


class Banks:
    """All lockers, by the id of their bank. Each has so many compartments, of one size."""

    def __init__(self, books: Books, compartments: int, ring: Callable[[], None]) -> None:
        self._books = books
        self._doors = [f"{number:02d}" for number in range(1, compartments + 1)]
        self._ring = ring
        self._faults: list[str] = []

    def order(self, fault: Fault) -> None:
        """It is taken so many times."""
        self._faults += [fault.kind] * fault.count

    def heal(self) -> None:
        """Everything works again."""
        self._faults.clear()

    def fails(self, kind: str) -> bool:
        """Whether it goes wrong this time."""
        if kind in self._faults:
            self._faults.remove(kind)
            return True
        return False

    def book(self, bank: str, reference: str) -> tuple[Body, bool]:
        """The booking, and whether it is new: a reference has one compartment. 409 when none is free."""
        if known := self._books.booking(bank, reference):
            return _shown(known), False
        taken = self._books.taken(bank)
        door = next((one for one in self._doors if one not in taken), None)
        if door is None:
            raise HTTPException(409, "no compartment is free")
        booking = {
            "bank": bank,
            "reference": reference,
            "compartment": door,
            "state": "booked",
            "code": "",
            "opened_at": None,
        }
        self._books.save(booking)
        return _shown(booking), True

    def deposit(self, bank: str, reference: str, code: str) -> Body:
        """The goods are in it. 409 once it was opened."""
        found = self._booking(bank, reference)
        if found["state"] == "opened":
            raise HTTPException(409, "it was opened")
        after = found | {"state": "deposited", "code": code}
        self._books.save(after)
        return _shown(after)

    def close(self, bank: str, reference: str) -> Body:
        """No code opens it any more, unless one has."""
        found = self._booking(bank, reference)
        if found["state"] != "opened":
            found |= {"state": "closed", "code": ""}
            self._books.save(found)
        return _shown(found)

    def release(self, bank: str, reference: str) -> None:
        """It is empty, and free for others."""
        self._books.forget(bank, reference)

    def openings(self, bank: str, since: datetime) -> list[Body]:
        """Those since then."""
        found = [_event(one) for one in self._books.opened(bank)]
        return [one for one in found if datetime.fromisoformat(one["occurred_at"]) >= since]

    def enter(self, bank: str, compartment: str, code: str) -> Body:
        """Somebody types a code at a door: it opens, is emptied and free again; or 403."""
        found = self._books.booking_in(bank, compartment)
        is_right = found and found["code"] and secrets.compare_digest(found["code"].encode(), code.encode())
        if not found or not is_right:
            raise HTTPException(403, "this code does not open it")
        opened = found | {"state": "opened", "code": "", "opened_at": datetime.now(UTC).isoformat()}
        self._books.save(opened)
        copies = 2 if self.fails("duplicate") else 1
        if not self.fails("silent"):
            for _ in range(copies):
                self._books.add_post(bank, _event(opened), time.time())
            self._ring()
        return _shown(opened)

    def _booking(self, bank: str, reference: str) -> Body:
        found = self._books.booking(bank, reference)
        if found is None:
            raise HTTPException(404, "no such booking")
        return found


def _event(booking: Body) -> Body:
    return {"reference": booking["reference"], "code": "OPENED", "occurred_at": booking["opened_at"]}


def _shown(booking: Body) -> Body:
    """A code is told to nobody."""
    return {name: booking[name] for name in ("reference", "compartment", "state", "opened_at")}
