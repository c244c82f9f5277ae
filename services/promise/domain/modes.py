"""What each mode of delivery asks of points, carriers and the customer, in one place (SPEC PRM-4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from services.promise.domain.network import Mode

CLICK_AND_COLLECT = "click_and_collect"
E_RESERVATION = "e_reservation"
STORE_LOCKER = "locker"


class Appointments(Enum):
    """Whether the customer says when."""

    NONE = "none"
    KEPT_IF_GIVEN = "kept if given"
    NEEDED = "needed"


@dataclass(frozen=True, slots=True)
class ModeTerms:
    """`collected_with`: what the store must be able to do that the customer comes to; empty: nobody comes.

    `by_carrier`: goods of other points are brought; else they must be at that store.
    `is_today`: ordered and delivered on one day, so that nothing waits for a cooling-off.
    `is_one_parcel`: there is room for one only.
    """

    collected_with: str = ""
    by_carrier: bool = True
    appointments: Appointments = Appointments.NONE
    is_today: bool = False
    is_one_parcel: bool = False

    @property
    def is_collected(self) -> bool:
        """Whether the customer comes to a store of ours."""
        return bool(self.collected_with)


TERMS: Mapping[Mode, ModeTerms] = {
    Mode.HOME_STANDARD: ModeTerms(),
    Mode.HOME_EXPRESS: ModeTerms(),
    Mode.SAME_DAY: ModeTerms(is_today=True),
    Mode.WHITE_GLOVE: ModeTerms(appointments=Appointments.KEPT_IF_GIVEN),
    Mode.APPOINTMENT: ModeTerms(appointments=Appointments.NEEDED),
    Mode.RELAY_POINT: ModeTerms(),
    Mode.LOCKER: ModeTerms(is_one_parcel=True),
    Mode.CLICK_AND_COLLECT: ModeTerms(collected_with=CLICK_AND_COLLECT, by_carrier=False),
    Mode.SHIP_TO_STORE: ModeTerms(collected_with=CLICK_AND_COLLECT),
    Mode.E_RESERVATION: ModeTerms(collected_with=E_RESERVATION, by_carrier=False),
    Mode.STORE_LOCKER: ModeTerms(collected_with=STORE_LOCKER, by_carrier=False, is_one_parcel=True),
}
