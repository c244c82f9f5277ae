"""What customers collect at a store: put aside, handed over, kept longer, put back; and what they are asked."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.addresses import Address
from services.gateway.schemas.base import (
    MAX_INT32,
    Asked,
    DeliveryMode,
    Id,
    Instant,
    MoneyView,
    Quantity,
    Sent,
    Shown,
    WindowView,
)

DocumentKind = Literal["passport", "identity_card", "driving_licence", "residence_permit", "other"]
# As people type it: with blanks, in any case.
TypedCode = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[0-9A-Za-z -]+$")]


class CollectedUnits(Sent):
    """So many units of a line."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    quantity: Quantity


class PutAside(Sent):
    """Picked work that waits at the counter from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"shelf": "B-12"}]})

    shelf: str = Field("", max_length=40, description="Where it lies, for whoever hands it over")
    at_counter: bool = Field(False, description="Though a compartment of a locker is booked for it")


class HandedToCustomer(Sent):
    """Who is at the counter, with one proof: the code, or a document that somebody looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": "K7M2XQ"}, {"document_kind": "identity_card"}],
            "oneOf": [{"required": ["code"]}, {"required": ["document_kind"]}],
        }
    )

    code: TypedCode = Field(default_factory=str, description="That the customer was shown")
    document_kind: DocumentKind | Literal[""] = Field(
        "", description="Of the customer's own, checked against the name on the order; never its number"
    )
    collected_by: Literal["customer", "other"] = Field("customer", description="Who is not he needs the code")
    lines: list[CollectedUnits] = Field(
        default_factory=list, max_length=2_000, description="What is taken; empty: all. The rest is cancelled"
    )


class SaidCode(Sent):
    """A code that somebody at the counter says or shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "K7M2XQ"}]})

    code: TypedCode


class KeptLonger(Sent):
    """The customer comes later."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep_until": "2026-12-05T18:00:00Z"}]})

    keep_until: Instant


class CollectionChoice(Sent):
    """What becomes of what the store does not have ready."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "store", "point_id": "store-paris"}]})

    kind: Literal["store", "delivery", "refund"]
    point_id: Id | None = Field(None, description="The other store, of those that were offered")
    ship_to: Address | None = Field(None, description="Of a delivery; without it, as the order says")
    choice_id: Id | None = Field(None, description="Of which question; without it, of the one that is open")


class CollectedUnitsView(Shown):
    """So many units of a line."""

    line_number: int
    sku: str
    quantity: int


class PutBackView(Shown):
    """What is unpacked of a parcel that does not leave, and put back on its shelf; not for sale until then."""

    units: list[CollectedUnitsView]
    since: datetime
    done_at: datetime | None


class CollectionView(Shown):
    """How what is collected waits, and how it ended. The code is in none of it."""

    ready_at: datetime
    keep_until: datetime
    remind_at: datetime | None = Field(description="When the customer is to be reminded; null: he is not")
    reminded_at: datetime | None
    shelf: str
    wrong_codes: int
    locked_at: datetime | None = Field(description="Too many wrong codes: since when it may not be tried")
    handing_since: datetime | None = Field(description="Its money is being taken, or is there, for who came then")
    collected_at: datetime | None
    proof: str = Field(description="`code`, or the kind of document; empty before it was collected")
    collected_by: str
    overdue_at: datetime | None = Field(description="When it was given up because nobody came")
    put_back: list[CollectedUnitsView] = Field(description="What goes back to its shelf")
    put_back_since: datetime | None
    put_back_at: datetime | None


class ChoiceOptionView(Shown):
    """What could be had instead: at another store, or delivered where there is no `point_id`."""

    mode: DeliveryMode | None
    window: WindowView
    price: MoneyView | None
    parcels: int
    point_id: str


class CustomerChoiceView(Shown):
    """What the customer was asked about units that his store does not have ready."""

    choice_id: str
    fulfilment_id: str
    point_id: str
    reason: str
    lines: list[CollectedUnitsView]
    options: list[ChoiceOptionView]
    asked_at: datetime
    until: datetime = Field(description="After it they are refunded")
    kind: str = Field(description="`store`, `delivery` or `refund`; empty while it is open")
    chosen_point_id: str
    decided_at: datetime | None


class CollectionCodeView(Shown):
    """The code by which somebody collects: for the customer, and whom he gives it to."""

    fulfilment_id: str
    point_id: str
    code: str = Field(examples=["K7M2XQ"])
    keep_until: datetime
    compartment: str = Field(description="Of a locker, that the code opens; empty: it waits at the counter")


class NoShowFilters(Asked):
    """Of which e-reservations that ended."""

    point_id: list[Id] = Field(default_factory=list, max_length=100, description="Without: all that may be seen")
    since: Instant | None = None
    until: Instant | None = None


class NoShowsView(Shown):
    """How many e-reservations ended, and how many of them nobody came for."""

    point_id: str | None = Field(description="Null: of a customer, at any store")
    ended: int
    no_shows: int
    rate: float = Field(description="Of those that ended; 0 where none did")
