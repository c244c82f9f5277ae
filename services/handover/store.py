"""All SQL of the service. Hand-overs are locked in order of their ids, before their messages and alerts."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, insert, or_, select, text, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.handover.domain.model import (
    Alert,
    AlertKind,
    Handover,
    Heard,
    Kind,
    Message,
    MessageState,
    State,
    System,
)
from services.handover.tables import alert, cursor, handover, message, system, system_point


class CursorMoved(Exception):
    """Another replica has read on: what this one was doing has been done."""


class ClaimLost(Exception):
    """The claim ran out and another replica has the hand-over: what this one found, it finds too."""


@dataclass(frozen=True, slots=True)
class New:
    """Work that goes to a system."""

    fulfilment_id: str
    order_id: str
    channel_id: str
    system_id: str
    point_id: str
    acknowledge_by: datetime


# -- cursors ----------------------------------------------------------------------------------------------


async def read_cursor(tx: AsyncConnection, source: str) -> int:
    """The number of the last event that was read; 0 at the beginning."""
    found = await tx.scalar(select(cursor.c.sequence).where(cursor.c.source == source))
    return int(found or 0)


async def advance_cursor(tx: AsyncConnection, source: str, after: int, to: int) -> None:
    """Moves the cursor from `after` to `to`. Raises CursorMoved if it is not at `after`."""
    await tx.execute(upsert(cursor).values(source=source, sequence=0).on_conflict_do_nothing())
    moved = await tx.execute(
        update(cursor)
        .where(cursor.c.source == source, cursor.c.sequence == after)
        .values(sequence=to)
        .returning(cursor.c.sequence)
    )
    if moved.first() is None:
        raise CursorMoved(f"{source} is no longer at {after}")


# -- systems ----------------------------------------------------------------------------------------------


async def lock_systems(tx: AsyncConnection) -> list[System]:
    """All of them, and nobody changes any before the caller commits."""
    await tx.execute(text("LOCK TABLE system IN SHARE ROW EXCLUSIVE MODE"))
    return await list_systems(tx)


async def list_systems(tx: AsyncConnection) -> list[System]:
    """By id."""
    points = defaultdict(list)
    for row in await tx.execute(select(system_point).order_by(system_point.c.point_id)):
        points[row.system_id].append(row.point_id)
    rows = await tx.execute(select(system).order_by(system.c.system_id))
    return [
        System(
            row.system_id,
            row.name,
            tuple(points[row.system_id]),
            row.enabled,
            row.acknowledge_tolerance_seconds,
            row.ship_tolerance_seconds,
        )
        for row in rows
    ]


async def write_systems(tx: AsyncConnection, systems: Sequence[System], actor: str, at: datetime) -> None:
    """Creates or replaces them."""
    ids = [one.system_id for one in systems]
    await tx.execute(delete(system_point).where(system_point.c.system_id.in_(ids)))
    for one in systems:
        values = {
            "name": one.name,
            "enabled": one.enabled,
            "acknowledge_tolerance_seconds": one.acknowledge_tolerance_seconds,
            "ship_tolerance_seconds": one.ship_tolerance_seconds,
            "changed_at": at,
            "changed_by": actor,
        }
        await tx.execute(
            upsert(system)
            .values(system_id=one.system_id, **values)
            .on_conflict_do_update(index_elements=["system_id"], set_=values)
        )
    points = [{"point_id": each, "system_id": one.system_id} for one in systems for each in one.point_ids]
    if points:
        await tx.execute(insert(system_point), points)


# -- hand-overs -------------------------------------------------------------------------------------------

_HANDOVER = (
    handover.c.position,
    handover.c.fulfilment_id,
    handover.c.order_id,
    handover.c.channel_id,
    handover.c.system_id,
    handover.c.point_id,
    handover.c.state,
    handover.c.created_at,
    handover.c.acknowledge_by,
    handover.c.ship_by,
    handover.c.ended_at,
    handover.c.sent_at,
    handover.c.heard_at,
    handover.c.poll_at,
    handover.c.due_at,
    handover.c.attempts,
    handover.c.last_error,
)
_OPEN_ALERT = select(alert.c.alert_id).where(
    alert.c.fulfilment_id == handover.c.fulfilment_id, alert.c.closed_at.is_(None)
)


async def add_handovers(tx: AsyncConnection, new: Sequence[New], now: datetime) -> None:
    """Work to send; what is there already stays as it is."""
    if new:
        values = [
            {
                **{name: getattr(one, name) for name in New.__slots__},
                "state": "to_send",
                "created_at": now,
                "due_at": now,
            }
            for one in new
        ]
        await tx.execute(upsert(handover).values(values).on_conflict_do_nothing())


async def wake(
    tx: AsyncConnection, fulfilment_ids: Collection[str], now: datetime, *, heard: bool = False
) -> None:
    """Somebody has to look at them now; also once more, if somebody is looking already.

    The lock is one that rows which refer to them, in this transaction or another, do not stand in the way of.
    """
    ids = sorted(set(fulfilment_ids))
    locked = select(handover.c.fulfilment_id).where(handover.c.fulfilment_id.in_(ids))
    await tx.execute(locked.order_by(handover.c.fulfilment_id).with_for_update(key_share=True))
    values: dict[str, Any] = {"due_at": now, "woken": True}
    if heard:
        values["heard_at"] = now
    await tx.execute(update(handover).where(handover.c.fulfilment_id.in_(ids)).values(values))


async def claim_due(
    tx: AsyncConnection, claim: str, now: datetime, until: datetime, limit: int, of_one_system: int
) -> list[Handover]:
    """Hand-overs that are due and that this process alone looks at, until the claim runs out.

    At most `of_one_system` of a system are looked at anywhere: one that is slow does not take every place.
    """
    other = handover.alias("other")
    in_hand = select(func.count()).where(other.c.system_id == system.c.system_id, other.c.claimed_until > now)
    free = or_(handover.c.claimed_until.is_(None), handover.c.claimed_until <= now)
    waiting = (
        select(handover.c.fulfilment_id)
        .where(handover.c.system_id == system.c.system_id, handover.c.due_at <= now, free)
        .order_by(handover.c.due_at)
        .limit(func.greatest(of_one_system - in_hand.correlate(system).scalar_subquery(), 0))
        .with_for_update(skip_locked=True)
        .correlate(system)
        .lateral("waiting")
    )
    due = select(waiting.c.fulfilment_id).select_from(system.join(waiting, true())).limit(limit).cte("due")
    rows = await tx.execute(
        update(handover)
        .where(handover.c.fulfilment_id == due.c.fulfilment_id)
        .values(claim=claim, claimed_until=until, woken=False, attempts=handover.c.attempts + 1)
        .returning(*_HANDOVER)
    )
    return [_handover(row) for row in rows]


async def save(tx: AsyncConnection, claim: str, after: Handover, now: datetime) -> None:
    """What became of a claimed hand-over; the claim ends. Raises ClaimLost."""
    saved = await tx.execute(
        update(handover)
        .where(handover.c.fulfilment_id == after.fulfilment_id, handover.c.claim == claim)
        .values(
            state=after.state.value,
            acknowledge_by=after.acknowledge_by,
            ship_by=after.ship_by,
            ended_at=after.ended_at,
            sent_at=after.sent_at,
            heard_at=func.greatest(handover.c.heard_at, after.heard_at),
            poll_at=after.poll_at,
            due_at=case((handover.c.woken, now), else_=after.due_at),
            attempts=after.attempts,
            last_error=after.last_error,
            claim=None,
            claimed_until=None,
        )
        .returning(handover.c.fulfilment_id)
    )
    if saved.first() is None:
        raise ClaimLost(after.fulfilment_id)


async def find(tx: AsyncConnection, fulfilment_id: str) -> Handover | None:
    """One hand-over."""
    row = (await tx.execute(select(*_HANDOVER).where(handover.c.fulfilment_id == fulfilment_id))).first()
    return _handover(row) if row else None


async def systems_of(tx: AsyncConnection, fulfilment_ids: Collection[str]) -> Mapping[str, str]:
    """The system of each hand-over that exists."""
    columns = (handover.c.fulfilment_id, handover.c.system_id)
    rows = await tx.execute(select(*columns).where(handover.c.fulfilment_id.in_(fulfilment_ids)))
    return {row.fulfilment_id: row.system_id for row in rows}


async def list_handovers(
    tx: AsyncConnection,
    *,
    alert_only: bool,
    system_ids: Sequence[str],
    states: Sequence[State],
    order_id: str,
    before: int,
    limit: int,
) -> list[Handover]:
    """Newest first, before a position."""
    query = select(*_HANDOVER).where(handover.c.position < before)
    if alert_only:
        query = query.where(_OPEN_ALERT.exists())
    if system_ids:
        query = query.where(handover.c.system_id.in_(system_ids))
    if states:
        query = query.where(handover.c.state.in_([state.value for state in states]))
    if order_id:
        query = query.where(handover.c.order_id == order_id)
    rows = await tx.execute(query.order_by(handover.c.position.desc()).limit(limit))
    return [_handover(row) for row in rows]


def _handover(row: Any) -> Handover:
    return Handover(**row._asdict() | {"state": State(row.state)})


# -- messages ---------------------------------------------------------------------------------------------


async def add_messages(tx: AsyncConnection, heard: Sequence[Message], now: datetime) -> list[str]:
    """Keeps those that are new; returns their fulfilments' ids, one for each."""
    if not heard:
        return []
    values = [
        {
            "fulfilment_id": one.fulfilment_id,
            "message_id": one.message_id,
            "kind": one.kind.value,
            "occurred_at": one.occurred_at,
            "received_at": now,
            "state": MessageState.WAITING.value,
            "reason": "",
            "said": {
                "found": [list(pair) for pair in one.found],
                "weight_grams": one.weight_grams,
                "tracking_code": one.tracking_code,
                "refusal": one.refusal,
            },
        }
        for one in sorted(heard, key=lambda one: (one.fulfilment_id, one.message_id))
    ]
    added = upsert(message).values(values).on_conflict_do_nothing().returning(message.c.fulfilment_id)
    return list((await tx.execute(added)).scalars())


