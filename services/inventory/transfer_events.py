"""The events of transfers: ids and quantities only. What waits for stock listens to `received`."""

from datetime import datetime
from typing import Any

from kit.outbox import Event
from services.inventory.domain.transfers import Act, ActLine, Result, Transfer, TransferState

_NAMES = {
    Act.REQUEST: "requested",
    Act.DISPATCH: "dispatched",
    Act.RECEIVE: "received",
    Act.CANCEL: "cancelled",
}


def of(act: Act, result: Result, now: datetime) -> list[Event]:
    """What an act did, and that the transfer is closed if it is.

    Units that are found at the destination after all are received; other settlements tell only the end.
    """
    transfer = result.transfer
    told = []
    if act in _NAMES:
        told.append(_about(_NAMES[act], transfer, now, [_line(line) for line in result.done]))
    elif found := [line for line in result.done if line.outcome == "found_at_destination"]:
        told.append(_about(_NAMES[Act.RECEIVE], transfer, now, [_line(line) for line in found]))
    if transfer.state is TransferState.CLOSED:
        lines = [
            {
                "sku": line.sku,
                "dispatched": line.dispatched,
                "received": line.received,
                "returned": line.settled - line.lost,
                "lost": line.lost,
                "over": line.over,
                "damaged": line.damaged,
            }
            for line in transfer.lines
        ]
        told.append(_about("closed", transfer, now, lines))
    return told


def _line(line: ActLine) -> dict[str, Any]:
    return {"sku": line.sku, "quantity": line.quantity, "damaged": line.damaged, "over": line.over}


def _about(name: str, transfer: Transfer, now: datetime, lines: list[dict[str, Any]]) -> Event:
    return Event(
        type=f"oms.inventory.transfer.{name}",
        subject=f"transfer/{transfer.transfer_id}",
        order_id="",
        occurred_at=now,
        data={
            "transfer_id": transfer.transfer_id,
            "origin_id": transfer.origin_id,
            "destination_id": transfer.destination_id,
            "lines": lines,
        },
    )
