"""What carriers took from points, many parcels at a time."""

from datetime import datetime

from pydantic import Field

from services.gateway.schemas.base import Id, Paged, Sent, Shown, example


class ManifestClosing(Sent):
    """Whose packed parcels leave now."""

    model_config = example({"carrier_id": "colisvite"})

    carrier_id: Id


class ManifestFilters(Paged):
    """Which page, newest first."""


class ManifestParcelView(Shown):
    """A parcel that left."""

    fulfilment_id: str
    order_id: str
    tracking_code: str
    sscc: str = Field(description="18 digits, as on its label")
    weight_grams: int
    units: int


class ManifestView(Shown):
    """The parcels that a carrier took from a point at one time."""

    id: str
    number: int = Field(description="Unique, growing in the order of closing; numbers may be left out")
    point_id: str
    carrier_id: str
    actor: str
    closed_at: datetime
    parcels: list[ManifestParcelView]


class KeptParcelView(Shown):
    """A packed parcel that stays behind, and why: what its own hand-over would have been refused with."""

    fulfilment_id: str
    reason: str
    detail: str


class ManifestClosed(Shown):
    """What left, and what stays."""

    manifest: ManifestView | None = Field(description="Null when none may leave")
    kept: list[KeptParcelView]
    left: int = Field(description="Packed parcels beyond the 200 of one manifest: close another")
