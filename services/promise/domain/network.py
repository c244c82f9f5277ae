"""The network as the planner sees it: items, points, stock, carriers. Frozen; holds no rule but the smallest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from kit.values.money import Money

# (day, ISO 3166-1 country, ISO 3166-2 subdivision or "") -> whether it is a public holiday there.
IsHoliday = Callable[[date, str, str], bool]

# Of something in millimetres, the longest first.
Sides = tuple[int, int, int]

# What points are able to do, as far as planning looks at it.
SHIP_FROM_STORE = "ship_from_store"
CONSOLIDATION = "consolidation"
# What a channel may use the stock of a point for.
SHIP, COLLECT, SHOW = "ship", "collect", "show"


class Mode(StrEnum):
    """How a customer receives the goods."""

    HOME_STANDARD = "home_standard"
    HOME_EXPRESS = "home_express"
    SAME_DAY = "same_day"
    WHITE_GLOVE = "white_glove"
    APPOINTMENT = "appointment"
    RELAY_POINT = "relay_point"
    LOCKER = "locker"
    CLICK_AND_COLLECT = "click_and_collect"
    SHIP_TO_STORE = "ship_to_store"
    E_RESERVATION = "e_reservation"
    STORE_LOCKER = "store_locker"


class PointType(StrEnum):
    """What a stock point is."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    SUPPLIER = "supplier"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Position:
    """WGS 84, decimal degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval of instants."""

    start: datetime
    end: datetime

    @property
    def rank(self) -> tuple[datetime, datetime]:
        """Windows compare by their end: that is what is promised; then by their start."""
        return (self.end, self.start)


@dataclass(frozen=True, slots=True)
class Personalisation:
    """What may be put on an article: by a point with a capability (empty: any), in so much working time.

    `required`: the article is not sold without it.
    """

    capability: str = ""
    minutes: int = 0
    required: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """What planning needs to know of an article. `prices` by channel, tax included.

    `release_date`: nothing is handed over before it, in the zone of the destination.
    `other_sides_millimetres`: the middle one and the shortest; a side that is not known is 0.
    `personalisations`: by name.
    """

    sku: str
    brand: str = ""
    weight_grams: int = 0
    longest_side_millimetres: int = 0
    other_sides_millimetres: tuple[int, int] = (0, 0)
    tags: frozenset[str] = frozenset()
    prices: Mapping[str, Money] = field(default_factory=dict)
    release_date: date | None = None
    personalisations: Mapping[str, Personalisation] = field(default_factory=dict)

    @property
    def sides(self) -> Sides:
        """The longest first; one that is not known is 0."""
        middle, shortest = self.other_sides_millimetres
        return self.longest_side_millimetres, middle, shortest

    @property
    def volume_cubic_millimetres(self) -> int:
        """0 when a side is not known."""
        middle, shortest = self.other_sides_millimetres
        return self.longest_side_millimetres * middle * shortest

    def price_minor(self, channel_id: str, currency: str) -> int:
        """In a currency; 0 when it has no price in it."""
        price = self.prices.get(channel_id)
        return price.amount_minor if price is not None and price.currency == currency else 0


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening interval of a weekday (1 Monday to 7 Sunday), minutes after local midnight."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A carrier's regular visit; the parcel must be ready at the cut-off."""

    carrier_id: str
    weekday: int
    cut_off_minute: int


