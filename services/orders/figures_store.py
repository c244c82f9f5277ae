"""All SQL of figures: each is one statement over the rows as they are, bounded by an index on its period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.domain.states import NOT_PREPARED

MOST_ARTICLES = 1000


@dataclass(frozen=True, slots=True)
class Scope:
    """What is counted, in [from_at, until_at) as it is known at `as_of`; an empty part narrows nothing."""

    from_at: datetime
    until_at: datetime
    as_of: datetime
    channel_ids: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    point_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageFigure:
    """Open orders of a channel at a stage, and how many of them are held, late, or wait for a person."""

    channel_id: str
    stage: str
    orders: int
    held: int
    late: int
    blocked: int


@dataclass(frozen=True, slots=True)
class OfferFigure:
    """What became of the offers to a point; of all points where it is empty. Times are of answers."""

    point_id: str
    offers: int
    open: int
    accepted: int
    refused: int
    lapsed: int
    lost: int
    withdrawn: int
    median_seconds: float
    p95_seconds: float


@dataclass(frozen=True, slots=True)
class PickFigure:
    """What a point looked for and did not find."""

    point_id: str
    picks: int
    short_picks: int
    units: int
    short_units: int


@dataclass(frozen=True, slots=True)
class ShortArticle:
    """An article that was not found at a point."""

    point_id: str
    sku: str
    short_units: int


@dataclass(frozen=True, slots=True)
class PromiseFigure:
    """Promises of a channel that ended in a week (its Monday, YYYY-MM-DD), and how many of them were kept."""

    week: str
    channel_id: str
    orders: int
    orders_kept: int
    parcels: int
    parcels_kept: int


@dataclass(frozen=True, slots=True)
class LateFigure:
    """Late parcels of a channel, by reason."""

    channel_id: str
    reason: str
    parcels: int


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Time from placing to hand-over: of a channel, of a week, or of all where `key` is empty."""

    key: str
    parcels: int
    median_seconds: float
    p95_seconds: float


_OF_ORDER = """
    (cardinality(CAST(:channel_ids AS text[])) = 0 OR o.channel_id = ANY(:channel_ids))
    AND (cardinality(CAST(:brands AS text[])) = 0 OR o.brands && CAST(:brands AS text[]))"""
_OF_POINT = "(cardinality(CAST(:point_ids AS text[])) = 0 OR {point} = ANY(:point_ids))"
_WEEK = "to_char(date_trunc('week', {at} AT TIME ZONE 'UTC'), 'YYYY-MM-DD')"


def _percentile(share: str, seconds: str, only: str = "true") -> str:
    return f"coalesce(percentile_cont({share}) WITHIN GROUP (ORDER BY {seconds}) FILTER (WHERE {only}), 0)"


