"""The stock replica: inventory's items, points, channels and free stock in memory, by SKU (`stock_rows.py`).

Written only by the follower of WatchStock, on the event loop; reads never wait. Never the truth: the reservation
in inventory is the only guard against overselling.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import intern

from kit.errors import Unavailable
from services.promise.domain.network import Coming, Item, Point, StockPosition, StockSlice, StockView
from services.promise.stock_rows import Block, FindRates, StockRows

STALE_AFTER_SECONDS = 3.0
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """One message of the feed. `sent_at` is inventory's clock; None when it does not say.

    `categories`: the category path of each of its items. `find_rates`: all of them, or None for those known.
    `coming`: by SKU and point, instead of what came there before.
    """

    sequence: int
    items: tuple[Item, ...] = ()
    points: tuple[Point, ...] = ()
    channels: tuple[str, ...] = ()
    positions: Block | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    find_rates: FindRates | None = None
    coming: Mapping[tuple[str, str], tuple[Coming, ...]] = field(default_factory=dict)
    is_snapshot: bool = False
    completes_snapshot: bool = False
    sent_at: datetime | None = None


@dataclass(slots=True)
class _State:
    sequence: int = 0
    items: dict[str, Item] = field(default_factory=dict)
    points: Mapping[str, Point] = field(default_factory=dict)
    channels: set[str] = field(default_factory=set)
    categories: dict[str, str] = field(default_factory=dict)
    find_rates: FindRates = field(default_factory=dict)
    positions: StockRows = field(default_factory=StockRows)
    # Of the few positions to which anything comes.
    coming: dict[str, Mapping[str, tuple[Coming, ...]]] = field(default_factory=dict)

    def apply(self, change: Change) -> None:
        self.items.update((item.sku, item) for item in change.items)
        if change.points:
            # Replaced, not changed: a plan in another thread may be reading the old one.
            self.points = {**self.points, **{point.point_id: point for point in change.points}}
        self.channels.update(change.channels)
        # A category has many items: its name is kept once.
        self.categories.update((sku, intern(category)) for sku, category in change.categories.items())
        if change.find_rates is not None:
            self.find_rates = change.find_rates
        if change.positions is not None:
            self.positions.put(change.positions)
        for (sku, point_id), deliveries in change.coming.items():
            # Replaced too.
            others = {key: one for key, one in self.coming.get(sku, {}).items() if key != point_id}
            self.coming[sku] = {**others, point_id: deliveries} if deliveries else others
            if not self.coming[sku]:
                del self.coming[sku]

    def positions_of(self, skus: Iterable[str]) -> dict[str, Mapping[str, StockPosition]]:
        found = {sku: self.positions.of(sku, self.categories.get(sku, ""), self.find_rates) for sku in skus}
        return {sku: positions for sku, positions in found.items() if positions is not None}


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """How fresh the replica is."""

    view: StockView
    positions: int
    lag: timedelta


class StockReplica:
    """What is known of stock, and how well."""

    def __init__(
        self,
        stale_after_seconds: float = STALE_AFTER_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stale_after_seconds = stale_after_seconds
        self._monotonic = monotonic
        self._state: _State | None = None
        self._staged: _State | None = None
        self._is_connected = False
        self._heard_at = 0.0
        self._sent_at: datetime | None = None

    # -- written by the follower ------------------------------------------------------------------------------

    def opened(self) -> None:
        """The stream is open; what was staged of a snapshot before is worthless."""
        self._is_connected = True
        self._staged = None

    def lost(self) -> None:
        """The stream is gone: what is known stays, and is stale."""
        self._is_connected = False

    def take(self, change: Change, now: datetime) -> None:
        """One message. A snapshot replaces everything, at once, when it is complete."""
        self._heard_at = self._monotonic()
        if change.is_snapshot:
            if self._staged is None:
                self._staged = _State()
            self._staged.apply(change)
            if change.completes_snapshot:
                self._staged.sequence = change.sequence
                self._state, self._staged = self._staged, None
                self._sent_at = change.sent_at or now
        elif self._state is not None:
            self._state.apply(change)
            self._state.sequence = max(self._state.sequence, change.sequence)
            self._sent_at = change.sent_at or now

    @property
    def resume_after(self) -> int:
        """Where the feed goes on; 0 asks for a snapshot."""
        return 0 if self._state is None else self._state.sequence

    # -- read -------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """A whole snapshot has been seen."""
        return self._state is not None

    def knows_channel(self, channel_id: str) -> bool:
        """Whether inventory has told of this channel."""
        return channel_id in self._known().channels

    def slice(self, skus: Iterable[str]) -> StockSlice:
        """The stock of some SKUs, as it is now: later changes do not reach it. UNAVAILABLE / STOCK_UNKNOWN."""
        state = self._known()
        wanted = list(dict.fromkeys(skus))
        return StockSlice(
            view=self.view(),
            items={sku: state.items[sku] for sku in wanted if sku in state.items},
            points=state.points,
            positions=state.positions_of(wanted),
            coming={sku: state.coming[sku] for sku in wanted if sku in state.coming},
        )

    def view(self) -> StockView:
        """Sequence, age and health. Before the first snapshot: nothing, stale."""
        is_silent = self._monotonic() - self._heard_at > self._stale_after_seconds
        return StockView(
            sequence=self.resume_after,
            as_of=self._sent_at or _NEVER,
            stale=self._state is None or not self._is_connected or is_silent,
        )

    def status(self, now: datetime) -> ReplicaStatus:
        """With the number of positions and the time since inventory last spoke."""
        lag = max(timedelta(0), now - self._sent_at) if self._sent_at is not None else timedelta(0)
        return ReplicaStatus(self.view(), self._state.positions.count if self._state else 0, lag)

    def _known(self) -> _State:
        if self._state is None:
            raise Unavailable("STOCK_UNKNOWN", "the stock replica is not filled yet; ask again")
        return self._state
