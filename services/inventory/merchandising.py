"""Facts of positions, their sales and cover, and how well points find what they pick (SPEC STK-15).

Nothing here changes a balance or a figure of a channel, and nobody waits for any of it: there are no events. What
routing weighs, the stock feed tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.inventory.domain import facts, picks, sales, validation
from services.inventory.domain.facts import Fact, FactKey, FactKind, Outcome, Record, Result
from services.inventory.domain.ledger import Position
from services.inventory.domain.picks import Depth, FindRate
from services.inventory.domain.sales import Cover, Sold
from services.inventory.domain.validation import Problem
from services.inventory.store import catalogue, feed, ledger
from services.inventory.store import facts as store
from services.inventory.store import picks as pick_store
from services.inventory.store import sales as sales_store
from services.inventory.usecases import check

MAX_FILTERS = 500


@dataclass(frozen=True, slots=True)
class RatesAsked:
    """Which find rates; an empty category means all articles, no points and no depths mean all of them."""

    point_ids: Sequence[str]
    category: str
    depths: Sequence[Depth]
    window_days: int


class Merchandising:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._still = engine.execution_options(isolation_level="REPEATABLE READ")

    async def put_facts(self, records: Sequence[Record], actor: str, as_of: datetime) -> list[Result]:
        """Takes what sources say of positions; what became of each record."""
        check(facts.check(records, actor))
        positions = [record.position for record in records]
        async with self._engine.begin() as tx:
            known = await catalogue.known(tx, [p.sku for p in positions], [p.point_id for p in positions])
            check(facts.check_known(positions, *known))
            sent = [fact for record in records for fact in record.facts(actor, as_of)]
            outcomes = await _put(tx, sent)
        return [
            facts.result(
                record.position, {kind: outcomes[FactKey(*record.position, kind)] for kind in record.said}
            )
            for record in records
        ]

    async def list_facts(
        self, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int
    ) -> list[tuple[Position, Mapping[FactKind, Fact]]]:
        """What is known of positions, in (sku, point) order after one; empty filters mean all."""
        check(_check_filters(skus, point_ids))
        async with self._still.begin() as tx:
            found = await store.positions(tx, skus, point_ids, after, limit)
            return list((await store.read(tx, found)).items())

    async def list_versions(self, sku: str, point_id: str, before: int, limit: int) -> list[tuple[int, Fact]]:
        """What was said of a position, newest first, before a number: number, fact."""
        check(validation.sku("sku", sku), validation.name("point_id", point_id))
        async with self._engine.begin() as tx:
            return await store.versions(tx, Position(sku, point_id), before, limit)

    async def list_cover(
        self, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int, as_of: datetime
    ) -> list[Cover]:
        """Of positions that have or had stock, in (sku, point) order after one; empty filters mean all."""
        check(_check_filters(skus, point_ids))
        async with self._still.begin() as tx:
            balances = await ledger.balances(tx, skus, point_ids, after, limit)
            positions = [balance.position for balance in balances]
            imported = await store.read(tx, positions, [FactKind.SALES_RATE])
            sold = await sales_store.sold(tx, positions, as_of)
        return [
            sales.cover(
                balance,
                imported[balance.position].get(FactKind.SALES_RATE),
                sold.get(balance.position, Sold()),
                as_of,
            )
            for balance in balances
        ]

    async def list_find_rates(self, asked: RatesAsked, as_of: datetime) -> list[FindRate]:
        """Of each point and depth asked for, by point, the least depth first. Points that do not exist are left
        out."""
        check(_check_filters((), asked.point_ids), _check_rates(asked))
        since = as_of - timedelta(days=asked.window_days)
        async with self._still.begin() as tx:
            points = await catalogue.points(tx, asked.point_ids or None)
            picked = await pick_store.picked(tx, asked.category, since, as_of)
        wanted = [depth for depth in Depth if depth in asked.depths or not asked.depths]
        return picks.find_rates(
            picked, [point.point_id for point in points], wanted, by_category=bool(asked.category)
        )


async def _put(tx: AsyncConnection, sent: Sequence[Fact]) -> dict[FactKey, Outcome]:
    """Writes what is new and what is later than what is known; what became of each fact."""
    created = await store.create(tx, sent)
    known = await store.lock(tx, [fact.key for fact in sent if fact.key not in created])
    outcomes: dict[FactKey, Outcome] = {}
    heard: list[Fact] = []
    changed: list[Fact] = []
    told: set[Position] = set()
    for fact in sent:
        if fact.key in created:
            after, outcome = fact, facts.first(fact)
        else:
            after, outcome = facts.revised(known[fact.key], fact)
            if outcome is not Outcome.STALE:
                heard.append(after)
        outcomes[fact.key] = outcome
        if outcome is Outcome.CHANGED:
            changed.append(after)
        before = known.get(fact.key)
        if outcome is not Outcome.STALE and sales.is_told(before, after):
            told.add(fact.key.position)
    await store.write(tx, heard)
    await store.keep(tx, changed)
    await feed.mark_positions(tx, sorted(told))
    return outcomes


def _check_filters(skus: Sequence[str], point_ids: Sequence[str]) -> Iterator[Problem]:
    for field, values in (("skus", skus), ("point_ids", point_ids)):
        if len(values) > MAX_FILTERS:
            yield Problem(field, f"at most {MAX_FILTERS}")
    yield from validation.skus(skus)
    yield from validation.names("point_ids", point_ids)


def _check_rates(asked: RatesAsked) -> Iterator[Problem]:
    yield from validation.text("category", asked.category)
    if not 1 <= asked.window_days <= picks.MAX_WINDOW_DAYS:
        yield Problem("window_days", f"not between 1 and {picks.MAX_WINDOW_DAYS}")
