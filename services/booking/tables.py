"""The tables as migrations make them, for SQLAlchemy Core."""

from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


pattern = Table(
    "slot_pattern",
    metadata,
    Column("pattern_id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("carrier_id", "service_id", "country")),
    Column("version", Integer, nullable=False),
    Column("content", JSONB, nullable=False),
)

pattern_version = Table(
    "slot_pattern_version",
    metadata,
    Column("pattern_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", JSONB, nullable=False),
    _instant("set_at"),
    Column("set_by", String, nullable=False),
)

slot = Table(
    "slot",
    metadata,
    Column("slot_id", String, primary_key=True),
    Column("taken", Integer, nullable=False),
)

booking = Table(
    "booking",
    metadata,
    Column("booking_id", String, primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in ("state", "slot_id", "carrier_id", "service_id", "country", "postcode")
    ),
    *(Column(name, String, nullable=False) for name in ("channel_id", "order_id")),
    Column("day", Date, nullable=False),
    *(_instant(name) for name in ("window_start", "window_end", "taken_at", "changed_at")),
    _instant("expires_at", nullable=True),
    Column("price_minor", BigInteger),
    Column("currency", String),
    *(Column(name, Integer, nullable=False) for name in ("moves", "misses")),
)
