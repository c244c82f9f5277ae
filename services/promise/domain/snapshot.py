"""The network as one question sees it, and where in it the customer has the goods."""

from dataclasses import dataclass, field

from services.promise.domain.calendars import Calendars
from services.promise.domain.capacity import Capacity
from services.promise.domain.geography import Geography
from services.promise.domain.modes import TERMS
from services.promise.domain.network import (
    Box,
    Carrier,
    Destination,
    IsHoliday,
    PlanRequest,
    Point,
    PostcodeArea,
    StockSlice,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The network at one moment, as far as one question needs it. `calendars` only saves work.

    `capacity` is of one question: it notes what was looked at.
    """

    stock: StockSlice
    carriers: tuple[Carrier, ...]
    geography: Geography
    is_holiday: IsHoliday
    calendars: Calendars = field(default_factory=Calendars, compare=False)
    capacity: Capacity = field(default_factory=Capacity, compare=False)
    boxes: tuple[Box, ...] = ()

    def boxes_in(self, currency: str) -> list[Box]:
        """Those that cost this currency: as carriers, others are not used."""
        return [box for box in self.boxes if box.cost.currency == currency]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the customer has the goods. `store`: of ours, when it is collected there."""

    destination: Destination
    area: PostcodeArea
    store: Point | None = None


def place_of(snapshot: Snapshot, request: PlanRequest) -> Place | str:
    """Of a question; or the reason that there is none."""
    if TERMS[request.mode].is_collected:
        return _place_at_store(snapshot, request)
    area = snapshot.geography.area(request.destination)
    if area is None or not snapshot.geography.zones(request.destination):
        return "UNKNOWN_DESTINATION"
    return Place(request.destination, area)


def _place_at_store(snapshot: Snapshot, request: PlanRequest) -> Place | str:
    store = snapshot.stock.points.get(request.destination.point_id)
    if store is None:
        return "UNKNOWN_STORE"
    if TERMS[request.mode].collected_with not in store.capabilities:
        return "NOT_COLLECTED_THERE"
    return place_at(store)


def place_at(point: Point) -> Place:
    """One of our points, as where goods are brought."""
    area = PostcodeArea(point.country, point.postcode, point.position, point.subdivision)
    return Place(Destination(point.country, point.postcode, point.point_id), area, point)
