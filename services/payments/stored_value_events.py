"""What is told of stored value: ids and amounts, never a code, a customer or a cause."""

from kit.outbox import Event
from services.payments.domain.stored_value import Act, Change, Instrument, Line

_TYPES = {
    Act.ISSUE: "oms.payments.stored_value.issued",
    Act.SPEND: "oms.payments.stored_value.spent",
    Act.EXPIRE: "oms.payments.stored_value.expired",
}


def events_of(change: Change) -> list[Event]:
    """Of an act: for each line that others want to know of, about the instrument that it moves."""
    of = {one.instrument_id: one for one in (change.instrument, change.note) if one}
    return [_event(of[line.instrument_id], line) for line in change.lines if line.act in _TYPES]


def _event(of: Instrument, line: Line) -> Event:
    data = {
        "instrument_id": of.instrument_id,
        "kind": of.terms.kind.value,
        "amount_minor": line.amount_minor,
        "currency": of.terms.currency,
        "balance_minor": of.balance,
    }
    if line.why.order_id:
        data["order_id"] = line.why.order_id
    subject = f"stored_value/{of.instrument_id}"
    return Event(_TYPES[line.act], subject, line.why.order_id, line.why.now, data)
