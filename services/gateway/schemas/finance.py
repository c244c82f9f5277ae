"""Files of operations, totals, and the providers' settlement files, as finance asks for and sees them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.gateway.schemas.base import (
    Asked,
    Day,
    Id,
    LongText,
    MoneyView,
    Paged,
    Sent,
    Shown,
    Text,
    Word,
    example,
)
from services.gateway.schemas.payments import OperationKind, OperationsAsked

ExportFormat = Literal["csv", "parquet"]
TotalBy = Literal["day", "channel", "provider", "tender_kind"]
SettlementState = Literal["received", "running", "done", "failed"]
DifferenceKind = Literal["missing", "extra", "different_amount", "different_currency"]
DifferenceState = Literal["waiting", "open", "closed"]


def _with_year(value: str) -> str:
    if not "1970" <= value < "2200":
        raise ValueError("the day lies outside of 1970 to 2199")
    return value


# Its midnight is an instant.
UtcDay = Annotated[Day, Field(description="A day of UTC: YYYY-MM-DD"), AfterValidator(_with_year)]


class ExportAsked(OperationsAsked):
    """Which operations, and how they are written."""

    format: ExportFormat


class TotalsAsked(Asked):
    """Of which days, and what is kept apart besides the kind and the currency."""

    from_: Annotated[UtcDay, Field(alias="from")]
    until: Annotated[UtcDay, Field(description="The day after the last one; 400 days after the first, at most")]
    by: list[TotalBy] = Field(["day"], max_length=4)


class TotalView(Shown):
    """What succeeded; what is not kept apart is null."""

    day: date | None
    channel_id: str | None
    provider: str | None
    tender_kind: str | None
    kind: OperationKind
    amount: MoneyView
    operations: int


class SettlementTerms(Asked):
    """Whose file it is, and of which day."""

    provider: Word
    day: UtcDay
    file_name: Text = ""


class SettlementFilters(Paged):
    """Of a provider, or of all."""

    provider: Word | None = None


class SettlementView(Shown):
    """A settlement file and what became of its lines."""

    settlement_id: str
    provider: str
    day: date
    file_name: str
    actor: str
    sha256: str
    bytes: int
    state: SettlementState
    reason: str
    detail: str
    received_at: datetime
    ended_at: datetime | None
    lines: int = Field(description="Those that no earlier file had told")
    matched: int
    different_amount: int
    different_currency: int
    extra: int
    fees_only: int
    missing: int = Field(description="Operations of its day that no file has told yet")
    fees: list[MoneyView]


class DifferenceFilters(Paged):
    """Which differences: those to be worked, unless it is said."""

    state: list[DifferenceState] = Field(["open"], max_length=3)
    provider: Word | None = None
    settlement_id: Id | None = None


class SettlementDifferenceView(Shown):
    """Something that a provider and we do not agree on: `expected` is ours, `found` theirs."""

    difference_id: str
    provider: str
    day: date
    kind: DifferenceKind
    state: DifferenceState
    settlement_id: str
    transaction_id: str
    operation_id: str
    order_id: str
    expected: MoneyView | None
    found: MoneyView | None
    found_at: datetime
    closed_at: datetime | None
    closed_by: str
    reason: str


class Resolution(Sent):
    """Why it is right, or what was done about it."""

    model_config = Sent.model_config | example({"reason": "Refunded by hand at the provider, ticket 4711"})

    reason: LongText
