"""Parcels that come to a hub to be joined with others, and what of them was there."""

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import MAX_INT32, Count, Paged, Sent, Shown
from services.gateway.schemas.work import FulfilmentView


class ArrivalFilters(Paged):
    """Which page of arrivals."""


class ArrivalView(Shown):
    """A parcel that another point sends, or is to send, to a hub."""

    fulfilment: FulfilmentView = Field(
        description="Of the point that sends it; its `window` is that of the arrival"
    )
    hub_point_id: str
    cancelled: bool = Field(description="The order was cancelled: what comes goes to the stock of the hub")


class ArrivedUnits(Sent):
    """What of a line was in the parcel. What was sent and is in neither is missing."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Count = Field(description="In good order")
    damaged: Count = 0


class Receipt(Sent):
    """Every line of the parcel, once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"units": [{"line_number": 1, "quantity": 2, "damaged": 0}]}]}
    )

    units: list[ArrivedUnits] = Field(min_length=1, max_length=2_000)
