"""All SQL of the order aggregate. Locks the order's row first, always, whatever of it is to change.

Loads and saves the aggregate in one statement each; knows no rule. Reading lists is in reading.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from kit.db import Rows, Statement
from kit.errors import Conflict, Internal, NotFound
from services.orders import documents as doc
from services.orders.domain import collection_terms, notifications
from services.orders.domain.capture import failed_since
from services.orders.domain.content import normal
from services.orders.domain.fraud import Look, Seen
from services.orders.domain.fraud_policy import Trait
from services.orders.domain.holds import next_date, open_holds, review_until
from services.orders.domain.model import (
    Address,
    Buyer,
    Content,
    Decision,
    Fulfilment,
    Happening,
    LifeCycle,
    Order,
    SalesChannel,
)
from services.orders.domain.parcels import undecided_since
from services.orders.domain.states import UNDONE, OrderState
from services.orders.domain.status import customer_status, fine_status


@dataclass(frozen=True, slots=True)
class View:
    """An order as it is read: with its buyer, and what follows from parts that a list leaves out."""

    order: Order
    buyer: Buyer
    customer_status: str
    fine_status: str
    payment_failed_since: datetime | None = None
    undecided_loss_since: datetime | None = None


Digests = Mapping[Trait, Sequence[bytes]]
"""What an order is known by."""


@dataclass(frozen=True, slots=True)
class Counter:
    """What a placement meets: its channel, the life cycle of today, and the order that has its key already."""

    channel: SalesChannel
    life_cycle: LifeCycle
    order_id: str | None
    content_digest: bytes | None


def view(order: Order, buyer: Buyer) -> View:
    """A whole order with the statuses that follow from it."""
    return View(order, buyer, customer_status(order), fine_status(order))


# -- placement --------------------------------------------------------------------------------------------

_COUNTER = text(
    """
    SELECT to_jsonb(c) AS channel, to_jsonb(l) AS life_cycle, o.order_id, o.content_digest
    FROM sales_channel c
    JOIN LATERAL (SELECT * FROM life_cycle
                  WHERE life_cycle_id = coalesce(
                      (SELECT t ->> 'life_cycle_id' FROM jsonb_array_elements(c.trades) t
                       WHERE t ->> 'name' = :trade), c.life_cycle_id)
                  ORDER BY version DESC LIMIT 1) l ON true
    LEFT JOIN orders o ON o.channel_id = c.channel_id AND o.idempotency_key = :idempotency_key
    WHERE c.channel_id = :channel_id
    """
)

# One round trip. Nothing is written when the key or the id is taken: then no row comes back.
_RECORD = text(
    """
    WITH placed AS (
        INSERT INTO orders SELECT * FROM jsonb_populate_record(NULL::orders, CAST(:head AS jsonb))
        ON CONFLICT DO NOTHING RETURNING order_id
    ), customer AS (
        INSERT INTO order_customer
        SELECT one.* FROM placed, jsonb_populate_record(NULL::order_customer, CAST(:customer AS jsonb)) one
    ), lines AS (
        INSERT INTO order_line
        SELECT one.* FROM placed, jsonb_populate_recordset(NULL::order_line, CAST(:lines AS jsonb)) one
    ), ranges AS (
        INSERT INTO line_range
        SELECT one.* FROM placed, jsonb_populate_recordset(NULL::line_range, CAST(:ranges AS jsonb)) one
    ), traits AS (
        INSERT INTO order_trait
        SELECT one.* FROM placed, jsonb_populate_recordset(NULL::order_trait, CAST(:traits AS jsonb)) one
    ), told AS (
        INSERT INTO timeline (order_id, at, kind, text, actor, fulfilment_id, data)
        SELECT one.order_id, one.at, one.kind, one.text, one.actor, one.fulfilment_id, one.data
        FROM placed, jsonb_populate_recordset(NULL::timeline, CAST(:timeline AS jsonb)) one
    )
    SELECT order_id FROM placed
    """
)


async def find_counter(tx: AsyncConnection, channel_id: str, trade: str, idempotency_key: str) -> Counter | None:
    """None when there is no such channel. A trade that it does not have lives as the channel does."""
    asked = {"channel_id": channel_id, "trade": trade, "idempotency_key": idempotency_key}
    found = await db.rows(tx, _COUNTER, asked)
    if not found:
        return None
    [(channel, life_cycle, order_id, digest)] = found
    return Counter(
        doc.SALES_CHANNEL.validate_python(channel),
        doc.LIFE_CYCLE.validate_python(life_cycle),
        order_id,
        bytes(digest) if digest else None,
    )


async def record(
    tx: AsyncConnection, idempotency_key: str, decision: Decision, buyer: Buyer, digests: Digests
) -> bool:
    """Writes a new order; False when its key was taken meanwhile."""
    order = decision.order
    content = order.content
    head = {
        **_changing(order),
        "channel_id": content.channel_id,
        "idempotency_key": idempotency_key,
        "content_digest": _hex(content_digest(content, buyer)),
        "channel_order_number": content.channel_order_number,
        "total_minor": content.total.amount_minor,
        "currency": content.total.currency,
        "mode": content.mode,
        "brands": content.brands,
        "quote_id": content.quote_id,
        "basket_id": content.basket_id,
        "trade": content.trade,
        "booking_id": content.booking_id,
        "may_wait": content.may_wait,
        "collect_at_point_id": content.collect_at_point_id,
        "source_placed_at": content.source_placed_at.isoformat() if content.source_placed_at else None,
        "standard_shipping_minor": content.standard_shipping.amount_minor if content.standard_shipping else None,
        "life_cycle_id": order.life_cycle.life_cycle_id,
        "life_cycle_version": order.life_cycle.version,
        "placed_at": order.placed_at.isoformat(),
        "recorded_at": order.recorded_at.isoformat(),
    }
    written = await db.rows(
        tx,
        _RECORD,
        {
            "head": json.dumps(head),
            "customer": json.dumps({"order_id": order.order_id, **_buyer_row(buyer)}),
            "lines": json.dumps(
                [{"order_id": order.order_id, **doc.to_json(doc.LINE, line)} for line in content.lines]
            ),
            "ranges": json.dumps(_range_rows(order)),
            "traits": json.dumps(
                [
                    {"digest": _hex(one), "recorded_at": head["recorded_at"], "order_id": order.order_id}
                    for each in digests.values()
                    for one in each
                ]
            ),
            "timeline": json.dumps([_timeline_row(order, one) for one in decision.happenings]),
        },
    )
    return bool(written)


def _hex(digest: bytes) -> str:
    """As PostgreSQL reads it."""
    return "\\x" + digest.hex()


_LATER_FIELDS = (
    "source_placed_at",
    "basket_id",
    "standard_shipping",
    "trade",
    "booking_id",
    "may_wait",
    "collect_at_point_id",
)
_LATER_PAYMENT_FIELDS = ("first", "save_means", "point_id", "amount_minor")
_LATER_LINE_FIELDS = ("taken_at_point_id", "personalisations", "allow_substitutes")
_LATER_CUSTOMER_FIELDS = ("language", "notify_by")
_LATER_BUYER_FIELDS = ("personalisations", "gift_message")


def content_digest(content: Content, buyer: Buyer) -> bytes:
    """Of all that a channel sent; the same content always gives the same digest."""
    what = doc.to_json(doc.CONTENT, normal(content))
    for share in what["payment"]["first"]:
        if not share["point_id"]:
            del share["point_id"]
    # Digests of orders that were recorded before a field was there stay what they are.
    for part, names in ((what, _LATER_FIELDS), (what["payment"], _LATER_PAYMENT_FIELDS)):
        for name in names:
            if not part[name]:
                del part[name]
    for line in what["lines"]:
        for name in _LATER_LINE_FIELDS:
            if not line[name]:
                del line[name]
    who = doc.to_json(doc.BUYER, buyer)
    for name in _LATER_CUSTOMER_FIELDS:
        if not who["customer"][name]:
            del who["customer"][name]
    for name in _LATER_BUYER_FIELDS:
        if not who[name]:
            del who[name]
    whole = [what, who]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).digest()


_SEEN = text(
    """
    SELECT count(o.order_id) AS orders,
           coalesce(sum(o.total_minor) FILTER (WHERE o.currency = :currency), 0) AS amount_minor,
           count(o.order_id) FILTER (WHERE o.state <> ALL(:undone)) AS standing
    FROM jsonb_to_recordset(CAST(:looks AS jsonb))
             AS l (number integer, digests bytea[], since timestamptz, before timestamptz)
    LEFT JOIN LATERAL (
        SELECT DISTINCT t.order_id FROM order_trait t
        WHERE t.digest = ANY(l.digests) AND t.recorded_at > l.since AND t.recorded_at < l.before
          AND t.order_id <> :order_id) known ON true
    LEFT JOIN orders o ON o.order_id = known.order_id
    GROUP BY l.number ORDER BY l.number
    """
)
_UNDONE = sorted((OrderState.REFUSED.value, *UNDONE))


async def see(tx: AsyncConnection, order: Order, digests: Digests, looks: Sequence[Look]) -> Mapping[Look, Seen]:
    """What each look finds of other orders."""
    wanted = [
        {
            "number": number,
            "digests": [_hex(one) for trait in look.traits for one in digests.get(trait, ())],
            "since": look.since.isoformat() if look.since else "-infinity",
            "before": look.before.isoformat() if look.before else "infinity",
        }
        for number, look in enumerate(looks)
    ]
    about = {"order_id": order.order_id, "currency": order.content.total.currency, "undone": _UNDONE}
    rows = await tx.execute(_SEEN, {"looks": json.dumps(wanted), **about})
    return {
        look: Seen(row.orders, int(row.amount_minor), row.standing) for look, row in zip(looks, rows, strict=True)
    }


_DIGESTS = text("SELECT digest FROM order_trait WHERE recorded_at = :recorded_at AND order_id = :order_id")


async def digests_of(tx: AsyncConnection, order: Order) -> frozenset[bytes]:
    """All that an order is known by, since it was recorded."""
    rows = await tx.execute(_DIGESTS, {"recorded_at": order.recorded_at, "order_id": order.order_id})
    return frozenset(bytes(row.digest) for row in rows)


# -- loading ----------------------------------------------------------------------------------------------

FULFILMENT_JSON = """
    to_jsonb(f) || jsonb_build_object(
        'parcel', to_jsonb(p),
        'window', CASE WHEN f.window_start IS NOT NULL
                       THEN jsonb_build_object('start', f.window_start, 'end', f.window_end) END,
        'next_window', CASE WHEN f.next_window_start IS NOT NULL
                            THEN jsonb_build_object('start', f.next_window_start, 'end', f.next_window_end) END,
        'offers', coalesce((SELECT jsonb_agg(to_jsonb(q) ORDER BY q.ring, q.place) FROM offer q
                            WHERE q.fulfilment_id = f.fulfilment_id), '[]'))
