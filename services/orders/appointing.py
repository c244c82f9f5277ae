"""Appointments of orders: a move is decided here, and carried out by the story that its event starts."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from services.orders import documents as doc
from services.orders.changing import Answer, Asked, Changes
from services.orders.domain import appointments, moving
from services.orders.domain.model import Appointment, Decision, Leg, Order, Slot
from services.orders.domain.states import OrderState


class Appointments(Changes):
    """One method per RPC."""

    async def request_move(
        self, asked: Asked, order_id: str, slot: Slot, actor: str, as_of: datetime
    ) -> Appointment:
        """The appointment, moving. FailedPrecondition / NO_APPOINTMENT, TOO_LATE_TO_MOVE, SLOT_TOO_EARLY."""
        answer = await self.on_order(
            asked, order_id, lambda one: appointments.request_move(one, slot, actor, as_of), _appointment
        )
        return doc.APPOINTMENT.validate_python(answer)

    async def record_move(
        self,
        asked: Asked,
        order_id: str,
        number: int,
        slot: Slot | None,
        refusal: str,
        as_of: datetime,
        dated: Mapping[str, Leg] = MappingProxyType({}),
    ) -> OrderState:
        """What became of the move of this number: the new slot, or why there is none.

        `dated`: by fulfilment, work that begins and leaves at other times for the new slot.
        """

        def decide(one: Order) -> Decision:
            if slot is None:
                return appointments.record_refusal(one, number, refusal, as_of)
            return moving.record_move(one, number, slot, as_of, dated)

        return await self.state_after(asked, order_id, decide)

    async def record_missed(
        self, asked: Asked, order_id: str, slot_id: str, reason: str, as_of: datetime
    ) -> OrderState:
        """The customer was not met in this slot."""
        return await self.state_after(
            asked, order_id, lambda one: appointments.record_missed(one, slot_id, reason, as_of)
        )


def _appointment(decision: Decision) -> Answer:
    answer: Answer = doc.to_json(doc.APPOINTMENT, decision.order.appointment)
    return answer
