"""All SQL that lists: orders, work, timelines, and the settings that orders are read with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import documents as doc
from services.orders.domain.model import Fulfilment, HoldKind, LifeCycle, SalesChannel
from services.orders.domain.offers import as_offered, of_point
from services.orders.domain.states import (
    ENDED,
    HELD_UNITS,
    HOMELESS_UNITS,
    MOVING,
    NOT_PREPARED,
    WORK,
    FulfilmentState,
    OrderState,
)
from services.orders.store import FULFILMENT_JSON, View, read_heads
from services.orders.tables import fulfilment, life_cycle, orders, sales_channel

# Where a page ended: the instant that sorts it, and the id that makes it unique.
Position = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; an empty part filters nothing."""

    channel_ids: tuple[str, ...] = ()
    state: OrderState | None = None
    brands: tuple[str, ...] = ()
    channel_order_number: str = ""
    late: bool = False
    payment_failed: bool = False
    held_for: HoldKind | None = None
    undecided_loss: bool = False
    unclaimed: bool = False


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened, as people read it."""

    entry_id: int
    at: datetime
    kind: str
    text: str
    actor: str
    fulfilment_id: str
    data: dict[str, Any]


# -- orders -----------------------------------------------------------------------------------------------


async def list_orders(tx: AsyncConnection, wanted: OrderFilter, size: int, after: Position | None) -> list[View]:
    """At most `size` orders, newest first, without ranges and fulfilments."""
    o = orders.c
    query = select(o.order_id).order_by(o.placed_at.desc(), o.order_id.desc()).limit(size)
    if wanted.channel_ids:
        query = query.where(o.channel_id.in_(wanted.channel_ids))
    if wanted.state:
        query = query.where(o.state == wanted.state.value)
    if wanted.brands:
        query = query.where(o.brands.overlap(list(wanted.brands)))
    if wanted.channel_order_number:
        query = query.where(o.channel_order_number == wanted.channel_order_number)
    if wanted.late:
        query = query.where(o.late_since.is_not(None))
    if wanted.payment_failed:
        query = query.where(o.payment_failed_since.is_not(None))
    if wanted.held_for:
        query = query.where(o.held_for.contains([wanted.held_for.value]))
    if wanted.undecided_loss:
        query = query.where(o.undecided_loss_since.is_not(None))
    if wanted.unclaimed:
        query = query.where(o.unclaimed_since.is_not(None))
    if after:
        query = query.where(tuple_(o.placed_at, o.order_id) < tuple_(*after))
    return await read_heads(tx, list((await tx.execute(query)).scalars()))


async def list_reviews(tx: AsyncConnection, wanted: OrderFilter, size: int, after: Position | None) -> list[View]:
    """At most `size` orders that wait for a review, by channel and brand, without ranges and fulfilments."""
    o = orders.c
    query = select(o.order_id).where(o.review_until.is_not(None)).order_by(o.review_until, o.order_id).limit(size)
    if wanted.channel_ids:
        query = query.where(o.channel_id.in_(wanted.channel_ids))
    if wanted.brands:
        query = query.where(o.brands.overlap(list(wanted.brands)))
    if after:
        query = query.where(tuple_(o.review_until, o.order_id) > tuple_(*after))
    return await read_heads(tx, list((await tx.execute(query)).scalars()))


_UNSTARTED = (OrderState.RECORDED.value, OrderState.CANCELLING.value)


async def list_unstarted(tx: AsyncConnection, recorded_before: datetime, limit: int) -> list[View]:
    """Orders recorded before then that nobody has acted on, the oldest first.

    One that was cancelled at once counts too: without a workflow nobody would finish its cancellation.
    """
    o = orders.c
    query = (
        select(o.order_id)
        .where(o.state.in_(_UNSTARTED), o.recorded_at < recorded_before)
        .order_by(o.recorded_at)
        .limit(limit)
    )
    return await read_heads(tx, list((await tx.execute(query)).scalars()))


async def list_watched(tx: AsyncConnection, as_of: datetime, limit: int) -> list[str]:
    """Orders whose promise is to be looked at again, those that have waited longest first."""
    o = orders.c
    query = select(o.order_id).where(o.watch_at < as_of).order_by(o.watch_at).limit(limit)
    return list((await tx.execute(query)).scalars())


async def list_due_holds(tx: AsyncConnection, as_of: datetime, limit: int) -> list[str]:
    """Orders with a hold whose date has come, those that have waited longest first."""
    o = orders.c
    query = select(o.order_id).where(o.hold_until <= as_of).order_by(o.hold_until, o.order_id).limit(limit)
    return list((await tx.execute(query)).scalars())


async def count_let_go(tx: AsyncConnection, since: datetime, at_most: int) -> int:
    """How many works were let go since then and are not with their points yet, counted up to a number."""
    f = fulfilment.c
    waiting = (
        select(f.fulfilment_id)
        .where(f.state == FulfilmentState.PLANNED.value, f.let_go_at >= since)
        .limit(at_most)
        .subquery()
    )
    return int((await tx.execute(select(func.count()).select_from(waiting))).scalar_one())


_TIMELINE = text(
    """SELECT entry_id, at, kind, text, actor, fulfilment_id, data FROM timeline WHERE order_id = :order_id
       UNION ALL
       SELECT one.entry_id, one.at, one.kind, one.text, one.actor, one.fulfilment_id, one.data
       FROM archived_timeline a, jsonb_populate_recordset(NULL::timeline, a.entries) one
       WHERE a.order_id = :order_id
       ORDER BY entry_id"""
)


async def list_timeline(tx: AsyncConnection, order_id: str) -> list[TimelineEntry] | None:
    """Everything that happened, the oldest first, archived or not; None when there is no such order (it has a
    first entry)."""
    rows = (await tx.execute(_TIMELINE, {"order_id": order_id})).all()
    return [
        TimelineEntry(row.entry_id, row.at, row.kind, row.text, row.actor, row.fulfilment_id, row.data)
        for row in rows
    ] or None


# -- what other services must agree with --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Obligation:
    """What an order stands for elsewhere. `captured_minor` is None where a person let a parcel go unpaid,
    `refunded_minor` while a refund is under way or has failed.

    `prepared_at`: the point of each fulfilment that is prepared or was. `awaited`: units to come, by delivery.
    """

    order_id: str
    state: OrderState
    currency: str
    homeless: bool
    changing: bool
    units: tuple[tuple[str, str, int], ...]
    captured_minor: int | None
    refunded_minor: int | None
    prepared_at: tuple[str, ...]
    awaited: tuple[tuple[str, int], ...]

    @property
    def driven(self) -> bool:
        """A workflow must run for it."""
        return self.state not in ENDED

    @property
    def in_flux(self) -> bool:
        """What it holds may be more or less at this moment."""
        return self.state in MOVING or ((self.homeless or self.changing) and self.driven)


_OPEN_IDS = text(
    """SELECT order_id FROM orders
       WHERE state NOT IN ('refused', 'cancelled', 'closed') AND order_id > :after
       ORDER BY order_id LIMIT :limit"""
)
_OBLIGATIONS = text(
    """SELECT o.order_id, o.state, o.currency,
              EXISTS (SELECT 1 FROM line_range r
                      WHERE r.order_id = o.order_id AND r.state = ANY(:homeless))
              OR EXISTS (SELECT 1 FROM fulfilment f JOIN offer q ON q.fulfilment_id = f.fulfilment_id
                         WHERE f.order_id = o.order_id AND q.state = 'claimed') AS homeless,
              jsonb_path_exists(o.changes, '$[*] ? (@.settled == false || @.state == "proposed")') AS changing,
              (SELECT jsonb_agg(jsonb_build_array(sku, point_id, quantity) ORDER BY sku, point_id)
               FROM (SELECT sku, point_id, sum(quantity) AS quantity
                     FROM (SELECT l.sku, f.point_id, r.to_unit - r.from_unit AS quantity
                           FROM line_range r
                           JOIN order_line l ON l.order_id = r.order_id AND l.line_number = r.line_number
                           JOIN fulfilment f ON f.fulfilment_id = r.fulfilment_id
                           WHERE r.order_id = o.order_id AND r.state = ANY(:held)
                           UNION ALL
                           -- What is still to come is not held at the point.
                           SELECT a.sku, f.point_id, -a.quantity
                           FROM fulfilment f, jsonb_to_recordset(f.awaited) AS a (sku text, quantity bigint)
                           WHERE f.order_id = o.order_id AND f.state = 'planned') AS one
                     GROUP BY sku, point_id HAVING sum(quantity) > 0) AS unit) AS units,
              (SELECT CASE WHEN bool_or(state = 'overridden') THEN NULL
                      ELSE coalesce(sum(amount_minor) FILTER (WHERE state = 'captured'), 0) END
               FROM (SELECT p.capture_state AS state, p.amount_minor
                     FROM fulfilment f JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
                     WHERE f.order_id = o.order_id
                     UNION ALL
                     SELECT o.charge ->> 'state', CAST(o.charge ->> 'amount_minor' AS bigint)) AS taken
              ) AS captured,
              (SELECT CASE WHEN bool_or(r.state IN ('pending', 'failed')) THEN NULL
                      ELSE coalesce(sum(r.amount_minor) FILTER (WHERE r.state = 'succeeded'), 0) END
               FROM refund r WHERE r.order_id = o.order_id) AS refunded,
              ARRAY(SELECT f.point_id FROM fulfilment f
                    WHERE f.order_id = o.order_id AND f.state <> ALL(:not_prepared) AND NOT f.taken
                    ORDER BY f.point_id) AS prepared_at,
              (SELECT jsonb_agg(jsonb_build_array(supply_id, quantity) ORDER BY supply_id)
               FROM (SELECT a.supply_id, sum(a.quantity) AS quantity
                     FROM fulfilment f, jsonb_to_recordset(f.awaited) AS a (supply_id text, quantity bigint)
                     WHERE f.order_id = o.order_id AND f.state = 'planned'
                     GROUP BY a.supply_id) AS supply) AS awaited
       FROM orders o WHERE o.order_id = ANY(:ids) ORDER BY o.order_id"""
)


async def list_obligations(
    tx: AsyncConnection, order_ids: Sequence[str], after: str, limit: int
) -> list[Obligation]:
    """Of these orders, or (without ids) of those that have not ended, in the order of their ids after one."""
    ids = list(order_ids) or list((await tx.execute(_OPEN_IDS, {"after": after, "limit": limit})).scalars())
    rows = await tx.execute(
        _OBLIGATIONS,
        {
            "ids": ids,
            "held": sorted(HELD_UNITS),
            "homeless": sorted(HOMELESS_UNITS),
            "not_prepared": sorted(NOT_PREPARED),
        },
    )
    return [
        Obligation(
            row.order_id,
            OrderState(row.state),
            row.currency,
            row.homeless,
            row.changing,
            tuple((sku, point_id, quantity) for sku, point_id, quantity in row.units or ()),
            None if row.captured is None else int(row.captured),
            None if row.refunded is None else int(row.refunded),
            tuple(row.prepared_at),
            tuple((supply_id, int(quantity)) for supply_id, quantity in row.awaited or ()),
        )
        for row in rows
    ]


# -- work -------------------------------------------------------------------------------------------------

_WORK = text(
    f"""SELECT {FULFILMENT_JSON} AS document, work.offered_to
        FROM (
            SELECT fulfilment_id, point_id, hand_over_by, CAST(NULL AS text) AS offered_to
            FROM fulfilment f
            WHERE state = ANY(:states)
              AND (cardinality(CAST(:point_ids AS text[])) = 0 OR point_id = ANY(:point_ids))
              -- Where points compete, each sees its own offer.
              AND (state <> 'offered'
                   OR (unclaimed_since IS NULL
                       AND NOT EXISTS (SELECT 1 FROM offer q WHERE q.fulfilment_id = f.fulfilment_id)))
            UNION ALL
            SELECT fulfilment_id, point_id, CAST(route ->> 'hand_over_by' AS timestamptz), point_id
            FROM offer
            WHERE state = 'open' AND 'offered' = ANY(:states)
              AND (cardinality(CAST(:point_ids AS text[])) = 0 OR point_id = ANY(:point_ids))
        ) AS work
        JOIN fulfilment f ON f.fulfilment_id = work.fulfilment_id
        LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
        WHERE CAST(:at AS timestamptz) IS NULL
           OR (work.hand_over_by, work.fulfilment_id, work.point_id)
              > (CAST(:at AS timestamptz), split_part(:after, '/', 1), split_part(:after, '/', 2))
        ORDER BY work.hand_over_by, work.fulfilment_id, work.point_id LIMIT :size"""
)


async def list_work(
    tx: AsyncConnection,
    point_ids: Sequence[str],
    states: Sequence[FulfilmentState],
    size: int,
    after: Position | None,
) -> list[Fulfilment]:
    """At most `size` fulfilments, those that must leave first first, each as its point sees it. No points: all."""
    at, last = after or (None, "")
    rows = await tx.execute(
        _WORK,
        {
            "point_ids": list(point_ids),
            "states": [state.value for state in states],
            "at": at,
            "after": last,
            "size": size,
        },
    )
    return [_as_seen(doc.FULFILMENT.validate_python(row.document), row.offered_to) for row in rows]


# Written out, so that the index of open work serves it.
_OPEN = ", ".join(f"'{state.value}'" for state in sorted(WORK))
_MARKS = text(
    f"""SELECT point_id, md5(string_agg(sign, ' ' ORDER BY sign)) AS mark
       FROM (
           SELECT f.point_id, concat_ws('/', f.fulfilment_id, f.state, p.capture_state, f.hand_over_by,
                                        f.hand_over_from, f.offer_deadline, f.unclaimed_since,
                                        f.picking ->> 'pick_list_id') AS sign
           FROM fulfilment f LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
           WHERE f.state IN ({_OPEN}) AND f.point_id = ANY(:point_ids)
           UNION ALL
           SELECT point_id, fulfilment_id FROM offer WHERE state = 'open' AND point_id = ANY(:point_ids)
       ) AS work
       GROUP BY point_id"""
)


async def work_marks(tx: AsyncConnection, point_ids: Sequence[str]) -> dict[str, str]:
    """By point what its open work looks like, as a text that changes with it; empty without work."""
    rows = await tx.execute(_MARKS, {"point_ids": list(point_ids)})
    return dict.fromkeys(point_ids, "") | {row.point_id: row.mark for row in rows}


def _as_seen(work: Fulfilment, offered_to: str | None) -> Fulfilment:
    offer = of_point(work, offered_to) if offered_to else None
    return as_offered(work, offer) if offer else work


# -- settings ---------------------------------------------------------------------------------------------


async def latest_life_cycle(tx: AsyncConnection, life_cycle_id: str) -> LifeCycle | None:
    """The newest version, with publishing of this life cycle locked until the transaction ends."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"life_cycle/{life_cycle_id}"))))
    return await find_life_cycle(tx, life_cycle_id, 0)


