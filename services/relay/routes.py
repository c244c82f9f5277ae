"""Which events start or wake a workflow, as data. Mostly the workflow has the id of the event's subject."""

SIGNAL = "happened"

WAKING = frozenset(
    {
        "oms.orders.order.cancellation_requested",
        "oms.orders.order.holds_ended",
        "oms.orders.order.wait_changed",
        "oms.orders.order.lines_cancelled",
        "oms.orders.order.change_proposed",
        "oms.orders.order.capture_overridden",
        "oms.orders.order.capture_retry_requested",
        "oms.orders.order.refund_retried",
        "oms.orders.order.trial_settled",
        "oms.orders.order.collection_chosen",
        *(
            f"oms.orders.fulfilment.{what}"
            for what in (
                "hold_ended",
                "accepted",
                "refused",
                "claimed",
                "claim_refused",
                "offer_refused",
                "picked",
                "short",
                "spoiled",
                "packed",
                "ready_for_collection",
                "collecting",
                "collected",
                "capture_overridden",
                "capture_retry_requested",
                "handed_over",
                "forwarded",
                "received",
                "set_aside",
                "delivered",
                "cancelled",
            )
        ),
        "oms.orders.parcel.returned",
        "oms.orders.parcel.loss_decided",
        "oms.payments.payment.authorized",
        "oms.payments.payment.declined",
        "oms.payments.payment.saved",
        "oms.payments.change.authorized",
        "oms.payments.change.declined",
        # Of stock to come that an order waits for.
        *(f"oms.inventory.expected.{what}" for what in ("served", "short", "cancelled", "late", "changed")),
    }
)

# About a reservation, not about a workflow: they wake the order that holds it. Others that hold have no workflow.
_OF_RESERVATIONS = "oms.inventory.expected."

# The workflow that carries out what the event says was decided; the event's data is what it starts with.
STARTING = {
    "oms.orders.order.refund_requested": "RefundWorkflow",
    "oms.orders.order.appointment_move_requested": "AppointmentMoveWorkflow",
    "oms.orders.order.trial_units_back": "RestockWorkflow",
    "oms.orders.order.inbound_units_back": "RestockWorkflow",
    "oms.orders.order.packed_units_back": "PutBackWorkflow",
    "oms.booking.booking.missed": "MissedAppointmentWorkflow",
}

# "oms.<source>.<aggregate>.<what>": only these sources need to be read for signals.
WAKING_SOURCES = frozenset(event_type.split(".")[1] for event_type in {*WAKING, *STARTING})


def workflow_of(event_type: str, subject: str, order_id: str) -> str:
    """The id of the workflow that an event starts or wakes; empty when it is about nobody's."""
    if event_type in STARTING:
        return subject
    if event_type not in WAKING:
        return ""
    if event_type.startswith(_OF_RESERVATIONS):
        return f"order/{order_id}" if order_id else ""
    return subject
