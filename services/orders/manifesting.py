"""What orders does when a carrier takes all parcels of a point: one transaction, in which each order decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, requests
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from kit.values.ids import derived_id
from services.orders import labelling, manifest_store
from services.orders.changing import Asked, judged
from services.orders.domain import fulfilment
from services.orders.domain.fulfilment import is_within
from services.orders.domain.manifests import Kept, Manifest, ManifestParcel
from services.orders.domain.model import EVERYWHERE, Fulfilment, Reach
from services.orders.domain.states import FulfilmentState
from services.orders.picking import Together

MAX_PARCELS = 200
_KEPT = TypeAdapter(tuple[Kept, ...])


@dataclass(frozen=True, slots=True)
class Closed:
    """What left, if anything did; what stays and why; how many more are packed than one manifest takes."""

    manifest: Manifest | None
    kept: Sequence[Kept]
    left: int


class Manifests(Together):
    """The use cases of manifests. `company_prefix`: of the codes on parcels, as in Labels."""

    def __init__(self, engine: AsyncEngine, bell: Bell, company_prefix: str) -> None:
        super().__init__(engine, bell)
        self._company_prefix = company_prefix

    async def close(self, asked: Asked, point_id: str, carrier_id: str, actor: str, as_of: datetime) -> Closed:
        """Hands over what may leave. FailedPrecondition / NOTHING_TO_HAND_OVER when nothing is packed."""
        for name, value in (("point_id", point_id), ("carrier_id", carrier_id)):
            if not value:
                raise InvalidArgument(name, "say which")
        manifest_id = derived_id("man", asked.request_id)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            if first is None:
                first = await self._hand_over(tx, asked.reach, manifest_id, point_id, carrier_id, actor, as_of)
                await requests.remember(tx, asked.request_id, first)
            made = await manifest_store.read(tx, manifest_id) if first["made"] else None
            if made:
                _check_seen(asked.reach, made)
        self._bell.ring()
        return Closed(made, _KEPT.validate_python(first["kept"]), first["left"])

    async def _hand_over(
        self,
        tx: AsyncConnection,
        reach: Reach,
        manifest_id: str,
        point_id: str,
        carrier_id: str,
        actor: str,
        as_of: datetime,
    ) -> dict[str, Any]:
        waiting = await manifest_store.packed(tx, point_id, carrier_id)
        orders = await self.locked(tx, waiting[:MAX_PARCELS])
        gone: list[tuple[Fulfilment, frozenset[str]]] = []
        kept: list[Kept] = []
        after = {order.order_id: order for order in orders.values()}
        for one, before in orders.items():
            order = after[before.order_id]
            work = order.fulfilment(one)
            # Somebody else handed it over while its order was waited for; or it is not the caller's.
            if work.state == FulfilmentState.HANDED_OVER or not is_within(reach, order, work):
                continue
            try:
                decision = fulfilment.hand_over(order, work, "", actor, as_of)
            except FailedPrecondition as refused:
                kept.append(Kept(one, refused.reason, refused.detail))
                continue
            after[order.order_id] = order = (await self.save(tx, order, judged(decision))).order
            gone.append((order.fulfilment(one), fulfilment.brands(order, work)))
        if not gone and not kept:
            raise FailedPrecondition("NOTHING_TO_HAND_OVER", "no parcel of this carrier is packed here")
        if gone:
            parcels = await self._listed(tx, gone)
            await manifest_store.add(tx, Manifest(manifest_id, 0, point_id, carrier_id, actor, as_of, parcels))
        left = max(0, len(waiting) - MAX_PARCELS)
        return {"made": bool(gone), "kept": _KEPT.dump_python(tuple(kept), mode="json"), "left": left}

    async def _listed(
        self, tx: AsyncConnection, gone: Sequence[tuple[Fulfilment, frozenset[str]]]
    ) -> list[ManifestParcel]:
        parcels = {work.fulfilment_id: work.parcel for work, _ in gone if work.parcel}
        codes = await labelling.codes(tx, self._company_prefix, [one.parcel_id for one in parcels.values()])
        return [
            ManifestParcel(
                work.fulfilment_id,
                work.order_id,
                parcel.tracking_code or "",
                codes[parcel.parcel_id],
                parcel.weight_grams,
                sum(line.quantity for line in work.lines),
                brands,
            )
            for work, brands in gone
            if (parcel := parcels.get(work.fulfilment_id))
        ]

    async def get(self, manifest_id: str, reach: Reach = EVERYWHERE) -> Manifest:
        """NotFound / MANIFEST_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            found = await manifest_store.read(tx, manifest_id)
        _check_seen(reach, found)
        return found

    async def list_of(self, point_id: str, before: int, size: int) -> list[Manifest]:
        """Of a point, newest first, whoever may see them."""
        async with db.single(self._engine).connect() as tx:
            return await manifest_store.list_of(tx, point_id, before, size)


def is_seen(reach: Reach, manifest: Manifest) -> bool:
    """Whether it is of one of the points, and every parcel of one of the brands."""
    at_point = not reach.point_ids or manifest.point_id in reach.point_ids
    return at_point and all(not reach.brands or reach.brands & one.brands for one in manifest.parcels)


def _check_seen(reach: Reach, manifest: Manifest) -> None:
    if not is_seen(reach, manifest):
        raise manifest_store.no_manifest(manifest.manifest_id)
