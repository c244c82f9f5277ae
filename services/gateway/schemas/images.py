"""Channel images as they are kept, and the feed of their changes. Mirrors the protos."""

from datetime import datetime

from pydantic import Field

from services.gateway.schemas.base import Asked, Shown, Skus

_MAX_SEQUENCE = 2**63 - 1


class ImageFilters(Asked):
    """Which figures."""

    sku: Skus = Field(min_length=1)


class ImageCursor(Asked):
    """Where the reader is in the feed."""

    after_sequence: int = Field(0, ge=0, le=_MAX_SEQUENCE, description="`sequence` of the answer before; 0: all")


class ImageChangesAsked(ImageCursor):
    """Which changes, and how long to wait for the first one."""

    limit: int = Field(500, ge=1, le=1000)
    wait_seconds: float = Field(0, ge=0, le=20, description="0 answers at once")


class ImageFigureView(Shown):
    """What a channel may show of one SKU, over all its points."""

    sku: str
    available: int = Field(description="What can be sold: shipped or collected")
    ship: int
    collect: int
    show: int
    zero_reason: str | None = Field(description="Why it is 0 whatever the stock")
    sequence: int = Field(description="The number of its last change; 0 when the image does not know the SKU")
    changed_at: datetime | None


class ImageChangesView(Shown):
    """Figures that changed, oldest change first, each as it stands now."""

    items: list[ImageFigureView]
    sequence: int = Field(description="Where to go on from, also when nothing changed")
