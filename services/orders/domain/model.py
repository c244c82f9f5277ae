"""The words of orders: frozen records without behaviour beyond reading themselves.

`Buyer` is the only one with personal data; nothing else here may ever hold any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from kit.values.money import Money
from services.orders.domain.fraud_policy import FraudCheck, FraudPolicy
from services.orders.domain.milestones import NotificationRule
from services.orders.domain.ranges import LineRange
from services.orders.domain.states import (
    LEFT_THE_POINT,
    CaptureState,
    ChangeState,
    FulfilmentState,
    OfferState,
    OrderState,
    RefundState,
)

# Three days: what a life cycle gives that does not say.
LOSS_DECISION_SECONDS = 259_200
AUTHORISE_AHEAD_SECONDS = 2 * 86_400


class CaptureMoment(StrEnum):
    """When money is taken: all of it at the order's release, or that of a parcel after its pick or at its pack.

    TRIAL: that of what the customer keeps, once it was tried at home.
    """

    ORDER = "order"
    PREPARATION = "preparation"
    SHIPMENT = "shipment"
    TRIAL = "trial"


class LostParcel(StrEnum):
    """What becomes of the units of a parcel that was lost or damaged; ASK: customer service says so."""

    ASK = "ask"
    RESHIP = "reship"
    REFUND = "refund"


class DeliveryMode(StrEnum):
    """How the customer receives the goods."""

    HOME_STANDARD = "home_standard"
    HOME_EXPRESS = "home_express"
    SAME_DAY = "same_day"
    WHITE_GLOVE = "white_glove"
    APPOINTMENT = "appointment"
    RELAY_POINT = "relay_point"
    LOCKER = "locker"
    # Collected at a store that has all of it; of the second kind nothing is paid before the store's till.
    CLICK_AND_COLLECT = "click_and_collect"
    E_RESERVATION = "e_reservation"
    # Collected at a store to which other points send what it lacks.
    SHIP_TO_STORE = "ship_to_store"
    # Collected, as the first, from a compartment of a locker there.
    STORE_LOCKER = "store_locker"


_COLLECTED = frozenset(
    {
        DeliveryMode.CLICK_AND_COLLECT,
        DeliveryMode.E_RESERVATION,
        DeliveryMode.SHIP_TO_STORE,
        DeliveryMode.STORE_LOCKER,
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """Instants [start, end)."""

    start: datetime
    end: datetime


# -- settings ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade of a channel, and how its orders live."""

    name: str
    life_cycle_id: str


@dataclass(frozen=True, slots=True)
class PointSeries:
    """The series of the sales receipts of a point."""

    point_id: str
    series: str


