"""Network data of the supply chain: items, points, channels, carriers, stock. Mirrors the protos."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.gateway.schemas.base import (
    MAX_INT32,
    MAX_QUANTITY,
    Country,
    Currency,
    DeliveryMode,
    Grams,
    Id,
    Instant,
    LongText,
    Money,
    Paged,
    Postcode,
    RequiredText,
    Sent,
    Series,
    Sku,
    Skus,
    Text,
    Word,
    example,
)

PointType = Literal["warehouse", "store", "supplier", "partner"]
Purpose = Literal["ship", "collect", "show"]
Percent = Annotated[int, Field(ge=0, le=100, description="Of what is on hand at the point, rounded up")]
Minute = Annotated[int, Field(ge=0, le=1440, description="Minutes after local midnight")]
Weekday = Annotated[int, Field(ge=1, le=7, description="1 is Monday, 7 is Sunday")]
Int32 = Annotated[int, Field(ge=0, le=MAX_INT32)]
Side = Annotated[int, Field(ge=1, le=10_000)]
Real = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_Texts = Annotated[list[RequiredText], Field(max_length=100)]


def _not_zero(quantity: int) -> int:
    if quantity == 0:
        raise ValueError("a change of zero is no change")
    return quantity


class ChannelPrice(Sent):
    """The price of an item on a channel, tax included."""

    channel_id: Id
    price: Money


class BundlePart(Sent):
    """Units of an item in one bundle."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class PersonalisationField(Sent):
    """What a customer may have put on an article."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    max_characters: Annotated[int, Field(ge=1, le=1_000)]
    surcharges: list[ChannelPrice] = Field(
        default_factory=list, max_length=100, description="Tax included; free where a channel is not named"
    )
    required: bool = False
    capability: Word | Literal[""] = Field(
        "", description="What a point must be able to do for it; empty: any can"
    )
    work_minutes: int = Field(
        0, ge=0, le=43_200, description="Working time at the point, beside the handling of the parcel"
    )


class Item(Sent):
    """An article that can be stocked and sold."""

    sku: Sku
    gtin: Annotated[str, Field(pattern=r"^[0-9]{0,14}$", description="With a right check digit; may be empty")] = (
        ""
    )
    title: Text = ""
    brand: Text = ""
    category_path: _Texts = Field(default_factory=list)
    weight_grams: Grams = 0
    length_millimetres: Int32 = 0
    width_millimetres: Int32 = 0
    height_millimetres: Int32 = 0
    tags: _Texts = Field(default_factory=list)
    prices: list[ChannelPrice] = Field(default_factory=list, max_length=100)
    release_date: Annotated[
        str,
        Field(
            pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            description="Before this day nothing is delivered or handed over at the destination",
        ),
    ] = ""
    reference: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9._/-]{1,64})?$",
            description="What the formats of an article share; each of them has stock of its own",
        ),
    ] = ""
    format: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$",
            max_length=64,
            description="For example sample; empty for the full size",
        ),
    ] = ""
    parts: list[BundlePart] = Field(
        default_factory=list,
        max_length=50,
        description="Of a bundle: it has no stock, and can be taken where its parts can",
    )
    personalisations: list[PersonalisationField] = Field(default_factory=list, max_length=20)
    substitutes: list[Sku] = Field(
        default_factory=list,
        max_length=20,
        description="What a point may give instead where the customer allows it, best first",
    )


class Items(Sent):
    """Items to create or replace."""

    model_config = example(
        {
            "items": [
                {
                    "sku": "AUB-TEE-NAVY-M",
                    "gtin": "3760123456784",
                    "title": "T-shirt, navy, M",
                    "brand": "Aubier",
                    "category_path": ["fashion", "tops"],
                    "weight_grams": 180,
                    "length_millimetres": 300,
                    "width_millimetres": 200,
                    "height_millimetres": 30,
                    "prices": [{"channel_id": "web-fr", "price": {"amount_minor": 2495, "currency": "EUR"}}],
                }
            ]
        }
    )

    items: list[Item] = Field(min_length=1, max_length=1_000)


class ItemFilters(Paged):
    """Which items."""

    sku: Skus = Field(default_factory=list)
    reference: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9._/-]{1,64})?$", description="Only the formats of this article")
    ] = ""
    gtin: list[Annotated[str, Field(pattern=r"^[0-9]{8,14}$", examples=["4006381333931"])]] = Field(
        default_factory=list,
        max_length=500,
        description="Only those with one of these codes, as scanners read them",
    )


class Position(Sent):
    """WGS 84, decimal degrees."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


