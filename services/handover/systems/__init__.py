"""What a system of others has to be able to do for us, whatever it speaks. One file for each kind of system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.handover.domain.model import Message


class SystemAway(Exception):
    """It did not answer, or says that it cannot now: asking again may help. Holds a reason in UPPER_SNAKE only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(Exception):
    """It will never take this preparation order. Holds a reason only, nothing of what was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Line:
    """Units to pick."""

    line_number: int
    sku: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ShipTo:
    """Personal data: sent, and neither kept nor shown."""

    name: str
    street_lines: tuple[str, ...]
    postcode: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class PreparationOrder:
    """What a system is asked to prepare. `fulfilment_id` is its id there too: the same one is prepared once."""

    fulfilment_id: str
    order_id: str
    point_id: str
    carrier_id: str
    service_id: str
    lines: tuple[Line, ...]
    start_by: datetime | None
    hand_over_by: datetime | None
    ship_to: ShipTo = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a system answers, and its secrets: told to the process, never data. `kind` names its adapter."""

    kind: str
    url: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class OtherSystem(Protocol):
    """One system. Its calls raise SystemAway when there is no answer to rely on."""

    async def prepare(self, order: PreparationOrder) -> None:
        """Sends it; sent again, it is the same one. Raises Rejected."""

    async def cancel(self, fulfilment_id: str) -> bool:
        """Asks to stop; whether nothing will be shipped. One that it does not know was never begun."""

    async def messages(self, fulfilment_id: str) -> Sequence[Message] | None:
        """All that it has said so far, with the ids under which it sends it; None: it knows of no such order."""

    def read(self, payload: bytes, headers: Mapping[str, str]) -> Sequence[Message]:
        """What it posted. Raises Unauthenticated / SIGNATURE_INVALID, or InvalidArgument naming the field."""

    async def close(self) -> None:
        """Ends its connections."""
