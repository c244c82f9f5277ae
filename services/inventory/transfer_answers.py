"""What requests about transfers are told, and its JSON form: a repeat of the request is told the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.inventory.domain.holds import Shortfall
from services.inventory.domain.lanes import Window
from services.inventory.domain.transfers import Transfer, TransferLine, TransferState


@dataclass(frozen=True, slots=True)
class TransferAnswer:
    """The transfer afterwards, or a refusal with the true figures: then there is no transfer."""

    transfer: Transfer | None
    shortfalls: tuple[Shortfall, ...] = ()


def to_json(answer: TransferAnswer) -> dict[str, Any]:
    """To JSON."""
    transfer = answer.transfer
    return {
        "transfer": transfer
        and {
            "transfer_id": transfer.transfer_id,
            "origin_id": transfer.origin_id,
            "destination_id": transfer.destination_id,
            "lane_id": transfer.lane_id,
            "state": transfer.state.value,
            "expected": transfer.expected
            and [transfer.expected.start.isoformat(), transfer.expected.end.isoformat()],
            "requested_at": transfer.requested_at.isoformat(),
            "dispatched_at": transfer.dispatched_at and transfer.dispatched_at.isoformat(),
            "closed_at": transfer.closed_at and transfer.closed_at.isoformat(),
            "lines": [asdict(line) for line in transfer.lines],
        },
        "shortfalls": [asdict(shortfall) for shortfall in answer.shortfalls],
    }


def from_json(value: Mapping[str, Any]) -> TransferAnswer:
    """From JSON."""
    kept = value["transfer"]
    transfer = kept and Transfer(
        kept["transfer_id"],
        kept["origin_id"],
        kept["destination_id"],
        TransferState(kept["state"]),
        kept["lane_id"],
        kept["expected"] and Window(*map(datetime.fromisoformat, kept["expected"])),
        datetime.fromisoformat(kept["requested_at"]),
        tuple(TransferLine(**line) for line in kept["lines"]),
        kept["dispatched_at"] and datetime.fromisoformat(kept["dispatched_at"]),
        kept["closed_at"] and datetime.fromisoformat(kept["closed_at"]),
    )
    return TransferAnswer(transfer, tuple(Shortfall(**shortfall) for shortfall in value["shortfalls"]))
