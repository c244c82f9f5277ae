"""Files of stock: what a header may say, and which deltas of a position still count (SPEC STK-8).

A snapshot is merged in the database, in sets (store/import_merge); a delta is decided here, record by record.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from kit.errors import FailedPrecondition
from services.inventory.domain import validation
from services.inventory.domain.ledger import Book, Cause, Movement, Position, adjust
from services.inventory.domain.validation import Problem

KINDS = ("snapshot", "delta")
FORMATS = ("csv", "ndjson")
COMPRESSIONS = ("none", "gzip")
ABSENT_RULES = ("keep", "zero")
SNAPSHOT = "snapshot"
DEFAULT_CAUSE = "correction"
MAX_NAMES = 5_000
UNFINISHED = ("received", "running")


@dataclass(frozen=True, slots=True)
class ImportHeader:
    """What a file is and how it is meant. `effective_at` None: when it came (deltas only)."""

    request_id: str
    file_name: str
    kind: str
    format: str
    compression: str
    point_ids: tuple[str, ...]
    point_type: str
    brands: tuple[str, ...]
    categories: tuple[str, ...]
    absent: str
    source: str
    cause: str
    actor: str
    effective_at: datetime | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records: read = changed + unchanged + late + rejected once a job is done."""

    read: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    rejected: int = 0
    zeroed: int = 0
    below_zero: int = 0


@dataclass(frozen=True, slots=True)
class ImportJob:
    """A file that is kept, and how far it is worked: `worked` of `planned` changes, once it is `prepared`."""

    job_id: str
    number: int
    upload_id: str
    file_name: str
    file_digest: bytes
    kind: str
    format: str
    compression: str
    point_ids: tuple[str, ...]
    brands: tuple[str, ...]
    categories: tuple[str, ...]
    absent: str
    source: str
    cause: str
    actor: str
    effective_at: datetime
    state: str
    prepared: bool
    planned: int
    worked: int
    bytes: int
    bytes_read: int
    counts: Counts
    reason: str
    detail: str
    received_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Rejection(NamedTuple):
    """A record that was not applied, and why."""

    line: int
    reason: str
    detail: str
    record: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A position at which reserved units are found to be missing."""

    point_id: str
    sku: str
    quantity: int
    on_hand: int
    short: int


class FileRefused(Exception):
    """The file as a whole cannot be read: nothing of it is applied."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def check(header: ImportHeader) -> Iterator[Problem]:
    """What a header may say whatever the state."""
    yield from validation.identifier("request_id", header.request_id)
    yield from validation.text("file_name", header.file_name)
    for name, known in (("kind", KINDS), ("format", FORMATS), ("compression", COMPRESSIONS)):
        if getattr(header, name) not in known:
            yield Problem(name, f"not one of {', '.join(known)}")
    yield from _check_scope(header)
    yield from validation.text("source", header.source, required=header.kind != SNAPSHOT)
    yield from validation.text("actor", header.actor, required=True)
    if header.effective_at is not None and header.effective_at > header.as_of:
        yield Problem("effective_at", "lies in the future")
    yield from _check_snapshot(header) if header.kind == SNAPSHOT else _check_delta(header)


def _check_scope(header: ImportHeader) -> Iterator[Problem]:
    yield from validation.names("point_ids", header.point_ids)
    for name in ("point_ids", "brands", "categories"):
        values = getattr(header, name)
        if len(values) > MAX_NAMES:
            yield Problem(name, f"at most {MAX_NAMES}")
        if len(set(values)) < len(values):
            yield Problem(name, "the same value stands twice")
    for name in ("brands", "categories"):
        for i, value in enumerate(getattr(header, name)):
            yield from validation.text(f"{name}[{i}]", value, required=True)
    if header.point_ids and header.point_type:
        yield Problem("point_type", "the points are named already")


def _check_snapshot(header: ImportHeader) -> Iterator[Problem]:
    if not (header.point_ids or header.point_type):
        yield Problem("point_ids", "a snapshot says which points it speaks of")
    if header.absent not in ABSENT_RULES:
        yield Problem("absent", f"not one of {', '.join(ABSENT_RULES)}")
    if header.effective_at is None:
        yield Problem("effective_at", "a snapshot says when it was taken")
    if header.cause:
        yield Problem("cause", "the cause of a snapshot is snapshot")