_STAGES = text(
    f"""SELECT o.channel_id, o.fine_status AS stage, count(*) AS orders,
               count(*) FILTER (WHERE array_remove(o.held_for, 'cooling_off') <> '{{}}') AS held,
               count(*) FILTER (WHERE o.late_since IS NOT NULL) AS late,
               count(*) FILTER (WHERE o.payment_failed_since IS NOT NULL OR o.undecided_loss_since IS NOT NULL
                                   OR o.unclaimed_since IS NOT NULL OR o.review_until IS NOT NULL) AS blocked
        FROM orders o
        WHERE o.state NOT IN ('refused', 'cancelled', 'closed') AND {_OF_ORDER}
          AND (cardinality(CAST(:point_ids AS text[])) = 0 OR EXISTS (
                   SELECT 1 FROM fulfilment f
                   WHERE f.order_id = o.order_id AND f.point_id = ANY(:point_ids)
                     AND f.state <> ALL(:not_prepared)))
        GROUP BY o.channel_id, o.fine_status ORDER BY o.channel_id, o.fine_status"""
)
# Work of one point alone is offered and answered in the timeline; where points compete, each offer is a row.
_OFFERS = text(
    f"""WITH made AS (
            SELECT f.point_id, t.at AS offered_at, a.at AS answered_at,
                   CASE WHEN a.kind IS NOT NULL THEN split_part(a.kind, '.', 2)
                        WHEN f.state = 'offered' THEN 'open' ELSE 'withdrawn' END AS state
            FROM timeline t
            JOIN fulfilment f ON f.fulfilment_id = t.fulfilment_id
            JOIN orders o ON o.order_id = t.order_id
            LEFT JOIN LATERAL (
                SELECT x.at, x.kind FROM timeline x
                WHERE x.order_id = t.order_id AND x.fulfilment_id = t.fulfilment_id
                  AND x.kind IN ('fulfilment.accepted', 'fulfilment.refused', 'fulfilment.lapsed')
                ORDER BY x.entry_id LIMIT 1
            ) a ON true
            WHERE t.kind = 'fulfilment.offered' AND t.at >= :from_at AND t.at < :until_at
              AND {_OF_ORDER} AND {_OF_POINT.format(point="f.point_id")}
            UNION ALL
            SELECT q.point_id, q.offered_at, q.answered_at,
                   CASE q.state WHEN 'claimed' THEN 'open' ELSE q.state END
            FROM offer q
            JOIN fulfilment f ON f.fulfilment_id = q.fulfilment_id
            JOIN orders o ON o.order_id = f.order_id
            WHERE q.offered_at >= :from_at AND q.offered_at < :until_at
              AND {_OF_ORDER} AND {_OF_POINT.format(point="q.point_id")}
        ), timed AS (
            SELECT *, greatest(0, extract(epoch FROM answered_at - offered_at)) AS seconds,
                   state IN ('accepted', 'refused') AND answered_at IS NOT NULL AS answered FROM made
        )
        SELECT coalesce(timed.point_id, '') AS point_id, count(*) AS offers,
               count(*) FILTER (WHERE state = 'open') AS open,
               count(*) FILTER (WHERE state = 'accepted') AS accepted,
               count(*) FILTER (WHERE state = 'refused') AS refused,
               count(*) FILTER (WHERE state = 'lapsed') AS lapsed,
               count(*) FILTER (WHERE state = 'lost') AS lost,
               count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn,
               {_percentile("0.5", "seconds", "answered")} AS median_seconds,
               {_percentile("0.95", "seconds", "answered")} AS p95_seconds
        FROM timed GROUP BY GROUPING SETS ((timed.point_id), ())
        ORDER BY GROUPING(timed.point_id), timed.point_id"""
)
_PICKED = f"""
        WITH looked_for AS (
            SELECT f.point_id, t.fulfilment_id, part.line ->> 'sku' AS sku, part.is_short,
                   CAST(part.line ->> 'quantity' AS bigint) AS units
            FROM timeline t
            JOIN fulfilment f ON f.fulfilment_id = t.fulfilment_id
            JOIN orders o ON o.order_id = t.order_id
            CROSS JOIN LATERAL (
                SELECT line, false AS is_short FROM jsonb_array_elements(coalesce(t.data -> 'found', '[]')) line
                WHERE line ->> 'ordered_sku' IS NULL
                UNION ALL
                SELECT line, true FROM jsonb_array_elements(coalesce(t.data -> 'short', '[]')) line
                UNION ALL
                -- Something else was given instead: it was not found all the same.
                SELECT line, true FROM jsonb_array_elements(coalesce(t.data -> 'replaced', '[]')) line
            ) part
            JOIN order_line l ON l.order_id = t.order_id
                             AND l.line_number = CAST(part.line ->> 'line_number' AS integer)
            WHERE t.kind IN ('fulfilment.picked', 'fulfilment.short') AND t.at >= :from_at AND t.at < :until_at
              AND {_OF_ORDER} AND {_OF_POINT.format(point="f.point_id")}
              AND (cardinality(CAST(:brands AS text[])) = 0 OR l.brand = ANY(:brands))
        )"""
