"""Orders as channels send them and as they are shown."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from services.gateway.schemas.addresses import Address
from services.gateway.schemas.base import (
    MAX_INT32,
    MAX_QUANTITY,
    ONE_LINE,
    Amount,
    Code,
    Id,
    Instant,
    LongId,
    LongText,
    Money,
    MoneyView,
    Paged,
    RequiredText,
    Sent,
    Shown,
    Sku,
    Text,
    WindowView,
)
from services.gateway.schemas.collections import CustomerChoiceView
from services.gateway.schemas.holds import HoldKind, HoldView
from services.gateway.schemas.refunds import ChargeView
from services.gateway.schemas.reviews import FraudCheckView
from services.gateway.schemas.trials import TrialView
from services.gateway.schemas.work import FulfilmentView

# Those that end at an address, or at a store.
Mode = Literal[
    "home_standard",
    "home_express",
    "same_day",
    "white_glove",
    "appointment",
    "relay_point",
    "locker",
    "click_and_collect",
    "ship_to_store",
    "e_reservation",
    "store_locker",
]
OrderStatus = Literal[
    "recorded", "action_required", "refused", "validated", "released", "cancelling", "cancelled", "closed"
]


def _not_a_return(quantity: int) -> int:
    if quantity < 0:
        raise PydanticCustomError("RETURN_NOT_SUPPORTED", "a negative quantity is a return, not an order")
    if quantity == 0:
        raise PydanticCustomError("greater_than_equal", "an order line has at least one unit")
    return quantity


class Customer(Sent):
    """The buyer. A guest has no customer_id."""

    customer_id: Text = ""
    name: Text = ""
    email: Text = ""
    phone: Text = ""
    language: str = Field(
        "", pattern=r"^([a-z]{2})?$", description="To write to him in (ISO 639-1); empty: that of where it goes"
    )
    notify_by: list[Literal["mail", "sms", "none"]] = Field(
        default_factory=list,
        max_length=2,
        description="How he wants to be told of the order, `none` alone; empty: as its life cycle says",
    )


class DiscountShare(Sent):
    """A share of a discount; already deducted from `net_minor`."""

    code: RequiredText
    amount_minor: Amount


GiftMessage = Annotated[str, Field(max_length=300, pattern=ONE_LINE)]


class Personalisation(Sent):
    """What is put on each unit before it is packed."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="As the item names it")]
    text: Annotated[str, Field(min_length=1, max_length=1_000, description="No longer than the item allows")]


class OrderLine(Sent):
    """A line as the channel priced it; amounts are for the whole quantity and never recomputed."""

    line_number: int = Field(ge=1, le=MAX_INT32)
    sku: Sku
    brand: Text = ""
    title: Text = ""
    quantity: Annotated[
        int, AfterValidator(_not_a_return), Field(le=MAX_QUANTITY, json_schema_extra={"minimum": 1})
    ]
    net_minor: Amount = Field(description="After discounts, without tax and shipping")
    tax_minor: Amount = Field(description="Tax on net")
    tax_rate_basis_points: int = Field(ge=0, le=10_000, description="2000 is 20 %")
    shipping_minor: Amount = Field(0, description="The line's share of the delivery fee, tax included")
    discounts: list[DiscountShare] = Field(default_factory=list, max_length=20)
    taken_at_point_id: Id | Literal[""] = Field(
        "", description="The store from which the customer takes the units along at once; one in an order, no fee"
    )
    personalisations: list[Personalisation] = Field(default_factory=list, max_length=20)
    allow_substitutes: bool = Field(
        False,
        description="Where it is missing at the pick, another article may be given at its price",
    )


_TENDERS = (
    "payment_method_token",
    "provider_authorisation_id",
    "paid_by_channel_reference",
    "stored_value_code",
    "cash",
    "till_card",
)


class TillReceipt(Sent):
    """Money that a till of a store has taken before the order is placed. One receipt pays one order."""

    reference: RequiredText = Field(description="The till's own, for example its receipt's number")
    point_id: Id


def _receipt(how: str) -> Any:
    """None when it was left out; no null is sent, and none is published."""
    return Field(default_factory=lambda: None, description=f"{how}, where the channel allows it")


def _named(means: Sent) -> set[str]:
    """The means that the body names."""
    return means.model_fields_set & set(_TENDERS)