@dataclass(frozen=True, slots=True)
class DocumentTerms:
    """Who issues the tax documents of a channel, and how they are numbered.

    An empty series is made of the id of the channel or point; else the zone is UTC and the seller the channel.
    """

    series: str = ""
    time_zone: str = ""
    seller_name: str = ""
    seller_lines: tuple[str, ...] = ()
    points: tuple[PointSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class SalesChannel:
    """A channel and what it may sell; no brands means all."""

    channel_id: str
    name: str
    currency: str
    brands: tuple[str, ...]
    life_cycle_id: str
    trades: tuple[Trade, ...] = ()
    documents: DocumentTerms = DocumentTerms()
    # Of AT_A_TILL: what its orders may be paid with.
    till_payments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LatenessRule:
    """An order that is at least so late is given this part of its delivery fee."""

    late_seconds: int
    fee_basis_points: int


@dataclass(frozen=True, slots=True)
class GoodwillCap:
    """What people of a role may give for one order in all, in one currency. Who is not named may give nothing."""

    role: str
    currency: str
    amount_minor: int


class HoldKind(StrEnum):
    """Why an order, or the work of a point, does not go on."""

    COOLING_OFF = "cooling_off"
    FRAUD = "fraud"
    PAYMENT = "payment"
    MANUAL = "manual"
    APPOINTMENT = "appointment"
    RELEASE_DATE = "release_date"
    STOCK = "stock"
    # Somebody changes the order: until that is decided, and stock and money follow.
    CHANGE = "change"
    # At a hub: for what other points send to it.
    CONSOLIDATION = "consolidation"


class HoldDefault(StrEnum):
    """What becomes of a held order when its date has come."""

    RELEASE = "release"
    CANCEL = "cancel"
    # Of what waits for stock or other points: the date is when it is expected; without it nothing goes on.
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class HoldRule:
    """How a kind of hold ends by itself (0 seconds: not by itself, or as the plan says), and who may end it."""

    kind: HoldKind
    seconds: int
    default: HoldDefault
    roles: tuple[str, ...]


class Change(StrEnum):
    """What somebody may want to change of an order that stands."""

    CANCEL = "cancel"
    LINES = "lines"
    ADDRESS = "address"


class Stage(StrEnum):
    """Until the first unit got there, a change is in time."""

    NEVER = "never"
    RELEASE = "release"
    PICK = "pick"
    # Something is begun to be put on it.
    PERSONALISE = "personalise"
    PACK = "pack"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """Until when people of a role may ask for a change; an empty role is everybody who is not named."""

    change: Change
    role: str
    until: Stage


@dataclass(frozen=True, slots=True)
class StatusLabel:
    """A customer status in the words of a trade. `language`: ISO 639-1."""

    status: str
    language: str
    text: str


class Fallback(StrEnum):
    """What becomes of work that nobody took: the planned point has it, or a person decides."""

    PLANNED = "planned"
    CUSTOMER_SERVICE = "customer_service"


@dataclass(frozen=True, slots=True)
class Competition:
    """How points compete for work. `rings`: how many further points each ring has.

    `ring_seconds`: to answer, in the opening hours of each point.
    """

    rings: tuple[int, ...]
    ring_seconds: int
    fallback: Fallback = Fallback.PLANNED


@dataclass(frozen=True, slots=True)
class TrialTerms:
    """How long goods are tried at home, and how long before the end the customer is reminded."""

    days: int = 7
    reminder_days: int = 2


@dataclass(frozen=True, slots=True)
class CollectionTerms:
    """How long what is ready at a store waits for its customer, in opening days of the point.

    `reminder_days`: before the end. `reservation_hours`: of what is not paid; 0: until the end of the next opening
    day. `choice_hours`: for the customer's answer about what the store does not have ready.
    """

    keep_days: int = 7
    reminder_days: int = 2
    reservation_hours: int = 0
    choice_hours: int = 48
    code_attempts: int = 5


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """How orders live. A published version never changes; an order keeps the one it began with."""

    life_cycle_id: str
    version: int
    cooling_off_seconds: int
    offer_seconds: int
    payment_action_seconds: int
    reroute_limit: int
    promise_tolerance_seconds: int = 0
    lateness_rules: tuple[LatenessRule, ...] = ()
    capture_at: CaptureMoment = CaptureMoment.SHIPMENT
    goodwill_caps: tuple[GoodwillCap, ...] = ()
    hold_rules: tuple[HoldRule, ...] = ()
    change_rules: tuple[ChangeRule, ...] = ()
    labels: tuple[StatusLabel, ...] = ()
    # How long before its latest start held work goes to its point.
    prepare_ahead_seconds: int = 0
    # Days without a word of its carrier after which a parcel is lost; 0: it never is for that.
    lost_after_days: int = 0
    lost_parcel: LostParcel = LostParcel.ASK
    # For the answer to ASK; after it the units are refunded.
    loss_decision_seconds: int = LOSS_DECISION_SECONDS
    # None: work is offered to the planned point alone.
    competition: Competition | None = None
    # None: orders are not judged.
    fraud: FraudPolicy | None = None
    # Where money is taken after a trial.
    trial: TrialTerms | None = None
    # How long before its first work begins an order is paid whose means was kept.
    authorise_ahead_seconds: int = AUTHORISE_AHEAD_SECONDS
    # What customers are told, and how.
    notifications: tuple[NotificationRule, ...] = ()
    collection: CollectionTerms = CollectionTerms()
    # What several points prepare may meet at a hub and leave as one shipment, where the ruleset finds it worth it.
    consolidates: bool = False


# -- what a channel sends ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Customer:
    """Personal data, kept out of every representation."""

    customer_id: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    # To write to him in: ISO 639-1; empty where the channel does not know.
    language: str = field(default="", repr=False)
    # How he wants to be told of the order (`mail`, `sms`, or `none` alone); empty: as the life cycle says.
    notify_by: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """Personal data, kept out of every representation."""

    name: str = field(default="", repr=False)
    street_lines: tuple[str, ...] = field(default=(), repr=False)
    postcode: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    country: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PersonalText:
    """What is put on each unit of a line, under a name that its item knows. Kept out of every representation."""

    line_number: int
    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Buyer:
    """All the personal data of an order, in one place that can be erased."""

    customer: Customer = Customer()
    ship_to: Address = Address()
    personalisations: tuple[PersonalText, ...] = ()
    # What the customer writes to whoever unpacks it: printed on the packing slip of each parcel.
    gift_message: str = ""


@dataclass(frozen=True, slots=True)
class DiscountShare:
    """Already deducted from the line's net."""

    code: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the channel priced it; amounts are for the whole quantity and never recomputed."""

    line_number: int
    sku: str
    brand: str
    title: str
    quantity: int
    net_minor: int
    tax_minor: int
    tax_rate_basis_points: int
    shipping_minor: int
    discounts: tuple[DiscountShare, ...] = ()
    # The store from which the customer takes its units along; empty when they are sent.
    taken_at_point_id: str = ""
    # The names of what is put on each unit; the texts are with the buyer.
    personalisations: tuple[str, ...] = ()
    # The customer takes another article, at this one's price, where a pick lacks it.
    allow_substitutes: bool = False


PaymentKind = Literal[
    "",
    "payment_method_token",
    "provider_authorisation_id",
    "paid_by_channel_reference",
    "stored_value_code",
    "cash",
    "till_card",
]
# Taken at a till of a store before the order was placed, by the till's own reference.
AT_A_TILL = ("cash", "till_card")


@dataclass(frozen=True, slots=True)
class PaymentShare:
    """A means that pays an amount of the order."""

    kind: PaymentKind
    value: str = field(repr=False)
    amount_minor: int
    # Of the store whose till took the money.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """How the order is paid: a token or a reference, after those of which only an amount is used."""

    kind: PaymentKind
    value: str = field(repr=False)
    first: tuple[PaymentShare, ...] = ()
    # The customer allows that the means be kept and authorised again for this order.
    save_means: bool = False
    # Of the store whose till took the money.
    point_id: str = ""
    # What the means itself pays; 0 where it is not said.
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What a channel sends, but for the buyer. `mode` is empty when the channel left it out."""

    channel_id: str
    channel_order_number: str
    lines: tuple[Line, ...]
    total: Money
    mode: DeliveryMode | Literal[""]
    quote_id: str
    payment: PaymentTerms
    # When the channel took the order, if it says so. No deadline counts from it.
    source_placed_at: datetime | None = None
    # Whose units the order takes over.
    basket_id: str = ""
    # What standard delivery would have cost, if less than the fee: so much of it goes back with a withdrawal.
    standard_shipping: Money | None = None
    # Of the channel, where its orders live otherwise.
    trade: str = ""
    # Of the slot in which the customer is met.
    booking_id: str = ""
    # Units that are still to come may be waited for.
    may_wait: bool = False
    # The store at which the customer collects it.
    collect_at_point_id: str = ""

    @property
    def is_collected(self) -> bool:
        """Whether the customer comes to a store for it."""
        return self.mode in _COLLECTED

    @property
    def is_paid_in_store(self) -> bool:
        """Whether a till of the store takes its money, and nobody else."""
        return self.mode is DeliveryMode.E_RESERVATION

    @property
    def is_for_locker(self) -> bool:
        """Whether it is put into a locker of the store, where one is free."""
        return self.mode is DeliveryMode.STORE_LOCKER

    @property
    def taken(self) -> tuple[Line, ...]:
        """What the customer takes along."""
        return tuple(line for line in self.lines if line.taken_at_point_id)

    @property
    def sent(self) -> tuple[Line, ...]:
        """What is sent."""
        return tuple(line for line in self.lines if not line.taken_at_point_id)

    @property
    def brands(self) -> tuple[str, ...]:
        """The brands sold, each once."""
        return tuple(sorted({line.brand for line in self.lines}))


# -- the order --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Units:
    """So many units of a line. `supply_id`: of a leg, the delivery that they come with; empty: they are there."""

    line_number: int
    sku: str
    quantity: int
    supply_id: str = ""
    # As of a FulfilmentLine.
    ordered_sku: str = ""


@dataclass(frozen=True, slots=True)
class AwaitedUnits:
    """Units of a line that come with a delivery, and from when they can be counted on."""

    line_number: int
    sku: str
    quantity: int
    supply_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Leg:
    """A share of a plan, to become a fulfilment.

    `next_hand_over_by`, `next_window`: what becomes of a parcel that misses `hand_over_by`, if the plan knows.
    """

    point_id: str
    carrier_id: str
    service_id: str
    lines: tuple[Units, ...]
    window: Window | None
    hand_over_by: datetime | None
    latest_start: datetime | None = None
    next_hand_over_by: datetime | None = None
    next_window: Window | None = None
    # A release date: the parcel is handed over no earlier.
    hand_over_from: datetime | None = None
    # When the last of its units to come are due.
    waits_until: datetime | None = None
    # The hub that its parcel goes to; `window` is that of its arrival there. Empty: it goes to the customer.
    via_point_id: str = ""
    # It is the hub's: its own units, with what the others bring.
    consolidates: bool = False
    # Lines whose units go to the hub as they are: what is to be put on them is put on there.
    plain_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FulfilmentLine:
    """Units of a line in a fulfilment; after the pick, what was found."""

    line_number: int
    sku: str
    quantity: int
    title: str
    # As of the line; none where somebody else puts them on.
    personalisations: tuple[str, ...] = ()
    # Of units that are given instead of another article: the one that was ordered.
    ordered_sku: str = ""


@dataclass(frozen=True, slots=True)
class UnitRange:
    """Units [from_unit, to_unit) of a line."""

    line_number: int
    from_unit: int
    to_unit: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Money to take, and what became of it. `failed_since`, `next_try_at`: while it cannot be taken.

    Without `next_try_at`, a failed one waits for a person. `without`: units of the whole order that it is not for,
    for they were cancelled before.
    """

    amount_minor: int
    state: CaptureState = CaptureState.PENDING
    reason: str = ""
    failed_since: datetime | None = None
    next_try_at: datetime | None = None
    without: tuple[UnitRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """That a parcel was delivered. Who signed is the carrier's to know: we keep that somebody did."""

    signed: bool = False
    # As the carrier names the picture.
    photo_reference: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """A parcel that does not arrive: since when, who says so, and what becomes of its units.

    Undecided until `decide_by`; `turned_up_at`: seen again after the decision, which stands.
    """

    at: datetime
    source: Literal["carrier", "service", "silence"]
    decide_by: datetime
    decision: Literal["", "reship", "refund"] = ""
    turned_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What leaves, and the money that it brings. Open, without weight, while money is taken before the pack."""

    parcel_id: str
    amount_minor: int
    currency: str
    weight_grams: int
    closed_at: datetime | None
    # In which it was packed, as planning names it; empty where nobody said.
    box_id: str = ""
    capture_state: CaptureState = CaptureState.PENDING
    capture_reason: str = ""
    capture_failed_since: datetime | None = None
    capture_next_try_at: datetime | None = None
    # What of the amount is delivery fee.
    shipping_minor: int = 0
    tracking_code: str = ""
    handed_over_at: datetime | None = None
    in_transit_at: datetime | None = None
    delivered_at: datetime | None = None
    # The last thing that the carrier said of it.
    heard_at: datetime | None = None
    out_for_delivery_at: datetime | None = None
    failed_deliveries: int = 0
    delivery_failed_at: datetime | None = None
    # Why the last delivery failed, or why it goes back.
    failure_reason: str = ""
    proof: Proof | None = None
    loss: Loss | None = None
    returning_at: datetime | None = None
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How a parcel would leave a point. As in a Leg."""

    carrier_id: str
    service_id: str
    hand_over_by: datetime
    window: Window | None = None
    latest_start: datetime | None = None
    next_hand_over_by: datetime | None = None
    next_window: Window | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Work that is offered to a point beside others. `answered_at`: by the point; None of one that kept silent."""

    point_id: str
    ring: int
    # Its place in the ring, from 1.
    place: int
    state: OfferState
    route: Route
    offered_at: datetime
    deadline: datetime
    answered_at: datetime | None = None
    reason: str = ""
    actor: str = ""
    # Of the last time that somebody took it.
    claim_id: str = ""


@dataclass(frozen=True, slots=True)
class Handing:
    """Who is at the counter, and for what. `proof`: "code", or the kind of an identity document."""

    at: datetime
    units: tuple[Units, ...]
    proof: str
    collected_by: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """What waits at a counter for its customer, and how that ended. Its code is kept nowhere."""

    ready_at: datetime
    keep_until: datetime
    remind_at: datetime | None
    reminded_at: datetime | None = None
    shelf: str = ""
    # Somebody gave the customer another date than the terms do.
    extended: bool = False
    wrong_codes: int = 0
    locked_at: datetime | None = None
    # While its money is taken; after that, whoever had it.
    handing: Handing | None = None
    collected_at: datetime | None = None
    overdue_at: datetime | None = None
    # What goes back to its shelf.
    put_back: tuple[Units, ...] = ()
    put_back_since: datetime | None = None
    put_back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Locker:
    """Of work that goes into a locker of its point: its compartment, if any. What opens it is kept nowhere.

    `asked_at`: since when the bank may keep one for it; `key`: which of our keys its code is made with.
    """

    asked_at: datetime | None = None
    compartment: str = ""
    booked_at: datetime | None = None
    key: str = ""
    # None was free.
    full_at: datetime | None = None
    # Its code opens it no more: the store empties it, or has.
    closed_at: datetime | None = None
    # The bank keeps none for it any more.
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PutBack:
    """Units of a parcel that does not leave. `done_at`: when they lay on their shelf again."""

    units: tuple[Units, ...]
    since: datetime
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Picking:
    """Who picks a work, on which list, and into which container there. `actor`: a subject, never a name."""

    pick_list_id: str
    slot: str
    actor: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Work for one point: a preparation order that leaves as one parcel."""

    fulfilment_id: str
    order_id: str
    point_id: str
    carrier_id: str
    service_id: str
    state: FulfilmentState
    lines: tuple[FulfilmentLine, ...]
    hand_over_by: datetime
    round: int
    position: int
    decision_id: str = ""
    window: Window | None = None
    offer_deadline: datetime | None = None
    refusal_reason: str = ""
    parcel: Parcel | None = None
    latest_start: datetime | None = None
    next_hand_over_by: datetime | None = None
    next_window: Window | None = None
    start_missed_at: datetime | None = None
    hand_over_from: datetime | None = None
    # When its last hold ended, for work that was held after the release of its order.
    let_go_at: datetime | None = None
    # The fulfilment whose lost parcel it sends again; its goods are paid with that one.
    replaces: str = ""
    # Where points compete: until one has it, `point_id` is the planned one, at which the stock is held.
    offers: tuple[Offer, ...] = ()
    # Nobody took it: it waits for a person.
    unclaimed_since: datetime | None = None
    # The customer took it along from the point when the order was accepted.
    taken: bool = False
    # Of its units, those that are still to come.
    awaited: tuple[AwaitedUnits, ...] = ()
    # Since when something is put on its units, and when that was done.
    personalising_since: datetime | None = None
    personalised_at: datetime | None = None
    # Of what its customer collects at the point, once it is ready.
    collection: Collection | None = None
    # Who picks it, with other work; counts while it is accepted.
    picking: Picking | None = None
    # The work at the hub that its parcel goes to; empty: its parcel goes to the customer.
    joins: str = ""
    # At a hub: what other points send leaves with its own units. Its lines grow with what comes.
    consolidates: bool = False
    # It was packed when it was cancelled: what is to be unpacked.
    put_back: PutBack | None = None
    # Of what its customer wants to find in a locker of the point.
    locker: Locker | None = None

    @property
    def is_collected(self) -> bool:
        """Whether its customer comes to the point for it: nobody carries it."""
        return not self.carrier_id and not self.taken

    @property
    def compartment(self) -> str:
        """In which its customer finds it, now; empty: it lies in none that he can open."""
        locker = self.locker
        is_in = self.state is FulfilmentState.READY and locker and not locker.closed_at
        return locker.compartment if locker and is_in else ""

    @property
    def coded_at(self) -> datetime | None:
        """The instant that its code is made of: a locker is told its code before it is ready."""
        booked_at = self.locker.booked_at if self.locker else None
        return booked_at or (self.collection.ready_at if self.collection else None)

    @property
    def has_left(self) -> bool:
        """Whether its parcel is, or was, on its way to the customer."""
        return not self.joins and self.state in LEFT_THE_POINT


class HoldOutcome(StrEnum):
    """How a hold ended: by somebody, at its date, by what it waited for, or with the order."""

    RELEASED = "released"
    REFUSED = "refused"
    LAPSED = "lapsed"
    MET = "met"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an order, or the work of one point, from going on. `until`: when it ends by itself."""

    hold_id: str
    kind: HoldKind
    # Empty: all of the order.
    fulfilment_id: str
    reason: str
    since: datetime
    until: datetime | None
    default: HoldDefault
    roles: tuple[str, ...]
    ended_at: datetime | None = None
    outcome: HoldOutcome | Literal[""] = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose work a caller may act on: at these points, with a line of these brands; empty means any."""

    point_ids: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()


EVERYWHERE = Reach()


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """Which line made the order fall, and how much could be had."""

    line_number: int
    sku: str
    requested: int
    available: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order was refused."""

    reason: str
    detail: str
    lines: tuple[RefusedLine, ...] = ()


class RefundKind(StrEnum):
    """What money is given back for."""

    GOODS = "goods"
    GOODWILL = "goodwill"
    DELIVERY_FEE = "delivery_fee"
    # Paid for with the whole order, and then not to be had.
    CANCELLED_UNITS = "cancelled_units"


@dataclass(frozen=True, slots=True)
class TaxPart:
    """What of an amount is of one tax rate. The parts of all ranges of a line add up to its net and its tax."""

    tax_rate_basis_points: int
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        """Net and tax."""
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What somebody wants to be given back: units, an amount, or all that is left. `roles`: of who wants it."""

    kind: RefundKind
    reason_code: str
    reason: str
    actor: str
    roles: tuple[str, ...] = ()
    lines: tuple[Units, ...] = ()
    amount: Money | None = None
    whole: bool = False
    # The store whose till gives back what a till has taken.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back, decided before it moves. Its units are refunded once and for all."""

    refund_id: str
    order_id: str
    number: int
    kind: RefundKind
    state: RefundState
    amount_minor: int
    currency: str
    # What of the amount is delivery fee.
    shipping_minor: int
    units: tuple[UnitRange, ...]
    taxes: tuple[TaxPart, ...]
    reason_code: str
    reason: str
    actor: str
    requested_at: datetime
    attempts: int = 1
    failure: str = ""
    settled_at: datetime | None = None
    # As in the wish.
    point_id: str = ""


class ChangeKind(StrEnum):
    """What of an order somebody changes: the address within its place, units that are not wanted, or anything.

    Or nothing, but where units come from that it waits for, or that a point has not begun to prepare.
    """

    ADDRESS = "address"
    LINES = "lines"
    CONTENT = "content"
    PLAN_AGAIN = "plan_again"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order is to become. `other_address`: it goes elsewhere; where, is with the buyer.

    `accepts_later`: whoever asks takes another promise than the one that was given. `other_texts`: on its units,
    or its gift message; they too are with the buyer.
    """

    lines: tuple[Line, ...]
    total: Money
    mode: DeliveryMode | Literal[""]
    quote_id: str = ""
    standard_shipping: Money | None = None
    other_address: bool = False
    accepts_later: bool = False
    other_texts: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryOption:
    """A delivery that could be had instead; without a price it costs what was asked for."""

    mode: DeliveryMode | Literal[""]
    window: Window
    price: Money | None
    parcels: int
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRefusal:
    """Why a change was refused, and what could be had instead."""

    reason: str
    detail: str = ""
    lines: tuple[RefusedLine, ...] = ()
    options: tuple[DeliveryOption, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderChange:
    """A change of an order that stands. `settled`: stock, room and money follow it.

    `wanted`: while it is proposed. `point_id`: whose work is to be done elsewhere.
    """

    change_id: str
    kind: ChangeKind
    state: ChangeState
    asked_at: datetime
    actor: str
    decided_at: datetime | None = None
    settled: bool = True
    refusal: ChangeRefusal | None = None
    wanted: Wanted | None = None
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class CustomerChoice:
    """Units of what is collected that their store does not have ready: the customer says what becomes of them.

    `kind`: empty while it is open; "store", "delivery" or "refund".
    """

    choice_id: str
    fulfilment_id: str
    point_id: str
    reason: str
    units: tuple[Units, ...]
    options: tuple[DeliveryOption, ...]
    asked_at: datetime
    until: datetime
    kind: str = ""
    chosen_point_id: str = ""
    decided_at: datetime | None = None
    actor: str = ""


class Cause(StrEnum):
    """Why a parcel will not be there in time, or that it will be after all."""

    PLANNED_LATER = "planned_later"
    HAND_OVER_MISSED = "hand_over_missed"
    DELIVERY_MISSED = "delivery_missed"
    # What it waits for at a hub comes late.
    ARRIVAL_LATE = "arrival_late"
    IN_TIME = "in_time"


@dataclass(frozen=True, slots=True)
class ParcelPromise:
    """When a parcel is expected, and why then."""

    fulfilment_id: str
    window: Window
    cause: Cause


@dataclass(frozen=True, slots=True)
class PromiseChange:
    """What the customer was told: when all is expected to be there, and the parcels that made it news."""

    at: datetime
    window: Window
    parcels: tuple[ParcelPromise, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which a carrier meets customers. `day`: its date where they live."""

    slot_id: str
    day: date
    window: Window


@dataclass(frozen=True, slots=True)
class Appointment:
    """The slot in which the customer is met: the place in it belongs to the booking.

    `met_from`: the plan brings the goods in time for that day and any later one. `wanted_slot_id`: while a move to
    it is under way; `moves` counts what was asked, `refusal` says why the last one was not done. `missed_at`: the
    customer was not met and has not chosen another slot yet.
    """

    booking_id: str
    slot: Slot
    met_from: date
    wanted_slot_id: str = ""
    moves: int = 0
    refusal: str = ""
    missed_at: datetime | None = None

    @property
    def state(self) -> str:
        """`booked`, `moving` or `missed`."""
        if self.wanted_slot_id:
            return "moving"
        return "missed" if self.missed_at else "booked"


@dataclass(frozen=True, slots=True)
class Trial:
    """Goods that are tried at home. Which of them come back, their ranges say.

    `decided_at`: when the customer said last what comes back. Settled: `kept` is due, with so much of the fee.
    """

    begun_at: datetime
    ends_at: datetime
    remind_at: datetime
    reminded_at: datetime | None = None
    decided_at: datetime | None = None
    settled_at: datetime | None = None
    kept: tuple[UnitRange, ...] = ()
    shipping_minor: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """The aggregate. Its ranges hold each unit of each line exactly once."""

    order_id: str
    content: Content
    state: OrderState
    life_cycle: LifeCycle
    placed_at: datetime
    recorded_at: datetime
    updated_at: datetime
    ranges: tuple[LineRange, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    promise: Window | None = None
    refusal: Refusal | None = None
    next_action_url: str = ""
    cancellation_reason: str = ""
    payment_outcome: str = ""
    promise_changes: tuple[PromiseChange, ...] = ()
    late_since: datetime | None = None
    # When to look at the promise again if nothing happens before; None when there is nothing to wait for.
    watch_at: datetime | None = None
    compensation_minor: int = 0
    # Of the whole order, from its release or the end of its trial on, where the life cycle takes it then.
    charge: Charge | None = None
    refunds: tuple[Refund, ...] = ()
    # All there were, oldest first.
    holds: tuple[Hold, ...] = ()
    appointment: Appointment | None = None
    # What the fraud rules said of it; None where none applied.
    fraud: FraudCheck | None = None
    # Oldest first.
    changes: tuple[OrderChange, ...] = ()
    # From its beginning on.
    trial: Trial | None = None
    # Oldest first.
    choices: tuple[CustomerChoice, ...] = ()
    # Since when nobody knows who bought it.
    erased_at: datetime | None = None

    @property
    def cooling_off_until(self) -> datetime | None:
        """Until when the customer may change the order; None before it was accepted."""
        return next((one.until for one in self.holds if one.kind is HoldKind.COOLING_OFF), None)

    @property
    def current_promise(self) -> Window | None:
        """What the customer was told last."""
        return self.promise_changes[-1].window if self.promise_changes else self.promise

    @property
    def unclaimed_since(self) -> datetime | None:
        """Since when work that no point has taken waits for a person."""
        return min((one.unclaimed_since for one in self.fulfilments if one.unclaimed_since), default=None)

    @property
    def cooling_off_seconds(self) -> int:
        """What is delivered today, or put aside unpaid, does not wait, nor an order of which nothing is sent."""
        modes = (DeliveryMode.SAME_DAY, DeliveryMode.E_RESERVATION)
        at_once = self.content.mode in modes or not self.content.sent
        return 0 if at_once else self.life_cycle.cooling_off_seconds

    @property
    def taken(self) -> Fulfilment | None:
        """What the customer took along."""
        return next((one for one in self.fulfilments if one.taken), None)

    @property
    def sent(self) -> tuple[Fulfilment, ...]:
        """All others: what is prepared, and carried."""
        return tuple(one for one in self.fulfilments if not one.taken)

    @property
    def taken_ranges(self) -> tuple[LineRange, ...]:
        """The units that the customer took along."""
        taken = self.taken
        return tuple(one for one in self.ranges if taken and one.fulfilment_id == taken.fulfilment_id)

    @property
    def sent_ranges(self) -> tuple[LineRange, ...]:
        """The units that are, or were to be, sent."""
        taken = self.taken
        return tuple(one for one in self.ranges if not taken or one.fulfilment_id != taken.fulfilment_id)

    def fulfilment(self, fulfilment_id: str) -> Fulfilment:
        """The one with this id, which must be of this order."""
        return next(one for one in self.fulfilments if one.fulfilment_id == fulfilment_id)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened: an entry of the timeline and, if `told`, an event.

    `facts` go to both; `notes` stay in the timeline. Neither holds personal data.
    """

    kind: str
    text: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    fulfilment: Fulfilment | None = None
    refund_id: str = ""
    actor: str = ""
    told: bool = True
    # The story that the event is about, where that is no order, fulfilment or refund.
    story: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The order after a rule was applied, and what happened: nothing, when the answer is just the state."""

    order: Order
    happenings: tuple[Happening, ...] = ()
    created: tuple[Fulfilment, ...] = ()
    no_longer_due_minor: int = 0
    # What was captured for cancelled units of a parcel that was given up meanwhile.
    captured_minor: int = 0
    # The numbers of the documents that were issued with it.
    issued: tuple[str, ...] = ()
    # Why the order cannot be accepted: it stays as it is until what was begun for it is undone. Or why a code is
    # none.
    refusal: Refusal | None = None
