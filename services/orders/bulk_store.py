"""All SQL of bulk actions: which orders they are about, and what came of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.domain.model import HoldKind
from services.orders.domain.states import OPEN_FULFILMENT, OrderState
from services.orders.tables import fulfilment, orders


@dataclass(frozen=True, slots=True)
class BulkWish:
    """What is to be done with which orders; every part of the filter that is given has to fit."""

    act: str
    hold_kind: HoldKind | None
    reason: str
    roles: tuple[str, ...]
    channel_ids: tuple[str, ...] = ()
    state: OrderState | None = None
    held_for: HoldKind | None = None
    late: bool = False
    payment_failed: bool = False
    unclaimed: bool = False
    order_ids: tuple[str, ...] = ()
    point_id: str = ""

    @property
    def chooses(self) -> bool:
        """Whether the filter says anything."""
        flags = self.late or self.payment_failed or self.unclaimed
        return bool(self.channel_ids or self.state or self.held_for or self.order_ids or self.point_id or flags)


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A bulk action and how far it is: orders by what became of them. `pending`: with those that were asked."""

    bulk_id: str
    act: str
    hold_kind: str
    reason: str
    actor: str
    roles: tuple[str, ...]
    requested_at: datetime
    point_id: str = ""
    pending: int = 0
    done: int = 0
    refused: int = 0
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class BulkItem:
    """An order of it. `asked`: its story looks for another place. `decided_at`: None until then, or if stopped."""

    bulk_id: str
    number: int
    order_id: str
    state: str
    reason: str = ""
    detail: str = ""
    decided_at: datetime | None = None


async def chosen(tx: AsyncConnection, wish: BulkWish, limit: int) -> list[str]:
    """The ids of at most `limit` orders, oldest first."""
    o = orders.c
    query = select(o.order_id).order_by(o.placed_at, o.order_id).limit(limit)
    if wish.channel_ids:
        query = query.where(o.channel_id.in_(wish.channel_ids))
    if wish.state:
        query = query.where(o.state == wish.state.value)
    for kind in (wish.held_for, wish.hold_kind):
        if kind:
            query = query.where(o.held_for.contains([kind.value]))
    if wish.late:
        query = query.where(o.late_since.is_not(None))
    if wish.payment_failed:
        query = query.where(o.payment_failed_since.is_not(None))
    if wish.unclaimed:
        query = query.where(o.unclaimed_since.is_not(None))
    if wish.order_ids:
        query = query.where(o.order_id.in_(wish.order_ids))
    if wish.point_id:
        w = fulfilment.c
        query = query.where(
            exists().where(
                w.order_id == o.order_id, w.point_id == wish.point_id, w.state.in_(sorted(OPEN_FULFILMENT))
            )
        )
    return list((await tx.execute(query)).scalars())


_ADD = text(
    """INSERT INTO bulk_action (bulk_id, act, hold_kind, reason, actor, roles, requested_at, point_id)
       VALUES (:bulk_id, :act, :hold_kind, :reason, :actor, :roles, :requested_at, :point_id)"""
)
_ADD_ITEMS = text(
    """INSERT INTO bulk_item (bulk_id, number, order_id, state)
       SELECT :bulk_id, number, order_id, 'pending'
       FROM unnest(CAST(:order_ids AS text[])) WITH ORDINALITY AS one (order_id, number)"""
)


async def add(tx: AsyncConnection, action: BulkAction, order_ids: Sequence[str]) -> None:
    """A new one, all of it pending."""
    row = {
        "bulk_id": action.bulk_id,
        "act": action.act,
        "hold_kind": action.hold_kind,
        "reason": action.reason,
        "actor": action.actor,
        "roles": list(action.roles),
        "requested_at": action.requested_at,
        "point_id": action.point_id,
    }
    await tx.execute(_ADD, row)
    await tx.execute(_ADD_ITEMS, {"bulk_id": action.bulk_id, "order_ids": list(order_ids)})


_FIND = text(
    """SELECT a.*, count(*) FILTER (WHERE i.state IN ('pending', 'asked')) AS pending,
              count(*) FILTER (WHERE i.state = 'done') AS done,
              count(*) FILTER (WHERE i.state = 'refused') AS refused,
              count(*) FILTER (WHERE i.state = 'stopped') AS stopped
       FROM bulk_action a LEFT JOIN bulk_item i ON i.bulk_id = a.bulk_id
       WHERE a.bulk_id = :bulk_id GROUP BY a.bulk_id"""
)
_ITEMS = text(
    """SELECT * FROM bulk_item WHERE bulk_id = :bulk_id AND number > :after ORDER BY number LIMIT :size"""
)


async def find(tx: AsyncConnection, bulk_id: str) -> BulkAction | None:
    """With its counts; None when there is no such one."""
    row = (await tx.execute(_FIND, {"bulk_id": bulk_id})).one_or_none()
    return BulkAction(**{**row._mapping, "roles": tuple(row.roles)}) if row else None


async def items(tx: AsyncConnection, bulk_id: str, after: int, size: int) -> list[BulkItem]:
    """A page of its orders, by their numbers."""
    rows = await tx.execute(_ITEMS, {"bulk_id": bulk_id, "after": after, "size": size})
    return [BulkItem(**row._mapping) for row in rows]


_STOP = text("UPDATE bulk_item SET state = 'stopped' WHERE bulk_id = :bulk_id AND state = 'pending'")
# One process at a time: others find nothing to do until its transaction ends.
_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('bulk_item'))")
_PENDING = text(
    """SELECT i.* FROM bulk_item i JOIN bulk_action a ON a.bulk_id = i.bulk_id
       WHERE i.state IN ('pending', 'asked') ORDER BY a.requested_at, i.bulk_id, i.number LIMIT :limit"""
)
_DECIDED = text(
    """UPDATE bulk_item SET state = :state, reason = :reason, detail = :detail, decided_at = :decided_at
       WHERE bulk_id = :bulk_id AND number = :number AND state IN ('pending', 'asked')"""
)


async def stop(tx: AsyncConnection, bulk_id: str) -> None:
    """What is pending is left as it is."""
    await tx.execute(_STOP, {"bulk_id": bulk_id})


async def take_turn(tx: AsyncConnection, limit: int) -> list[BulkItem]:
    """The next ones to decide on; none while another process does."""
    if not (await tx.execute(_TURN)).scalar_one():
        return []
    return [BulkItem(**row._mapping) for row in await tx.execute(_PENDING, {"limit": limit})]


async def decided(tx: AsyncConnection, item: BulkItem) -> None:
    """What came of one."""
    await tx.execute(
        _DECIDED,
        {
            "bulk_id": item.bulk_id,
            "number": item.number,
            "state": item.state,
            "reason": item.reason,
            "detail": item.detail,
            "decided_at": item.decided_at,
        },
    )
