"""What both stories share: being told of events, and asking a person for help instead of failing."""

from collections.abc import Awaitable, Callable, Container
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from workflows import policies, search_attributes
from workflows.calls import StepFailed
from workflows.messages import Happening

T = TypeVar("T")


class Story:
    """Base of the stories: records what happened, and insists on steps that must succeed."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._happenings: dict[str, Happening] = {}
        self._blocked_by = ""
        self._resumes = 0

    @workflow.signal
    def happened(self, happening: Happening) -> None:
        """A committed event; the same event told twice is taken once. Records only: `run` acts."""
        if happening.event_id not in self._taken:
            self._taken.add(happening.event_id)
            self._happenings[happening.type.rpartition(".")[2]] = happening

    @workflow.signal
    def resume(self) -> None:
        """A person has mended what blocked the story: try again now."""
        self._resumes += 1

    @workflow.query
    def blocked_by(self) -> str:
        """The reason why a person is needed; empty if none is."""
        return self._blocked_by

    def _has(self, kind: str) -> bool:
        return kind in self._happenings

    async def _first_of(self, *kinds: str, within: timedelta | None = None) -> str:
        """Waits for the first of these kinds of event, in the order of their rank; empty when time is up."""
        try:
            await workflow.wait_condition(lambda: any(map(self._has, kinds)), timeout=within)
        except TimeoutError:
            return ""
        return next(kind for kind in kinds if self._has(kind))

    async def _insist(self, step: Callable[[], Awaitable[T]], *, unless: Container[str] = ()) -> T:
        """Takes a step that must succeed: when it fails for good, a person is asked, and it is tried again.

        Raises the step's error only when its reason is one of `unless`.
        """
        while True:
            try:
                answer = await step()
            except StepFailed as error:
                if error.reason in unless:
                    raise
                await self._ask_for_help(error.reason)
                continue
            if self._blocked_by:
                self._blocked_by = ""
                workflow.upsert_search_attributes([search_attributes.NEEDS_ATTENTION.value_set(False)])
            return answer

    async def _ask_for_help(self, reason: str) -> None:
        workflow.logger.error("a person is needed", extra={"reason": reason})
        if not self._blocked_by:
            workflow.upsert_search_attributes([search_attributes.NEEDS_ATTENTION.value_set(True)])
        self._blocked_by = reason
        seen = self._resumes
        try:
            await workflow.wait_condition(lambda: self._resumes > seen, timeout=policies.ATTENTION_RETRY)
        except TimeoutError:
            return