@dataclass(frozen=True, slots=True)
class Point:
    """A place that holds stock and prepares parcels. `daily_capacity`: orders it starts a day; 0 is no limit."""

    point_id: str
    type: PointType
    position: Position
    country: str
    time_zone: str
    subdivision: str = ""
    openings: tuple[Opening, ...] = ()
    closed_dates: frozenset[date] = frozenset()
    open_on_public_holidays: bool = False
    collections: tuple[Collection, ...] = ()
    capabilities: frozenset[str] = frozenset()
    handling_minutes: int = 0
    brands: frozenset[str] = frozenset()
    postcode: str = ""
    daily_capacity: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a SKU at a point beside its stock (STK-15).

    `find_rate`: how often the point really finds such an article, 0 to 1.
    """

    daily_sales: float = 0.0
    markdown_date: date | None = None
    markdown_percent: int = 0
    find_rate: float = 1.0


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class StockPosition:
    """What a point has of a SKU. `safety_stock` has a key for each channel that may take it there.

    `routing_buffers`: kept back beyond it when a point is chosen; a channel without a key has none.
    `purposes`: what for, by channel: SHIP, COLLECT, SHOW; a channel without a key may take it for any.
    """

    free: int
    safety_stock: Mapping[str, int]
    routing_buffers: Mapping[str, int] = field(default_factory=dict)
    facts: Facts = NO_FACTS
    purposes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def allows(self, channel_id: str, purpose: str) -> bool:
        """Whether the channel may take it there for this."""
        purposes = self.purposes.get(channel_id)
        return channel_id in self.safety_stock and (purposes is None or purpose in purposes)


@dataclass(frozen=True, slots=True)
class ComingUnits:
    """What a channel may promise of a delivery, from when on it can count on it, and what for."""

    units: int
    due_at: datetime
    purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Coming:
    """A delivery to a position: units by the channels that may promise any."""

    supply_id: str
    channels: Mapping[str, ComingUnits]


@dataclass(frozen=True, slots=True)
class StockView:
    """How fresh the stock behind an answer is. `stale`: the feed is broken or behind."""

    sequence: int
    as_of: datetime
    stale: bool


@dataclass(frozen=True, slots=True)
class StockSlice:
    """The stock of some SKUs at one moment. positions: SKU -> point id -> position.

    coming: SKU -> point id -> deliveries to come, the earliest first.
    """

    view: StockView
    items: Mapping[str, Item]
    points: Mapping[str, Point]
    positions: Mapping[str, Mapping[str, StockPosition]]
    coming: Mapping[str, Mapping[str, tuple[Coming, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateStep:
    """The carrier's price of a parcel up to a weight: the one for which it is charged."""

    up_to_grams: int
    price: Money


@dataclass(frozen=True, slots=True)
class ZoneTerms:
    """What a service costs and takes to one zone. Transit is in working days after collection."""

    zone_id: str
    transit_days_min: int
    transit_days_max: int
    rates: tuple[RateStep, ...]
    customer_price: Money


@dataclass(frozen=True, slots=True)
class CarbonLeg:
    """A part of the way by one means of transport. `kilometres`: of that part; 0 for all that the others leave."""

    transport: str
    kilometres: int
    grams_per_tonne_kilometre: float


@dataclass(frozen=True, slots=True)
class CarrierService:
    """A service of a carrier for one mode. The delivery minutes are local to the destination.

    A limit of 0 is none. Width and height: what the middle and the shortest side of a parcel may be; with the
    length they are also its volume. Girth: the longest side and the way around the other two.
    `one_shipment`: it comes to the customer once, with all of an order or not at all.
    `volumetric_divisor`: cm3 that are charged as a kilogram (mm3 as a gram); 0 charges weight alone.
    """

    service_id: str
    mode: Mode
    max_weight_grams: int
    max_length_millimetres: int
    delivery_weekdays: tuple[int, ...]
    delivery_from_minute: int
    delivery_until_minute: int
    zones: tuple[ZoneTerms, ...]
    carbon_legs: tuple[CarbonLeg, ...] = ()
    carbon_factor: str = ""
    surcharge_basis_points: int = 0
    name: str = ""
    max_width_millimetres: int = 0
    max_height_millimetres: int = 0
    max_girth_millimetres: int = 0
    max_distance_kilometres: int = 0
    one_shipment: bool = False
    volumetric_divisor: int = 0

    @property
    def room_cubic_millimetres(self) -> int:
        """Of the largest parcel; 0 is no limit."""
        return self.max_length_millimetres * self.max_width_millimetres * self.max_height_millimetres

    def takes(self, sides: Sides) -> bool:
        """Whether something keeps its limits of size."""
        return sides[0] <= self.max_length_millimetres and not self.is_too_large(sides)

    def is_too_large(self, sides: Sides) -> bool:
        """Whether something within its length fits no way around; what is not known of either is no limit."""
        longest, middle, shortest = sides
        sizes = (
            (middle, self.max_width_millimetres),
            (shortest, self.max_height_millimetres),
            (longest + 2 * (middle + shortest), self.max_girth_millimetres),
        )
        return any(limit and size > limit for size, limit in sizes)


