"""What carriers post of their own accord."""

from pydantic import Field

from services.gateway.schemas.base import Shown


class CarrierEventsTaken(Shown):
    """How many events a carrier posted."""

    taken: int
    duplicates: int = Field(description="Those that were known")
