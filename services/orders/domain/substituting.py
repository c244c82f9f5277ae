"""Another article instead of one that a pick lacks, where the customer allows it (SPEC STO-5, SUB-3).

The units stay units of the line that was ordered, with its money: what is given costs the customer no more. Only
what lies in the parcel is another article, and that stands in the lines of the work: of one order line first those
of the article that was ordered, then the others, as its units follow each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain.model import CaptureMoment, Fulfilment, FulfilmentLine, Line, Order, Units
from services.orders.domain.ranges import LineRange, in_fulfilment, split

MAX_TITLE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Substitute:
    """Units of an article, with the title that customers read, instead of missing units of a line."""

    line_number: int
    sku: str
    quantity: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """What units of a line are."""

    sku: str
    title: str


# Units [from, to) of a line that are one article.
Run = tuple[int, int, Article]


def check(
    order: Order, work: Fulfilment, found: Mapping[int, int], instead: Sequence[Substitute]
) -> tuple[FulfilmentLine, ...]:
    """What is given instead, as lines of the work. INVALID_ARGUMENT names the field.

    SUBSTITUTES_NOT_ALLOWED by the customer; NOT_SUBSTITUTED where units are known by their line alone: at a hub or
    on the way to it, tried at home, with something to be put on them.
    """
    lines = {line.line_number: line for line in work.lines}
    missing = Counter({number: line.quantity - found[number] for number, line in lines.items()})
    named: set[tuple[int, str]] = set()
    for i, one in enumerate(instead):
        line = lines.get(one.line_number)
        if line is None:
            raise InvalidArgument(f"substituted[{i}].line_number", "the fulfilment has no such line")
        if not one.sku or one.sku == line.sku:
            raise InvalidArgument(f"substituted[{i}].sku", "another article than the one that was ordered")
        if (one.line_number, one.sku) in named:
            raise InvalidArgument(f"substituted[{i}].sku", "an article is said once of a line")
        if not 1 <= one.quantity <= missing[one.line_number]:
            units = missing[one.line_number]
            raise InvalidArgument(f"substituted[{i}].quantity", f"{units} units of the line are missing")
        if len(one.title) > MAX_TITLE_LENGTH:
            raise InvalidArgument(f"substituted[{i}].title", f"at most {MAX_TITLE_LENGTH} characters")
        if one.line_number not in _allowed(order):
            raise FailedPrecondition(
                "SUBSTITUTES_NOT_ALLOWED",
                "the customer takes nothing else instead of this line",
                line_number=one.line_number,
            )
        if one.line_number not in substitutable(order, work):
            raise FailedPrecondition(
                "NOT_SUBSTITUTED",
                "nothing is given instead at or for a hub, to try at home, or where something is put on units",
                line_number=one.line_number,
            )
        named.add((one.line_number, one.sku))
        missing[one.line_number] -= one.quantity
    return tuple(
        FulfilmentLine(one.line_number, one.sku, one.quantity, one.title, ordered_sku=lines[one.line_number].sku)
        for one in instead
    )


def substitutable(order: Order, work: Fulfilment) -> frozenset[int]:
    """The numbers of the lines of a work instead of which something else may be given."""
    is_tried = order.life_cycle.capture_at is CaptureMoment.TRIAL
    if work.joins or work.consolidates or is_tried:
        return frozenset()
    plain = {line.line_number for line in work.lines if not line.personalisations}
    return _allowed(order) & plain


def _allowed(order: Order) -> frozenset[int]:
    return frozenset(line.line_number for line in order.content.lines if line.allow_substitutes)


def quantities(units: Iterable[FulfilmentLine | Units]) -> Counter[int]:
    """How many units of each line they are."""
    total: Counter[int] = Counter()
    for one in units:
        total[one.line_number] += one.quantity
    return total


def together(found: Iterable[FulfilmentLine], others: Iterable[FulfilmentLine]) -> tuple[FulfilmentLine, ...]:
    """The lines of a work: of each order line the article itself first."""
    return tuple(sorted([*found, *others], key=lambda one: (one.line_number, bool(one.ordered_sku))))


def first(lines: Iterable[FulfilmentLine], counts: Mapping[int, int]) -> tuple[FulfilmentLine, ...]:
    """The first so many units of each order line: what is given instead is the last."""
    left = dict(counts)
    taken: list[FulfilmentLine] = []
    for line in lines:
        if quantity := min(line.quantity, left.get(line.line_number, 0)):
            left[line.line_number] -= quantity
            taken.append(replace(line, quantity=quantity))
    return tuple(taken)


def but_first(lines: Iterable[FulfilmentLine], counts: Mapping[int, int]) -> tuple[FulfilmentLine, ...]:
    """The other units of each order line."""
    left = dict(counts)
    others: list[FulfilmentLine] = []
    for line in lines:
        kept = min(line.quantity, left.get(line.line_number, 0))
        left[line.line_number] = left.get(line.line_number, 0) - kept
        if line.quantity > kept:
            others.append(replace(line, quantity=line.quantity - kept))
    return tuple(others)


def units_of(lines: Iterable[FulfilmentLine]) -> tuple[Units, ...]:
    """The same units, without their titles."""
    return tuple(Units(one.line_number, one.sku, one.quantity, ordered_sku=one.ordered_sku) for one in lines)


def as_ordered(lines: Iterable[FulfilmentLine]) -> tuple[Units, ...]:
    """The same units by the articles that were ordered: what is looked for again, each line once."""
    skus = {one.line_number: one.ordered_sku or one.sku for one in lines}
    counts = quantities(lines)
    return tuple(Units(number, sku, counts[number]) for number, sku in skus.items())


def given(order: Order) -> Mapping[int, Sequence[Run]]:
    """The units of each line that are another article, in the order of the units."""
    runs: dict[int, list[Run]] = {}
    for work in order.fulfilments:
        for number in sorted({one.line_number for one in work.lines if one.ordered_sku}):
            units = [one for one in in_fulfilment(order.ranges, work.fulfilment_id) if one.line_number == number]
            lines = [one for one in work.lines if one.line_number == number]
            runs.setdefault(number, []).extend(_runs(units, lines))
    return {number: sorted(found, key=lambda one: one[0]) for number, found in runs.items()}


def _runs(units: Iterable[LineRange], lines: Iterable[FulfilmentLine]) -> Iterator[Run]:
    """The first units are the first line's, and so on; those of the article itself are left out."""
    rest = list(units)
    for line in lines:
        left = line.quantity
        while left and rest:
            taken, others = split(rest[0], min(left, rest[0].quantity))
            rest[:1] = others
            left -= taken.quantity
            if line.ordered_sku:
                yield taken.from_unit, taken.to_unit, Article(line.sku, line.title or line.sku)


def articles(line: Line, start: int, end: int, others: Sequence[Run]) -> Iterator[Run]:
    """What the units [start, end) of a line are: its own article, but for those runs."""
    own = Article(line.sku, line.title)
    for first_unit, last, other in others:
        if last <= start or end <= first_unit:
            continue
        if start < first_unit:
            yield start, first_unit, own
        yield max(start, first_unit), min(last, end), other
        start = last
    if start < end:
        yield start, end, own
