"""Which events wake a workflow, as data. The workflow has the id of the event's subject."""

SIGNAL = "happened"

WAKING = frozenset(
    {
        "oms.orders.order.cancellation_requested",
        *(
            f"oms.orders.fulfilment.{what}"
            for what in (
                "accepted",
                "refused",
                "picked",
                "short",
                "packed",
                "capture_overridden",
                "handed_over",
                "delivered",
                "cancelled",
            )
        ),
        "oms.payments.payment.authorized",
        "oms.payments.payment.declined",
    }
)

# "oms.<source>.<aggregate>.<what>": only these sources need to be read for signals.
WAKING_SOURCES = frozenset(event_type.split(".")[1] for event_type in WAKING)
