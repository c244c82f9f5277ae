"""Network data as it is shown. Mirrors the protos field by field."""

from datetime import datetime
from typing import Any

from services.gateway.schemas.base import DeliveryMode, MoneyView, Shown
from services.gateway.schemas.network import PointType, Purpose


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


class BundlePartView(Shown):
    """Units of an item in one bundle."""

    sku: str
    quantity: int


class PersonalisationView(Shown):
    """What a customer may have put on an article."""

    name: str
    max_characters: int
    surcharges: list[PriceView]
    required: bool
    capability: str
    work_minutes: int


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
    release_date: str
    reference: str
    format: str
    parts: list[BundlePartView]
    personalisations: list[PersonalisationView]
    substitutes: list[str]


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


class ActivationView(Shown):
    """A point whose stock the channel may use for some purposes only."""

    point_id: str
    purposes: list[Purpose]


class ExclusionView(Shown):
    """What the channel does not sell: all that is named fits."""

    sku: str
    category: str
    tag: str
    brand: str
    point_id: str
    point_type: PointType | None
    reason: str
    from_at: datetime | None
    until_at: datetime | None


class BufferView(Shown):
    """Units, or a share of what is on hand, kept back from the channel."""

    sku: str
    category: str
    point_id: str
    point_type: PointType | None
    quantity: int
    percent: int


class ChannelView(Shown):
    """A sales channel as stock sees it."""

    channel_id: str
    name: str
    currency: str
    brands: list[str]
    activated_points: list[str]
    activations: list[ActivationView]
    exclusions: list[ExclusionView]
    safety_stock: list[BufferView]
    routing_buffers: list[BufferView]


class VersionView(Shown):
    """One state of a setting: from when, who made it, and all of it."""

    version: int
    recorded_at: datetime
    actor: str
    content: dict[str, Any]


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


class CarbonLegView(Shown):
    """A part of the way by one means of transport."""

    transport: str
    kilometres: int
    grams_per_tonne_kilometre: float


class CarrierServiceView(Shown):
    """A service of a carrier for one mode."""

    service_id: str
    name: str
    mode: DeliveryMode | None
    max_weight_grams: int
    max_length_millimetres: int
    max_width_millimetres: int
    max_height_millimetres: int
    max_girth_millimetres: int
    max_distance_kilometres: int
    volumetric_divisor: int
    one_shipment: bool
    delivery_weekdays: list[int]
    delivery_from_minute: int
    delivery_until_minute: int
    zones: list[ZoneTermsView]
    carbon_legs: list[CarbonLegView]
    carbon_factor: str
    surcharge_basis_points: int


class CarrierPauseView(Shown):
    """A time in which a carrier collects nothing."""

    from_at: datetime | None
    until_at: datetime | None
    point_id: str
    reason: str


class CarrierView(Shown):
    """A carrier and what it sells."""

    carrier_id: str
    name: str
    services: list[CarrierServiceView]
    pauses: list[CarrierPauseView]


class BoxView(Shown):
    """A box in which goods are sent."""

    box_id: str
    name: str
    length_millimetres: int
    width_millimetres: int
    height_millimetres: int
    max_weight_grams: int
    tare_grams: int
    cost: MoneyView | None
    wall_millimetres: int
    fill_percent: int
    point_ids: list[str]
