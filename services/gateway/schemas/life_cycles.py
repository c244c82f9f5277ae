"""How orders of a channel or a trade live. Mirrors the protos; what may be said is checked by orders."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from services.gateway.schemas.base import MAX_INT32, Sent, example
from services.gateway.schemas.holds import HoldEnd, HoldKind

_Seconds = Annotated[int, Field(ge=0, le=MAX_INT32)]
_Number = Annotated[int, Field(ge=0, le=MAX_INT32)]
_Large = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Role = Annotated[str, Field(description="As in tokens", examples=["customer_service"])]
_Currency = Annotated[str, Field(description="ISO 4217", examples=["EUR"])]


class LatenessRule(Sent):
    """What an order that is at least so late is given, as a part of its delivery fee."""

    late_seconds: _Seconds
    fee_basis_points: _Number


class GoodwillCap(Sent):
    """What people of a role may give for one order in all."""

    role: _Role
    currency: _Currency
    amount_minor: _Large


class HoldRule(Sent):
    """How a kind of hold ends by itself, and who may end it before."""

    kind: HoldKind
    seconds: _Seconds = Field(0, description="0: it waits for a person, or its date comes from the plan")
    default: HoldEnd = Field(
        "release",
        description="A hold for `stock` always waits until its units are there; one for `consolidation` waits for "
        "the parcels of other points (`wait`), or goes on without them so long after they are due (`release`)",
    )
    roles: list[_Role] = Field(default_factory=list)


class ChangeRule(Sent):
    """Until when people of a role may ask for a change."""

    change: Literal["cancel", "lines", "address"]
    role: str = Field("", description="Empty: everybody who is not named")
    until: Literal["never", "release", "pick", "personalise", "pack", "hand_over"]


class StatusLabel(Sent):
    """A customer status in the words of the trade."""

    status: str = Field(examples=["shipped"])
    language: str = Field(description="ISO 639-1", examples=["fr"])
    text: str


class AmountOver(Sent):
    """The total is more than this; never in another currency."""

    currency: _Currency
    amount_minor: _Large


class Velocity(Sent):
    """With this one, orders that share it are more than a number, or an amount, in so many hours."""

    same: Literal["customer", "email", "address", "payment"]
    hours: _Number
    more_than_orders: _Number = Field(0, description="0: their number does not matter")
    more_than_minor: _Large = Field(0, description="0: their amount does not matter")
    currency: str = Field("", description="Of the amount; ISO 4217")


class DeliveredOutside(Sent):
    """The goods go to none of these countries."""

    countries: list[str] = Field(description="ISO 3166-1 alpha-2")


class NoEmail(Sent):
    """The buyer gave no e-mail address."""


class UnitsOver(Sent):
    """More units of one article than this."""

    quantity: _Large


class NewCustomer(Sent):
    """To a buyer of whom no earlier order stood."""

    modes: list[str] = Field(default_factory=list, description="Only if delivered so; empty: in any mode")


_CONDITIONS = ("amount_over", "velocity", "delivered_outside", "no_email", "units_over", "new_customer")


class FraudRule(Sent):
    """One reason for suspicion, with exactly one condition."""

    name: str
    weight: _Number = Field(description="What it adds to the score")
    reason: str = Field(description="In words, for whoever reviews the order")
    amount_over: AmountOver | None = None
    velocity: Velocity | None = None
    delivered_outside: DeliveredOutside | None = None
    no_email: NoEmail | None = None
    units_over: UnitsOver | None = None
    new_customer: NewCustomer | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "FraudRule":
        if sum(getattr(self, name) is not None for name in _CONDITIONS) != 1:
            raise PydanticCustomError("exactly_one", "a rule has exactly one condition")
        return self


class FraudPolicy(Sent):
    """Rules whose weights add up, and from which score on (0: never) an order is reviewed or refused."""

    rules: list[FraudRule]
    review_at: _Number = 0
    refuse_at: _Number = 0


class Competition(Sent):
    """Work is offered to rings of points at once: the first to accept has it."""

    rings: list[_Number] = Field(description="How many further points each ring has")
    ring_seconds: _Seconds = Field(description="To answer, in the opening hours of each point")
    fallback: Literal["planned", "customer_service"] = Field(
        "planned", description="Who has it when nobody took it"
    )


class TrialTerms(Sent):
    """How long goods are tried at home."""

    days: _Number = Field(7, description="From the arrival of the last parcel")
    reminder_days: _Number = Field(2, description="So long before the end the customer is reminded")


Milestone = Literal[
    "payment_needed",
    "accepted",
    "not_accepted",
    "payment_failed",
    "changed",
    "change_refused",
    "address_changed",
    "part_cancelled",
    "cancelled",
    "promise_changed",
    "stock_moved",
    "appointment_moved",
    "appointment_not_moved",
    "appointment_missed",
    "substituted",
    "shipped",
    "out_for_delivery",
    "delivery_failed",
    "delivered",
    "parcel_lost",
    "sent_again",
    "returning",
    "ready",
    "collection_reminder",
    "collected",
    "not_collected",
    "customer_asked",
    "refunded",
    "trial_begun",
    "trial_reminder",
    "trial_settled",
]


class NotificationRule(Sent):
    """How customers are told of a milestone: in each of these ways."""

    milestone: Milestone
    ways: list[Literal["mail", "sms"]] = Field(description="None: they are not told of it")


class CollectionTerms(Sent):
    """How long what is ready at a store waits for its customer, in opening days of the point."""

    keep_days: int = Field(7, ge=1, le=60)
    reminder_days: int = Field(2, ge=0, le=59, description="Before the end; 0: the customer is not reminded")
    reservation_hours: int = Field(
        0, ge=0, le=720, description="Of an e-reservation; 0: until the point closes on its next opening day"
    )
    choice_hours: int = Field(
        48, ge=1, le=336, description="To say what becomes of what the store does not have ready"
    )
    code_attempts: int = Field(5, ge=1, le=20, description="So many wrong codes lock a collection")


_EXAMPLE: dict[str, Any] = {
    "cooling_off_seconds": 1800,
    "offer_seconds": 3600,
    "payment_action_seconds": 900,
    "reroute_limit": 5,
    "capture_at": "shipment",
    "hold_rules": [{"kind": "fraud", "seconds": 14400, "default": "cancel", "roles": ["customer_service"]}],
    "change_rules": [{"change": "cancel", "role": "channel", "until": "pick"}],
    "labels": [{"status": "validated", "language": "fr", "text": "En préparation"}],
    "notifications": [{"milestone": "shipped", "ways": ["mail", "sms"]}],
    "fraud": {
        "review_at": 50,
        "refuse_at": 100,
        "rules": [
            {
                "name": "amount",
                "weight": 50,
                "reason": "more than 800 EUR",
                "amount_over": {"currency": "EUR", "amount_minor": 80000},
            }
        ],
    },
}


class LifeCycle(Sent):
    """How orders live."""

    model_config = example(_EXAMPLE)

    cooling_off_seconds: _Seconds = 0
    offer_seconds: _Seconds = Field(description="How long a point has to answer an offer")
    payment_action_seconds: _Seconds = Field(description="How long a customer has to confirm a payment")
    reroute_limit: _Number = Field(0, description="How often units may look for another point")
    promise_tolerance_seconds: _Seconds = 0
    lateness_rules: list[LatenessRule] = Field(default_factory=list)
    capture_at: Literal["order", "preparation", "shipment", "trial"] = "shipment"
    goodwill_caps: list[GoodwillCap] = Field(default_factory=list)
    hold_rules: list[HoldRule] = Field(default_factory=list)
    change_rules: list[ChangeRule] = Field(default_factory=list)
    labels: list[StatusLabel] = Field(default_factory=list)
    prepare_ahead_seconds: _Seconds = Field(0, description="How long before its latest start work is given out")
    fraud: FraudPolicy | None = None
    lost_after_days: _Number = Field(0, description="Of silence, after which a parcel is lost; 0: it never is")
    lost_parcel: Literal["reship", "refund", "ask"] = Field("ask", description="What becomes of its units")
    loss_decision_seconds: _Seconds = Field(0, description="For the answer to `ask`; 0: three days")
    competition: Competition | None = Field(None, description="Null: work is offered to the planned point alone")
    trial: TrialTerms | None = Field(None, description="Where money is taken after a trial; null: the usual days")
    authorise_ahead_seconds: _Seconds = Field(
        0, description="How long before its first work a long wait is paid for; 0: two days"
    )
    notifications: list[NotificationRule] = Field(
        default_factory=list, description="What customers are told, and how; without any they are told nothing"
    )
    collection: CollectionTerms | None = Field(None, description="Null: the usual terms")
    consolidates: bool = Field(
        False, description="Several points' parcels may meet at a hub, where the ruleset finds it worth its cost"
    )


class LifeCycleView(LifeCycle):
    """A published version."""

    model_config = example(_EXAMPLE | {"life_cycle_id": "default", "version": 1})

    life_cycle_id: str
    version: int
