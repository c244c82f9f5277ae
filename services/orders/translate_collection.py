"""Protobuf messages of what is collected at a store to domain records and back."""

from collections.abc import Iterable

from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.model import Collection, CollectionTerms, Fulfilment, LifeCycle, PutBack, Units
from services.orders.wire import from_instant

_USUAL = CollectionTerms()


def to_terms(message: pb.LifeCycle) -> CollectionTerms:
    """The usual ones where nothing else is said."""
    one = message.collection
    return CollectionTerms(
        keep_days=one.keep_days or _USUAL.keep_days,
        reminder_days=one.reminder_days if one.HasField("reminder_days") else _USUAL.reminder_days,
        reservation_hours=one.reservation_hours,
        choice_hours=one.choice_hours or _USUAL.choice_hours,
        code_attempts=one.code_attempts or _USUAL.code_attempts,
    )


def from_terms(one: LifeCycle) -> pb.CollectionTerms:
    terms = one.collection
    return pb.CollectionTerms(
        keep_days=terms.keep_days,
        reminder_days=terms.reminder_days,
        reservation_hours=terms.reservation_hours,
        choice_hours=terms.choice_hours,
        code_attempts=terms.code_attempts,
    )


def from_units(units: Iterable[Units]) -> list[pb.PlannedLine]:
    return [pb.PlannedLine(line_number=one.line_number, sku=one.sku, quantity=one.quantity) for one in units]


def from_put_back(one: PutBack | None) -> pb.PutBack | None:
    if one is None:
        return None
    return pb.PutBack(
        units=from_units(one.units), since=from_instant(one.since), done_at=from_instant(one.done_at)
    )


def from_collection(one: Collection) -> pb.Collection:
    """Of whoever had it, the proof alone: no name, no number of a document."""
    handing = one.handing
    is_over = one.collected_at is not None
    return pb.Collection(
        ready_at=from_instant(one.ready_at),
        keep_until=from_instant(one.keep_until),
        remind_at=from_instant(one.remind_at),
        reminded_at=from_instant(one.reminded_at),
        shelf=one.shelf,
        wrong_codes=one.wrong_codes,
        locked_at=from_instant(one.locked_at),
        handing_since=from_instant(handing.at) if handing and not is_over else None,
        collected_at=from_instant(one.collected_at),
        proof=handing.proof if handing and is_over else "",
        collected_by=handing.collected_by if handing and is_over else "",
        overdue_at=from_instant(one.overdue_at),
        put_back=from_units(one.put_back),
        put_back_since=from_instant(one.put_back_since),
        put_back_at=from_instant(one.put_back_at),
    )


def from_locker(one: Fulfilment) -> pb.Locker | None:
    """None of what its customer wants at the counter, or elsewhere."""
    if (locker := one.locker) is None:
        return None
    return pb.Locker(
        compartment=locker.compartment,
        booked_at=from_instant(locker.booked_at),
        full_at=from_instant(locker.full_at),
        closed_at=from_instant(locker.closed_at),
        released_at=from_instant(locker.released_at),
        holds=bool(one.compartment),
    )
