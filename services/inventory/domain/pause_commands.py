"""What a request for a pause asks for, and what it may say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain import validation
from services.inventory.domain.pauses import Pause
from services.inventory.domain.validation import Problem


@dataclass(frozen=True, slots=True)
class StartPause:
    """What to stop; empty keys mean any, without `from_at` at once, without `until_at` until it is lifted."""

    request_id: str
    point_id: str
    sku: str
    channel_id: str
    reason: str
    from_at: datetime | None
    until_at: datetime | None
    actor: str
    as_of: datetime


def check(pause: Pause, now: datetime) -> Iterator[Problem]:
    """A pause that is to be started, but for whether what it names exists."""
    if not (pause.point_id or pause.sku or pause.channel_id):
        yield Problem("point_id", "a point, an item or a channel is needed")
    yield from validation.name("point_id", pause.point_id) if pause.point_id else ()
    yield from validation.sku("sku", pause.sku) if pause.sku else ()
    yield from validation.name("channel_id", pause.channel_id) if pause.channel_id else ()
    yield from validation.text("reason", pause.reason, required=True)
    yield from validation.text("actor", pause.paused_by, required=True)
    if pause.until_at is not None and pause.until_at <= max(pause.from_at, now):
        yield Problem("until_at", "not after the beginning and the present")


def check_known(
    pause: Pause, skus: frozenset[str], points: frozenset[str], channels: frozenset[str]
) -> Iterator[Problem]:
    """A pause must name what exists."""
    for field, kind, value, known in (
        ("point_id", "point", pause.point_id, points),
        ("sku", "item", pause.sku, skus),
        ("channel_id", "channel", pause.channel_id, channels),
    ):
        if value and value not in known:
            yield Problem(field, f"there is no {kind} {value}", f"UNKNOWN_{kind.upper()}")
