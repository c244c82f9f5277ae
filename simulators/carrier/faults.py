"""Faults that tests order: each is taken by the next matching event or call, `count` times.

A restart forgets them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One order. Without `tracking_code` it takes whoever comes."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        # The event is posted after `seconds`.
        "delayed",
        # It is posted twice.
        "duplicate",
        # It is posted after the next event of the parcel.
        "out_of_order",
        # It is not posted, only listed.
        "silent",
        # It says that it happened `seconds` later than it did.
        "clock_ahead",
        # The API answers 503.
        "down",
    ]
    count: int = Field(default=1, ge=1)
    seconds: float = Field(default=0, ge=0)
    tracking_code: str | None = None


class Faults:
    """The list of what is to go wrong."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Adds one; earlier ones are taken first."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Everything works again."""
        self._waiting.clear()

    def take(self, kind: str, tracking_code: str) -> Fault | None:
        """The fault of this kind for this event or call."""
        for index, fault in enumerate(self._waiting):
            if fault.kind == kind and fault.tracking_code in (None, tracking_code):
                if fault.count == 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = fault.model_copy(update={"count": fault.count - 1})
                return fault
        return None
