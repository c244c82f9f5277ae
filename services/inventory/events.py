"""The events of inventory: ids and quantities only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from kit.outbox import Event
from services.inventory.domain.commands import AdjustStock
from services.inventory.domain.holds import HoldLine, Reservation
from services.inventory.domain.imports import ImportJob, Missed
from services.inventory.domain.ledger import Balance, Position
from services.inventory.store.images import Kept, Written


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


def import_missed(job: ImportJob, missed: Sequence[Missed], now: datetime) -> list[Event]:
    """Like `stock_adjusted`, but only of positions whose reserved units a file found to be missing."""
    ordered = sorted(missed, key=lambda one: (one.point_id, one.sku))
    return [
        Event(
            type="oms.inventory.stock.adjusted",
            subject=f"point/{point_id}",
            order_id="",
            occurred_at=now,
            data={
                "point_id": point_id,
                "cause": job.cause,
                "source": job.job_id,
                "lines": [
                    {"sku": one.sku, "quantity": one.quantity, "on_hand": one.on_hand, "short": one.short}
                    for one in at_point
                ],
            },
        )
        for point_id, at_point in groupby(ordered, key=lambda one: one.point_id)
    ]


def import_completed(job: ImportJob, now: datetime) -> Event:
    """Every record of a file has its result. What changed is in the feed, not here."""
    return Event(
        type="oms.inventory.import.completed",
        subject=f"import/{job.job_id}",
        order_id="",
        occurred_at=now,
        data={"job_id": job.job_id, "kind": job.kind, "source": job.source, **asdict(job.counts)},
    )


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


def image_changed(
    channel_id: str, after: int, sequence: int, changed: int, changes: Sequence[Kept], now: datetime
) -> Event:
    """What changed in a channel's image after a number and up to another; of too many only how many."""
    figures = [{"sku": kept.sku, **asdict(kept.figures), "sequence": kept.sequence} for kept in changes]
    return Event(
        type="oms.inventory.image.changed",
        subject=f"channel/{channel_id}",
        order_id="",
        occurred_at=now,
        data={
            "channel_id": channel_id,
            "after_sequence": after,
            "sequence": sequence,
            "changed": changed,
            "figures": figures,
        },
    )


def back_in_stock(written: Sequence[Written], now: datetime) -> list[Event]:
    """One event for each channel that can sell items again which it had, and had none of."""
    back = sorted((one for one in written if one.was == 0 and one.available), key=attrgetter("channel_id", "sku"))
    return [
        Event(
            type="oms.inventory.image.back_in_stock",
            subject=f"channel/{channel_id}",
            order_id="",
            occurred_at=now,
            data={
                "channel_id": channel_id,
                "items": [{"sku": one.sku, "available": one.available} for one in of_channel],
            },
        )
        for channel_id, of_channel in groupby(back, key=attrgetter("channel_id"))
    ]
