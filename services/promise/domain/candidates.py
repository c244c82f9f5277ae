"""Which point may send what by which service, and the reason for each that may not.

Says what is possible; never chooses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from services.promise.domain import rates
from services.promise.domain.calendars import DeliveryCalendar, HandOver, PointCalendar
from services.promise.domain.geography import Geography, distance_kilometres
from services.promise.domain.network import (
    SHIP_FROM_STORE,
    Carrier,
    CarrierService,
    ExcludedPoint,
    IsHoliday,
    PlanRequest,
    Point,
    PointType,
    PostcodeArea,
    StockSlice,
    Window,
    ZoneTerms,
)
from services.promise.domain.plans import Rejected, SeenStock
from services.promise.domain.rulesets import Ruleset

# A point that fails for several SKUs is said to fail for the first of these.
_STOCK_REASONS = ("EXCLUDED", "BRAND_NOT_CARRIED", "NO_STOCK", "NOT_ACTIVATED")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The network at one moment, as far as one question needs it."""

    stock: StockSlice
    carriers: tuple[Carrier, ...]
    geography: Geography
    is_holiday: IsHoliday


@dataclass(eq=False, slots=True)
class Candidate:
    """A point with a service that takes its parcel, and what each SKU could contribute (units, by SKU)."""

    point: Point
    carrier_id: str
    service: CarrierService
    terms: ZoneTerms
    capacity: Mapping[str, int]
    steps: tuple[rates.Step, ...]
    preparation_cost: int
    distance_cost: int
    distance_kilometres: float
    hand_over: HandOver
    window: Window
    start: datetime
    order_delay: timedelta
    point_calendar: PointCalendar
    delivery: DeliveryCalendar
    _order_before: dict[Window, datetime] = field(default_factory=dict)

    @property
    def id(self) -> tuple[str, str, str]:
        """What tells candidates apart, and breaks their last tie."""
        return (self.point.point_id, self.carrier_id, self.service.service_id)

    @property
    def fixed_cost(self) -> int:
        """What the leg costs before its weight."""
        return self.preparation_cost + self.distance_cost

    def order_before(self, window: Window) -> datetime:
        """The last instant of ordering at which this leg ends no later than `window` (which it meets now).

        Cooling-off moves with the order, so it is taken off.
        """
        if window not in self._order_before:
            self._order_before[window] = self._latest_order(window)
        return self._order_before[window]

    def _latest_order(self, window: Window) -> datetime:
        last = self.hand_over
        for hand_over in self.point_calendar.hand_overs(self.carrier_id, self.hand_over.at):
            reached = self.delivery.window(hand_over)
            if reached is None or reached.rank > window.rank:
                break
            last = hand_over
        handling = timedelta(minutes=self.point.handling_minutes)
        start = self.point_calendar.latest_start(last.at, handling)
        return (start if start is not None else self.start) - self.order_delay


@dataclass(slots=True)
class Gathered:
    """Everything that was looked at. `stocked`: units by SKU at points that may ship them, carriers aside.

    `misfits`: SKUs of which one unit is too long or too heavy for some service.
    """

    candidates: list[Candidate] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    seen: list[SeenStock] = field(default_factory=list)
    stocked: dict[str, int] = field(default_factory=dict)
    misfits: dict[str, str] = field(default_factory=dict)

    def reject(self, point: Point, reason: str, detail: str, service_id: str = "") -> None:
        """Notes why a point or service is out."""
        self.rejected.append(Rejected(point.point_id, service_id, reason, detail))


@dataclass(frozen=True, slots=True)
class _Offer:
    """A service with its terms to the destination."""

    carrier_id: str
    service: CarrierService
    terms: ZoneTerms
    steps: tuple[rates.Step, ...]
    delivery: DeliveryCalendar


