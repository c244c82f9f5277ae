"""What customers have put on their units: personal data, with the buyer; lines know names alone (SPEC ORD-6)."""

from collections.abc import Iterable

from kit.errors import InvalidArgument
from services.orders.domain.model import Buyer, Line, PersonalText

MAX_CHARACTERS = 1_000
MAX_OF_A_LINE = 20


def check(lines: Iterable[Line], buyer: Buyer) -> None:
    """Raises InvalidArgument, naming the field, for what nobody could put on a unit."""
    texts = {(one.line_number, one.name): one.text for one in buyer.personalisations}
    for i, line in enumerate(lines):
        path = f"lines[{i}].personalisations"
        if not line.personalisations:
            continue
        if line.taken_at_point_id:
            raise InvalidArgument(path, "what is taken along at once is not personalised", reason="TAKEN_ALONG")
        if len(line.personalisations) > MAX_OF_A_LINE:
            raise InvalidArgument(path, f"a line has at most {MAX_OF_A_LINE}")
        for j, name in enumerate(line.personalisations):
            if not name or name in line.personalisations[:j]:
                raise InvalidArgument(f"{path}[{j}].name", "each has a name, once in a line")
            if not 1 <= len(texts.get((line.line_number, name), "").strip()) <= MAX_CHARACTERS:
                raise InvalidArgument(f"{path}[{j}].text", f"1 to {MAX_CHARACTERS} characters are to be put on it")


def check_unchanged(before: Buyer, sent: Iterable[PersonalText]) -> None:
    """Other content keeps the texts as they were ordered. Raises InvalidArgument."""
    known = set(before.personalisations)
    for one in sent:
        if one not in known:
            raise InvalidArgument(
                "lines",
                f"the text on line {one.line_number} stays as it was ordered",
                reason="TEXT_STAYS",
                line_number=one.line_number,
            )
