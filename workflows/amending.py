"""Changing an order that stands: what orders decided, or was asked for, carried out in stock and money."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from workflows import calls, policies
from workflows.capturing import Capturing
from workflows.messages import (
    Amount,
    AmountChange,
    Applied,
    ApplyRequest,
    ChangeRefusal,
    FulfilmentInput,
    Happening,
    Hold,
    HoldChange,
    LegPlace,
    MoneyRequest,
    Option,
    OrderInput,
    OrderStep,
    Overlay,
    PaymentAnswer,
    Plan,
    PlanRequest,
    Proposal,
    Refusal,
    ReserveRequest,
    Shortfall,
)
from workflows.refusing import Refused, believe, no_place, sold_out

_TOLD = ("lines_cancelled", "change_proposed")
# The kind of a change by which an order stops waiting.
_PLAN_AGAIN = "plan_again"
# As if it were a kind of event: some change waits to be carried out.
CHANGE_TOLD = "change_told"


@dataclass
class More:
    """What was had for a change that is not applied yet."""

    legs: list[LegPlace] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    is_raised: bool = False


class Amending(Capturing):
    """A story of an order that may be changed. One change at a time, in the order in which they were told."""

    if TYPE_CHECKING:
        # What the story of the order lends.
        _order: OrderInput
        _paid_by_channel: bool
        _promised_until: str
        # Its means is kept: whatever it comes to is authorised later.
        _is_kept: bool

        def _key(self, step: str) -> str: ...
        async def _plan_again(self, change_id: str, wanted: Proposal) -> None: ...
        def _is_cancelling(self) -> bool: ...
        async def _give_up(self, supply_id: str, quantity: int) -> None: ...
        async def _give_room_back(self, *legs: LegPlace) -> bool: ...

    def __init__(self) -> None:
        super().__init__()
        self._changes: list[Happening] = []
        # The work that the order is to be prepared by, and the room that its legs took.
        self._works: list[FulfilmentInput] = []
        self._room: dict[str, LegPlace] = {}

    def _note(self, kind: str, happening: Happening) -> None:
        """Changes are taken one by one: none is forgotten for a newer one."""
        if kind in _TOLD:
            self._changes.append(happening)
        else:
            super()._note(kind, happening)

    def _has(self, kind: str) -> bool:
        return bool(self._changes) if kind == CHANGE_TOLD else super()._has(kind)

    def _take_room(self, works: Sequence[FulfilmentInput], decision_id: str) -> None:
        for work in works:
            # What goes on from a hub took its room whatever it holds.
            lines = [] if work.consolidates and not work.collected else work.lines
            self._room[work.fulfilment_id] = LegPlace(work.point_id, lines, decision_id)

    async def _carry_out_changes(self) -> None:
        """What was told until now; nothing of an order that is being cancelled, which is undone as a whole."""
        while self._changes and not self._is_cancelling():
            change = self._changes.pop(0)
            await self._write_down()
            if change.type.endswith(".lines_cancelled"):
                await self._take_lines_back(change.data)
            else:
                await self._change_content(str(change.data["change_id"]))

    async def _take_lines_back(self, told: dict[str, Any]) -> None:
        """The stock and the money of units that are not wanted; the room of work that is left without any."""
        change_id = str(told["change_id"])
        holds = [
            Hold(str(line["sku"]), str(share["point_id"]), int(line["quantity"]))
            for share in told["released"]
            for line in share["lines"]
        ]
        supplies = [(share, one) for share in told["released"] for one in share.get("supplies", ())]
        if supplies:
            to_come = [
                Hold(str(one["sku"]), str(share["point_id"]), int(one["quantity"])) for share, one in supplies
            ]
            holds = _minus(holds, to_come)
        if holds:
            await self._insist_on(calls.release_hold, self._hold_change(change_id, "release", holds))
        for _, one in supplies:
            await self._give_up(str(one["supply_id"]), int(one["quantity"]))
        await self._give_emptied_room_back(told["released"])
        currency = str(told["currency"])
        if (amount := int(told["no_longer_due_minor"])) and not self._is_kept:
            # A channel that was paid is asked to refund.
            give = calls.refund if self._paid_by_channel else calls.void
            cause = f"change/{change_id}"
            request = MoneyRequest(
                self._change_key(change_id, "give-up"), self._order.order_id, cause, Amount(amount, currency)
            )
            await self._insist_on(give, request)
        self._order = replace(self._order, total=Amount(int(told["due_minor"]), currency))
        await self._settle(change_id)

    async def _give_emptied_room_back(self, released: list[dict[str, Any]]) -> None:
        """Of work without any units left. Where another point took it, its room has followed, or will not now."""
        points = {str(share["fulfilment_id"]): str(share["point_id"]) for share in released if share["emptied"]}
        rooms = [(self._room.pop(work), point) for work, point in points.items() if work in self._room]
        if stayed := [room for room, point in rooms if room.point_id == point]:
            await self._give_room_back(*stayed)
        for room, point in rooms:
            if room.point_id != point and not await self._give_room_back(room):
                await self._give_room_back(replace(room, point_id=point))

    async def _settle(self, change_id: str) -> None:
        await self._insist_on(calls.settle_change, self._change_step(change_id, "settle"))

    def _hold_change(self, change_id: str, step: str, holds: list[Hold]) -> HoldChange:
        return HoldChange(
            self._change_key(change_id, step),
            self._order.order_id,
            holds,
            f"change/{change_id}",
            workflow.now().isoformat(),
        )

    def _change_step(self, change_id: str, step: str) -> OrderStep:
        return OrderStep(
            self._change_key(change_id, step), self._order.order_id, workflow.now().isoformat(), change_id
        )

    def _change_key(self, change_id: str, step: str) -> str:
        return self._key(f"{change_id}/{step}")

    # Other content: what it needs more of first, then the decision, then what it needs less of.

    async def _change_content(self, change_id: str) -> None:
        """Applied whole, or undone; which of both the orders service decides."""
        wanted = await self._insist_on(calls.read_proposal, self._change_step(change_id, "proposal"))
        # A lost task would read again, and find what it has applied itself.
        await self._write_down()
        if wanted.state != "proposed":
            # Refused before anything was done for it.
            await self._settle(change_id)
            return
        if wanted.kind == _PLAN_AGAIN:
            await self._plan_again(change_id, wanted)
            return
        more = More()
        try:
            plan = await self._find_more(change_id, wanted, more)
            await self._raise_amount(change_id, wanted, more)
        except Refused as refused:
            await self._undo_change(change_id, wanted, more)
            await self._refuse_change(change_id, refused)
            return
        applied = await self._apply_change(change_id, plan)
        if applied.state != "applied":
            await self._undo_change(change_id, wanted, more)
        else:
            await self._follow_change(change_id, wanted, plan, applied)
        await self._settle(change_id)

    async def _find_more(self, change_id: str, wanted: Proposal, more: More) -> Plan:
        """A plan of all of it, with what it needs beyond what the order holds; within bounds."""
        overlays: list[Overlay] = []
        shortfalls: list[Shortfall] = []
        for number in range(1, policies.PLAN_ATTEMPTS + 1):
            plan = await self._insist_on(calls.plan_order, self._plan_change(change_id, number, wanted, overlays))
            more.legs = rooms_of(plan)
            _check_plan(plan, wanted, self._promised_until)
            holds = _minus(holds_of(plan), wanted.held)
            if not holds:
                return plan
            answer = await self._insist_on(calls.reserve, self._reserve_more(change_id, number, holds))
            if answer.held:
                more.holds = holds
                return plan
            await self._give_room_back(*more.legs)
            more.legs = []
            shortfalls = answer.shortfalls
            overlays = believe(overlays, shortfalls)
        raise Refused(sold_out(wanted.lines, shortfalls))

    async def _raise_amount(self, change_id: str, wanted: Proposal, more: More) -> None:
        """What it costs more is authorised before it stands."""
        if wanted.total.amount_minor <= wanted.due.amount_minor or self._is_kept:
            return
        if not wanted.due.amount_minor:
            # Nothing was authorised with the order: there is no payment that could be raised.
            raise Refused(Refusal("PAYMENT_DECLINED", "nothing_was_authorised"))
        payment = await self._change_amount(change_id, "raise", wanted.total)
        if payment.status not in ("authorized", "paid_by_channel"):
            raise Refused(Refusal("PAYMENT_DECLINED", payment.decline_code or payment.status))
        more.is_raised = True

    async def _change_amount(self, change_id: str, step: str, total: Amount) -> PaymentAnswer:
        request = AmountChange(
            self._change_key(change_id, step), self._order.order_id, total, f"change/{change_id}"
        )
        return await self._insist_on(calls.change_amount, request)

    async def _apply_change(self, change_id: str, plan: Plan) -> Applied:
        request = ApplyRequest(
            request_id=self._change_key(change_id, "apply"),
            order_id=self._order.order_id,
            change_id=change_id,
            legs=plan.legs,
            promise_start=plan.window_start,
            promise_end=plan.window_end,
            decision_id=plan.decision_id,
            paid_by_channel=self._paid_by_channel,
            as_of=workflow.now().isoformat(),
            onward=plan.onward,
        )
        return await self._insist_on(calls.apply_change, request)

    async def _follow_change(self, change_id: str, wanted: Proposal, plan: Plan, applied: Applied) -> None:
        """The order is another: what it held and does not need is given back."""
        if less := _minus(wanted.held, holds_of(plan)):
            await self._insist_on(calls.release_hold, self._hold_change(change_id, "release", less))
        # It is planned from what is there: what it waited for is for others.
        for one in wanted.awaited:
            await self._give_up(one.supply_id, one.units)
        if self._room:
            await self._give_room_back(*self._room.values())
        if wanted.total.amount_minor < wanted.due.amount_minor and not self._is_kept:
            await self._change_amount(change_id, "lower", wanted.total)
        self._order = replace(
            self._order,
            country=wanted.country,
            postcode=wanted.postcode,
            mode=wanted.mode,
            lines=wanted.lines,
            total=wanted.total,
        )
        self._promised_until = plan.window_end
        self._works = applied.fulfilments
        self._room = {}
        self._take_room(applied.fulfilments, plan.decision_id)

    async def _undo_change(self, change_id: str, wanted: Proposal, more: More) -> None:
        """What was had for it, and no more: the order stands as it was."""
        if more.holds:
            await self._insist_on(calls.release_hold, self._hold_change(change_id, "undo", more.holds))
        if more.legs:
            await self._give_room_back(*more.legs)
        if more.is_raised:
            await self._change_amount(change_id, "undo-raise", wanted.due)

    async def _refuse_change(self, change_id: str, refused: Refused) -> None:
        request = ChangeRefusal(
            request_id=self._change_key(change_id, "refuse"),
            order_id=self._order.order_id,
            change_id=change_id,
            refusal=refused.refusal,
            options=refused.options,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(calls.refuse_change, request)
        await self._settle(change_id)

    def _plan_change(self, change_id: str, number: int, wanted: Proposal, overlays: list[Overlay]) -> PlanRequest:
        now = workflow.now()
        return PlanRequest(
            request_id=self._change_key(change_id, f"plan/{number}"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            country=wanted.country,
            postcode=wanted.postcode,
            mode=wanted.mode,
            lines=wanted.lines,
            as_of=now.isoformat(),
            not_before=max(now, datetime.fromisoformat(wanted.cooling_off_until)).isoformat(),
            quote_id="" if wanted.accepts_later else wanted.quote_id,
            collect_at=self._order.collect_at,
            promised_until=self._promised_until,
            overlays=overlays,
            own_holds=wanted.held,
            check_required=True,
            # What is paid later goes by no hub, as at placement.
            may_consolidate=self._order.life_cycle.consolidates and not self._is_kept,
        )

    def _reserve_more(self, change_id: str, number: int, holds: list[Hold]) -> ReserveRequest:
        return ReserveRequest(
            request_id=self._change_key(change_id, f"reserve/{number}"),
            order_id=self._order.order_id,
            channel_id=self._order.channel_id,
            holds=holds,
            time_to_live_seconds=0,
            as_of=workflow.now().isoformat(),
        )


def _check_plan(plan: Plan, wanted: Proposal, promised_until: str) -> None:
    """Raises Refused for a plan that whoever asked has not agreed to."""
    if plan.quote_broken:
        raise Refused(Refusal("PROMISE_CHANGED", "the promise that was shown cannot be kept"), plan.options)
    if plan.unplanned:
        raise Refused(no_place(plan.unplanned))
    is_later = datetime.fromisoformat(plan.window_end) > datetime.fromisoformat(promised_until)
    if is_later and not wanted.quote_id and not wanted.accepts_later:
        as_asked = Amount(0, "")
        found = Option(wanted.mode, plan.window_start, plan.window_end, as_asked, len(plan.legs))
        raise Refused(Refusal("PROMISE_CHANGED", "it would arrive later than promised"), [found])


def rooms_of(plan: Plan) -> list[LegPlace]:
    """What a plan took of points and carriers, with what goes on from a hub."""
    legs = [LegPlace(leg.point_id, leg.lines, plan.decision_id) for leg in plan.legs]
    return [*legs, LegPlace(plan.onward.point_id, [], plan.decision_id)] if plan.onward else legs


def holds_of(plan: Plan) -> list[Hold]:
    """What a plan needs of stock that is there."""
    return [Hold(line.sku, leg.point_id, line.quantity) for leg in plan.legs for line in leg.lines]


def _minus(holds: Sequence[Hold], others: Sequence[Hold]) -> list[Hold]:
    """What of the first is not in the others, by article and point."""
    left = Counter[tuple[str, str]]()
    for one in holds:
        left[one.sku, one.point_id] += one.quantity
    for one in others:
        left[one.sku, one.point_id] -= one.quantity
    return [Hold(sku, point_id, count) for (sku, point_id), count in sorted(left.items()) if count > 0]
