"""Use cases of bookings, one method per RPC: opens a transaction, checks the request id, loads, decides, saves.

A place is taken by a conditional update of the slot's row, while its pattern cannot change: never one too many.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, requests
from kit.feed import Bell
from kit.values.ids import new_id
from services.booking import checks, store
from services.booking.domain import bookings
from services.booking.domain.bookings import Booking, Change, Refusal, State
from services.booking.domain.patterns import Place, Slot, Window
from services.booking.events import events_of
from services.booking.patterns import Offered, Patterns, slot_of

_Decide = Callable[[Booking], Change]
_Take = Callable[[AsyncConnection], Awaitable[Booking]]


@dataclass(frozen=True, slots=True)
class Hold:
    """A place for somebody who is about to order."""

    request_id: str
    slot_id: str
    channel_id: str
    place: Place
    time_to_live_seconds: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """The order whose appointment it is, and where that goes."""

    request_id: str
    booking_id: str
    order_id: str
    channel_id: str
    place: Place


@dataclass(frozen=True, slots=True)
class Release:
    """Who gives it back: the order whose it is, or nobody for a mere hold. An empty channel is any."""

    request_id: str
    booking_id: str
    order_id: str
    channel_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Where an order's appointment goes."""

    request_id: str
    booking_id: str
    order_id: str
    slot_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a carrier says of an appointment."""

    request_id: str
    booking_id: str
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The booking, or why the place could not be had and which ones can."""

    booking: Booking | None
    refusal: Refusal = Refusal.NONE
    alternatives: Sequence[Offered] = ()


class _Refused(Exception):
    """Ends the transaction: nothing of it stays, and the request may be repeated."""

    def __init__(self, refusal: Refusal, wanted: Window, place: Place, carrier_id: str, service_id: str) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.wanted = wanted
        self.place = place
        self.carrier_id = carrier_id
        self.service_id = service_id


