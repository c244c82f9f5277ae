"""Money given back, and money of whole orders that could not be captured."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from services.gateway.schemas.base import MAX_INT32, Id, Money, MoneyView, Quantity, Sent, Shown, Text

RefundReason = Literal[
    "withdrawal", "damaged", "not_as_described", "lost", "late", "price_adjustment", "gesture", "other"
]
RefundState = Literal["pending", "succeeded", "failed", "superseded"]
_WAYS = ("lines", "amount", "whole")


def _absent_when_null(schema: dict[str, Any]) -> None:
    del schema["default"]


class RefundLine(Sent):
    """Units of a line to give back: the first ones that are paid and not refunded."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Quantity


class RefundRequest(Sent):
    """What to give back: lines, an amount, or all that is left; exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name]} for name in _WAYS],
            "examples": [
                {
                    "kind": "goods",
                    "lines": [{"line_number": 1, "quantity": 1}],
                    "reason_code": "withdrawal",
                    "reason": "came back unworn",
                },
                {
                    "kind": "goodwill",
                    "amount": {"amount_minor": 500, "currency": "EUR"},
                    "reason_code": "gesture",
                },
                {"kind": "goods", "whole": True, "reason_code": "lost"},
            ],
        }
    )

    kind: Literal["goods", "goodwill", "delivery_fee"] = Field(
        description="Goods by lines or whole, goodwill by amount, the delivery fee by amount or whole"
    )
    lines: list[RefundLine] = Field(default_factory=list, min_length=1, max_length=2_000)
    amount: Money | SkipJsonSchema[None] = Field(None, json_schema_extra=_absent_when_null)
    whole: Literal[True] = Field(
        default_factory=lambda: True, description="All that is left; of goods with the delivery fee"
    )
    reason_code: RefundReason
    reason: Text = Field("", description="For people")
    point_id: Id | Literal[""] = Field(
        "", description="The store whose till gives back what a till has taken; else a person has to"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "RefundRequest":
        if len(self.chosen()) != 1:
            raise PydanticCustomError("exactly_one", "say lines, an amount or whole, and only one of them")
        return self

    def chosen(self) -> dict[str, object]:
        """The one that was named, as a message has it."""
        chosen: dict[str, object] = self.model_dump(include=set(_WAYS), exclude_unset=True, exclude_none=True)
        return chosen


class RefundedUnitsView(Shown):
    """Units [from_unit, to_unit) of a line."""

    line_number: int
    from_unit: int
    to_unit: int


class RefundedTaxView(Shown):
    """What of the amount is of one tax rate."""

    tax_rate_basis_points: int
    net_minor: int
    tax_minor: int


class RefundView(Shown):
    """Money given back, or on its way."""

    id: str
    order_id: str
    kind: Literal["goods", "goodwill", "delivery_fee", "cancelled_units"]
    state: RefundState = Field(description="`superseded`: the cancellation of the whole order gave it back")
    amount: MoneyView
    shipping: MoneyView = Field(description="What of the amount is delivery fee")
    units: list[RefundedUnitsView]
    taxes: list[RefundedTaxView]
    reason_code: str
    reason: str
    actor: str
    requested_at: datetime
    settled_at: datetime | None
    failure: str | None = Field(description="Why it failed; it waits for somebody to try it again")
    attempts: int
    point_id: str = Field("", description="The store whose till gives back what a till has taken")


class ChargeView(Shown):
    """The capture of a whole order."""

    amount: MoneyView
    capture_state: str
    reason: str
    failed_since: datetime | None
    next_try_at: datetime | None = Field(description="Null when it waits for a person")
