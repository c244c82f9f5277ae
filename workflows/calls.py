"""The steps that a story can take, with their types. What they do is in `workflows/activities`.

Each runs as a local activity first and, if that takes long, as a regular one that retries without limit. A step
raises StepFailed only for an answer that trying again cannot change.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from workflows import policies
from workflows.appointment_messages import AppointmentMoveStep, WorksToDate
from workflows.collection_messages import (
    AskRequest,
    Choice,
    ClosingsRequest,
    DatesRequest,
    OptionsRequest,
)
from workflows.messages import (
    Accepted,
    AcceptRequest,
    AmountChange,
    Applied,
    ApplyRequest,
    AuthorisationStep,
    AuthorizeRequest,
    BasketRequest,
    BookingAnswer,
    BookingRequest,
    CapacityRequest,
    CaptureAnswer,
    ChangeRefusal,
    FulfilmentStep,
    Hold,
    HoldAnswer,
    HoldChange,
    Line,
    MissedAppointmentStep,
    MoneyRequest,
    MoveRequest,
    Offered,
    Option,
    OrderStep,
    PaymentAnswer,
    PaymentDue,
    Plan,
    PlanRequest,
    Proposal,
    PutBack,
    RefundAnswer,
    RefundLook,
    RefundStep,
    RefuseRequest,
    Rerouted,
    RerouteRequest,
    ReserveRequest,
    Restock,
    SavedMeansRequest,
    WaitingHub,
)
from workflows.offer_messages import (
    Candidate,
    DoubtRequest,
    RankRequest,
    RingRequest,
    RoomRequest,
    SettleRequest,
    Standing,
)
from workflows.supply_messages import SupplyAnswer, SupplyRequest, SupplyShare, SupplyStep, SupplyUnits

T = TypeVar("T")


class StepFailed(Exception):
    """A step answered what trying again cannot change; `reason` in UPPER_SNAKE says what."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


ChangeHolds = Callable[[HoldChange], Awaitable[None]]


async def plan_order(request: PlanRequest) -> Plan:
    """promise: where these lines ship from."""
    return await _step("plan_order", request, Plan)


async def release_capacity(request: CapacityRequest) -> bool:
    """promise: give back what legs took of points and carriers; False when they took nothing."""
    return await _step("release_capacity", request, bool)


async def reserve(request: ReserveRequest) -> HoldAnswer:
    """inventory: hold units at their points, all or none."""
    return await _step("reserve", request, HoldAnswer)


async def reserve_supply(request: SupplyRequest) -> SupplyAnswer:
    """inventory: hold units of expected deliveries for good, all or none."""
    return await _step("reserve_supply", request, SupplyAnswer)


async def release_supply(request: SupplyRequest) -> list[SupplyUnits]:
    """inventory: give units of deliveries back; answers those that had not come, and accepts that none had not."""
    return await _step("release_supply", request, list[SupplyUnits])


async def basket_holds(request: BasketRequest) -> list[Hold]:
    """inventory: what a basket holds; nothing when it is gone."""
    return await _step("basket_holds", request, list[Hold])


async def confirm_hold(request: OrderStep) -> bool:
    """inventory: the hold no longer expires; False when it had expired before."""
    return await _step("confirm_hold", request, bool)


async def move_hold(request: MoveRequest) -> HoldAnswer:
    """inventory: held units change their point, all or none."""
    return await _step("move_hold", request, HoldAnswer)


async def release_hold(request: HoldChange) -> None:
    """inventory: give held units back; accepts that nothing is held."""
    await _step("release_hold", request, bool)


async def report_short(request: HoldChange) -> None:
    """inventory: held units were not found: released and declared unavailable."""
    await _step("report_short", request, bool)


async def restock(request: Restock) -> None:
    """inventory: units that were given back are in the stock of their point again."""
    await _step("restock", request, bool)


async def release_packed(request: PutBack) -> bool:
    """inventory: units that were unpacked may be sold; False when nothing was kept from being sold (yet)."""
    return await _step("release_packed", request, bool)


async def issue_stock(request: HoldChange) -> None:
    """inventory: held units leave stock."""
    await _step("issue_stock", request, bool)


async def authorize(request: AuthorizeRequest) -> PaymentAnswer:
    """payments: authorise the whole order."""
    return await _step("authorize", request, PaymentAnswer)


async def save_means(request: AuthorizeRequest) -> PaymentAnswer:
    """payments: keep the means of an order that is paid later; authorised at once where that lasts long enough."""
    return await _step("save_means", request, PaymentAnswer)


async def authorize_saved(request: SavedMeansRequest) -> PaymentAnswer:
    """payments: authorise with the means that were kept, without the customer. Another request id asks again."""
    return await _step("authorize_saved", request, PaymentAnswer)


