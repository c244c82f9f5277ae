"""Goods that are tried at home: what customers decide, and what they give back. One method per RPC."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from services.orders.changing import Asked, Changes
from services.orders.domain import trials
from services.orders.domain.model import Decision, Order, Trial, Units

_TRIAL: TypeAdapter[Trial | None] = TypeAdapter(Trial | None)


class Trying(Changes):
    """The use cases of trials."""

    async def decide(
        self, asked: Asked, order_id: str, returns: Sequence[Units], actor: str, as_of: datetime
    ) -> Trial | None:
        """What comes back; FailedPrecondition / NO_TRIAL, TRIAL_NOT_BEGUN, TRIAL_OVER, NOT_AT_HOME."""
        return await self._on_trial(asked, order_id, lambda one: trials.decide(one, returns, actor, as_of))

    async def give_back(
        self,
        asked: Asked,
        order_id: str,
        lines: Sequence[Units],
        point_id: str,
        actor: str,
        as_of: datetime,
    ) -> Trial | None:
        """What was given back; FailedPrecondition / NO_TRIAL, TRIAL_OVER, NOT_AT_HOME."""
        return await self._on_trial(
            asked, order_id, lambda one: trials.give_back(one, lines, point_id, actor, as_of)
        )

    async def _on_trial(self, asked: Asked, order_id: str, decide: Callable[[Order], Decision]) -> Trial | None:
        answer = await self.on_order(asked, order_id, decide, _told)
        return _TRIAL.validate_python(answer["trial"])


def _told(decision: Decision) -> dict[str, Any]:
    return {"trial": _TRIAL.dump_python(decision.order.trial, mode="json")}