class OpeningHours(Sent):
    """One opening interval on one weekday."""

    weekday: Weekday
    opens_minute: Minute
    closes_minute: Minute


class Collection(Sent):
    """A carrier's regular visit."""

    carrier_id: Id
    weekday: Weekday
    cut_off_minute: Minute


class StockPoint(Sent):
    """A place that holds stock and can prepare orders."""

    point_id: Id
    name: RequiredText
    type: PointType
    gln: Annotated[str, Field(pattern=r"^([0-9]{13})?$", description="With a right check digit; may be empty")] = (
        ""
    )
    position: Position
    country: Country
    subdivision: Annotated[str, Field(pattern=r"^([A-Z]{2}-[A-Z0-9]{1,3})?$", examples=["FR-69"])] = ""
    postcode: Postcode = ""
    city: Text = ""
    time_zone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$", examples=["Europe/Paris"])]
    opening_hours: list[OpeningHours] = Field(default_factory=list, max_length=50)
    closed_dates: list[Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]] = Field(
        default_factory=list, max_length=400
    )
    open_on_public_holidays: bool = False
    collections: list[Collection] = Field(default_factory=list, max_length=200)
    capabilities: list[Word] = Field(default_factory=list, max_length=50)
    daily_capacity: Int32 = 0
    handling_minutes: Int32 = 0
    ownership: Literal["owned", "franchise", "reseller"] = "owned"
    brands: _Texts = Field(default_factory=list)


class StockPoints(Sent):
    """Stock points to create or replace."""

    model_config = example(
        {
            "stock_points": [
                {
                    "point_id": "store-lyon",
                    "name": "Lyon Bellecour",
                    "type": "store",
                    "position": {"latitude": 45.7578, "longitude": 4.8320},
                    "country": "FR",
                    "subdivision": "FR-69",
                    "postcode": "69002",
                    "city": "Lyon",
                    "time_zone": "Europe/Paris",
                    "opening_hours": [{"weekday": 1, "opens_minute": 600, "closes_minute": 1140}],
                    "collections": [{"carrier_id": "colisvite", "weekday": 1, "cut_off_minute": 1020}],
                    "capabilities": ["ship_from_store"],
                    "handling_minutes": 60,
                }
            ]
        }
    )

    stock_points: list[StockPoint] = Field(min_length=1, max_length=1_000)


class Activation(Sent):
    """A point whose stock the channel may use for some purposes only."""

    point_id: Id
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=3)]


class Exclusion(Sent):
    """Takes off the channel what fits all that it names; without a point, the item is an explicit 0."""

    sku: Sku | Literal[""] = ""
    category: Text = ""
    tag: Text = ""
    brand: Text = ""
    point_id: Id | Literal[""] = ""
    point_type: PointType | None = None
    reason: Text = ""
    from_at: Instant | None = None
    until_at: Instant | None = None


class BufferRule(Sent):
    """Units, or a share of what is on hand, kept back from the channel; the most specific rule wins."""

    sku: Sku | Literal[""] = ""
    category: Text = ""
    point_id: Id | Literal[""] = ""
    point_type: PointType | None = None
    quantity: Int32 = 0
    percent: Percent = 0


class Trade(Sent):
    """A trade of a channel, and how its orders live."""

    name: Id
    life_cycle_id: Id


class PointSeries(Sent):
    """The series of the sales receipts of a point."""

    point_id: Id
    series: Series


class DocumentTerms(Sent):
    """Who issues the tax documents of the channel, and how they are numbered from now on."""

    series: Series | Literal[""] = Field(
        "", description="Channels of one seller may share it; else made of the id"
    )
    time_zone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9/_+-]*$")] = Field(
        "", description="Whose days and years count (IANA); UTC unless it is said", examples=["Europe/Paris"]
    )
    seller_name: Text = ""
    seller_lines: list[RequiredText] = Field(
        default_factory=list, max_length=12, description="Address and registrations, as they are printed"
    )
    points: list[PointSeries] = Field(default_factory=list, max_length=5_000)


