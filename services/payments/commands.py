"""What callers ask of the service, as it crosses from rpc.py. The content that a request id stands for."""

import json
from dataclasses import asdict, dataclass
from typing import Protocol

from kit.errors import InvalidArgument
from kit.values.money import Money
from services.payments.domain import rules
from services.payments.domain.model import Tender


@dataclass(frozen=True, slots=True)
class Authorize:
    """Opens the payment of an order and authorises it."""

    request_id: str
    order_id: str
    channel_id: str
    amount: Money
    tender: Tender
    cause: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Captures, voids or refunds. Without an amount (void only): the rest."""

    request_id: str
    order_id: str
    amount: Money | None
    cause: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Unwind:
    """Undoes the payment of an order."""

    request_id: str
    order_id: str
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


def content(verb: str, asked: Authorize | Move | Unwind) -> bytes:
    """What the request id stands for; only its digest is kept."""
    return json.dumps([verb, asdict(asked)], sort_keys=True).encode()


def check_order(asked: Command) -> None:
    """Names the field."""
    if not asked.order_id:
        raise InvalidArgument("order_id", "an order is required")


def check_tender(asked: Authorize) -> None:
    """Names the field."""
    if not asked.tender.reference:
        raise InvalidArgument(f"tender.{asked.tender.kind}", "a means of payment is required")


def amount_of(asked: Move) -> Money:
    """The amount, which must be there."""
    if asked.amount is None:
        raise InvalidArgument("amount", "an amount is required")
    rules.check_amount(asked.amount)
    return asked.amount
