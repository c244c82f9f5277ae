"""The tables of orders as SQLAlchemy Core knows them: the columns that lists filter and sort by, and settings.

The migrations make the tables. The aggregate itself is read and written as documents, in store.py.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _instant(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


life_cycle = Table(
    "life_cycle",
    metadata,
    Column("life_cycle_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("cooling_off_seconds", Integer),
    Column("offer_seconds", Integer),
    Column("payment_action_seconds", Integer),
    Column("reroute_limit", Integer),
    Column("promise_tolerance_seconds", Integer),
    Column("lateness_rules", JSONB),
    Column("capture_at", Text),
    Column("goodwill_caps", JSONB),
    Column("hold_rules", JSONB),
    Column("change_rules", JSONB),
    Column("labels", JSONB),
    Column("prepare_ahead_seconds", Integer),
    Column("lost_after_days", Integer),
    Column("lost_parcel", Text),
    Column("loss_decision_seconds", Integer),
    Column("competition", JSONB(none_as_null=True)),
    Column("fraud", JSONB(none_as_null=True)),
    Column("trial", JSONB(none_as_null=True)),
    Column("authorise_ahead_seconds", Integer),
    Column("notifications", JSONB),
    Column("collection", JSONB),
    Column("consolidates", Boolean),
)

sales_channel = Table(
    "sales_channel",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("name", Text),
    Column("currency", Text),
    Column("brands", ARRAY(Text)),
    Column("life_cycle_id", Text),
    Column("trades", JSONB),
    Column("documents", JSONB),
    Column("till_payments", ARRAY(Text)),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("channel_id", Text),
    Column("channel_order_number", Text),
    Column("state", Text),
    Column("brands", ARRAY(Text)),
    _instant("placed_at"),
    _instant("recorded_at"),
    _instant("late_since"),
    _instant("watch_at"),
    _instant("payment_failed_since"),
    Column("held_for", ARRAY(Text)),
    _instant("hold_until"),
    _instant("undecided_loss_since"),
    _instant("unclaimed_since"),
    _instant("review_until"),
)

fulfilment = Table(
    "fulfilment",
    metadata,
    Column("fulfilment_id", Text, primary_key=True),
    Column("order_id", Text),
    Column("point_id", Text),
    Column("state", Text),
    _instant("hand_over_by"),
    _instant("let_go_at"),
)

document = Table(
    "document",
    metadata,
    Column("number", Text, primary_key=True),
    Column("series", Text),
    Column("kind", Text),
    Column("year", Integer),
    Column("sequence", BigInteger),
    Column("order_id", Text),
    Column("channel_id", Text),
    Column("cause", Text),
    Column("currency", Text),
    Column("amount_minor", BigInteger),
    _instant("issued_at"),
    Column("issued_on", Date),
    Column("seller", JSONB),
    Column("content", JSONB),
)
