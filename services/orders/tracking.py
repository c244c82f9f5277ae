"""Parcels on their way: what carriers say of them, by whatever way it comes, and what people decide about them."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import requests, telemetry
from kit.errors import NotFound, OmsError, Unauthenticated
from kit.feed import Bell
from services.orders import documents as doc
from services.orders import store, store_parcels
from services.orders.carriers import Carrier, CarrierAway
from services.orders.changing import Asked, Changes
from services.orders.domain import parcels, watch
from services.orders.domain.model import Fulfilment
from services.orders.domain.parcels import Scan
from services.orders.signatures import BadSignature
from services.orders.translate_parcels import asked_by

_ASKED_AT_ONCE = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """How many events were posted, and how many of them were known."""

    events: int
    duplicates: int


class Tracking(Changes):
    """One method per RPC, and the sweep that asks carriers. `carriers`: those with an adapter, by their id."""

    def __init__(self, engine: AsyncEngine, bell: Bell, carriers: Mapping[str, Carrier]) -> None:
        super().__init__(engine, bell)
        self._carriers = carriers

    async def receive(self, carrier_id: str, payload: bytes, signature: str, now: datetime) -> Taken:
        """What a carrier posts. Unauthenticated / SIGNATURE_INVALID, NotFound / CARRIER_UNKNOWN, PARCEL_NOT_FOUND.

        All that can be taken is, before one that cannot is answered: the carrier posts it again.
        """
        carrier = self._carriers.get(carrier_id)
        if carrier is None:
            raise NotFound("CARRIER_UNKNOWN", "no such carrier posts events here", field="carrier_id")
        try:
            scans = carrier.read(payload, signature, now)
        except BadSignature:
            raise Unauthenticated("SIGNATURE_INVALID", "the signature does not prove the carrier") from None
        known, refused = 0, None
        for scan in scans:
            try:
                known += (await self.record(asked_by(carrier_id, scan), carrier_id, scan, now))[1]
            except NotFound as error:
                refused = error
        if refused:
            raise refused
        return Taken(len(scans), known)

    async def ask_silent(self, silence: timedelta, now: datetime, limit: int) -> int:
        """How many parcels carriers were asked for, because nothing was heard of them for so long."""
        async with self._engine.begin() as tx:
            silent = await store_parcels.claim_silent(tx, list(self._carriers), now - silence, now, limit)
        slots = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(carrier_id: str, tracking_code: str) -> None:
            async with slots:
                await self._ask(carrier_id, tracking_code, now)

        await asyncio.gather(*(ask(*one) for one in silent))
        return len(silent)

    async def _ask(self, carrier_id: str, tracking_code: str, now: datetime) -> None:
        try:
            scans = await self._carriers[carrier_id].scans(tracking_code)
        except CarrierAway as error:
            _log.warning("%s does not answer: %s", carrier_id, error)
            return
        for scan in scans:
            try:
                await self.record(asked_by(carrier_id, scan), carrier_id, scan, now)
            except OmsError as error:
                # It contradicts itself, or speaks of another parcel: what it said first stands.
                _log.warning("an event of %s was not taken: %s", carrier_id, error.reason)

    async def record(self, asked: Asked, carrier_id: str, scan: Scan, now: datetime) -> tuple[Fulfilment, bool]:
        """The fulfilment after a scan, and whether the scan was known. Unique by carrier and the carrier's id."""
        parcels.check_scan(carrier_id, scan)
        async with self._engine.begin() as tx:
            # Two carriers may give their events the same ids.
            request_id = f"carrier/{carrier_id}/{scan.event_id}"
            first = await requests.first_answer(tx, request_id, asked.content)
            if first is not None:
                return doc.FULFILMENT.validate_python(first), True
            fulfilment_id = await store_parcels.find_parcel(tx, carrier_id, scan.tracking_code)
            before = await store.lock_order_of(tx, fulfilment_id)
            with telemetry.about_order(before.order_id):
                work = before.fulfilment(fulfilment_id)
                decision = watch.judge(parcels.carrier_event(before, work, scan, now), now)
                await self.save(tx, before, decision)
                assert work.parcel is not None, "it was found by its parcel"
                await store_parcels.save_event(tx, carrier_id, work.parcel.parcel_id, scan)
                after = decision.order.fulfilment(fulfilment_id)
                await requests.remember(tx, request_id, doc.to_json(doc.FULFILMENT, after))
        self._bell.ring()
        return after, False

    async def declare_lost(
        self, asked: Asked, fulfilment_id: str, cause: str, reason: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """handed over | returning -> lost or damaged; FailedPrecondition / NOT_ON_ITS_WAY."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: parcels.declare(one, work, cause, reason, actor, as_of)
        )

    async def decide(
        self, asked: Asked, fulfilment_id: str, decision: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """What becomes of a lost parcel's units; NOT_LOST, ALREADY_DECIDED, UNITS_REFUNDED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: parcels.decide(one, work, decision, actor, as_of)
        )
