"""The stories of an appointment beside that of its order: a move that was asked for, a customer who was not met.

Booking decides who has a place, orders what is promised; these bring the answer of one to the other. Promise says
when the work of the order begins and leaves for another appointment.
"""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.appointment_messages import AppointmentMoveStep, Dated, WorksToDate, WorkToDate
    from workflows.attention import Story
    from workflows.calls import StepFailed
    from workflows.messages import (
        Appointment,
        AppointmentMoveInput,
        BookingAnswer,
        BookingRequest,
        Hold,
        Leg,
        LegPlace,
        MissedAppointmentInput,
        MissedAppointmentStep,
        OrderStep,
        PlanRequest,
    )
    from workflows.offer_messages import RankRequest

# Nobody is asked for an answer: a ranking wants to know how long it would be waited for.
_ANSWER_SECONDS = 1


@workflow.defn(name="AppointmentMoveWorkflow")
class AppointmentMoveWorkflow(Story):
    """Moves the booking of an order, and tells the order where it is then."""

    @workflow.run
    async def run(self, move: AppointmentMoveInput) -> str:
        """Answers why the booking did not move; empty if it did."""
        dated = await self._dates(move) if move.window_end else []
        answer = BookingAnswer(refusal="SLOT_TOO_EARLY") if dated is None else await self._move(move)
        step = AppointmentMoveStep(
            request_id=_key("outcome"),
            order_id=move.order_id,
            number=move.number,
            answer=answer,
            as_of=workflow.now().isoformat(),
            dated=dated if dated and not answer.refusal else [],
        )
        await self._insist_on(calls.record_appointment_move, step)
        return answer.refusal

    async def _dates(self, move: AppointmentMoveInput) -> list[Dated] | None:
        """When each work begins and leaves for the new slot; None when one cannot any more make an earlier one.

        Work for which the planner knows no dates keeps its own: its goods wait at the carrier until a later slot.
        """
        asked = OrderStep(_key("works"), move.order_id, workflow.now().isoformat())
        order = await self._insist_on(calls.works_to_date, asked)
        dated = []
        too_early = False
        for work in order.works:
            leg = await self._leg(move, order, work)
            if leg:
                dated.append(Dated(work.fulfilment_id, leg))
            else:
                too_early |= _instant(move.window_end) < _instant(work.window_end)
        # A lost task would ask the planner again, which may say something else by then.
        await self._write_down()
        return None if too_early else dated

    async def _leg(self, move: AppointmentMoveInput, order: WorksToDate, work: WorkToDate) -> Leg | None:
        """The same work, from its point and with its carrier, for the new slot."""
        try:
            ranked = await calls.rank_points(_question(move, order, work))
        except StepFailed:
            return None
        its = (work.point_id, work.carrier_id, work.service_id)
        legs = (one.leg for one in ranked)
        return next((leg for leg in legs if (leg.point_id, leg.carrier_id, leg.service_id) == its), None)

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


def _question(move: AppointmentMoveInput, order: WorksToDate, work: WorkToDate) -> RankRequest:
    now = workflow.now().isoformat()
    window = (move.date, move.window_start, move.window_end)
    question = PlanRequest(
        request_id=_key(f"dates/{work.fulfilment_id}"),
        order_id=move.order_id,
        channel_id=order.channel_id,
        country=order.country,
        postcode=order.postcode,
        mode=order.mode,
        lines=work.lines,
        as_of=now,
        not_before=now,
        promised_until=move.window_end,
        own_holds=[Hold(line.sku, work.point_id, line.quantity) for line in work.lines],
        replaced=[LegPlace(work.point_id, work.lines)],
        appointment=Appointment(move.booking_id, move.slot_id, *window, work.service_id),
    )
    return RankRequest(move.order_id, question, _ANSWER_SECONDS)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _key(step: str) -> str:
    return f"{workflow.info().workflow_id}/{step}"
