"""What workflows carry: ids, quantities and amounts. Never a document, never personal data.

Instants are ISO 8601 text in UTC, so that a history reads well and does not depend on a library's encoding.
Fields are only ever added, with a default: histories of orders in flight are replayed against these classes.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Amount:
    """Minor units and ISO 4217 code."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """Units of an order line.

    `supply_id`: of a leg, the expected delivery that they come with. `personalisations`: the names of what is put
    on each unit, where that is known. `reason`: of units that a pick missed, why. `ordered_sku`: of units that are
    given instead of another article, that one.
    """

    line_number: int
    sku: str
    quantity: int
    supply_id: str = ""
    personalisations: list[str] = field(default_factory=list)
    reason: str = ""
    ordered_sku: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Units of a SKU held at a point. `reason`: of missing ones, why, where that is known."""

    sku: str
    point_id: str
    quantity: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Competition:
    """How many further points each ring asks, and how long each may take, in its opening hours."""

    rings: list[int]
    ring_seconds: int


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """The deadlines that the order began with."""

    cooling_off_seconds: int
    offer_seconds: int
    payment_action_seconds: int
    reroute_limit: int
    # "order", "preparation", "shipment" or "trial".
    capture_at: str = "shipment"
    # Points compete for its work.
    competition: Competition | None = None
    # How long goods are tried at home; 0: they are not.
    trial_days: int = 0
    # What several points prepare may meet at a hub.
    consolidates: bool = False


@dataclass(frozen=True, slots=True)
class Tender:
    """How the order is paid: `payment_method`, `provider_authorisation`, `paid_by_channel`, `stored_value`, `cash`
    or `till_card`, and its token. `customer_ref`: who pays, for stored value that is bound to its customer.
    `point_id`: the store whose till took the money."""

    kind: str
    reference: str
    customer_ref: str = ""
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class TenderShare:
    """A means that pays an amount of the order, before the one that pays the rest."""

    tender: Tender
    amount: Amount


@dataclass(frozen=True, slots=True)
class Taken:
    """What the customer takes along from a store at once, and what of the money it is."""

    point_id: str
    lines: list[Line]
    amount: Amount