class Channel(Sent):
    """A sales channel: what it may show and sell, and how its orders live."""

    channel_id: Id
    name: RequiredText
    currency: Currency
    activated_points: list[Id] = Field(
        default_factory=list, max_length=5_000, description="Shown, shipped from and collected at"
    )
    activations: list[Activation] = Field(default_factory=list, max_length=5_000)
    exclusions: list[Exclusion] = Field(default_factory=list, max_length=5_000)
    safety_stock: list[BufferRule] = Field(default_factory=list, max_length=5_000)
    routing_buffers: list[BufferRule] = Field(
        default_factory=list,
        max_length=5_000,
        description="Kept back when a point is chosen; the figure shown does not know them",
    )
    brands: _Texts = Field(default_factory=list, description="Brands that it may sell; empty means all")
    life_cycle_id: Id
    trades: list[Trade] = Field(
        default_factory=list, max_length=100, description="Trades whose orders live otherwise: an order names one"
    )
    documents: DocumentTerms = Field(default_factory=DocumentTerms)
    till_payments: list[Literal["cash", "till_card"]] = Field(
        default_factory=list, max_length=2, description="What its orders may be paid with at a till of a store"
    )


class Channels(Sent):
    """Channels to create or replace."""

    model_config = example(
        {
            "channels": [
                {
                    "channel_id": "web-fr",
                    "name": "Web shop",
                    "currency": "EUR",
                    "activated_points": ["store-lyon"],
                    "exclusions": [
                        {
                            "tag": "fragile",
                            "point_type": "store",
                            "reason": "packed in the warehouse only",
                            "from_at": "2026-11-20T00:00:00Z",
                        }
                    ],
                    "safety_stock": [{"point_type": "store", "quantity": 1}, {"category": "home", "percent": 10}],
                    "routing_buffers": [{"point_id": "store-lyon", "quantity": 2}],
                    "life_cycle_id": "default",
                    "documents": {
                        "series": "ACME-WEB",
                        "time_zone": "Europe/Paris",
                        "seller_name": "Acme SA",
                        "seller_lines": ["1 rue de la Paix, 75002 Paris", "FR 00 123456789"],
                        "points": [{"point_id": "store-lyon", "series": "ACME-LYON"}],
                    },
                }
            ]
        }
    )

    channels: list[Channel] = Field(min_length=1, max_length=100)


class RateStep(Sent):
    """The carrier's price of a parcel up to a weight."""

    up_to_grams: Grams
    price: Money


class ZoneTerms(Sent):
    """What a service costs and takes to one zone."""

    zone_id: Id
    transit_days_min: Annotated[int, Field(ge=0, le=60)]
    transit_days_max: Annotated[int, Field(ge=0, le=60)]
    rates: list[RateStep] = Field(min_length=1, max_length=100)
    customer_price: Money


class CarbonLeg(Sent):
    """A part of the way by one means of transport."""

    transport: RequiredText
    kilometres: Int32 = Field(0, description="Of this part; 0 for what the others leave of the distance")
    grams_per_tonne_kilometre: Real = Field(description="Grams CO2e, well to wheel")


class CarrierService(Sent):
    """A service of a carrier for one mode."""

    service_id: Id
    name: RequiredText
    mode: DeliveryMode
    max_weight_grams: Grams
    max_length_millimetres: Int32
    max_width_millimetres: Int32 = Field(0, description="Of the middle side; 0 for no limit")
    max_height_millimetres: Int32 = Field(0, description="Of the shortest side; 0 for no limit")
    max_girth_millimetres: Int32 = Field(
        0, description="The longest side and the way around the other two; 0 for no limit"
    )
    max_distance_kilometres: Int32 = Field(0, description="From the point to the customer; 0 for no limit")
    volumetric_divisor: Int32 = Field(
        0,
        description="Cubic centimetres that are charged as a kilogram, for example 5000: a parcel costs what its "
        "weight or its volume asks for, whichever is more; 0 charges weight alone",
    )
    one_shipment: bool = Field(
        False,
        description="It comes to the customer once: an order leaves from one point, or meets at a hub",
    )
    delivery_weekdays: list[Weekday] = Field(min_length=1, max_length=7)
    delivery_from_minute: Minute
    delivery_until_minute: Minute
    zones: list[ZoneTerms] = Field(min_length=1, max_length=200)
    carbon_legs: list[CarbonLeg] = Field(
        default_factory=list, max_length=10, description="The parts of the way; one of them is the rest of it"
    )
    carbon_factor: Text = ""
    surcharge_basis_points: Int32 = 0


class CarrierPause(Sent):
    """A time in which a carrier collects nothing, for example a strike."""

    from_at: Instant
    until_at: Instant | None = Field(None, description="Absent: until the carrier is put again without it")
    point_id: Id | Literal[""] = Field("", description="Empty for everywhere")
    reason: Text = ""