@dataclass(frozen=True, slots=True)
class Box:
    """A box in which goods are sent: its inner sides, and what it may weigh with what is in it.

    `fill_percent`: of its room that goods fill at most. `cost`: of one. `point_ids`: that pack into it; none: all.
    """

    box_id: str
    length_millimetres: int
    width_millimetres: int
    height_millimetres: int
    max_weight_grams: int
    tare_grams: int
    cost: Money
    wall_millimetres: int = 0
    fill_percent: int = 100
    name: str = ""
    point_ids: tuple[str, ...] = ()

    @property
    def sides(self) -> Sides:
        """Inner ones, the longest first."""
        shortest, middle, longest = sorted(
            (self.length_millimetres, self.width_millimetres, self.height_millimetres)
        )
        return longest, middle, shortest

    @property
    def outer_sides(self) -> Sides:
        """The longest first."""
        longest, middle, shortest = (side + 2 * self.wall_millimetres for side in self.sides)
        return longest, middle, shortest

    @property
    def usable_cubic_millimetres(self) -> int:
        """That goods may fill."""
        longest, middle, shortest = self.sides
        return longest * middle * shortest * self.fill_percent // 100

    @property
    def outer_cubic_millimetres(self) -> int:
        """Of the parcel."""
        longest, middle, shortest = self.outer_sides
        return longest * middle * shortest

    def has_room_for(self, item: Item) -> bool:
        """Whether no side of one unit is too long."""
        return all(side <= room for side, room in zip(item.sides, self.sides, strict=True))

    def may_hold(self, item: Item) -> bool:
        """Whether one unit may be in it."""
        is_light = item.weight_grams + self.tare_grams <= self.max_weight_grams
        is_small = item.volume_cubic_millimetres <= self.usable_cubic_millimetres
        return is_light and is_small and self.has_room_for(item)


@dataclass(frozen=True, slots=True)
class CarrierPause:
    """A time in which a carrier collects nothing, at a point or (empty) anywhere. None: no end is known."""

    from_at: datetime
    until_at: datetime | None = None
    point_id: str = ""
    reason: str = ""

    def covers(self, point_id: str, at: datetime) -> bool:
        """Whether a visit falls into it."""
        is_on = self.from_at <= at and (self.until_at is None or at < self.until_at)
        return is_on and self.point_id in ("", point_id)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier and what it sells."""

    carrier_id: str
    services: tuple[CarrierService, ...]
    name: str = ""
    pauses: tuple[CarrierPause, ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """A set of postcodes; the prefix "" is the whole country."""

    zone_id: str
    country: str
    postcode_prefixes: tuple[str, ...]
    time_zone: str


@dataclass(frozen=True, slots=True)
class PostcodeArea:
    """Where the addresses of a postcode area lie."""

    country: str
    prefix: str
    position: Position
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a parcel goes, never finer than a postcode. `point_id`: the store at which it is collected."""

    country: str
    postcode: str
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Carbon:
    """Grams CO2e and the factors they were computed with."""

    grams_co2e: int
    factor: str


NO_CARBON = Carbon(0, "")


@dataclass(frozen=True, slots=True)
class StockOverlay:
    """Free units that the planner must believe over its replica."""

    sku: str
    point_id: str
    free: int


@dataclass(frozen=True, slots=True)
class SupplyOverlay:
    """Units of a delivery that the planner must believe over its replica."""

    sku: str
    point_id: str
    supply_id: str
    units: int


@dataclass(frozen=True, slots=True)
class OwnHold:
    """Units that the order itself holds: given back before planning."""

    sku: str
    point_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ExcludedPoint:
    """A point that must not be used, for one SKU or (empty) for all, and why."""

    point_id: str
    reason: str
    sku: str = ""


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Units of a SKU. A SKU may stand in several lines: the lines compete for the same stock.

    `personalisations`: the names of what is to be put on each unit.
    """

    line_number: int
    sku: str
    quantity: int
    personalisations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appointment:
    """A time at which the customer is there. `service_id`: whose appointment it is; empty for anybody's."""

    window: Window
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """A promise that was given: no leg may end later or cost the customer more."""

    window_end: datetime
    price: Money


@dataclass(frozen=True, slots=True)
class WaitingHub:
    """A hub at which parcels of an order wait for these units, and the service by which they go on from there."""

    point_id: str
    carrier_id: str
    service_id: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """One question to the engine. `promised_until` makes lateness cost; `limits` forbids it.

    `cooling_off_until`: preparation does not start before, but for modes that have no cooling-off.
    `appointment`: for modes that keep one.
    `may_consolidate`: whoever asks can have parcels meet at a hub, where the ruleset knows what that costs.
    `joins`: the units go there, if all of them can; else they are planned as ever.
    `may_wait`: stock to come may be planned; of deliveries in `supply_overlays`, so much.
    `check_required`: it is what a customer orders, with all that must be put on it.
    """

    channel_id: str
    destination: Destination
    lines: tuple[BasketLine, ...]
    mode: Mode
    now: datetime
    not_before: datetime | None = None
    promised_until: datetime | None = None
    limits: Limits | None = None
    exclusions: tuple[ExcludedPoint, ...] = ()
    overlays: tuple[StockOverlay, ...] = ()
    own_holds: tuple[OwnHold, ...] = ()
    cooling_off_until: datetime | None = None
    appointment: Appointment | None = None
    may_consolidate: bool = False
    may_wait: bool = False
    supply_overlays: tuple[SupplyOverlay, ...] = ()
    check_required: bool = False
    joins: WaitingHub | None = None
