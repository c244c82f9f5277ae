"""The tables as migrations make them, for SQLAlchemy Core."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Integer, MetaData, String, Table

metadata = MetaData()
# Of the order and its means, carried by each operation: what it is filtered by.
_DENORMALISED = ("channel_id", "point_id", "tender_kind")


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


payment = Table(
    "payment",
    metadata,
    Column("order_id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("channel_id", "currency", "status")),
    Column("closing", Boolean, nullable=False),
)

tender = Table(
    "tender",
    metadata,
    Column("tender_id", String, primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in (
            "order_id",
            "channel_id",
            "currency",
            "means_kind",
            "means_reference",
            "means_customer_ref",
            "means_point_id",
            "status",
            "provider",
            "provider_payment_id",
            "next_action_url",
            "decline_code",
            "saved_means",
            "renews",
        )
    ),
    Column("position", Integer, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "amount",
            "authorized",
            "captured",
            "voided",
            "refunded",
            "paid_by_channel",
            "asked_of_channel",
            "lapsed",
            "owed",
            "disputed",
            "elsewhere",
            "taken_back",
        )
    ),
    *(
        Column(name, Boolean, nullable=False)
        for name in (
            "multi_capture",
            "incremental",
            "provider_closed",
            "release_due",
            "save_means",
            "raises",
            "superseded",
        )
    ),
    _instant("expires_at", nullable=True),
    _instant("captured_at", nullable=True),
    _instant("needed_until", nullable=True),
)

operation = Table(
    "operation",
    metadata,
    Column("operation_id", String, primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in (
            "request_id",
            "order_id",
            "tender_id",
            "kind",
            "state",
            "currency",
            "cause",
            "actor",
            "provider",
            "provider_reference",
            "failure_code",
            *_DENORMALISED,
        )
    ),
    Column("amount_minor", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    _instant("intended_at"),
    _instant("settled_at", nullable=True),
    _instant("asked_at"),
)

# Each combination of what operations are filtered by, as a number that a generated column of theirs has as well.
operation_facet = Table(
    "operation_facet",
    metadata,
    Column("facet", BigInteger, primary_key=True),
    *(Column(name, String, nullable=False) for name in (*_DENORMALISED, "provider", "kind", "state", "currency")),
)

entry = Table(
    "entry",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("operation_id", String, nullable=False),
    Column("account", String, nullable=False),
    Column("debit_minor", BigInteger, nullable=False),
    Column("credit_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    _instant("recorded_at"),
)

task = Table(
    "task",
    metadata,
    Column("task_id", String, primary_key=True),
    *(
        Column(name, String, nullable=False)
        for name in (
            "kind",
            "order_id",
            "channel_id",
            "tender_id",
            "operation_id",
            "currency",
            "subject",
            "reason",
            "resolution",
            "reference",
            "note",
            "actor",
        )
    ),
    Column("amount_minor", BigInteger, nullable=False),
    _instant("opened_at"),
    _instant("due_at", nullable=True),
    _instant("resolved_at", nullable=True),
)

provider_event = Table(
    "provider_event",
    metadata,
    Column("provider", String, primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("type", String, nullable=False),
    _instant("received_at"),
)