_PICKS = text(
    f"""{_PICKED}
        SELECT point_id, count(DISTINCT fulfilment_id) AS picks,
               count(DISTINCT fulfilment_id) FILTER (WHERE is_short) AS short_picks,
               CAST(sum(units) AS bigint) AS units,
               CAST(coalesce(sum(units) FILTER (WHERE is_short), 0) AS bigint) AS short_units
        FROM looked_for GROUP BY point_id ORDER BY point_id"""
)
_SHORT_ARTICLES = text(
    f"""{_PICKED}
        SELECT point_id, sku, CAST(sum(units) AS bigint) AS short_units
        FROM looked_for WHERE is_short GROUP BY point_id, sku
        ORDER BY short_units DESC, point_id, sku LIMIT {MOST_ARTICLES}"""
)
# A parcel is judged as the watch does: by its own window, and never by more than the order's.
_PROMISED = f"""
        WITH due AS (
            SELECT o.order_id, o.channel_id, o.state, o.promise_end, o.promise_changes,
                   make_interval(secs => c.promise_tolerance_seconds) AS tolerance
            FROM orders o
            JOIN life_cycle c ON c.life_cycle_id = o.life_cycle_id AND c.version = o.life_cycle_version
            WHERE o.promise_end >= :from_at AND o.promise_end < :until_at
              AND o.promise_end + make_interval(secs => c.promise_tolerance_seconds) <= :as_of
              AND o.state IN ('validated', 'released', 'closed') AND {_OF_ORDER}
        ), works AS (
            SELECT d.order_id, d.channel_id, d.promise_end, f.fulfilment_id,
                   coalesce(p.delivered_at <= least(f.window_end, d.promise_end) + d.tolerance, false) AS is_kept,
                   CASE WHEN f.state IN ('lost', 'damaged') THEN 'lost'
                        WHEN f.state IN ('returning', 'returned') THEN 'returned'
                        ELSE coalesce(
                            (SELECT parcel ->> 'cause'
                             FROM jsonb_array_elements(d.promise_changes) WITH ORDINALITY AS told(change, number),
                                  jsonb_array_elements(told.change -> 'parcels') parcel
                             WHERE parcel ->> 'fulfilment_id' = f.fulfilment_id AND parcel ->> 'cause' <> 'in_time'
                             ORDER BY number DESC LIMIT 1),
                            CASE WHEN coalesce(p.handed_over_at, :as_of) > f.hand_over_by + d.tolerance
                                 THEN 'hand_over_missed' ELSE 'delivery_missed' END)
                   END AS reason
            FROM due d
            JOIN fulfilment f ON f.order_id = d.order_id
            LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
            WHERE NOT f.taken AND f.state <> ALL(:not_prepared) AND {_OF_POINT.format(point="f.point_id")}
        )"""
_PROMISES = text(
    f"""{_PROMISED}, kept AS (
            SELECT d.order_id, d.channel_id, {_WEEK.format(at="d.promise_end")} AS week,
                   count(w.fulfilment_id) AS parcels, count(*) FILTER (WHERE w.is_kept) AS parcels_kept
            FROM due d LEFT JOIN works w ON w.order_id = d.order_id
            -- Units without a place have missed it too; who filters by point asks for its parcels.
            WHERE w.fulfilment_id IS NOT NULL
               OR (d.state <> 'closed' AND cardinality(CAST(:point_ids AS text[])) = 0)
            GROUP BY d.order_id, d.channel_id, week
        )
        SELECT week, channel_id, count(*) AS orders,
               count(*) FILTER (WHERE parcels > 0 AND parcels_kept = parcels) AS orders_kept,
               CAST(sum(parcels) AS bigint) AS parcels, CAST(sum(parcels_kept) AS bigint) AS parcels_kept
        FROM kept GROUP BY week, channel_id ORDER BY week, channel_id"""
)
_LATE = text(
    f"""{_PROMISED}
        SELECT channel_id, reason, count(*) AS parcels FROM works WHERE NOT is_kept
        GROUP BY channel_id, reason ORDER BY channel_id, parcels DESC, reason"""
)
_LEAD_TIMES = text(
    f"""WITH left_points AS (
            SELECT o.channel_id, {_WEEK.format(at="p.handed_over_at")} AS week,
                   greatest(0, extract(epoch FROM p.handed_over_at - o.placed_at)) AS seconds
            FROM parcel p
            JOIN fulfilment f ON f.fulfilment_id = p.fulfilment_id
            JOIN orders o ON o.order_id = f.order_id
            WHERE p.handed_over_at >= :from_at AND p.handed_over_at < :until_at
              AND NOT f.taken AND f.replaces = ''
              AND {_OF_ORDER} AND {_OF_POINT.format(point="f.point_id")}
        )
        SELECT GROUPING(channel_id) AS not_by_channel, GROUPING(week) AS not_by_week,
               coalesce(channel_id, week, '') AS key, count(*) AS parcels,
               {_percentile("0.5", "seconds")} AS median_seconds, {_percentile("0.95", "seconds")} AS p95_seconds
        FROM left_points GROUP BY GROUPING SETS ((channel_id), (week), ()) ORDER BY 1, 2, 3"""
)


