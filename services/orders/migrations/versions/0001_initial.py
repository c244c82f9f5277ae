"""The order aggregate, its settings, its timeline, and the plumbing of requests and events."""

from alembic import op

from kit import outbox, requests

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SETTINGS = (
    """
    CREATE TABLE life_cycle (
        life_cycle_id          text NOT NULL,
        version                integer NOT NULL CHECK (version >= 1),
        cooling_off_seconds    integer NOT NULL CHECK (cooling_off_seconds >= 0),
        offer_seconds          integer NOT NULL CHECK (offer_seconds > 0),
        payment_action_seconds integer NOT NULL CHECK (payment_action_seconds > 0),
        reroute_limit          integer NOT NULL CHECK (reroute_limit >= 0),
        published_at           timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (life_cycle_id, version)
    )
    """,
    """
    CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME;
    END $$
    """,
    # Orders refer to the version that they began with: it is their snapshot.
    """
    CREATE TRIGGER life_cycle_never_changes BEFORE UPDATE OR DELETE ON life_cycle
    FOR EACH ROW EXECUTE FUNCTION forbid_change()
    """,
    """
    CREATE TABLE sales_channel (
        channel_id    text PRIMARY KEY,
        name          text NOT NULL,
        currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        brands        text[] NOT NULL,
        life_cycle_id text NOT NULL
    )
    """,
)

_ORDER = (
    """
    CREATE TABLE orders (
        order_id             text PRIMARY KEY,
        channel_id           text NOT NULL REFERENCES sales_channel,
        idempotency_key      text NOT NULL,
        content_digest       bytea NOT NULL,
        channel_order_number text NOT NULL,
        state                text NOT NULL CHECK (state IN ('recorded', 'action_required', 'refused', 'validated',
                                                            'released', 'cancelling', 'cancelled', 'closed')),
        customer_status      text NOT NULL,
        fine_status          text NOT NULL,
        total_minor          bigint NOT NULL CHECK (total_minor >= 0),
        currency             text NOT NULL,
        mode                 text NOT NULL,
        brands               text[] NOT NULL,
        quote_id             text NOT NULL,
        payment              jsonb NOT NULL,
        life_cycle_id        text NOT NULL,
        life_cycle_version   integer NOT NULL,
        placed_at            timestamptz NOT NULL,
        recorded_at          timestamptz NOT NULL,
        updated_at           timestamptz NOT NULL,
        promise_start        timestamptz,
        promise_end          timestamptz,
        cooling_off_until    timestamptz,
        refusal              jsonb,
        next_action_url      text NOT NULL DEFAULT '',
        cancellation_reason  text NOT NULL DEFAULT '',
        payment_outcome      text NOT NULL DEFAULT '',
        UNIQUE (channel_id, idempotency_key),
        FOREIGN KEY (life_cycle_id, life_cycle_version) REFERENCES life_cycle
    )
    """,
    "CREATE INDEX orders_newest ON orders (placed_at DESC, order_id DESC)",
    "CREATE INDEX orders_newest_of_channel ON orders (channel_id, placed_at DESC, order_id DESC)",
    "CREATE INDEX orders_number ON orders (channel_order_number) WHERE channel_order_number <> ''",
    "CREATE INDEX orders_unstarted ON orders (recorded_at) WHERE state IN ('recorded', 'cancelling')",
    # The only table with personal data: erasing a person is clearing rows here.
    """
    CREATE TABLE order_customer (
        order_id     text PRIMARY KEY REFERENCES orders,
        customer_id  text NOT NULL,
        name         text NOT NULL,
        email        text NOT NULL,
        phone        text NOT NULL,
        ship_to_name text NOT NULL,
        street_lines text[] NOT NULL,
        postcode     text NOT NULL,
        city         text NOT NULL,
        country      text NOT NULL
    )
    """,
    "CREATE INDEX order_customer_person ON order_customer (customer_id) WHERE customer_id <> ''",
    """
    CREATE TABLE order_line (
        order_id              text NOT NULL REFERENCES orders,
        line_number           integer NOT NULL CHECK (line_number >= 1),
        sku                   text NOT NULL,
        brand                 text NOT NULL,
        title                 text NOT NULL,
        quantity              bigint NOT NULL CHECK (quantity >= 1),
        net_minor             bigint NOT NULL CHECK (net_minor >= 0),
        tax_minor             bigint NOT NULL CHECK (tax_minor >= 0),
        tax_rate_basis_points integer NOT NULL,
        shipping_minor        bigint NOT NULL CHECK (shipping_minor >= 0),
        discounts             jsonb NOT NULL,
        PRIMARY KEY (order_id, line_number)
    )
    """,
)

