"""The story of a preparation order: offered to a point, picked, packed, paid, handed over, delivered."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls, policies, versions
    from workflows.collecting import Keeping
    from workflows.consolidating import HANDED_OVER, SET_ASIDE, Consolidating, minus
    from workflows.messages import (
        SPOILED,
        Amount,
        Competing,
        FulfilmentInput,
        FulfilmentOutcome,
        FulfilmentStep,
        Happening,
        Hold,
        HoldChange,
        Line,
        LostUnits,
        MoneyRequest,
        Offered,
    )
    from workflows.offer_messages import DoubtRequest
    from workflows.offering import NOBODY, STOCK_IN_DOUBT, Offering
    from workflows.substituting import Substituting

# Why orders cancels the work of one parcel and not of the whole order.
_UNPAID = "payment_failed"


@workflow.defn(name="FulfilmentWorkflow")
class FulfilmentWorkflow(Offering, Keeping, Consolidating, Substituting):
    """Drives one fulfilment to its end. The orders service decides each race; this story is told."""

    @workflow.init
    def __init__(self, work: FulfilmentInput) -> None:
        super().__init__(work)
        self._captured = False
        self._is_prepared = False
        self._offers = 0
        # Told, and not planned anew yet.
        self._spoiled: list[Happening] = []
        self._spoilings = 0
        # With them the work ended: none was left.
        self._all_spoiled: LostUnits | None = None

    def _note(self, kind: str, happening: Happening) -> None:
        """Units may be spoiled several times: none is forgotten for a newer one."""
        if kind == "spoiled":
            self._spoiled.append(happening)
        else:
            super()._note(kind, happening)

    def _has(self, kind: str) -> bool:
        if kind == "spoiled":
            return bool(self._spoiled)
        # It was accepted, picked and put aside or sent before: all of that is heard first, however late.
        is_last = kind == "cancelled" and (self._is_uncollected() or self._is_forwarded())
        return super()._has(kind) and (self._is_prepared or not is_last)

    @workflow.run
    async def run(self, work: FulfilmentInput) -> FulfilmentOutcome:
        """Ends `delivered` or `returned`, or says which units need another place, or that they were cancelled."""
        if work.competing:
            return await self._run_competed(work.competing)
        answer = await self._offer()
        while answer == SET_ASIDE:
            self._happenings.pop(SET_ASIDE)
            answer = await self._offer()
        if answer in ("refused", "lapsed"):
            return await self._give_up(answer)
        return await self._fulfil(answer)

    async def _run_competed(self, terms: Competing) -> FulfilmentOutcome:
        """The same where points compete for the work."""
        standing = await self._compete(terms)
        if standing.state == "REFUSED":
            lost = self._lost(await self._wanted_lines(), "refused", held=True)
            return FulfilmentOutcome("refused", replace(lost, refused_by=standing.refused_by))
        if standing.state == "CANCELLED" and self._looks and versions.knows("told-before-cancelled"):
            # It was asked for, and may have been begun: all of that is told before.
            await self._first_of("cancelled")
        # It may be picked already: that is told by an event of its own.
        return await self._fulfil("cancelled" if standing.state in NOBODY else "accepted")

    async def _fulfil(self, answer: str) -> FulfilmentOutcome:
        """What comes after `accepted`, or `cancelled`."""
        if answer == "accepted":
            answer = await self._pick()
        if answer == "cancelled":
            await self._declare_told_first()
        if answer == "short":
            return FulfilmentOutcome("short", await self._report_short())
        if answer == "picked" and self._work.collected:
            return await self._until_collected()
        if answer == "picked" and await self._prepare() and await self._hand_over():
            return await self._travel()
        if self._all_spoiled:
            return FulfilmentOutcome("short", self._all_spoiled)
        return FulfilmentOutcome("cancelled", self._given_up())

    async def _offer(self) -> str:
        """The point's answer, or `lapsed` when it gave none, or `cancelled`."""
        offered = await self._insist_on(calls.offer_fulfilment, self._offer_step())
        while offered.state == "PLANNED":
            # It is held; the orders service watches the dates of holds and tells.
            await self._first_of("cancelled", "hold_ended")
            self._happenings.pop("hold_ended", None)
            offered = await self._insist_on(calls.offer_fulfilment, self._offer_step())
        if offered.state == "PICKED":
            # Its store has received all of it: there is nothing to ask for. That it is picked is told.
            return "accepted"
        return "cancelled" if offered.state == "CANCELLED" else await self._answer_of_the_point(offered)

    def _offer_step(self) -> FulfilmentStep:
        self._offers += 1
        return self._step("offer" if self._offers == 1 else f"offer/{self._offers}")

    async def _answer_of_the_point(self, offered: Offered) -> str:
        wait: timedelta | None = datetime.fromisoformat(offered.deadline) - workflow.now()
        while True:
            answer = await self._first_of("cancelled", "accepted", "refused", SET_ASIDE, within=wait)
            if answer:
                return answer
            # Nobody answered that we know of: the orders service knows whether somebody did.
            step = self._step(f"lapse/{workflow.now().isoformat()}")
            state = await self._insist_on(calls.lapse_offer, step)
            if state == "LAPSED":
                return "lapsed"
            # Somebody did: the telling is under way. Or our clock is ahead: ask again.
            wait = policies.LAPSE_RECHECK if state == "OFFERED" else None

    async def _give_up(self, answer: str) -> FulfilmentOutcome:
        reason = str(self._happenings[answer].data.get("reason", "")) if self._has(answer) else answer
        lines = await self._wanted_lines()
        if reason in STOCK_IN_DOUBT:
            doubted = [replace(line, reason=reason) for line in lines]
            await self._change_holds(calls.report_short, "short", doubted, reason)
        held = reason not in STOCK_IN_DOUBT
        return FulfilmentOutcome(answer, self._lost(lines, reason, held=held))

    async def _wanted_lines(self) -> list[Line]:
        """Those of the work, without units that were cancelled since it began."""
        if versions.knows("units-may-be-cancelled"):
            return await self._insist_on(calls.work_lines, self._step("lines"))
        return self._work.lines

    async def _pick(self) -> str:
        """`picked` if anything was found; what was not found is declared unavailable and planned again."""
        answer = await self._first_of("cancelled", "picked", "short")
        if answer == "picked" and self._lines("picked", "substituted"):
            await self._substitute()
        if answer == "picked" and self._lines("picked", "short"):
            await self._tell_order(await self._report_short())
        return answer

    async def _declare_told_first(self) -> None:
        """What was missed or spoiled before a cancellation that was heard with it: sold to nobody once free."""
        kind = "short" if self._has("short") else "picked"
        lines = [*minus(self._lines(kind, "short"), self._lines(kind, "unheld")), *self._lines(kind, "replaced")]
        if lines and versions.knows("missing-when-cancelled"):
            for number, line in enumerate(lines):
                await self._declare(f"missing/{number}", line, "short_pick")
        if self._spoiled and versions.knows("told-before-cancelled"):
            for told in self._spoiled:
                await self._declare_spoiled(told)

    async def _declare(self, step: str, line: Line, reason: str) -> None:
        request = DoubtRequest(
            request_id=self._key(step),
            order_id=self._work.order_id,
            point_id=self._point_id,
            line=line,
            reason=reason,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(calls.declare_doubted, request)

    async def _tell_order(self, lost: LostUnits) -> None:
        """The work goes on with less."""
        order = workflow.get_external_workflow_handle(f"order/{self._work.order_id}")
        await order.signal("units_lost", lost)

    async def _report_short(self) -> LostUnits:
        kind = "short" if self._lines("short", "short") else "picked"
        short = self._lines(kind, "short")
        # What came to a hub and is not found there is held nowhere.
        if held := minus(short, self._lines(kind, "unheld")):
            await self._change_holds(calls.report_short, "short", held, "short_pick")
        return self._lost(short, "short_pick", held=False)

    async def _prepare(self) -> bool:
        """Packed and paid, in the order of the life cycle."""
        if self._work.capture_at == "preparation":
            return await self._capture("picked") and await self._pack()
        return await self._pack() and (self._work.capture_at == "order" or await self._capture("packed"))

    async def _pack(self) -> bool:
        """What is spoiled meanwhile is planned anew, by the order; False also when nothing is left to pack."""
        while (told := await self._first_of("spoiled", "cancelled", "packed")) == "spoiled":
            spoiled = self._spoiled.pop(0)
            lost = await self._write_off(spoiled)
            if not spoiled.data["left"]:
                self._all_spoiled = lost
                return False
            await self._tell_order(lost)
        return told == "packed"

    async def _write_off(self, spoiled: Happening) -> LostUnits:
        """They are declared unavailable before their hold ends: nobody else is sold what was spoiled."""
        if held := await self._declare_spoiled(spoiled):
            await self._change_holds(calls.release_hold, f"spoiled/{self._spoilings}", held, SPOILED)
        return self._lost(_to_lines(spoiled.data["lines"]), SPOILED, held=False)

    async def _declare_spoiled(self, spoiled: Happening) -> list[Line]:
        """-> what is held here of them: the rest came to a hub."""
        self._spoilings += 1
        held = minus(_to_lines(spoiled.data["lines"]), _to_lines(spoiled.data.get("unheld", [])))
        for line in held:
            await self._declare(f"spoiled/{self._spoilings}/{line.line_number}", line, SPOILED)
        return held

    async def _capture(self, known_by: str) -> bool:
        """Takes the parcel's money, of which the event `known_by` told; True when the parcel may leave."""
        if self._work.paid_by_channel or self._nothing_due(known_by):
            await self._insist_on(calls.record_capture, self._step("captured", "not_needed"))
            return True
        parcel = self._happenings[known_by].data
        request = MoneyRequest(
            request_id=self._key("capture"),
            order_id=self._work.order_id,
            cause=f"parcel/{parcel['parcel_id']}",
            amount=Amount(int(parcel["amount_minor"]), str(parcel["currency"])),
            point_id=self._point_id,
        )
        outcome = await self._collect(request, self._record_capture, "cancelled")
        self._captured = outcome == "captured"
        return outcome != "cancelled"

    async def _record_capture(self, name: str, outcome: str, reason: str, next_try_at: str) -> None:
        step = self._step(name, outcome, reason, next_try_at)
        await self._insist_on(calls.record_capture, step)

    def _nothing_due(self, known_by: str) -> bool:
        """A parcel of free lines only: no provider captures nothing."""
        free = not int(self._happenings[known_by].data["amount_minor"])
        return free and versions.knows("nothing-due")

    def _given_up(self) -> LostUnits | None:
        """The units, when it was this parcel alone that was cancelled, for want of its money."""
        happening = self._happenings.get("cancelled")
        if happening is None or happening.data.get("reason") != _UNPAID:
            return None
        lost = self._lost(self._lines("cancelled", "lines"), _UNPAID, held=True)
        return replace(
            lost,
            given_up=True,
            captured=self._captured,
            spoiled=self._lines("cancelled", "spoiled"),
            unheld=self._lines("cancelled", "unheld"),
            packed=self._lines("cancelled", "put_back"),
        )

    async def _hand_over(self) -> bool:
        """The scan at hand-over wins against a cancellation that comes after it."""
        told = await self._first_of(*HANDED_OVER, "cancelled")
        if told == "cancelled":
            return False
        parcel = str(self._happenings[told].data["parcel_id"])
        if lines := self._issued(told):
            await self._change_holds(calls.issue_stock, "issue", lines, f"parcel/{parcel}")
        return True

    async def _travel(self) -> FulfilmentOutcome:
        """A parcel that is lost is on its way until somebody, or time, has decided what becomes of its units."""
        if self._work.joins:
            return await self._travel_to_hub()
        end = await self._first_of("delivered", "returned", "loss_decided")
        if end != "loss_decided":
            return FulfilmentOutcome(end)
        if self._happenings[end].data["decision"] != "reship":
            return FulfilmentOutcome("lost")
        lost = self._lost(self._lines(end, "lines"), "parcel_lost", held=False)
        return FulfilmentOutcome("lost", replace(lost, replaces=self._work.fulfilment_id))

    async def _change_holds(self, change: "calls.ChangeHolds", step: str, lines: list[Line], reason: str) -> None:
        request = HoldChange(
            request_id=self._key(step),
            order_id=self._work.order_id,
            holds=[Hold(line.sku, self._point_id, line.quantity, line.reason) for line in lines],
            reason=reason,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(change, request)

    def _lines(self, kind: str, name: str) -> list[Line]:
        happening: Happening | None = self._happenings.get(kind)
        return _to_lines(happening.data.get(name, []) if happening else [])

    def _lost(self, lines: list[Line], reason: str, *, held: bool) -> LostUnits:
        lost = LostUnits(self._work.fulfilment_id, self._point_id, lines, reason, held)
        return replace(lost, replaces=self._work.replaces, joins=self._work.joins)

    def _step(self, name: str, detail: str = "", reason: str = "", next_try_at: str = "") -> FulfilmentStep:
        return FulfilmentStep(
            request_id=self._key(name),
            order_id=self._work.order_id,
            fulfilment_id=self._work.fulfilment_id,
            as_of=workflow.now().isoformat(),
            detail=detail,
            reason=reason,
            next_try_at=next_try_at,
        )

    def _key(self, step: str) -> str:
        return f"{workflow.info().workflow_id}/{step}"


def _to_lines(rows: list[dict[str, Any]]) -> list[Line]:
    return [
        Line(
            int(row["line_number"]),
            str(row["sku"]),
            int(row["quantity"]),
            reason=str(row.get("reason", "")),
            ordered_sku=str(row.get("ordered_sku", "")),
        )
        for row in rows
    ]