async def read_messages(tx: AsyncConnection, fulfilment_id: str) -> list[Heard]:
    """In the order in which they came."""
    rows = await tx.execute(
        select(message).where(message.c.fulfilment_id == fulfilment_id).order_by(message.c.position)
    )
    return [
        Heard(
            Message(
                row.message_id,
                row.fulfilment_id,
                Kind(row.kind),
                row.occurred_at,
                tuple((number, quantity) for number, quantity in row.said["found"]),
                row.said["weight_grams"],
                row.said["tracking_code"],
                row.said["refusal"],
            ),
            row.received_at,
            MessageState(row.state),
            row.reason,
        )
        for row in rows
    ]


async def save_message(tx: AsyncConnection, heard: Heard) -> None:
    """What became of it."""
    one = heard.message
    await tx.execute(
        update(message)
        .where(tuple_(message.c.fulfilment_id, message.c.message_id) == (one.fulfilment_id, one.message_id))
        .values(state=heard.state.value, reason=heard.reason)
    )


# -- alerts -----------------------------------------------------------------------------------------------

_ALERT = (
    alert.c.alert_id,
    alert.c.fulfilment_id,
    alert.c.kind,
    alert.c.text,
    alert.c.raised_at,
    alert.c.closed_at,
    alert.c.closed_by,
    alert.c.note,
)


