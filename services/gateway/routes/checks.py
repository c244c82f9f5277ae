"""Checks of the running system, for `oms doctor` and for monitoring: what should agree and does not."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query

from kit import times
from services.gateway import checking
from services.gateway.guard import ClientsAre
from services.gateway.routes.common import router
from services.gateway.schemas.checks import Checked, HowOld, Which, WhichPayments

checks_router = router("checks", "/v1/checks")

_RECENT = timedelta(days=7)


@checks_router.get("/stock")
async def stock(clients: ClientsAre) -> Checked:
    """Compare every balance with its ledger and with what is held, and stock to come with who waits for it."""
    return await checking.stock(clients)


@checks_router.get("/orders")
async def open_orders(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Compare open orders with their holds, what they wait for, their captured money and their workflows."""
    return await checking.open_orders(clients, which)


@checks_router.get("/holds")
async def holds(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Look for stock that is held for orders that do not need it."""
    return await checking.holds(clients, which, times.now())


@checks_router.get("/room")
async def room(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Look for room in the days of points that is taken and not needed, and count what is taken again."""
    return await checking.room(clients, which)


@checks_router.get("/appointments")
async def appointments(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Look for places in slots that are booked for orders that do not need them, and count what is taken again."""
    return await checking.appointments(clients, which)


@checks_router.get("/workflows")
async def workflows(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Look for workflows that run for orders that have ended; tell which wait for a person."""
    return await checking.workflows(clients, which)


@checks_router.get("/stories")
async def stories(which: Annotated[Which, Query()], clients: ClientsAre) -> Checked:
    """Look for workflows whose own code fails, again and again: how, where and since when."""
    return await checking.stories(clients, which)


@checks_router.get("/payments")
async def payments(which: Annotated[WhichPayments, Query()], clients: ClientsAre) -> Checked:
    """Compare the payment ledger with itself, and recent payments (7 days) with provider and parcels."""
    return await checking.money(clients, which, which.since or times.now() - _RECENT)


@checks_router.get("/events")
async def events(how: Annotated[HowOld, Query()], clients: ClientsAre) -> Checked:
    """Look for events that wait for too long to be told."""
    return await checking.events(clients, times.now(), timedelta(seconds=how.older_than_seconds))
