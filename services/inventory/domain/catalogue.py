"""Items, stock points and channels as stock knows them. Plain values; `validation.py` checks them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kit.values.money import Money
from services.inventory.domain.bundles import Parts


class PointType(StrEnum):
    """What a stock point is."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    SUPPLIER = "supplier"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class ChannelPrice:
    """The price of an item on a channel, tax included."""

    channel_id: str
    price: Money


@dataclass(frozen=True, slots=True)
class Personalisation:
    """What a customer may have put on an article, for example a name that is engraved.

    `surcharges` are by channel; where a channel is not named it is free. `capability`: what a point must be able
    to do for it; empty for what any point can. It takes `work_minutes` of working time there.
    """

    name: str
    max_characters: int
    surcharges: tuple[ChannelPrice, ...] = ()
    required: bool = False
    capability: str = ""
    work_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """An article that can be stocked and sold (SPEC STK-2). Weights in grams, lengths in millimetres.

    Before `release_date` (ISO 8601, empty for none) nothing is delivered or handed over. Items that are formats of
    one article share its `reference` (SPEC STK-10); an empty `format` is the full size. `parts`: of a bundle.
    `substitutes`: what a point may give instead where the customer allows it, best first.
    """

    sku: str
    gtin: str = ""
    title: str = ""
    brand: str = ""
    category_path: tuple[str, ...] = ()
    weight_grams: int = 0
    length_millimetres: int = 0
    width_millimetres: int = 0
    height_millimetres: int = 0
    tags: tuple[str, ...] = ()
    prices: tuple[ChannelPrice, ...] = ()
    release_date: str = ""
    reference: str = ""
    format: str = ""
    parts: Parts = ()
    personalisations: tuple[Personalisation, ...] = ()
    substitutes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """One opening interval on one weekday (1 is Monday), in minutes after local midnight."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A carrier's regular visit: the parcel must be ready at the cut-off."""

    carrier_id: str
    weekday: int
    cut_off_minute: int


@dataclass(frozen=True, slots=True)
class StockPoint:
    """A place that holds stock and can prepare orders (SPEC STK-1)."""

    point_id: str
    name: str
    type: PointType
    latitude: float
    longitude: float
    country: str
    time_zone: str
    gln: str = ""
    subdivision: str = ""
    postcode: str = ""
    city: str = ""
    opening_hours: tuple[OpeningHours, ...] = ()
    closed_dates: tuple[str, ...] = ()
    open_on_public_holidays: bool = False
    collections: tuple[Collection, ...] = ()
    capabilities: tuple[str, ...] = ()
    daily_capacity: int = 0
    handling_minutes: int = 0
    ownership: str = "owned"
    brands: tuple[str, ...] = ()


class Purpose(StrEnum):
    """What a channel may use a point's stock for."""

    SHIP = "ship"
    COLLECT = "collect"
    SHOW = "show"


@dataclass(frozen=True, slots=True)
class Activation:
    """A point whose stock a channel may use for some purposes only."""

    point_id: str
    purposes: frozenset[Purpose]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Takes items off the channel: those, and from those points, that fit all it names. One name is needed.

    In force from `from_at` on and before `until_at`; None leaves that end open.
    """

    sku: str = ""
    category: str = ""
    tag: str = ""
    brand: str = ""
    point_id: str = ""
    point_type: PointType | None = None
    reason: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it leaves no point out."""
        return not self.point_id and self.point_type is None

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at an instant."""
        return (self.from_at is None or self.from_at <= now) and (self.until_at is None or now < self.until_at)


@dataclass(frozen=True, slots=True)
class BufferRule:
    """Units, or a share of what is on hand, kept back from the channel. Empty fields mean "any".

    See buffers.py for the precedence.
    """

    sku: str = ""
    category: str = ""
    point_id: str = ""
    point_type: PointType | None = None
    quantity: int = 0
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """A sales channel as stock sees it. `activated_points`: for every purpose; `activations`: for some."""

    channel_id: str
    name: str
    currency: str
    activated_points: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    safety_stock: tuple[BufferRule, ...] = ()
    activations: tuple[Activation, ...] = ()
    routing_buffers: tuple[BufferRule, ...] = ()
    brands: tuple[str, ...] = ()

    @property
    def point_ids(self) -> tuple[str, ...]:
        """Every point that is activated for anything."""
        return *self.activated_points, *(one.point_id for one in self.activations)


@dataclass(frozen=True, slots=True)
class ItemTerms:
    """What a rule may ask of an item."""

    path: tuple[str, ...] = ()
    brand: str = ""
    tags: frozenset[str] = frozenset()
    parts: Parts = ()


@dataclass(frozen=True, slots=True)
class PointTerms:
    """What a rule may ask of an activated point. `brands`: what it carries; empty means all."""

    type: PointType
    purposes: frozenset[Purpose] = frozenset(Purpose)
    brands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Edit:
    """Who changes a setting, and when. `actor` is a subject or a service name, never a person's name."""

    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a setting, with who made it; `content` is its JSON."""

    version: int
    recorded_at: datetime
    actor: str
    content: str
