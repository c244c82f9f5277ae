"""How points compete for a fulfilment: ring after ring, until one has it, a person gives it away, or nobody does.

The orders service decides who wins. This story asks who could do it, waits, and finishes what a gateway left.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from temporalio import workflow

from workflows import calls, policies, versions
from workflows.attention import Story
from workflows.calls import StepFailed
from workflows.messages import (
    Competing,
    Exclusion,
    FulfilmentInput,
    FulfilmentStep,
    Hold,
    LegPlace,
    Line,
    PlanRequest,
)
from workflows.offer_messages import (
    Claim,
    DoubtRequest,
    RankRequest,
    RingRequest,
    RoomRequest,
    SettleRequest,
    Standing,
)

# Why inventory does not move a hold: it is an answer, and no step that failed.
_NOT_MOVED = ("NOT_HELD", "OTHER_PARTS", "RESERVATION_NOT_FOUND", "RESERVATION_CLOSED", "RESERVATION_EXPIRED")
# How an offering ends without a point that has the work.
NOBODY = ("REFUSED", "CANCELLED")
# The point says that the units are not there: its stock is not to be believed.
STOCK_IN_DOUBT = ("not_found", "damaged")
_UNCLAIMED = "UNCLAIMED"


class Offering(Story):
    """A story whose work points may compete for. `_point_id`: who has it, or is to have it."""

    def __init__(self, work: FulfilmentInput) -> None:
        super().__init__()
        self._work = work
        self._point_id = work.point_id
        self._looks = 0
        # How many events were told before the last look.
        self._known = 0
        self._doubted = set[str]()

    async def _compete(self, terms: Competing) -> Standing:
        """How it ended: `_point_id` has it, or it is REFUSED by the planned point and all others, or CANCELLED."""
        for ring in range(1, len(terms.rings) + 1):
            standing = await self._answers(await self._open_ring(terms, ring))
            if standing.state != "OFFERED":
                return await self._followed(standing)
        standing = await self._insist_on(calls.end_offering, self._at("end"))
        return await self._followed(await self._decision_of_a_person(standing))

    async def _open_ring(self, terms: Competing, ring: int) -> Standing:
        """The points of the ring are asked; while the work is held nobody is, and then the best of that day."""
        for attempt in count(1):
            self._happenings.pop("hold_ended", None)
            lines = await self._lines_left(f"{ring}" if attempt == 1 else f"{ring}/{attempt}")
            ranked = await self._insist_on(calls.rank_points, self._question(terms, ring, lines))
            # A lost task would rank anew, and meet the ring that was opened with the first ranking.
            await self._write_down()
            request = RingRequest(
                request_id=self._offering_key(f"ring/{ring}" if attempt == 1 else f"ring/{ring}/{attempt}"),
                order_id=self._work.order_id,
                fulfilment_id=self._work.fulfilment_id,
                ring=ring,
                candidates=ranked,
                as_of=workflow.now().isoformat(),
            )
            standing = await self._insist_on(calls.offer_ring, request)
            if standing.state != "PLANNED":
                break
            await self._first_of("cancelled", "hold_ended")
        return standing

    async def _answers(self, standing: Standing) -> Standing:
        """As soon as somebody has it, or nobody of the ring can take it any more."""
        while standing.state == "OFFERED" and (standing.open or standing.claim):
            standing = await self._next(standing)
            await self._declare_doubted(standing)
        return standing

    async def _decision_of_a_person(self, standing: Standing) -> Standing:
        """Of work that nobody took; at once where the life cycle gives it to the planned point."""
        if standing.state != "OFFERED":
            return standing
        self._insisted += 1
        number = self._insisted
        self._mark(number, _UNCLAIMED)
        while standing.state == "OFFERED":
            standing = await self._next(standing)
        self._mark(number, "")
        return standing

    async def _next(self, standing: Standing) -> Standing:
        """How it stands once something happened, or the time of all offers is over."""
        if standing.claim:
            return await self._settle(standing.claim)
        await self._told_of_more(_until(standing.deadline) if standing.open else None)
        return await self._look()

    async def _settle(self, claim: Claim) -> Standing:
        """Whoever was given the claim settles it; should it have died, this does, under the same ids."""
        if await self._told_of_more(policies.CLAIM_LEASE):
            return await self._look()
        try:
            move = replace(claim.move, as_of=workflow.now().isoformat())
            answer = await self._insist_on(calls.move_hold, move, unless=_NOT_MOVED.__contains__)
            held = answer.held
        except StepFailed:
            held = False
        request = SettleRequest(
            request_id=f"settle/{claim.claim_id}/{'held' if held else 'not-there'}",
            order_id=self._work.order_id,
            fulfilment_id=self._work.fulfilment_id,
            claim_id=claim.claim_id,
            held=held,
            as_of=workflow.now().isoformat(),
        )
        return await self._insist_on(calls.settle_claim, request)

    async def _look(self) -> Standing:
        """What was told until now is known to whoever is asked now."""
        self._known = len(self._taken)
        self._looks += 1
        # With the time: a task that is run again must not get the answer of the one that was lost.
        step = self._at(f"look/{self._looks}/{workflow.now().isoformat()}")
        return await self._insist_on(calls.look_at_offers, step)

    async def _told_of_more(self, within: timedelta | None) -> bool:
        """Waits for an event that came after the last look; False when time is up."""
        try:
            await workflow.wait_condition(lambda: len(self._taken) > self._known, timeout=within)
        except TimeoutError:
            return False
        return True

    async def _declare_doubted(self, standing: Standing) -> None:
        """A point says that the units are not there: nobody is sold them. At the planned one they stay held."""
        for one in standing.refused_by:
            is_planned = one.point_id == self._work.point_id
            if one.reason not in STOCK_IN_DOUBT or one.point_id in self._doubted:
                continue
            if not is_planned and not versions.knows("others-are-believed"):
                continue
            self._doubted.add(one.point_id)
            for line in await self._lines_left("doubted" if is_planned else f"doubted/{one.point_id}"):
                await self._doubt(one, line, "" if is_planned else f"{one.point_id}/")

    async def _doubt(self, refused: Exclusion, line: Line, prefix: str) -> None:
        request = DoubtRequest(
            request_id=self._offering_key(f"doubt/{prefix}{line.line_number}"),
            order_id=self._work.order_id,
            point_id=refused.point_id,
            line=line,
            reason=refused.reason,
            as_of=workflow.now().isoformat(),
        )
        await self._insist_on(calls.declare_doubted, request)

    async def _followed(self, standing: Standing) -> Standing:
        """The room that the plan took at its point goes to whoever has the work now."""
        if standing.state not in NOBODY and standing.winner.point_id != self._point_id:
            planned = LegPlace(self._point_id, self._work.lines)
            self._point_id = standing.winner.point_id
            request = RoomRequest(self._work.order_id, planned, standing.winner, workflow.now().isoformat())
            await self._insist_on(calls.move_room, request)
        return standing

    async def _lines_left(self, step: str) -> list[Line]:
        """Of the work, without units that were cancelled since it was planned."""
        if not versions.knows("offers-of-what-is-left"):
            return self._work.lines
        return await self._insist_on(calls.work_lines, self._at(f"lines/{step}"))

    def _question(self, terms: Competing, ring: int, lines: list[Line]) -> RankRequest:
        """Its room was taken with all that was planned, and is given back with that."""
        now = workflow.now().isoformat()
        point_id = self._work.point_id
        question = PlanRequest(
            request_id=self._offering_key(f"rank/{ring}"),
            order_id=self._work.order_id,
            channel_id=terms.channel_id,
            country=terms.country,
            postcode=terms.postcode,
            mode=terms.mode,
            lines=lines,
            as_of=now,
            not_before=now,
            promised_until=terms.promised_until,
            own_holds=[Hold(line.sku, point_id, line.quantity) for line in lines],
            replaced=[LegPlace(point_id, self._work.lines)],
        )
        return RankRequest(self._work.order_id, question, terms.ring_seconds)

    def _at(self, step: str) -> FulfilmentStep:
        return FulfilmentStep(
            request_id=self._offering_key(step),
            order_id=self._work.order_id,
            fulfilment_id=self._work.fulfilment_id,
            as_of=workflow.now().isoformat(),
        )

    def _offering_key(self, step: str) -> str:
        return f"{workflow.info().workflow_id}/offering/{step}"


def _until(deadline: str) -> timedelta:
    """Our clock may be behind the deadline by less than a timer can say."""
    return max(datetime.fromisoformat(deadline) - workflow.now(), policies.LAPSE_RECHECK)
