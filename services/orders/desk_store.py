"""All SQL of the desk: orders that are blocked or late, and what the orders of a customer came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.domain.model import Window
from services.orders.domain.states import OPEN_FULFILMENT, OrderState
from services.orders.reading import Position
from services.orders.store import View, read_heads

REASONS = (
    "held_fraud",
    "held_payment",
    "held_manual",
    "held_change",
    "held_stock",
    "late",
    "hand_over_missed",
    "hand_over_near",
    "start_missed",
    "payment_failed",
    "undecided_loss",
    "unclaimed",
    "appointment_missed",
    "appointment_moving",
    "refund_failed",
)
# The predicate of the index `orders_blocked`, word for word.
BLOCKED = """
    state NOT IN ('refused', 'cancelled', 'closed')
    AND (late_since IS NOT NULL OR payment_failed_since IS NOT NULL OR undecided_loss_since IS NOT NULL
         OR unclaimed_since IS NOT NULL OR held_for && ARRAY['fraud', 'payment', 'manual', 'stock', 'change']
         OR appointment ->> 'missed_at' IS NOT NULL OR appointment ->> 'wanted_slot_id' <> '')
"""
# The predicates of the indexes `fulfilment_departs` and `fulfilment_not_begun`, word for word.
DEPARTS = "state IN ('planned', 'offered', 'accepted', 'picked', 'packed') AND carrier_id <> ''"
NOT_BEGUN = "state IN ('planned', 'offered') AND start_missed_at IS NOT NULL"
# Work that is not packed by then is about to miss its carrier.
NEAR = timedelta(minutes=30)
_OPEN_WORK = ", ".join(f"'{state.value}'" for state in sorted(OPEN_FULFILMENT))


@dataclass(frozen=True, slots=True)
class BlockedFilter:
    """Which orders; an empty part filters nothing. `digests`: of an e-mail address that `text` may be.

    `order_ids`: only these; None for all.
    """

    reason: str = ""
    channel_ids: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    brand: str = ""
    point_id: str = ""
    text: str = field(default="", repr=False)
    digests: tuple[bytes, ...] = ()
    order_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an order does not go on. `then`: what happens by itself at `due_at`; empty: nothing does."""

    reason: str
    detail: str
    since: datetime
    due_at: datetime | None
    then: str
    hold_id: str
    fulfilment_id: str
    refund_id: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """An order that does not go on by itself as it was promised."""

    order_id: str
    channel_id: str
    channel_order_number: str
    brands: tuple[str, ...]
    state: OrderState
    fine_status: str
    total_minor: int
    currency: str
    placed_at: datetime
    promise: Window | None
    current_promise: Window | None
    urgent_at: datetime
    reasons: tuple[Reason, ...]
    point_ids: tuple[str, ...]


_BLOCKED = TypeAdapter(Blocked)

