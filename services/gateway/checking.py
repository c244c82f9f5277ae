"""Whether the services agree with each other: each check joins one page of what two of them say.

A system at work is always between two states somewhere, so what is found here is a suspicion; whoever asks looks
again. Reads only, and never personal data.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kit import times
from kit.errors import NotFound, Unavailable
from oms.booking.v1 import booking_service_pb2 as booking
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import supply_service_pb2 as supply
from oms.inventory.v1 import transfer_service_pb2 as transfers
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from oms.promise.v1 import capacity_service_pb2 as capacity
from oms.relay.v1 import relay_service_pb2 as relay
from oms.type.v1 import type_pb2 as types
from services.gateway.clients import Clients
from services.gateway.schemas.checks import Checked, DifferenceView, NoteView, Which
from services.gateway.stories import (
    RUNNING,
    count_running,
    cursor_of,
    failing_page,
    running_page,
    states_of,
    token_of,
)
from services.gateway.wire import enum_name
from workflows.search_attributes import NEEDS_ATTENTION
from workflows.starting import ORDER_WORKFLOW

_ORDERS = "ord_"
_DESCRIBED_AT_ONCE = 16
_SHOWN = 100
_UNDONE = (orders.ORDER_STATE_REFUSED, orders.ORDER_STATE_CANCELLED)
_Held = Mapping[tuple[str, str], int]


async def stock(clients: Clients) -> Checked:
    """Balances against ledger, holds and declarations; transfers against it; stock to come against holds."""
    found, travelling, to_come = await asyncio.gather(
        clients.check(clients.inventory.FindDifferences, inventory.FindDifferencesRequest()),
        clients.check(clients.transfers.FindTransferDifferences, transfers.FindTransferDifferencesRequest()),
        clients.check(clients.supply.FindSupplyDifferences, supply.FindSupplyDifferencesRequest()),
    )
    differences = []
    for one in found.differences:
        subject = f"{one.balance.sku} at {one.balance.point_id}"
        if (ledger := _figures(one.ledger)) != (balance := _figures(one.balance)):
            differences.append(_differs("BALANCE_NOT_LEDGER", subject, ledger, balance))
        if one.held != one.balance.reserved:
            differences.append(_differs("RESERVED_NOT_HELD", subject, one.held, one.balance.reserved))
        if one.declared != one.balance.unavailable:
            differences.append(
                _differs("UNAVAILABLE_NOT_DECLARED", subject, one.declared, one.balance.unavailable)
            )
    for line in travelling.differences:
        subject = f"{line.quantity} of {line.sku} in {line.transfer_id}"
        differences.append(_differs("TRANSFER_NOT_LEDGER", subject, line.ledger, line.line))
    for each in to_come.differences:
        subject = f"delivery {each.delivery_id}" if each.delivery_id else f"pre-order {each.preorder_id}"
        differences.append(_differs("MORE_HELD_THAN_COMES", subject, f"at most {each.open}", each.held))
    return Checked(checked=found.checked + travelling.checked, differences=differences)


async def open_orders(clients: Clients, which: Which) -> Checked:
    """Orders that have not ended: their units are held or reserved, their money captured, their workflow runs."""
    asked = orders.ListObligationsRequest(order_ids=which.order_id, page=_page(which))
    found = await clients.check(clients.orders.ListObligations, asked)
    obliged = list(found.obligations)
    ids = [one.order_id for one in obliged]
    if not ids:
        return Checked(checked=0)
    driven = [one.order_id for one in obliged if one.driven]
    holds, paid, states, reserved = await asyncio.gather(
        clients.check(clients.inventory.ListHolds, inventory.ListHoldsRequest(reservation_ids=ids)),
        clients.check(clients.payments.BatchGetPayments, payments.BatchGetPaymentsRequest(order_ids=ids)),
        states_of(clients.temporal, driven),
        _reserved(clients, obliged),
    )
    held = {one.reservation_id: one for one in holds.reservations}
    payment_of = {one.order_id: one for one in paid.payments}
    differences: list[DifferenceView] = []
    for one in obliged:
        differences += _holds_of(one, held.get(one.order_id))
        differences += _supplies_of(one, reserved.get(one.order_id))
        differences += _money_of(one, payment_of.get(one.order_id) or payments.Payment())
        if one.driven and states[one.order_id] != RUNNING:
            state = states[one.order_id]
            differences.append(_differs("WORKFLOW_MISSING", one.order_id, "RUNNING", state, one.order_id))
    return Checked(checked=len(ids), differences=differences, next_cursor=found.page.next_cursor or None)


async def holds(clients: Clients, which: Which, now: datetime) -> Checked:
    """Holds of orders: each order is there and has not ended. Baskets hold for themselves."""
    asked = inventory.ListHoldsRequest(reservation_ids=which.order_id, page=_page(which))
    found = await clients.check(clients.inventory.ListHolds, asked)
    known = await _obligations(clients, [one.reservation_id for one in found.reservations])
    differences = []
    for one in found.reservations:
        if not one.reservation_id.startswith(_ORDERS):
            continue
        order = known.get(one.reservation_id)
        expires_at = times.field_or_none(one, "expires_at")
        if expires_at and expires_at <= now:
            # Nobody's any more: the sweep is about to give it back.
            continue
        if order is None:
            kind, why = "HOLD_OF_UNKNOWN_ORDER", "no order"
        elif not order.driven:
            kind, why = "HOLD_OF_ENDED_ORDER", _state(order)
        else:
            continue
        units = sum(line.quantity for line in one.lines)
        differences.append(_differs(kind, one.reservation_id, f"nothing held: {why}", units, one.reservation_id))
    checked = len(found.reservations)
    return Checked(checked=checked, differences=differences, next_cursor=found.page.next_cursor or None)


async def room(clients: Clients, which: Which) -> Checked:
    """Room in the days of points: each leg's is needed; with the first page, counters against what legs took."""
    asked = capacity.ListTakersRequest(order_ids=which.order_id, page=_page(which))
    found = await clients.check(clients.capacity.ListTakers, asked)
    known = await _obligations(clients, [one.order_id for one in found.takers])
    checked, differences = len(found.takers), list[DifferenceView]()
    for one in found.takers:
        order = known.get(one.order_id)
        if order is None:
            expected = "no order"
        elif order.in_flux or not Counter(one.point_ids) - Counter(order.prepared_at):
            continue
        else:
            expected = f"at {_listed(order.prepared_at)}: {_state(order)}"
        kind = "ROOM_NOT_NEEDED" if order else "ROOM_OF_UNKNOWN_ORDER"
        differences.append(_differs(kind, one.order_id, expected, f"at {_listed(one.point_ids)}", one.order_id))
    if which.cursor is None and not which.order_id:
        counted = await clients.check(
            clients.capacity.FindCapacityDifferences, capacity.FindCapacityDifferencesRequest()
        )
        checked += counted.checked
        for each in counted.differences:
            subject = " ".join(filter(None, (each.point_id, each.date, each.carrier_id, each.service_id)))
            differences.append(_differs("ROOM_NOT_COUNTED", subject, each.taken, each.counted))
    return Checked(checked=checked, differences=differences, next_cursor=found.page.next_cursor or None)


