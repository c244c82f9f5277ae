"""Units to come that nobody wants to wait for any more, or that a point is not to prepare, had from what is there.

What they need is held before anything is given up: so whoever tries loses nothing. Else all stays as it was.
"""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from workflows import calls, policies
from workflows.amending import Amending, More, holds_of
from workflows.messages import (
    Amount,
    Exclusion,
    FulfilmentInput,
    LegPlace,
    Line,
    Option,
    Overlay,
    Plan,
    PlanRequest,
    Proposal,
    Refusal,
    Shortfall,
)
from workflows.refusing import Refused, believe, no_place, sold_out

_TAKEN_AWAY = "planned_again"


class PlanningAgain(Amending):
    """A story of an order that may stop waiting."""

    if TYPE_CHECKING:
        # What the story of the order lends.
        _excluded: list[Exclusion]

        def _plan_of(self, lines: list[Line], overlays: list[Overlay], quote_id: str) -> PlanRequest: ...
        def _start(self, fulfilments: list[FulfilmentInput]) -> None: ...

    async def _plan_again(self, change_id: str, wanted: Proposal) -> None:
        if not (wanted.leaving if wanted.leaves else wanted.awaited):
            begun = Refusal("TOO_LATE_TO_CHANGE", f"{wanted.leaves} has begun it")
            came = Refusal("NOTHING_AWAITED", "what it waited for has come")
            await self._refuse_change(change_id, Refused(begun if wanted.leaves else came))
            return
        more = More()
        try:
            plan = await self._find_there(change_id, wanted, more)
        except Refused as refused:
            await self._undo_change(change_id, wanted, more)
            await self._refuse_change(change_id, refused)
            return
        applied = await self._apply_change(change_id, plan)
        if applied.state != "applied":
            await self._undo_change(change_id, wanted, more)
        elif wanted.leaves:
            await self._take_away(change_id, wanted)
            self._take_room(applied.fulfilments, plan.decision_id)
            self._start(applied.fulfilments)
        else:
            for one in wanted.awaited:
                await self._give_up(one.supply_id, one.units)
            if rooms := [self._room.pop(work) for work in wanted.emptied if work in self._room]:
                await self._give_room_back(*rooms)
            self._take_room(applied.fulfilments, plan.decision_id)
            self._start(applied.fulfilments)
        await self._settle(change_id)

    async def _take_away(self, change_id: str, wanted: Proposal) -> None:
        """What the point held and had room for; it is not asked again."""
        self._excluded.append(Exclusion(wanted.leaves, _TAKEN_AWAY))
        await self._insist_on(calls.release_hold, self._hold_change(change_id, "release", wanted.leaving))
        await self._give_emptied_room_back(
            [{"fulfilment_id": one, "point_id": wanted.leaves, "emptied": True} for one in wanted.emptied]
        )

    async def _find_there(self, change_id: str, wanted: Proposal, more: More) -> Plan:
        """A plan without anything to come, that arrives earlier, with its stock held; within bounds."""
        overlays: list[Overlay] = []
        shortfalls: list[Shortfall] = []
        for number in range(1, policies.PLAN_ATTEMPTS + 1):
            asked = self._plan_of(wanted.lines, overlays, "")
            request_id = self._change_key(change_id, f"plan/{number}")
            asked = replace(asked, request_id=request_id, may_wait=False, supplies=[])
            if wanted.leaves:
                asked.excluded.append(Exclusion(wanted.leaves, _TAKEN_AWAY))
            plan = await self._insist_on(calls.plan_order, asked)
            more.legs = [LegPlace(leg.point_id, leg.lines, plan.decision_id) for leg in plan.legs]
            _check_better(plan, wanted)
            holds = holds_of(plan)
            answer = await self._insist_on(calls.reserve, self._reserve_more(change_id, number, holds))
            if answer.held:
                more.holds = holds
                return plan
            await self._give_room_back(*more.legs)
            more.legs = []
            shortfalls = answer.shortfalls
            overlays = believe(overlays, shortfalls)
        raise Refused(sold_out(wanted.lines, shortfalls))


def _check_better(plan: Plan, wanted: Proposal) -> None:
    """Raises Refused where it is better to wait on."""
    if plan.unplanned or not plan.legs:
        raise Refused(no_place(plan.unplanned))
    if wanted.leaves:
        return
    arrives = datetime.fromisoformat(plan.window_end)
    if wanted.expected_by and arrives >= datetime.fromisoformat(wanted.expected_by):
        found = Option(wanted.mode, plan.window_start, plan.window_end, Amount(0, ""), len(plan.legs))
        raise Refused(Refusal("PROMISE_CHANGED", "it would arrive no earlier than what is waited for"), [found])