_WORK = (
    """
    CREATE TABLE fulfilment (
        fulfilment_id  text PRIMARY KEY,
        order_id       text NOT NULL REFERENCES orders,
        round          integer NOT NULL CHECK (round >= 1),
        position       integer NOT NULL,
        point_id       text NOT NULL,
        carrier_id     text NOT NULL,
        service_id     text NOT NULL,
        state          text NOT NULL CHECK (state IN ('planned', 'offered', 'accepted', 'refused', 'lapsed',
                                                      'picked', 'short', 'packed', 'handed_over', 'delivered',
                                                      'cancelled')),
        lines          jsonb NOT NULL,
        window_start   timestamptz,
        window_end     timestamptz,
        hand_over_by   timestamptz NOT NULL,
        offer_deadline timestamptz,
        refusal_reason text NOT NULL,
        decision_id    text NOT NULL,
        UNIQUE (order_id, round, position)
    )
    """,
    """
    CREATE INDEX fulfilment_work ON fulfilment (point_id, hand_over_by, fulfilment_id)
    WHERE state IN ('offered', 'accepted', 'picked', 'packed')
    """,
    """
    CREATE TABLE line_range (
        order_id      text NOT NULL,
        line_number   integer NOT NULL,
        from_unit     bigint NOT NULL CHECK (from_unit >= 0),
        to_unit       bigint NOT NULL,
        state         text NOT NULL,
        fulfilment_id text REFERENCES fulfilment,
        PRIMARY KEY (order_id, line_number, from_unit),
        FOREIGN KEY (order_id, line_number) REFERENCES order_line,
        CHECK (from_unit < to_unit),
        CHECK ((fulfilment_id IS NULL) = (state IN ('recorded', 'unplaced', 'cancelled')))
    )
    """,
    """
    CREATE TABLE parcel (
        parcel_id      text PRIMARY KEY,
        fulfilment_id  text NOT NULL UNIQUE REFERENCES fulfilment,
        carrier_id     text NOT NULL,
        amount_minor   bigint NOT NULL CHECK (amount_minor >= 0),
        currency       text NOT NULL,
        weight_grams   integer NOT NULL CHECK (weight_grams >= 0),
        closed_at      timestamptz NOT NULL,
        capture_state  text NOT NULL CHECK (capture_state IN ('pending', 'captured', 'failed', 'overridden',
                                                              'not_needed')),
        capture_reason text NOT NULL,
        tracking_code  text NOT NULL,
        handed_over_at timestamptz CHECK (handed_over_at IS NULL
                                          OR capture_state IN ('captured', 'overridden', 'not_needed')),
        in_transit_at  timestamptz,
        delivered_at   timestamptz
    )
    """,
    "CREATE UNIQUE INDEX parcel_tracking ON parcel (carrier_id, tracking_code) WHERE tracking_code <> ''",
    """
    CREATE TABLE carrier_event (
        carrier_id    text NOT NULL,
        event_id      text NOT NULL,
        parcel_id     text NOT NULL REFERENCES parcel,
        status        text NOT NULL,
        occurred_at   timestamptz NOT NULL,
        recorded_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (carrier_id, event_id)
    )
    """,
    """
    CREATE TABLE timeline (
        entry_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        order_id      text NOT NULL REFERENCES orders,
        at            timestamptz NOT NULL,
        kind          text NOT NULL,
        text          text NOT NULL,
        actor         text NOT NULL,
        fulfilment_id text NOT NULL,
        data          jsonb NOT NULL
    )
    """,
    "CREATE INDEX timeline_of_order ON timeline (order_id, entry_id)",
)


def upgrade() -> None:
    for statement in (*_SETTINGS, *_ORDER, *_WORK, requests.DDL, *outbox.DDL):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
