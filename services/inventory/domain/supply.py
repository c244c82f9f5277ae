"""Stock to come (SPEC STK-9): expected deliveries, and what a channel may promise of them.

Windows are days in the zone of the point, both ends included. What a channel may promise of a delivery is
max(0, what is still expected - held - protected), or 0 for a reason; `prospects` is the only place that says so:
the figure shown and the figure that a reserve is judged by both come from it. It is never added to what is
available now.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from kit.errors import FailedPrecondition
from services.inventory.domain.buffers import BufferRules, Kept
from services.inventory.domain.catalogue import BufferRule
from services.inventory.domain.image import NOT_ACTIVATED, Terms
from services.inventory.domain.ledger import Position

POINT_NOT_ACTIVATED = "POINT_NOT_ACTIVATED"
KIND_NOT_OPTED_IN = "KIND_NOT_OPTED_IN"
OVERDUE = "OVERDUE"
BEYOND_LONGEST_PROMISE = "BEYOND_LONGEST_PROMISE"
DELIVERY_ENDED = "DELIVERY_ENDED"


class ExpectedKind(StrEnum):
    """Where the units are until they come."""

    ON_ORDER = "on_order"
    IN_TRANSIT = "in_transit"
    SUPPLIER = "supplier"


class ExpectedState(StrEnum):
    """Where a delivery is in its life."""

    EXPECTED = "expected"
    RECEIVED = "received"
    CANCELLED = "cancelled"


class PutOutcome(StrEnum):
    """What became of a delivery that was put."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    STALE = "stale"
    ENDED = "ended"


