"""How prepared goods reach the customer: by carrier, at an appointment, by way of a store or a hub, at a counter.

Each says when a parcel that is ready is handed over, and in which window the customer has it then.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from services.promise.domain.calendars import DeliveryCalendar, HandOver, PointCalendar
from services.promise.domain.network import Window

# A carrier's cut-offs at or after an instant that have room, in order.
Visits = Callable[[datetime], Iterator[HandOver]]
# In which window the customer has what is all at a hub by an instant; what comes later is never earlier.
Onward = Callable[[datetime], Window | None]


class Journey(Protocol):
    """From one point, by one service."""

    def hand_over(self, ready: datetime) -> HandOver | None:
        """Of a parcel that is ready then; None when there is none within reach."""

    def window(self, hand_over: HandOver) -> Window | None:
        """In which the customer has the parcel; None beyond the horizon."""

    def last_hand_over(self, window: Window, first: HandOver) -> HandOver:
        """The last one that is in time for `window`, which `first` meets."""


class ByCarrier:
    """By the next visit, to the customer's address, a relay point or a locker."""

    def __init__(self, visits: Visits, delivery: DeliveryCalendar) -> None:
        self._visits = visits
        self._delivery = delivery

    def hand_over(self, ready: datetime) -> HandOver | None:
        """The carrier's next cut-off."""
        return next(self._visits(ready), None)

    def window(self, hand_over: HandOver) -> Window | None:
        """The days on which the service delivers."""
        return self._delivery.window(hand_over)

    def last_hand_over(self, window: Window, first: HandOver) -> HandOver:
        """Looked for one visit after the other."""
        last = first
        for hand_over in self._visits(first.at):
            reached = self.window(hand_over)
            if reached is None or reached.rank > window.rank:
                break
            last = hand_over
        return last


class ByAppointment(ByCarrier):
    """By the last visit that is in time for the appointment: nothing waits at the carrier's."""

    def __init__(self, visits: Visits, delivery: DeliveryCalendar, appointment: Window) -> None:
        super().__init__(visits, delivery)
        self._appointment = appointment
        self._day = delivery.local_day(appointment.start)

    def hand_over(self, ready: datetime) -> HandOver | None:
        """None when the next visit is too late for the appointment."""
        first = super().hand_over(ready)
        if first is None or self.window(first) is None:
            return None
        return self.last_hand_over(self._appointment, first)

    def window(self, hand_over: HandOver) -> Window | None:
        """The appointment, if what is handed over then arrives by its day."""
        reached = super().window(hand_over)
        if reached is None or self._delivery.last_day(reached) > self._day:
            return None
        return self._appointment


class ToStore(ByCarrier):
    """By the next visit to a store, which makes the parcel ready to be collected."""

    def __init__(
        self, visits: Visits, delivery: DeliveryCalendar, store: PointCalendar, receiving: timedelta
    ) -> None:
        super().__init__(visits, delivery)
        self._store = store
        self._receiving = receiving

    def window(self, hand_over: HandOver) -> Window | None:
        """From when it is ready at the counter until the store closes."""
        arrives = super().window(hand_over)
        ready = None if arrives is None else self._store.ready_at(arrives.end, self._receiving)
        return None if ready is None else self._store.next_open(ready)

    def going_on(self, onward: Onward) -> "ByHub":
        """The same way to the store, where it does not end."""
        return ByHub(self._visits, self._delivery, onward)


class ByHub(ByCarrier):
    """By the next visit to a hub, from where it goes on to the customer."""

    def __init__(self, visits: Visits, delivery: DeliveryCalendar, onward: Onward) -> None:
        super().__init__(visits, delivery)
        self._onward = onward

    def arrives(self, hand_over: HandOver) -> Window | None:
        """When the hub has it; None beyond the horizon."""
        return super().window(hand_over)

    def window(self, hand_over: HandOver) -> Window | None:
        """In which the customer has it, where the hub waits for nothing else."""
        arrives = self.arrives(hand_over)
        return None if arrives is None else self._onward(arrives.end)


class AtCounter:
    """Prepared where it is collected."""

    def __init__(self, calendar: PointCalendar) -> None:
        self._calendar = calendar

    def hand_over(self, ready: datetime) -> HandOver | None:
        """At once, or when the store opens again."""
        hours = self._calendar.next_open(ready)
        return None if hours is None else HandOver(self._calendar.local_day(hours.start), hours.start)

    def window(self, hand_over: HandOver) -> Window | None:
        """From then until the store closes."""
        return self._calendar.next_open(hand_over.at)

    def last_hand_over(self, window: Window, first: HandOver) -> HandOver:
        """When the store closes: an order that is ready by then is ready that day."""
        return HandOver(first.day, window.end) if first.at < window.end else first
