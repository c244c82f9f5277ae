"""What each setting was, and who changed it when (SPEC PLT-7): one row for each change that was really one."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.catalogue import Channel, Edit, Item, StockPoint, Version


async def keep(
    tx: AsyncConnection, kind: str, changed: Mapping[str, Item | StockPoint | Channel], edit: Edit
) -> None:
    """Adds the new state of each key. The caller holds the row's lock, so that versions follow each other."""
    if not changed:
        return
    await tx.execute(
        text(
            """INSERT INTO setting_version (kind, key, version, recorded_at, actor, content)
               SELECT :kind, key,
                      1 + coalesce((SELECT max(version) FROM setting_version AS kept
                                    WHERE kept.kind = :kind AND kept.key = given.key), 0),
                      :as_of, :actor, CAST(content AS jsonb)
               FROM unnest(CAST(:keys AS text[]), CAST(:contents AS text[])) AS given(key, content)"""
        ),
        {
            "kind": kind,
            "as_of": edit.as_of,
            "actor": edit.actor,
            "keys": list(changed),
            "contents": [json.dumps(asdict(value), default=_json) for value in changed.values()],
        },
    )


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return sorted(value)


async def versions(tx: AsyncConnection, kind: str, key: str, before: int, limit: int) -> list[Version]:
    """The versions of one setting below a number, newest first."""
    rows = await tx.execute(
        text(
            """SELECT version, recorded_at, actor, CAST(content AS text) FROM setting_version
               WHERE kind = :kind AND key = :key AND version < :before ORDER BY version DESC LIMIT :limit"""
        ),
        {"kind": kind, "key": key, "before": before, "limit": limit},
    )
    return [Version(*row) for row in rows]
