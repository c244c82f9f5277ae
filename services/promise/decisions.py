"""Recorded decisions: read, and told to a person. Commits nothing: what is recorded never changes."""

import asyncio
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.errors import NotFound
from services.promise import checks, store
from services.promise.domain import explaining, explaining_points, explaining_waits, replaying
from services.promise.domain.explaining import Explanation
from services.promise.domain.plans import Decision
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot
from services.promise.service import PromiseService
from services.promise.terms import Terms


class Decisions:
    """One method per RPC. `promise` knows the network as it is today."""

    def __init__(self, database: AsyncEngine, promise: PromiseService) -> None:
        self._single = db.single(database)
        self._promise = promise

    async def get(self, decision_id: str) -> Decision:
        """NOT_FOUND / DECISION_NOT_FOUND."""
        checks.required(decision_id, "decision_id")
        async with self._single.connect() as tx:
            found = await store.find_decision(tx, decision_id)
        if found is None:
            raise NotFound("DECISION_NOT_FOUND", f"there is no decision {decision_id}", decision_id=decision_id)
        return found

    async def of_order(self, order_id: str, after: int, limit: int) -> list[tuple[int, Decision]]:
        """With their numbers, oldest first, above a number; without stock, points and reasons."""
        checks.required(order_id, "order_id")
        async with self._single.connect() as tx:
            return await store.list_decisions(tx, order_id, after, limit)

    async def explain(self, decision_id: str, why_not_point_id: str) -> Explanation:
        """NOT_FOUND / DECISION_NOT_FOUND; UNAVAILABLE / STOCK_UNKNOWN when it must plan again and cannot yet."""
        decision = await self.get(decision_id)
        is_told = not (explaining_points.points_with_all(decision) or explaining_waits.waits(decision))
        if is_told and not why_not_point_id:
            return explaining.explain(decision)
        terms, today = await self._promise.today(decision.request)
        ruleset = _judge(decision, terms)
        return await asyncio.to_thread(_explained, decision, why_not_point_id, today, ruleset)


def _explained(decision: Decision, why_not_point_id: str, today: Snapshot, ruleset: Ruleset) -> Explanation:
    whole = list(islice(explaining_points.points_with_all(decision), explaining_points.ALONE_ASKED))
    alone = replaying.alone(decision, whole, today, ruleset)
    why_not = replaying.why_not(decision, why_not_point_id, today, ruleset) if why_not_point_id else None
    at_once = replaying.at_once(decision, today, ruleset) if explaining_waits.waits(decision) else None
    return explaining.explain(decision, alone, why_not, at_once)


def _judge(decision: Decision, terms: Terms) -> Ruleset:
    """The version that judged: none ever changes."""
    return terms.rulebooks[decision.ruleset_id].version(decision.ruleset_version).ruleset
