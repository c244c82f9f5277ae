"""The words of fraud: what a life cycle suspects, and what its rules said of an order. Holds no personal data."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Trait(StrEnum):
    """What orders of one person, place or means of payment share."""

    CUSTOMER = "customer"
    EMAIL = "email"
    ADDRESS = "address"
    PAYMENT = "payment"


class Band(StrEnum):
    """What a score means for the order."""

    PASS = "pass"
    REVIEW = "review"
    REFUSE = "refuse"


# -- conditions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AmountOver:
    """The total is more than this; never in another currency."""

    currency: str
    amount_minor: int
    kind: Literal["amount_over"] = "amount_over"


@dataclass(frozen=True, slots=True)
class Velocity:
    """With this one, orders that share the trait are more than a number or an amount (0: any) in so many hours."""

    same: Trait
    hours: int
    more_than_orders: int = 0
    more_than_minor: int = 0
    currency: str = ""
    kind: Literal["velocity"] = "velocity"


@dataclass(frozen=True, slots=True)
class DeliveredOutside:
    """The goods go to none of these countries."""

    countries: tuple[str, ...]
    kind: Literal["delivered_outside"] = "delivered_outside"


@dataclass(frozen=True, slots=True)
class NoEmail:
    """The buyer gave no e-mail address."""

    kind: Literal["no_email"] = "no_email"


@dataclass(frozen=True, slots=True)
class UnitsOver:
    """More units of one article than this, whatever their lines."""

    quantity: int
    kind: Literal["units_over"] = "units_over"


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """In one of these modes (none: any) to a buyer of whom no earlier order stood, by customer id and e-mail."""

    modes: tuple[str, ...] = ()
    kind: Literal["new_customer"] = "new_customer"


Condition = AmountOver | Velocity | DeliveredOutside | NoEmail | UnitsOver | NewCustomer


# -- rules and what they said -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FraudRule:
    """One reason for suspicion. `reason`: in words, for whoever reviews the order."""

    name: str
    weight: int
    reason: str
    # None only before the rule was checked.
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class FraudPolicy:
    """Rules whose weights add up to a score, and from which score on (0: never) something is done."""

    rules: tuple[FraudRule, ...]
    review_at: int = 0
    refuse_at: int = 0


@dataclass(frozen=True, slots=True)
class FraudHit:
    """A rule that applies to an order."""

    rule: str
    weight: int
    reason: str


@dataclass(frozen=True, slots=True)
class FraudCheck:
    """What the rules said of an order."""

    score: int
    band: Band
    hits: tuple[FraudHit, ...]
    at: datetime
