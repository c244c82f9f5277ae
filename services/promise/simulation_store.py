"""All SQL of simulations as jobs, and of the files that they read. Never commits."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.promise.domain.compared import Result
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.simulations import Setup, Simulation, State, StoredFile

_SETUP = TypeAdapter(Setup)
_RULESET = TypeAdapter(Ruleset)
_RESULT = TypeAdapter(Result)

_COLUMNS = """simulation_id, number, setup, live, actor, state, reason, detail, planned, total, received_at,
              started_at, ended_at"""
_FILE = "file_id, file_name, upload_id, gzip, bytes"


def _simulation(row: Any, result: Any = None) -> Simulation:
    values = dict(row._mapping)
    values.pop("result", None)
    values["setup"] = _SETUP.validate_python(values["setup"])
    values["live"] = _RULESET.validate_python(values["live"])
    values["state"] = State(values["state"])
    return Simulation(**values, result=None if result is None else _RESULT.validate_python(result))


# -- jobs -----------------------------------------------------------------------------------------------------


async def add(
    tx: AsyncConnection,
    simulation_id: str,
    request_id: str,
    digest: bytes,
    setup: Setup,
    live: Ruleset,
    actor: str,
    now: datetime,
) -> bool:
    """A new job; False when the request id was used before."""
    added = await tx.execute(
        text(
            """INSERT INTO simulation (simulation_id, request_id, digest, setup, live, actor, received_at)
               VALUES (:simulation_id, :request_id, :digest, CAST(:setup AS jsonb), CAST(:live AS jsonb), :actor,
                       :now)
               ON CONFLICT (request_id) DO NOTHING RETURNING number"""
        ),
        {
            "simulation_id": simulation_id,
            "request_id": request_id,
            "digest": digest,
            "setup": _SETUP.dump_json(setup).decode(),
            "live": _RULESET.dump_json(live).decode(),
            "actor": actor,
            "now": now,
        },
    )
    return added.first() is not None


async def find_request(tx: AsyncConnection, request_id: str) -> tuple[str, bytes] | None:
    """The job that a request made, and the digest of the request."""
    found = await tx.execute(
        text("SELECT simulation_id, digest FROM simulation WHERE request_id = :request_id"),
        {"request_id": request_id},
    )
    return None if (row := found.first()) is None else (row.simulation_id, bytes(row.digest))


async def get(tx: AsyncConnection, simulation_id: str, *, lock: bool = False) -> Simulation | None:
    """A job with its result, under lock if asked; None if there is none."""
    locking = "FOR NO KEY UPDATE" if lock else ""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS}, result FROM simulation WHERE simulation_id = :simulation_id {locking}"),
        {"simulation_id": simulation_id},
    )
    return None if (row := found.first()) is None else _simulation(row, row.result)


async def newest(tx: AsyncConnection, before: int, limit: int) -> list[Simulation]:
    """Jobs with a number below one, newest first, without their results."""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM simulation WHERE number < :before ORDER BY number DESC LIMIT :limit"),
        {"before": before, "limit": limit},
    )
    return [_simulation(row) for row in found]


async def next_received(tx: AsyncConnection) -> Simulation | None:
    """The oldest job that waits."""
    found = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM simulation WHERE state = 'received' ORDER BY number LIMIT 1")
    )
    return None if (row := found.first()) is None else _simulation(row)


async def is_anything_left(tx: AsyncConnection) -> bool:
    """Whether a job waits or is said to run."""
    found = await tx.execute(text("SELECT EXISTS (SELECT FROM simulation WHERE state IN ('received', 'running'))"))
    return bool(found.scalar_one())


async def begin(tx: AsyncConnection, simulation_id: str, now: datetime) -> bool:
    """received -> running; False when somebody cancelled it."""
    begun = await tx.execute(
        text(
            """UPDATE simulation SET state = 'running', started_at = :now, planned = 0, total = 0
               WHERE simulation_id = :simulation_id AND state = 'received'"""
        ),
        {"simulation_id": simulation_id, "now": now},
    )
    return begun.rowcount == 1


async def tell_progress(tx: AsyncConnection, simulation_id: str, planned: int, total: int) -> bool:
    """How far it is; whether it still goes on."""
    told = await tx.execute(
        text(
            """UPDATE simulation SET planned = :planned, total = :total
               WHERE simulation_id = :simulation_id AND state = 'running'"""
        ),
        {"simulation_id": simulation_id, "planned": planned, "total": total},
    )
    return told.rowcount == 1


async def complete(tx: AsyncConnection, simulation_id: str, result: Result, now: datetime) -> bool:
    """running -> done; False when somebody cancelled it."""
    done = await tx.execute(
        text(
            """UPDATE simulation SET state = 'done', result = CAST(:result AS jsonb), ended_at = :now,
                      planned = :orders, total = :orders
               WHERE simulation_id = :simulation_id AND state = 'running'"""
        ),
        {
            "simulation_id": simulation_id,
            "result": _RESULT.dump_json(result).decode(),
            "orders": result.orders,
            "now": now,
        },
    )
    return done.rowcount == 1


async def end(
    tx: AsyncConnection, simulation_id: str, state: State, now: datetime, reason: str, detail: str
) -> None:
    """The job ends without a result, if it had not ended."""
    await tx.execute(
        text(
            """UPDATE simulation SET state = :state, ended_at = :now, reason = :reason, detail = :detail
               WHERE simulation_id = :simulation_id AND state IN ('received', 'running')"""
        ),
        {"simulation_id": simulation_id, "state": state, "now": now, "reason": reason, "detail": detail},
    )


async def restart(tx: AsyncConnection, simulation_id: str) -> None:
    """A job that ended without a result waits again."""
    await tx.execute(
        text(
            """UPDATE simulation SET state = 'received', reason = '', detail = '', planned = 0, total = 0,
                      started_at = NULL, ended_at = NULL
               WHERE simulation_id = :simulation_id"""
        ),
        {"simulation_id": simulation_id},
    )


# -- whose turn it is -----------------------------------------------------------------------------------------


async def is_nobodys_turn(tx: AsyncConnection) -> bool:
    """Whether no session works a job; if so none begins until this transaction ends."""
    found = await tx.execute(text("SELECT pg_try_advisory_xact_lock(hashtext('simulation/turn'))"))
    return bool(found.scalar_one())


async def take_turn(tx: AsyncConnection) -> None:
    """Returns when this session works jobs, until it ends. Waits no longer than for any lock."""
    await tx.execute(text("SELECT pg_advisory_lock(hashtext('simulation/turn'))"))


async def give_turn_back(tx: AsyncConnection) -> None:
    """Another session may work jobs."""
    await tx.execute(text("SELECT pg_advisory_unlock(hashtext('simulation/turn'))"))


async def mark_interrupted(tx: AsyncConnection, now: datetime) -> int:
    """Jobs that are said to run while it is nobody's turn: their process died. How many."""
    marked = await tx.execute(
        text(
            """UPDATE simulation SET state = 'interrupted', ended_at = :now, reason = 'INTERRUPTED',
                      detail = 'its process ended before it was done'
               WHERE state = 'running'"""
        ),
        {"now": now},
    )
    return marked.rowcount