async def raise_alert(tx: AsyncConnection, new: Alert) -> bool:
    """Keeps an alert; False if it was raised before."""
    added = await tx.execute(
        upsert(alert)
        .values(
            alert_id=new.alert_id,
            fulfilment_id=new.fulfilment_id,
            kind=new.kind.value,
            text=new.text,
            raised_at=new.raised_at,
        )
        .on_conflict_do_nothing()
        .returning(alert.c.alert_id)
    )
    return added.first() is not None


async def list_alerts(tx: AsyncConnection, fulfilment_ids: Collection[str]) -> dict[str, list[Alert]]:
    """By hand-over, oldest first."""
    rows = await tx.execute(
        select(*_ALERT).where(alert.c.fulfilment_id.in_(fulfilment_ids)).order_by(alert.c.position)
    )
    found = defaultdict(list)
    for row in rows:
        found[row.fulfilment_id].append(_alert(row))
    return dict(found)


async def lock_alert(tx: AsyncConnection, alert_id: str) -> Alert | None:
    """One alert, the caller's until he commits."""
    row = (await tx.execute(select(*_ALERT).where(alert.c.alert_id == alert_id).with_for_update())).first()
    return _alert(row) if row else None


async def close_alerts(tx: AsyncConnection, alert_ids: Sequence[str], by: str, note: str, at: datetime) -> None:
    """Closes those that are open."""
    await tx.execute(
        update(alert)
        .where(alert.c.alert_id.in_(alert_ids), alert.c.closed_at.is_(None))
        .values(closed_at=at, closed_by=by, note=note)
    )


def _alert(row: Any) -> Alert:
    return Alert(**row._asdict() | {"kind": AlertKind(row.kind)})
