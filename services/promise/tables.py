"""The tables of promise's own database, for SQLAlchemy Core. The DDL is in migrations/."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Float, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

terms_version = Table(
    "terms_version",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

carrier = Table(
    "carrier",
    metadata,
    Column("carrier_id", String, primary_key=True),
    Column("document", JSONB, nullable=False),
)

box = Table(
    "box",
    metadata,
    Column("box_id", String, primary_key=True),
    Column("document", JSONB, nullable=False),
)

zone = Table(
    "zone",
    metadata,
    Column("zone_id", String, primary_key=True),
    Column("document", JSONB, nullable=False),
)

postcode_area = Table(
    "postcode_area",
    metadata,
    Column("country", String, primary_key=True),
    Column("prefix", String, primary_key=True),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("subdivision", String, nullable=False),
)

ruleset = Table(
    "ruleset",
    metadata,
    Column("ruleset_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("effective_at", DateTime(timezone=True), nullable=False),
)

ruleset_draft = Table(
    "ruleset_draft",
    metadata,
    Column("ruleset_id", String, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False),
    Column("saved_by", String, nullable=False),
    Column("reason", String, nullable=False),
)

ruleset_change = Table(
    "ruleset_change",
    metadata,
    Column("ruleset_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("act", String, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("actor", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("version", Integer),
    Column("effective_at", DateTime(timezone=True)),
    Column("restored", Integer),
    Column("before", JSONB),
    Column("after", JSONB),
)

quote = Table(
    "quote",
    metadata,
    Column("quote_id", String, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("document", JSONB, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("decision_id", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("order_id", String, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)
