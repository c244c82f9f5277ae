"""A parcel that goes to a hub, and the work there that joins it with others (SPEC RTE-8).

What is on its way to a hub was issued from the stock of its point with the hand-over: the hub receives the
order's own goods. So what is missing there, or lost on the way, is held nowhere, and looks for another place.
"""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from workflows import versions
from workflows.attention import Story
from workflows.messages import FulfilmentInput, FulfilmentOutcome, Line, LostUnits

# Of a hub that has goods of other points, and did not take the work: it is offered again once a person says so.
SET_ASIDE = "set_aside"
# The hand-over, as events tell it: to the customer, or to a hub.
HANDED_OVER = ("handed_over", "forwarded")
_NOT_RECEIVED = "not_received"


class Consolidating(Story):
    """A story of work whose parcel may go to a hub, or that may be a hub's."""

    if TYPE_CHECKING:
        # What the story of the fulfilment lends.
        _work: FulfilmentInput
        _is_prepared: bool

        def _lines(self, kind: str, name: str) -> list[Line]: ...
        def _lost(self, lines: list[Line], reason: str, *, held: bool) -> LostUnits: ...

    async def _travel_to_hub(self) -> FulfilmentOutcome:
        """Until the hub has opened the parcel, or its units look for another place, or the order is cancelled."""
        self._is_prepared = True
        end = await self._first_of("received", "loss_decided", "cancelled")
        if end == "cancelled":
            # What arrives goes to the stock of the hub: that is a story of its own.
            return FulfilmentOutcome("cancelled")
        if end == "loss_decided":
            lost = self._lost_on_the_way(self._lines(end, "lines"), "parcel_lost")
            is_given_up = self._happenings[end].data["decision"] != "reship"
            return FulfilmentOutcome("lost", replace(lost, given_up=is_given_up))
        missing = self._lines(end, "missing")
        lost_units = self._lost_on_the_way(missing, _NOT_RECEIVED) if missing else None
        return FulfilmentOutcome("delivered", lost_units, self._following())

    def _is_forwarded(self) -> bool:
        """Whether it was on its way to its hub when it was cancelled."""
        return "forwarded" in self._happenings and versions.knows("told-before-cancelled")

    def _lost_on_the_way(self, lines: list[Line], reason: str) -> LostUnits:
        return replace(self._lost(lines, reason, held=False), on_the_way=True)

    def _following(self) -> FulfilmentInput | None:
        """Work at the hub for what came when the others had gone."""
        told = self._happenings["received"].data.get("follows")
        if not told:
            return None
        lines = [Line(int(row["line_number"]), str(row["sku"]), int(row["quantity"])) for row in told["lines"]]
        return FulfilmentInput(
            fulfilment_id=str(told["fulfilment_id"]),
            order_id=self._work.order_id,
            point_id=str(told["point_id"]),
            lines=lines,
            paid_by_channel=self._work.paid_by_channel,
            window_end=str(told["window_end"]),
            collected=bool(told.get("collected")),
            consolidates=True,
        )

    def _issued(self, kind: str) -> list[Line]:
        """What of a parcel leaves the stock of its point: at a hub, not what came from others."""
        named = "issued" if "issued" in self._happenings[kind].data else "lines"
        return self._lines(kind, named)


def minus(lines: list[Line], others: list[Line]) -> list[Line]:
    """What of `lines` is not in `others`."""
    gone = Counter[int]()
    for one in others:
        gone[one.line_number] += one.quantity
    rest: list[Line] = []
    for line in lines:
        # A line may stand twice: with the article itself, and with another instead of it.
        taken = min(line.quantity, gone[line.line_number])
        gone[line.line_number] -= taken
        if line.quantity > taken:
            rest.append(replace(line, quantity=line.quantity - taken))
    return rest
