"""The tables, for SQLAlchemy Core. The DDL is in migrations/."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()

cursor = Table(
    "cursor",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("sequence", BigInteger),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("url", Text),
    Column("secret", Text),
    Column("event_types", ARRAY(Text)),
    Column("channel_ids", ARRAY(Text)),
    Column("enabled", Boolean),
    Column("created_at", DateTime(timezone=True)),
)

delivery = Table(
    "delivery",
    metadata,
    Column("position", BigInteger, primary_key=True),
    Column("delivery_id", Text),
    Column("endpoint_id", Text),
    Column("event_id", Text),
    Column("event_type", Text),
    Column("order_id", Text),
    Column("line", Text),
    Column("body", Text),
    Column("state", Text),
    Column("attempts", Integer),
    Column("tries", Integer),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True)),
    Column("claim", Text),
    Column("claimed_until", DateTime(timezone=True)),
)
