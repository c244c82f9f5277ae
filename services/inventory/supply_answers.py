"""What requests about stock to come are told, and its JSON form: a repeat of the request is told the same."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from services.inventory import answers
from services.inventory.answers import HoldAnswer
from services.inventory.domain.future_holds import (
    FutureLine,
    FutureReservation,
    FutureShortfall,
    Share,
    Source,
    SourceKind,
)
from services.inventory.domain.ledger import Balance
from services.inventory.domain.supply import ExpectedDelivery, ExpectedKind, ExpectedState


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery, the units of it that are waited for, and whether its last day has passed."""

    delivery: ExpectedDelivery
    held: int
    overdue: bool


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """A delivery after units came, with the balance they came to, or after it was said that none will."""

    view: DeliveryView
    balance: Balance | None = None
    served: tuple[Share, ...] = ()
    lost: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class FutureAnswer:
    """Held, or refused with the true figures. No reservation: there is none of this id."""

    done: bool
    reservation: FutureReservation | None
    shortfalls: tuple[FutureShortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class ConvertAnswer:
    """Pre-ordered units held as stock, or refused; and what is still waited for."""

    hold: HoldAnswer
    waiting: FutureReservation


def from_receipt(answer: ReceiptAnswer) -> dict[str, Any]:
    """To JSON."""
    view = answer.view
    updated_at = view.delivery.source_updated_at
    days = {name: getattr(view.delivery, name).isoformat() for name in ("from_date", "until_date")}
    return {
        "delivery": asdict(view.delivery) | days | {"source_updated_at": updated_at and updated_at.isoformat()},
        "held": view.held,
        "overdue": view.overdue,
        "balance": answer.balance and asdict(answer.balance),
        "served": answer.served,
        "lost": answer.lost,
    }


def to_receipt(value: Mapping[str, Any]) -> ReceiptAnswer:
    """From JSON."""
    kept = dict(value["delivery"])
    updated_at = kept["source_updated_at"]
    kept |= {
        "kind": ExpectedKind(kept["kind"]),
        "state": ExpectedState(kept["state"]),
        "from_date": date.fromisoformat(kept["from_date"]),
        "until_date": date.fromisoformat(kept["until_date"]),
        "source_updated_at": updated_at and datetime.fromisoformat(updated_at),
    }
    return ReceiptAnswer(
        DeliveryView(ExpectedDelivery(**kept), value["held"], value["overdue"]),
        value["balance"] and Balance(**value["balance"]),
        tuple(Share(*one) for one in value["served"]),
        tuple(Share(*one) for one in value["lost"]),
    )


def from_lines(lines: Sequence[FutureLine]) -> dict[str, Any]:
    """To JSON."""
    return {"lines": [[*line.source, line.quantity, line.line_id] for line in lines]}


def to_lines(value: Mapping[str, Any]) -> tuple[FutureLine, ...]:
    """From JSON."""
    return tuple(
        FutureLine(Source(SourceKind(kind), source_id), quantity, line_id)
        for kind, source_id, quantity, line_id in value["lines"]
    )


def from_future(answer: FutureAnswer) -> dict[str, Any]:
    """To JSON."""
    return {
        "done": answer.done,
        "reservation": answer.reservation and _from_reservation(answer.reservation),
        "shortfalls": [[*one.source, one.requested, one.available, one.zero_reason] for one in answer.shortfalls],
    }


def to_future(value: Mapping[str, Any]) -> FutureAnswer:
    """From JSON."""
    return FutureAnswer(
        value["done"],
        value["reservation"] and _to_reservation(value["reservation"]),
        tuple(
            FutureShortfall(Source(SourceKind(kind), source_id), requested, available, zero_reason)
            for kind, source_id, requested, available, zero_reason in value["shortfalls"]
        ),
    )


def from_convert(answer: ConvertAnswer) -> dict[str, Any]:
    """To JSON."""
    return {"hold": answers.from_hold(answer.hold), "waiting": _from_reservation(answer.waiting)}


def to_convert(value: Mapping[str, Any]) -> ConvertAnswer:
    """From JSON."""
    return ConvertAnswer(answers.to_hold(value["hold"]), _to_reservation(value["waiting"]))


def _from_reservation(reservation: FutureReservation) -> dict[str, Any]:
    life = answers.from_hold(HoldAnswer(True, reservation.life))["reservation"]
    return {"life": life, **from_lines(reservation.lines)}


def _to_reservation(value: Mapping[str, Any]) -> FutureReservation:
    life = answers.to_hold({"done": True, "reservation": value["life"], "shortfalls": []}).reservation
    assert life is not None  # it was written
    return FutureReservation(life, to_lines(value))
