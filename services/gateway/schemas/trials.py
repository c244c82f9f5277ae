"""Goods that are tried at home: what is kept, and what comes back."""

from datetime import datetime

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import MAX_INT32, Id, Instant, Quantity, Sent, Shown


class TriedUnits(Sent):
    """So many units of a line."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Quantity


class TrialDecision(Sent):
    """What comes back of the units that the customer has, each line once; all others are kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": [{"line_number": 1, "quantity": 1}]}]})

    returns: list[TriedUnits] = Field(max_length=100, description="Empty: all of it is kept")


class GivenBack(Sent):
    """Units that the customer gave back, each line once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lines": [{"line_number": 1, "quantity": 1}], "point_id": "store-lyon"}]}
    )

    lines: list[TriedUnits] = Field(min_length=1, max_length=100)
    point_id: Id | None = Field(None, description="Where they lie now; without it a carrier has them")
    returned_at: Instant | None = Field(None, description="The carrier's first scan, for example; now without it")


class KeptUnitsView(Shown):
    """Units [from_unit, to_unit) of a line."""

    line_number: int
    from_unit: int
    to_unit: int


class TrialView(Shown):
    """How a trial goes. Which units are announced or given back, the order's `units` say."""

    begun_at: datetime
    ends_at: datetime = Field(description="What has not come back by then is kept")
    remind_at: datetime = Field(description="When the customer is to be reminded")
    reminded_at: datetime | None = Field(description="Null until he was")
    decided_at: datetime | None = Field(description="Null until the customer said what comes back")
    settled_at: datetime | None = Field(description="Null while it is not known what is kept")
    kept: list[KeptUnitsView] = Field(description="Once it is settled")


class TriedOrder(Shown):
    """The trial of an order after an act."""

    order_id: str
    trial: TrialView | None = Field(description="Null while something is still to arrive")