# `urgent_at` is when the reason makes the order go wrong, or did; `due_at` when something happens by itself.
_WITH = f"""
    WITH ids AS (
        SELECT order_id FROM orders WHERE {BLOCKED}
        UNION
        SELECT order_id FROM refund WHERE state = 'failed'
        UNION
        SELECT order_id FROM fulfilment WHERE {DEPARTS} AND hand_over_by <= :near
        UNION
        SELECT order_id FROM fulfilment WHERE {NOT_BEGUN}
    ), candidate AS MATERIALIZED (
        SELECT o.* FROM ids JOIN orders o ON o.order_id = ids.order_id
        WHERE (CAST(:order_ids AS text[]) IS NULL OR o.order_id = ANY(:order_ids))
          AND (cardinality(CAST(:channel_ids AS text[])) = 0 OR o.channel_id = ANY(:channel_ids))
          AND (cardinality(CAST(:brands AS text[])) = 0 OR o.brands && CAST(:brands AS text[]))
          AND (CAST(:brand AS text) = '' OR :brand = ANY(o.brands))
          AND (CAST(:text AS text) = '' OR o.order_id = :text OR o.channel_order_number = :text
               OR o.order_id IN (SELECT t.order_id FROM order_trait t
                                 WHERE t.digest = ANY(CAST(:digests AS bytea[]))))
          AND (CAST(:point_id AS text) = ''
               OR EXISTS (SELECT 1 FROM fulfilment f WHERE f.order_id = o.order_id AND f.point_id = :point_id
                                                       AND f.state IN ({_OPEN_WORK})))
    ), living AS (
        SELECT * FROM candidate WHERE state NOT IN ('refused', 'cancelled', 'closed')
    ), reason AS (
        SELECT c.order_id, 'held_' || (h ->> 'kind') AS reason, h ->> 'reason' AS detail,
               CAST(h ->> 'since' AS timestamptz) AS since, CAST(h ->> 'until' AS timestamptz) AS due_at,
               CASE WHEN h ->> 'until' IS NULL OR h ->> 'default' = 'wait' THEN '' ELSE h ->> 'default' END
                   AS then,
               CAST(h ->> 'until' AS timestamptz) AS urgent_at,
               h ->> 'hold_id' AS hold_id, h ->> 'fulfilment_id' AS fulfilment_id, '' AS refund_id
        FROM living c CROSS JOIN LATERAL jsonb_array_elements(c.holds) h
        WHERE h ->> 'ended_at' IS NULL AND h ->> 'kind' IN ('fraud', 'payment', 'manual', 'stock', 'change')
          AND (h ->> 'kind' <> 'stock' OR CAST(h ->> 'until' AS timestamptz) <= :as_of)
        UNION ALL
        SELECT order_id, 'late', coalesce(promise_changes -> -1 -> 'parcels' -> 0 ->> 'cause', ''), late_since,
               NULL, '', promise_end, '', '', ''
        FROM living WHERE late_since IS NOT NULL
        UNION ALL
        -- Of orders that are still expected in time: where they are not, "late" says so.
        SELECT m.order_id, m.reason, m.point_id,
               CASE m.reason WHEN 'hand_over_near' THEN m.hand_over_by - CAST(:ahead AS interval)
                             WHEN 'start_missed' THEN m.latest_start ELSE m.hand_over_by END,
               m.next, CASE WHEN m.next IS NULL THEN '' ELSE 'hand_over' END,
               CASE m.reason WHEN 'hand_over_missed' THEN coalesce(m.next, m.promise_end) ELSE m.hand_over_by END,
               '', m.fulfilment_id, ''
        FROM (
            SELECT c.order_id, c.promise_end, f.fulfilment_id, f.point_id, f.reason, f.hand_over_by,
                   f.latest_start,
                   CASE WHEN f.carrier_id <> '' AND f.reason <> 'hand_over_missed' THEN f.hand_over_by
                        WHEN f.next_hand_over_by > :as_of THEN f.next_hand_over_by END AS next
            FROM living c
            JOIN life_cycle l ON l.life_cycle_id = c.life_cycle_id AND l.version = c.life_cycle_version
            CROSS JOIN LATERAL (
                SELECT f.*,
                       CASE WHEN {DEPARTS} AND hand_over_by + l.promise_tolerance_seconds * interval '1 second'
                                               < :as_of THEN 'hand_over_missed'
                            WHEN {NOT_BEGUN} THEN 'start_missed'
                            WHEN {DEPARTS} AND state <> 'packed' AND hand_over_by <= :near
                            THEN 'hand_over_near' END AS reason
                FROM fulfilment f WHERE f.order_id = c.order_id
            ) f
            WHERE c.state IN ('validated', 'released') AND c.late_since IS NULL AND c.promise_end IS NOT NULL
              AND f.reason IS NOT NULL
        ) m
        UNION ALL
        SELECT c.order_id, 'payment_failed', p.capture_reason, p.capture_failed_since, p.capture_next_try_at,
               CASE WHEN p.capture_next_try_at IS NULL THEN '' ELSE 'retry' END, f.hand_over_by,
               '', f.fulfilment_id, ''
        FROM living c
        JOIN fulfilment f ON f.order_id = c.order_id AND f.state IN ({_OPEN_WORK})
        JOIN parcel p ON p.fulfilment_id = f.fulfilment_id AND p.capture_state = 'failed'
        WHERE c.payment_failed_since IS NOT NULL AND p.capture_failed_since IS NOT NULL
        UNION ALL
        SELECT order_id, 'payment_failed', coalesce(charge ->> 'reason', ''),
               CAST(charge ->> 'failed_since' AS timestamptz), CAST(charge ->> 'next_try_at' AS timestamptz),
               CASE WHEN charge ->> 'next_try_at' IS NULL THEN '' ELSE 'retry' END, NULL, '', '', ''
        FROM living
        WHERE payment_failed_since IS NOT NULL AND charge ->> 'state' = 'failed'
          AND charge ->> 'failed_since' IS NOT NULL
        UNION ALL
        SELECT c.order_id, 'undecided_loss', f.state, CAST(p.loss ->> 'at' AS timestamptz),
               CAST(p.loss ->> 'decide_by' AS timestamptz), 'refund', CAST(p.loss ->> 'decide_by' AS timestamptz),
               '', f.fulfilment_id, ''
        FROM living c
        JOIN fulfilment f ON f.order_id = c.order_id
        JOIN parcel p ON p.fulfilment_id = f.fulfilment_id AND p.loss ->> 'decision' = ''
        WHERE c.undecided_loss_since IS NOT NULL
        UNION ALL
        SELECT c.order_id, 'unclaimed', f.point_id, f.unclaimed_since, NULL, '', f.hand_over_by,
               '', f.fulfilment_id, ''
        FROM living c JOIN fulfilment f ON f.order_id = c.order_id AND f.unclaimed_since IS NOT NULL
        WHERE c.unclaimed_since IS NOT NULL
        UNION ALL
        SELECT order_id, 'appointment_missed', appointment -> 'slot' ->> 'day',
               CAST(appointment ->> 'missed_at' AS timestamptz), NULL, '',
               CAST(appointment ->> 'missed_at' AS timestamptz), '', '', ''
        FROM living WHERE appointment ->> 'missed_at' IS NOT NULL
        UNION ALL
        SELECT order_id, 'appointment_moving', appointment ->> 'wanted_slot_id', updated_at, NULL, '', NULL,
               '', '', ''
        FROM living WHERE appointment ->> 'wanted_slot_id' <> ''
        UNION ALL
        SELECT r.order_id, 'refund_failed', r.failure, r.requested_at, NULL, '', r.requested_at,
               '', '', r.refund_id
        FROM candidate c JOIN refund r ON r.order_id = c.order_id AND r.state = 'failed'
    )
"""
_PAGE = text(
    f"""{_WITH}, found AS (
        SELECT c.order_id,
               coalesce(least(min(r.urgent_at),
                              CASE WHEN c.state NOT IN ('refused', 'cancelled', 'closed') THEN c.promise_end END),
                        min(r.since)) AS urgent_at,
               jsonb_agg(to_jsonb(r) ORDER BY r.urgent_at NULLS LAST, r.since, r.reason) AS reasons
        FROM candidate c JOIN reason r ON r.order_id = c.order_id
        GROUP BY c.order_id, c.state, c.promise_end
        HAVING CAST(:reason AS text) = '' OR bool_or(r.reason = :reason)
    )
    SELECT jsonb_build_object(
               'order_id', o.order_id, 'channel_id', o.channel_id,
               'channel_order_number', o.channel_order_number, 'brands', o.brands, 'state', o.state,
               'fine_status', o.fine_status, 'total_minor', o.total_minor, 'currency', o.currency,
               'placed_at', o.placed_at,
               'promise', CASE WHEN o.promise_start IS NOT NULL
                               THEN jsonb_build_object('start', o.promise_start, 'end', o.promise_end) END,
               'current_promise', coalesce(
                   o.promise_changes -> -1 -> 'window',
                   CASE WHEN o.promise_start IS NOT NULL
                        THEN jsonb_build_object('start', o.promise_start, 'end', o.promise_end) END),
               'urgent_at', found.urgent_at, 'reasons', found.reasons,
               'point_ids', ARRAY(SELECT DISTINCT f.point_id FROM fulfilment f
                                  WHERE f.order_id = o.order_id AND f.state IN ({_OPEN_WORK})
                                  ORDER BY f.point_id)) AS document
    FROM (SELECT * FROM found
          WHERE CAST(:at AS timestamptz) IS NULL OR (urgent_at, order_id) > (CAST(:at AS timestamptz), :after)
          ORDER BY urgent_at, order_id LIMIT :size) AS found
    JOIN candidate o ON o.order_id = found.order_id
    ORDER BY found.urgent_at, found.order_id"""
)
_COUNTS = text(
    f"""{_WITH}
    SELECT reason, count(DISTINCT order_id) AS orders FROM reason GROUP BY GROUPING SETS ((reason), ())"""
)