async def appointments(clients: Clients, which: Which) -> Checked:
    """Confirmed bookings: each order wants its own; with the first page, slots against their bookings."""
    asked = [
        booking.ListBookingsRequest(order_id=order_id, state=booking.BOOKING_STATE_CONFIRMED, page=_page(which))
        for order_id in which.order_id or ("",)
    ]
    pages = await asyncio.gather(*(clients.check(clients.booking.ListBookings, one) for one in asked))
    bookings = [one for page in pages for one in page.bookings]
    known = await _obligations(clients, [one.order_id for one in bookings])
    checked, differences = len(bookings), list[DifferenceView]()
    for one in bookings:
        order = known.get(one.order_id)
        if order is not None and order.state not in _UNDONE:
            continue
        kind = "BOOKING_NOT_NEEDED" if order else "BOOKING_OF_UNKNOWN_ORDER"
        expected = f"given back: {_state(order)}" if order else "no order"
        differences.append(_differs(kind, one.booking_id, expected, one.slot_id, one.order_id))
    if which.cursor is None and not which.order_id:
        counted = await clients.check(clients.booking.FindSlotDifferences, booking.FindSlotDifferencesRequest())
        checked += counted.checked
        for each in counted.differences:
            differences.append(_differs("SLOT_NOT_COUNTED", each.slot_id, each.booked, each.counted))
    next_cursor = "" if which.order_id else pages[0].page.next_cursor
    return Checked(checked=checked, differences=differences, next_cursor=next_cursor or None)


