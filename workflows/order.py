"""The story of an order: placed, cooled off, fulfilled, closed; or undone exactly as far as it went."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from workflows import calls, policies, search_attributes, taking, versions
    from workflows.amending import CHANGE_TOLD, rooms_of
    from workflows.calls import StepFailed
    from workflows.collecting import Asking
    from workflows.consolidating import minus
    from workflows.messages import (
        SPOILED,
        Accepted,
        AcceptRequest,
        Amount,
        Appointment,
        AuthorizeRequest,
        BasketRequest,
        BookingRequest,
        CapacityRequest,
        Competing,
        Exclusion,
        FulfilmentInput,
        FulfilmentOutcome,
        FulfilmentStep,
        Happening,
        Hold,
        HoldAnswer,
        HoldChange,
        LegPlace,
        Line,
        LostUnits,
        MoneyRequest,
        Move,
        MoveRequest,
        OrderInput,
        OrderStep,
        Overlay,
        PaymentAnswer,
        Placement,
        Plan,
        PlanRequest,
        Refusal,
        RefuseRequest,
        RerouteRequest,
        ReserveRequest,
        Shortfall,
        SupplyOverlay,
        WaitingHub,
    )
    from workflows.offer_messages import DoubtRequest
    from workflows.paying_ahead import PayingAhead
    from workflows.refusing import Refused, believe, never_again, no_place, sold_out, without
    from workflows.restocking import kept_by
    from workflows.taking import Declined, Taking
    from workflows.trying import Trying
    from workflows.waiting import Waiting, awaited_of

# As if it were a kind of event: cooling-off ended before its timer.
_LET_GO = "cooling_off_let_go"


@workflow.defn(name="OrderWorkflow")
class OrderWorkflow(Trying, Taking, Waiting, PayingAhead, Asking):
    """Drives one order. Stock, money and the order's state belong to their services; this only sequences."""

    @workflow.init
    def __init__(self, order: OrderInput) -> None:
        super().__init__()
        self._order = order
        self._placement: Placement | None = None
        self._basket_id = order.basket_id
        self._appointment: Appointment | None = None
        self._counts = Counter[str]()
        self._undo: dict[str, Callable[[], Awaitable[None]]] = {}
        self._excluded: list[Exclusion] = []
        self._rounds = 0
        # Of the rounds, those for parcels that were lost and units that never came.
        self._resends = 0
        self._promised_until = ""
        self._paid_by_channel = False
        self._cancelling = False
        self._is_cooling_off = False
        self._lost: list[LostUnits] = []
        # By fulfilment: legs that ended unprepared.
        self._gone: dict[str, LegPlace] = {}
        self._running: set[str] = set()
        self._children: list[asyncio.Task[None]] = []

    @workflow.run
    async def run(self, order: OrderInput) -> str:
        """Answers the state that the order ended in."""
        accepted = await self._place()
        if accepted and await self._cool_off(accepted) and await self._take_all():
            await self._fulfil(self._works)
            await self._settle_trial()
        state = "REFUSED" if self._refused() else await self._end()
        self._show(state)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state

    @workflow.update
    async def placed(self) -> Placement:
        """Waits for the outcome of placement; all acting is done by `run`."""
        await workflow.wait_condition(lambda: self._placement is not None)
        assert self._placement is not None
        return self._placement

    @workflow.signal
    def units_lost(self, lost: LostUnits) -> None:
        """A fulfilment goes on with less: these units need another place."""
        self._lost.append(lost)

    # Placement: plan, hold, authorise, confirm, accept.

    async def _place(self) -> Accepted | None:
        try:
            await self._book()
            plan = await self._hold_stock(policies.HOLD_SECONDS)
            payment = await self._authorize(plan)
            plan = await self._keep_hold(plan)
            taken = await self._sell(self._order, self._paid_by_channel)
            authorised_until = await self._authorised_until()
        except Refused as refused:
            await self._refuse(refused)
        except Declined as declined:
            await self._refuse(Refused(Refusal("PAYMENT_DECLINED", str(declined))))
        except StepFailed as failed:
            await self._refuse(Refused(Refusal(failed.reason, "a step of placement failed for good")))
        else:
            return await self._accept(plan, payment, taken, authorised_until)
        return None

    async def _book(self) -> None:
        """The place that the customer holds is this order's; a plan keeps the appointment."""
        if self._order.booking_id:
            self._undo["booking"] = self._give_booking_back
            answer = await calls.confirm_booking(self._booking("book"))
            # A lost task would ask again, and who was refused might get the place after all.
            await self._write_down()
            if answer.refusal:
                raise Refused(Refusal(answer.refusal, "the appointment can no longer be had"))
            self._appointment = answer.appointment

    async def _hold_stock(self, seconds: int) -> Plan:
        """Plans and holds; when stock has gone in between, plans again with the true figures, within bounds."""
        overlays: list[Overlay] = []
        supplies: list[SupplyOverlay] = []
        shortfalls: list[Shortfall] = []
        in_basket = await self._in_basket()
        for _ in range(policies.PLAN_ATTEMPTS):
            plan = await self._plan(overlays, in_basket, supplies)
            self._undo["release"] = self._give_stock_back
            request = self._hold_of(plan, seconds, taking.holds_of(self._order))
            answer = await self._hold(request, plan, lambda step, asked: step(asked))
            if answer.held:
                # It is empty now; what the customer puts into it later is for another order.
                self._basket_id = ""
                return plan
            shortfalls = answer.shortfalls
            if not self._order.lines or taking.lacks(self._order, shortfalls):
                break
            overlays = believe(overlays, taking.beside(self._order, shortfalls))
            supplies += answer.supplies
        taken = self._order.taken.lines if self._order.taken else []
        raise Refused(sold_out([*self._order.lines, *taken], shortfalls))

    async def _give_stock_back(self) -> None:
        """What is to come first: what comes meanwhile is given back with what is there."""
        if self._order.may_wait:
            await self._release_supplies([])
        await self._release([], "undo")

    async def _plan(
        self, overlays: list[Overlay], in_basket: list[Hold], supplies: Sequence[SupplyOverlay] = ()
    ) -> Plan:
        """Where what is sent comes from; no legs when all is taken along."""
        if not self._order.lines:
            return Plan("", [], "", "", [])
        wanted = self._plan_of(self._order.lines, overlays, self._order.quote_id, in_basket, supplies=supplies)
        wanted = replace(wanted, check_required=True)
        self._undo["capacity"] = self._give_all_room_back
        wanted = replace(wanted, may_consolidate=self._order.life_cycle.consolidates)
        plan = await calls.plan_order(wanted)
        if plan.quote_broken:
            detail = "the promise that was shown cannot be kept"
            raise Refused(Refusal("PROMISE_CHANGED", detail), plan.options)
        if plan.unplanned:
            raise Refused(no_place(plan.unplanned))
        return plan

    async def _in_basket(self) -> list[Hold]:
        """What the customer's basket holds already: it can be planned with, wherever it lies."""
        if not self._basket_id:
            return []
        asked = BasketRequest(self._order.order_id, self._order.channel_id, self._basket_id)
        held = await calls.basket_holds(asked)
        # A lost task would look again, and find the basket expired or changed.
        await self._write_down()
        return held

    async def _keep_hold(self, plan: Plan) -> Plan:
        """Confirms the hold; one that expired meanwhile is taken again, elsewhere if its units have gone.

        With units to come it never expires: what is there waits for these.
        """
        if awaited_of(plan):
            return plan
        if await calls.confirm_hold(self._step("confirm")):
            return plan
        await self._write_down()
        await self._release([], "expired")
        answer = await calls.reserve(self._hold_of(plan, 0, taking.holds_of(self._order)))
        return plan if answer.held else await self._hold_stock(0)

    async def _authorize(self, plan: Plan) -> PaymentAnswer:
        """For as long as the promise lasts, where the provider can."""
        if self._is_paid_in_store():
            return PaymentAnswer("in_store")
        if not self._order.total.amount_minor and versions.knows("nothing-due"):
            # A gift, a sample: no provider authorises nothing, and there is nothing to undo.
            return PaymentAnswer("authorized")
        self._undo["unwind"] = self._unwind_payment
        request = AuthorizeRequest(
            request_id=self._key("authorize"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            amount=self._order.total,
            tender=self._order.tender,
            first=self._order.first,
            save_means=self._order.save_means,
            needed_until=self._needed_until(plan.window_end),
        )
        may_keep = self._may_be_kept(self._order, plan) and versions.knows("means-are-kept")
        payment = await (calls.save_means(request) if may_keep else calls.authorize(request))
        if payment.status == "action_required":
            payment = await self._customer_acts(payment)
        if payment.status == "declined":
            raise Refused(Refusal("PAYMENT_DECLINED", payment.decline_code or "declined"))
        if payment.status == "closed":
            raise Refused(Refusal("PAYMENT_DECLINED", "the payment was closed"))
        self._paid_by_channel = payment.status == "paid_by_channel"
        self._is_kept = payment.status == "saved"
        return payment

    async def _customer_acts(self, payment: PaymentAnswer) -> PaymentAnswer:
        """The customer confirms the payment (3-D Secure), within the time of the life cycle."""
        await calls.require_payment_action(self._step("action", payment.next_action_url))
        self._placement = Placement("action_required", next_action_url=payment.next_action_url)
        wait = timedelta(seconds=self._order.life_cycle.payment_action_seconds)
        told = ("cancellation_requested", "authorized", "saved", "declined")
        outcome = await self._first_of(*told, within=wait)
        if outcome in ("authorized", "saved"):
            return PaymentAnswer(outcome)
        if outcome == "declined":
            code = str(self._happenings["declined"].data.get("decline_code", ""))
            return PaymentAnswer("declined", decline_code=code)
        if outcome == "cancellation_requested":
            raise Refused(Refusal("CANCELLED", "cancelled by the customer"))
        raise Refused(Refusal("PAYMENT_ACTION_EXPIRED", "the payment was not confirmed in time"))

    async def _accept(
        self, plan: Plan, payment: PaymentAnswer, taken: str, authorised_until: str
    ) -> Accepted | None:
        request = AcceptRequest(
            request_id=self._key("accept"),
            order_id=self._order.order_id,
            legs=plan.legs,
            promise_start=plan.window_start,
            promise_end=plan.window_end,
            decision_id=plan.decision_id,
            payment=payment.status,
            as_of=workflow.now().isoformat(),
            appointment=self._appointment,
            taken=taken,
            authorised_until=authorised_until,
            onward=plan.onward,
        )
        accepted = await self._insist_on(calls.accept_order, request)
        if accepted.refusal:
            # A lost task would authorise once more, and meet a payment that is closed.
            await self._write_down()
            await self._refuse(Refused(accepted.refusal))
            return None
        if accepted.state != "VALIDATED":
            self._give_way()
            return None
        self._promised_until = plan.window_end
        self._works = accepted.fulfilments
        self._take_room(accepted.fulfilments, plan.decision_id)
        self._show("VALIDATED")
        self._placement = Placement(
            "validated",
            promise_start=plan.window_start,
            promise_end=plan.window_end,
            cooling_off_until=accepted.cooling_off_until,
            receipt_number=accepted.receipt_number,
        )
        if taken:
            self._keep_what_was_sold()
            await self._let_go(self._order)
        return accepted

    def _keep_what_was_sold(self) -> None:
        """From here on only the rest of the money is undone."""
        if self._undo.pop("unwind", None) and not self._paid_by_channel:
            self._undo["unwind"] = lambda: self._void_rest(self._order)

    async def _refuse(self, refused: Refused) -> None:
        await self._unwind()
        request = RefuseRequest(
            request_id=self._key("refuse"),
            order_id=self._order.order_id,
            refusal=refused.refusal,
            as_of=workflow.now().isoformat(),
        )
        state = await self._insist_on(calls.refuse_order, request)
        if state == "REFUSED":
            self._placement = Placement("refused", refusal=refused.refusal, options=refused.options)
        else:
            self._give_way()

    def _give_way(self) -> None:
        """A cancellation came first: the orders service said so in its answer."""
        self._cancelling = True
        self._placement = Placement("cancelling")

    def _refused(self) -> bool:
        return self._placement is not None and self._placement.state == "refused"

    # Cooling-off and fulfilment.

    async def _cool_off(self, accepted: Accepted) -> bool:
        """The customer may still change it, others may hold it; True when it was released to its points."""
        end = datetime.fromisoformat(accepted.cooling_off_until)
        self._is_cooling_off = True
        while (wait := end - workflow.now()) > timedelta(0):
            told = await self._first_of("cancellation_requested", CHANGE_TOLD, _LET_GO, within=wait)
            if told == "cancellation_requested":
                return False
            if told != CHANGE_TOLD:
                break
            await self._carry_out_changes()
        self._is_cooling_off = False
        if self._is_kept and not await self._pay_ahead():
            return False
        while (state := await self._release_order()) == "VALIDATED":
            # Something holds it still; the orders service watches its dates and tells.
            await self._first_of("cancellation_requested", CHANGE_TOLD, "holds_ended")
            await self._carry_out_changes()
            if self._is_cancelling():
                return False
        if state != "RELEASED":
            self._give_way()
            return False
        self._show(state)
        return True

    def _note(self, kind: str, happening: Happening) -> None:
        """That nothing holds the order any more ends its cooling-off: somebody let it go before the timer."""
        super()._note(kind, happening)
        if kind == "holds_ended" and self._is_cooling_off and versions.knows("cooling-off-is-let-go"):
            self._happenings[_LET_GO] = happening

    async def _release_order(self) -> str:
        """Asks whether the points may work. What is told from here on is news."""
        self._happenings.pop("holds_ended", None)
        self._counts["release"] += 1
        number = self._counts["release"]
        step = self._step("release" if number == 1 else f"release/{number}")
        return await self._insist_on(calls.release_order, step)

    async def _take_all(self) -> bool:
        """The money of the whole order, where its life cycle takes it before the points work."""
        if not self._is_paid_at_once():
            return True
        # A lost task would authorise once more, and meet a payment that is captured already.
        await self._write_down()
        cause = f"order/{self._order.order_id}"
        request = MoneyRequest(self._key("capture"), self._order.order_id, cause, self._rest_of_total())
        return await self._collect(request, self._record_capture, "cancellation_requested") != "cancelled"

    def _is_paid_at_once(self) -> bool:
        due = self._rest_of_total().amount_minor and not self._paid_by_channel
        return bool(due) and self._order.life_cycle.capture_at == "order" and not self._is_paid_in_store()

    def _rest_of_total(self) -> Amount:
        """Without what was taken along, which is paid."""
        total, taken = self._order.total, self._order.taken
        return Amount(total.amount_minor - taken.amount.amount_minor, total.currency) if taken else total

    async def _record_capture(self, name: str, outcome: str, reason: str, next_try_at: str) -> None:
        step = FulfilmentStep(
            request_id=self._key(name),
            order_id=self._order.order_id,
            fulfilment_id="",
            as_of=workflow.now().isoformat(),
            detail=outcome,
            reason=reason,
            next_try_at=next_try_at,
        )
        await self._insist_on(calls.record_capture, step)

    async def _fulfil(self, fulfilments: list[FulfilmentInput]) -> None:
        """Each point does its work; units that lose their place get another one, until all have ended."""
        self._start(fulfilments)
        while self._running or self._is_told() or self._is_owed():
            await workflow.wait_condition(
                lambda: self._is_told() or bool(self._broken()) or not (self._running or self._is_owed())
            )
            if broken := self._broken():
                raise RuntimeError("the story of a fulfilment is not followed any more") from broken
            if self._is_cancelling():
                self._changes.clear()
                self._supplies.clear()
            await self._carry_out_changes()
            await self._follow_supplies()
            if self._lost:
                lost = self._lost.pop(0)
                if not self._is_cancelling():
                    await self._write_down()
                    await self._reroute(lost)
                elif versions.knows("told-before-cancelled"):
                    await self._set_apart(lost)

    def _is_told(self) -> bool:
        return bool(self._lost or self._changes or self._supplies)

    def _broken(self) -> BaseException | None:
        """Why a fulfilment is not followed, if our own code failed in it: this story fails too, and is found."""
        done = (one for one in self._children if one.done() and not one.cancelled())
        return next(filter(None, (one.exception() for one in done)), None)

    def _is_owed(self) -> bool:
        """Whether it is still to be told what became of units that were given up."""
        return bool(self._given_up.total()) and not self._is_cancelling()

    def _start(self, fulfilments: list[FulfilmentInput]) -> None:
        moment = self._order.life_cycle.capture_at
        if moment == "order" and not self._is_paid_at_once():
            moment = "shipment"
        if self._is_tried() or self._is_paid_in_store():
            # Nor does any of its parcels bring money.
            moment = "order"
        for one in fulfilments:
            paid = "order" if one.replaces else moment
            fulfilment = replace(one, capture_at=paid, competing=self._competing(one))
            self._running.add(fulfilment.fulfilment_id)
            self._children.append(asyncio.create_task(self._run_child(fulfilment)))

    def _competing(self, work: FulfilmentInput) -> Competing | None:
        """None where the planned point alone is asked. Nobody need be faster than that, if it is late itself."""
        competition = self._order.life_cycle.competition
        # Parcels that are to meet come from where they were planned, and meet there.
        if competition is None or work.collected or work.joins or work.consolidates:
            return None
        return Competing(
            rings=competition.rings,
            ring_seconds=competition.ring_seconds,
            channel_id=self._order.channel_id,
            country=self._order.country,
            postcode=self._order.postcode,
            mode=self._order.mode,
            promised_until=max(filter(None, (self._promised_until, work.window_end)), key=datetime.fromisoformat),
        )

    async def _run_child(self, fulfilment: FulfilmentInput) -> None:
        try:
            outcome = await workflow.execute_child_workflow(
                "FulfilmentWorkflow",
                fulfilment,
                id=f"fulfilment/{fulfilment.fulfilment_id}",
                result_type=FulfilmentOutcome,
                search_attributes=workflow.info().typed_search_attributes,
            )
        except ChildWorkflowError:
            # Only an operator ends it from outside. The order must not end as if the work were done.
            while True:
                await self._ask_for_help(0, "FULFILMENT_ENDED_FROM_OUTSIDE")
        if outcome.lost:
            if outcome.state not in ("lost", "delivered"):
                # Another leg of the order may be like it, at the same point.
                room = self._room.get(fulfilment.fulfilment_id)
                decision_id = room.decision_id if room else ""
                lines = [] if fulfilment.consolidates and not fulfilment.collected else fulfilment.lines
                place = LegPlace(outcome.lost.point_id, lines, decision_id)
                self._gone[fulfilment.fulfilment_id] = place
            self._lost.append(outcome.lost)
        elif fulfilment.fulfilment_id in self._room and outcome.state == "cancelled" and fulfilment.consolidates:
            # Nothing came to the hub, and it had nothing itself. A cancellation gives all room back anyway.
            await self._give_room_back(self._room[fulfilment.fulfilment_id])
        if outcome.follows:
            self._start([outcome.follows])
        self._running.discard(fulfilment.fulfilment_id)

    async def _reroute(self, lost: LostUnits) -> None:
        """Finds another place for the units; those that find none are cancelled and never captured.

        Those of a lost parcel were captured: without another place they are refunded.
        """
        if self._is_asked_about(lost):
            await self._ask_and_follow(lost)
            return
        self._rounds += 1
        is_sent_again = lost.replaces == lost.fulfilment_id
        # Their points did nothing wrong.
        is_excused = is_sent_again or bool(lost.supply_id) or lost.on_the_way
        self._resends += is_excused
        # Who spoiled a unit may have another on its shelf.
        self._excluded += [] if is_excused or lost.reason == SPOILED else never_again(lost)
        gone = [self._gone.pop(lost.fulfilment_id)] if lost.fulfilment_id in self._gone else []
        plan = None
        if self._rounds - self._resends <= self._order.life_cycle.reroute_limit and not lost.given_up:
            plan = await self._find_place(lost, gone)
        elif gone:
            await self._give_room_back(*gone)
        legs = plan.legs if plan else []
        cancelled = without(lost.lines, legs)
        if cancelled and self._may_ask(lost):
            # Nobody else can send them to their store: the customer says what becomes of them.
            if not plan:
                await self._ask_and_follow(lost)
                return
            self._lost.append(replace(lost, lines=cancelled))
            cancelled = []
        await self._set_apart(lost)
        if cancelled and lost.held:
            held = minus(cancelled, lost.unheld)
            holds = [Hold(line.sku, lost.point_id, line.quantity) for line in held]
            if holds:
                await self._release(holds, "no other point")
        request = RerouteRequest(
            request_id=self._key(f"reroute/{self._rounds}"),
            order_id=self._order.order_id,
            legs=legs,
            cancelled=cancelled,
            reason=lost.reason,
            decision_id=plan.decision_id if plan else "",
            paid_by_channel=self._paid_by_channel,
            as_of=workflow.now().isoformat(),
            replaces=lost.replaces,
            fulfilment_id=lost.fulfilment_id if lost.given_up else "",
            onward=plan.onward if plan else None,
        )
        rerouted = await self._insist_on(calls.reroute_units, request)
        if rerouted.captured:
            await self._give_money_up(rerouted.captured, replace(lost, captured=True), "refund")
            lost = replace(lost, captured=False)
        if rerouted.no_longer_due:
            await self._give_money_up(rerouted.no_longer_due, lost)
        self._take_room(rerouted.fulfilments, request.decision_id)
        if plan and not rerouted.fulfilments and versions.knows("room-of-no-work"):
            # It was cancelled meanwhile: nobody works there.
            await self._give_room_back(*rooms_of(plan))
        self._start(rerouted.fulfilments)

    async def _give_money_up(self, amount: Amount, lost: LostUnits, name: str = "void") -> None:
        """Authorised money is voided, captured money refunded; a channel that was paid is asked to refund."""
        if not amount.amount_minor:
            return
        step = calls.refund if self._paid_by_channel or lost.captured else calls.void
        cause = f"units cancelled: {lost.reason}"
        request = MoneyRequest(self._key(f"{name}/{self._rounds}"), self._order.order_id, cause, amount)
        await self._insist_on(step, request)

    async def _find_place(self, lost: LostUnits, gone: list[LegPlace]) -> Plan | None:
        """`gone`: legs whose room the plan takes over. A plan whose stock has gone gives its own to the next."""
        overlays: list[Overlay] = []
        supplies: list[SupplyOverlay] = []
        if self._appointment:
            # The customer may have moved it since.
            booked = await self._insist_on(calls.look_at_booking, self._booking("look"))
            self._appointment = booked.appointment
        hub = await self._hub_that_waits(lost)
        for _ in range(policies.PLAN_ATTEMPTS):
            wanted = self._plan_of(lost.lines, overlays, "", replaced=gone, supplies=supplies)
            if lost.replaces:
                # What is sent again is sent from what is there.
                wanted = replace(wanted, may_wait=False)
            else:
                may_meet = self._order.life_cycle.consolidates
                wanted = replace(wanted, joins=hub, may_consolidate=may_meet)
            plan = await self._insist_on(calls.plan_order, wanted)
            if not plan.legs:
                return None
            gone = rooms_of(plan)
            answer = await self._take(lost, plan)
            if answer.held:
                return plan
            overlays = believe(overlays, answer.shortfalls)
            supplies += answer.supplies
        await self._give_room_back(*gone)
        return None

    async def _hub_that_waits(self, lost: LostUnits) -> WaitingHub | None:
        """Where the other parcels are, or will be, and wait for these units still."""
        if not lost.joins or lost.replaces or self._order.collect_at:
            return None
        self._counts["hub"] += 1
        step = self._step(f"hub/{self._counts['hub']}")
        asked = FulfilmentStep(step.request_id, step.order_id, lost.joins, step.as_of)
        hub = await self._insist_on(calls.waiting_hub, asked)
        # A lost task would look again, and might find that it has gone on.
        await self._write_down()
        return hub if hub.point_id else None

    async def _take(self, lost: LostUnits, plan: Plan) -> HoldAnswer:
        """Held units move with their hold; units that were short are held anew.

        Of held ones that wait elsewhere for others to come, the hold is given back.
        """
        if not lost.held:
            return await self._hold(self._hold_of(plan, 0), plan, self._insist_on)
        awaited = awaited_of(plan)
        answer = await self._hold_supplies(awaited, self._insist_on)
        if not answer.held:
            return answer
        taken = [(line, leg.point_id) for leg in plan.legs for line in leg.lines if not line.supply_id]
        moves = [Move(line.sku, lost.point_id, point_id, line.quantity) for line, point_id in taken]
        if moves:
            request = MoveRequest(self._next_key("move"), self._order.order_id, moves, workflow.now().isoformat())
            answer = await self._insist_on(calls.move_hold, request)
        if not answer.held:
            for one in awaited:
                await self._give_up(one.supply_id, one.units)
        elif awaited:
            await self._release([Hold(one.sku, lost.point_id, one.units) for one in awaited], "waits elsewhere")
        return answer

    # The end, good or bad.

    async def _end(self) -> str:
        """Closes the order, or cancels it when the orders service says that the customer was faster."""
        while not self._is_cancelling():
            state = await self._close()
            if state == "RELEASED":
                # It was changed; the telling is under way.
                await self._first_of("cancellation_requested", CHANGE_TOLD)
                await self._fulfil([])
            elif state == "CANCELLING":
                break
            else:
                if state == "CANCELLED" and self._order.booking_id and versions.knows("slot-of-nothing-sent"):
                    # Nothing found a place, or was paid: nobody comes.
                    await self._give_booking_back()
                return state
        return await self._cancel()

    async def _close(self) -> str:
        self._counts["close"] += 1
        number = self._counts["close"]
        return await self._insist_on(calls.close_order, self._step("close" if number == 1 else f"close/{number}"))

    def _is_cancelling(self) -> bool:
        return self._cancelling or self._has("cancellation_requested")

    async def _cancel(self) -> str:
        await self._write_spoiled_off()
        await self._keep_what_is_packed()
        await self._unwind()
        return await self._insist_on(calls.complete_cancellation, self._step("cancelled"))

    async def _write_spoiled_off(self) -> None:
        """What has something on it is sold to nobody else when their holds end: the cancellation says which."""
        if not any(line.personalisations for line in self._order.lines):
            return
        # The answer of a step may come before what tells of it.
        await self._first_of("cancellation_requested")
        for share in self._happenings["cancellation_requested"].data.get("spoiled", []):
            lines = [
                Line(int(row["line_number"]), str(row["sku"]), int(row["quantity"])) for row in share["lines"]
            ]
            await self._write_off(str(share["fulfilment_id"]), str(share["point_id"]), lines)

    async def _keep_what_is_packed(self) -> None:
        """What is in a closed parcel is sold to nobody before it is unpacked: the cancellation says which."""
        if not self._room or not versions.knows("unpacked-first"):
            return
        # The answer of a step may come before what tells of it.
        await self._first_of("cancellation_requested")
        for share in self._happenings["cancellation_requested"].data.get("put_back", []):
            lines = [
                Line(
                    int(row["line_number"]),
                    str(row["sku"]),
                    int(row["quantity"]),
                    ordered_sku=str(row.get("ordered_sku", "")),
                )
                for row in share["lines"]
            ]
            await self._keep_packed(str(share["fulfilment_id"]), str(share["point_id"]), lines)

    async def _set_apart(self, lost: LostUnits) -> None:
        """Of units without a place, what is sold to nobody once it is free: engraved, or in a closed parcel."""
        await self._write_off(lost.fulfilment_id, lost.point_id, lost.spoiled)
        await self._keep_packed(lost.fulfilment_id, lost.point_id, lost.packed)

    async def _keep_packed(self, fulfilment_id: str, point_id: str, lines: list[Line]) -> None:
        for line in lines:
            request = DoubtRequest(
                request_id=kept_by(self._order.order_id, fulfilment_id, line),
                order_id=self._order.order_id,
                point_id=point_id,
                line=line,
                reason="packed",
                as_of=workflow.now().isoformat(),
            )
            await self._insist_on(calls.declare_doubted, request)

    async def _write_off(self, fulfilment_id: str, point_id: str, lines: list[Line]) -> None:
        for line in lines:
            request = DoubtRequest(
                request_id=self._key(f"write-off/{fulfilment_id}/{line.line_number}"),
                order_id=self._order.order_id,
                point_id=point_id,
                line=line,
                reason="personalised",
                as_of=workflow.now().isoformat(),
            )
            await self._insist_on(calls.declare_doubted, request)

    async def _unwind(self) -> None:
        """Undoes what was begun. The steps are independent: one that is stuck does not keep the others."""
        await asyncio.gather(*(undo() for undo in self._undo.values()))

    async def _unwind_payment(self) -> None:
        request = MoneyRequest(self._key("unwind"), self._order.order_id, "undo")
        await self._insist_on(calls.unwind_payment, request)

    async def _give_room_back(self, *legs: LegPlace) -> bool:
        """What legs took of points and carriers; of all of the order when none is named. False: it was nothing."""
        if not versions.knows("capacity"):
            return False
        request = CapacityRequest(self._order.order_id, list(legs))
        return await self._insist_on(calls.release_capacity, request)

    async def _give_all_room_back(self) -> None:
        await self._give_room_back(*await self._unused_room())

    async def _unused_room(self) -> list[LegPlace]:
        """None named is all of it. What was prepared for a hub has had its room."""
        may_forward = self._order.life_cycle.consolidates or self._comes_from_others()
        if not may_forward or not self._is_cancelling():
            return []
        # The answer of a step may come before what tells of it.
        await self._first_of("cancellation_requested")
        done = self._happenings["cancellation_requested"].data.get("forwarded", [])
        return [room for one, room in self._room.items() if one not in done] if done else []

    async def _give_booking_back(self) -> None:
        await self._insist_on(calls.release_booking, self._booking("give-booking-back"))

    # Steps with their arguments.

    def _plan_of(
        self,
        lines: list[Line],
        overlays: list[Overlay],
        quote_id: str,
        own_holds: Sequence[Hold] = (),
        replaced: Sequence[LegPlace] = (),
        supplies: Sequence[SupplyOverlay] = (),
    ) -> PlanRequest:
        now = workflow.now()
        cooling_off = 0 if self._promised_until else self._order.life_cycle.cooling_off_seconds
        wanted = PlanRequest(
            request_id=self._next_key("plan"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            country=self._order.country,
            postcode=self._order.postcode,
            mode=self._order.mode,
            lines=self._as_ordered(lines),
            as_of=now.isoformat(),
            not_before=(now + timedelta(seconds=cooling_off)).isoformat(),
            quote_id=quote_id,
            promised_until=self._promised_until,
            excluded=list(self._excluded),
            overlays=overlays,
            own_holds=list(own_holds),
            replaced=list(replaced),
            appointment=self._appointment,
            may_wait=self._order.may_wait,
            supplies=[*self._left, *supplies],
            collect_at=self._order.collect_at,
        )
        return self._as_chosen(wanted)

    def _as_ordered(self, lines: list[Line]) -> list[Line]:
        """With what is put on their units, wherever they were told of."""
        ordered = {line.line_number: line.personalisations for line in self._order.lines}
        return [replace(line, personalisations=ordered.get(line.line_number, [])) for line in lines]

    def _booking(self, step: str) -> BookingRequest:
        return BookingRequest(
            request_id=self._key(step),
            order_id=self._order.order_id,
            booking_id=self._order.booking_id,
            as_of=workflow.now().isoformat(),
            channel_id=self._order.channel_id,
            country=self._order.country,
            postcode=self._order.postcode,
        )

    def _hold_of(self, plan: Plan, seconds: int, also: Sequence[Hold] = ()) -> ReserveRequest:
        legs = [
            Hold(line.sku, leg.point_id, line.quantity)
            for leg in plan.legs
            for line in leg.lines
            if not line.supply_id
        ]
        return ReserveRequest(
            request_id=self._next_key("reserve"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            holds=[*also, *legs],
            time_to_live_seconds=0 if awaited_of(plan) else seconds,
            as_of=workflow.now().isoformat(),
            basket_id=self._basket_id,
        )

    async def _release(self, holds: list[Hold], reason: str) -> None:
        request = HoldChange(
            self._next_key("release-hold"), self._order.order_id, holds, reason, workflow.now().isoformat()
        )
        await self._insist_on(calls.release_hold, request)

    def _step(self, name: str, detail: str = "") -> OrderStep:
        return OrderStep(self._key(name), self._order.order_id, workflow.now().isoformat(), detail)

    def _key(self, step: str) -> str:
        return f"{workflow.info().workflow_id}/{step}"

    def _next_key(self, step: str) -> str:
        self._counts[step] += 1
        return self._key(f"{step}/{self._counts[step]}")

    def _show(self, status: str) -> None:
        workflow.upsert_search_attributes([search_attributes.ORDER_STATUS.value_set(status)])