async def list_blocked(
    tx: AsyncConnection, wanted: BlockedFilter, as_of: datetime, size: int, after: Position | None
) -> list[Blocked]:
    """At most `size` orders, the most urgent first."""
    at, last = after or (None, "")
    page = {"reason": wanted.reason, "at": at, "after": last, "size": size}
    rows = await tx.execute(_PAGE, {**_parameters(wanted, as_of), **page})
    return [_BLOCKED.validate_python(row.document) for row in rows]


async def count_blocked(tx: AsyncConnection, wanted: BlockedFilter, as_of: datetime) -> Mapping[str, int]:
    """Orders by reason, and all of them under the reason "", whatever reason is wanted."""
    rows = await tx.execute(_COUNTS, _parameters(wanted, as_of))
    return {row.reason or "": row.orders for row in rows}


def _parameters(wanted: BlockedFilter, as_of: datetime) -> dict[str, Any]:
    return {
        "order_ids": None if wanted.order_ids is None else list(wanted.order_ids),
        "channel_ids": list(wanted.channel_ids),
        "brands": list(wanted.brands),
        "brand": wanted.brand,
        "point_id": wanted.point_id,
        "text": wanted.text,
        "digests": list(wanted.digests),
        "as_of": as_of,
        "near": as_of + NEAR,
        "ahead": NEAR,
    }


