"""What requests did to an order's money: an operation for each tender that one touched."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.payments.domain.model import Operation, Payment, State


@dataclass(frozen=True, slots=True)
class Statement:
    """A payment with all its operations, oldest first."""

    payment: Payment
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Movement:
    """The operations of one request, in the order in which the tenders were used."""

    operations: tuple[Operation, ...]

    @property
    def decisive(self) -> Operation:
        """The one that says how all went: what is not known yet, else what failed, else what was done."""
        open_ones = [one for one in self.operations if one.unsettled]
        failed = [one for one in self.operations if one.state is State.FAILED]
        return (open_ones or failed or list(self.operations))[-1]

    @property
    def state(self) -> State:
        """How all went."""
        return self.decisive.state

    @property
    def failure_code(self) -> str:
        """Why it failed."""
        return self.decisive.failure_code

    @property
    def amount_minor(self) -> int:
        """What all of them move."""
        return sum(one.amount_minor for one in self.operations)
