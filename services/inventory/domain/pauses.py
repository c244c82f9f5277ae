"""Pauses: a point, an item or a channel that sells nothing for a while (SPEC STK-17).

A pause stops what all the keys that it names say together. It begins and ends by the clock; the replicas of stock
are told a moment later (`begun`, `ended`), and go by what they were told.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from kit.errors import FailedPrecondition

PAUSED = "PAUSED"


@dataclass(frozen=True, slots=True)
class Pause:
    """What is stopped; empty keys mean any. `until_at` is outside, None means until it is lifted."""

    pause_id: str
    point_id: str
    sku: str
    channel_id: str
    reason: str
    from_at: datetime
    until_at: datetime | None = None
    paused_by: str = ""
    lifted_by: str = ""
    lifted_at: datetime | None = None
    begun: bool = False
    ended: bool = False

    def ends_at(self) -> datetime | None:
        """By the clock or by a person, whichever comes first; None for not yet known."""
        return min((at for at in (self.until_at, self.lifted_at) if at), default=None)

    def is_over(self, now: datetime) -> bool:
        """Whether it will never be in force again."""
        ends_at = self.ends_at()
        return ends_at is not None and ends_at <= now

    def in_force(self, now: datetime | None) -> bool:
        """At an instant; None: as the replicas were told."""
        if now is None:
            return self.begun and not self.ended
        return self.from_at <= now and not self.is_over(now)

    def stops(self, sku: str, point_id: str, channel_id: str) -> bool:
        """Whether it names this; an empty point stands for all of them."""
        return self.sku in ("", sku) and self.point_id in ("", point_id) and self.channel_id in ("", channel_id)


class Pauses:
    """The pauses that a question touches."""

    def __init__(self, pauses: Iterable[Pause] = ()) -> None:
        self._by_sku: dict[str, list[Pause]] = defaultdict(list)
        for pause in pauses:
            self._by_sku[pause.sku].append(pause)

    def names(self, sku: str) -> bool:
        """Whether a pause is of this item by its SKU."""
        return sku in self._by_sku

    def reason_for(self, sku: str, point_id: str, channel_id: str, now: datetime | None) -> str:
        """`PAUSED: <reason>` of the first one in force, empty if there is none. No point: those of no point."""
        for pause in (*self._by_sku.get("", ()), *self._by_sku.get(sku, ())):
            if pause.stops(sku, point_id, channel_id) and pause.in_force(now):
                return f"{PAUSED}: {pause.reason}"
        return ""

    def reason_everywhere(self, sku: str, point_ids: Iterable[str], channel_id: str, now: datetime | None) -> str:
        """Why the item is stopped at each of these points; empty if it is not, at one of them."""
        if not self._by_sku:
            return ""
        whole = self.reason_for(sku, "", channel_id, now)
        reasons = [whole or self.reason_for(sku, point_id, channel_id, now) for point_id in point_ids]
        return whole or (reasons[0] if reasons and all(reasons) else "")


def lift(pause: Pause, actor: str, now: datetime) -> Pause:
    """Ends it now, or calls it off. Again gives the same; PAUSE_OVER when the clock has ended it before."""
    if pause.lifted_at is not None:
        return pause
    if pause.is_over(now):
        raise FailedPrecondition("PAUSE_OVER", "the pause ended before it was lifted", pause_id=pause.pause_id)
    return replace(pause, lifted_by=actor, lifted_at=now)


def told(pause: Pause, now: datetime) -> Pause:
    """As the replicas know it once they were told of `now`."""
    return replace(pause, begun=pause.begun or pause.from_at <= now, ended=pause.ended or pause.is_over(now))
