"""What the engine answers: plans, the reasons for what was not used, and the decision that is kept."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from kit.values.money import Money
from services.promise.domain.capacity import ALL_DAY, SeenCapacity
from services.promise.domain.network import (
    NO_FACTS,
    Appointment,
    Carbon,
    Facts,
    Mode,
    PlanRequest,
    PointType,
    StockView,
    Window,
)


@dataclass(frozen=True, slots=True)
class LegLine:
    """Units of an order line that a leg takes. `supply_id`: the delivery that they come with; empty: the shelf.

    `plain`: of what goes to a hub: what is to be put on them is put on there.
    """

    line_number: int
    sku: str
    quantity: int
    supply_id: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """One point's share of a plan: one shipment, mostly one parcel. `parcels` and `boxes` are estimates.

    Grams are of goods and boxes; the carrier charges for `chargeable_grams`, and bills `shipping_cost_minor`.
    `boxes`: by id, with how many; those that have none are sent as they are.

    `via_point_id`: the hub at which it meets the others, and which `window` is then the time of its arrival. What
    the hub has itself comes with nobody, in no parcel.
    `prepared_on`, `collected_on` with its cut-off: days of the point; None: made before they were kept.
    `latest_start`: of preparation, to meet `hand_over_by`. `next_hand_over_by`, `next_window`: what becomes of a
    parcel that misses it; None: made before it was kept, or there is no other chance.
    `waits_until`: units to come are due then. `release_date`: the latest of its articles that were not released.
    `hand_over_from`: when that day begins at the destination.
    """

    point_id: str
    carrier_id: str
    service_id: str
    lines: tuple[LegLine, ...]
    window: Window
    hand_over_by: datetime
    weight_grams: int
    shipping_cost_minor: int
    carbon: Carbon
    distance_kilometres: float
    parcels: int = 1
    prepared_on: date | None = None
    collected_on: date | None = None
    cut_off_minute: int = ALL_DAY
    latest_start: datetime | None = None
    next_hand_over_by: datetime | None = None
    next_window: Window | None = None
    via_point_id: str = ""
    waits_until: datetime | None = None
    release_date: date | None = None
    hand_over_from: datetime | None = None
    chargeable_grams: int = 0
    boxes: tuple[tuple[str, int], ...] = ()
    packaging_cost_minor: int = 0


@dataclass(frozen=True, slots=True)
class CostComponent:
    """A part of a plan's cost.

    "shipping", "preparation", "split", "distance", "lateness", "priority", "capacity", "low_cover", "markdown",
    "short_pick", "consolidation", "waiting", "packaging".
    """

    name: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to fulfil. `order_before` is the last instant at which ordering still gives `window`.

    `onward`: from the hub at which the legs meet, with all their lines and none of its own.
    """

    legs: tuple[Leg, ...]
    window: Window
    order_before: datetime
    total_cost_minor: int
    costs: tuple[CostComponent, ...]
    carbon: Carbon
    price: Money
    onward: Leg | None = None

    @property
    def shipments(self) -> tuple[Leg, ...]:
        """Everything that somebody prepares and sends: the legs, and what goes on from a hub."""
        return self.legs if self.onward is None else (*self.legs, self.onward)

    @property
    def parcels(self) -> int:
        """That the customer receives."""
        return sum(leg.parcels for leg in self.legs) if self.onward is None else self.onward.parcels

    @property
    def waits_until(self) -> datetime | None:
        """When the last units to come are due; None: all are there."""
        return max((leg.waits_until for leg in self.legs if leg.waits_until), default=None)

    @property
    def release_date(self) -> date | None:
        """The latest of articles that were not released; None: all were."""
        return max((leg.release_date for leg in self.legs if leg.release_date), default=None)