async def stages(tx: AsyncConnection, scope: Scope) -> Sequence[StageFigure]:
    """By channel and stage."""
    rows = await tx.execute(_STAGES, _of(scope) | {"not_prepared": _NOT_PREPARED})
    return [StageFigure(**row._mapping) for row in rows]


async def offers(tx: AsyncConnection, scope: Scope) -> Sequence[OfferFigure]:
    """By point, and last, without one, over all of them."""
    rows = await tx.execute(_OFFERS, _of(scope) | _period(scope))
    return [OfferFigure(**row._mapping) for row in rows]


async def picks(tx: AsyncConnection, scope: Scope) -> Sequence[PickFigure]:
    """By point."""
    rows = await tx.execute(_PICKS, _of(scope) | _period(scope))
    return [PickFigure(**row._mapping) for row in rows]


async def short_articles(tx: AsyncConnection, scope: Scope) -> Sequence[ShortArticle]:
    """Those that were missing most first, MOST_ARTICLES at most."""
    rows = await tx.execute(_SHORT_ARTICLES, _of(scope) | _period(scope))
    return [ShortArticle(**row._mapping) for row in rows]


async def promises(tx: AsyncConnection, scope: Scope) -> Sequence[PromiseFigure]:
    """By week and channel."""
    rows = await tx.execute(_PROMISES, _of(scope) | _period(scope) | _known(scope))
    return [PromiseFigure(**row._mapping) for row in rows]


async def late_parcels(tx: AsyncConnection, scope: Scope) -> Sequence[LateFigure]:
    """By channel, the most frequent reason first."""
    rows = await tx.execute(_LATE, _of(scope) | _period(scope) | _known(scope))
    return [LateFigure(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """By channel, by week, and over all."""

    channels: tuple[LeadTime, ...]
    weeks: tuple[LeadTime, ...]
    total: LeadTime


async def lead_times(tx: AsyncConnection, scope: Scope) -> LeadTimes:
    """Of parcels that were handed over in the period."""
    rows = (await tx.execute(_LEAD_TIMES, _of(scope) | _period(scope))).all()
    found = [
        (row.not_by_channel, row.not_by_week, LeadTime(row.key, row.parcels, row.median_seconds, row.p95_seconds))
        for row in rows
    ]
    return LeadTimes(
        tuple(one for channel, _, one in found if not channel),
        tuple(one for _, week, one in found if not week),
        next(one for channel, week, one in found if channel and week),
    )


_NOT_PREPARED = sorted(NOT_PREPARED)


def _of(scope: Scope) -> dict[str, Any]:
    return {
        "channel_ids": list(scope.channel_ids),
        "brands": list(scope.brands),
        "point_ids": list(scope.point_ids),
    }


def _period(scope: Scope) -> dict[str, Any]:
    return {"from_at": scope.from_at, "until_at": scope.until_at}


def _known(scope: Scope) -> dict[str, Any]:
    return {"as_of": scope.as_of, "not_prepared": _NOT_PREPARED}