async def list_life_cycles(tx: AsyncConnection) -> list[LifeCycle]:
    """The latest version of each, in the order of their ids."""
    latest = life_cycle.c.life_cycle_id, life_cycle.c.version.desc()
    query = select(life_cycle).ext(distinct_on(life_cycle.c.life_cycle_id)).order_by(*latest)
    return [doc.LIFE_CYCLE.validate_python(row._asdict()) for row in await tx.execute(query)]


async def find_life_cycle(tx: AsyncConnection, life_cycle_id: str, version: int) -> LifeCycle | None:
    """A version, or with 0 the latest; None if there is none."""
    query = select(life_cycle).where(life_cycle.c.life_cycle_id == life_cycle_id)
    if version:
        query = query.where(life_cycle.c.version == version)
    row = (await tx.execute(query.order_by(life_cycle.c.version.desc()).limit(1))).one_or_none()
    return doc.LIFE_CYCLE.validate_python(row._asdict()) if row else None


async def add_life_cycle(tx: AsyncConnection, new: LifeCycle) -> None:
    """A new version."""
    await tx.execute(life_cycle.insert().values(doc.to_json(doc.LIFE_CYCLE, new)))


async def known_life_cycles(tx: AsyncConnection, life_cycle_ids: Sequence[str]) -> set[str]:
    """Those of the ids that were published."""
    query = select(life_cycle.c.life_cycle_id).where(life_cycle.c.life_cycle_id.in_(life_cycle_ids)).distinct()
    return set((await tx.execute(query)).scalars())


async def put_channels(tx: AsyncConnection, channels: Sequence[SalesChannel]) -> int:
    """Writes those that differ, in one order, and says how many."""
    rows = [
        {
            "channel_id": one.channel_id,
            "name": one.name,
            "currency": one.currency,
            "brands": list(one.brands),
            "life_cycle_id": one.life_cycle_id,
            "trades": doc.to_json(doc.TRADES, one.trades),
            "documents": doc.to_json(doc.DOCUMENT_TERMS, one.documents),
            "till_payments": list(one.till_payments),
        }
        for one in sorted(channels, key=lambda one: one.channel_id)
    ]
    if not rows:
        return 0
    put = insert(sales_channel).values(rows)
    columns = ("name", "currency", "brands", "life_cycle_id", "trades", "documents", "till_payments")
    new = {name: put.excluded[name] for name in columns}
    differs = or_(*(sales_channel.c[name].is_distinct_from(value) for name, value in new.items()))
    written = await tx.execute(
        put.on_conflict_do_update(index_elements=["channel_id"], set_=new, where=differs).returning(
            sales_channel.c.channel_id
        )
    )
    return len(written.all())