"""

_HEAD = """
    SELECT to_jsonb(o) AS head, to_jsonb(l) AS life_cycle, to_jsonb(c) AS buyer,
           (SELECT jsonb_agg(to_jsonb(n) ORDER BY n.line_number) FROM order_line n
            WHERE n.order_id = o.order_id) AS lines,
           {ranges} AS ranges, {fulfilments} AS fulfilments, {refunds} AS refunds
    FROM orders o
    JOIN life_cycle l ON l.life_cycle_id = o.life_cycle_id AND l.version = o.life_cycle_version
    LEFT JOIN order_customer c ON c.order_id = o.order_id
    WHERE o.order_id = ANY(:order_ids)
"""
_WHOLE = text(
    _HEAD.format(
        ranges="""(SELECT jsonb_agg(to_jsonb(r)
                                    || jsonb_build_object('fulfilment_id', coalesce(r.fulfilment_id, ''))
                                    ORDER BY r.line_number, r.from_unit)
                   FROM line_range r WHERE r.order_id = o.order_id)""",
        fulfilments=f"""(SELECT jsonb_agg({FULFILMENT_JSON} ORDER BY f.round, f.position)
                         FROM fulfilment f LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
                         WHERE f.order_id = o.order_id)""",
        refunds="""(SELECT jsonb_agg(to_jsonb(r) ORDER BY r.number) FROM refund r
                     WHERE r.order_id = o.order_id)""",
    )
)
_WHOLE_OF_FULFILMENT = text(
    _WHOLE.text.replace(
        ":order_ids", "(ARRAY(SELECT order_id FROM fulfilment WHERE fulfilment_id = :fulfilment_id))"
    )
)
_HEADS = text(_HEAD.format(ranges="NULL", fulfilments="NULL", refunds="NULL"))

# The lock is a statement of its own: what is read after it was committed before it.
_LOCK_ORDER = text("SELECT order_id FROM orders WHERE order_id = :order_id FOR UPDATE")
_LOCK_OF_FULFILMENT = text(
    """SELECT order_id FROM orders
       WHERE order_id = (SELECT order_id FROM fulfilment WHERE fulfilment_id = :fulfilment_id) FOR UPDATE"""
)
_ORDER_OF_FULFILMENT = text("SELECT order_id FROM fulfilment WHERE fulfilment_id = :id")


class _Whole(NamedTuple):
    """A row of an order with all that hangs on it."""

    head: dict[str, Any]
    life_cycle: dict[str, Any]
    buyer: dict[str, Any] | None
    lines: list[dict[str, Any]]
    ranges: list[dict[str, Any]] | None
    fulfilments: list[dict[str, Any]] | None
    refunds: list[dict[str, Any]] | None


async def read(tx: AsyncConnection, order_id: str) -> View:
    """The whole order at one instant. NotFound / ORDER_NOT_FOUND."""
    return view_of(await db.rows(tx, _WHOLE, {"order_ids": [order_id]}), order_id)


def locking(order_id: str) -> tuple[Statement, Statement]:
    """For `view_of` the second: the order, which nobody else changes until the transaction ends."""
    return (_LOCK_ORDER, {"order_id": order_id}), (_WHOLE, {"order_ids": [order_id]})


def locking_of(fulfilment_id: str) -> tuple[Statement, Statement]:
    """For `order_of` the second: the order of a fulfilment, locked."""
    asked = {"fulfilment_id": fulfilment_id}
    return (_LOCK_OF_FULFILMENT, asked), (_WHOLE_OF_FULFILMENT, asked)


def view_of(found: Rows, order_id: str) -> View:
    """The order that was read. NotFound / ORDER_NOT_FOUND."""
    if not found:
        raise no_order(order_id)
    return _view(_Whole(*found[0]))


def order_of(found: Rows, fulfilment_id: str) -> Order:
    """The order of a fulfilment that was read. NotFound / FULFILMENT_NOT_FOUND."""
    if not found:
        raise no_fulfilment(fulfilment_id)
    return _view(_Whole(*found[0])).order


async def read_whole(tx: AsyncConnection, order_ids: Sequence[str]) -> list[View]:
    """Whole orders in the order asked for; those that there are not are left out."""
    rows = map(_Whole._make, await db.rows(tx, _WHOLE, {"order_ids": list(order_ids)}))
    views = {row.head["order_id"]: _view(row) for row in rows}
    return [views[order_id] for order_id in order_ids if order_id in views]


async def read_heads(tx: AsyncConnection, order_ids: Sequence[str]) -> list[View]:
    """Orders without ranges and fulfilments, in the order asked for."""
    rows = map(_Whole._make, await db.rows(tx, _HEADS, {"order_ids": list(order_ids)}))
    views = {row.head["order_id"]: _view(row) for row in rows}
    return [views[order_id] for order_id in order_ids]


async def lock_order(tx: AsyncConnection, order_id: str) -> Order:
    """The order, which nobody else changes until the transaction ends. NotFound / ORDER_NOT_FOUND."""
    return (await lock_view(tx, order_id)).order


async def lock_view(tx: AsyncConnection, order_id: str) -> View:
    """The same, with its buyer."""
    _, found = await db.in_one_trip(tx, *locking(order_id))
    return view_of(found, order_id)


async def lock_order_of(tx: AsyncConnection, fulfilment_id: str) -> Order:
    """The order of a fulfilment, locked. NotFound / FULFILMENT_NOT_FOUND."""
    _, found = await db.in_one_trip(tx, *locking_of(fulfilment_id))
    return order_of(found, fulfilment_id)


async def read_of_fulfilment(tx: AsyncConnection, fulfilment_id: str) -> View:
    """The order of a fulfilment, not locked. NotFound / FULFILMENT_NOT_FOUND."""
    row = (await tx.execute(_ORDER_OF_FULFILMENT, {"id": fulfilment_id})).one_or_none()
    if row is None:
        raise no_fulfilment(fulfilment_id)
    return await read(tx, row.order_id)


def no_fulfilment(fulfilment_id: str) -> NotFound:
    """What is answered about a fulfilment that does not exist."""
    return NotFound(
        "FULFILMENT_NOT_FOUND",
        "there is no such fulfilment",
        field="fulfilment_id",
        fulfilment_id=fulfilment_id,
    )


def no_order(order_id: str) -> NotFound:
    """What is answered about an order that does not exist."""
    return NotFound("ORDER_NOT_FOUND", "there is no such order", field="order_id", order_id=order_id)


def _view(row: _Whole) -> View:
    head = row.head
    promise = {"start": head["promise_start"], "end": head["promise_end"]} if head["promise_start"] else None
    content = {
        **head,
        "lines": row.lines,
        "total": {"amount_minor": head["total_minor"], "currency": head["currency"]},
        "standard_shipping": None
        if head["standard_shipping_minor"] is None
        else {"amount_minor": head["standard_shipping_minor"], "currency": head["currency"]},
    }
    order = doc.ORDER.validate_python(
        {
            **head,
            "content": content,
            "life_cycle": row.life_cycle,
            "promise": promise,
            "ranges": row.ranges or (),
            "fulfilments": row.fulfilments or (),
            "refunds": row.refunds or (),
        }
    )
    order = replace(order, life_cycle=collection_terms.lived(order.content, order.life_cycle))
    return View(
        order,
        _buyer(row.buyer, bool(head["erased_at"])),
        head["customer_status"],
        head["fine_status"],
        _instant(head["payment_failed_since"]),
        _instant(head["undecided_loss_since"]),
    )


def _instant(text_: str | None) -> datetime | None:
    return datetime.fromisoformat(text_) if text_ else None


def _buyer(row: dict[str, Any] | None, is_erased: bool) -> Buyer:
    """Of one that is erased the country stays. What is kept for its documents is read with these alone."""
    if row is None:
        return Buyer()
    if is_erased:
        return Buyer(ship_to=Address(country=row["country"]))
    ship_to = {**row, "name": row["ship_to_name"]}
    return Buyer(
        doc.CUSTOMER.validate_python(row),
        doc.ADDRESS.validate_python(ship_to),
        doc.PERSONAL_TEXTS.validate_python(row["personalisations"]),
        row["gift_message"],
    )


# -- saving -----------------------------------------------------------------------------------------------

# One round trip. Rows change only from the state that the decision saw; ranges that are gone and ranges that
# are written never share a key.
_SAVE = text(
    """
    WITH saved AS (
        UPDATE orders o
        SET state = n.state, customer_status = n.customer_status, fine_status = n.fine_status,
            updated_at = n.updated_at, promise_start = n.promise_start, promise_end = n.promise_end,
            refusal = n.refusal, next_action_url = n.next_action_url,
            cancellation_reason = n.cancellation_reason, payment = n.payment,
            payment_outcome = n.payment_outcome,
            promise_changes = n.promise_changes, late_since = n.late_since, watch_at = n.watch_at,
            compensation_minor = n.compensation_minor, charge = n.charge,
            payment_failed_since = n.payment_failed_since, holds = n.holds, held_for = n.held_for,
            hold_until = n.hold_until, undecided_loss_since = n.undecided_loss_since,
            unclaimed_since = n.unclaimed_since, appointment = n.appointment,
            fraud = n.fraud, review_until = n.review_until, changes = n.changes, trial = n.trial,
            choices = n.choices, erased_at = n.erased_at, archived_at = NULL
        FROM jsonb_populate_record(NULL::orders, CAST(:head AS jsonb)) n
        WHERE o.order_id = n.order_id AND o.state = :state_before RETURNING 1
    ), created AS (
        INSERT INTO fulfilment SELECT * FROM jsonb_populate_recordset(NULL::fulfilment, CAST(:created AS jsonb))
        RETURNING 1
    ), moved AS (
        UPDATE fulfilment f
        SET state = n.state, lines = n.lines, offer_deadline = n.offer_deadline, refusal_reason = n.refusal_reason,
            start_missed_at = n.start_missed_at, let_go_at = n.let_go_at, awaited = n.awaited,
            personalising_since = n.personalising_since, personalised_at = n.personalised_at, picking = n.picking,
            put_back = n.put_back, locker = n.locker,
            collection = n.collection, unclaimed_since = n.unclaimed_since, point_id = n.point_id,
            carrier_id = n.carrier_id, service_id = n.service_id, hand_over_by = n.hand_over_by,
            window_start = n.window_start, window_end = n.window_end, latest_start = n.latest_start,
            next_hand_over_by = n.next_hand_over_by, next_window_start = n.next_window_start,
            next_window_end = n.next_window_end
        FROM jsonb_populate_recordset(NULL::fulfilment, CAST(:moved AS jsonb)) n
        WHERE f.fulfilment_id = n.fulfilment_id
          AND f.state = CAST(:states_before AS jsonb) ->> n.fulfilment_id RETURNING 1
    ), offers AS (
        INSERT INTO offer SELECT * FROM jsonb_populate_recordset(NULL::offer, CAST(:offers AS jsonb))
        ON CONFLICT (fulfilment_id, point_id) DO UPDATE
        SET state = excluded.state, answered_at = excluded.answered_at, reason = excluded.reason,
            actor = excluded.actor, claim_id = excluded.claim_id
    ), parcels AS (
        INSERT INTO parcel SELECT * FROM jsonb_populate_recordset(NULL::parcel, CAST(:parcels AS jsonb))
        ON CONFLICT (parcel_id) DO UPDATE
        SET amount_minor = excluded.amount_minor, shipping_minor = excluded.shipping_minor,
            weight_grams = excluded.weight_grams, box_id = excluded.box_id, closed_at = excluded.closed_at,
            capture_state = excluded.capture_state, capture_reason = excluded.capture_reason,
            capture_failed_since = excluded.capture_failed_since,
            capture_next_try_at = excluded.capture_next_try_at,
            tracking_code = excluded.tracking_code, handed_over_at = excluded.handed_over_at,
            in_transit_at = excluded.in_transit_at, delivered_at = excluded.delivered_at,
            heard_at = excluded.heard_at, out_for_delivery_at = excluded.out_for_delivery_at,
            failed_deliveries = excluded.failed_deliveries, delivery_failed_at = excluded.delivery_failed_at,
            failure_reason = excluded.failure_reason, proof = excluded.proof, loss = excluded.loss,
            returning_at = excluded.returning_at, returned_at = excluded.returned_at
    ), refunds AS (
        INSERT INTO refund SELECT * FROM jsonb_populate_recordset(NULL::refund, CAST(:refunds AS jsonb))
        ON CONFLICT (refund_id) DO UPDATE
        SET state = excluded.state, attempts = excluded.attempts, failure = excluded.failure,
            settled_at = excluded.settled_at, reason = excluded.reason
    ), gone AS (
        DELETE FROM line_range r USING jsonb_populate_recordset(NULL::line_range, CAST(:gone AS jsonb)) g
        WHERE r.order_id = g.order_id AND r.line_number = g.line_number AND r.from_unit = g.from_unit
    ), ranges AS (
        INSERT INTO line_range SELECT * FROM jsonb_populate_recordset(NULL::line_range, CAST(:ranges AS jsonb))
        ON CONFLICT (order_id, line_number, from_unit) DO UPDATE
        SET to_unit = excluded.to_unit, state = excluded.state, fulfilment_id = excluded.fulfilment_id
    ), told AS (
        INSERT INTO timeline (order_id, at, kind, text, actor, fulfilment_id, data)
        SELECT one.order_id, one.at, one.kind, one.text, one.actor, one.fulfilment_id, one.data
        FROM jsonb_populate_recordset(NULL::timeline, CAST(:timeline AS jsonb)) one
    ), notified AS (
        INSERT INTO notification
        SELECT * FROM jsonb_populate_recordset(NULL::notification, CAST(:notifications AS jsonb))
        ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*) FROM saved) + (SELECT count(*) FROM created) + (SELECT count(*) FROM moved) AS rows
    """
)


async def save(tx: AsyncConnection, before: Order, decision: Decision) -> None:
    """Writes what a decision changed of the locked order, its timeline, and what its customer is to be told."""
    after = decision.order
    old = {one.fulfilment_id: one for one in before.fulfilments}
    created = [one for one in after.fulfilments if one.fulfilment_id not in old]
    moved = [one for one in after.fulfilments if old.get(one.fulfilment_id, one) != one]
    kept = {(one.line_number, one.from_unit) for one in after.ranges}
    gone = [one for one in before.ranges if (one.line_number, one.from_unit) not in kept]
    unchanged = set(before.ranges)
    parameters = {
        "head": json.dumps(_changing(after)),
        "state_before": before.state.value,
        "created": json.dumps([_fulfilment_row(one) for one in created]),
        "moved": json.dumps([_fulfilment_row(one) for one in moved]),
        "states_before": json.dumps({one.fulfilment_id: old[one.fulfilment_id].state.value for one in moved}),
        "offers": json.dumps([row for one in moved for row in _offer_rows(old[one.fulfilment_id], one)]),
        "parcels": json.dumps([_parcel_row(one) for one in (*created, *moved) if one.parcel]),
        "refunds": json.dumps(
            [doc.to_json(doc.REFUND, one) for one in after.refunds if one not in before.refunds]
        ),
        "gone": json.dumps(
            [
                {"order_id": after.order_id, "line_number": one.line_number, "from_unit": one.from_unit}
                for one in gone
            ]
        ),
        "ranges": json.dumps([row for row, one in _ranges(after) if one not in unchanged]),
        "timeline": json.dumps([_timeline_row(after, one) for one in decision.happenings]),
        "notifications": json.dumps(
            [doc.to_json(doc.NOTIFICATION, one) for one in notifications.of(before, decision)]
        ),
    }
    try:
        [(rows,)] = await db.rows(tx, _SAVE, parameters)
    except IntegrityError as error:
        raise _known(error) from error
    if rows != 1 + len(created) + len(moved):
        raise Internal("LOST_RACE", "the order changed under its lock", order_id=after.order_id)


def _known(error: IntegrityError) -> Exception:
    diagnosis = getattr(error.orig, "diag", None)
    if getattr(diagnosis, "constraint_name", "") == "parcel_tracking":
        return Conflict(
            "TRACKING_CODE_TAKEN", "another parcel of the carrier has this code", field="tracking_code"
        )
    return error


# -- rows -------------------------------------------------------------------------------------------------


def _changing(order: Order) -> dict[str, Any]:
    promise = order.promise
    return {
        "order_id": order.order_id,
        "state": order.state.value,
        "customer_status": customer_status(order),
        "fine_status": fine_status(order),
        "updated_at": order.updated_at.isoformat(),
        "promise_start": promise.start.isoformat() if promise else None,
        "promise_end": promise.end.isoformat() if promise else None,
        "refusal": doc.to_json(doc.REFUSAL, order.refusal) if order.refusal else None,
        "next_action_url": order.next_action_url,
        "cancellation_reason": order.cancellation_reason,
        "payment": doc.to_json(doc.PAYMENT, order.content.payment),
        "payment_outcome": order.payment_outcome,
        "promise_changes": doc.to_json(doc.PROMISE_CHANGES, order.promise_changes),
        "late_since": order.late_since.isoformat() if order.late_since else None,
        "watch_at": order.watch_at.isoformat() if order.watch_at else None,
        "compensation_minor": order.compensation_minor,
        "charge": doc.to_json(doc.CHARGE, order.charge) if order.charge else None,
        "appointment": doc.to_json(doc.APPOINTMENT, order.appointment) if order.appointment else None,
        "payment_failed_since": since.isoformat() if (since := failed_since(order)) else None,
        "holds": doc.to_json(doc.HOLDS, order.holds),
        "changes": doc.to_json(doc.CHANGES, order.changes),
        "held_for": sorted({one.kind.value for one in open_holds(order)}),
        "hold_until": until.isoformat() if (until := next_date(order)) else None,
        "undecided_loss_since": since.isoformat() if (since := undecided_since(order)) else None,
        "unclaimed_since": since.isoformat() if (since := order.unclaimed_since) else None,
        "fraud": doc.to_json(doc.FRAUD_CHECK, order.fraud) if order.fraud else None,
        "review_until": until.isoformat() if (until := review_until(order)) else None,
        "trial": doc.to_json(doc.TRIAL, order.trial) if order.trial else None,
        "choices": doc.to_json(doc.CHOICES, order.choices),
        "erased_at": order.erased_at.isoformat() if order.erased_at else None,
    }


def _buyer_row(buyer: Buyer) -> dict[str, Any]:
    ship_to = doc.to_json(doc.ADDRESS, buyer.ship_to)
    return {
        **ship_to,
        **doc.to_json(doc.CUSTOMER, buyer.customer),
        "ship_to_name": buyer.ship_to.name,
        "personalisations": doc.to_json(doc.PERSONAL_TEXTS, buyer.personalisations),
        "gift_message": buyer.gift_message,
    }


def _fulfilment_row(one: Fulfilment) -> dict[str, Any]:
    row: dict[str, Any] = doc.to_json(doc.FULFILMENT, replace(one, offers=()))
    for name in ("window", "next_window"):
        window = row.pop(name) or {}
        row |= {f"{name}_start": window.get("start"), f"{name}_end": window.get("end")}
    return row


def _offer_rows(before: Fulfilment, after: Fulfilment) -> list[dict[str, Any]]:
    """Those that are new or changed."""
    known = set(before.offers)
    return [
        {**doc.to_json(doc.OFFER, one), "fulfilment_id": after.fulfilment_id}
        for one in after.offers
        if one not in known
    ]


def _parcel_row(one: Fulfilment) -> dict[str, Any]:
    parcel = doc.to_json(doc.PARCEL, one.parcel)
    return {**parcel, "fulfilment_id": one.fulfilment_id, "carrier_id": one.carrier_id}


def _ranges(order: Order) -> Sequence[tuple[Mapping[str, Any], Any]]:
    return list(zip(_range_rows(order), order.ranges, strict=True))


def _range_rows(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "order_id": order.order_id,
            "line_number": one.line_number,
            "from_unit": one.from_unit,
            "to_unit": one.to_unit,
            "state": one.state.value,
            "fulfilment_id": one.fulfilment_id or None,
        }
        for one in order.ranges
    ]


def _timeline_row(order: Order, happening: Happening) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "at": happening.at.isoformat(),
        "kind": happening.kind,
        "text": happening.text,
        "actor": happening.actor,
        "fulfilment_id": happening.fulfilment.fulfilment_id if happening.fulfilment else "",
        "data": {**happening.facts, **happening.notes},
    }