async def workflows(clients: Clients, which: Which) -> Checked:
    """Running workflows of orders: each order is there and has not ended.

    The first page tells which workflows wait for a person.
    """
    notes: list[NoteView] = []
    token: bytes | None = None
    if which.order_id:
        states = await states_of(clients.temporal, which.order_id)
        running = [order_id for order_id in which.order_id if states[order_id] == RUNNING]
    else:
        if which.cursor is None:
            waiting, _ = await running_page(clients.temporal, f"{NEEDS_ATTENTION.name} = true", _SHOWN)
            notes = [NoteView(subject=one.id, detail="waits for a person") for one in waiting]
        of_orders = f"WorkflowType = '{ORDER_WORKFLOW}'"
        page, token = await running_page(clients.temporal, of_orders, which.size, token_of(which))
        running = [one.id.removeprefix("order/") for one in page]
    known = await _obligations(clients, running)
    differences = []
    for order_id in running:
        order = known.get(order_id)
        if order is None or not order.driven:
            expected = "not running: " + (_state(order) if order else "no order")
            differences.append(_differs("WORKFLOW_OF_ENDED_ORDER", order_id, expected, RUNNING, order_id))
    return Checked(checked=len(running), differences=differences, notes=notes, next_cursor=cursor_of(token))


async def stories(clients: Clients, which: Which) -> Checked:
    """Running stories whose own steps fail, again and again: only an operator can help. Who fails is few."""
    checked = len(which.order_id)
    if not checked and which.cursor is None:
        checked = await count_running(clients.temporal)
    failing, token = await failing_page(clients.temporal, which)
    differences = [
        _differs("STORY_FAILS", one.workflow_id, "goes on", one.failure, one.order_id) for one in failing
    ]
    return Checked(checked=checked, differences=differences, next_cursor=cursor_of(token))


async def money(clients: Clients, which: Which, since: datetime) -> Checked:
    """Payments against provider and parcels; with the first page, the ledger against itself."""
    asked = payments.CompareWithProviderRequest(
        order_ids=which.order_id, since=times.to_proto(since), page=_page(which)
    )
    compared = await clients.check(clients.payments.CompareWithProvider, asked)
    found = list(compared.differences)
    if which.cursor is None:
        books = await clients.check(clients.payments.FindDifferences, payments.FindDifferencesRequest())
        found += [one for one in books.differences if not which.order_id or one.order_id in which.order_id]
    differences = [_differs(one.kind, one.subject, one.expected, one.found, one.order_id) for one in found]
    known = await _obligations(clients, [one.order_id for one in compared.payments])
    for one in compared.payments:
        if order := known.get(one.order_id):
            differences += _money_of(order, one)
        else:
            differences.append(_differs("PAYMENT_OF_NO_ORDER", one.order_id, "an order", "none", one.order_id))
    next_cursor = compared.page.next_cursor or None
    return Checked(checked=compared.checked, differences=differences, next_cursor=next_cursor)


async def events(clients: Clients, now: datetime, older_than: timedelta) -> Checked:
    """Events on their way: none waits longer than it may."""
    found = await clients.check(clients.relay.GetBacklog, relay.GetBacklogRequest())
    if unseen := [one.way for one in found.backlogs if one.unreachable]:
        raise Unavailable("SOURCE_UNREACHABLE", f"nobody answers for {', '.join(unseen)}")
    differences, notes = [], []
    for one in found.backlogs:
        oldest_at = times.field_or_none(one, "oldest_at")
        if oldest_at and now - oldest_at > older_than:
            expected = f"none older than {older_than.total_seconds():.0f} s"
            waited = f"{one.waiting}, the oldest {(now - oldest_at).total_seconds():.0f} s"
            differences.append(_differs("EVENTS_BEHIND", one.way, expected, waited))
        elif one.waiting:
            notes.append(NoteView(subject=one.way, detail=f"{one.waiting} on their way", since=oldest_at))
    return Checked(checked=len(found.backlogs), differences=differences, notes=notes)


# -- joins ----------------------------------------------------------------------------------------------------


def _holds_of(order: orders.Obligation, held: inventory.Reservation | None) -> list[DifferenceView]:
    if order.in_flux:
        return []
    wanted: _Held = {(unit.sku, unit.point_id): unit.quantity for unit in order.units}
    there: _Held = {(line.sku, line.point_id): line.quantity for line in held.lines} if held else {}
    differences = [
        _differs(
            "HOLD_DIFFERS",
            f"{order.order_id}: {sku} at {point_id}",
            wanted.get((sku, point_id), 0),
            there.get((sku, point_id), 0),
            order.order_id,
        )
        for sku, point_id in sorted({*wanted, *there})
        if wanted.get((sku, point_id), 0) != there.get((sku, point_id), 0)
    ]
    if held and held.HasField("expires_at"):
        differences.append(_differs("HOLD_MAY_EXPIRE", order.order_id, "confirmed", "held", order.order_id))
    return differences


