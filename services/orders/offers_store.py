"""All SQL that reads offers by themselves. They are written with the aggregate, in store.py."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import documents as doc
from services.orders.domain.model import Offer
from services.orders.domain.states import OfferState


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which offers; an empty part filters nothing."""

    point_ids: tuple[str, ...] = ()
    states: tuple[OfferState, ...] = ()
    order_id: str = ""
    fulfilment_id: str = ""


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """An offer with the work that it is of."""

    offer: Offer
    fulfilment_id: str
    order_id: str

    @property
    def position(self) -> tuple[datetime, str]:
        """What sorts it in a list."""
        return self.offer.offered_at, f"{self.fulfilment_id}/{self.offer.point_id}"


_STANDING = text("SELECT point_id, state FROM offer WHERE fulfilment_id = :fulfilment_id")
_LOAD = text(
    """SELECT point_id, count(*) AS offers FROM offer
       WHERE state = 'open' AND point_id = ANY(:point_ids) GROUP BY point_id"""
)
_LIST = text(
    """SELECT to_jsonb(q) AS document, f.order_id
       FROM offer q JOIN fulfilment f ON f.fulfilment_id = q.fulfilment_id
       WHERE (cardinality(CAST(:point_ids AS text[])) = 0 OR q.point_id = ANY(:point_ids))
         AND (cardinality(CAST(:states AS text[])) = 0 OR q.state = ANY(:states))
         AND (:order_id = '' OR f.order_id = :order_id)
         AND (:fulfilment_id = '' OR q.fulfilment_id = :fulfilment_id)
         AND (CAST(:at AS timestamptz) IS NULL
              OR (q.offered_at, q.fulfilment_id, q.point_id)
                 < (CAST(:at AS timestamptz), split_part(:after, '/', 1), split_part(:after, '/', 2)))
       ORDER BY q.offered_at DESC, q.fulfilment_id DESC, q.point_id DESC LIMIT :size"""
)


async def standing(tx: AsyncConnection, fulfilment_id: str) -> dict[str, OfferState]:
    """The state of each offer of a fulfilment, by point; nothing where points do not compete."""
    rows = await tx.execute(_STANDING, {"fulfilment_id": fulfilment_id})
    return {row.point_id: OfferState(row.state) for row in rows}


async def load(tx: AsyncConnection, point_ids: Collection[str]) -> dict[str, int]:
    """How many open offers points have; those without any are left out."""
    rows = await tx.execute(_LOAD, {"point_ids": list(point_ids)})
    return {row.point_id: row.offers for row in rows}


async def list_offers(
    tx: AsyncConnection, wanted: OfferFilter, size: int, after: tuple[datetime, str] | None
) -> Sequence[ListedOffer]:
    """At most `size` offers, newest first."""
    at, last = after or (None, "")
    rows = await tx.execute(
        _LIST,
        {
            "point_ids": list(wanted.point_ids),
            "states": [state.value for state in wanted.states],
            "order_id": wanted.order_id,
            "fulfilment_id": wanted.fulfilment_id,
            "at": at,
            "after": last,
            "size": size,
        },
    )
    return [
        ListedOffer(doc.OFFER.validate_python(row.document), row.document["fulfilment_id"], row.order_id)
        for row in rows
    ]