class PaymentShare(Sent):
    """A means that pays an amount of the order: exactly one of them."""

    payment_method_token: RequiredText = Field(default_factory=str)
    stored_value_code: Code = Field(default_factory=str)
    cash: TillReceipt = _receipt("Taken at a till in cash")
    till_card: TillReceipt = _receipt("Taken on a store's card terminal")
    amount_minor: Amount = Field(ge=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> "PaymentShare":
        if len(_named(self)) != 1:
            raise PydanticCustomError("exactly_one", "name exactly one means of payment")
        return self

    def chosen(self) -> dict[str, Any]:
        """The one that was named, with its amount."""
        return self.model_dump(include={*_named(self), "amount_minor"})


class Payment(Sent):
    """How the order is paid: exactly one of the means. Tokens and references only, never a card number."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in _TENDERS]})

    payment_method_token: RequiredText = Field(
        default_factory=str, description="The provider's token of a means of payment"
    )
    provider_authorisation_id: RequiredText = Field(
        default_factory=str, description="An authorisation that the channel made"
    )
    paid_by_channel_reference: RequiredText = Field(default_factory=str, description="The channel has been paid")
    stored_value_code: Code = Field(default_factory=str, description="A gift card, a credit note or a voucher")
    cash: TillReceipt = _receipt("Taken at a till in cash")
    till_card: TillReceipt = _receipt("Taken on a store's card terminal")
    amount_minor: Amount = Field(
        0, description="The rest of the order, which the means pays; to be said of what a till has taken"
    )
    first: list[PaymentShare] = Field(
        default_factory=list,
        max_length=9,
        description="Used before the means, each for its amount: a gift card first, the card pays the rest",
    )
    save_means: bool = Field(
        False, description="The customer allows that the means be kept and authorised again for this order"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Payment":
        if len(_named(self)) != 1:
            raise PydanticCustomError("exactly_one", "name exactly one means of payment")
        return self

    def chosen(self) -> dict[str, Any]:
        """The one that was named, and what goes with it."""
        named = self.model_dump(include={*_named(self), "amount_minor", "save_means"})
        return named | {"first": [one.chosen() for one in self.first]}


_LINE: dict[str, Any] = {
    "line_number": 1,
    "sku": "AUB-TEE-NAVY-M",
    "brand": "Aubier",
    "title": "T-shirt, navy, M",
    "quantity": 2,
    "net_minor": 4158,
    "tax_minor": 832,
    "tax_rate_basis_points": 2000,
    "shipping_minor": 490,
}
ORDER_EXAMPLE: dict[str, Any] = {
    "channel_id": "web-fr",
    "channel_order_number": "W-100234",
    "customer": {"customer_id": "c-81", "name": "Ana Petit", "email": "ana@example.org"},
    "ship_to": {
        "name": "Ana Petit",
        "street_lines": ["3 rue de la Barre"],
        "postcode": "69002",
        "city": "Lyon",
        "country": "FR",
    },
    "lines": [_LINE],
    "total": {"amount_minor": 5480, "currency": "EUR"},
    "mode": "home_standard",
    "payment": {"payment_method_token": "pm_card_visa"},
}


class OrderPlacement(Sent):
    """An order as a channel sends it."""

    model_config = ConfigDict(json_schema_extra={"examples": [ORDER_EXAMPLE]})

    channel_id: Id
    channel_order_number: Text = ""
    customer: Customer = Field(default_factory=Customer)
    ship_to: Address | None = Field(None, description="Required, unless every unit is taken along or collected")
    lines: list[OrderLine] = Field(min_length=1, max_length=2_000)
    total: Money = Field(description="The sum of net, tax and shipping of the lines")
    mode: Mode = "home_standard"
    quote_id: LongId | Literal[""] = Field("", description="A promise that the customer accepted")
    basket_id: Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]{1,100})?$")] = Field(
        "", description="A basket of the channel whose units the order takes over"
    )
    booking_id: LongId | Literal[""] = Field(
        "",
        description="A place held in a delivery slot, for `appointment` and `white_glove`",
    )
    may_wait: bool = Field(
        False,
        description="Units that are still to come may be waited for, as the rules of channel and routing allow; "
        "needed with a quote that waits",
    )
    collect_at_point_id: Id | Literal[""] = Field(
        "",
        description="The store at which it is collected, for `click_and_collect`, `ship_to_store`, "
        "`store_locker` and `e_reservation`: the `point_id` of a promise",
    )
    gift_message: GiftMessage = Field(
        "", description="To whoever unpacks it: printed on the packing slips, which show no prices"
    )
    payment: Annotated[Payment | None, Field(validate_default=True)] = Field(
        None, description="Required, but for an `e_reservation`: a till of the store takes its money"
    )
    standard_shipping: Money | None = Field(
        None,
        description="What standard delivery would have cost, if less than the fee: a withdrawal gives that back",
    )
    trade: Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]{1,100})?$")] = Field(
        "", description="A trade of the channel whose orders live otherwise, for example a pre-order"
    )
    source_placed_at: Instant | None = Field(
        None,
        description="When the channel took the order, if it reaches us later; `placed_at` and deadlines are ours",
    )

    @field_validator("payment")
    @classmethod
    def _is_said(cls, payment: Payment | None, info: ValidationInfo) -> Payment | None:
        if payment is None and info.data.get("mode") != "e_reservation":
            raise PydanticCustomError("missing", "Field required")
        return payment


class OrderFilters(Paged):
    """Which orders."""

    channel_id: Id | None = None
    status: OrderStatus | None = None
    channel_order_number: RequiredText | None = None
    late: bool = Field(False, description="Only orders with a parcel to come that is late")
    payment_failed: bool = Field(False, description="Only orders with money to capture that cannot be had")
    held_for: HoldKind | None = Field(None, description="Only orders with an open hold of this kind")
    undecided_loss: bool = Field(False, description="Only orders with a lost parcel that waits for a decision")
    unclaimed: bool = Field(False, description="Only orders with work that no point took and a person gives away")


class Cancellation(Sent):
    """A wish to cancel the whole order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "changed my mind"}]})

    reason: LongText


