"""Why units of a pick are missing (SPEC STO-5, STK-6): one reason for all that is missing of a line.

A word that inventory knows goes with the units into their declaration; what people write stays in the timeline.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.errors import InvalidArgument
from services.orders.domain.model import Fulfilment, FulfilmentLine

NOT_FOUND = "not_found"
OTHER = "other"
REASONS = (NOT_FOUND, "damaged", "being_sold", OTHER)
MAX_NOTE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a line is short. `note`: in the words of who picked it, and never about a person."""

    line_number: int
    reason: str
    note: str = ""


Why = Mapping[int, Missing]


def check(work: Fulfilment, found: Mapping[int, int], reasons: Sequence[Missing]) -> Why:
    """By line. Raises InvalidArgument, naming the field, for a reason of a line that is not short."""
    short = {line.line_number for line in work.lines if found[line.line_number] < line.quantity}
    why: dict[int, Missing] = {}
    for i, one in enumerate(reasons):
        check_words(f"missing[{i}]", one.reason, one.note)
        if one.line_number in why:
            raise InvalidArgument(f"missing[{i}].line_number", "a line is said once")
        if one.line_number not in short:
            raise InvalidArgument(f"missing[{i}].line_number", "nothing of this line is missing")
        why[one.line_number] = one
    return why


def check_words(path: str, reason: str, note: str) -> None:
    """Raises InvalidArgument for words that say nothing."""
    if reason not in REASONS:
        raise InvalidArgument(f"{path}.reason", f"one of {', '.join(REASONS)}")
    if reason == OTHER and not note.strip():
        raise InvalidArgument(f"{path}.note", "say what it is")
    if len(note) > MAX_NOTE_LENGTH:
        raise InvalidArgument(f"{path}.note", f"at most {MAX_NOTE_LENGTH} characters")


def facts(missing: Iterable[FulfilmentLine], why: Why) -> list[dict[str, int | str]]:
    """The missing units as events tell them, with their reason."""
    return [
        {
            "line_number": one.line_number,
            "sku": one.sku,
            "quantity": one.quantity,
            "reason": _reason(one, why),
        }
        for one in missing
    ]


def notes(why: Why) -> dict[str, Any]:
    """What people wrote, by line: for the timeline alone."""
    written = {str(number): one.note for number, one in why.items() if one.note}
    return {"missing_notes": written} if written else {}


def in_words(missing: Iterable[FulfilmentLine], why: Why) -> str:
    """For example "; 2 units not found, 1 unit damaged"; empty when nothing is missing."""
    counts: Counter[str] = Counter()
    for one in missing:
        counts[_reason(one, why)] += one.quantity
    parts = [
        f"{counts[reason]} unit{'' if counts[reason] == 1 else 's'} {_WORDS[reason]}"
        for reason in REASONS
        if counts[reason]
    ]
    return f"; {', '.join(parts)}" if parts else ""


_WORDS = {NOT_FOUND: "not found", "damaged": "damaged", "being_sold": "being sold", OTHER: "missing otherwise"}


def _reason(one: FulfilmentLine, why: Why) -> str:
    said = why.get(one.line_number)
    return said.reason if said else NOT_FOUND
