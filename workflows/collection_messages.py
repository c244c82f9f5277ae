"""What stories carry of what is collected at a store: ids, quantities and dates."""

from dataclasses import dataclass, field

from workflows.messages import Line, Option


@dataclass(frozen=True, slots=True)
class ClosingsRequest:
    """Of a point, from an instant on, so many opening days."""

    order_id: str
    point_id: str
    from_at: str
    days: int


@dataclass(frozen=True, slots=True)
class DatesRequest:
    """The closings of a point's opening days, from that on which it is ready on."""

    request_id: str
    order_id: str
    fulfilment_id: str
    closings: list[str]
    as_of: str


@dataclass(frozen=True, slots=True)
class OptionsRequest:
    """Units that the store does not have ready. Without a postcode a delivery is quoted to the store's own."""

    order_id: str
    channel_id: str
    point_id: str
    mode: str
    country: str
    postcode: str
    lines: list[Line]
    as_of: str


@dataclass(frozen=True, slots=True)
class AskRequest:
    """What the customer is asked."""

    request_id: str
    order_id: str
    fulfilment_id: str
    lines: list[Line]
    reason: str
    options: list[Option]
    as_of: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What the customer chose: "store", "delivery" or "refund", of the units that have no place yet."""

    kind: str
    lines: list[Line] = field(default_factory=list)
    mode: str = ""
    point_id: str = ""
    country: str = ""
    postcode: str = ""
