"""The SQL of parcels that come to hubs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import documents as doc
from services.orders.domain.model import Fulfilment
from services.orders.domain.states import GONE_ASTRAY, OPEN_FULFILMENT, UNDONE, FulfilmentState
from services.orders.reading import Position
from services.orders.store import FULFILMENT_JSON


@dataclass(frozen=True, slots=True)
class Arrival:
    """A parcel that comes to a hub. `is_cancelled`: with its order; what comes goes to the stock of the hub."""

    work: Fulfilment
    hub_point_id: str
    is_cancelled: bool

    @property
    def position(self) -> Position:
        """Where it stands in a list."""
        return (self.work.window.end if self.work.window else self.work.hand_over_by, self.work.fulfilment_id)


# Written out, so that the index of arrivals serves it.
_COMING = ", ".join(
    f"'{state.value}'" for state in sorted({*OPEN_FULFILMENT, FulfilmentState.HANDED_OVER, *GONE_ASTRAY})
)
_ARRIVALS = text(
    f"""SELECT {FULFILMENT_JSON} AS document, h.point_id AS hub_point_id, o.state = ANY(:undone) AS is_cancelled
        FROM fulfilment f
        JOIN fulfilment h ON h.fulfilment_id = f.joins
        JOIN orders o ON o.order_id = f.order_id
        LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
        WHERE f.joins <> '' AND f.state IN ({_COMING})
          AND coalesce(p.loss ->> 'decision', '') = ''
          AND (cardinality(CAST(:point_ids AS text[])) = 0 OR h.point_id = ANY(:point_ids))
          AND (CAST(:at AS timestamptz) IS NULL
               OR (coalesce(f.window_end, f.hand_over_by), f.fulfilment_id) > (CAST(:at AS timestamptz), :after))
        ORDER BY coalesce(f.window_end, f.hand_over_by), f.fulfilment_id LIMIT :size"""
)


async def list_arrivals(
    tx: AsyncConnection, point_ids: Sequence[str], size: int, after: Position | None
) -> list[Arrival]:
    """At most `size` parcels, the earliest expected first. No points: all."""
    at, last = after or (None, "")
    asked = {
        "point_ids": list(point_ids),
        "undone": sorted(state.value for state in UNDONE),
        "at": at,
        "after": last,
        "size": size,
    }
    return [
        Arrival(doc.FULFILMENT.validate_python(row.document), row.hub_point_id, row.is_cancelled)
        for row in await tx.execute(_ARRIVALS, asked)
    ]
