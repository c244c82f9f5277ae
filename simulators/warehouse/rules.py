"""What is to go wrong, as tests order it. Not kept over a restart, but for what a preparation order was given."""

from typing import Literal

from pydantic import BaseModel, Field

# Taken by a preparation order when it comes, and kept with it.
Behaviour = Literal[
    # Every step takes `seconds` longer.
    "slow",
    # It is never worked on.
    "idle",
    # It is worked on, and no message is sent: only its status tells.
    "mute",
    # Of each line as many as `found` says by its number are found; none of a line that is not named.
    "short",
    # It is refused, for `reason`.
    "refuse",
    # Each message is sent twice.
    "duplicate",
    # Each message is told again as another one.
    "repeat",
    # Its messages are sent when the last one is there, the last first.
    "shuffle",
    # Asked to cancel it, the warehouse agrees, and ships it all the same.
    "ship_anyway",
    # Asked to cancel it, the warehouse says that it is too late, and ships it.
    "late",
]
# Taken by the next calls of the API.
Fault = Literal[
    # 503; nothing done.
    "down",
    # Done, but the answer never arrives.
    "lost_answer",
    # A new preparation order is answered with 422: the warehouse takes no such order.
    "reject",
]
FAULTS: frozenset[str] = frozenset({"down", "lost_answer", "reject"})


class Rule(BaseModel):
    """One order of things, for the next `count` preparation orders or calls."""

    kind: Behaviour | Fault
    count: int = Field(default=1, ge=1)
    # Only for this one; without it for whichever comes.
    preparation_id: str | None = None
    seconds: float = Field(default=0, ge=0)
    reason: str = "no_staff"
    found: dict[int, int] = Field(default_factory=dict)


class Rules:
    """The list of what is to go wrong."""

    def __init__(self) -> None:
        self._waiting: list[Rule] = []

    def order(self, rule: Rule) -> None:
        """Adds one; earlier ones are taken first."""
        self._waiting.append(rule)

    def clear(self) -> None:
        """Everything works again."""
        self._waiting.clear()

    def behaviours(self, preparation_id: str) -> list[Rule]:
        """All that a new preparation order is given."""
        given = [rule for rule in self._waiting if rule.kind not in FAULTS and self._meets(rule, preparation_id)]
        for rule in given:
            self._take(rule)
        return given

    def fault(self, preparation_id: str, among: frozenset[str] = FAULTS) -> str:
        """What befalls this call, or an empty text."""
        for rule in self._waiting:
            if rule.kind in among and self._meets(rule, preparation_id):
                self._take(rule)
                return rule.kind
        return ""

    @staticmethod
    def _meets(rule: Rule, preparation_id: str) -> bool:
        return rule.preparation_id in (None, preparation_id)

    def _take(self, rule: Rule) -> None:
        index = next(i for i, one in enumerate(self._waiting) if one is rule)
        if rule.count == 1:
            del self._waiting[index]
        else:
            self._waiting[index] = rule.model_copy(update={"count": rule.count - 1})
