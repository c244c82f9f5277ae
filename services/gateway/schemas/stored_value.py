"""Gift cards, credit notes and loyalty vouchers. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from services.gateway.schemas.base import (
    MAX_AMOUNT,
    Code,
    Currency,
    Id,
    Instant,
    LongId,
    Money,
    MoneyView,
    Paged,
    RequiredText,
    Sent,
    Shown,
    Text,
    example,
    one_of_each,
)

StoredValueKind = Literal["gift_card", "credit_note", "loyalty_voucher"]
StoredValueState = Literal["active", "used_up", "expired", "frozen"]
StoredValueAct = Literal[
    "issue",
    "hold",
    "give_back",
    "spend",
    "refund",
    "convert",
    "expire",
    "adjust",
    "freeze",
    "unfreeze",
    "new_code",
]


class StoredValueIssue(Sent):
    """A new card, note or voucher."""

    model_config = example(
        {
            "kind": "credit_note",
            "amount": {"amount_minor": 3000, "currency": "EUR"},
            "valid_until": "2199-01-01T00:00:00Z",
            "customer_ref": "c-81",
            "reason": "parcel arrived late",
        }
    )

    kind: StoredValueKind
    amount: Money
    valid_until: Instant | None = Field(None, description="Without it, no end; the instant itself is outside")
    channels: Annotated[list[Id], Field(max_length=100), AfterValidator(one_of_each)] = Field(
        default_factory=list, description="Where it may be used; none for everywhere"
    )
    single_use: bool = Field(False, description="Only of a voucher: its first order uses it up, the rest is lost")
    customer_ref: Text = Field(
        "", description="Who alone may use it, an opaque id; empty for whoever has the code"
    )
    reason: RequiredText
    code: Code | Literal[""] = Field("", description="Of a card that was printed before, in our format")


class Reasoned(Sent):
    """Why it is done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "reported as stolen"}]})

    reason: RequiredText


class SignedMoney(Sent):
    """More, or less, in minor units of the currency."""

    amount_minor: int = Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)
    currency: Currency


class StoredValueAdjustment(Sent):
    """A correction of what it is worth."""

    model_config = example({"amount": {"amount_minor": -500, "currency": "EUR"}, "reason": "sold at a discount"})

    amount: SignedMoney
    reason: RequiredText


class StoredValueQuestion(Sent):
    """What a customer has typed, and where."""

    model_config = example({"code": "0000-0000-0000-04B6", "channel_id": "web-fr", "currency": "EUR"})

    code: Code
    channel_id: Id
    customer_ref: Text = Field("", description="Who would pay, for one that is bound to its customer")
    currency: Currency | Literal[""] = Field("", description="Of the basket")


class StoredValueFilters(Paged):
    """Which ones."""

    kind: StoredValueKind | None = None
    customer_ref: LongId | None = None
    state: StoredValueState | None = None


class StoredValueView(Shown):
    """One card, note or voucher. `balance` is what it is still worth, `held` what of that orders hold."""

    id: str
    kind: StoredValueKind
    state: StoredValueState
    last_four: str = Field(description="Of its code; empty while it has none")
    issued: MoneyView
    balance: MoneyView
    held: MoneyView
    valid_until: datetime | None
    channels: list[str]
    single_use: bool
    customer_ref: str
    cause: str
    actor: str
    issued_at: datetime


class StoredValueWithCode(StoredValueView):
    """With its code, which is shown this once: a repeated request shows none."""

    code: str | None


class StoredValueLineView(Shown):
    """One movement, from the account `debit` to the account `credit`."""

    act: StoredValueAct
    amount: MoneyView
    debit: str
    credit: str
    balance_change_minor: int
    held_change_minor: int
    order_id: str
    cause: str
    actor: str
    recorded_at: datetime


class StoredValueWorth(Shown):
    """What a code would pay now; `refusal` says why nothing."""

    kind: StoredValueKind
    available: MoneyView
    valid_until: datetime | None
    last_four: str
    refusal: str | None
