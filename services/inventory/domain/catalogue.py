"""Items, stock points and channels as stock knows them. Plain values; `validation.py` checks them."""

from dataclasses import dataclass
from enum import StrEnum

from kit.values.money import Money


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
class Item:
    """An article that can be stocked and sold (SPEC STK-2). Weights in grams, lengths in millimetres."""

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


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Takes an item or a category off the channel; one of the two is empty."""

    sku: str = ""
    category: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SafetyStockRule:
    """Units kept back from the channel. Empty fields mean "any"; see image.py for the precedence."""

    sku: str = ""
    category: str = ""
    point_id: str = ""
    point_type: PointType | None = None
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """A sales channel as stock sees it."""

    channel_id: str
    name: str
    currency: str
    activated_points: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    safety_stock: tuple[SafetyStockRule, ...] = ()
