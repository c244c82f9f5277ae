"""Import jobs: the files as they came, how far each is worked, and the records that were not applied."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import Unavailable
from services.inventory.domain.imports import Counts, ImportHeader, ImportJob, Rejection

_COUNTS = tuple(field.name for field in fields(Counts))
_PLAIN = tuple(field.name for field in fields(ImportJob) if field.name != "counts")
_COLUMNS = ", ".join((*_PLAIN, *_COUNTS))
_UNFINISHED = "state IN ('received', 'running')"
_ENDED = "state IN ('done', 'failed', 'cancelled')"
_FORGOTTEN_AT_ONCE = 50_000


def _job(row: Any) -> ImportJob:
    values = {name: getattr(row, name) for name in _PLAIN}
    for name in ("point_ids", "brands", "categories"):
        values[name] = tuple(values[name])
    values["file_digest"] = bytes(values["file_digest"])
    return ImportJob(**values, counts=Counts(**{name: getattr(row, name) for name in _COUNTS}))


# -- the file ---------------------------------------------------------------------------------------------


async def keep_content(tx: AsyncConnection, upload_id: str, nth: int, content: bytes) -> None:
    """One portion of a file."""
    await tx.execute(
        text("INSERT INTO import_content (upload_id, nth, content) VALUES (:upload_id, :nth, :content)"),
        {"upload_id": upload_id, "nth": nth, "content": content},
    )


async def content(tx: AsyncConnection, upload_id: str, nth: int) -> bytes | None:
    """A portion, counted from 0; None after the last."""
    found = await tx.execute(
        text("SELECT content FROM import_content WHERE upload_id = :upload_id AND nth = :nth"),
        {"upload_id": upload_id, "nth": nth},
    )
    value = found.scalar_one_or_none()
    return None if value is None else bytes(value)


async def forget_content(tx: AsyncConnection, upload_id: str) -> None:
    """A file that no job came of."""
    await tx.execute(text("DELETE FROM import_content WHERE upload_id = :upload_id"), {"upload_id": upload_id})


async def forget_orphans(tx: AsyncConnection, before: datetime) -> None:
    """Files that began to come before an instant, and whose sender or receiver then died."""
    await tx.execute(
        text(
            """DELETE FROM import_content AS c WHERE recorded_at < :before
                 AND NOT EXISTS (SELECT FROM import_job AS j WHERE j.upload_id = c.upload_id)"""
        ),
        {"before": before},
    )


# -- jobs -------------------------------------------------------------------------------------------------


async def add(
    tx: AsyncConnection,
    header: ImportHeader,
    *,
    job_id: str,
    upload_id: str,
    fingerprint: bytes,
    digest: bytes,
    size: int,
    point_ids: Sequence[str],
    cause: str,
) -> tuple[ImportJob, bool]:
    """A new job, or the one that the same file came to; whether it is new."""
    given = asdict(header) | {
        "job_id": job_id,
        "upload_id": upload_id,
        "fingerprint": fingerprint,
        "digest": digest,
        "size": size,
        "point_ids": list(point_ids),
        "brands": list(header.brands),
        "categories": list(header.categories),
        "cause": cause,
        "effective_at": header.effective_at or header.as_of,
    }
    added = await tx.execute(
        text(
            f"""INSERT INTO import_job
                    (job_id, upload_id, fingerprint, file_name, file_digest, kind, format, compression, point_ids,
                     brands, categories, absent, source, cause, actor, effective_at, bytes, received_at)
                VALUES (:job_id, :upload_id, :fingerprint, :file_name, :digest, :kind, :format, :compression,
                        CAST(:point_ids AS text[]), CAST(:brands AS text[]), CAST(:categories AS text[]), :absent,
                        :source, :cause, :actor, :effective_at, :size, :as_of)
                ON CONFLICT (fingerprint) WHERE state IN ('received', 'running', 'done') DO NOTHING
                RETURNING {_COLUMNS}"""
        ),
        given,
    )
    if (row := added.first()) is not None:
        return _job(row), True
    found = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM import_job
                WHERE fingerprint = :fingerprint AND state IN ('received', 'running', 'done')"""
        ),
        {"fingerprint": fingerprint},
    )
    if (row := found.first()) is None:
        raise Unavailable("IMPORT_ENDING", "the same file has just failed or been cancelled; send it again")
    return _job(row), False


async def get(tx: AsyncConnection, job_id: str, *, lock: bool = False) -> ImportJob | None:
    """A job, under lock if asked; None if there is none."""
    # Not FOR UPDATE: rejections refer to the job, and are written while it may be cancelled.
    locking = "FOR NO KEY UPDATE" if lock else ""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM import_job WHERE job_id = :job_id {locking}"), {"job_id": job_id}
    )
    return None if (row := found.first()) is None else _job(row)


async def newest(tx: AsyncConnection, before: int, limit: int) -> list[ImportJob]:
    """Jobs with a number below one, newest first."""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM import_job WHERE number < :before ORDER BY number DESC LIMIT :limit"),
        {"before": before, "limit": limit},
    )
    return [_job(row) for row in found]


async def next_unfinished(tx: AsyncConnection) -> ImportJob | None:
    """The oldest job that has not ended."""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM import_job WHERE {_UNFINISHED} ORDER BY number LIMIT 1")
    )
    return None if (row := found.first()) is None else _job(row)


