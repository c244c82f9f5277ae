"""What a carrier took from a point at one time (SPEC STO-5): each parcel leaves, or stays and says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ManifestParcel:
    """A parcel that the carrier took. `sscc`: 18 digits, as its label has it."""

    fulfilment_id: str
    order_id: str
    tracking_code: str
    sscc: str
    weight_grams: int
    units: int
    brands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """A packed parcel that stays behind, and why: the reason and words of its own refusal."""

    fulfilment_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parcels that a carrier took from a point; numbered in the order of their closing."""

    manifest_id: str
    number: int
    point_id: str
    carrier_id: str
    actor: str
    closed_at: datetime
    parcels: Sequence[ManifestParcel]