@dataclass(frozen=True, slots=True)
class OrderInput:
    """What an OrderWorkflow starts with. `lines` are those that are sent."""

    order_id: str
    channel_id: str
    country: str
    postcode: str
    mode: str
    quote_id: str
    total: Amount
    tender: Tender
    lines: list[Line]
    life_cycle: LifeCycle
    placed_at: str
    basket_id: str = ""
    # Used before `tender`, in this order.
    first: list[TenderShare] = field(default_factory=list)
    # The customer allows that the means be kept and authorised again for this order.
    save_means: bool = False
    # Of the slot in which the customer is met.
    booking_id: str = ""
    taken: Taken | None = None
    # Units that are still to come may be waited for.
    may_wait: bool = False
    # The store at which it is collected.
    collect_at: str = ""


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booking's place in a slot. `date` is that of the customer."""

    booking_id: str
    slot_id: str
    date: str
    window_start: str
    window_end: str
    service_id: str


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that could not be had, and how much of it could; `missing_fields`: must be put on it, and is not."""

    line_number: int
    sku: str
    requested: int
    available: int
    reason: str
    missing_fields: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order cannot stand."""

    reason: str
    detail: str
    lines: list[RefusedLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Option:
    """A delivery that can be had instead of the one that was quoted. `point_id`: where it is collected."""

    mode: str
    window_start: str
    window_end: str
    price: Amount
    parcels: int
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """The outcome of placing: `validated`, `refused`, `action_required` or `cancelling`."""

    state: str
    promise_start: str = ""
    promise_end: str = ""
    cooling_off_until: str = ""
    refusal: Refusal | None = None
    options: list[Option] = field(default_factory=list)
    next_action_url: str = ""
    # The number of the sales receipt of what was taken along.
    receipt_number: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """A committed event that a workflow is told of. `event_id` makes a repeated telling harmless."""

    event_id: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leg:
    """One point's share of a plan: one parcel. `next_`: what becomes of one that comes too late for it."""

    point_id: str
    carrier_id: str
    service_id: str
    lines: list[Line]
    window_start: str
    window_end: str
    hand_over_by: str
    latest_start: str = ""
    next_hand_over_by: str = ""
    next_window_start: str = ""
    next_window_end: str = ""
    hand_over_from: str = ""
    # When the last of its units to come are due.
    waits_until: str = ""
    # The hub that it goes to, or the store at which it is collected; what these have themselves comes with nobody.
    via_point_id: str = ""
    # Lines whose units go to the hub as they are: what is to be put on them is put on there.
    plain_lines: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Overlay:
    """A true figure to believe over the planner's replica."""

    sku: str
    point_id: str
    free: int


@dataclass(frozen=True, slots=True)
class SupplyOverlay:
    """Units of an expected delivery that are really to be had, to believe over the planner's replica."""

    sku: str
    point_id: str
    supply_id: str
    units: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A point that must not be used again (for one SKU, or for all when `sku` is empty), and why."""

    point_id: str
    reason: str
    sku: str = ""


@dataclass(frozen=True, slots=True)
class LegPlace:
    """A leg as it was planned: where, and units of lines. `decision_id`: by this plan, of several alike."""

    point_id: str
    lines: list[Line]
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class WaitingHub:
    """A hub at which parcels of the order wait for others, and the service by which they go on; empty: at none."""

    point_id: str = ""
    carrier_id: str = ""
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Where to ship these lines from. `promised_until` is empty before a promise was made.

    `replaced`: legs of a promised order that the plan stands for, so that it takes their room over.
    `check_required`: it is what a customer orders, so what must be put on an article is on all lines of it.
    """

    request_id: str
    order_id: str
    channel_id: str
    country: str
    postcode: str
    mode: str
    lines: list[Line]
    as_of: str
    not_before: str
    quote_id: str = ""
    promised_until: str = ""
    excluded: list[Exclusion] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    own_holds: list[Hold] = field(default_factory=list)
    replaced: list[LegPlace] = field(default_factory=list)
    appointment: Appointment | None = None
    may_wait: bool = False
    supplies: list[SupplyOverlay] = field(default_factory=list)
    # The store at which it is collected.
    collect_at: str = ""
    may_consolidate: bool = False
    check_required: bool = False
    # Where they go, if all of them can.
    joins: WaitingHub | None = None


@dataclass(frozen=True, slots=True)
class CapacityRequest:
    """Legs that give back what they took of the capacity of points and carriers; none: all of the order."""

    order_id: str
    legs: list[LegPlace] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """The best plan found: its legs, and the lines that have no place in it."""

    decision_id: str
    legs: list[Leg]
    window_start: str
    window_end: str
    unplanned: list[RefusedLine]
    quote_broken: bool = False
    options: list[Option] = field(default_factory=list)
    # What goes on from the hub at which its legs meet.
    onward: Leg | None = None


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """Units to hold; `time_to_live_seconds` 0 means for good. A basket that is named gives its units up."""

    request_id: str
    order_id: str
    channel_id: str
    holds: list[Hold]
    time_to_live_seconds: int
    as_of: str
    basket_id: str = ""


@dataclass(frozen=True, slots=True)
class BasketRequest:
    """A basket of a channel, and the order that takes it over."""

    order_id: str
    channel_id: str
    basket_id: str


@dataclass(frozen=True, slots=True)
class Move:
    """Held units that change their point."""

    sku: str
    from_point_id: str
    to_point_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """Moves in one transaction."""

    request_id: str
    order_id: str
    moves: list[Move]
    as_of: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A hold that inventory refused, with the true figures."""

    sku: str
    point_id: str
    requested: int
    available: int
    free: int


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """Whether the units are held; if not, what is really there."""

    held: bool
    shortfalls: list[Shortfall] = field(default_factory=list)
    # The same of stock to come.
    supplies: list[SupplyOverlay] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HoldChange:
    """Held units to release, to issue or to report short. No lines: all of them (release only)."""

    request_id: str
    order_id: str
    holds: list[Hold]
    reason: str
    as_of: str


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """The money of a whole order."""

    request_id: str
    order_id: str
    channel_id: str
    amount: Amount
    tender: Tender
    first: list[TenderShare] = field(default_factory=list)
    save_means: bool = False
    # How long the order may need the money, ISO 8601; empty: not known.
    needed_until: str = ""


@dataclass(frozen=True, slots=True)
class SavedMeansRequest:
    """The money of an order whose means were kept at its placement."""

    request_id: str
    order_id: str
    channel_id: str
    amount: Amount
    # As of AuthorizeRequest.
    needed_until: str = ""


@dataclass(frozen=True, slots=True)
class PaymentDue:
    """From when on an order is to be paid whose means was kept; empty while nothing of it has a date.

    `held`: a decline holds it.
    """

    state: str
    authorise_from: str
    held: bool


@dataclass(frozen=True, slots=True)
class AuthorisationStep:
    """What became of that: `authorized`, `declined` (and when it is tried again, if by itself) or `let_go`."""

    request_id: str
    order_id: str
    outcome: str
    as_of: str
    reason: str = ""
    next_try_at: str = ""


@dataclass(frozen=True, slots=True)
class AmountChange:
    """Another total of an order that is not captured yet.

    `link_until`: until when the customer may pay by a link what cannot be had otherwise; empty: not at all.
    """

    request_id: str
    order_id: str
    total: Amount
    cause: str
    link_until: str = ""


@dataclass(frozen=True, slots=True)
class PaymentAnswer:
    """`authorized`, `declined`, `action_required`, `paid_by_channel`, `saved`, `pending` or `closed`."""

    status: str
    next_action_url: str = ""
    decline_code: str = ""


@dataclass(frozen=True, slots=True)
class MoneyRequest:
    """A capture or a void; no amount means all that is left."""

    request_id: str
    order_id: str
    cause: str
    amount: Amount | None = None
    # The point that prepared what is captured, or whose till gives back.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class CaptureAnswer:
    """`succeeded`, `failed` or `unknown`."""

    state: str
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """The plan that the order stands on. `taken`: what became of the money of what is taken along."""

    request_id: str
    order_id: str
    legs: list[Leg]
    promise_start: str
    promise_end: str
    decision_id: str
    payment: str
    as_of: str
    appointment: Appointment | None = None
    taken: str = ""
    # Of what is to be tried at home; empty where it does not matter.
    authorised_until: str = ""
    # As in the plan.
    onward: Leg | None = None


@dataclass(frozen=True, slots=True)
class Competing:
    """What a fulfilment knows of its order where points compete for it. `promised_until`: none may be later."""

    rings: list[int]
    ring_seconds: int
    channel_id: str
    country: str
    postcode: str
    mode: str
    promised_until: str


@dataclass(frozen=True, slots=True)
class FulfilmentInput:
    """What a FulfilmentWorkflow starts with."""

    fulfilment_id: str
    order_id: str
    point_id: str
    lines: list[Line]
    paid_by_channel: bool
    # When its parcel's money is taken: "preparation" or "shipment"; "order" when it is there already.
    capture_at: str = "shipment"
    # The fulfilment whose lost parcel it sends again.
    replaces: str = ""
    # By when the planned point would have it delivered.
    window_end: str = ""
    competing: Competing | None = None
    # Its customer collects it at the point.
    collected: bool = False
    # The work at a hub that its parcel goes to; and whether it is such work itself.
    joins: str = ""
    consolidates: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The state of the order and the fulfilments that were made; or why it is not accepted."""

    state: str
    cooling_off_until: str
    fulfilments: list[FulfilmentInput]
    refusal: Refusal | None = None
    receipt_number: str = ""


@dataclass(frozen=True, slots=True)
class RefuseRequest:
    """The order cannot stand."""

    request_id: str
    order_id: str
    refusal: Refusal
    as_of: str


@dataclass(frozen=True, slots=True)
class OrderStep:
    """A step of the order that needs nothing but its id; `detail` is the step's own (a URL, a reason)."""

    request_id: str
    order_id: str
    as_of: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RerouteRequest:
    """Units that lost their place: their new legs, and those that found none."""

    request_id: str
    order_id: str
    legs: list[Leg]
    cancelled: list[Line]
    reason: str
    decision_id: str
    paid_by_channel: bool
    as_of: str
    # As in LostUnits.
    replaces: str = ""
    # Whose units they are, when its parcel was given up.
    fulfilment_id: str = ""
    # What goes on from the hub at which the legs meet, or join others.
    onward: Leg | None = None


@dataclass(frozen=True, slots=True)
class Rerouted:
    """The new fulfilments and the money that is no longer due."""

    state: str
    fulfilments: list[FulfilmentInput]
    no_longer_due: Amount | None
    # What came for units of a parcel that was given up; None where `no_longer_due` still says that too.
    captured: Amount | None = None


@dataclass(frozen=True, slots=True)
class FulfilmentStep:
    """A step of a fulfilment; `detail` is the step's own (a capture's outcome), `reason` why.

    Of a capture of the whole order, `fulfilment_id` is empty; `next_try_at` is that of one that failed.
    """

    request_id: str
    order_id: str
    fulfilment_id: str
    as_of: str
    detail: str = ""
    reason: str = ""
    next_try_at: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """The fulfilment's state and until when its point may answer."""

    state: str
    deadline: str


# Why units need another place: they were damaged when something was put on them.
SPOILED = "spoiled"


@dataclass(frozen=True, slots=True)
class LostUnits:
    """Units that need another place. `held`: their stock is still held at `point_id`.

    `given_up`: no other place is looked for. `captured`: their money was taken all the same. `replaces`: they are
    sent again for this fulfilment, whose parcel was lost (it may be `fulfilment_id` itself).
    `refused_by`: others that did not take them either. `spoiled`: those of them that nobody else can have.
    """

    fulfilment_id: str
    point_id: str
    lines: list[Line]
    reason: str
    held: bool
    given_up: bool = False
    captured: bool = False
    replaces: str = ""
    refused_by: list[Exclusion] = field(default_factory=list)
    # The delivery that they were to come with: their point did nothing wrong.
    supply_id: str = ""
    spoiled: list[Line] = field(default_factory=list)
    # Those of them that came to a hub: they are held nowhere.
    unheld: list[Line] = field(default_factory=list)
    # They did not arrive at a hub: their point did nothing wrong.
    on_the_way: bool = False
    # Those of them that are in a closed parcel: sold to nobody before it is unpacked.
    packed: list[Line] = field(default_factory=list)
    # The work at a hub, or at the store at which they are collected, that they were to go to.
    joins: str = ""


@dataclass(frozen=True, slots=True)
class FulfilmentOutcome:
    """How it ended: `delivered`, `returned`, `lost`, `refused`, `lapsed`, `short` or `cancelled`.

    `follows`: other work that has become of it.
    """

    state: str
    lost: LostUnits | None = None
    follows: FulfilmentInput | None = None


@dataclass(frozen=True, slots=True)
class RefundInput:
    """What a RefundWorkflow starts with: the data of the event that the refund was decided."""

    refund_id: str
    order_id: str
    amount_minor: int
    currency: str
    # The store whose till gives back what a till has taken.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class RestockInput:
    """What a RestockWorkflow starts with: the data of the event that units were given back at a point."""

    order_id: str
    point_id: str
    lines: list[Line]
    returned_at: str


@dataclass(frozen=True, slots=True)
class PutBackInput:
    """What a PutBackWorkflow starts with: the data of the event that a parcel was unpacked."""

    order_id: str
    fulfilment_id: str
    point_id: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class PutBack:
    """Units that lie on their shelf again. `declared_by`: the request by which they were kept from being sold."""

    request_id: str
    declared_by: str
    order_id: str
    point_id: str
    line: Line
    as_of: str


@dataclass(frozen=True, slots=True)
class Restock:
    """Units of an order that lie at their point again since they were given back."""

    request_id: str
    order_id: str
    units: Hold
    returned_at: str
    as_of: str


@dataclass(frozen=True, slots=True)
class RefundLook:
    """What became of a refund that failed. `retry`: what of it waits for a person is tried again first."""

    request_id: str
    order_id: str
    cause: str
    retry: bool


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """`succeeded` or `failed`, with the provider's code."""

    state: str
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class RefundStep:
    """What became of a refund: `succeeded` or `failed`."""

    request_id: str
    order_id: str
    refund_id: str
    state: str
    failure: str
    as_of: str


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A booking of an order: to confirm, to give back, to look at, or (with a slot) to move."""

    request_id: str
    order_id: str
    booking_id: str
    as_of: str
    channel_id: str = ""
    country: str = ""
    postcode: str = ""
    slot_id: str = ""


@dataclass(frozen=True, slots=True)
class BookingAnswer:
    """The place that the order has, or why it could not be had: SLOT_FULL, SLOT_PAST..."""

    appointment: Appointment | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class AppointmentMoveInput:
    """What an AppointmentMoveWorkflow starts with: the data of the event that the move was asked for."""

    order_id: str
    booking_id: str
    slot_id: str
    number: int
    # Of the slot that is asked for; empty of moves of before work followed its appointment.
    date: str = ""
    window_start: str = ""
    window_end: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a change asks for, beside the order as it stands. `state`: `proposed` until the change is decided.

    `held`: what the order holds now. `due`: what it comes to now. `awaited`: what of it is still to come.
    """

    state: str
    country: str
    postcode: str
    mode: str
    quote_id: str
    total: Amount
    lines: list[Line]
    accepts_later: bool
    due: Amount
    held: list[Hold]
    cooling_off_until: str
    awaited: list[SupplyOverlay] = field(default_factory=list)
    # What is changed; when the last parcel that waits is expected, and the works that wait with all they have.
    kind: str = "content"
    expected_by: str = ""
    emptied: list[str] = field(default_factory=list)
    # The point whose work is to be done elsewhere, and what is held there for it: that is `emptied`.
    leaves: str = ""
    leaving: list[Hold] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """The plan that a changed order stands on."""

    request_id: str
    order_id: str
    change_id: str
    legs: list[Leg]
    promise_start: str
    promise_end: str
    decision_id: str
    paid_by_channel: bool
    as_of: str
    # What goes on from the hub at which the legs meet.
    onward: Leg | None = None


@dataclass(frozen=True, slots=True)
class MissedAppointmentInput:
    """What a MissedAppointmentWorkflow starts with: the data of the event that the customer was not met."""

    order_id: str
    slot_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class MissedAppointmentStep:
    """The customer was not met in this slot; `reason` is a code of the carrier."""

    request_id: str
    order_id: str
    slot_id: str
    reason: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The state that the change really has, and the fulfilments that were made."""

    state: str
    fulfilments: list[FulfilmentInput]


@dataclass(frozen=True, slots=True)
class ChangeRefusal:
    """A change that cannot be had, and what could be had instead."""

    request_id: str
    order_id: str
    change_id: str
    refusal: Refusal
    options: list[Option]
    as_of: str