@dataclass(frozen=True, slots=True)
class Unplanned:
    """Units without a place, and why. `missing_fields`: what must be put on them and is not named."""

    line_number: int
    sku: str
    quantity: int
    reason: str
    missing_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a point (or with `service_id` a service at a point) was not used."""

    point_id: str
    service_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SeenComing:
    """Units of a delivery that the channel may promise at one position, and from when they can be counted on."""

    sku: str
    point_id: str
    supply_id: str
    units: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class SeenStock:
    """What the planner believed that the channel may take at one position."""

    sku: str
    point_id: str
    available: int


class HubVerdict(StrEnum):
    """What became of a hub that was asked."""

    CHOSEN = "chosen"
    NOT_CHEAPER = "not_cheaper"
    CANNOT_BE_CHEAPER = "cannot_be_cheaper"
    NO_WAY_ON = "no_way_on"
    NOT_ALL_THERE = "not_all_there"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True)
class AskedHub:
    """A hub with a service from there.

    `cost_minor`: of its best plan; of one that was not looked for what it costs at least; 0 where there is none.
    """

    point_id: str
    service_id: str
    verdict: HubVerdict
    cost_minor: int = 0


@dataclass(frozen=True, slots=True)
class Consolidating:
    """That meeting at a hub was looked at.

    `direct_cost_minor`: of the best plan without it; None: without it fewer units could be sent.
    """

    direct_cost_minor: int | None
    hubs: tuple[AskedHub, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The engine's answer: plans best first, all for the same units.

    `least_cost_minor`: what any plan for these units costs at least; of a proved one that is its cost.
    `consolidating`: None where it was not asked, or there was nothing to join.
    `coming`: what was seen to come, where the question asked for it.
    """

    plans: tuple[Plan, ...]
    unplanned: tuple[Unplanned, ...]
    rejected: tuple[Rejected, ...]
    seen: tuple[SeenStock, ...]
    proved_optimal: bool
    least_cost_minor: int = 0
    consolidating: Consolidating | None = None
    coming: tuple[SeenComing, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every unit has a place."""
        return bool(self.plans) and not self.unplanned


@dataclass(frozen=True, slots=True)
class DeliveryOption:
    """A way to have the whole basket. `point_id`: the store at which it is collected."""

    mode: Mode
    plan: Plan
    point_id: str = ""
    appointment: Appointment | None = None


@dataclass(frozen=True, slots=True)
class NotOffered:
    """Why a mode is not offered."""

    mode: Mode
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What was promised, until when, and on which stock."""

    quote_id: str
    expires_at: datetime
    options: tuple[DeliveryOption, ...]
    not_offered: tuple[NotOffered, ...]
    stock: StockView

    def option(
        self, mode: Mode, point_id: str = "", appointment: Appointment | None = None
    ) -> DeliveryOption | None:
        """What was quoted for a mode, there and then."""
        wanted = (mode, point_id, appointment)
        return next((one for one in self.options if (one.mode, one.point_id, one.appointment) == wanted), None)


@dataclass(frozen=True, slots=True)
class KnownPoint:
    """A point as it was. `can_send`: the engine had it to choose from, with some unit and some service."""

    point_id: str
    type: PointType
    time_zone: str
    distance_kilometres: float
    can_send: bool


@dataclass(frozen=True, slots=True)
class SeenTerms:
    """What weighed on a position that was seen, where anything did."""

    sku: str
    point_id: str
    routing_buffer: int
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True)
class Record:
    """What a decision rested on beside its question and the stock that it saw.

    `inputs_hash`: of everything that decided; equal ones have equal plans. Empty: made before it was kept.
    `terms_version`: of carriers, geography and rulesets. `time_zone`: of the destination; empty when unknown.
    `points`: those of the first plan, and the nearest of the others.
    `quoted`: the option that the quote had for the mode. `quote_problem`: why the quote was broken.
    `capacity`: limits of points and carriers that were looked at, with what others had taken.
    """

    inputs_hash: str = ""
    terms_version: int = 0
    time_zone: str = ""
    points: tuple[KnownPoint, ...] = ()
    terms: tuple[SeenTerms, ...] = ()
    quoted: DeliveryOption | None = None
    quote_problem: str = ""
    capacity: tuple[SeenCapacity, ...] = ()


NO_RECORD = Record()


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that a decision saw and chose; enough to make it again (`replaying.py`)."""

    decision_id: str
    order_id: str
    request: PlanRequest
    quote_id: str
    ruleset_id: str
    ruleset_version: int
    stock: StockView
    outcome: Outcome
    quote_broken: bool = False
    new_options: tuple[DeliveryOption, ...] = ()
    record: Record = NO_RECORD
