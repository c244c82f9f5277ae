"""What callers ask of the service, as it crosses from rpc.py. The content that a request id stands for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from kit.errors import InvalidArgument
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.domain import rules
from services.payments.domain.model import AT_A_TILL, Means, MeansKind, Operation
from services.payments.domain.tasks import Resolution

MOST_TENDERS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """A means that pays an amount of the order; without an amount: the rest."""

    means: Means
    amount: Money | None = None
    # Of a payment link.
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Authorize:
    """Opens the payment of an order and authorises it with these means, in their order of use.

    No means: with those that were saved for it.
    """

    request_id: str
    order_id: str
    channel_id: str
    amount: Money
    tenders: Sequence[Part]
    # The customer allows that the means be kept and charged again for this order.
    save_means: bool = False
    # How long the order may need the authorisation; None: not known.
    needed_until: datetime | None = None
    cause: str = ""
    actor: str = ""
    # The point that sold it; the history can be filtered by it.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Captures, voids or refunds. Without an amount (void only): the rest."""

    request_id: str
    order_id: str
    amount: Money | None
    cause: str = ""
    actor: str = ""
    # The point that prepared it, or took it back.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class ChangeAmount:
    """Brings what is authorised to another total of the order, in all."""

    request_id: str
    order_id: str
    total: Money
    # For what costs more, where it cannot be had without the customer.
    means: Part | None = None
    cause: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Settle:
    """Brings the money of an order to what the customer keeps of it, in all; 0: nothing."""

    request_id: str
    order_id: str
    kept: Money
    cause: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Unwind:
    """Undoes the payment of an order."""

    request_id: str
    order_id: str
    cause: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """How somebody brought a task to its end."""

    request_id: str
    task_id: str
    # None: not said.
    resolution: Resolution | None
    reference: str = ""
    note: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class SendLink:
    """A link by which the customer pays what the order still needs."""

    request_id: str
    order_id: str
    lifetime_seconds: int
    cause: str = ""
    actor: str = ""


class Command(Protocol):
    """What every command says."""

    @property
    def request_id(self) -> str: ...
    @property
    def order_id(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def actor(self) -> str: ...


def content(verb: str, asked: Authorize | ChangeAmount | Move | Settle | Unwind | Resolve | SendLink) -> bytes:
    """What the request id stands for; only its digest is kept. The point labels it, how long is only a wish."""
    meant = {name: value for name, value in asdict(asked).items() if name not in ("point_id", "needed_until")}
    return json.dumps([verb, meant], sort_keys=True, default=str).encode()


def intent_of(asked: Command, now: datetime) -> rules.Intent:
    """Who asks for what; the id of the operation that comes of it is new."""
    point_id = asked.point_id if isinstance(asked, Authorize | Move) else ""
    return rules.Intent(new_id("pop"), asked.request_id, asked.cause, asked.actor, now, point_id)


def answer(operations: Sequence[Operation]) -> dict[str, list[str]]:
    """What is remembered of a request."""
    return {"operation_ids": [one.operation_id for one in operations]}


def operation_ids(remembered: Mapping[str, Any]) -> list[str]:
    """Of an answer; those of before tenders name one operation, or none."""
    known: list[str] = remembered.get("operation_ids", [remembered.get("operation_id", "")])
    return [one for one in known if one]


def check_order(asked: Command) -> None:
    """Names the field."""
    if not asked.order_id:
        raise InvalidArgument("order_id", "an order is required")


def check_tenders(asked: Authorize) -> None:
    """Names the field."""
    if len(asked.tenders) > MOST_TENDERS:
        raise InvalidArgument("tenders", f"at most {MOST_TENDERS} means of payment")
    for number, part in enumerate(asked.tenders):
        check_part(f"tenders[{number}]", part)
        if part.means.kind is MeansKind.PAID_BY_CHANNEL and len(asked.tenders) > 1:
            raise InvalidArgument(f"tenders[{number}]", "what its channel was paid has no other tender")


def check_part(field: str, part: Part) -> None:
    """Names what is missing, in this field."""
    kind = part.means.kind
    if not part.means.reference and kind is not MeansKind.PAYMENT_LINK:
        raise InvalidArgument(f"{field}.{kind}", "a means of payment is required")
    if kind in AT_A_TILL and not part.means.point_id:
        raise InvalidArgument(f"{field}.{kind}.point_id", "the shop of the till is required")


def amount_of(asked: Move) -> Money:
    """The amount, which must be there."""
    if asked.amount is None:
        raise InvalidArgument("amount", "an amount is required")
    rules.check_amount(asked.amount)
    return asked.amount


def check_cause(asked: Move) -> None:
    """What is captured twice for the same cause is captured once."""
    if not asked.cause:
        raise InvalidArgument("cause", "say what is captured, for example a parcel")
