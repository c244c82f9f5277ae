"""Compartments of lockers at stores (SPEC PRM-7): what is collected waits in one instead of at the counter.

All else of it is what is collected at a counter (collecting.py). Which compartment it is, and whether it was
opened, its bank knows; what becomes of the goods is decided here.
"""

from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import collecting, substituting
from services.orders.domain.fulfilment import check_not_cancelled, told
from services.orders.domain.model import Decision, Fulfilment, Handing, Locker, Order
from services.orders.domain.states import FulfilmentState

_WAITS = frozenset({FulfilmentState.PICKED, FulfilmentState.READY})


def ask(order: Order, work: Fulfilment, actor: str, as_of: datetime) -> Decision:
    """The bank may keep a compartment for picked work from now on: written down before it is asked."""
    if work.locker is None:
        raise FailedPrecondition("NOT_FOR_LOCKER", "its customer does not want it in a locker")
    check_not_cancelled(work)
    if work.state is not FulfilmentState.PICKED:
        raise FailedPrecondition("NOT_PICKED", f"it is {work.state.value}, not picked", state=work.state.value)
    collecting.check_paid(order, work)
    if work.locker.asked_at:
        return Decision(order)
    after = replace(work, locker=Locker(asked_at=as_of))
    text = f"A compartment of {work.point_id} is asked for."
    return _untold(told(order, after, "compartment_asked", text, as_of, actor=actor))


def booked(order: Order, work: Fulfilment, compartment: str, key: str, as_of: datetime) -> Decision:
    """What the bank answered; no compartment: none is free. Nothing for work that goes another way meanwhile."""
    locker = work.locker
    if work.state is not FulfilmentState.PICKED or locker is None or not locker.asked_at or locker.compartment:
        return Decision(order)
    if not compartment:
        after, kind = replace(work, locker=Locker(full_at=as_of)), "locker_full"
        text = f"No compartment of {work.point_id} is free: it waits at the counter."
    else:
        locker = replace(locker, compartment=compartment, booked_at=as_of, key=key)
        after, kind = replace(work, locker=locker), "compartment_booked"
        text = f"Compartment {compartment} of {work.point_id} is kept for it."
    return _untold(told(order, after, kind, text, as_of))


def opened(order: Order, work: Fulfilment, at: datetime, as_of: datetime) -> Decision:
    """ready -> delivered: its customer opened it at `at`; `as_of`: when that was heard. Nothing once it is not in.

    What is held or was locked meanwhile is gone all the same.
    """
    if not work.compartment:
        return Decision(order)
    handing = Handing(at, substituting.units_of(work.lines), collecting.CODE, "customer", "")
    return collecting.hand(order, work, handing, as_of)


def closed(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """Its time is over and the bank opens it no more: it is given up. Nothing where it is kept longer by now."""
    waits = work.collection
    if not work.compartment or waits is None or waits.keep_until > as_of:
        return Decision(order)
    text = f"Compartment {work.compartment} of {work.point_id} opens no more."
    return _untold(told(order, _closed(work, as_of), "compartment_closed", text, as_of))


def take_out(order: Order, work: Fulfilment, shelf: str, actor: str, as_of: datetime) -> Decision:
    """The bank opens it no more, and the store takes it out: it waits at the counter, with the same code."""
    check_in_locker(work)
    assert work.collection is not None, "it waits"
    if len(shelf) > collecting.MAX_SHELF:
        raise InvalidArgument("shelf", f"at most {collecting.MAX_SHELF} characters")
    after = replace(_closed(work, as_of), collection=replace(work.collection, shelf=shelf))
    text = f"It was taken out of compartment {work.compartment} and waits at the counter of {work.point_id}."
    return told(order, after, "moved_to_counter", text, as_of, actor=actor)


def check_in_locker(work: Fulfilment) -> None:
    """Raises FailedPrecondition / NOT_IN_LOCKER."""
    if not work.compartment:
        raise FailedPrecondition("NOT_IN_LOCKER", "it lies in no compartment", state=work.state.value)


def is_to_release(work: Fulfilment) -> bool:
    """Whether the bank keeps a compartment in which nothing lies, or will: what nobody collected is out of it."""
    locker, waits = work.locker, work.collection
    if locker is None or locker.asked_at is None or locker.released_at:
        return False
    if work.state in _WAITS:
        return locker.closed_at is not None
    return waits is None or waits.put_back_since is None or waits.put_back_at is not None


def released(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """The bank keeps none for it any more."""
    if not is_to_release(work):
        return Decision(order)
    assert work.locker is not None, "it is released"
    after = replace(work, locker=replace(work.locker, released_at=as_of))
    text = f"{work.point_id} has its compartment back."
    return _untold(told(order, after, "compartment_released", text, as_of))


def _closed(work: Fulfilment, as_of: datetime) -> Fulfilment:
    assert work.locker is not None, "it lies in a locker"
    return replace(work, locker=replace(work.locker, closed_at=as_of))


def _untold(decision: Decision) -> Decision:
    """In the timeline alone: no story has to know lockers."""
    happenings = tuple(replace(one, told=False) for one in decision.happenings)
    return replace(decision, happenings=happenings)
