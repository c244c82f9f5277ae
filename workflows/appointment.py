"""The stories of an appointment beside that of its order: a move that was asked for, a customer who was not met.

Booking decides who has a place, orders what is promised; these bring the answer of one to the other.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.attention import Story
    from workflows.calls import StepFailed
    from workflows.messages import (
        AppointmentMoveInput,
        AppointmentMoveStep,
        BookingAnswer,
        BookingRequest,
        MissedAppointmentInput,
        MissedAppointmentStep,
    )


@workflow.defn(name="AppointmentMoveWorkflow")
class AppointmentMoveWorkflow(Story):
    """Moves the booking of an order, and tells the order where it is then."""

    @workflow.run
    async def run(self, move: AppointmentMoveInput) -> str:
        """Answers why the booking did not move; empty if it did."""
        answer = await self._move(move)
        step = AppointmentMoveStep(_key("outcome"), move.order_id, move.number, answer, workflow.now().isoformat())
        await self._insist_on(calls.record_appointment_move, step)
        return answer.refusal

    async def _move(self, move: AppointmentMoveInput) -> BookingAnswer:
        """One that was given back with its order, for example, moves nowhere: that is an answer, too."""
        request = BookingRequest(
            request_id=_key("move"),
            order_id=move.order_id,
            booking_id=move.booking_id,
            as_of=workflow.now().isoformat(),
            slot_id=move.slot_id,
        )
        try:
            answer = await calls.move_booking(request)
        except StepFailed as failed:
            answer = BookingAnswer(refusal=failed.reason)
        # A lost task would ask again, and the answer to a refused move may be another one by then.
        await self._write_down()
        return answer


@workflow.defn(name="MissedAppointmentWorkflow")
class MissedAppointmentWorkflow(Story):
    """Tells an order that its customer was not met."""

    @workflow.run
    async def run(self, missed: MissedAppointmentInput) -> str:
        """Answers the state of the order."""
        step = MissedAppointmentStep(
            _key("missed"), missed.order_id, missed.slot_id, missed.reason, workflow.now().isoformat()
        )
        return await self._insist_on(calls.record_missed_appointment, step)


def _key(step: str) -> str:
    return f"{workflow.info().workflow_id}/{step}"
