"""The tables, for SQLAlchemy Core. The DDL is in migrations/."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
_INSTANT = DateTime(timezone=True)

cursor = Table("cursor", metadata, Column("source", Text, primary_key=True), Column("sequence", BigInteger))

system = Table(
    "system",
    metadata,
    Column("system_id", Text, primary_key=True),
    Column("name", Text),
    Column("enabled", Boolean),
    Column("acknowledge_tolerance_seconds", Integer),
    Column("ship_tolerance_seconds", Integer),
    Column("changed_at", _INSTANT),
    Column("changed_by", Text),
)

system_point = Table(
    "system_point", metadata, Column("point_id", Text, primary_key=True), Column("system_id", Text)
)

handover = Table(
    "handover",
    metadata,
    Column("position", BigInteger),
    Column("fulfilment_id", Text, primary_key=True),
    Column("order_id", Text),
    Column("channel_id", Text),
    Column("system_id", Text),
    Column("point_id", Text),
    Column("state", Text),
    Column("created_at", _INSTANT),
    Column("acknowledge_by", _INSTANT),
    Column("ship_by", _INSTANT),
    Column("ended_at", _INSTANT),
    Column("sent_at", _INSTANT),
    Column("heard_at", _INSTANT),
    Column("poll_at", _INSTANT),
    Column("due_at", _INSTANT),
    Column("attempts", Integer),
    Column("last_error", Text),
    Column("woken", Boolean),
    Column("claim", Text),
    Column("claimed_until", _INSTANT),
)

message = Table(
    "message",
    metadata,
    Column("position", BigInteger),
    Column("fulfilment_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("kind", Text),
    Column("occurred_at", _INSTANT),
    Column("received_at", _INSTANT),
    Column("state", Text),
    Column("reason", Text),
    Column("said", JSONB),
)

alert = Table(
    "alert",
    metadata,
    Column("position", BigInteger),
    Column("alert_id", Text, primary_key=True),
    Column("fulfilment_id", Text),
    Column("kind", Text),
    Column("text", Text),
    Column("raised_at", _INSTANT),
    Column("closed_at", _INSTANT),
    Column("closed_by", Text),
    Column("note", Text),
)