def _check_delta(header: ImportHeader) -> Iterator[Problem]:
    for name in ("absent", "brands", "categories"):
        if getattr(header, name):
            yield Problem(name, "only a snapshot has it")
    if header.cause:
        yield from _check_cause(header.cause)


def _check_cause(cause: str) -> Iterator[Problem]:
    if not is_cause(cause):
        yield Problem("cause", "lower case words with underscores are needed, and not snapshot")


def is_cause(cause: str) -> bool:
    """Whether a delta may have it. What a snapshot changed is never applied again, what a delta did is."""
    return cause != SNAPSHOT and validation.is_cause(cause)


def content(header: ImportHeader) -> bytes:
    """What makes two files of the same bytes the same, whoever sends them, under whatever name and request."""
    meant = {
        "kind": header.kind,
        "format": header.format,
        "compression": header.compression,
        "point_ids": sorted(header.point_ids),
        "point_type": header.point_type,
        "brands": sorted(header.brands),
        "categories": sorted(header.categories),
        "absent": header.absent,
        "source": header.source,
        "cause": header.cause,
        "effective_at": header.effective_at and header.effective_at.isoformat(),
    }
    return json.dumps(meant, sort_keys=True).encode()


# -- deltas -----------------------------------------------------------------------------------------------


class Delta(NamedTuple):
    """A record of a delta file. `sequence` None: its instant is its order."""

    nth: int
    line: int
    position: Position
    quantity: int
    sequence: int | None
    effective_at: datetime | None
    cause: str


class Heard(NamedTuple):
    """The newest delta of a source that was applied to a position."""

    sequence: int | None = None
    effective_at: datetime | None = None


@dataclass(slots=True)
class Decided:
    """What became of some deltas. `heard` is by position, as it stands after them."""

    movements: list[tuple[Movement, datetime]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    heard: dict[Position, Heard] = field(default_factory=dict)
    changed: int = 0
    unchanged: int = 0


def apply_deltas(
    job: ImportJob,
    deltas: Sequence[Delta],
    book: Book,
    heard: Mapping[Position, Heard],
    looked_at: Mapping[Position, datetime],
) -> Decided:
    """Decides deltas in their order against locked balances. One that is refused leaves the others alone.

    `heard`: the newest delta of the job's source by position; `looked_at`: when a snapshot or a count last looked.
    """
    decided = Decided()
    for delta in deltas:
        position = delta.position
        before = decided.heard.get(position) or heard.get(position) or Heard()
        at = delta.effective_at or job.effective_at
        if why := _late(delta, at, before, looked_at.get(position)):
            decided.rejections.append(_rejection(delta, "LATE", why))
            continue
        try:
            if delta.quantity:
                cause = Cause(delta.cause or job.cause, job.actor, job.job_id)
                adjust(book, position, delta.quantity, cause)
                decided.movements.append((book.movements[-1], at))
        except FailedPrecondition as broken:
            decided.rejections.append(_rejection(delta, broken.reason, broken.detail))
            continue
        decided.changed += delta.quantity != 0
        decided.unchanged += delta.quantity == 0
        decided.heard[position] = Heard(
            before.sequence if delta.sequence is None else delta.sequence,
            delta.effective_at or before.effective_at,
        )
    return decided


def _late(delta: Delta, at: datetime, before: Heard, looked_at: datetime | None) -> str:
    """Why it no longer counts; empty if it does. A sequence decides where there is one."""
    if looked_at is not None and at <= looked_at:
        return f"the position was looked at {looked_at.isoformat()}, not before {at.isoformat()}"
    if delta.sequence is not None:
        if before.sequence is not None and delta.sequence <= before.sequence:
            return f"the sequence {delta.sequence} is not after {before.sequence}, the last one applied"
    elif before.effective_at is not None and at <= before.effective_at:
        return f"the effective_at {at.isoformat()} is not after {before.effective_at.isoformat()}"
    return ""


def _rejection(delta: Delta, reason: str, detail: str) -> Rejection:
    order = delta.effective_at.isoformat() if delta.sequence is None and delta.effective_at else delta.sequence
    return Rejection(
        delta.line, reason, detail, f"{delta.position.sku},{delta.position.point_id},{delta.quantity},{order}"
    )
