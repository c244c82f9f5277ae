"""The story of a preparation order: offered to a point, picked, packed, paid, handed over, delivered."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import calls, policies
    from workflows.attention import Story
    from workflows.calls import StepFailed
    from workflows.messages import (
        Amount,
        CaptureAnswer,
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

# The point says that the units are not there: its stock is not to be believed.
_STOCK_IN_DOUBT = ("not_found", "damaged")


@workflow.defn(name="FulfilmentWorkflow")
class FulfilmentWorkflow(Story):
    """Drives one fulfilment to its end. The orders service decides each race; this story is told."""

    @workflow.init
    def __init__(self, work: FulfilmentInput) -> None:
        super().__init__()
        self._work = work

    @workflow.run
    async def run(self, work: FulfilmentInput) -> FulfilmentOutcome:
        """Ends `delivered`, or says which units need another place, or that they were cancelled."""
        answer = await self._offer()
        if answer in ("refused", "lapsed"):
            return await self._give_up(answer)
        if answer == "accepted":
            answer = await self._pick()
        if answer == "short":
            return FulfilmentOutcome("short", await self._report_short())
        if answer == "picked" and await self._pack() and await self._capture() and await self._hand_over():
            await self._first_of("delivered")
            return FulfilmentOutcome("delivered")
        return FulfilmentOutcome("cancelled")

    async def _offer(self) -> str:
        """The point's answer, or `lapsed` when it gave none, or `cancelled`."""
        offered = await self._insist_on(calls.offer_fulfilment, self._step("offer"))
        return "cancelled" if offered.state == "CANCELLED" else await self._answer_of_the_point(offered)

    async def _answer_of_the_point(self, offered: Offered) -> str:
        wait: timedelta | None = datetime.fromisoformat(offered.deadline) - workflow.now()
        while True:
            answer = await self._first_of("cancelled", "accepted", "refused", within=wait)
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
        if reason in _STOCK_IN_DOUBT:
            await self._change_holds(calls.report_short, "short", self._work.lines, reason)
        held = reason not in _STOCK_IN_DOUBT
        return FulfilmentOutcome(answer, self._lost(self._work.lines, reason, held=held))

    async def _pick(self) -> str:
        """`picked` if anything was found; what was not found is declared unavailable and planned again."""
        answer = await self._first_of("cancelled", "picked", "short")
        if answer == "picked" and self._lines("picked", "short"):
            lost = await self._report_short()
            order = workflow.get_external_workflow_handle(f"order/{self._work.order_id}")
            await order.signal("units_lost", lost)
        return answer

    async def _report_short(self) -> LostUnits:
        short = self._lines("short", "short") or self._lines("picked", "short")
        await self._change_holds(calls.report_short, "short", short, "short_pick")
        return self._lost(short, "short_pick", held=False)

    async def _pack(self) -> bool:
        return await self._first_of("cancelled", "packed") == "packed"

    async def _capture(self) -> bool:
        """Captures the parcel's amount. A decline is tried again on a schedule, then a person decides."""
        if self._work.paid_by_channel or self._nothing_due():
            await self._insist_on(calls.record_capture, self._step("captured", "not_needed"))
            return True
        attempt = 0
        while True:
            attempt += 1
            captured = await self._try_capture(attempt)
            if captured is None:
                await self._first_of("cancelled")
                return False
            if captured.state == "succeeded":
                await self._insist_on(calls.record_capture, self._step("captured", "captured"))
                return True
            failure = self._step(f"capture-failed/{attempt}", "failed", captured.failure_code)
            await self._insist_on(calls.record_capture, failure)
            schedule = policies.CAPTURE_RETRIES
            pause = schedule[attempt - 1] if attempt <= len(schedule) else None
            decision = await self._first_of("cancelled", "capture_overridden", within=pause)
            if decision:
                return decision == "capture_overridden"

    def _nothing_due(self) -> bool:
        """A parcel of free lines only: no provider captures nothing."""
        free = not int(self._happenings["packed"].data["amount_minor"])
        return free and workflow.patched("nothing-due")

    async def _try_capture(self, attempt: int) -> CaptureAnswer | None:
        """None when the payment was closed: the order is being cancelled, and that telling will come."""
        packed = self._happenings["packed"].data
        request = MoneyRequest(
            request_id=self._key(f"capture/{attempt}"),
            order_id=self._work.order_id,
            cause=f"parcel/{packed['parcel_id']}",
            amount=Amount(int(packed["amount_minor"]), str(packed["currency"])),
        )
        try:
            return await self._insist_on(calls.capture, request, unless=("PAYMENT_CLOSED",))
        except StepFailed:
            return None

    async def _hand_over(self) -> bool:
        """The scan at hand-over wins against a cancellation that comes after it."""
        if await self._first_of("handed_over", "cancelled") != "handed_over":
            return False
        lines = self._lines("handed_over", "lines")
        parcel = str(self._happenings["handed_over"].data["parcel_id"])
        await self._change_holds(calls.issue_stock, "issue", lines, f"parcel/{parcel}")
        return True

    async def _change_holds(self, change: "calls.ChangeHolds", step: str, lines: list[Line], reason: str) -> None:
        request = HoldChange(
            request_id=self._key(step),
            order_id=self._work.order_id,
            holds=[Hold(line.sku, self._work.point_id, line.quantity) for line in lines],
            reason=reason,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(change, request)

    def _lines(self, kind: str, name: str) -> list[Line]:
        happening: Happening | None = self._happenings.get(kind)
        rows = happening.data.get(name, []) if happening else []
        return [Line(int(row["line_number"]), str(row["sku"]), int(row["quantity"])) for row in rows]

    def _lost(self, lines: list[Line], reason: str, *, held: bool) -> LostUnits:
        return LostUnits(self._work.fulfilment_id, self._work.point_id, lines, reason, held)

    def _step(self, name: str, detail: str = "", reason: str = "") -> FulfilmentStep:
        return FulfilmentStep(
            request_id=self._key(name),
            order_id=self._work.order_id,
            fulfilment_id=self._work.fulfilment_id,
            as_of=workflow.now().isoformat(),
            detail=detail,
            reason=reason,
        )

    def _key(self, step: str) -> str:
        return f"{workflow.info().workflow_id}/{step}"