async def _reserved(clients: Clients, obliged: Sequence[orders.Obligation]) -> dict[str, Counter[str]]:
    """By order that waits and is told of its deliveries: the units of each that are reserved for it."""
    waiting = [one.order_id for one in obliged if one.awaited and one.state == orders.ORDER_STATE_RELEASED]

    async def of(order_id: str) -> Counter[str]:
        asked = supply.GetFutureReservationRequest(reservation_id=order_id)
        try:
            found = await clients.check(clients.supply.GetFutureReservation, asked)
        except NotFound:
            return Counter()
        units: Counter[str] = Counter()
        for line in found.reservation.lines:
            units[line.delivery_id] += line.quantity
        return units

    reserved: dict[str, Counter[str]] = {}
    for start in range(0, len(waiting), _DESCRIBED_AT_ONCE):
        some = waiting[start : start + _DESCRIBED_AT_ONCE]
        reserved |= zip(some, await asyncio.gather(*map(of, some)), strict=True)
    return reserved


def _supplies_of(order: orders.Obligation, reserved: Counter[str] | None) -> list[DifferenceView]:
    """What it waits for is what is reserved of each delivery."""
    if order.in_flux or reserved is None:
        return []
    wanted = Counter({one.supply_id: one.quantity for one in order.awaited})
    return [
        _differs(
            "SUPPLY_NOT_RESERVED",
            f"{order.order_id}: delivery {supply_id}",
            wanted[supply_id],
            reserved[supply_id],
            order.order_id,
        )
        for supply_id in sorted({*wanted, *reserved})
        if wanted[supply_id] != reserved[supply_id]
    ]


def _money_of(order: orders.Obligation, payment: payments.Payment) -> list[DifferenceView]:
    """Captured is what the order's parcels say is captured; of an order that was undone, nothing is kept.

    A parcel that was cancelled in the moment of its capture may never have been told of it.
    """
    captured = payment.captured.amount_minor
    if order.state in _UNDONE:
        kind, expected, found = "MONEY_OF_UNDONE_ORDER", 0, captured - payment.refunded.amount_minor
    elif order.HasField("captured") and not order.in_flux:
        kind, expected, found = "CAPTURED_DIFFERS", order.captured.amount_minor, captured
    else:
        return _refunds_of(order, payment)
    differences = [_differs(kind, order.order_id, expected, found, order.order_id)] if found != expected else []
    return differences + _refunds_of(order, payment)


def _refunds_of(order: orders.Obligation, payment: payments.Payment) -> list[DifferenceView]:
    """What the order's refunds gave back, payments gave back or owes, and more for units without a place.

    A channel that was paid is only asked to.
    """
    told = order.refunded.amount_minor
    given = payment.refunded.amount_minor + sum(one.owed.amount_minor for one in payment.tenders)
    by_channel = payment.status == payments.PAYMENT_STATUS_PAID_BY_CHANNEL
    if order.state in _UNDONE or by_channel or given >= told:
        return []
    return [_differs("REFUNDED_DIFFERS", order.order_id, f"at least {told}", given, order.order_id)]


async def _obligations(clients: Clients, order_ids: Sequence[str]) -> Mapping[str, orders.Obligation]:
    wanted = [order_id for order_id in order_ids if order_id.startswith(_ORDERS)]
    if not wanted:
        return {}
    asked = orders.ListObligationsRequest(order_ids=wanted)
    found = await clients.check(clients.orders.ListObligations, asked)
    return {one.order_id: one for one in found.obligations}


# -- words ----------------------------------------------------------------------------------------------------


def _differs(kind: str, subject: str, expected: object, found: object, order_id: str = "") -> DifferenceView:
    return DifferenceView(
        kind=kind, subject=subject, expected=str(expected), found=str(found), order_id=order_id or None
    )


def _figures(one: inventory.Balance) -> str:
    return f"on hand {one.on_hand}, reserved {one.reserved}, unavailable {one.unavailable}, short {one.short}"


def _listed(point_ids: Sequence[str]) -> str:
    return ", ".join(point_ids) or "no point"


def _state(order: orders.Obligation) -> str:
    return f"the order is {enum_name(orders.OrderState.DESCRIPTOR, order.state)}"


def _page(which: Which) -> types.PageRequest:
    return types.PageRequest(size=which.size, cursor=which.cursor or "")
