"""What the business owns beside stock: carriers, geography, rulesets; as one value that is replaced as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import FailedPrecondition, NotFound
from services.promise.domain.geography import Geography
from services.promise.domain.network import Carrier
from services.promise.domain.rulesets import DEFAULT_ID, Ruleset


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of them. `rulesets` holds the newest version of each."""

    version: int
    carriers: tuple[Carrier, ...]
    geography: Geography
    rulesets: Mapping[str, Ruleset]

    @property
    def is_complete(self) -> bool:
        """Whether there are carriers and a ruleset: without them nothing can be planned."""
        return bool(self.carriers and self.rulesets)

    def ruleset(self, ruleset_id: str = "") -> Ruleset:
        """By id; empty is the default one, or the only one. NOT_FOUND / RULESET_NOT_FOUND."""
        wanted = ruleset_id or DEFAULT_ID
        if wanted in self.rulesets:
            return self.rulesets[wanted]
        if not ruleset_id and len(self.rulesets) == 1:
            return next(iter(self.rulesets.values()))
        raise NotFound("RULESET_NOT_FOUND", f"there is no ruleset {wanted}", ruleset_id=wanted)

    def ruleset_in_force(self) -> Ruleset:
        """The one that plans are judged by. FAILED_PRECONDITION / NO_RULESET when none was published."""
        try:
            return self.ruleset()
        except NotFound:
            raise FailedPrecondition("NO_RULESET", "no ruleset was published") from None