# -- files ----------------------------------------------------------------------------------------------------


async def keep_content(tx: AsyncConnection, upload_id: str, nth: int, content: bytes) -> None:
    """One portion of a file."""
    await tx.execute(
        text("INSERT INTO simulation_content (upload_id, nth, content) VALUES (:upload_id, :nth, :content)"),
        {"upload_id": upload_id, "nth": nth, "content": content},
    )


async def content(tx: AsyncConnection, upload_id: str, nth: int) -> bytes | None:
    """A portion, counted from 0; None after the last."""
    found = await tx.execute(
        text("SELECT content FROM simulation_content WHERE upload_id = :upload_id AND nth = :nth"),
        {"upload_id": upload_id, "nth": nth},
    )
    value = found.scalar_one_or_none()
    return None if value is None else bytes(value)


async def forget_content(tx: AsyncConnection, upload_id: str) -> None:
    """Portions that no file came of."""
    await tx.execute(text("DELETE FROM simulation_content WHERE upload_id = :upload_id"), {"upload_id": upload_id})


async def add_file(tx: AsyncConnection, file: StoredFile, now: datetime) -> StoredFile:
    """A new file, or the one of the same bytes that is kept already."""
    added = await tx.execute(
        text(
            f"""INSERT INTO simulation_file (file_id, file_name, upload_id, gzip, bytes, used_at)
                VALUES (:file_id, :file_name, :upload_id, :gzip, :bytes, :now)
                ON CONFLICT (file_id) DO UPDATE SET used_at = excluded.used_at RETURNING {_FILE}"""
        ),
        {
            "file_id": file.file_id,
            "file_name": file.file_name,
            "upload_id": file.upload_id,
            "gzip": file.gzip,
            "bytes": file.bytes,
            "now": now,
        },
    )
    return StoredFile(**added.one()._mapping)


async def use_file(tx: AsyncConnection, file_id: str, now: datetime) -> StoredFile | None:
    """A file that is needed now; None when there is none."""
    found = await tx.execute(
        text(f"UPDATE simulation_file SET used_at = :now WHERE file_id = :file_id RETURNING {_FILE}"),
        {"file_id": file_id, "now": now},
    )
    return None if (row := found.first()) is None else StoredFile(**row._mapping)


async def get_file(tx: AsyncConnection, file_id: str) -> StoredFile | None:
    """A file; None when there is none."""
    found = await tx.execute(
        text(f"SELECT {_FILE} FROM simulation_file WHERE file_id = :file_id"), {"file_id": file_id}
    )
    return None if (row := found.first()) is None else StoredFile(**row._mapping)


async def forget_files(tx: AsyncConnection, used_before: datetime, begun_before: datetime) -> int:
    """Removes files that nobody used for long, and portions that never became one; how many files."""
    gone = await tx.execute(
        text("DELETE FROM simulation_file WHERE used_at < :used_before"), {"used_before": used_before}
    )
    await tx.execute(
        text(
            """DELETE FROM simulation_content AS c WHERE recorded_at < :begun_before
                 AND NOT EXISTS (SELECT FROM simulation_file AS f WHERE f.upload_id = c.upload_id)"""
        ),
        {"begun_before": begun_before},
    )
    return gone.rowcount
