"""What an account of the simulator is able to do. Two accounts of different abilities live in one process."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_DAY = 86_400
# What networks let be charged at the least; the provider refuses less. Lower-case currency -> minor units.
_SMALLEST = {"eur": 50, "usd": 50, "chf": 50, "gbp": 30, "sek": 300, "dkk": 250, "jpy": 50}


@dataclass(frozen=True, slots=True)
class Profile:
    """The abilities of one account. Durations are seconds; amounts are the provider's minor units."""

    name: str
    multicapture: bool = False
    incremental: bool = False
    saves_means: bool = False
    hosted_page: bool = False
    terminal: bool = False
    validity_seconds: int = 7 * _DAY
    # 0: it never holds longer than usual.
    extended_seconds: int = 0
    # Visa, when the shop starts the payment without the customer: 4 days and 18 hours.
    merchant_initiated_seconds: int = 4 * _DAY + 18 * 3600
    in_person_seconds: int = 2 * _DAY
    # 0: as long as one likes.
    refund_window_seconds: int = 0
    smallest: Mapping[str, int] = field(default_factory=lambda: _SMALLEST)
    most_captures: int = 50
    most_increments: int = 10


FULL = Profile(
    "full",
    multicapture=True,
    incremental=True,
    saves_means=True,
    hosted_page=True,
    terminal=True,
    extended_seconds=30 * _DAY,
)
BASIC = Profile("basic", refund_window_seconds=120 * _DAY)
