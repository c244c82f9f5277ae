"""SQL of pick lists. Who has a work is with the work, in store.py."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import NotFound
from services.orders import documents as doc
from services.orders import store
from services.orders.domain import picking, substituting
from services.orders.domain.model import Fulfilment
from services.orders.store import FULFILMENT_JSON

MAX_LISTED = 200


@dataclass(frozen=True, slots=True)
class ListedWork:
    """A work on a list, as it is now, and what its channel calls its order."""

    fulfilment: Fulfilment
    channel_order_number: str
    channel_id: str = ""
    # Of open work of a list that is read by itself.
    substitutable: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PickList:
    """Works that somebody picks together, in the order of their containers."""

    pick_list_id: str
    point_id: str
    actor: str
    opened_at: datetime
    closed_at: datetime | None
    works: Sequence[ListedWork]


# Who proposes work waits for who does so at the same point: else both would want the same.
_LOCK_POINT = text("SELECT pg_advisory_xact_lock(hashtext('pick_list'), hashtext(:point_id))")
_PROPOSED = text(
    """SELECT fulfilment_id FROM fulfilment f
       WHERE state = 'accepted' AND point_id = :point_id AND picking IS NULL
         AND (cardinality(CAST(:brands AS text[])) = 0
              OR EXISTS (SELECT 1 FROM order_line n
                         WHERE n.order_id = f.order_id AND n.brand = ANY(:brands)
                           AND f.lines @> jsonb_build_array(jsonb_build_object('line_number', n.line_number))))
       ORDER BY hand_over_by, fulfilment_id"""
)
_ORDERS = text(
    "SELECT fulfilment_id, order_id FROM fulfilment WHERE fulfilment_id = ANY(CAST(:fulfilment_ids AS text[]))"
)
_ADD = text(
    """INSERT INTO pick_list (pick_list_id, point_id, actor, opened_at, works)
       VALUES (:pick_list_id, :point_id, :actor, :opened_at, CAST(:works AS text[]))"""
)
_LOCK = text("SELECT closed_at, actor, point_id, works FROM pick_list WHERE pick_list_id = :id FOR UPDATE")
_CLOSE = text("UPDATE pick_list SET closed_at = :at WHERE pick_list_id = :id")
_READ = f"""
    SELECT l.pick_list_id, l.point_id, l.actor, l.opened_at, l.closed_at,
           (SELECT jsonb_agg(jsonb_build_object('fulfilment', {FULFILMENT_JSON},
                                                'channel_order_number', o.channel_order_number,
                                                'channel_id', o.channel_id)
                             ORDER BY array_position(l.works, f.fulfilment_id))
            FROM fulfilment f JOIN orders o ON o.order_id = f.order_id
            LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
            WHERE f.fulfilment_id = ANY(l.works)) AS works
    FROM pick_list l
"""
# Of these orders, those whose customer takes something else instead of a line.
_ALLOWING = text(
    """SELECT DISTINCT order_id FROM order_line
       WHERE order_id = ANY(CAST(:order_ids AS text[])) AND allow_substitutes"""
)
_READ_ONE = text(f"{_READ} WHERE l.pick_list_id = :id")
_READ_OPEN = text(
    f"""{_READ} WHERE l.closed_at IS NULL AND l.point_id = ANY(CAST(:point_ids AS text[]))
        ORDER BY l.opened_at, l.pick_list_id LIMIT :limit"""
)


@dataclass(frozen=True, slots=True)
class Locked:
    """A list under lock, with the ids of its works."""

    point_id: str
    actor: str
    works: Sequence[str]
    is_closed: bool


async def lock_point(tx: AsyncConnection, point_id: str) -> None:
    """Until the transaction ends nobody else opens a list there."""
    await tx.execute(_LOCK_POINT, {"point_id": point_id})


async def proposed(tx: AsyncConnection, point_id: str, brands: Collection[str]) -> list[str]:
    """Accepted work of a point that nobody picks, what must leave first first; no brands: of all."""
    return list((await tx.execute(_PROPOSED, {"point_id": point_id, "brands": list(brands)})).scalars())


async def orders_of(tx: AsyncConnection, fulfilment_ids: Sequence[str]) -> dict[str, str]:
    """The order of each of these works that exists."""
    rows = await tx.execute(_ORDERS, {"fulfilment_ids": list(fulfilment_ids)})
    return {row.fulfilment_id: row.order_id for row in rows}


async def add(
    tx: AsyncConnection, pick_list_id: str, point_id: str, actor: str, at: datetime, works: Sequence[str]
) -> None:
    """Keeps an open list."""
    values = {"pick_list_id": pick_list_id, "point_id": point_id, "actor": actor, "opened_at": at}
    await tx.execute(_ADD, {**values, "works": list(works)})


async def lock(tx: AsyncConnection, pick_list_id: str) -> Locked:
    """NotFound / PICK_LIST_NOT_FOUND."""
    row = (await tx.execute(_LOCK, {"id": pick_list_id})).one_or_none()
    if row is None:
        raise no_pick_list(pick_list_id)
    return Locked(row.point_id, row.actor, row.works, row.closed_at is not None)


async def close(tx: AsyncConnection, pick_list_id: str, at: datetime) -> None:
    """Nothing is picked by it any more."""
    await tx.execute(_CLOSE, {"id": pick_list_id, "at": at})


async def read(tx: AsyncConnection, pick_list_id: str) -> PickList:
    """With its works as they are now. NotFound / PICK_LIST_NOT_FOUND."""
    row = (await tx.execute(_READ_ONE, {"id": pick_list_id})).one_or_none()
    if row is None:
        raise no_pick_list(pick_list_id)
    return await _with_substitutable(tx, _to_pick_list(row))


async def _with_substitutable(tx: AsyncConnection, found: PickList) -> PickList:
    """The rule knows whole orders: only those are read of which a customer allows anything."""
    wanted = [one.fulfilment.order_id for one in found.works if picking.is_on(one.fulfilment, found.pick_list_id)]
    allowing = (await tx.execute(_ALLOWING, {"order_ids": wanted})).scalars() if wanted else ()
    orders = {view.order.order_id: view.order for view in await store.read_whole(tx, sorted(allowing))}
    works = [
        replace(one, substitutable=substituting.substitutable(orders[one.fulfilment.order_id], one.fulfilment))
        if one.fulfilment.order_id in orders and picking.is_on(one.fulfilment, found.pick_list_id)
        else one
        for one in found.works
    ]
    return replace(found, works=works)


async def list_open(tx: AsyncConnection, point_ids: Sequence[str]) -> list[PickList]:
    """The oldest first."""
    rows = await tx.execute(_READ_OPEN, {"point_ids": list(point_ids), "limit": MAX_LISTED})
    return [_to_pick_list(row) for row in rows]


def no_pick_list(pick_list_id: str) -> NotFound:
    """What is answered about a list that does not exist, or not for the caller."""
    return NotFound(
        "PICK_LIST_NOT_FOUND", "there is no such pick list", field="pick_list_id", pick_list_id=pick_list_id
    )


def _to_pick_list(row: Any) -> PickList:
    works = [
        ListedWork(
            doc.FULFILMENT.validate_python(one["fulfilment"]), one["channel_order_number"], one["channel_id"]
        )
        for one in row.works
    ]
    return PickList(row.pick_list_id, row.point_id, row.actor, row.opened_at, row.closed_at, works)