async def change_amount(request: AmountChange) -> PaymentAnswer:
    """payments: what is authorised comes to another total; a decline and a wait for the customer change nothing.

    How a wait ended is told by the signals `oms.payments.change.authorized` and `.declined`.
    """
    return await _step("change_amount", request, PaymentAnswer)


async def capture(request: MoneyRequest) -> CaptureAnswer:
    """payments: capture a parcel's amount."""
    return await _step("capture", request, CaptureAnswer)


async def settle_payment(request: MoneyRequest) -> CaptureAnswer:
    """payments: capture so much of the order in all, and give up the rest of what is authorised."""
    return await _step("settle_payment", request, CaptureAnswer)


async def authorised_until(request: OrderStep) -> str:
    """payments: the end of what is authorised and cannot be authorised again; empty when there is none."""
    return await _step("authorised_until", request, str)


async def void(request: MoneyRequest) -> None:
    """payments: give up authorised money that is no longer due."""
    await _step("void", request, bool)


async def refund(request: MoneyRequest) -> None:
    """payments: give money back; for an order paid by its channel, ask the channel to."""
    await _step("refund", request, bool)


async def unwind_payment(request: MoneyRequest) -> None:
    """payments: void what is authorised and refund what was captured; accepts that nothing was done."""
    await _step("unwind_payment", request, bool)


async def accept_order(request: AcceptRequest) -> Accepted:
    """orders: stock is held and money is sure."""
    return await _step("accept_order", request, Accepted)


async def refuse_order(request: RefuseRequest) -> str:
    """orders: the order cannot stand; answers the state it really has."""
    return await _step("refuse_order", request, str)


async def payment_due(request: OrderStep) -> PaymentDue:
    """orders: from when on an order is to be paid whose means was kept."""
    return await _step("payment_due", request, PaymentDue)


async def record_authorisation(request: AuthorisationStep) -> str:
    """orders: what became of it; answers the state that the order really has."""
    return await _step("record_authorisation", request, str)


async def require_payment_action(request: OrderStep) -> None:
    """orders: the customer must confirm the payment."""
    await _step("require_payment_action", request, str)


async def release_order(request: OrderStep) -> str:
    """orders: cooling-off is over; answers the state the order really has."""
    return await _step("release_order", request, str)


async def reroute_units(request: RerouteRequest) -> Rerouted:
    """orders: units that lost their place get new fulfilments or are cancelled."""
    return await _step("reroute_units", request, Rerouted)


async def record_supply(request: SupplyStep) -> list[SupplyShare]:
    """orders: what became of a delivery; answers the units that it was about, by fulfilment."""
    return await _step("record_supply", request, list[SupplyShare])


async def work_lines(request: FulfilmentStep) -> list[Line]:
    """orders: what is left of the work of a point; units of it may have been cancelled."""
    return await _step("work_lines", request, list[Line])


async def waiting_hub(request: FulfilmentStep) -> WaitingHub:
    """orders: where this work at a hub waits; nowhere once it goes on."""
    return await _step("waiting_hub", request, WaitingHub)


async def read_proposal(request: OrderStep) -> Proposal:
    """orders: what a change asks for, and what the order holds."""
    return await _step("read_proposal", request, Proposal)


async def apply_change(request: ApplyRequest) -> Applied:
    """orders: the order is what was asked for; answers the state that the change really has."""
    return await _step("apply_change", request, Applied)


async def refuse_change(request: ChangeRefusal) -> str:
    """orders: the order stands as it was; answers the state that the change really has."""
    return await _step("refuse_change", request, str)


async def settle_change(request: OrderStep) -> None:
    """orders: stock, room and money follow a change."""
    await _step("settle_change", request, str)


async def complete_cancellation(request: OrderStep) -> str:
    """orders: stock and money were undone; answers the state that the order ended in."""
    return await _step("complete_cancellation", request, str)


async def close_order(request: OrderStep) -> str:
    """orders: every unit has its final state."""
    return await _step("close_order", request, str)


async def offer_fulfilment(request: FulfilmentStep) -> Offered:
    """orders: offer the work to its point."""
    return await _step("offer_fulfilment", request, Offered)


async def lapse_offer(request: FulfilmentStep) -> str:
    """orders: the offer's time is over; answers what really happened."""
    return await _step("lapse_offer", request, str)


async def record_capture(request: FulfilmentStep) -> None:
    """orders: what became of the capture of a parcel, or of the whole order."""
    await _step("record_capture", request, str)


async def rank_points(request: RankRequest) -> list[Candidate]:
    """promise: the points that could do the work of a fulfilment, best first."""
    return await _step("rank_points", request, list[Candidate])


