"""What state-changing requests are told, and its JSON form: a repeat of the request is told the same."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.inventory.domain.declarations import Declaration, Ending, Reason
from services.inventory.domain.holds import HoldLine, Reservation, ReservationState, Shortfall
from services.inventory.domain.ledger import Balance
from services.inventory.domain.till import Effect


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """Held (or moved), or refused with the true figures. No reservation: there is none of this id."""

    done: bool
    reservation: Reservation | None
    shortfalls: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """The balance after a declaration or a release, and the declarations that were touched."""

    balance: Balance
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class TillAnswer:
    """The balance after a line of a till's receipt, and what the line did."""

    balance: Balance
    effect: Effect


def from_balances(balances: Sequence[Balance]) -> dict[str, Any]:
    """To JSON."""
    return {"balances": [asdict(balance) for balance in balances]}


def to_balances(value: Mapping[str, Any]) -> tuple[Balance, ...]:
    """From JSON."""
    return tuple(Balance(**balance) for balance in value["balances"])


def from_lines(lines: Sequence[HoldLine]) -> dict[str, Any]:
    """To JSON."""
    # Not `asdict`, which copies each value: every reserve comes here.
    return {"lines": [{"sku": line.sku, "point_id": line.point_id, "quantity": line.quantity} for line in lines]}


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


def from_declared(answer: Declared) -> dict[str, Any]:
    """To JSON."""
    return {
        **from_balances([answer.balance]),
        "declarations": [
            asdict(one)
            | {"declared_at": one.declared_at.isoformat(), "ended_at": one.ended_at and one.ended_at.isoformat()}
            for one in answer.declarations
        ],
    }


def to_declared(value: Mapping[str, Any]) -> Declared:
    """From JSON."""
    kept = tuple(
        Declaration(
            **one
            | {
                "reason": Reason(one["reason"]),
                "declared_at": datetime.fromisoformat(one["declared_at"]),
                "ended_at": datetime.fromisoformat(one["ended_at"]) if one["ended_at"] else None,
                "ended_by": Ending(one["ended_by"]) if one["ended_by"] else None,
            }
        )
        for one in value["declarations"]
    )
    return Declared(to_balances(value)[0], kept)


def from_till(answer: TillAnswer) -> dict[str, Any]:
    """To JSON."""
    return {**from_balances([answer.balance]), "effect": asdict(answer.effect)}


def to_till(value: Mapping[str, Any]) -> TillAnswer:
    """From JSON."""
    return TillAnswer(to_balances(value)[0], Effect(**value["effect"]))
