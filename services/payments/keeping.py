"""Forgets the means that were kept for an order, once nothing may be authorised for it again."""

from collections.abc import Callable, Mapping
from datetime import datetime

from kit.db import AsyncEngine
from services.payments import books, store
from services.payments.domain import keeping
from services.payments.providers import AnswerLost, Provider


class Keeping:
    """The provider forgets first: what it did not answer is asked of it again by the next sweep."""

    def __init__(
        self, engine: AsyncEngine, providers: Mapping[str, Provider], clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._clock = clock

    async def forget_means(self, limit: int = 100) -> int:
        """Of orders that were undone, or whose money was all taken a day ago. Counts the orders."""
        async with self._engine.connect() as tx:
            over = await store.means_over(tx, self._clock() - keeping.KEPT_AFTER_END, limit)
        return sum([await self._forget(order_id) for order_id in over])

    async def _forget(self, order_id: str) -> bool:
        async with self._engine.connect() as tx:
            payment = await books.existing(tx, order_id)
            operations = await store.operations_of(tx, order_id)
        if not keeping.is_over(payment, operations, self._clock()):
            return False
        kept = {(one.provider, one.saved_means) for one in payment.tenders if one.saved_means}
        try:
            for provider, saved_means in kept:
                await self._providers[provider].forget_means(saved_means)
        except AnswerLost:
            return False
        async with self._engine.begin() as tx:
            payment = await books.locked(tx, order_id)
            await books.save(tx, payment, *keeping.forget(payment))
        return True