class BookingService:
    """Every RPC of bookings."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        self._patterns = Patterns(engine)

    async def hold(self, asked: Hold, now: datetime) -> Outcome:
        """A booking that is held. NotFound / UNKNOWN_SLOT."""
        checks.required(asked.channel_id, "channel_id")
        checks.place(asked.place, "destination")
        time_to_live = timedelta(seconds=checks.time_to_live(asked.time_to_live_seconds))

        async def take(tx: AsyncConnection) -> Booking:
            if first := await _answered(tx, "hold", asked):
                return first
            slot = await slot_of(tx, asked.slot_id, shared=True)
            await _take(tx, slot, asked.place, now)
            change = bookings.hold(new_id("bkg"), slot, asked.place, asked.channel_id, time_to_live, now)
            await store.insert_booking(tx, change.booking)
            await _told(tx, asked.request_id, change)
            return change.booking

        return await self._taking(take, now)

    async def confirm(self, asked: Confirm, now: datetime) -> Outcome:
        """The order's booking. A hold that expired takes a place again, if there is one."""
        checks.required(asked.order_id, "order_id")
        checks.place(asked.place, "destination")

        async def take(tx: AsyncConnection) -> Booking:
            if first := await _answered(tx, "confirm", asked):
                return first
            held = await _locked(tx, asked.booking_id)
            if held.channel_id != asked.channel_id:
                raise bookings.not_found(asked.booking_id)
            bookings.check_confirmable(held, asked.order_id)
            if not held.order_id:
                held = await _placed(tx, held, asked.place, now)
            change = bookings.confirm(held, asked.order_id, asked.place, now)
            await store.save(tx, change.booking)
            await _told(tx, asked.request_id, change)
            return change.booking

        return await self._taking(take, now)

    async def release(self, asked: Release, now: datetime) -> Booking | None:
        """As it stands; None when there is none. BOOKED_BY_ANOTHER."""
        checks.code(asked.reason, "reason")
        async with self._engine.begin() as tx:
            await requests.first_answer(tx, asked.request_id, _content("release", asked))
            found = await store.lock(tx, asked.booking_id)
            if found is None or asked.channel_id not in ("", found.channel_id):
                return None
            change = bookings.release(found, asked.order_id, asked.reason, now)
            await _left(tx, found, change)
            await _told(tx, asked.request_id, change)
        self._bell.ring()
        return change.booking

    async def move(self, asked: Move, now: datetime) -> Outcome:
        """The booking in its new slot, or still in the old one."""
        checks.required(asked.order_id, "order_id")

        async def take(tx: AsyncConnection) -> Booking:
            if first := await _answered(tx, "move", asked):
                return first
            booked = await _locked(tx, asked.booking_id)
            bookings.check_movable(booked, asked.order_id)
            if booked.slot_id == asked.slot_id and booked.state is State.CONFIRMED:
                await requests.remember(tx, asked.request_id, {"booking_id": booked.booking_id})
                return booked
            slot = await slot_of(tx, asked.slot_id, shared=True)
            await store.lock_slots(tx, booked.slot_id, slot.slot_id)
            refusal = bookings.why_not_there(booked, slot, now)
            if not refusal and not await store.take(tx, slot.slot_id, slot.pattern.capacity):
                refusal = Refusal.SLOT_FULL
            if refusal:
                raise _Refused(refusal, slot.window, booked.place, booked.carrier_id, booked.service_id)
            await store.give_back(tx, booked.slot_id)
            change = bookings.move(booked, slot, now)
            await store.save(tx, change.booking)
            await _told(tx, asked.request_id, change)
            return change.booking

        return await self._taking(take, now)

    async def kept(self, asked: Said, now: datetime) -> Booking:
        """The customer was met. NOT_CONFIRMED, BOOKING_ENDED, SLOT_NOT_BEGUN."""
        return await self._said("kept", asked, lambda one: bookings.keep(one, now))

    async def missed(self, asked: Said, now: datetime) -> Booking:
        """The customer was not met. NOT_CONFIRMED, BOOKING_ENDED, SLOT_NOT_BEGUN."""
        checks.code(asked.reason, "reason")
        return await self._said("missed", asked, lambda one: bookings.miss(one, asked.reason, now))

    async def expire(self, as_of: datetime, limit: int = 200) -> int:
        """Ends holds whose time is over by then, and gives their places back; how many, at most `limit`."""
        async with self._engine.begin() as tx:
            over = await store.take_expired(tx, as_of, limit)
            if over:
                await store.lock_slots(tx, *(one.slot_id for one in over))
            changes = [bookings.expire(one, as_of) for one in over]
            for change in changes:
                await store.save(tx, change.booking)
                await store.give_back(tx, change.booking.slot_id)
            await outbox.write(tx, events_of(*changes))
        if over:
            self._bell.ring()
        return len(over)

    async def get(self, booking_id: str) -> Booking:
        """NotFound / BOOKING_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            found = await store.read(tx, booking_id)
        if found is None:
            raise bookings.not_found(booking_id)
        return found

    async def alternatives(self, booking_id: str, place: Place | None, now: datetime) -> list[Offered]:
        """The nearest slots that can be had instead, by how near they are. NotFound / BOOKING_NOT_FOUND."""
        found = await self.get(booking_id)
        if place is not None:
            checks.place(place, "destination")
        return await self._patterns.alternatives(
            found.carrier_id, found.service_id, place or found.place, found.window, now
        )

    async def listed(self, wanted: store.Wanted, size: int) -> tuple[list[Booking], bool]:
        """A page by the start of their windows, and whether there are more."""
        async with db.single(self._engine).connect() as tx:
            found = await store.list_bookings(tx, wanted, size + 1)
        return found[:size], len(found) > size

    async def _taking(self, take: _Take, now: datetime) -> Outcome:
        """In one transaction, of which nothing stays when it is refused."""
        try:
            async with self._engine.begin() as tx:
                booking = await take(tx)
        except _Refused as refused:
            instead = await self._patterns.alternatives(
                refused.carrier_id, refused.service_id, refused.place, refused.wanted, now
            )
            return Outcome(None, refused.refusal, instead)
        self._bell.ring()
        return Outcome(booking)

    async def _said(self, verb: str, asked: Said, decide: _Decide) -> Booking:
        checks.actor(asked.actor)
        async with self._engine.begin() as tx:
            if first := await _answered(tx, verb, asked):
                return first
            change = decide(await _locked(tx, asked.booking_id))
            await store.save(tx, change.booking)
            await _told(tx, asked.request_id, change)
        self._bell.ring()
        return change.booking


async def _answered(tx: AsyncConnection, verb: str, asked: Hold | Confirm | Move | Said) -> Booking | None:
    """The booking of a request that was answered before, as it stands now."""
    first = await requests.first_answer(tx, asked.request_id, _content(verb, asked))
    return await store.read(tx, str(first["booking_id"])) if first else None


async def _locked(tx: AsyncConnection, booking_id: str) -> Booking:
    checks.required(booking_id, "booking_id")
    found = await store.lock(tx, booking_id)
    if found is None:
        raise bookings.not_found(booking_id)
    return found


async def _take(tx: AsyncConnection, slot: Slot, place: Place, now: datetime) -> None:
    """Takes a place, or raises _Refused."""
    refusal = bookings.why_not(slot, place, now)
    if not refusal:
        await store.lock_slots(tx, slot.slot_id)
        if not await store.take(tx, slot.slot_id, slot.pattern.capacity):
            refusal = Refusal.SLOT_FULL
    if refusal:
        raise _Refused(refusal, slot.window, place, slot.pattern.carrier_id, slot.pattern.service_id)


async def _placed(tx: AsyncConnection, held: Booking, place: Place, now: datetime) -> Booking:
    """A hold with its place, taken again if it has none any more; raises _Refused."""
    if held.state is State.EXPIRED:
        slot = await slot_of(tx, held.slot_id, shared=True)
        await _take(tx, slot, place, now)
        return bookings.taken_again(held, slot, now)
    if place != held.place:
        slot = await slot_of(tx, held.slot_id)
        if not slot.pattern.serves(place):
            raise _Refused(Refusal.NOT_SERVED, slot.window, place, held.carrier_id, held.service_id)
    return held


async def _left(tx: AsyncConnection, before: Booking, change: Change) -> None:
    """Saves a booking; one that has no place any more gives it back."""
    if change.booking == before:
        return
    await store.save(tx, change.booking)
    if before.state in bookings.WITH_A_PLACE:
        await store.lock_slots(tx, before.slot_id)
        await store.give_back(tx, before.slot_id)


async def _told(tx: AsyncConnection, request_id: str, change: Change) -> None:
    await outbox.write(tx, events_of(change))
    await requests.remember(tx, request_id, {"booking_id": change.booking.booking_id})


def _content(verb: str, asked: Hold | Confirm | Release | Move | Said) -> bytes:
    """What the request id stands for; only its digest is kept."""
    return json.dumps([verb, asdict(asked)], sort_keys=True).encode()
