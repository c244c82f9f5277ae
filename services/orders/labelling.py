"""The codes on parcels' labels. A parcel has its own from the first time that it is asked for."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit.errors import FailedPrecondition
from kit.values.gs1 import sscc
from services.orders import store
from services.orders.changing import check_reach
from services.orders.domain.fulfilment import is_within
from services.orders.domain.model import EVERYWHERE, Reach
from services.orders.domain.states import LEFT_THE_POINT, FulfilmentState

_SERIAL = text(
    """WITH given AS (
           INSERT INTO parcel_label (parcel_id) VALUES (:parcel_id) ON CONFLICT DO NOTHING RETURNING serial
       )
       SELECT serial FROM given UNION ALL SELECT serial FROM parcel_label WHERE parcel_id = :parcel_id"""
)
_LABELLED = LEFT_THE_POINT | {FulfilmentState.PACKED}


_SERIALS = text(
    """SELECT parcel_id, serial FROM parcel_label WHERE parcel_id = ANY(CAST(:parcel_ids AS text[]))"""
)
_GIVE = text(
    """INSERT INTO parcel_label (parcel_id)
       SELECT unnest(CAST(:parcel_ids AS text[])) ON CONFLICT DO NOTHING"""
)


async def codes(tx: AsyncConnection, company_prefix: str, parcel_ids: Sequence[str]) -> dict[str, str]:
    """The SSCC of each of these closed parcels, given now to those that had no label yet."""
    await tx.execute(_GIVE, {"parcel_ids": sorted(parcel_ids)})
    rows = await tx.execute(_SERIALS, {"parcel_ids": list(parcel_ids)})
    return {row.parcel_id: sscc(company_prefix, row.serial) for row in rows}


class Labels:
    """`company_prefix`: the retailer's GS1 company prefix, of which its parcels' codes are made."""

    def __init__(self, engine: AsyncEngine, company_prefix: str) -> None:
        self._engine = engine
        self._company_prefix = company_prefix

    async def label(self, fulfilment_id: str, reach: Reach = EVERYWHERE) -> str:
        """The SSCC of a closed parcel. FailedPrecondition / NOT_PACKED, NotFound / FULFILMENT_NOT_FOUND."""
        async with self._engine.begin() as tx:
            order = (await store.read_of_fulfilment(tx, fulfilment_id)).order
            work = order.fulfilment(fulfilment_id)
            check_reach(is_within, reach, order, fulfilment_id)
            if work.parcel is None or work.state not in _LABELLED:
                raise FailedPrecondition("NOT_PACKED", "a label is of a closed parcel", state=work.state.value)
            # Two at once: the second waits for the first, and then finds nothing of its own snapshot.
            row = {"parcel_id": work.parcel.parcel_id}
            serial = (await tx.execute(_SERIAL, row)).scalar() or (await tx.execute(_SERIAL, row)).scalar_one()
        return sscc(self._company_prefix, serial)
