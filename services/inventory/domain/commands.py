"""What the state-changing requests ask for, as values. `content` is what makes two of them the same request."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.inventory.domain.holds import HoldLine, HoldMove
from services.inventory.domain.ledger import Cause


@dataclass(frozen=True, slots=True)
class StockDelta:
    """A change of physical stock at one position: positive adds, negative takes."""

    sku: str
    point_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class AdjustStock:
    """Changes of physical stock, all or none."""

    request_id: str
    deltas: tuple[StockDelta, ...]
    cause: Cause
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DeclareUnavailable:
    """Units to take out of the image."""

    request_id: str
    sku: str
    point_id: str
    quantity: int
    cause: Cause
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReleaseUnavailable:
    """Units to give back to the image."""

    request_id: str
    sku: str
    point_id: str
    quantity: int
    cause: Cause
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Reserve:
    """Units to hold; a time to live of 0 seconds confirms at once."""

    request_id: str
    reservation_id: str
    channel_id: str
    lines: tuple[HoldLine, ...]
    time_to_live_seconds: int
    allow_partial: bool
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """What to give back; no lines means everything still held."""

    request_id: str
    reservation_id: str
    lines: tuple[HoldLine, ...]
    reason: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """What leaves stock, with the parcel or hand-over that takes it."""

    request_id: str
    reservation_id: str
    lines: tuple[HoldLine, ...]
    reference: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class MoveReservation:
    """Moves within one reservation."""

    request_id: str
    reservation_id: str
    moves: tuple[HoldMove, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReportShort:
    """Held units that are not there."""

    request_id: str
    reservation_id: str
    lines: tuple[HoldLine, ...]
    actor: str
    as_of: datetime


Command = (
    AdjustStock
    | DeclareUnavailable
    | ReleaseUnavailable
    | Reserve
    | Release
    | Issue
    | MoveReservation
    | ReportShort
)


def content(command: Command) -> bytes:
    """The command without its id and its instant: a repeat comes later and is the same request all the same."""
    fields = _fields(command)
    del fields["request_id"], fields["as_of"]
    return json.dumps([type(command).__name__, fields], sort_keys=True, default=_fields).encode()


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
