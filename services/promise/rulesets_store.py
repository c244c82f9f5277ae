"""The SQL of rulesets: versions, drafts and changes. Returns domain objects; never commits."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, delete, null, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.promise import tables
from services.promise.domain.ruleset_versions import Act, Change, Draft, Rulebook, Version, Withdrawal
from services.promise.domain.rulesets import Ruleset

_RULESET = TypeAdapter(Ruleset)
_PUBLICATIONS = (Act.PUBLISHED, Act.ROLLED_BACK)


async def rulebooks(tx: AsyncConnection) -> dict[str, Rulebook]:
    """Every ruleset by its id, in id order. There are few."""
    last = await tx.execute(
        select(tables.ruleset_change)
        .ext(distinct_on(tables.ruleset_change.c.ruleset_id))
        .order_by(tables.ruleset_change.c.ruleset_id, tables.ruleset_change.c.revision.desc())
    )
    versions: dict[str, list[Version]] = {}
    for row in await tx.execute(_versions().order_by(tables.ruleset.c.ruleset_id, tables.ruleset.c.version)):
        versions.setdefault(row.ruleset_id, []).append(_version(row))
    drafts = {row.ruleset_id: _draft(row) for row in await tx.execute(select(tables.ruleset_draft))}
    return {
        row.ruleset_id: Rulebook(
            ruleset_id=row.ruleset_id,
            revision=row.revision,
            changed_by=row.actor,
            changed_at=row.changed_at,
            versions=tuple(versions.get(row.ruleset_id, ())),
            draft=drafts.get(row.ruleset_id),
        )
        for row in last
    }


async def changes(tx: AsyncConnection, ruleset_id: str, before: int, limit: int) -> list[Change]:
    """Below a revision, newest first."""
    table = tables.ruleset_change
    found = await tx.execute(
        select(table)
        .where(table.c.ruleset_id == ruleset_id, table.c.revision < before)
        .order_by(table.c.revision.desc())
        .limit(limit)
    )
    return [
        Change(
            revision=row.revision,
            act=Act(row.act),
            at=row.changed_at,
            actor=row.actor,
            reason=row.reason,
            before=_ruleset(row.before),
            after=_ruleset(row.after),
            version=row.version or 0,
            effective_at=row.effective_at,
            restored=row.restored or 0,
        )
        for row in found
    ]


async def add_version(tx: AsyncConnection, version: Version) -> None:
    """A new one; its change tells who published it and why."""
    await tx.execute(
        insert(tables.ruleset).values(
            ruleset_id=version.ruleset.ruleset_id,
            version=version.number,
            document=_document(version.ruleset),
            published_at=version.published_at,
            effective_at=version.effective_at,
        )
    )


async def put_draft(tx: AsyncConnection, draft: Draft) -> None:
    """Opens it or replaces it."""
    values = {
        "document": _document(draft.ruleset),
        "saved_at": draft.saved_at,
        "saved_by": draft.saved_by,
        "reason": draft.reason,
    }
    statement = insert(tables.ruleset_draft).values(ruleset_id=draft.ruleset.ruleset_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["ruleset_id"], set_=values))


async def close_draft(tx: AsyncConnection, ruleset_id: str) -> None:
    """There is none any more."""
    await tx.execute(delete(tables.ruleset_draft).where(tables.ruleset_draft.c.ruleset_id == ruleset_id))


async def add_change(tx: AsyncConnection, ruleset_id: str, change: Change) -> None:
    """The next one of its ruleset."""
    await tx.execute(
        insert(tables.ruleset_change).values(
            ruleset_id=ruleset_id,
            revision=change.revision,
            act=change.act,
            changed_at=change.at,
            actor=change.actor,
            reason=change.reason,
            version=change.version or None,
            effective_at=change.effective_at,
            restored=change.restored or None,
            before=_document(change.before),
            after=_document(change.after),
        )
    )


def _versions() -> Select[Any]:
    """Versions with who published them and who took them back."""
    version = tables.ruleset
    published = tables.ruleset_change.alias("published")
    withdrawn = tables.ruleset_change.alias("withdrawn")
    same = (published.c.ruleset_id == version.c.ruleset_id) & (published.c.version == version.c.version)
    taken_back = (withdrawn.c.ruleset_id == version.c.ruleset_id) & (withdrawn.c.version == version.c.version)
    return select(
        version,
        published.c.actor,
        published.c.reason,
        published.c.restored,
        withdrawn.c.changed_at.label("withdrawn_at"),
        withdrawn.c.actor.label("withdrawn_by"),
        withdrawn.c.reason.label("withdrawn_reason"),
    ).select_from(
        version.join(published, same & published.c.act.in_(_PUBLICATIONS)).outerjoin(
            withdrawn, taken_back & (withdrawn.c.act == Act.WITHDRAWN)
        )
    )


def _version(row: Row[Any]) -> Version:
    return Version(
        ruleset=_RULESET.validate_python(row.document),
        effective_at=row.effective_at,
        published_at=row.published_at,
        published_by=row.actor,
        reason=row.reason,
        restored=row.restored or 0,
        withdrawal=(
            Withdrawal(row.withdrawn_at, row.withdrawn_by, row.withdrawn_reason) if row.withdrawn_at else None
        ),
    )


def _draft(row: Row[Any]) -> Draft:
    return Draft(_RULESET.validate_python(row.document), row.saved_at, row.saved_by, row.reason)


def _ruleset(document: Mapping[str, Any] | None) -> Ruleset | None:
    return None if document is None else _RULESET.validate_python(document)


def _document(ruleset: Ruleset | None) -> Any:
    return null() if ruleset is None else _RULESET.dump_python(ruleset, mode="json")
