"""What the checks of a running system are asked and what they tell."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.gateway.schemas.base import Asked, Cursor, Instant, LongId, PageSize, Shown


class Which(Asked):
    """Everything, page by page, or only these orders."""

    order_id: Annotated[
        list[LongId], Field(max_length=500, description="Only these; without it all, page by page")
    ] = Field(default_factory=list)
    cursor: Cursor = None
    size: PageSize = 200


class WhichPayments(Which):
    """Payments with an operation since then."""

    since: Instant | None = None


class HowOld(Asked):
    """How long an event may wait."""

    older_than_seconds: Annotated[int, Field(ge=0, le=86_400)] = 60


class DifferenceView(Shown):
    """Two parts of the system that do not agree. `kind` is UPPER_SNAKE."""

    kind: str
    subject: str
    expected: str
    found: str
    order_id: str | None = None


class NoteView(Shown):
    """Something that is no fault, for a person to know."""

    subject: str
    detail: str
    since: datetime | None = None


class Checked(Shown):
    """What was looked at; `next_cursor` is null when all was."""

    checked: int
    differences: list[DifferenceView] = Field(default_factory=list)
    notes: list[NoteView] = Field(default_factory=list)
    next_cursor: str | None = None
