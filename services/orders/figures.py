"""Figures for the people who steer. Reads only; each is one look at the rows as they are. One method per RPC."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit.errors import InvalidArgument
from services.orders import figures_store as store
from services.orders.figures_store import (
    LateFigure,
    LeadTimes,
    OfferFigure,
    PickFigure,
    PromiseFigure,
    Scope,
    ShortArticle,
    StageFigure,
)

USUAL_PERIOD = timedelta(days=28)
LONGEST_PERIOD = timedelta(days=92)
Found = TypeVar("Found")


def period_of(from_at: datetime | None, until_at: datetime | None, as_of: datetime) -> tuple[datetime, datetime]:
    """The period that is asked for, or the usual one. Raises InvalidArgument for one that is none, or too long."""
    until_at = until_at or as_of
    from_at = from_at or until_at - USUAL_PERIOD
    if from_at >= until_at:
        raise InvalidArgument("scope.from_at", "before `until_at`")
    if until_at - from_at > LONGEST_PERIOD:
        raise InvalidArgument("scope.until_at", f"at most {LONGEST_PERIOD.days} days after `from_at`")
    return from_at, until_at


class Figures:
    """The use cases of figures."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def stages(self, scope: Scope) -> Sequence[StageFigure]:
        """Open orders by channel and stage."""
        return await self._read(store.stages, scope)

    async def offers(self, scope: Scope) -> Sequence[OfferFigure]:
        """Offers by point; the last one, without a point, is over all."""
        return await self._read(store.offers, scope)

    async def picks(self, scope: Scope) -> tuple[Sequence[PickFigure], Sequence[ShortArticle]]:
        """Picks by point, and the articles that were missing."""
        return await self._read(store.picks, scope), await self._read(store.short_articles, scope)

    async def promises(self, scope: Scope) -> tuple[Sequence[PromiseFigure], Sequence[LateFigure]]:
        """Promises by week and channel, and why parcels were late."""
        return await self._read(store.promises, scope), await self._read(store.late_parcels, scope)

    async def lead_times(self, scope: Scope) -> LeadTimes:
        """From placing to hand-over."""
        return await self._read(store.lead_times, scope)

    async def _read(self, figure: Callable[[AsyncConnection, Scope], Awaitable[Found]], scope: Scope) -> Found:
        async with self._engine.begin() as tx:
            return await figure(tx, scope)
