"""What a customer collects at a store: waited for at the counter; and asked for when the store does not have it.

Whether a code is right, what is due, and when nobody comes any more, the orders service decides; this story takes
the money, moves the stock, and finds the place that the customer chose.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from workflows import calls
from workflows.amending import CHANGE_TOLD
from workflows.attention import Story
from workflows.calls import StepFailed
from workflows.capturing import Capturing
from workflows.collection_messages import AskRequest, Choice, ClosingsRequest, DatesRequest, OptionsRequest
from workflows.messages import (
    Amount,
    CapacityRequest,
    Exclusion,
    FulfilmentInput,
    FulfilmentOutcome,
    FulfilmentStep,
    Hold,
    LegPlace,
    Line,
    LostUnits,
    MoneyRequest,
    OrderInput,
    OrderStep,
    Plan,
    PlanRequest,
    RerouteRequest,
)
from workflows.refusing import never_again, without

_E_RESERVATION = "DELIVERY_MODE_E_RESERVATION"
SHIP_TO_STORE = "DELIVERY_MODE_SHIP_TO_STORE"
_CHOSEN = "collection_chosen"
_NOT_COLLECTED = "not_collected"
_REFUND = "refund"
# The order is being cancelled as a whole, its money with it.
_CLOSED = "PAYMENT_CLOSED"


class Keeping(Capturing):
    """A story whose goods wait at the counter of their point."""

    if TYPE_CHECKING:
        # What the story of the fulfilment lends.
        _work: FulfilmentInput
        _point_id: str
        _is_prepared: bool

        def _key(self, step: str) -> str: ...
        def _step(
            self, name: str, detail: str = "", reason: str = "", next_try_at: str = ""
        ) -> FulfilmentStep: ...
        def _lines(self, kind: str, name: str) -> list[Line]: ...
        def _issued(self, kind: str) -> list[Line]: ...
        def _given_up(self) -> LostUnits | None: ...
        async def _capture(self, known_by: str) -> bool: ...
        async def _change_holds(
            self, change: "calls.ChangeHolds", step: str, lines: list[Line], reason: str
        ) -> None: ...

    async def _until_collected(self) -> FulfilmentOutcome:
        """Put aside and collected; or not, and what nobody took is given back."""
        if self._work.capture_at == "preparation" and not await self._capture("picked"):
            return FulfilmentOutcome("cancelled", self._given_up())
        if await self._first_of("cancelled", "ready_for_collection") == "ready_for_collection":
            await self._date_it()
        self._is_prepared = True
        attempt = 0
        while (told := await self._first_of("cancelled", "collected", "collecting")) == "collecting":
            attempt += 1
            await self._take_money(attempt)
        if told == "collected":
            await self._let_go()
            return FulfilmentOutcome("delivered")
        if not self._is_uncollected():
            return FulfilmentOutcome("cancelled", self._given_up())
        await self._give_back(self._held("cancelled", "lines"), self._happenings["cancelled"].data)
        room = CapacityRequest(self._work.order_id, [LegPlace(self._point_id, self._work.lines)])
        await self._insist_on(calls.release_capacity, room)
        return FulfilmentOutcome("cancelled")

    def _is_uncollected(self) -> bool:
        told = self._happenings.get("cancelled")
        return told is not None and told.data.get("reason") == _NOT_COLLECTED

    async def _date_it(self) -> None:
        """The opening days of the point say until when it is kept."""
        ready = self._happenings["ready_for_collection"].data
        days = int(ready["opening_days"])
        if not days:
            return
        ready_at = str(ready.get("ready_at") or workflow.now().isoformat())
        asked = ClosingsRequest(self._work.order_id, self._point_id, ready_at, days)
        closings = await self._insist_on(calls.closings, asked)
        # A lost task would ask again, and be told the same request with other days.
        await self._write_down()
        request = DatesRequest(
            request_id=self._key("collection-dates"),
            order_id=self._work.order_id,
            fulfilment_id=self._work.fulfilment_id,
            closings=closings,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(calls.set_collection_dates, request)

    async def _take_money(self, attempt: int) -> None:
        """That of what somebody takes who is at the counter; a decline leaves it there, and is tried no more."""
        asked = self._happenings.pop("collecting").data
        await self._write_down()
        request = MoneyRequest(
            request_id=self._key(f"capture/{asked['handing_at']}"),
            order_id=self._work.order_id,
            cause=f"parcel/{asked['parcel_id']}",
            amount=Amount(int(asked["amount_minor"]), str(asked["currency"])),
            point_id=self._point_id,
        )
        answer = await self._try_capture(request, attempt, calls.capture)
        if answer is None:
            # The payment was closed with the order: that telling will come.
            return
        name, outcome = f"captured/{attempt}", "captured"
        if answer.state != "succeeded":
            name, outcome = f"capture-failed/{attempt}", "failed"
        step = self._step(name, outcome, answer.failure_code)
        await self._insist_on(calls.record_capture, step)

    async def _let_go(self) -> None:
        """What was taken is out of the store's stock; what was left is its own again."""
        collected = self._happenings["collected"].data
        if lines := self._issued("collected"):
            await self._change_holds(calls.issue_stock, "issue", lines, f"parcel/{collected['parcel_id']}")
        if collected.get("left"):
            await self._give_back(self._held("collected", "left"), collected)

    def _held(self, kind: str, name: str) -> list[Line]:
        """Without what other points sent: that is no stock of the store, and a story of its own puts it there."""
        return self._lines(kind, "released" if "released" in self._happenings[kind].data else name)

    async def _give_back(self, lines: list[Line], told: dict[str, Any]) -> None:
        """Units that nobody took, and what was only authorised for them; what was captured, orders refunds."""
        if lines:
            await self._change_holds(calls.release_hold, "give-back", lines, "not collected")
        amount = Amount(int(told["no_longer_due_minor"]), str(told["currency"]))
        if not amount.amount_minor:
            return
        step = calls.refund if self._work.paid_by_channel else calls.void
        request = MoneyRequest(self._key("void"), self._work.order_id, "not collected", amount)
        try:
            await self._insist_on(step, request, unless=_CLOSED.__eq__)
        except StepFailed:
            # The whole order is undone meanwhile, and all of its money let go.
            return


