"""Network data as it is shown. Mirrors the protos field by field."""

from datetime import datetime

from services.gateway.schemas.base import MoneyView, Shown
from services.gateway.schemas.network import PointType
from services.gateway.schemas.orders import Mode


class BalanceView(Shown):
    """What a point holds of a SKU."""

    sku: str
    point_id: str
    on_hand: int
    reserved: int
    unavailable: int
    short: int


class CauseView(Shown):
    """Why and by whom a balance changed."""

    cause: str
    actor: str
    source: str


class MovementView(Shown):
    """One line of the stock ledger."""

    movement_id: int
    sku: str
    point_id: str
    on_hand_delta: int
    reserved_delta: int
    unavailable_delta: int
    short_delta: int
    cause: CauseView | None
    reservation_id: str | None
    recorded_at: datetime | None


class PriceView(Shown):
    """The price of an item on a channel, tax included."""

    channel_id: str
    price: MoneyView | None


class ItemView(Shown):
    """An article that can be stocked and sold."""

    sku: str
    gtin: str
    title: str
    brand: str
    category_path: list[str]
    weight_grams: int
    length_millimetres: int
    width_millimetres: int
    height_millimetres: int
    tags: list[str]
    prices: list[PriceView]


class PositionView(Shown):
    """WGS 84, decimal degrees."""

    latitude: float
    longitude: float


class HoursView(Shown):
    """One opening interval on one weekday."""

    weekday: int
    opens_minute: int
    closes_minute: int


class CollectionView(Shown):
    """A carrier's regular visit."""

    carrier_id: str
    weekday: int
    cut_off_minute: int


class StockPointView(Shown):
    """A place that holds stock and can prepare orders."""

    point_id: str
    name: str
    type: PointType | None
    gln: str
    position: PositionView | None
    country: str
    subdivision: str
    postcode: str
    city: str
    time_zone: str
    opening_hours: list[HoursView]
    closed_dates: list[str]
    open_on_public_holidays: bool
    collections: list[CollectionView]
    capabilities: list[str]
    daily_capacity: int
    handling_minutes: int
    ownership: str
    brands: list[str]


class ExclusionView(Shown):
    """An item or a category that the channel does not show."""

    sku: str
    category: str
    reason: str


class SafetyStockView(Shown):
    """Units kept back from the channel."""

    sku: str
    category: str
    point_id: str
    point_type: PointType | None
    quantity: int


class ChannelView(Shown):
    """A sales channel as stock sees it."""

    channel_id: str
    name: str
    currency: str
    activated_points: list[str]
    exclusions: list[ExclusionView]
    safety_stock: list[SafetyStockView]


class RateView(Shown):
    """The carrier's price of a parcel up to a weight."""

    up_to_grams: int
    price: MoneyView | None


class ZoneTermsView(Shown):
    """What a service costs and takes to one zone."""

    zone_id: str
    transit_days_min: int
    transit_days_max: int
    rates: list[RateView]
    customer_price: MoneyView | None


class CarrierServiceView(Shown):
    """A service of a carrier for one mode."""

    service_id: str
    name: str
    mode: Mode | None
    max_weight_grams: int
    max_length_millimetres: int
    delivery_weekdays: list[int]
    delivery_from_minute: int
    delivery_until_minute: int
    zones: list[ZoneTermsView]
    carbon_grams_per_tonne_kilometre: float
    carbon_factor: str
    surcharge_basis_points: int


class CarrierView(Shown):
    """A carrier and what it sells."""

    carrier_id: str
    name: str
    services: list[CarrierServiceView]
