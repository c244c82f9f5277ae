"""What may be collected at a store, and how long it waits there: what channels and life cycles may say (STO-2)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit.errors import InvalidArgument
from services.orders.domain.model import (
    Buyer,
    CaptureMoment,
    CollectionTerms,
    Content,
    Fulfilment,
    LifeCycle,
    Order,
    Window,
)

_DAY = timedelta(days=1)
_BOUNDS = (
    ("keep_days", 1, 60),
    ("reservation_hours", 0, 720),
    ("choice_hours", 1, 336),
    ("code_attempts", 1, 20),
)


def check_terms(terms: CollectionTerms) -> None:
    """Raises InvalidArgument, naming the field, for terms that could not be kept."""
    for name, least, most in _BOUNDS:
        if not least <= getattr(terms, name) <= most:
            raise InvalidArgument(f"life_cycle.collection.{name}", f"{least} to {most}")
    if not 0 <= terms.reminder_days < terms.keep_days:
        raise InvalidArgument("life_cycle.collection.reminder_days", "at least 0, and less than it is kept")


def check_content(content: Content, buyer: Buyer) -> None:
    """Raises InvalidArgument, naming the field, for an order that nobody could collect, or knows where."""
    if not content.is_collected:
        if content.collect_at_point_id:
            raise InvalidArgument("collect_at_point_id", "only what is collected at a store names it")
        return
    if not content.collect_at_point_id:
        raise InvalidArgument("collect_at_point_id", "say at which store it is collected")
    if content.taken:
        raise InvalidArgument("lines", "what is taken along at once is an order of its own", reason="TAKEN_ALONG")
    if content.may_wait:
        raise InvalidArgument("may_wait", "what is collected does not wait for stock to come")
    if not buyer.customer.name.strip():
        raise InvalidArgument("customer.name", "the store asks for the name of who collects it")
    fees = [line.line_number for line in content.lines if line.shipping_minor]
    if content.is_paid_in_store and fees:
        raise InvalidArgument("lines", f"an e-reservation has no delivery fee: line {fees[0]}")


def check_change(before: Content, after: Content) -> None:
    """Raises InvalidArgument where an order would be collected otherwise, or elsewhere, or no longer."""
    if before.mode != after.mode and (before.is_collected or after.is_collected):
        raise InvalidArgument("mode", "what is collected is placed anew to be sent, and the other way round")
    if before.is_paid_in_store and before.total != after.total:
        raise InvalidArgument("total", "an e-reservation is placed anew for other goods")


def lived(content: Content, life_cycle: LifeCycle) -> LifeCycle:
    """How such an order lives: at a locker nobody asks for money, so it is taken when it is prepared."""
    if content.is_for_locker and life_cycle.capture_at is CaptureMoment.SHIPMENT:
        return replace(life_cycle, capture_at=CaptureMoment.PREPARATION)
    return life_cycle


def opening_days(order: Order) -> int:
    """How many closings of its point tell when what is ready now ends; 0: none, it is counted in hours."""
    terms = order.life_cycle.collection
    if order.content.is_paid_in_store:
        return 0 if terms.reservation_hours else 2
    return terms.keep_days + 1


def usual_dates(order: Order, work: Fulfilment, ready_at: datetime) -> tuple[datetime | None, datetime]:
    """When to remind, and until when it is kept, by the closing time that the plan knows, on days of any kind."""
    first = _closing(work.window, ready_at)
    closings = [first + days * _DAY for days in range(opening_days(order))]
    return dates(order, ready_at, closings)


def dates(order: Order, ready_at: datetime, closings: Sequence[datetime]) -> tuple[datetime | None, datetime]:
    """The same by the closings of the point's opening days, the first that of the day on which it is ready."""
    terms = order.life_cycle.collection
    if order.content.is_paid_in_store:
        end = closings[-1] if closings else ready_at + timedelta(hours=terms.reservation_hours)
        return None, end
    reminder = closings[-1 - terms.reminder_days] if 0 < terms.reminder_days < len(closings) else None
    return reminder if reminder and reminder > ready_at else None, closings[-1]


def _closing(window: Window | None, at: datetime) -> datetime:
    """Of the day of `at`; a window of what is collected ends when its store closes."""
    if window is None:
        return at
    return window.end + -((window.end - at) // _DAY) * _DAY
