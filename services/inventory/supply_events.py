"""The events of stock to come: ids, quantities and days only.

A receipt and an overdue delivery are told once; what it means for those who wait is told to each of them.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kit.outbox import Event
from services.inventory.domain.future_holds import FutureReservation, Share
from services.inventory.domain.supply import ExpectedDelivery
from services.inventory.domain.supply_commands import ReceiveExpected


def received(delivery: ExpectedDelivery, command: ReceiveExpected, served: Iterable[Share]) -> Event:
    """Units came; who waited and holds them now."""
    data = {
        **_facts(delivery),
        "quantity": command.quantity,
        "damaged": command.damaged,
        "served": [one._asdict() for one in served],
    }
    return _event("expected.received", f"expected_delivery/{delivery.delivery_id}", "", command.as_of, data)


def overdue(delivery: ExpectedDelivery, now: datetime) -> Event:
    """Its last day has passed."""
    subject = f"expected_delivery/{delivery.delivery_id}"
    return _event("expected.overdue", subject, "", now, _facts(delivery))


def told(
    what: str,
    delivery: ExpectedDelivery,
    found: Iterable[Share],
    now: datetime,
    due_at: datetime | None = None,
) -> list[Event]:
    """One event for each reservation. `what`: served, short, late, changed or cancelled.

    `quantity` are the units that were served or lost or, for late and changed, that still wait. From `due_at` on
    these can be counted on; without it nobody knows when they come.
    """
    moves = {"due_at": due_at.isoformat() if due_at else None} if what in ("late", "changed") else {}
    return [
        _event(
            f"expected.{what}",
            f"reservation/{share.reservation_id}",
            _order(share.reservation_id),
            now,
            {**_facts(delivery), **share._asdict(), **moves},
        )
        for share in found
    ]


def expired(reservation: FutureReservation, now: datetime) -> Event:
    """Nobody confirmed in time: `lines` were given back."""
    holder = reservation.reservation_id
    data = {
        "reservation_id": holder,
        "channel_id": reservation.life.channel_id,
        "lines": [
            {f"{source.kind.value}_id": source.source_id, "quantity": quantity}
            for source, quantity in sorted(reservation.held().items())
        ],
    }
    return _event("future_reservation.expired", f"reservation/{holder}", _order(holder), now, data)


def _facts(delivery: ExpectedDelivery) -> dict[str, Any]:
    told = ("delivery_id", "document", "sku", "point_id", "state", "from_date", "until_date")
    facts = {name: str(value) for name, value in asdict(delivery).items() if name in told}
    return {**facts, "outstanding": delivery.outstanding}


def _order(holder: str) -> str:
    # Orders hold under their own id; baskets and others have ids of another kind.
    return holder if holder.startswith("ord_") else ""


def _event(kind: str, subject: str, order_id: str, now: datetime, data: dict[str, Any]) -> Event:
    return Event(type=f"oms.inventory.{kind}", subject=subject, order_id=order_id, occurred_at=now, data=data)
