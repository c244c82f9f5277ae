"""All SQL of promise. Returns domain objects; never commits.

Documents are jsonb of whole domain objects: they are read and written as one, and nothing queries inside them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Table, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from services.promise import capacity_store, rulesets_store, tables
from services.promise.domain.geography import Geography
from services.promise.domain.network import Box, Carrier, Position, PostcodeArea, Zone
from services.promise.domain.plans import Decision, Quote
from services.promise.terms import Terms

_BOX = TypeAdapter(Box)
_CARRIER = TypeAdapter(Carrier)
_ZONE = TypeAdapter(Zone)
_QUOTE = TypeAdapter(Quote)
_DECISION = TypeAdapter(Decision)

_DIALECT = PGDialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision with the digest of the request that it answered."""

    digest: bytes
    decision: Decision


# -- terms ----------------------------------------------------------------------------------------------------


async def terms_version(tx: AsyncConnection) -> int:
    """Rises with every change of the terms."""
    version: int = (await tx.execute(select(tables.terms_version.c.version))).scalar_one()
    return version


async def load_terms(tx: AsyncConnection) -> Terms:
    """Everything, as of one moment: call it in a REPEATABLE READ transaction."""
    version = await terms_version(tx)
    carriers = await tx.execute(select(tables.carrier.c.document).order_by(tables.carrier.c.carrier_id))
    zones = await tx.execute(select(tables.zone.c.document))
    areas = await tx.execute(select(tables.postcode_area))
    return Terms(
        version=version,
        boxes=tuple(await list_boxes(tx)),
        carriers=tuple(_CARRIER.validate_python(document) for document in carriers.scalars()),
        geography=Geography(
            [_ZONE.validate_python(document) for document in zones.scalars()],
            [
                PostcodeArea(row.country, row.prefix, Position(row.latitude, row.longitude), row.subdivision)
                for row in areas
            ],
        ),
        rulebooks=await rulesets_store.rulebooks(tx),
        limits=await capacity_store.limits(tx),
    )


async def raise_terms_version(tx: AsyncConnection) -> None:
    """Says that the terms changed. Also the lock under which terms are written."""
    await tx.execute(update(tables.terms_version).values(version=tables.terms_version.c.version + 1))


async def lock_terms(tx: AsyncConnection) -> None:
    """The same lock, for what changes no term yet."""
    await tx.execute(select(tables.terms_version.c.version).with_for_update())


async def put_carriers(tx: AsyncConnection, carriers: Sequence[Carrier]) -> int:
    """Writes the rows that differ; how many."""
    rows = [{"carrier_id": c.carrier_id, "document": _CARRIER.dump_python(c, mode="json")} for c in carriers]
    return await _put(tx, tables.carrier, ("carrier_id",), rows)


async def list_carriers(tx: AsyncConnection) -> list[Carrier]:
    """In id order."""
    found = await tx.execute(select(tables.carrier.c.document).order_by(tables.carrier.c.carrier_id))
    return [_CARRIER.validate_python(document) for document in found.scalars()]


async def put_boxes(tx: AsyncConnection, boxes: Sequence[Box]) -> int:
    """Makes these all there are; how many rows were written or removed."""
    rows = [{"box_id": box.box_id, "document": _BOX.dump_python(box, mode="json")} for box in boxes]
    gone = await tx.execute(
        delete(tables.box)
        .where(tables.box.c.box_id.not_in([box.box_id for box in boxes]))
        .returning(tables.box.c.box_id)
    )
    return len(gone.all()) + await _put(tx, tables.box, ("box_id",), rows)


async def list_boxes(tx: AsyncConnection) -> list[Box]:
    """In id order."""
    found = await tx.execute(select(tables.box.c.document).order_by(tables.box.c.box_id))
    return [_BOX.validate_python(document) for document in found.scalars()]


async def put_zones(tx: AsyncConnection, zones: Sequence[Zone]) -> int:
    """Writes the rows that differ; how many."""
    rows = [{"zone_id": z.zone_id, "document": _ZONE.dump_python(z, mode="json")} for z in zones]
    return await _put(tx, tables.zone, ("zone_id",), rows)


async def put_areas(tx: AsyncConnection, areas: Sequence[PostcodeArea]) -> int:
    """Writes the rows that differ; how many."""
    rows = [
        {
            "country": a.country,
            "prefix": a.prefix,
            "latitude": a.position.latitude,
            "longitude": a.position.longitude,
            "subdivision": a.subdivision,
        }
        for a in areas
    ]
    return await _put(tx, tables.postcode_area, ("country", "prefix"), rows)


