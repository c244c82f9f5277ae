"""Changes of orders that stand, as they are asked for and shown."""

from typing import Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.addresses import Address
from services.gateway.schemas.base import (
    MAX_INT32,
    Id,
    LongId,
    LongText,
    Money,
    Quantity,
    Sent,
)
from services.gateway.schemas.orders import ORDER_EXAMPLE, ChangeView, GiftMessage, Mode, OrderLine

_LATER = "Take a later promise than the one that was given; else it is refused with what could be had"


class UnwantedUnits(Sent):
    """So many units of a line."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Quantity


class LinesCancellation(Sent):
    """Units that are not wanted, each line once; all of them are cancelled, or none."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lines": [{"line_number": 1, "quantity": 1}], "reason": "one too many"}]}
    )

    lines: list[UnwantedUnits] = Field(min_length=1, max_length=2_000)
    reason: LongText | Literal[""] = ""


class Elsewhere(Sent):
    """Whose work is to be done elsewhere; without a point, what waits for stock is sent from what is there."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"point_id": "store-lyon", "reason": "the store is flooded"}]}
    )

    point_id: Id | None = None
    reason: LongText | Literal[""] = ""


class AddressChange(Sent):
    """Where the order goes instead."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ship_to": ORDER_EXAMPLE["ship_to"]}]})

    ship_to: Address
    accepts_later: bool = Field(False, description=_LATER)


class ContentChange(Sent):
    """What the order is to become, as the channel priced it: all of its lines, not only those that differ."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{name: ORDER_EXAMPLE[name] for name in ("lines", "total", "mode")}]}
    )

    lines: list[OrderLine] = Field(min_length=1, max_length=2_000)
    total: Money = Field(description="The sum of net, tax and shipping of the lines")
    mode: Mode = "home_standard"
    quote_id: LongId | Literal[""] = Field("", description="A promise that the customer accepted")
    standard_shipping: Money | None = Field(None, description="As at the placement")
    ship_to: Address | None = Field(None, description="Another address; without it the order goes where it went")
    accepts_later: bool = Field(False, description=_LATER)
    gift_message: GiftMessage | None = Field(None, description="Another one; without it, it stays; empty: none")


class ChangedOrder(ChangeView):
    """A change, and where it is read again."""

    order_id: str
    status_url: str