_TRANSITIONS: Mapping[ExpectedState, frozenset[ExpectedState]] = {
    ExpectedState.EXPECTED: frozenset({ExpectedState.RECEIVED, ExpectedState.CANCELLED}),
    ExpectedState.RECEIVED: frozenset(),
    ExpectedState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ExpectedDelivery:
    """Units of one SKU that will come to one point. `received` may pass `quantity`: more may come."""

    delivery_id: str
    sku: str
    point_id: str
    kind: ExpectedKind
    quantity: int
    from_date: date
    until_date: date
    document: str = ""
    source: str = ""
    source_sequence: int = 0
    source_updated_at: datetime | None = None
    state: ExpectedState = ExpectedState.EXPECTED
    received: int = 0
    cancel_reason: str = ""

    @property
    def position(self) -> Position:
        return Position(self.sku, self.point_id)

    @property
    def outstanding(self) -> int:
        """Units that will still come."""
        return self.quantity - self.received if self.state is ExpectedState.EXPECTED else 0


@dataclass(frozen=True, slots=True)
class FutureRules:
    """What a channel may promise of stock to come; without a kind, nothing."""

    kinds: tuple[ExpectedKind, ...] = ()
    longest_promise_days: int = 0
    grace_days: int = 0
    protection: tuple[BufferRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """How one delivery adds to a channel's figure; `available` is 0 whatever is expected for a `zero_reason`."""

    delivery: ExpectedDelivery
    held: int
    protected: Kept
    available: int
    zero_reason: str = ""


# -- the life of a delivery -------------------------------------------------------------------------------


def revised(known: ExpectedDelivery, sent: ExpectedDelivery) -> tuple[ExpectedDelivery, PutOutcome]:
    """The delivery after its source spoke again. Raises OTHER_POSITION.

    A quantity that has come already ends it.
    """
    if known.position != sent.position:
        raise FailedPrecondition(
            "OTHER_POSITION",
            f"delivery {known.delivery_id} is of {known.sku} to {known.point_id}; cancel it and put another",
            delivery_id=known.delivery_id,
            sku=known.sku,
            point_id=known.point_id,
        )
    if known.state is not ExpectedState.EXPECTED:
        return known, PutOutcome.ENDED
    if _is_earlier(sent, known):
        return known, PutOutcome.STALE
    after = replace(sent, state=known.state, received=known.received)
    if after == known:
        return known, PutOutcome.UNCHANGED
    return _ended_if_all_came(after), PutOutcome.CHANGED


def _is_earlier(sent: ExpectedDelivery, known: ExpectedDelivery) -> bool:
    if sent.source_sequence != known.source_sequence:
        return sent.source_sequence < known.source_sequence
    return bool(
        sent.source_updated_at and known.source_updated_at and sent.source_updated_at < known.source_updated_at
    )


def received(delivery: ExpectedDelivery, units: int, *, close: bool) -> ExpectedDelivery:
    """The delivery after units came, or (with `close`) after it was said that no more will.

    Raises DELIVERY_ENDED.
    """
    if delivery.state is not ExpectedState.EXPECTED:
        raise FailedPrecondition(
            "DELIVERY_ENDED",
            f"delivery {delivery.delivery_id} is {delivery.state}: units beside it are an adjustment",
            delivery_id=delivery.delivery_id,
            state=delivery.state.value,
        )
    after = replace(delivery, received=delivery.received + units)
    return cancelled(after) if close else _ended_if_all_came(after)


def cancelled(delivery: ExpectedDelivery, reason: str = "") -> ExpectedDelivery:
    """Nothing more will come: received, if something did. Raises DELIVERY_RECEIVED."""
    if delivery.state is ExpectedState.CANCELLED:
        return delivery
    if delivery.state is ExpectedState.RECEIVED:
        raise FailedPrecondition(
            "DELIVERY_RECEIVED",
            f"delivery {delivery.delivery_id} was received",
            delivery_id=delivery.delivery_id,
            received=delivery.received,
        )
    state = ExpectedState.RECEIVED if delivery.received else ExpectedState.CANCELLED
    return replace(_to(delivery, state), cancel_reason=reason)


def _ended_if_all_came(delivery: ExpectedDelivery) -> ExpectedDelivery:
    return _to(delivery, ExpectedState.RECEIVED) if delivery.received >= delivery.quantity else delivery


def _to(delivery: ExpectedDelivery, state: ExpectedState) -> ExpectedDelivery:
    if state not in _TRANSITIONS[delivery.state]:
        raise FailedPrecondition(
            "ILLEGAL_TRANSITION",
            f"a delivery never goes from {delivery.state} to {state}",
            delivery_id=delivery.delivery_id,
        )
    return replace(delivery, state=state)


# -- what may be promised ---------------------------------------------------------------------------------


def day_at(time_zone: str, as_of: datetime) -> date:
    """The local date in an IANA zone."""
    return as_of.astimezone(ZoneInfo(time_zone)).date()


def is_overdue(delivery: ExpectedDelivery, today: date) -> bool:
    """Still expected though its last day has passed at its point."""
    return delivery.state is ExpectedState.EXPECTED and delivery.until_date < today


def due_at(delivery: ExpectedDelivery, rules: FutureRules, today: date, time_zone: str) -> datetime:
    """From when its units can be counted on: the end of its last day; of an overdue one, the end of the grace."""
    grace = rules.grace_days if delivery.until_date < today else 0
    return expected_at(delivery, time_zone, grace)


def expected_at(delivery: ExpectedDelivery, time_zone: str, grace_days: int = 0) -> datetime:
    """The end of its last day, or of days of grace after that."""
    day = delivery.until_date + timedelta(days=grace_days + 1)
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)


def prospects(
    terms: Terms,
    rules: FutureRules,
    deliveries: Sequence[ExpectedDelivery],
    held: Mapping[str, int],
    today: Mapping[str, date],
) -> tuple[Prospect, ...]:
    """Each delivery of one item that the channel knows, the earliest first, with what may be promised of it.

    `held` is by delivery, `today` by point. The protection of a position is taken from its earliest deliveries:
    the first to come is what a late or a short one would be made good with.
    """
    protecting = BufferRules(rules.protection)
    coming = Counter[str]()
    for delivery in deliveries:
        coming[delivery.point_id] += delivery.outstanding
    unprotected: dict[str, int] = {}
    found: list[Prospect] = []
    for delivery in sorted(deliveries, key=lambda one: (one.until_date, one.from_date, one.delivery_id)):
        taken = held.get(delivery.delivery_id, 0)
        reason = _zero_reason(terms, rules, delivery, today[delivery.point_id])
        if reason:
            found.append(Prospect(delivery, taken, Kept(), 0, reason))
            continue
        path, point = terms.items[delivery.sku].path, terms.points[delivery.point_id]
        rule = protecting.at(delivery.sku, path, delivery.point_id, point.type, coming[delivery.point_id])
        left = max(0, delivery.outstanding - taken)
        to_protect = unprotected.get(delivery.point_id, rule.quantity)
        protected = min(left, to_protect)
        unprotected[delivery.point_id] = to_protect - protected
        found.append(Prospect(delivery, taken, Kept(protected, rule.rule), left - protected))
    return tuple(found)


def _zero_reason(terms: Terms, rules: FutureRules, delivery: ExpectedDelivery, today: date) -> str:
    if delivery.state is not ExpectedState.EXPECTED:
        return DELIVERY_ENDED
    if excluded := terms.zero_reason(delivery.sku):
        return excluded
    if barred := terms.barred(*delivery.position):
        return POINT_NOT_ACTIVATED if barred == NOT_ACTIVATED else barred
    if delivery.kind not in rules.kinds:
        return KIND_NOT_OPTED_IN
    if delivery.until_date + timedelta(days=rules.grace_days) < today:
        return OVERDUE
    if delivery.until_date > today + timedelta(days=rules.longest_promise_days):
        return BEYOND_LONGEST_PROMISE
    return ""
