"""The words of the desk: why an order does not go on, how late it is, and what a preview says."""

from collections.abc import Mapping
from datetime import UTC, datetime

from kit import times
from kit.values.money import Money
from oms.orders.v1 import desk_service_pb2 as pb
from services.gateway.schemas.desk import BlockedOrderView, BlockReasonView

REASONS: Mapping[str, str] = {
    "held_fraud": "Fraud review",
    "held_payment": "Payment on hold",
    "held_manual": "Held by a person",
    "held_change": "Change under way",
    "held_stock": "Stock did not come",
    "late": "Late",
    "hand_over_missed": "Missed its carrier, still in time",
    "hand_over_near": "About to miss its carrier",
    "start_missed": "Nobody began in time",
    "payment_failed": "Money not captured",
    "undecided_loss": "Lost, to decide",
    "unclaimed": "Nobody took the work",
    "appointment_missed": "Appointment missed",
    "appointment_moving": "Appointment moving",
    "refund_failed": "Refund failed",
}
_CAUSES = {
    "planned_later": "it was planned later than promised",
    "hand_over_missed": "a hand-over was missed",
    "delivery_missed": "the carrier did not deliver in time",
    "in_time": "a parcel is in time again, another is not",
}
_THEN = {
    "release": "goes on by itself",
    "cancel": "is cancelled by itself",
    "retry": "is tried again by itself",
    "refund": "is refunded by itself",
    "hand_over": "the carrier comes",
}
_UNIT_WORDS = {"allocated": "held", "unplaced": "without a place", "recorded": "not planned yet"}


def why(one: BlockReasonView) -> str:
    """A reason with what happens by itself, in a sentence."""
    detail = _CAUSES.get(one.detail, one.detail.replace("_", " "))
    told = f"{REASONS[one.reason]}: {detail}" if detail else REASONS[one.reason]
    if one.then and one.due_at:
        return f"{told}; {_THEN[one.then]} on {moment(one.due_at)}"
    return f"{told}; waits for a person" if one.reason != "late" else told


def late_by(one: BlockedOrderView) -> str:
    """How late it is, or how long there is still, against the end of what was promised."""
    if one.promise is None:
        return "no promise yet"
    left = one.promise.end - times.now()
    words = _span(abs(left.total_seconds()))
    return f"{words} late" if left.total_seconds() < 0 else f"{words} left"


def _span(seconds: float) -> str:
    hours = int(seconds // 3_600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h" if hours else f"{int(seconds // 60)} min"


def moment(instant: datetime) -> str:
    """As instants are written on these pages."""
    return f"{instant.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"


def effect(one: pb.ActEffect, status: str, status_after: str | None) -> list[str]:
    """What would come of an act: units, stock, money and the order's state."""
    told = [_units(units) for units in one.units]
    held = sum(units.quantity for units in one.units if units.point_id and units.to_state == "cancelled")
    if held:
        told.append(f"{held} held units are free to be sold again.")
    if one.no_longer_due.amount_minor:
        due = Money(one.no_longer_due.amount_minor, one.no_longer_due.currency)
        told.append(f"{due} is no longer due: it is released, or given back where it was captured.")
    if one.refunded.amount_minor:
        told.append(f"{Money(one.refunded.amount_minor, one.refunded.currency)} goes back to the customer.")
    if status_after and status_after != status:
        told.append(f"The order is then {status_after.replace('_', ' ')}.")
    return told


def tells(one: pb.ActEffect) -> list[str]:
    """What the timeline would say of it, each sentence once."""
    return list(dict.fromkeys(one.sentences))


def _units(one: pb.MovedUnits) -> str:
    before, after = (_UNIT_WORDS.get(state, state) for state in (one.from_state, one.to_state))
    where = f" at {one.point_id}" if one.point_id else ""
    verb = "is" if one.quantity == 1 else "are"
    return f"Line {one.line_number}: {one.quantity} of {one.sku}, now {before}{where}, {verb} then {after}."
