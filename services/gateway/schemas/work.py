"""The work of points: fulfilments, what associates say of them, what carriers say of their parcels."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import (
    MAX_INT32,
    ONE_LINE,
    Count,
    Id,
    Instant,
    LongId,
    LongText,
    MoneyView,
    Paged,
    Quantity,
    Sent,
    Shown,
    Sku,
    Text,
    WindowView,
)
from services.gateway.schemas.collections import CollectionView, PutBackView
from services.gateway.schemas.lockers import LockerView
from services.gateway.schemas.network_views import BoxView

FulfilmentStatus = Literal[
    "planned",
    "offered",
    "accepted",
    "refused",
    "lapsed",
    "picked",
    "short",
    "packed",
    "handed_over",
    "delivered",
    "cancelled",
    "lost",
    "damaged",
    "returning",
    "returned",
    "ready",
]
CarrierStatus = Literal[
    "in_transit", "out_for_delivery", "delivery_failed", "delivered", "lost", "damaged", "returning", "returned"
]
FailureReason = Literal["recipient_absent", "refused", "address_incomplete", "other"]


class ProofView(Shown):
    """That a parcel was delivered; who signed stays with the carrier."""

    signed: bool
    photo_reference: str | None = Field(description="As the carrier names its picture")


class LossView(Shown):
    """A parcel that was lost or damaged, and what becomes of its units."""

    at: datetime = Field(description="Since when; of a silent one, since the last word of it")
    source: Literal["carrier", "service", "silence"]
    decide_by: datetime = Field(description="The units are refunded unless somebody decides before")
    decision: Literal["reship", "refund"] | None
    turned_up_at: datetime | None = Field(description="When it was seen again, after the decision")


class ParcelView(Shown):
    """What leaves."""

    id: str
    amount: MoneyView | None
    tracking_code: str | None
    shipping: MoneyView | None = Field(description="What of the amount is delivery fee")
    capture_state: str
    capture_reason: str | None = Field(description="The provider's code, or why it may leave without its money")
    capture_failed_since: datetime | None = Field(description="While its money cannot be had")
    capture_next_try_at: datetime | None = Field(description="Null when a failed one waits for a person")
    weight_grams: int
    box_id: str | None = Field(description="In which it was packed")
    handed_over_at: datetime | None
    heard_at: datetime | None = Field(description="The last thing that the carrier said of it")
    out_for_delivery_at: datetime | None
    failed_deliveries: int
    delivery_failed_at: datetime | None
    failure_reason: FailureReason | None = Field(description="Of the last failed delivery, or why it goes back")
    delivered_at: datetime | None
    proof: ProofView | None
    loss: LossView | None = Field(description="While it is lost or damaged")
    returning_at: datetime | None
    returned_at: datetime | None


class FulfilmentLineView(Shown):
    """Units of a line in a fulfilment."""

    line_number: int
    sku: str
    quantity: int
    title: str
    personalisations: list[str] = Field(description="Names of what is put on each unit before the pack")
    ordered_sku: str = Field("", description="What was ordered, of units that are given instead of it; else empty")


class AwaitedUnitsView(Shown):
    """Units of a line that are still to come, and with which expected delivery."""

    line_number: int
    sku: str
    quantity: int
    supply_id: str
    due_at: datetime = Field(description="From when they can be counted on")


class PickingView(Shown):
    """Who picks a work together with other work; nobody else does until it is put back."""

    pick_list_id: str
    slot: str = Field(description="Its container on the list: A to Z")
    actor: str
    since: datetime


class FulfilmentView(Shown):
    """Work for one point: a preparation order that leaves as one parcel."""

    id: str
    order_id: str
    point_id: str
    carrier_id: str
    service_id: str
    status: FulfilmentStatus
    lines: list[FulfilmentLineView]
    window: WindowView | None
    hand_over_by: datetime | None
    latest_start: datetime | None = Field(description="Of preparation, to meet `hand_over_by`")
    start_missed_at: datetime | None = Field(description="When nobody had taken the work by then")
    next_hand_over_by: datetime | None = Field(description="The pick-up after it, should that be missed")
    hand_over_from: datetime | None = Field(description="A release date: the parcel leaves no earlier")
    offer_deadline: datetime | None
    unclaimed_since: datetime | None = Field(description="No point took it: a person is to give it away")
    refusal_reason: str | None
    parcel: ParcelView | None
    round: int = Field(description="Which attempt at routing made it, from 1")
    decision_id: str
    replaces: str | None = Field(description="The fulfilment whose lost parcel it sends again, already paid")
    taken: bool = Field(description="The customer took it along from the point: no work, no carrier")
    awaited: list[AwaitedUnitsView] = Field(description="Until these have come, a hold for `stock` keeps it back")
    personalising_since: datetime | None = Field(description="Since when something is put on its units")
    personalised_at: datetime | None = Field(description="When that was done: before, such work is not packed")
    collected: bool = Field(description="Its customer collects it at the point: it is put aside, not packed")
    collection: CollectionView | None = Field(description="From when it is ready on")
    locker: LockerView | None = Field(description="Its customer wants to find it in a locker of the point")
    picking: PickingView | None = Field(description="Who picks it on a pick list now")
    put_back: PutBackView | None = Field(description="It was packed when it was cancelled")
    joins: str | None = Field(
        description="The work at a hub that its parcel goes to; `delivered` is received there"
    )
    consolidates: bool = Field(description="Work at a hub: its lines grow with what other points send")


class LabelAddress(Shown):
    """Where the parcel goes, for its label."""

    name: str
    street_lines: list[str]
    postcode: str
    city: str
    country: str


class PersonalTextView(Shown):
    """What is put on each unit of a line."""

    line_number: int
    name: str
    text: str


class FulfilmentDetail(FulfilmentView):
    """A fulfilment with where it goes."""

    ship_to: LabelAddress | None
    hub_point_id: str | None = Field(description="Where a parcel goes that joins others; null: to the customer")
    texts: list[PersonalTextView] = Field(description="To be put on its units; none while it is only offered")
    channel_id: str
    brands: list[str]
    channel_order_number: str | None
    customer_name: str | None = Field(description="Of what is collected: whose document is looked at")
    gift_message: str | None = Field(description="To whoever unpacks it: it is on the packing slip")
    substitutable: list[int] = Field(
        description="Lines instead of which other articles may be given when units are missing at the pick"
    )


class WorkFilters(Paged):
    """Which work of a point; without status, all that is open."""

    status: list[FulfilmentStatus] = Field(default_factory=list, max_length=16)


class OfferRefusal(Sent):
    """Why the point does not take the work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "not_found"}]})

    reason: Literal["not_found", "damaged", "no_staff", "no_time", "other"]
    point_id: Id | Literal[""] = Field("", description="Whose answer, for somebody who works at several points")


