"""What the competition for a fulfilment carries: points, instants and ids. As messages.py."""

from dataclasses import dataclass, field

from workflows.messages import Exclusion, Leg, LegPlace, Line, MoveRequest, PlanRequest


@dataclass(frozen=True, slots=True)
class RankRequest:
    """Who could do the work of one fulfilment, and how long each may take to answer."""

    order_id: str
    question: PlanRequest
    answer_seconds: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that could do the work, with its leg and when its time to answer is over."""

    leg: Leg
    answer_by: str


@dataclass(frozen=True, slots=True)
class RingRequest:
    """The ring to open among these, the best first."""

    request_id: str
    order_id: str
    fulfilment_id: str
    ring: int
    candidates: list[Candidate]
    as_of: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody took while its stock is held elsewhere, and the move that settles it."""

    claim_id: str
    move: MoveRequest


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """What became of the units of a claim."""

    request_id: str
    order_id: str
    fulfilment_id: str
    claim_id: str
    held: bool
    as_of: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How the offering stands: `OFFERED` while somebody may take it. `winner`: its leg, once there is one.

    `open`: offers that may be answered, until `deadline` at the latest.
    """

    state: str
    winner: Leg
    open: int
    deadline: str
    claim: Claim | None = None
    refused_by: list[Exclusion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """What a leg took of a day and a collection goes to whoever took its work."""

    order_id: str
    planned: LegPlace
    winner: Leg
    as_of: str


@dataclass(frozen=True, slots=True)
class DoubtRequest:
    """Units of which a point says that they are not there, and why; they stay held."""

    request_id: str
    order_id: str
    point_id: str
    line: Line
    reason: str
    as_of: str
