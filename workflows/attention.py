"""What both stories share: being told of events, standing by a decision, and asking a person for help."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from workflows import policies, search_attributes, versions
from workflows.calls import StepFailed
from workflows.messages import Happening

Request = TypeVar("Request")
T = TypeVar("T")


class Story:
    """Base of the stories: records what happened, and insists on steps that must succeed."""

    def __init__(self) -> None:
        versions.begin()
        self._taken: set[str] = set()
        self._happenings: dict[str, Happening] = {}
        self._blocked: dict[int, str] = {}
        self._insisted = 0
        # How often a person was asked, by step.
        self._asked = Counter[int]()
        self._resumes = 0

    @workflow.signal
    def happened(self, happening: Happening) -> None:
        """A committed event; the same event told twice is taken once. Records only: `run` acts."""
        if happening.event_id not in self._taken:
            self._taken.add(happening.event_id)
            self._note(happening.type.rpartition(".")[2], happening)

    def _note(self, kind: str, happening: Happening) -> None:
        """Of each kind the newest is kept."""
        self._happenings[kind] = happening

    @workflow.signal
    def resume(self) -> None:
        """A person has mended what blocked the story: try again now."""
        self._resumes += 1

    @workflow.query
    def blocked_by(self) -> str:
        """The reasons why a person is needed; empty if none is."""
        return ", ".join(sorted(set(self._blocked.values())))

    def _has(self, kind: str) -> bool:
        return kind in self._happenings

    async def _first_of(self, *kinds: str, within: timedelta | None = None) -> str:
        """Waits for the first of these kinds of event, in the order of their rank; empty when time is up."""
        try:
            await workflow.wait_condition(lambda: any(map(self._has, kinds)), timeout=within)
        except TimeoutError:
            return ""
        return next(kind for kind in kinds if self._has(kind))

    async def _write_down(self) -> None:
        """What was decided until here stands in the history before any step is taken because of it.

        A workflow task that is lost is run again and may know of more by then (a cancellation, other lost units):
        it would decide anew, although steps of the first decision were taken.
        """
        if versions.knows("decisions-written-down"):
            await workflow.sleep(policies.MOMENT)

    async def _insist_on(
        self,
        step: Callable[[Request], Awaitable[T]],
        request: Request,
        *,
        unless: Callable[[str], bool] = lambda reason: False,
    ) -> T:
        """Takes a step that must succeed: when it fails for good, a person is asked, and it is tried again.

        The request, and so its key, stays the same: what was done and not answered is not done again.

        Raises the step's error only when its reason is an answer too, as `unless` says.
        """
        self._insisted += 1
        number = self._insisted
        while True:
            try:
                answer = await step(request)
            except StepFailed as error:
                if unless(error.reason):
                    raise
                await self._ask_for_help(number, error.reason)
            else:
                self._mark(number, "")
                return answer

    async def _ask_for_help(self, number: int, reason: str) -> None:
        workflow.logger.error("a person is needed", extra={"reason": reason})
        self._mark(number, reason)
        seen = self._resumes
        self._asked[number] += 1
        pause = min(policies.ATTENTION_RETRY * self._asked[number], policies.ATTENTION_LONGEST)
        try:
            await workflow.wait_condition(lambda: self._resumes > seen, timeout=pause)
        except TimeoutError:
            return

    def _mark(self, number: int, reason: str) -> None:
        """Steps may be blocked side by side: the flag is up while any of them is."""
        was_blocked = bool(self._blocked)
        if reason:
            self._blocked[number] = reason
        else:
            self._blocked.pop(number, None)
        if bool(self._blocked) != was_blocked:
            flag = search_attributes.NEEDS_ATTENTION.value_set(bool(self._blocked))
            workflow.upsert_search_attributes([flag])
