"""Imports of stock: how a file is meant, and what became of it. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.gateway.schemas.base import (
    Asked,
    Id,
    Instant,
    RequiredText,
    Shown,
    Text,
    Word,
    one_of_each,
)
from services.gateway.schemas.network import PointType

Kind = Literal["snapshot", "delta"]
Format = Literal["csv", "ndjson"]
Compression = Literal["gzip"]
AbsentRule = Literal["keep", "zero"]
State = Literal["received", "running", "done", "failed", "cancelled"]
_Names = Annotated[list[RequiredText], Field(max_length=500), AfterValidator(one_of_each)]
_Points = Annotated[list[Id], Field(max_length=500), AfterValidator(one_of_each)]


class ImportTerms(Asked):
    """How the file in the body is meant."""

    kind: Kind
    format: Format = "csv"
    point_id: _Points = Field(
        default_factory=list,
        description="The points that the file speaks of. A snapshot names them, or their type",
    )
    point_type: PointType | None = Field(None, description="Every point of this type")
    brand: _Names = Field(default_factory=list, description="Of a snapshot: only items of these brands")
    category: _Names = Field(default_factory=list, description="Of a snapshot: only items of these categories")
    absent: AbsentRule | None = Field(
        None, description="What becomes of positions in a snapshot's scope that the file leaves out"
    )
    effective_at: Instant | None = Field(
        None, description="When what the file says was so. A snapshot needs it; an instant that has passed"
    )
    source: Text = Field("", description="Which system sent it. A delta needs it: sequences are those of a source")
    cause: Word | None = Field(None, description="Of a delta: the cause of records without one (correction)")
    file_name: Text = ""


class ImportView(Shown):
    """A file of stock and what became of it: once done, read = changed + unchanged + late + rejected."""

    job_id: str
    file_name: str
    kind: Kind | None
    format: Format | None
    compression: Compression | None
    point_ids: list[str]
    brands: list[str]
    categories: list[str]
    absent: AbsentRule | None
    source: str
    cause: str
    actor: str
    effective_at: datetime | None
    sha256: str
    state: State | None
    reason: str
    detail: str
    bytes: int
    bytes_read: int
    read: int
    changed: int
    unchanged: int
    late: int
    rejected: int
    zeroed: int
    below_zero: int
    planned: int
    worked: int
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class ImportRejectionView(Shown):
    """A record that was not applied: `reason` for programs, `detail` names the column."""

    line: int
    reason: str
    detail: str
    record: str
