"""Lockers at stores, as JSON."""

from datetime import datetime

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Sent, Shown


class TakenOut(Sent):
    """What lay in a compartment and waits at the counter from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"shelf": "B-12"}]})

    shelf: str = Field("", max_length=40, description="Where it lies, for whoever hands it over")


class LockerView(Shown):
    """The compartment of work that its customer wants to find in a locker. What opens it is in none of it."""

    compartment: str = Field(description="As it is written on its door; empty: none is booked")
    booked_at: datetime | None
    full_at: datetime | None = Field(description="When none was free: it is put aside at the counter")
    closed_at: datetime | None = Field(description="From then on the customer's code opens it no more")
    released_at: datetime | None = Field(description="When the compartment was given back")
    holds: bool = Field(description="It lies in the compartment now, for its customer")


class LockerEventsTaken(Shown):
    """How many events the lockers of a point posted."""

    taken: int
    duplicates: int = Field(description="Those that changed nothing")
