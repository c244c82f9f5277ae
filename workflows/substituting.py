"""Another article instead of one that a pick lacked: held for the order, what it replaces is declared missing.

Whoever recorded the pick laid the units aside in a basket of their own; the order takes that over.
"""

from typing import TYPE_CHECKING

from temporalio import workflow

from workflows import calls, policies
from workflows.attention import Story
from workflows.messages import FulfilmentInput, Hold, Line, ReserveRequest

_NOT_HELD = "SUBSTITUTE_NOT_HELD"


def basket_of(fulfilment_id: str) -> str:
    """The basket in which the units of a pick are laid aside; the gateway gives it the same name."""
    return f"pick.{fulfilment_id}"


class Substituting(Story):
    """A story whose point may give something else."""

    if TYPE_CHECKING:
        # What the story of the fulfilment lends.
        _work: FulfilmentInput
        _point_id: str

        def _key(self, step: str) -> str: ...
        def _lines(self, kind: str, name: str) -> list[Line]: ...
        async def _change_holds(
            self, change: "calls.ChangeHolds", step: str, lines: list[Line], reason: str
        ) -> None: ...

    async def _substitute(self) -> None:
        """The missing units are declared, as after a short pick; those that are given instead are held."""
        await self._change_holds(calls.report_short, "replaced", self._lines("picked", "replaced"), "short_pick")
        self._insisted += 1
        number, attempt = self._insisted, 1
        while not self._has("cancelled") and not await self._hold_given(attempt):
            # The basket has expired, and somebody else has them: until the books say better, a person is asked.
            attempt += 1
            self._mark(number, _NOT_HELD)
            await self._until_resumed()
        self._mark(number, "")

    async def _hold_given(self, attempt: int) -> bool:
        given = self._lines("picked", "substituted")
        request = ReserveRequest(
            request_id=self._key(f"substitute/{attempt}"),
            order_id=self._work.order_id,
            channel_id=str(self._happenings["picked"].data["channel_id"]),
            holds=[Hold(line.sku, self._point_id, line.quantity) for line in given],
            time_to_live_seconds=0,
            as_of=workflow.now().isoformat(),
            basket_id=basket_of(self._work.fulfilment_id),
        )
        return (await self._insist_on(calls.reserve, request)).held

    async def _until_resumed(self) -> None:
        seen = self._resumes
        try:
            await workflow.wait_condition(
                lambda: self._resumes > seen or self._has("cancelled"), timeout=policies.ATTENTION_RETRY
            )
        except TimeoutError:
            return
