"""What a request about stock to come may say whatever its state. Yields problems that name the field."""

from collections.abc import Iterator, Sequence
from datetime import date

from services.inventory.domain import validation
from services.inventory.domain.future_holds import FutureLine
from services.inventory.domain.preorder import Preorder
from services.inventory.domain.supply import ExpectedDelivery, FutureRules
from services.inventory.domain.supply_commands import ReceiveExpected
from services.inventory.domain.validation import MAX_QUANTITY, Problem

MAX_ROWS = 1_000
MAX_DAYS = 1_000
# Days may be counted on from any of these.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 1, 1)


def check_deliveries(deliveries: Sequence[ExpectedDelivery]) -> Iterator[Problem]:
    """Deliveries of one PutExpectedDeliveries, but for whether their items and points exist."""
    yield from _rows("deliveries", "delivery_id", [one.delivery_id for one in deliveries])
    for i, one in enumerate(deliveries):
        at = f"deliveries[{i}]"
        yield from validation.name(f"{at}.delivery_id", one.delivery_id)
        yield from validation.text(f"{at}.document", one.document)
        yield from validation.sku(f"{at}.sku", one.sku)
        yield from validation.name(f"{at}.point_id", one.point_id)
        yield from validation.quantity(f"{at}.quantity", one.quantity)
        for field in ("from_date", "until_date"):
            if not FIRST_DAY <= getattr(one, field) < LAST_DAY:
                yield Problem(f"{at}.{field}", f"not between {FIRST_DAY} and {LAST_DAY}")
        if one.until_date < one.from_date:
            yield Problem(f"{at}.until_date", "before from_date")
        yield from validation.text(f"{at}.source", one.source)
        if one.source_sequence < 0:
            yield Problem(f"{at}.source_sequence", "negative")


def check_known(
    field: str, skus: Sequence[str], points: Sequence[str], known: tuple[frozenset[str], frozenset[str]]
) -> Iterator[Problem]:
    """What is to come needs an item and a point."""
    for i, sku in enumerate(skus):
        if sku not in known[0]:
            yield Problem(f"{field}[{i}].sku", f"there is no item {sku}", "UNKNOWN_ITEM")
    for i, point_id in enumerate(points):
        if point_id and point_id not in known[1]:
            yield Problem(f"{field}[{i}].point_id", f"there is no point {point_id}", "UNKNOWN_POINT")


def check_rules(rules: FutureRules) -> Iterator[Problem]:
    """What a channel may promise, but for whether the points of its rules exist."""
    for i, kind in enumerate(rules.kinds):
        if kind in rules.kinds[:i]:
            yield Problem(f"rules.kinds[{i}]", f"{kind} stands here twice")
    for field in ("longest_promise_days", "grace_days"):
        if not 0 <= getattr(rules, field) <= MAX_DAYS:
            yield Problem(f"rules.{field}", f"not between 0 and {MAX_DAYS}")
    if len(rules.protection) > validation.MAX_LINES:
        yield Problem("rules.protection", f"at most {validation.MAX_LINES}")
    for i, rule in enumerate(rules.protection):
        if rule.point_id:
            yield from validation.name(f"rules.protection[{i}].point_id", rule.point_id)
        yield from validation.check_rule(f"rules.protection[{i}]", rule)


def check_receipt(command: ReceiveExpected) -> Iterator[Problem]:
    """Units that came; none at all only closes."""
    yield from validation.name("delivery_id", command.delivery_id)
    for field in ("quantity", "damaged"):
        if not 0 <= getattr(command, field) <= MAX_QUANTITY:
            yield Problem(field, f"not between 0 and {MAX_QUANTITY}")
    if not (command.quantity or command.damaged or command.close):
        yield Problem("quantity", "no unit came and the delivery is not closed")
    yield from validation.text("actor", command.actor, required=True)
    yield from validation.text("source", command.source)
    yield from validation.names("at_points", command.at_points)


def check_preorders(preorders: Sequence[Preorder]) -> Iterator[Problem]:
    """Pre-orders of one PutPreorders, but for whether their items and channels exist."""
    yield from _rows("preorders", "preorder_id", [one.preorder_id for one in preorders])
    for i, one in enumerate(preorders):
        at = f"preorders[{i}]"
        yield from validation.name(f"{at}.preorder_id", one.preorder_id)
        yield from validation.sku(f"{at}.sku", one.sku)
        if one.channel_id:
            yield from validation.name(f"{at}.channel_id", one.channel_id)
        if not 0 <= one.quantity <= MAX_QUANTITY:
            yield Problem(f"{at}.quantity", f"not between 0 and {MAX_QUANTITY}")
        if one.closes_at <= one.opens_at:
            yield Problem(f"{at}.closes_at", "not after opens_at")
        if one.release_at <= one.opens_at:
            yield Problem(f"{at}.release_at", "not after opens_at")


def check_lines(lines: Sequence[FutureLine], *, required: bool = True) -> Iterator[Problem]:
    """Lines of a reservation of future units."""
    if (required and not lines) or len(lines) > MAX_ROWS:
        yield Problem("lines", f"1 to {MAX_ROWS} are needed")
    for i, line in enumerate(lines):
        yield from validation.name(f"lines[{i}].{line.source.kind}_id", line.source.source_id)
        yield from validation.quantity(f"lines[{i}].quantity", line.quantity)


def _rows(field: str, key: str, ids: Sequence[str]) -> Iterator[Problem]:
    if not 1 <= len(ids) <= MAX_ROWS:
        yield Problem(field, f"1 to {MAX_ROWS} are needed")
    seen: set[str] = set()
    for i, one in enumerate(ids):
        if one in seen:
            yield Problem(f"{field}[{i}].{key}", f"{one} stands here twice")
        seen.add(one)