class Carrier(Sent):
    """A carrier and what it sells."""

    carrier_id: Id
    name: RequiredText
    services: list[CarrierService] = Field(default_factory=list, max_length=50)
    pauses: list[CarrierPause] = Field(
        default_factory=list,
        max_length=100,
        description="Plans wait for the next visit after a pause, or take another carrier",
    )


class Carriers(Sent):
    """Carriers to create or replace."""

    model_config = example(
        {
            "carriers": [
                {
                    "carrier_id": "colisvite",
                    "name": "ColisVite",
                    "services": [
                        {
                            "service_id": "colisvite-standard",
                            "name": "Standard",
                            "mode": "home_standard",
                            "max_weight_grams": 30000,
                            "max_length_millimetres": 1500,
                            "delivery_weekdays": [1, 2, 3, 4, 5, 6],
                            "delivery_from_minute": 480,
                            "delivery_until_minute": 1140,
                            "zones": [
                                {
                                    "zone_id": "fr-mainland",
                                    "transit_days_min": 1,
                                    "transit_days_max": 2,
                                    "rates": [
                                        {"up_to_grams": 2000, "price": {"amount_minor": 490, "currency": "EUR"}}
                                    ],
                                    "customer_price": {"amount_minor": 490, "currency": "EUR"},
                                }
                            ],
                            "carbon_legs": [
                                {"transport": "van", "kilometres": 30, "grams_per_tonne_kilometre": 680.0},
                                {"transport": "truck", "grams_per_tonne_kilometre": 92.0},
                            ],
                            "carbon_factor": "GLEC 3.1, road",
                        }
                    ],
                }
            ]
        }
    )

    carriers: list[Carrier] = Field(min_length=1, max_length=100)


class Box(Sent):
    """A box in which goods are sent."""

    box_id: Id
    name: Text = ""
    length_millimetres: Side = Field(description="Inside, as the other two sides")
    width_millimetres: Side
    height_millimetres: Side
    max_weight_grams: Grams = Field(description="With what is in it")
    tare_grams: Int32 = Field(0, description="That it weighs empty")
    cost: Money = Field(description="Of one box, in the currency of the ruleset: others are not used")
    wall_millimetres: Annotated[int, Field(ge=0, le=1_000)] = Field(
        0, description="Each outer side is longer by two of them"
    )
    fill_percent: Annotated[int, Field(ge=1, le=100)] = Field(
        100, description="Of its room that goods fill at most"
    )
    point_ids: list[Id] = Field(
        default_factory=list, max_length=1_000, description="Points that pack into it; none: all do"
    )


class Boxes(Sent):
    """The catalogue of boxes as a whole: a box that is not named is gone."""

    model_config = example(
        {
            "boxes": [
                {
                    "box_id": "S",
                    "name": "Small",
                    "length_millimetres": 300,
                    "width_millimetres": 200,
                    "height_millimetres": 150,
                    "max_weight_grams": 8000,
                    "tare_grams": 150,
                    "cost": {"amount_minor": 25, "currency": "EUR"},
                    "wall_millimetres": 4,
                    "fill_percent": 85,
                }
            ]
        }
    )

    boxes: list[Box] = Field(max_length=100)


class StockDelta(Sent):
    """A change of physical stock at one position."""

    sku: Sku
    point_id: Id
    quantity: Annotated[
        int,
        Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY, json_schema_extra={"not": {"const": 0}}),
        AfterValidator(_not_zero),
    ]


class Adjustment(Sent):
    """Changes of physical stock: all or none."""

    model_config = example(
        {
            "deltas": [{"sku": "AUB-TEE-NAVY-M", "point_id": "store-lyon", "quantity": 12}],
            "cause": "receipt",
            "source": "wms/4711",
        }
    )

    deltas: list[StockDelta] = Field(min_length=1, max_length=1_000)
    cause: Word
    source: LongText | Literal[""] = ""


class VersionFilters(Paged):
    """Which setting."""

    kind: Literal["item", "point", "channel"]
    key: Annotated[Sku, Field(description="The SKU, or the id of the point or channel")]


class BalanceFilters(Paged):
    """Which balances; without a filter, all."""

    sku: Skus = Field(default_factory=list)
    point_id: list[Id] = Field(default_factory=list, max_length=500)


class MovementFilters(Paged):
    """Which movements."""

    sku: Sku
    point_id: Id | None = None
