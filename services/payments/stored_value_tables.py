"""The tables of stored value as migrations make them, for SQLAlchemy Core."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Identity, Integer, LargeBinary, String, Table

from services.payments.tables import metadata


def _instant(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, primary_key=primary_key)


instrument = Table(
    "stored_value",
    metadata,
    Column("instrument_id", String, primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in ("kind", "currency", "customer_ref", "cause", "actor", "last_four")
    ),
    *(Column(name, BigInteger, nullable=False) for name in ("issued", "balance", "held")),
    *(Column(name, Boolean, nullable=False) for name in ("single_use", "used", "frozen")),
    Column("channels", ARRAY(String), nullable=False),
    Column("code_digest", LargeBinary),
    _instant("valid_until", nullable=True),
    _instant("issued_at"),
)

hold = Table(
    "stored_value_hold",
    metadata,
    Column("hold_id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("instrument_id", "operation_id", "order_id")),
    *(Column(name, BigInteger, nullable=False) for name in ("authorized", "held", "spent", "refunded")),
    _instant("held_at"),
)

line = Table(
    "stored_value_line",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in ("instrument_id", "act", "debit", "credit", "order_id", "cause", "actor")
    ),
    Column("hold_id", String),
    Column("amount_minor", BigInteger, nullable=False),
    _instant("recorded_at"),
)

guess = Table(
    "stored_value_guess",
    metadata,
    Column("channel_id", String, primary_key=True),
    _instant("minute", primary_key=True),
    Column("failures", Integer, nullable=False),
)
