"""Promises: what can be had, when, for how much; and why the rest cannot."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.gateway.schemas.base import (
    MAX_INT32,
    Asked,
    Country,
    DeliveryMode,
    Id,
    Instant,
    MoneyView,
    Postcode,
    Quantity,
    Sent,
    Shown,
    Sku,
    Skus,
    WindowView,
    one_of_each,
)
from services.gateway.schemas.network import Purpose


class AvailabilityFilters(Asked):
    """Which figures."""

    sku: Skus = Field(min_length=1)
    purpose: Purpose | None = Field(None, description="Without: what can be sold, whether shipped or collected")
    explain: bool = Field(False, description="Adds the five inputs, summed and point by point")


class PointAvailabilityView(Shown):
    """How one point adds to the figure."""

    point_id: str
    on_hand: int
    reserved: int
    unavailable: int
    safety_stock: int
    available: int
    safety_stock_rule: str
    barred: str | None = Field(description="Why the point adds nothing whatever its stock")
    limited_by: str | None = Field(description="Of a bundle, in whole ones: the part that there is least of")


class InputsView(Shown):
    """The five inputs of the figure: the first less the other four, clamped at zero point by point."""

    physical: int
    reserved: int
    excluded: int
    unavailable: int
    safety_stock: int


class AvailabilityView(Shown):
    """The figure that the channel shows for one SKU."""

    sku: str
    available_now: int
    zero_reason: str | None = Field(description="Why it is 0: it is excluded, unknown or paused")
    points: list[PointAvailabilityView]
    inputs: InputsView | None


class DestinationSent(Sent):
    """Where the parcel goes, as coarse as planning needs it."""

    country: Country | Literal[""] = ""
    postcode: Postcode = ""
    point_id: Id | Literal[""] = Field(
        "", description="The store at which it is collected; stores near the postcode when it is left out"
    )

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.point_id and not (self.country and self.postcode.strip()):
            raise PydanticCustomError("missing", "a country and a postcode, or a point_id")
        if bool(self.country) != bool(self.postcode.strip()):
            raise PydanticCustomError("missing", "country and postcode go together")
        return self


class WindowSent(Sent):
    """From an instant to another one, which is outside."""

    start: Instant
    end: Instant


class AppointmentSent(Sent):
    """A time at which the customer could be there."""

    window: WindowSent
    service_id: Id | Literal[""] = Field("", description="Whose appointment it is; empty for anybody's")


class AppointmentView(Shown):
    """A time at which the customer is there."""

    window: WindowView
    service_id: str


class BasketLine(Sent):
    """Units of a SKU. `line_number` is its place in the basket when it is left out."""

    line_number: int | None = Field(None, ge=1, le=MAX_INT32)
    sku: Sku
    quantity: Quantity
    personalisations: list[Id] = Field(
        default_factory=list, max_length=20, description="Names of what is put on each unit, as the item has them"
    )


class PromiseRequest(Sent):
    """A basket to promise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel_id": "web-fr",
                    "destination": {"country": "FR", "postcode": "69002"},
                    "lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 2}],
                }
            ]
        }
    )

    channel_id: Id
    destination: DestinationSent
    lines: list[BasketLine] = Field(min_length=1, max_length=1_000)
    not_before: Instant | None = Field(
        None,
        description="Preparation does not start before; the end of cooling-off when it is left out, "
        "which same day delivery does not wait for",
    )
    appointments: list[AppointmentSent] = Field(
        default_factory=list, max_length=20, description="What could be chosen, for modes that keep an appointment"
    )
    may_consolidate: bool = Field(
        False,
        description="Parcels may meet at a hub and leave as one: for orders whose life cycle `consolidates`",
    )
    may_wait: bool = Field(
        False,
        description="Units that are still to come may be waited for; an order of such an option says so too",
    )


class ListingRequest(Sent):
    """A page of articles to promise, one unit of each."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel_id": "web-fr",
                    "destination": {"country": "FR", "postcode": "69002"},
                    "skus": ["AUB-TEE-NAVY-M", "AUB-TEE-NAVY-L"],
                }
            ]
        }
    )

    channel_id: Id
    destination: DestinationSent
    skus: Annotated[list[Sku], Field(min_length=1, max_length=50), AfterValidator(one_of_each)]
    not_before: Instant | None = Field(
        None, description="Preparation does not start before; the end of cooling-off when it is left out"
    )
    may_wait: bool = Field(False, description="As in a promise of a basket")


class CarbonView(Shown):
    """Grams of CO2 equivalent with the method that gave them."""

    grams_co2e: int
    factor: str


class OptionView(Shown):
    """A way to have the whole basket."""

    mode: DeliveryMode
    window: WindowView
    order_before: datetime | None = Field(description="Order before this instant to have this window")
    price: MoneyView | None
    parcels: int = Field(description="That the customer receives")
    carbon: CarbonView | None
    point_id: str = Field(description="The store at which it is collected; empty when it is brought")
    appointment: AppointmentView | None = Field(description="The one that it keeps: its window is the promise")
    waits_until: datetime | None = Field(
        None, description="Units are from stock to come, due then. Orders cannot have such an option yet"
    )
    release_date: str = Field("", description="Of articles that are not handed over before it; empty for none")


class NotOfferedView(Shown):
    """Why a mode is not offered."""

    mode: DeliveryMode | None
    reason: str
    detail: str


class StockViewView(Shown):
    """How fresh the stock behind an answer was."""

    sequence: int
    as_of: datetime | None
    stale: bool


class ListedOptionView(Shown):
    """The best way of a mode to have one unit, in one parcel."""

    mode: DeliveryMode
    window: WindowView
    order_before: datetime | None = Field(description="Order before this instant to have this window")
    price: MoneyView | None
    carbon: CarbonView | None
    point_id: str = Field(description="The store at which it is collected; empty when it is brought")
    waits_until: datetime | None = Field(None, description="As of a promise's option")
    release_date: str = Field("", description="As of a promise's option")


class ListedItemView(Shown):
    """One article: each mode is an option or not offered."""

    sku: str
    options: list[ListedOptionView]
    not_offered: list[NotOfferedView]


class ListingView(Shown):
    """What can be promised of each article. To be held to it, ask for the promise of a basket."""

    items: list[ListedItemView]
    stock: StockViewView | None


class PromiseView(Shown):
    """What can be promised. Send `quote_id` with the order to hold us to it."""

    quote_id: str
    options: list[OptionView]
    not_offered: list[NotOfferedView]
    stock: StockViewView | None