class CancellationView(Shown):
    """The order's status after the wish."""

    id: str
    status: OrderStatus


class Placed(Shown):
    """The answer to a placement. `promise` and `cooling_off_until` are there once the order is validated."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "ord_5f0c1f6f6f1f4be18d3f0f4d57f0a1b2",
                    "status": "validated",
                    "customer_status": "validated",
                    "channel_id": "web-fr",
                    "channel_order_number": "W-100234",
                    "promise": {"start": "2026-03-04T07:00:00Z", "end": "2026-03-04T18:00:00Z"},
                    "cooling_off_until": "2026-03-02T10:00:00Z",
                    "next_action_url": None,
                    "status_url": "/v1/orders/ord_5f0c1f6f6f1f4be18d3f0f4d57f0a1b2",
                    "total": {"amount_minor": 5480, "currency": "EUR"},
                    "lines": [_LINE | {"discounts": []}],
                }
            ]
        }
    )

    id: str
    status: OrderStatus
    customer_status: str
    channel_id: str
    channel_order_number: str
    promise: WindowView | None = None
    cooling_off_until: datetime | None = None
    next_action_url: str | None = Field(None, description="Where the customer confirms the payment")
    receipt_number: str | None = Field(None, description="Of what was taken along: `/v1/documents/{number}`")
    status_url: str
    total: MoneyView
    lines: list["LineView"]


class DiscountView(Shown):
    """A share of a discount, already deducted from `net_minor`."""

    code: str
    amount_minor: int


class PersonalisationView(Shown):
    """What is put on each unit before it is packed; the text is null for whom it does not concern."""

    name: str
    text: str | None


class LineView(Shown):
    """A line as the channel priced it."""

    line_number: int
    sku: str
    brand: str
    title: str
    quantity: int
    net_minor: int
    tax_minor: int
    tax_rate_basis_points: int
    shipping_minor: int
    discounts: list[DiscountView]
    taken_at_point_id: str = ""
    personalisations: list[PersonalisationView] = Field(default_factory=list)
    allow_substitutes: bool = False


class UnitsView(Shown):
    """Units [from_unit, to_unit) of a line that share one state."""

    line_number: int
    from_unit: int
    to_unit: int
    state: str
    fulfilment_id: str


class CustomerView(Shown):
    """The buyer."""

    customer_id: str
    name: str
    email: str
    phone: str
    language: str = ""
    notify_by: list[str] = Field(default_factory=list)


class AddressView(Shown):
    """A postal address."""

    name: str
    street_lines: list[str]
    postcode: str
    city: str
    country: str


class RefusedLine(Shown):
    """A line that could not be had, and how much of it could."""

    line_number: int
    sku: str
    requested: int
    available: int
    reason: str


class RefusalView(Shown):
    """Why an order was refused."""

    reason: str
    detail: str
    lines: list[RefusedLine]


class OrderSummary(Shown):
    """An order in a list: no personal data."""

    id: str
    channel_id: str
    channel_order_number: str
    status: OrderStatus
    customer_status: str
    fine_status: str
    mode: Mode | None
    total: MoneyView
    placed_at: datetime
    source_placed_at: datetime | None
    promise: WindowView | None = Field(description="As it was accepted")
    current_promise: WindowView | None = Field(description="What the customer was told last")
    late_since: datetime | None = Field(description="Null while no parcel that is to come is late")
    payment_failed_since: datetime | None = Field(description="Null while no money that is to be captured lacks")
    holds: list[HoldView] = Field(description="What keeps it from going on, or did")
    customer_labels: dict[str, str] = Field(description="The customer status in the trade's words, by language")
    undecided_loss_since: datetime | None = Field(description="Null while no lost parcel waits for a decision")
    unclaimed_since: datetime | None = Field(description="Null while no work waits for a person to give it away")
    updated_at: datetime | None


class ParcelPromiseView(Shown):
    """When a parcel is expected, and why then."""

    fulfilment_id: str
    window: WindowView
    cause: Literal["planned_later", "hand_over_missed", "delivery_missed", "arrival_late", "in_time"]


class PromiseChangeView(Shown):
    """A change that the customer was told of: of the whole order, and the parcels that made it news."""

    at: datetime
    window: WindowView
    parcels: list[ParcelPromiseView]


class AppointmentSlotView(Shown):
    """A time at which the carrier comes."""

    slot_id: str
    date: str
    window: WindowView


class AppointmentView(Shown):
    """The slot in which the customer is met."""

    booking_id: str
    status: Literal["booked", "moving", "missed"] = Field(
        description="`missed` until the customer has chosen another slot"
    )
    slot: AppointmentSlotView
    wanted_slot_id: str | None = Field(description="While it moves")
    refusal: str | None = Field(description="Why the last move was refused, for example SLOT_FULL")
    missed_at: datetime | None
    met_from: str = Field(description="The goods are there in time for this day and any later one")


class OptionView(Shown):
    """A delivery that could be had instead. `price` is null for one that costs what was asked for."""

    mode: Mode | None
    window: WindowView
    price: MoneyView | None
    parcels: int
    point_id: str


class ChangeView(Shown):
    """A change of an order that stands. While it is proposed, the order stands as it was, and is held for it."""

    change_id: str
    kind: Literal["address", "lines", "content", "plan_again"]
    state: Literal["proposed", "applied", "refused"]
    asked_at: datetime
    actor: str
    decided_at: datetime | None
    settled: bool = Field(description="Whether stock and money follow it already")
    refusal: RefusalView | None = Field(
        description="STOCK_UNAVAILABLE, NOT_DELIVERABLE, PAYMENT_DECLINED, PROMISE_CHANGED, TOO_LATE_TO_CHANGE, "
        "CHANGE_EXPIRED, FRAUD_SUSPECTED, PERSONALISATION_REQUIRED"
    )
    options: list[OptionView] = Field(description="Of PROMISE_CHANGED: what could be had")
    point_id: str = Field("", description="Of plan_again: whose work is to be done elsewhere")


class OrderView(OrderSummary):
    """An order, commercial and logistic. Customer and address are null for whom they do not concern."""

    erased_at: datetime | None = Field(None, description="Since when nobody knows who bought it")
    cooling_off_until: datetime | None
    next_action_url: str | None
    cancellation_reason: str | None
    promise_changes: list[PromiseChangeView]
    compensation: MoneyView | None = Field(description="What lateness has given so far")
    fraud: FraudCheckView | None = Field(
        description="Null where no fraud rule applied, and for whoever reviews no orders"
    )
    charge: ChargeView | None = Field(
        description="Where the whole order is captured at once, from its release or the end of its trial on"
    )
    refusal: RefusalView | None
    appointment: AppointmentView | None
    customer: CustomerView | None
    ship_to: AddressView | None
    lines: list[LineView]
    units: list[UnitsView]
    fulfilments: list[FulfilmentView]
    changes: list[ChangeView] = Field(description="All that were asked for since it stands, oldest first")
    trial: TrialView | None = Field(description="Of what is tried at home, once all has arrived")
    collect_at_point_id: str = Field(description="Where the customer collects it; empty: it is sent")
    choices: list[CustomerChoiceView] = Field(
        description="What its customer was asked because a store does not have it ready, oldest first"
    )


class TimelineEntryView(Shown):
    """One thing that happened."""

    entry_id: int
    at: datetime
    kind: str
    text: str
    actor: str
    fulfilment_id: str | None
    data: dict[str, Any] = Field(description="Facts; no personal data")