class Found(Sent):
    """How much of a line the picker found."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Count


MissingReason = Literal["not_found", "damaged", "being_sold", "other"]
Note = Annotated[
    str, Field(max_length=200, pattern=ONE_LINE, description="Required with `other`; never about a person")
]


class MissingUnits(Sent):
    """Why units of a line are missing; the units are declared unavailable for it."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    reason: MissingReason
    note: Note = ""


class Substitute(Sent):
    """Units of another article that the item permits, instead of missing units of a line."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    sku: Sku
    quantity: Quantity


class SubstituteView(Shown):
    """An article that may be given instead of a line; `free`: how many the order's channel may have there."""

    line_number: int
    sku: str
    title: str
    gtin: str | None
    free: int


class Substitutes(Shown):
    """What may be given instead of lines whose customer allows it: of each line best first."""

    substitutes: list[SubstituteView]


class Pick(Sent):
    """Every line of the fulfilment, with the quantity found, and why others are missing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"found": [{"line_number": 1, "quantity": 2}]}]})

    found: list[Found] = Field(min_length=1, max_length=2_000)
    missing: list[MissingUnits] = Field(
        default_factory=list, max_length=2_000, description="Of lines that are short; others were not found"
    )
    substituted: list[Substitute] = Field(
        default_factory=list,
        max_length=200,
        description="Given instead of missing units, which then go nowhere else; the line keeps its price",
    )


class Spoiled(Sent):
    """How much of a line was damaged."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Quantity


class SpoiledUnits(Sent):
    """Units that were damaged when something was put on them, each line once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"spoiled": [{"line_number": 1, "quantity": 1}]}]})

    spoiled: list[Spoiled] = Field(min_length=1, max_length=2_000)


class Pack(Sent):
    """The closed parcel."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"weight_grams": 640, "box_id": "S"}]})

    weight_grams: int = Field(ge=1, le=1_000_000)
    box_id: Id | Literal[""] = Field("", description="In which it is packed")


class PackingBoxes(Shown):
    """In what a work can be packed."""

    suggested: str | None = Field(
        description="The smallest that holds it; null when none does, or an article's size or weight is not known"
    )
    boxes: list[BoxView] = Field(description="That the point has, the smallest first")


class HandOver(Sent):
    """The parcel leaves; without a tracking code one is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tracking_code": "6A12345678901"}]})

    tracking_code: LongId | Literal[""] = ""


class CaptureOverride(Sent):
    """Why a parcel may leave though its capture failed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "paid by bank transfer, see ticket 4711"}]}
    )

    reason: LongText


class ParcelGivenUp(Sent):
    """Why a parcel whose money could not be captured is not sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the card was reported stolen"}]})

    reason: LongText


class Proof(Sent):
    """That a parcel was delivered."""

    signed: bool = False
    photo_reference: Text = ""


class CarrierEvent(Sent):
    """A carrier's scan of a parcel."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "evt-20260304-000871",
                    "carrier_id": "colisvite",
                    "tracking_code": "6A12345678901",
                    "status": "delivered",
                    "occurred_at": "2026-03-04T10:12:00Z",
                }
            ]
        }
    )

    event_id: LongId = Field(description="The carrier's own id of the event; a repeated one is taken once")
    carrier_id: Id
    tracking_code: LongId
    status: CarrierStatus
    occurred_at: Instant
    reason: FailureReason | Literal[""] = Field("", description="Of `delivery_failed` and `returning`")
    proof: Proof | None = Field(None, description="Of `delivered`")


class ParcelLost(Sent):
    """What happened to a parcel on its way, and how it is known."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cause": "lost", "reason": "the carrier's claims desk, file 4711"}]}
    )

    cause: Literal["lost", "damaged"]
    reason: LongText


class LostParcelDecision(Sent):
    """What becomes of the units of a lost parcel."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"decision": "reship"}]})

    decision: Literal["reship", "refund"]


class CarrierEventView(Shown):
    """What the event led to."""

    fulfilment_id: str
    status: FulfilmentStatus
    duplicate: bool
