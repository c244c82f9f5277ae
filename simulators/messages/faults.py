"""Faults that tests order: each is taken by the next matching message, `count` times. A restart forgets them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One order. Without `way` or `to` it takes whoever comes."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        # Not now: SMTP 451, HTTP 503.
        "refuse_for_now",
        # Never: SMTP 550, HTTP 422.
        "refuse_for_ever",
        # Taken after `seconds`.
        "slow",
        # Taken, and then the connection ends without an answer.
        "drop_after_taking",
    ]
    way: Literal["mail", "sms"] | None = None
    to: str | None = None
    count: int = Field(default=1, ge=1)
    seconds: float = Field(default=0, ge=0)


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

    def take(self, way: str, to: str) -> Fault | None:
        """The fault of this message."""
        for index, fault in enumerate(self._waiting):
            if fault.way in (None, way) and fault.to in (None, to):
                if fault.count == 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = fault.model_copy(update={"count": fault.count - 1})
                return fault
        return None