class Gatherer:
    """Gathers the candidates of one question."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        area: PostcodeArea,
    ) -> None:
        self._stock = snapshot.stock
        self._snapshot = snapshot
        self._request = request
        self._ruleset = ruleset
        self._demand = demand
        self._area = area
        self._start = max(request.now, request.not_before or request.now)
        self._overlays = {(o.sku, o.point_id): o.free for o in request.overlays}
        self._own: dict[tuple[str, str], int] = {}
        for hold in request.own_holds:
            key = (hold.sku, hold.point_id)
            self._own[key] = self._own.get(key, 0) + hold.quantity
        self._excluded: dict[tuple[str, str], ExcludedPoint] = {(e.point_id, e.sku): e for e in request.exclusions}
        self._pauses = {carrier.carrier_id: carrier.pauses for carrier in snapshot.carriers if carrier.pauses}
        self._found = Gathered()

    def gather(self) -> Gathered:
        """Candidates in point order; every other point has its reason."""
        offers, refused = self._offers()
        for point_id in sorted(self._stock.points):
            point = self._stock.points[point_id]
            available = self._available(point)
            if available and self._may_ship(point):
                self._add_point(point, available, offers, refused)
        return self._found

    # -- stock ------------------------------------------------------------------------------------------------

    def _available(self, point: Point) -> dict[str, int]:
        """Units by SKU that the channel may take here; a point without any is rejected."""
        whole = self._excluded.get((point.point_id, ""))
        units: dict[str, int] = {}
        reasons: dict[str, str] = {}
        for sku in self._demand:
            available, reason = self._position(point, sku)
            if available and whole is None:
                units[sku] = available
            else:
                reasons.setdefault(reason, sku)
        if whole is not None:
            self._found.reject(point, "EXCLUDED", whole.reason)
        elif not units:
            reason = next(r for r in _STOCK_REASONS if r in reasons)
            self._found.reject(point, reason, self._why(point, reasons[reason], reason))
        return units

    def _position(self, point: Point, sku: str) -> tuple[int, str]:
        """Units the channel may take: max(0, free - safety stock); or 0 and the reason."""
        key = (sku, point.point_id)
        position = self._stock.positions.get(sku, {}).get(point.point_id)
        if position is None:
            return 0, "NO_STOCK"
        safety_stock = position.safety_stock.get(self._request.channel_id)
        if safety_stock is None:
            return 0, "NOT_ACTIVATED"
        free = self._overlays.get(key, position.free) + self._own.get(key, 0)
        available = max(0, free - safety_stock)
        self._found.seen.append(SeenStock(sku, point.point_id, available))
        if (point.point_id, sku) in self._excluded:
            return 0, "EXCLUDED"
        if point.brands and self._stock.items[sku].brand not in point.brands:
            return 0, "BRAND_NOT_CARRIED"
        return available, "NO_STOCK"

    def _why(self, point: Point, sku: str, reason: str) -> str:
        if reason == "EXCLUDED":
            return f"{sku}: {self._excluded[point.point_id, sku].reason}"
        return {
            "BRAND_NOT_CARRIED": f"does not carry {self._stock.items[sku].brand} ({sku})",
            "NO_STOCK": f"no unit of {sku} that the channel may take",
            "NOT_ACTIVATED": f"the channel may not sell {sku} from here",
        }[reason]

    def _may_ship(self, point: Point) -> bool:
        if point.type is PointType.STORE and SHIP_FROM_STORE not in point.capabilities:
            self._found.reject(point, "NO_SHIP_FROM_STORE", "the store does not ship")
            return False
        return True

    # -- carriers ---------------------------------------------------------------------------------------------

    def _offers(self) -> tuple[list[_Offer], list[tuple[str, str, str]]]:
        """Services of the mode that go to the destination, and (service, reason, detail) of those that do not."""
        request, snapshot, area = self._request, self._snapshot, self._area
        zones = snapshot.geography.zones(request.destination)
        offers: list[_Offer] = []
        refused: list[tuple[str, str, str]] = []

        def is_holiday_there(day: date) -> bool:
            return snapshot.is_holiday(day, request.destination.country, area.subdivision)

        for carrier in snapshot.carriers:
            for service in carrier.services:
                if service.mode is not request.mode:
                    continue
                by_zone = {terms.zone_id: terms for terms in service.zones}
                zone = next((zone for zone in zones if zone.zone_id in by_zone), None)
                if zone is None:
                    refused.append((service.service_id, "NO_ZONE", "does not deliver to this postcode"))
                    continue
                terms = by_zone[zone.zone_id]
                if problem := self._terms_problem(terms):
                    refused.append((service.service_id, *problem))
                    continue
                delivery = DeliveryCalendar(service, terms, zone.time_zone, is_holiday_there)
                offers.append(_Offer(carrier.carrier_id, service, terms, rates.steps(service, terms), delivery))
        return offers, refused

    def _terms_problem(self, terms: ZoneTerms) -> tuple[str, str] | None:
        currency = self._ruleset.currency
        limits = self._request.limits
        if any(money.currency != currency for money in (terms.customer_price, *(r.price for r in terms.rates))):
            return "OTHER_CURRENCY", f"not priced in {currency}"
        if limits is not None and (
            terms.customer_price.currency != limits.price.currency
            or terms.customer_price.amount_minor > limits.price.amount_minor
        ):
            return "ABOVE_QUOTED_PRICE", f"costs the customer {terms.customer_price}, quoted {limits.price}"
        return None

    def _add_point(
        self, point: Point, available: Mapping[str, int], offers: list[_Offer], refused: list[tuple[str, str, str]]
    ) -> None:
        for sku, units in available.items():
            self._found.stocked[sku] = self._found.stocked.get(sku, 0) + units
        for service_id, reason, detail in refused:
            self._found.reject(point, reason, detail, service_id)
        calendar = PointCalendar(point, self._snapshot.is_holiday, self._pauses)
        ready = calendar.ready_at(self._start, timedelta(minutes=point.handling_minutes))
        if ready is None:
            self._found.reject(point, "CLOSED", "no working time to prepare a parcel")
            return
        kilometres = distance_kilometres(point.position, self._area.position)
        for offer in offers:
            self._add_offer(point, available, offer, calendar, ready, kilometres)

    def _add_offer(
        self,
        point: Point,
        available: Mapping[str, int],
        offer: _Offer,
        calendar: PointCalendar,
        ready: datetime,
        kilometres: float,
    ) -> None:
        service_id = offer.service.service_id
        capacity, reason = self._fits(available, offer)
        if not capacity:
            self._found.reject(point, reason, "no unit of the basket fits the service's limits", service_id)
            return
        hand_over = next(calendar.hand_overs(offer.carrier_id, ready), None)
        if hand_over is None:
            if pause := calendar.pause(offer.carrier_id, ready):
                self._found.reject(point, "CARRIER_PAUSED", pause.reason or "collects nothing now", service_id)
            else:
                self._found.reject(point, "NO_COLLECTION", f"{offer.carrier_id} does not collect here", service_id)
            return
        window = offer.delivery.window(hand_over)
        if window is None:
            self._found.reject(point, "NO_DELIVERY_DAY", "no delivery day within reach", service_id)
            return
        limits = self._request.limits
        if limits is not None and window.end > limits.window_end:
            detail = f"arrives by {window.end.isoformat()}, quoted {limits.window_end.isoformat()}"
            self._found.reject(point, "AFTER_QUOTED_WINDOW", detail, service_id)
            return
        self._found.candidates.append(
            Candidate(
                point=point,
                carrier_id=offer.carrier_id,
                service=offer.service,
                terms=offer.terms,
                capacity=capacity,
                steps=offer.steps,
                preparation_cost=self._ruleset.preparation_cost(point.type),
                distance_cost=self._ruleset.distance_cost(kilometres),
                distance_kilometres=kilometres,
                hand_over=hand_over,
                window=window,
                start=self._start,
                order_delay=self._start - self._request.now,
                point_calendar=calendar,
                delivery=offer.delivery,
            )
        )

    def _fits(self, available: Mapping[str, int], offer: _Offer) -> tuple[dict[str, int], str]:
        """What fits the service unit by unit, capped by the demand; and a reason that keeps something out."""
        capacity: dict[str, int] = {}
        reason = ""
        for sku, units in available.items():
            item = self._stock.items[sku]
            if item.longest_side_millimetres > offer.service.max_length_millimetres:
                reason = self._found.misfits[sku] = "TOO_LONG"
            elif item.weight_grams > offer.steps[-1].up_to_grams:
                reason = self._found.misfits[sku] = "TOO_HEAVY"
            else:
                capacity[sku] = min(units, self._demand[sku])
        return capacity, reason
