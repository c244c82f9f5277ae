"""What stories say about stock to come: units of expected deliveries that an order holds, and what became of them.

Rules of messages.py.
"""

from dataclasses import dataclass

from workflows.messages import Line


@dataclass(frozen=True, slots=True)
class SupplyUnits:
    """Units of an expected delivery."""

    supply_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class SupplyRequest:
    """Units to hold, or to give back; none named: all that the order still waits for (giving back only)."""

    request_id: str
    order_id: str
    channel_id: str
    units: list[SupplyUnits]
    as_of: str


@dataclass(frozen=True, slots=True)
class SupplyAnswer:
    """Whether the units are held; if not, how many of each delivery could be."""

    held: bool
    available: list[SupplyUnits]


@dataclass(frozen=True, slots=True)
class SupplyStep:
    """What became of a delivery: `served`, `lost` or `moved`; `due_at` of the last, empty: nobody knows."""

    request_id: str
    order_id: str
    supply_id: str
    outcome: str
    as_of: str
    quantity: int = 0
    due_at: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SupplyShare:
    """Units of a fulfilment that it was about. `emptied`: it had no others. `window_end`: of its parcel."""

    fulfilment_id: str
    point_id: str
    lines: list[Line]
    emptied: bool
    window_end: str
