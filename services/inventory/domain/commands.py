"""What the state-changing requests ask for, as values. `content` is what makes two of them the same request."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.inventory.domain.catalogue import Purpose
from services.inventory.domain.declarations import Reason
from services.inventory.domain.holds import HoldLine, HoldMove, ShortReason
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
    reason: Reason
    cause: Cause
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReleaseUnavailable:
    """Units to give back to the image: of one declaration (quantity 0: all of it), or else at a position."""

    request_id: str
    declaration_id: str
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
    purpose: Purpose | None = None
    # Its name as a reservation.
    basket: str | None = None


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
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True)
class ReportShort:
    """Held units that are not there. `reasons`: of those that were not simply not found."""

    request_id: str
    reservation_id: str
    lines: tuple[HoldLine, ...]
    actor: str
    as_of: datetime
    reasons: tuple[ShortReason, ...] | None = None


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


def content(command: Any) -> bytes:
    """The command without its id and its instant: a repeat comes later and is the same request all the same.

    What is not said is left out, so that a new field changes no request that does not use it.
    """
    fields = {name: value for name, value in _fields(command).items() if value is not None}
    del fields["request_id"], fields["as_of"]
    return _encode([type(command).__name__, fields]).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else _fields(value)


# Made once: `json.dumps` makes a new encoder for each call that is not like most.
_encode = json.JSONEncoder(sort_keys=True, default=_plain).encode


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
