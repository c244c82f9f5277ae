"""Keeps the channel images: what changed is worked out anew, and what differs is written, numbered and told.

One replica projects at a time; the others find its turn taken. It goes by the marks of the stock feed: it may be
late, but is never wrong for good. It decides nothing: the rule is `domain/image.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, times
from kit.feed import Bell
from services.inventory import events
from services.inventory.domain.figures import Figures, Stock, Units, bundle_figures, figures
from services.inventory.domain.image import KnownOpenings, Terms
from services.inventory.store import bundles, catalogue, feed, image, images
from services.inventory.store.feed import Mark
from services.inventory.store.images import ImageKey, Progress

# Marks taken in one transaction, and items that a round takes beside them: few enough to be told soon.
_MARKS = 1000
_ROUND_ITEMS = 500
# Items read and worked out in one go: whoever reserves waits for no longer than that.
_READ_AT_ONCE = 100
# Longer lists are not told in an event, only their number: whoever listens reads the feed.
TOLD_AT_ONCE = 500
# Between two looks at what other replicas have committed.
_LOOK_SECONDS = 0.9


class Projector:
    """Works in the background of every replica. `bell` rings for stock, `image_bell` for images that changed."""

    def __init__(
        self, engine: AsyncEngine, bell: Bell, image_bell: Bell, clock: Callable[[], datetime] = times.now
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._image_bell = image_bell
        self._clock = clock
        # Right as long as no rule has changed since.
        self._openings = KnownOpenings()
        self._terms_sequence = -1
        # The last transaction left something that was there to be done.
        self._is_behind = False

    async def run(self) -> None:
        """Waits for changes and projects all that are there then; those that come meanwhile wait for the next."""

        async def project() -> Sequence[bool]:
            return [True] if await self.project() else []

        if await self._bell.wait_for(project, _LOOK_SECONDS):
            while self._is_behind:
                await self.project()

    async def project(self) -> bool:
        """One transaction's worth of work; whether there was any."""
        self._is_behind = False
        if not await self._has_work():
            return False
        async with self._engine.begin() as tx:
            before = await images.take_turn(tx)
            if before is None:
                return False
            marks, progress = await _take(tx, before)
            in_round, progress = await _go_on(tx, progress)
            # No figure hangs on what is still to come.
            changed = {mark.sku for mark in marks if mark.sku and mark.kind != "coming"}
            skus = changed.union(in_round, await bundles.containing(tx, sorted(changed)))
            is_changed = bool(skus) and await self._write(tx, sorted(skus), progress.terms_sequence)
            await images.save(tx, progress)
        self._is_behind = len(marks) == _MARKS or progress.round_until is not None
        if is_changed:
            self._image_bell.ring()
            self._bell.ring()
        return True

    async def tell(self) -> None:
        """Writes one event for each channel whose image has changed since the last one."""
        async with self._engine.begin() as tx:
            untold = await images.lock_untold(tx)
            for channel_id, after in untold.items():
                await _tell(tx, channel_id, after, self._clock())
        if untold:
            self._bell.ring()

    async def _has_work(self) -> bool:
        # Without a lock: most looks find nothing, and should write nothing.
        async with db.single(self._engine).connect() as connection:
            progress = await images.progress(connection)
            return progress.round_until is not None or await feed.has_news(connection, progress.sequence)

    async def _write(self, tx: AsyncConnection, skus: Sequence[str], terms_sequence: int) -> bool:
        if self._terms_sequence != terms_sequence:
            self._openings = KnownOpenings()
            self._terms_sequence = terms_sequence
        now = self._clock()
        # A turn that another process told, by a clock ahead of ours, is a turn.
        found = await image.terms(tx, None, skus, now=max(now, await catalogue.told_until(tx)))
        terms = [replace(one, as_told=True) for one in found.values()]
        fresh: dict[ImageKey, Figures] = {}
        for start in range(0, len(skus), _READ_AT_ONCE):
            some = skus[start : start + _READ_AT_ONCE]
            parts = {part.sku for one in terms[:1] for sku in some for part in one.parts(sku)}
            units = await images.units(tx, [*some, *parts])
            fresh |= {
                (one.channel_id, sku): self._figures(one, sku, units)
                for one in terms
                for sku in some
                if sku in one.items
            }
        written = await images.write(tx, fresh, now)
        await outbox.write(tx, events.back_in_stock(written, now))
        return bool(written)

    def _figures(self, terms: Terms, sku: str, units: Mapping[str, Sequence[Units]]) -> Figures:
        openings = self._openings.of(terms, sku)
        parts = terms.parts(sku)
        if not parts:
            return figures(openings, units.get(sku, ()))
        return bundle_figures(
            openings,
            [
                (part.quantity, Stock(self._openings.of(terms, part.sku), units.get(part.sku, ())))
                for part in parts
            ],
        )


async def _take(tx: AsyncConnection, progress: Progress) -> tuple[Sequence[Mark], Progress]:
    """The next marks. One of an item or a position names its SKU; any other may change every item."""
    oldest, newest = await feed.bounds(tx)
    if oldest - 1 > progress.sequence:
        # Some that it never took are not kept any more.
        return (), _go_around(replace(progress, sequence=newest, terms_sequence=newest))
    marks = await feed.marks(tx, progress.sequence, _MARKS)
    if marks:
        progress = replace(progress, sequence=marks[-1].sequence)
    if changed := [mark.sequence for mark in marks if mark.kind not in ("position", "coming")]:
        progress = replace(progress, terms_sequence=changed[-1])
    return marks, progress if all(mark.sku for mark in marks) else _go_around(progress)


def _go_around(progress: Progress) -> Progress:
    return replace(progress, round_until=progress.round_at, is_past_end=False)


async def _go_on(tx: AsyncConnection, progress: Progress) -> tuple[Sequence[str], Progress]:
    """The next items of a round, if one is on."""
    if progress.round_until is None:
        return (), progress
    until = progress.round_until if progress.is_past_end else None
    found = await images.skus(tx, progress.round_at, until, _ROUND_ITEMS)
    if len(found) == _ROUND_ITEMS:
        return found, replace(progress, round_at=found[-1])
    if progress.is_past_end or not progress.round_until:
        return found, replace(progress, round_at="", round_until=None, is_past_end=False)
    return found, replace(progress, round_at="", is_past_end=True)


async def _tell(tx: AsyncConnection, channel_id: str, after: int, now: datetime) -> None:
    changes = await images.changes(tx, channel_id, after, TOLD_AT_ONCE + 1)
    newest, changed = changes[-1].sequence, len(changes)
    if changed > TOLD_AT_ONCE:
        newest = await images.head(tx, channel_id)
        changed, changes = await images.count(tx, channel_id, after, newest), []
    await outbox.write(tx, [events.image_changed(channel_id, after, newest, changed, changes, now)])
    await images.told(tx, channel_id, newest)