# -- customers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """In one currency. `ordered_minor`: of orders that were neither refused nor cancelled."""

    currency: str
    ordered_minor: int
    captured_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a customer's orders came to."""

    orders: int
    open_orders: int
    cancelled_orders: int
    late_orders: int
    missed_appointments: int
    failed_deliveries: int
    ordered_units: int
    kept_units: int
    returned_units: int
    money: tuple[Spent, ...]


_TOTALS = TypeAdapter(Totals)
_OF_CUSTOMER = text(
    """SELECT o.order_id FROM orders o
       WHERE o.order_id IN (SELECT t.order_id FROM order_trait t WHERE t.digest = ANY(CAST(:digests AS bytea[]))
                            UNION
                            SELECT c.order_id FROM order_customer c
                            WHERE c.customer_id <> '' AND c.customer_id = :customer_id)
         AND (cardinality(CAST(:channel_ids AS text[])) = 0 OR o.channel_id = ANY(:channel_ids))
         AND (cardinality(CAST(:brands AS text[])) = 0 OR o.brands && CAST(:brands AS text[]))
       ORDER BY o.placed_at DESC, o.order_id DESC"""
)
_NEWEST = text(
    """SELECT order_id FROM orders
       WHERE order_id = ANY(:order_ids)
         AND (CAST(:at AS timestamptz) IS NULL
              OR (placed_at, order_id) < (CAST(:at AS timestamptz), :after))
       ORDER BY placed_at DESC, order_id DESC LIMIT :size"""
)
_SUMS = text(
    """WITH mine AS (SELECT * FROM orders WHERE order_id = ANY(:order_ids)),
    units AS (
        SELECT coalesce(sum(r.to_unit - r.from_unit), 0) AS ordered,
               coalesce(sum(r.to_unit - r.from_unit) FILTER (WHERE r.state = 'delivered'), 0) AS kept,
               coalesce(sum(r.to_unit - r.from_unit) FILTER (WHERE r.state = 'returned'), 0) AS returned
        FROM line_range r JOIN mine o ON o.order_id = r.order_id
        WHERE o.state NOT IN ('refused', 'cancelling', 'cancelled')
    ), parcels AS (
        SELECT f.order_id, p.delivered_at, p.failed_deliveries, p.amount_minor, p.capture_state
        FROM mine o JOIN fulfilment f ON f.order_id = o.order_id JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
    ), money AS (
        SELECT o.currency,
               sum(CASE WHEN o.state IN ('refused', 'cancelling', 'cancelled') THEN 0 ELSE o.total_minor END)
                   AS ordered_minor,
               sum(coalesce((SELECT sum(p.amount_minor) FROM parcels p
                             WHERE p.order_id = o.order_id AND p.capture_state = 'captured'), 0)
                   + CASE WHEN o.charge ->> 'state' = 'captured'
                          THEN CAST(o.charge ->> 'amount_minor' AS bigint) ELSE 0 END) AS captured_minor,
               sum(coalesce((SELECT sum(r.amount_minor) FROM refund r
                             WHERE r.order_id = o.order_id AND r.state IN ('pending', 'succeeded', 'failed')), 0))
                   AS refunded_minor
        FROM mine o GROUP BY o.currency
    )
    SELECT jsonb_build_object(
        'orders', (SELECT count(*) FROM mine),
        'open_orders', (SELECT count(*) FROM mine WHERE state NOT IN ('refused', 'cancelled', 'closed')),
        'cancelled_orders', (SELECT count(*) FROM mine WHERE state IN ('cancelling', 'cancelled')),
        'late_orders', (SELECT count(*) FROM mine o
                        WHERE o.late_since IS NOT NULL
                           OR EXISTS (SELECT 1 FROM parcels p
                                      WHERE p.order_id = o.order_id AND p.delivered_at > o.promise_end)),
        'missed_appointments', (SELECT count(*) FROM timeline t JOIN mine o ON o.order_id = t.order_id
                                WHERE t.kind = 'order.appointment_missed'),
        'failed_deliveries', (SELECT coalesce(sum(failed_deliveries), 0) FROM parcels),
        'ordered_units', units.ordered, 'kept_units', units.kept, 'returned_units', units.returned,
        'money', coalesce((SELECT jsonb_agg(to_jsonb(money) ORDER BY currency) FROM money), '[]')) AS document
    FROM units"""
)


async def orders_of(
    tx: AsyncConnection,
    customer_id: str,
    digests: Sequence[bytes],
    channel_ids: Sequence[str],
    brands: Sequence[str],
) -> list[str]:
    """The ids of a customer's orders in these channels and brands, newest first. None of them: all."""
    asked = {
        "customer_id": customer_id,
        "digests": list(digests),
        "channel_ids": list(channel_ids),
        "brands": list(brands),
    }
    return list((await tx.execute(_OF_CUSTOMER, asked)).scalars())


async def newest_of(
    tx: AsyncConnection, order_ids: Sequence[str], size: int, after: Position | None
) -> list[View]:
    """A page of these orders, newest first, without ranges and fulfilments."""
    at, last = after or (None, "")
    asked = {"order_ids": list(order_ids), "at": at, "after": last, "size": size}
    return await read_heads(tx, list((await tx.execute(_NEWEST, asked)).scalars()))


async def totals_of(tx: AsyncConnection, order_ids: Sequence[str]) -> Totals:
    """What these orders came to."""
    return _TOTALS.validate_python((await tx.execute(_SUMS, {"order_ids": list(order_ids)})).scalar_one())
