"""An order that waits for stock to come: what becomes of its deliveries, followed in stock and orders.

inventory tells what came, and what will not; orders knows which work waits, and holds it until all is there.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from workflows import calls
from workflows.attention import Story
from workflows.messages import (
    Happening,
    Hold,
    HoldAnswer,
    LegPlace,
    Line,
    LostUnits,
    OrderInput,
    Overlay,
    Plan,
    PlanRequest,
    ReserveRequest,
    SupplyOverlay,
)
from workflows.supply_messages import SupplyAnswer, SupplyRequest, SupplyShare, SupplyStep, SupplyUnits

_TOLD = "oms.inventory.expected."
# Why units look for another place, by what is told of their delivery.
_REASONS = {"short": "supply_short", "cancelled": "supply_cancelled", "late": "supply_late"}
_ENDS = ("short", "cancelled")
# Takes a step: as often as it needs, or as the placement does.
Ask = Callable[[Callable[[Any], Awaitable[Any]], Any], Awaitable[Any]]


class Waiting(Story):
    """A story of an order some of whose units may be still to come."""

    if TYPE_CHECKING:
        # What the story of the order lends.
        _order: OrderInput
        _lost: list[LostUnits]
        _gone: dict[str, LegPlace]
        _room: dict[str, LegPlace]

        def _next_key(self, step: str) -> str: ...
        def _is_cancelling(self) -> bool: ...
        async def _give_room_back(self, *legs: LegPlace) -> bool: ...
        async def _release(self, holds: list[Hold], reason: str) -> None: ...
        def _plan_of(self, lines: list[Line], overlays: list[Overlay], quote_id: str) -> PlanRequest: ...

    def __init__(self) -> None:
        super().__init__()
        self._supplies: list[Happening] = []
        # By delivery: units that are not wanted, and came or were lost before they could be given back.
        self._given_up = Counter[str]()
        # What came of deliveries that nobody waits for any more, before this story was told that it was given up.
        self._unwanted: dict[str, Hold] = {}
        # Deliveries that are too late for the order: it is not planned with them again.
        self._left: list[SupplyOverlay] = []

    def _note(self, kind: str, happening: Happening) -> None:
        """Each is taken by itself: they say what changed, not how things stand."""
        if happening.type.startswith(_TOLD):
            self._supplies.append(happening)
        else:
            super()._note(kind, happening)

    # Holding units that are to come.

    async def _hold(self, request: ReserveRequest, plan: Plan, ask: Ask) -> HoldAnswer:
        """What is there and what is to come: both or neither."""
        awaited = awaited_of(plan)
        if request.holds:
            answer: HoldAnswer = await ask(calls.reserve, request)
            if not answer.held:
                return answer
        answer = await self._hold_supplies(awaited, ask)
        if not answer.held and request.holds:
            await self._release(request.holds, "undo")
        return answer

    async def _hold_supplies(self, awaited: Sequence[SupplyOverlay], ask: Ask) -> HoldAnswer:
        if not awaited:
            return HoldAnswer(True)
        units = [SupplyUnits(one.supply_id, one.units) for one in awaited]
        answer: SupplyAnswer = await ask(calls.reserve_supply, self._supply_request("reserve-supply", units))
        left = {one.supply_id: one.quantity for one in answer.available}
        refused = [replace(one, units=left[one.supply_id]) for one in awaited if one.supply_id in left]
        return HoldAnswer(answer.held, supplies=refused)

    async def _release_supplies(self, units: list[SupplyUnits]) -> dict[str, int]:
        """How many of each delivery had not come yet; without units, all that the order waits for."""
        request = self._supply_request("release-supply", units)
        released = await self._insist_on(calls.release_supply, request)
        return {one.supply_id: one.quantity for one in released}

    async def _give_up(self, supply_id: str, quantity: int) -> None:
        """Units that are not wanted. Of those that it is too late for, it is to be told yet whether they came."""
        released = await self._release_supplies([SupplyUnits(supply_id, quantity)])
        came = quantity - released.get(supply_id, 0)
        known = self._unwanted.get(supply_id)
        if known and (count := min(came, known.quantity)):
            self._unwanted[supply_id] = replace(known, quantity=known.quantity - count)
            await self._release([replace(known, quantity=count)], "not wanted")
            came -= count
        self._given_up[supply_id] += came

    def _supply_request(self, step: str, units: list[SupplyUnits]) -> SupplyRequest:
        return SupplyRequest(
            self._next_key(step),
            self._order.order_id,
            self._order.channel_id,
            units,
            workflow.now().isoformat(),
        )

    # What becomes of deliveries.

    async def _follow_supplies(self) -> None:
        """What was told until now; nothing of an order that is being cancelled, which is undone as a whole."""
        while self._supplies and not self._is_cancelling():
            told = self._supplies.pop(0)
            await self._write_down()
            what = told.type.removeprefix(_TOLD)
            supply_id, quantity = str(told.data["delivery_id"]), int(told.data["quantity"])
            if what in ("served", *_ENDS):
                quantity -= await self._without_given_up(what, told.data, quantity)
            if not quantity:
                continue
            if what == "served":
                await self._take_served(told.data, quantity)
            elif what in _ENDS:
                await self._lose(supply_id, quantity, _REASONS[what])
            else:
                shares = await self._record("moved", supply_id, due_at=str(told.data.get("due_at") or ""))
                if what == "late" and shares:
                    await self._look_elsewhere(supply_id, shares, is_dated=bool(told.data.get("due_at")))

    async def _take_served(self, told: dict[str, Any], quantity: int) -> None:
        """Of what came, more may be there than is waited for: its giving up was not told yet."""
        supply_id = str(told["delivery_id"])
        shares = await self._record("served", supply_id, quantity)
        if more := quantity - sum(line.quantity for share in shares for line in share.lines):
            known = self._unwanted.get(supply_id)
            count = more + (known.quantity if known else 0)
            self._unwanted[supply_id] = Hold(str(told["sku"]), str(told["point_id"]), count)

    async def _without_given_up(self, what: str, told: dict[str, Any], quantity: int) -> int:
        """How many of the units were given up before this was told; those that came are given back."""
        supply_id = str(told["delivery_id"])
        count = min(quantity, self._given_up[supply_id])
        self._given_up[supply_id] -= count
        if count and what == "served":
            await self._release([Hold(str(told["sku"]), str(told["point_id"]), count)], "not wanted")
        return count

    async def _lose(self, supply_id: str, quantity: int, reason: str) -> None:
        """Units of it are not held any more: they look for another place."""
        for share in await self._record("lost", supply_id, quantity, reason=reason):
            if share.emptied and share.fulfilment_id in self._room:
                self._gone[share.fulfilment_id] = self._room.pop(share.fulfilment_id)
            lost = LostUnits(share.fulfilment_id, share.point_id, share.lines, reason, held=False)
            self._lost.append(replace(lost, supply_id=supply_id))

    async def _look_elsewhere(self, supply_id: str, shares: list[SupplyShare], *, is_dated: bool) -> None:
        """A late delivery is left for a place from which its units arrive earlier; else it is waited for."""
        lines = [line for share in shares for line in share.lines]
        without = SupplyOverlay(lines[0].sku, shares[0].point_id, supply_id, 0)
        wanted = replace(self._plan_of(_summed(lines), [], ""), supplies=[*self._left, without])
        plan = await self._insist_on(calls.plan_order, wanted)
        if not plan.legs:
            return
        # This was a look: whoever goes there plans again, with what is then to be had.
        await self._give_room_back(*(LegPlace(leg.point_id, leg.lines, plan.decision_id) for leg in plan.legs))
        if plan.unplanned or (is_dated and not _is_earlier(plan, shares)):
            return
        self._left.append(without)
        waiting = sum(line.quantity for line in lines)
        released = await self._release_supplies([SupplyUnits(supply_id, waiting)])
        # What came meanwhile is there: of that, another telling is under way.
        if count := released.get(supply_id, 0):
            await self._lose(supply_id, count, _REASONS["late"])

    async def _record(
        self, outcome: str, supply_id: str, quantity: int = 0, *, due_at: str = "", reason: str = ""
    ) -> list[SupplyShare]:
        step = SupplyStep(
            request_id=self._next_key("supply"),
            order_id=self._order.order_id,
            supply_id=supply_id,
            outcome=outcome,
            as_of=workflow.now().isoformat(),
            quantity=quantity,
            due_at=due_at,
            reason=reason,
        )
        return await self._insist_on(calls.record_supply, step)


def awaited_of(plan: Plan) -> list[SupplyOverlay]:
    """The units of a plan that are still to come, by delivery."""
    found: dict[str, SupplyOverlay] = {}
    for leg in plan.legs:
        for line in leg.lines:
            if line.supply_id:
                before = found[line.supply_id].units if line.supply_id in found else 0
                units = before + line.quantity
                found[line.supply_id] = SupplyOverlay(line.sku, leg.point_id, line.supply_id, units)
    return list(found.values())


def _summed(lines: Sequence[Line]) -> list[Line]:
    units = Counter[tuple[int, str]]()
    for line in lines:
        units[line.line_number, line.sku] += line.quantity
    return [Line(line_number, sku, quantity) for (line_number, sku), quantity in sorted(units.items())]


def _is_earlier(plan: Plan, shares: Sequence[SupplyShare]) -> bool:
    """Than the last of the parcels that wait is expected."""
    expected = [datetime.fromisoformat(share.window_end) for share in shares if share.window_end]
    return not expected or datetime.fromisoformat(plan.window_end) < max(expected)
