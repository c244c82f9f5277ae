"""The events of inventory: ids and quantities only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby

from kit.outbox import Event
from services.inventory.domain.commands import AdjustStock
from services.inventory.domain.holds import HoldLine, Reservation
from services.inventory.domain.ledger import Balance, Position


def stock_adjusted(command: AdjustStock, balances: Sequence[Balance]) -> list[Event]:
    """One event for each point that was touched; `short` above 0 means that reserved units are missing."""
    quantities: Counter[Position] = Counter()
    for delta in command.deltas:
        quantities[Position(delta.sku, delta.point_id)] += delta.quantity
    touched = sorted(balances, key=lambda balance: (balance.point_id, balance.sku))
    return [
        Event(
            type="oms.inventory.stock.adjusted",
            subject=f"point/{point_id}",
            order_id="",
            occurred_at=command.as_of,
            data={
                "point_id": point_id,
                "cause": command.cause.cause,
                "source": command.cause.source,
                "lines": [
                    {
                        "sku": balance.sku,
                        "quantity": quantities[balance.position],
                        "on_hand": balance.on_hand,
                        "short": balance.short,
                    }
                    for balance in at_point
                ],
            },
        )
        for point_id, at_point in groupby(touched, key=lambda balance: balance.point_id)
    ]


def short_reported(reservation: Reservation, lines: Sequence[HoldLine], now: datetime) -> Event:
    """Held units were not found where they should lie."""
    return _about("oms.inventory.stock.short_reported", reservation, lines, now)


def reservation_expired(reservation: Reservation, now: datetime) -> Event:
    """Nobody confirmed in time: `lines` were given back."""
    return _about("oms.inventory.reservation.expired", reservation, reservation.lines, now)


def _about(kind: str, reservation: Reservation, lines: Sequence[HoldLine], now: datetime) -> Event:
    holder = reservation.reservation_id
    return Event(
        type=kind,
        subject=f"reservation/{holder}",
        # Orders hold under their own id; baskets and others have ids of another kind.
        order_id=holder if holder.startswith("ord_") else "",
        occurred_at=now,
        data={
            "reservation_id": holder,
            "channel_id": reservation.channel_id,
            "lines": [asdict(line) for line in lines],
        },
    )
