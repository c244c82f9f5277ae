"""What the business owns beside stock: carriers, boxes, geography, rulesets, limits; replaced as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kit.errors import FailedPrecondition
from services.promise.domain.capacity import NO_LIMITS, Limits
from services.promise.domain.geography import Geography
from services.promise.domain.network import Box, Carrier
from services.promise.domain.ruleset_versions import Rulebook
from services.promise.domain.rulesets import DEFAULT_ID, Ruleset


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of them. `rulebooks` hold every version of each ruleset: the question's instant picks one."""

    version: int
    carriers: tuple[Carrier, ...]
    geography: Geography
    rulebooks: Mapping[str, Rulebook]
    limits: Limits = NO_LIMITS
    boxes: tuple[Box, ...] = ()

    def judge(self, at: datetime, *, again: bool = False) -> Ruleset:
        """The ruleset that judges a question of this instant: the default one, or else the one that is oldest.

        `again`: of an order that points refused or were short of; then the ruleset that it names for that, where
        there is one in force. FAILED_PRECONDITION / NO_RULESET when none was published.
        """
        ruleset = self._in_force(DEFAULT_ID, at) or self._oldest(at)
        if ruleset is None:
            raise FailedPrecondition("NO_RULESET", "no ruleset is in force")
        return (self._in_force(ruleset.replan_ruleset_id, at) if again else None) or ruleset

    def _in_force(self, ruleset_id: str, at: datetime) -> Ruleset | None:
        book = self.rulebooks.get(ruleset_id)
        version = book.in_force(at) if book else None
        return version.ruleset if version else None

    def _oldest(self, at: datetime) -> Ruleset | None:
        judging = [book for book in self.rulebooks.values() if book.in_force(at)]
        oldest = min(judging, key=lambda book: (book.versions[0].published_at, book.ruleset_id), default=None)
        return self._in_force(oldest.ruleset_id, at) if oldest else None
