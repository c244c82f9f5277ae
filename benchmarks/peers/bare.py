"""A placement in which nothing is done: its steps with their messages, and no service behind them.

In a file of its own: the sandbox loads it without the benchmark around it.
"""

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.messages import (
        Accepted,
        AcceptRequest,
        Amount,
        AuthorizeRequest,
        FulfilmentInput,
        Hold,
        HoldAnswer,
        Leg,
        LifeCycle,
        Line,
        OrderInput,
        OrderStep,
        PaymentAnswer,
        Placement,
        Plan,
        PlanRequest,
        ReserveRequest,
        Tender,
    )

TASK_QUEUE = "bare"
_INSTANT = "2026-03-02T09:30:00.123456+00:00"
_LINES = [Line(1, "ODRS-ALIZE-NV-38", 1)]


def order(order_id: str) -> OrderInput:
    """What such a placement starts with."""
    return OrderInput(
        order_id=order_id,
        channel_id="web-fr",
        country="FR",
        postcode="75011",
        mode="DELIVERY_MODE_HOME_STANDARD",
        quote_id="",
        total=Amount(8490, "EUR"),
        tender=Tender("payment_method", "pm_card_visa"),
        lines=_LINES,
        life_cycle=LifeCycle(1800, 3600, 900, 3),
        placed_at=_INSTANT,
    )


class EmptySteps:
    """The steps of a placement, answered at once."""

    @activity.defn
    async def plan_order(self, request: PlanRequest) -> Plan:
        """One parcel from one point."""
        leg = Leg("wh-orleans", "colipostal", "COLI-HOME", request.lines, _INSTANT, _INSTANT, _INSTANT)
        return Plan(f"dec_{request.order_id}", [leg], _INSTANT, _INSTANT, [])

    @activity.defn
    async def reserve(self, request: ReserveRequest) -> HoldAnswer:
        """Held."""
        return HoldAnswer(held=True)

    @activity.defn
    async def authorize(self, request: AuthorizeRequest) -> PaymentAnswer:
        """Authorised."""
        return PaymentAnswer("authorized")

    @activity.defn
    async def confirm_hold(self, request: OrderStep) -> bool:
        """Confirmed."""
        return True

    @activity.defn
    async def accept_order(self, request: AcceptRequest) -> Accepted:
        """Accepted, with one fulfilment."""
        work = FulfilmentInput(f"ful_{request.order_id}", request.order_id, "wh-orleans", _LINES, False)
        return Accepted("VALIDATED", _INSTANT, [work])


@workflow.defn
class Bare:
    """What Temporal alone costs for a placement."""

    def __init__(self) -> None:
        self._placement: Placement | None = None

    @workflow.run
    async def run(self, order: OrderInput) -> str:
        """The steps, one after the other."""
        key, now = workflow.info().workflow_id, workflow.now().isoformat()
        plan = await calls.plan_order(
            PlanRequest(
                request_id=f"{key}/plan/1",
                order_id=order.order_id,
                channel_id=order.channel_id,
                country=order.country,
                postcode=order.postcode,
                mode=order.mode,
                lines=order.lines,
                as_of=now,
                not_before=now,
            )
        )
        holds = [Hold(line.sku, leg.point_id, line.quantity) for leg in plan.legs for line in leg.lines]
        await calls.reserve(
            ReserveRequest(
                f"{key}/reserve/1", order.order_id, order.channel_id, holds, 600, workflow.now().isoformat()
            )
        )
        payment = await calls.authorize(
            AuthorizeRequest(f"{key}/authorize", order.order_id, order.channel_id, order.total, order.tender)
        )
        await calls.confirm_hold(OrderStep(f"{key}/confirm", order.order_id, workflow.now().isoformat()))
        accepted = await calls.accept_order(
            AcceptRequest(
                request_id=f"{key}/accept",
                order_id=order.order_id,
                legs=plan.legs,
                promise_start=plan.window_start,
                promise_end=plan.window_end,
                decision_id=plan.decision_id,
                payment=payment.status,
                as_of=workflow.now().isoformat(),
            )
        )
        self._placement = Placement(
            "validated", plan.window_start, plan.window_end, cooling_off_until=accepted.cooling_off_until
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return accepted.state

    @workflow.update
    async def placed(self) -> Placement:
        """Waits for the steps."""
        await workflow.wait_condition(lambda: self._placement is not None)
        assert self._placement is not None
        return self._placement
