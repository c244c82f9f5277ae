"""What the story of a moved appointment and its activities tell each other."""

from dataclasses import dataclass, field

from workflows.messages import BookingAnswer, Leg, Line


@dataclass(frozen=True, slots=True)
class WorkToDate:
    """Work whose parcel has not left, as it is planned for the appointment that the order has."""

    fulfilment_id: str
    point_id: str
    carrier_id: str
    service_id: str
    lines: list[Line]
    window_end: str


@dataclass(frozen=True, slots=True)
class WorksToDate:
    """What a planner has to know to say when the works of an order begin and leave."""

    channel_id: str
    country: str
    postcode: str
    mode: str
    works: list[WorkToDate]


@dataclass(frozen=True, slots=True)
class Dated:
    """When a work begins and leaves for its new appointment: the leg, from where it is planned already."""

    fulfilment_id: str
    leg: Leg


@dataclass(frozen=True, slots=True)
class AppointmentMoveStep:
    """What became of a move of this number. `dated`: work that begins and leaves at other times because of it."""

    request_id: str
    order_id: str
    number: int
    answer: BookingAnswer
    as_of: str
    dated: list[Dated] = field(default_factory=list)