class Asking(Story):
    """A story of an order that its customer collects: nothing of it goes elsewhere unless he says so."""

    if TYPE_CHECKING:
        # What the story of the order lends.
        _order: OrderInput
        _excluded: list[Exclusion]
        _gone: dict[str, LegPlace]
        _lost: list[LostUnits]
        _rounds: int
        _paid_by_channel: bool

        def _key(self, step: str) -> str: ...
        def _step(self, name: str, detail: str = "") -> OrderStep: ...
        async def _carry_out_changes(self) -> None: ...
        async def _find_place(self, lost: LostUnits, gone: list[LegPlace]) -> Plan | None: ...
        async def _give_room_back(self, *legs: LegPlace) -> bool: ...
        async def _give_money_up(self, amount: Amount, lost: LostUnits) -> None: ...
        async def _release(self, holds: list[Hold], reason: str) -> None: ...
        def _take_room(self, works: Sequence[FulfilmentInput], decision_id: str) -> None: ...
        def _start(self, fulfilments: list[FulfilmentInput]) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        # What the customer chose, while a place is looked for.
        self._choice: Choice | None = None
        # Something of it goes where the customer said instead; or comes to its store from others, as he said.
        self._is_redirected = False
        self._is_sent_there = False

    def _is_paid_in_store(self) -> bool:
        return self._order.mode == _E_RESERVATION

    def _is_asked_about(self, lost: LostUnits) -> bool:
        return self._may_ask(lost) and not self._is_sent_again(lost)

    def _may_ask(self, lost: LostUnits) -> bool:
        return bool(self._order.collect_at) and not lost.given_up and not lost.replaces

    def _comes_from_others(self) -> bool:
        """Whether its store is where parcels of other points meet."""
        return self._order.mode == SHIP_TO_STORE or self._is_sent_there

    def _is_sent_again(self, lost: LostUnits) -> bool:
        """Whether other points may send it to its store, which is where the customer expects it.

        Not to a store that does not want the work, nor once the customer wanted something else.
        """
        is_its_store = lost.held and lost.point_id == self._order.collect_at
        return self._order.mode == SHIP_TO_STORE and not is_its_store and not self._is_redirected

    def _as_chosen(self, wanted: PlanRequest) -> PlanRequest:
        """The question for a place, where the customer wants it now."""
        choice = self._choice
        if choice is None:
            return wanted
        return replace(
            wanted,
            mode=choice.mode,
            country=choice.country,
            postcode=choice.postcode,
            collect_at=choice.point_id,
        )

    async def _ask_and_follow(self, lost: LostUnits) -> None:
        """The customer says what becomes of the units; what he chose and cannot be had any more is asked again."""
        self._excluded += [one for one in never_again(lost) if one not in self._excluded]
        if gone := self._gone.pop(lost.fulfilment_id, None):
            await self._give_room_back(gone)
        while True:
            self._rounds += 1
            choice = await self._choice_of(lost)
            if choice is None or await self._follow_choice(replace(lost, lines=choice.lines), choice):
                return

    async def _choice_of(self, lost: LostUnits) -> Choice | None:
        """None when the order is being cancelled."""
        order, now = self._order, workflow.now().isoformat()
        asked = OptionsRequest(
            order_id=order.order_id,
            channel_id=order.channel_id,
            point_id=order.collect_at if self._comes_from_others() else lost.point_id,
            mode=order.mode,
            country=order.country,
            postcode=order.postcode,
            lines=lost.lines,
            as_of=now,
        )
        found = await self._insist_on(calls.collection_options, asked)
        # A lost task would find other options, and ask twice.
        await self._write_down()
        tried = {one.point_id for one in self._excluded if not one.sku}
        request = AskRequest(
            request_id=self._key(f"ask/{self._rounds}"),
            order_id=order.order_id,
            fulfilment_id=lost.fulfilment_id,
            lines=lost.lines,
            reason=lost.reason,
            options=[one for one in found if one.point_id not in tried],
            as_of=workflow.now().isoformat(),
        )
        choice_id = await self._insist_on(calls.ask_customer, request)
        if not choice_id or not await self._is_answered(choice_id):
            return None
        return await self._insist_on(calls.read_choice, self._step(f"choice/{self._rounds}", choice_id))

    async def _is_answered(self, choice_id: str) -> bool:
        """By the customer, or by time; False when the order is cancelled before."""
        while True:
            told = await self._first_of("cancellation_requested", _CHOSEN, CHANGE_TOLD)
            if told == "cancellation_requested":
                return False
            if told == CHANGE_TOLD:
                await self._carry_out_changes()
            elif str(self._happenings.pop(told).data["choice_id"]) == choice_id:
                await self._write_down()
                return True

    async def _follow_choice(self, lost: LostUnits, choice: Choice) -> bool:
        """False when what was chosen cannot be had any more."""
        if not lost.lines:
            # They were cancelled meanwhile, each with its stock and money.
            return True
        plan = await self._place_of(lost, choice) if choice.kind != _REFUND else None
        if plan is None and choice.kind != _REFUND:
            return False
        legs = plan.legs if plan else []
        self._is_redirected |= plan is not None
        self._is_sent_there |= plan is not None and choice.mode == SHIP_TO_STORE
        cancelled = [] if plan else lost.lines
        if rest := without(lost.lines, legs) if plan else []:
            self._lost.append(replace(lost, lines=rest))
        if cancelled and lost.held:
            holds = [Hold(line.sku, lost.point_id, line.quantity) for line in cancelled]
            await self._release(holds, "not wanted elsewhere")
        request = RerouteRequest(
            request_id=self._key(f"reroute/{self._rounds}"),
            order_id=self._order.order_id,
            legs=legs,
            cancelled=cancelled,
            reason=lost.reason,
            decision_id=plan.decision_id if plan else "",
            paid_by_channel=self._paid_by_channel,
            as_of=workflow.now().isoformat(),
        )
        rerouted = await self._insist_on(calls.reroute_units, request)
        if rerouted.no_longer_due:
            await self._give_money_up(rerouted.no_longer_due, lost)
        self._take_room(rerouted.fulfilments, request.decision_id)
        self._start(rerouted.fulfilments)
        return True

    async def _place_of(self, lost: LostUnits, choice: Choice) -> Plan | None:
        self._choice = choice
        try:
            return await self._find_place(lost, [])
        finally:
            self._choice = None
