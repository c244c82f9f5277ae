"""Systems, what they send, and the lists that people look at: one method for each RPC. Only it commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import requests
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.feed import Bell
from services.handover import store
from services.handover.domain.model import Alert, Handover, Heard, State, System
from services.handover.domain.settings import check_systems
from services.handover.systems import OtherSystem

MAX_ID_LENGTH = 200
MAX_NOTE_LENGTH = 1000
MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 500, 50
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Shown:
    """A hand-over with its alerts, oldest first."""

    handover: Handover
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Page:
    """`next_cursor` is empty on the last one."""

    handovers: Sequence[Shown]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which hand-overs; what is empty does not matter."""

    alert: bool = False
    system_ids: Sequence[str] = ()
    states: Sequence[State] = ()
    order_id: str = ""


class HandoverService:
    """The service's own data."""

    def __init__(self, engine: AsyncEngine, systems: Mapping[str, OtherSystem], bell: Bell) -> None:
        """Rings `bell` when there is something to look at."""
        self._engine = engine
        self._systems = systems
        self._bell = bell

    async def put_systems(self, systems: Sequence[System], actor: str, now: datetime) -> int:
        """Creates or replaces systems; returns how many really changed. Raises InvalidArgument."""
        _check_ids(actor=actor, **{f"systems[{i}].system_id": one.system_id for i, one in enumerate(systems)})
        ids = {one.system_id for one in systems}
        async with self._engine.begin() as tx:
            known = await store.lock_systems(tx)
            owners = {point: one.system_id for one in known if one.system_id not in ids for point in one.point_ids}
            check_systems(systems, self._systems.keys(), owners)
            changed = [one for one in systems if _sorted(one) not in known]
            if changed:
                await store.write_systems(tx, changed, actor, now)
        return len(changed)

    async def list_systems(self) -> Sequence[System]:
        """By id."""
        async with self._engine.begin() as tx:
            return await store.list_systems(tx)

    async def receive(
        self, system_id: str, payload: bytes, headers: Mapping[str, str], now: datetime
    ) -> tuple[int, int]:
        """Keeps what a system sent; returns how much was new, and how much had come before.

        Raises Unauthenticated, NotFound / SYSTEM_NOT_FOUND or HANDOVER_NOT_FOUND, InvalidArgument.
        """
        system = self._systems.get(system_id)
        if system is None:
            raise NotFound("SYSTEM_NOT_FOUND", "there is no such system", field="system_id")
        heard = system.read(payload, headers)
        ids = sorted({one.fulfilment_id for one in heard})
        async with self._engine.begin() as tx:
            owners = await store.systems_of(tx, ids)
            for each in ids:
                if owners.get(each) != system_id:
                    raise _unknown(each)
            added = await store.add_messages(tx, heard, now)
            await store.wake(tx, added, now, heard=True)
        self._bell.ring()
        return len(added), len(heard) - len(added)

    async def list_handovers(self, filters: Filters, size: int, cursor: str) -> Page:
        """A page, newest first. Raises InvalidArgument naming page.size or page.cursor."""
        _check_ids(
            order_id=filters.order_id, **{f"system_ids[{i}]": one for i, one in enumerate(filters.system_ids)}
        )
        if not 0 <= size <= MAX_PAGE_SIZE:
            raise InvalidArgument("page.size", f"1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}")
        size = size or DEFAULT_PAGE_SIZE
        async with self._engine.begin() as tx:
            # One more than asked for tells whether there is a next page.
            found = await store.list_handovers(
                tx,
                alert_only=filters.alert,
                system_ids=filters.system_ids,
                states=filters.states,
                order_id=filters.order_id,
                before=_position(cursor),
                limit=size + 1,
            )
            page = found[:size]
            alerts = await store.list_alerts(tx, [one.fulfilment_id for one in page])
        shown = [Shown(one, alerts.get(one.fulfilment_id, ())) for one in page]
        return Page(shown, str(page[-1].position) if len(found) > size else "")

    async def get_handover(self, fulfilment_id: str) -> tuple[Shown, Sequence[Heard]]:
        """One with all that its system said. Raises NotFound / HANDOVER_NOT_FOUND."""
        _check_ids(fulfilment_id=fulfilment_id)
        async with self._engine.begin() as tx:
            found = await store.find(tx, fulfilment_id)
            if found is None:
                raise _unknown(fulfilment_id)
            alerts = await store.list_alerts(tx, [fulfilment_id])
            heard = await store.read_messages(tx, fulfilment_id)
        return Shown(found, alerts.get(fulfilment_id, ())), heard

    async def close_alert(
        self, request_id: str, content: bytes, alert_id: str, note: str, actor: str, now: datetime
    ) -> Alert:
        """A person has dealt with it. Raises NotFound / ALERT_NOT_FOUND, FailedPrecondition / ALERT_CLOSED."""
        _check_ids(request_id=request_id, alert_id=alert_id, actor=actor)
        if len(note) > MAX_NOTE_LENGTH or "\x00" in note:
            raise InvalidArgument("note", f"must be at most {MAX_NOTE_LENGTH} characters, without NUL")
        async with self._engine.begin() as tx:
            repeated = await requests.first_answer(tx, request_id, content) is not None
            found = await store.lock_alert(tx, alert_id)
            if found is None:
                raise NotFound("ALERT_NOT_FOUND", "there is no such alert", field="alert_id")
            if repeated:
                return found
            if found.closed_at is not None:
                who = found.closed_by or "the end of the silence"
                raise FailedPrecondition("ALERT_CLOSED", f"{who} closed it", closed_by=found.closed_by)
            await store.close_alerts(tx, [alert_id], actor, note, now)
            closed = await store.lock_alert(tx, alert_id)
            assert closed is not None, "it is locked"
            await requests.remember(tx, request_id, {})
        return closed


def _sorted(system: System) -> System:
    return System(
        system.system_id,
        system.name,
        tuple(sorted(system.point_ids)),
        system.enabled,
        system.acknowledge_tolerance_seconds,
        system.ship_tolerance_seconds,
    )


def _unknown(fulfilment_id: str) -> NotFound:
    return NotFound(
        "HANDOVER_NOT_FOUND", "there is no such hand-over", field="fulfilment_id", fulfilment_id=fulfilment_id
    )


def _check_ids(**ids: str) -> None:
    """What the database could not even look for is refused by name."""
    for field, value in ids.items():
        if len(value) > MAX_ID_LENGTH or "\x00" in value:
            raise InvalidArgument(field, f"must be at most {MAX_ID_LENGTH} characters, without NUL")


def _position(cursor: str) -> int:
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidArgument("page.cursor", "is not a cursor of this list")
    return int(cursor) if cursor else _LAST