async def take_turn(tx: AsyncConnection) -> bool:
    """Whether this transaction works jobs now. One at a time does, until it ends or dies."""
    found = await tx.execute(text("SELECT pg_try_advisory_xact_lock(hashtext('import/turn'))"))
    return bool(found.scalar_one())


async def tell_progress(tx: AsyncConnection, job_id: str, read: int, bytes_read: int, now: datetime) -> bool:
    """How far the file is read; whether the job still goes on."""
    told = await tx.execute(
        text(
            f"""UPDATE import_job SET state = 'running', started_at = coalesce(started_at, :now),
                       read = :read, bytes_read = :bytes_read
                WHERE job_id = :job_id AND {_UNFINISHED}"""
        ),
        {"job_id": job_id, "read": read, "bytes_read": bytes_read, "now": now},
    )
    return told.rowcount == 1


_PREPARED = text(
    f"""
UPDATE import_job SET prepared = true, bytes_read = bytes, read = :read, late = judged.late,
       rejected = judged.rejected, planned = plan.last, reason = :reason, detail = :detail,
       unchanged = :read - judged.late - judged.rejected - plan.records
FROM (SELECT count(*) FILTER (WHERE reason = 'LATE') AS late, count(*) FILTER (WHERE reason <> 'LATE') AS rejected
      FROM import_rejection WHERE job_id = :job_id) AS judged,
     (SELECT count(*) FILTER (WHERE line > 0) AS records, coalesce(max(nth), 0) AS last
      FROM import_change WHERE job_id = :job_id) AS plan
WHERE job_id = :job_id AND {_UNFINISHED}
"""
)


async def set_prepared(tx: AsyncConnection, job_id: str, read: int, reason: str, detail: str) -> bool:
    """The file is read and what may change is written down; whether the job still goes on."""
    given = {"job_id": job_id, "read": read, "reason": reason, "detail": detail}
    return (await tx.execute(_PREPARED, given)).rowcount == 1


async def move_on(tx: AsyncConnection, job_id: str, worked: int, more: Counts) -> None:
    """The changes up to one are worked."""
    added = ", ".join(f"{name} = {name} + :{name}" for name in _COUNTS)
    await tx.execute(
        text(f"UPDATE import_job SET worked = :worked, {added} WHERE job_id = :job_id"),
        {"job_id": job_id, "worked": worked, **asdict(more)},
    )


async def end(
    tx: AsyncConnection, job_id: str, state: str, now: datetime, reason: str = "", detail: str = ""
) -> None:
    """The job has ended, if it had not. A reason that it has already is kept when there is no other."""
    await tx.execute(
        text(
            f"""UPDATE import_job SET state = :state, ended_at = :now,
                       reason = coalesce(nullif(:reason, ''), reason),
                       detail = coalesce(nullif(:detail, ''), detail)
                WHERE job_id = :job_id AND {_UNFINISHED}"""
        ),
        {"job_id": job_id, "state": state, "now": now, "reason": reason, "detail": detail},
    )


async def next_full(tx: AsyncConnection) -> tuple[str, str] | None:
    """An ended job that still keeps its file or its changes: its id and its upload's."""
    found = await tx.execute(
        text(f"SELECT job_id, upload_id FROM import_job WHERE {_ENDED} AND NOT emptied ORDER BY number LIMIT 1")
    )
    return None if (row := found.first()) is None else (row.job_id, row.upload_id)


async def empty(tx: AsyncConnection, job_id: str, upload_id: str) -> None:
    """Forgets some of what an ended job no longer needs; it counts as emptied once there is no more."""
    await forget_content(tx, upload_id)
    gone = await tx.execute(
        text(
            """DELETE FROM import_change WHERE job_id = :job_id AND nth IN
                   (SELECT nth FROM import_change WHERE job_id = :job_id ORDER BY nth LIMIT :limit)"""
        ),
        {"job_id": job_id, "limit": _FORGOTTEN_AT_ONCE},
    )
    if gone.rowcount < _FORGOTTEN_AT_ONCE:
        await tx.execute(text("UPDATE import_job SET emptied = true WHERE job_id = :job_id"), {"job_id": job_id})


# -- rejections -------------------------------------------------------------------------------------------


async def reject(tx: AsyncConnection, job_id: str, rejections: Sequence[Rejection]) -> None:
    """Records that are not applied."""
    if not rejections:
        return
    lines, reasons, details, records = zip(*rejections, strict=True)
    await tx.execute(
        text(
            """INSERT INTO import_rejection (job_id, line, reason, detail, record)
               SELECT :job_id, * FROM unnest(CAST(:lines AS bigint[]), CAST(:reasons AS text[]),
                                             CAST(:details AS text[]), CAST(:records AS text[]))"""
        ),
        {
            "job_id": job_id,
            "lines": list(lines),
            "reasons": list(reasons),
            "details": list(details),
            "records": list(records),
        },
    )


async def rejections(tx: AsyncConnection, job_id: str, after: int, limit: int) -> list[Rejection]:
    """Records that were not applied, in the order of their lines after one."""
    found = await tx.execute(
        text(
            """SELECT line, reason, detail, record FROM import_rejection
               WHERE job_id = :job_id AND line > :after ORDER BY line LIMIT :limit"""
        ),
        {"job_id": job_id, "after": after, "limit": limit},
    )
    return [Rejection(*row) for row in found]
