"""What state-changing requests are told, and its JSON form: a repeat of the request is told the same."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.inventory.domain.holds import HoldLine, Reservation, ReservationState, Shortfall
from services.inventory.domain.ledger import Balance


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """Held (or moved), or refused with the true figures. No reservation: there is none of this id."""

    done: bool
    reservation: Reservation | None
    shortfalls: tuple[Shortfall, ...] = ()


def from_balances(balances: Sequence[Balance]) -> dict[str, Any]:
    """To JSON."""
    return {"balances": [asdict(balance) for balance in balances]}


def to_balances(value: Mapping[str, Any]) -> tuple[Balance, ...]:
    """From JSON."""
    return tuple(Balance(**balance) for balance in value["balances"])


def from_lines(lines: Sequence[HoldLine]) -> dict[str, Any]:
    """To JSON."""
    return {"lines": [asdict(line) for line in lines]}


def to_lines(value: Mapping[str, Any]) -> tuple[HoldLine, ...]:
    """From JSON."""
    return tuple(HoldLine(**line) for line in value["lines"])


def from_hold(answer: HoldAnswer) -> dict[str, Any]:
    """To JSON."""
    reservation = answer.reservation
    return {
        "done": answer.done,
        "reservation": reservation
        and {
            **from_lines(reservation.lines),
            "reservation_id": reservation.reservation_id,
            "channel_id": reservation.channel_id,
            "state": reservation.state.value,
            "expires_at": reservation.expires_at and reservation.expires_at.isoformat(),
        },
        "shortfalls": [asdict(shortfall) for shortfall in answer.shortfalls],
    }


def to_hold(value: Mapping[str, Any]) -> HoldAnswer:
    """From JSON."""
    kept = value["reservation"]
    reservation = kept and Reservation(
        kept["reservation_id"],
        kept["channel_id"],
        ReservationState(kept["state"]),
        datetime.fromisoformat(kept["expires_at"]) if kept["expires_at"] else None,
        to_lines(kept),
    )
    shortfalls = tuple(Shortfall(**shortfall) for shortfall in value["shortfalls"])
    return HoldAnswer(value["done"], reservation, shortfalls)