async def _put(tx: AsyncConnection, table: Table, key: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> int:
    """One statement for any number of rows: they travel as one JSON parameter."""
    columns = [column.name for column in table.columns]
    typed = ", ".join(f"{column.name} {column.type.compile(_DIALECT)}" for column in table.columns)
    others = [name for name in columns if name not in key]
    mine, given = (", ".join(f"{side}.{name}" for name in others) for side in (table.name, "excluded"))
    written = await tx.execute(
        text(
            f"""INSERT INTO {table.name} ({", ".join(columns)})
                SELECT {", ".join(columns)} FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({typed})
                ON CONFLICT ({", ".join(key)})
                DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in others)}
                WHERE ({mine}) IS DISTINCT FROM ({given})
                RETURNING {key[0]}"""
        ),
        {"rows": json.dumps(rows)},
    )
    return len(written.all())


# -- quotes and decisions -------------------------------------------------------------------------------------


async def add_quote(tx: AsyncConnection, quote: Quote) -> None:
    """Keeps what was promised."""
    document = _QUOTE.dump_python(quote, mode="json")
    await tx.execute(
        insert(tables.quote).values(quote_id=quote.quote_id, expires_at=quote.expires_at, document=document)
    )


async def find_quote(tx: AsyncConnection, quote_id: str) -> Quote | None:
    """Expired ones too, for a while."""
    found = await tx.execute(select(tables.quote.c.document).where(tables.quote.c.quote_id == quote_id))
    document = found.scalar_one_or_none()
    return None if document is None else _QUOTE.validate_python(document)


async def forget_quotes(tx: AsyncConnection, expired_before: datetime) -> int:
    """Removes quotes that nobody can use; how many."""
    gone = await tx.execute(
        delete(tables.quote).where(tables.quote.c.expires_at < expired_before).returning(tables.quote.c.quote_id)
    )
    return len(gone.all())


async def add_decision(tx: AsyncConnection, request_id: str, digest: bytes, decision: Decision) -> bool:
    """Keeps a decision in one statement; False when the request id was used before."""
    statement, values = adding_decision(request_id, digest, decision)
    return bool(await db.rows(tx, statement, values))


_ADD_DECISION = text(
    """INSERT INTO decision (decision_id, request_id, digest, order_id, document)
       VALUES (:decision_id, :request_id, :digest, :order_id, CAST(:document AS jsonb))
       ON CONFLICT (request_id) DO NOTHING RETURNING id"""
)


def adding_decision(request_id: str, digest: bytes, decision: Decision) -> db.Statement:
    """Keeps a decision; gives nothing when the request id was used before."""
    return _ADD_DECISION, {
        "decision_id": decision.decision_id,
        "request_id": request_id,
        "digest": digest,
        "order_id": decision.order_id,
        "document": _DECISION.dump_json(decision).decode(),
    }


async def find_request(tx: AsyncConnection, request_id: str) -> Recorded | None:
    """What this request was answered."""
    found = await tx.execute(
        select(tables.decision.c.digest, tables.decision.c.document).where(
            tables.decision.c.request_id == request_id
        )
    )
    row = found.one_or_none()
    return None if row is None else Recorded(bytes(row.digest), _DECISION.validate_python(row.document))


async def find_decision(tx: AsyncConnection, decision_id: str) -> Decision | None:
    """By id."""
    found = await tx.execute(
        select(tables.decision.c.document).where(tables.decision.c.decision_id == decision_id)
    )
    document = found.scalar_one_or_none()
    return None if document is None else _DECISION.validate_python(document)


async def list_decisions(tx: AsyncConnection, order_id: str, after: int, limit: int) -> list[tuple[int, Decision]]:
    """With their numbers, oldest first, above a number. What may be large is empty: stock, points and reasons."""
    found = await tx.execute(
        text(
            """SELECT id, jsonb_set(jsonb_set(jsonb_set(jsonb_set(document,
                      '{outcome,seen}', '[]'), '{outcome,rejected}', '[]'),
                      '{record,points}', '[]'), '{record,terms}', '[]') #- '{record,capacity}' AS document
               FROM decision WHERE order_id = :order_id AND id > :after ORDER BY id LIMIT :limit"""
        ),
        {"order_id": order_id, "after": after, "limit": limit},
    )
    return [(row.id, _DECISION.validate_python(row.document)) for row in found]
