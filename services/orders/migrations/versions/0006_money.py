"""When an order's money is taken, what of it could not be, and what of it was given back.

Life cycles that were published before take it at the shipment, and let nobody give goodwill.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What a parcel brings beside its goods is the delivery fee. Units share a line as kit.values.allocation says.
FEE_OF_PARCELS = """
    UPDATE parcel p
    SET shipping_minor = p.amount_minor - goods.amount
    FROM (
        SELECT r.fulfilment_id,
               sum(div(CAST(l.net_minor + l.tax_minor AS numeric) * r.to_unit, l.quantity)
                   - div(CAST(l.net_minor + l.tax_minor AS numeric) * r.from_unit, l.quantity)) AS amount
        FROM line_range r JOIN order_line l ON l.order_id = r.order_id AND l.line_number = r.line_number
        WHERE r.state <> 'cancelled'
        GROUP BY r.fulfilment_id
    ) AS goods
    WHERE goods.fulfilment_id = p.fulfilment_id
    """

_STATEMENTS = (
    """
    ALTER TABLE life_cycle
        ADD COLUMN capture_at text NOT NULL DEFAULT 'shipment'
            CHECK (capture_at IN ('order', 'preparation', 'shipment')),
        ADD COLUMN goodwill_caps jsonb NOT NULL DEFAULT '[]'
    """,
    """
    ALTER TABLE orders
        ADD COLUMN standard_shipping_minor bigint CHECK (standard_shipping_minor >= 0),
        ADD COLUMN charge jsonb,
        ADD COLUMN payment_failed_since timestamptz
    """,
    "CREATE INDEX orders_unpaid ON orders (placed_at DESC, order_id DESC) WHERE payment_failed_since IS NOT NULL",
    # A parcel whose money is taken before the pack is open until then.
    """
    ALTER TABLE parcel
        ALTER COLUMN closed_at DROP NOT NULL,
        ADD COLUMN capture_failed_since timestamptz,
        ADD COLUMN capture_next_try_at timestamptz,
        ADD COLUMN shipping_minor bigint NOT NULL DEFAULT 0 CHECK (shipping_minor BETWEEN 0 AND amount_minor)
    """,
    FEE_OF_PARCELS,
    """
    UPDATE parcel p SET capture_failed_since = p.closed_at WHERE p.capture_state = 'failed'
    """,
    """
    UPDATE orders o SET payment_failed_since = failed.since
    FROM (
        SELECT f.order_id, min(p.capture_failed_since) AS since
        FROM fulfilment f JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
        WHERE p.capture_state = 'failed' AND f.state <> 'cancelled'
        GROUP BY f.order_id
    ) AS failed
    WHERE failed.order_id = o.order_id
    """,
    """
    CREATE TABLE refund (
        refund_id      text PRIMARY KEY,
        order_id       text NOT NULL REFERENCES orders,
        number         integer NOT NULL CHECK (number >= 1),
        kind           text NOT NULL CHECK (kind IN ('goods', 'goodwill', 'delivery_fee', 'cancelled_units')),
        state          text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'superseded')),
        amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
        currency       text NOT NULL,
        shipping_minor bigint NOT NULL CHECK (shipping_minor BETWEEN 0 AND amount_minor),
        units          jsonb NOT NULL,
        taxes          jsonb NOT NULL,
        reason_code    text NOT NULL,
        reason         text NOT NULL,
        actor          text NOT NULL,
        requested_at   timestamptz NOT NULL,
        attempts       integer NOT NULL CHECK (attempts >= 1),
        failure        text NOT NULL,
        settled_at     timestamptz,
        UNIQUE (order_id, number),
        CHECK ((settled_at IS NULL) = (state IN ('pending', 'failed')))
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