async def move_room(request: RoomRequest) -> None:
    """promise: the room of a planned leg goes to whoever took its work; accepts that there was none."""
    await _step("move_room", request, bool)


async def declare_doubted(request: DoubtRequest) -> None:
    """inventory: held units are said not to be there; accepts that fewer lie there."""
    await _step("declare_doubted", request, bool)


async def offer_ring(request: RingRequest) -> Standing:
    """orders: offer the work to the next points."""
    return await _step("offer_ring", request, Standing)


async def look_at_offers(request: FulfilmentStep) -> Standing:
    """orders: lapse what is over; answers what really happened."""
    return await _step("look_at_offers", request, Standing)


async def end_offering(request: FulfilmentStep) -> Standing:
    """orders: nobody took it; answers what became of it."""
    return await _step("end_offering", request, Standing)


async def settle_claim(request: SettleRequest) -> Standing:
    """orders: what became of the units of a claim; answers what really happened."""
    return await _step("settle_claim", request, Standing)


async def give_back(request: MoneyRequest) -> RefundAnswer:
    """payments: carry a refund out; for an order paid by its channel, ask the channel to."""
    return await _step("give_back", request, RefundAnswer)


async def look_at_refund(request: RefundLook) -> RefundAnswer:
    """payments: whether a refund that failed was brought to an end since."""
    return await _step("look_at_refund", request, RefundAnswer)


async def record_refund(request: RefundStep) -> str:
    """orders: what became of a refund; answers the state that it really has."""
    return await _step("record_refund", request, str)


async def confirm_booking(request: BookingRequest) -> BookingAnswer:
    """booking: the place that the customer holds is the order's."""
    return await _step("confirm_booking", request, BookingAnswer)


async def release_booking(request: BookingRequest) -> None:
    """booking: give the order's place back; accepts that it has none."""
    await _step("release_booking", request, bool)


async def move_booking(request: BookingRequest) -> BookingAnswer:
    """booking: take a place in another slot and give the old one back, both or neither."""
    return await _step("move_booking", request, BookingAnswer)


async def look_at_booking(request: BookingRequest) -> BookingAnswer:
    """booking: the place that the order has now."""
    return await _step("look_at_booking", request, BookingAnswer)


async def works_to_date(request: OrderStep) -> WorksToDate:
    """orders: work whose parcel has not left, and where it goes."""
    return await _step("works_to_date", request, WorksToDate)


async def record_appointment_move(request: AppointmentMoveStep) -> str:
    """orders: what became of a move; answers the state of the order."""
    return await _step("record_appointment_move", request, str)


async def record_missed_appointment(request: MissedAppointmentStep) -> str:
    """orders: the customer was not met; answers the state of the order."""
    return await _step("record_missed_appointment", request, str)


async def closings(request: ClosingsRequest) -> list[str]:
    """promise: when a point closes on its next opening days."""
    return await _step("closings", request, list[str])


async def set_collection_dates(request: DatesRequest) -> None:
    """orders: until when what waits at a counter is kept."""
    await _step("set_collection_dates", request, bool)


async def collection_options(request: OptionsRequest) -> list[Option]:
    """promise: where else units can be collected, or how they could be delivered; none when there is no way."""
    return await _step("collection_options", request, list[Option])


async def ask_customer(request: AskRequest) -> str:
    """orders: the customer is asked; empty when the order is being cancelled."""
    return await _step("ask_customer", request, str)


async def read_choice(request: OrderStep) -> Choice:
    """orders: what the customer chose; the detail is the question."""
    return await _step("read_choice", request, Choice)


async def _step(name: str, request: object, result_type: type[T]) -> T:
    try:
        answer: T = await workflow.execute_local_activity(
            name,
            request,
            result_type=result_type,
            schedule_to_close_timeout=policies.LOCAL_TOTAL,
            retry_policy=policies.LOCAL_RETRY,
        )
    except FailureError as error:
        _raise_if_final(error)
    else:
        return answer
    try:
        answer = await workflow.execute_activity(
            name,
            request,
            result_type=result_type,
            start_to_close_timeout=policies.REGULAR_ATTEMPT,
            retry_policy=policies.REGULAR_RETRY,
        )
    except FailureError as error:
        _raise_if_final(error)
        raise
    return answer


def _raise_if_final(error: FailureError) -> None:
    # A local activity's failure comes bare or wrapped in an ActivityError, not the same way when it happens and
    # when the history is replayed: only what lies inside may be looked at.
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.non_retryable:
        raise StepFailed(cause.type or "STEP_FAILED") from error
    if is_cancelled_exception(error):
        raise error
