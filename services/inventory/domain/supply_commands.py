"""What the state-changing requests about stock to come ask for; `commands.content` makes two of them the same."""

from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain.future_holds import FutureLine
from services.inventory.domain.holds import HoldLine


@dataclass(frozen=True, slots=True)
class CancelExpected:
    """A delivery of which nothing more will come."""

    request_id: str
    delivery_id: str
    reason: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReceiveExpected:
    """Units that came. `at_points`: only a delivery to one of these; empty for any."""

    request_id: str
    delivery_id: str
    quantity: int
    damaged: int
    close: bool
    actor: str
    source: str
    at_points: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReserveFuture:
    """Units to come to hold; a time to live of 0 seconds confirms at once."""

    request_id: str
    reservation_id: str
    channel_id: str
    lines: tuple[FutureLine, ...]
    time_to_live_seconds: int
    allow_partial: bool
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReleaseFuture:
    """What to give back; no lines means everything still held."""

    request_id: str
    reservation_id: str
    lines: tuple[FutureLine, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ConvertPreorder:
    """Pre-ordered units that are to be held at points."""

    request_id: str
    reservation_id: str
    lines: tuple[HoldLine, ...]
    as_of: datetime
