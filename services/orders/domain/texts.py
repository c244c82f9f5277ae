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


def after_change(
    before: Iterable[Line], buyer: Buyer, after: Iterable[Line], sent: Iterable[PersonalText]
) -> tuple[PersonalText, ...]:
    """What is to be put on the units of other lines: as it is sent, else as it was on the line and its article."""
    skus = {line.line_number: line.sku for line in before}
    was = {(one.line_number, one.name): one.text for one in buyer.personalisations}
    now = {(one.line_number, one.name): one.text for one in sent}
    wanted: list[PersonalText] = []
    for line in after:
        for name in line.personalisations:
            kept = was.get((line.line_number, name), "") if skus.get(line.line_number) == line.sku else ""
            if text := now.get((line.line_number, name)) or kept:
                wanted.append(PersonalText(line.line_number, name, text))
    return tuple(wanted)


def differ(before: Buyer, after: Buyer) -> bool:
    """Whether anything that is written for somebody is another."""
    on_units = set(before.personalisations) != set(after.personalisations)
    return on_units or before.gift_message != after.gift_message
