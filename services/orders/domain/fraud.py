"""Judging an order for fraud (SPEC ORD-4): what its rules need to know of others, the score, and what follows.

Who placed the other orders is never known here: only how many share a trait with this one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit.errors import InvalidArgument
from kit.values.money import is_currency
from services.orders.domain.fraud_policy import (
    AmountOver,
    Band,
    Condition,
    DeliveredOutside,
    FraudCheck,
    FraudHit,
    FraudPolicy,
    FraudRule,
    NewCustomer,
    NoEmail,
    Trait,
    UnitsOver,
    Velocity,
)
from services.orders.domain.model import (
    Buyer,
    Decision,
    DeliveryMode,
    Happening,
    HoldKind,
    HoldOutcome,
    HoldRule,
    Order,
    Refusal,
)

CHECKED = "order.fraud_checked"
# The customer is told no more: who learns the rules learns to keep below them.
REFUSAL = Refusal("FRAUD_SUSPECTED", "the order cannot be accepted")
REVIEW_REASON = "it is reviewed before it goes on"
MAX_RULES, MAX_WEIGHT, MAX_NAME, MAX_REASON = 50, 1000, 64, 200
MAX_HOURS = 90 * 24
_KNOWN_BY = (Trait.CUSTOMER, Trait.EMAIL)


@dataclass(frozen=True, slots=True)
class Look:
    """Other orders that share one of these traits, recorded after `since` (None: ever) and, if given, before."""

    traits: tuple[Trait, ...]
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """How many there are, what they come to in the currency of this one, and how many were not undone."""

    orders: int = 0
    amount_minor: int = 0
    standing: int = 0


# -- judging ----------------------------------------------------------------------------------------------


def looks(order: Order) -> tuple[Look, ...]:
    """What has to be known of other orders, each once."""
    policy = order.life_cycle.fraud
    rules = policy.rules if policy else ()
    wanted = (_look(one.condition, order) for one in rules)
    return tuple(dict.fromkeys(look for look in wanted if look))


def _look(condition: Condition | None, order: Order) -> Look | None:
    if isinstance(condition, Velocity):
        # Those that were recorded later count too: of orders that come at once, the last to be accepted sees all.
        return Look((condition.same,), since=order.recorded_at - timedelta(hours=condition.hours))
    if isinstance(condition, NewCustomer):
        return Look(_KNOWN_BY, before=order.recorded_at)
    return None


def assess(order: Order, buyer: Buyer, seen: Mapping[Look, Seen], as_of: datetime) -> FraudCheck | None:
    """What the rules say of the order; None when none applies. What a reviewer let pass is not asked again."""
    policy = order.life_cycle.fraud
    if policy is None:
        return None
    passed = _passed(order)
    hits = tuple(
        FraudHit(one.name, one.weight, one.reason)
        for one in policy.rules
        if one.name not in passed and _applies(one.condition, order, buyer, seen)
    )
    score = sum(one.weight for one in hits)
    return FraudCheck(score, _band(policy, score), hits, as_of) if hits else None


def _passed(order: Order) -> frozenset[str]:
    """The rules for which somebody released the order."""
    released = any(one.kind is HoldKind.FRAUD and one.outcome is HoldOutcome.RELEASED for one in order.holds)
    return frozenset(one.rule for one in order.fraud.hits) if released and order.fraud else frozenset()


def _band(policy: FraudPolicy, score: int) -> Band:
    if policy.refuse_at and score >= policy.refuse_at:
        return Band.REFUSE
    return Band.REVIEW if policy.review_at and score >= policy.review_at else Band.PASS


def _applies(condition: Condition | None, order: Order, buyer: Buyer, seen: Mapping[Look, Seen]) -> bool:
    total, look = order.content.total, _look(condition, order)
    others = seen.get(look, Seen()) if look else Seen()
    match condition:
        case AmountOver():
            return total.currency == condition.currency and total.amount_minor > condition.amount_minor
        case Velocity():
            return _is_fast(condition, order, others)
        case DeliveredOutside():
            return buyer.ship_to.country not in condition.countries
        case NoEmail():
            return not buyer.customer.email.strip()
        case UnitsOver():
            units = Counter[str]()
            for line in order.content.lines:
                units[line.sku] += line.quantity
            return max(units.values(), default=0) > condition.quantity
        case NewCustomer():
            return (not condition.modes or order.content.mode in condition.modes) and not others.standing
        case _:
            return False


def _is_fast(condition: Velocity, order: Order, others: Seen) -> bool:
    """A trait that the order does not have is shared with none: the order alone is no haste."""
    if not others.orders:
        return False
    total = order.content.total
    too_many = condition.more_than_orders and others.orders + 1 > condition.more_than_orders
    counts = total.currency == condition.currency
    too_much = condition.more_than_minor and counts
    return bool(too_many or (too_much and others.amount_minor + total.amount_minor > condition.more_than_minor))


# -- what follows -----------------------------------------------------------------------------------------


def is_refused(order: Order) -> bool:
    """Whether the rules said that it must not be accepted."""
    return order.fraud is not None and order.fraud.band is Band.REFUSE


def refuse(order: Order, check: FraudCheck, as_of: datetime) -> Decision:
    """The order is not accepted. It is refused, as any other, once what was begun for it is undone."""
    return Decision(replace(order, fraud=check, updated_at=as_of), (told(check),))


def told(check: FraudCheck) -> Happening:
    """The timeline's entry, for who reviews; no event."""
    rules = ", ".join(one.rule for one in check.hits)
    then = {Band.PASS: "it goes on", Band.REVIEW: "it is reviewed", Band.REFUSE: "it is refused"}[check.band]
    notes = {"score": check.score, "band": check.band.value, "rules": [one.rule for one in check.hits]}
    text = f"The fraud rules gave it {check.score} ({rules}): {then}."
    return Happening(CHECKED, text, check.at, notes=notes, told=False)


def of_changed(order: Order, check: FraudCheck | None) -> FraudCheck | None:
    """What is known of an order once it was changed: with the rules for which a reviewer let it pass before."""
    if check is None or order.fraud is None:
        return check or order.fraud
    again = {one.rule for one in check.hits}
    passed = _passed(order)
    kept = tuple(one for one in order.fraud.hits if one.rule in passed and one.rule not in again)
    return replace(check, score=check.score + sum(one.weight for one in kept), hits=(*kept, *check.hits))


def asks_for_review(order: Order, check: FraudCheck | None) -> bool:
    """Whether a change has given a new reason to look at the order; what holds it already is not said twice."""
    if check is None or check.band is not Band.REVIEW:
        return False
    known = {one.rule for one in order.fraud.hits} if order.fraud else set()
    is_held = any(one.kind is HoldKind.FRAUD and one.ended_at is None for one in order.holds)
    return not is_held and any(one.rule not in known for one in check.hits)


# -- what a life cycle may say ----------------------------------------------------------------------------


def check_policy(policy: FraudPolicy, hold_rules: Sequence[HoldRule]) -> None:
    """Raises InvalidArgument, naming the field."""
    path = "life_cycle.fraud"
    if not 1 <= len(policy.rules) <= MAX_RULES:
        raise InvalidArgument(f"{path}.rules", f"1 to {MAX_RULES} rules")
    for name, score in (("review_at", policy.review_at), ("refuse_at", policy.refuse_at)):
        if score < 0:
            raise InvalidArgument(f"{path}.{name}", "at least 0")
    if not policy.review_at and not policy.refuse_at:
        raise InvalidArgument(f"{path}.review_at", "say from which score on an order is reviewed or refused")
    if policy.refuse_at and policy.refuse_at <= policy.review_at:
        raise InvalidArgument(f"{path}.refuse_at", "higher than review_at")
    undated = any(one.kind is HoldKind.FRAUD and not one.seconds for one in hold_rules)
    if policy.review_at and undated:
        raise InvalidArgument("life_cycle.hold_rules", "a review has a deadline: the seconds of the hold of fraud")
    seen: set[str] = set()
    for i, one in enumerate(policy.rules):
        _check_rule(one, f"{path}.rules[{i}]")
        if one.name in seen:
            raise InvalidArgument(f"{path}.rules[{i}].name", "each rule has a name of its own")
        seen.add(one.name)


def _check_rule(one: FraudRule, path: str) -> None:
    if not 1 <= len(one.name) <= MAX_NAME:
        raise InvalidArgument(f"{path}.name", f"1 to {MAX_NAME} characters")
    if not 1 <= one.weight <= MAX_WEIGHT:
        raise InvalidArgument(f"{path}.weight", f"1 to {MAX_WEIGHT}")
    if not 1 <= len(one.reason) <= MAX_REASON:
        raise InvalidArgument(f"{path}.reason", f"say why, in 1 to {MAX_REASON} characters")
    if one.condition is None:
        raise InvalidArgument(path, "a rule has exactly one condition")
    _check_condition(one.condition, f"{path}.{one.condition.kind}")


def _check_condition(condition: Condition, path: str) -> None:
    match condition:
        case AmountOver():
            _check_currency(condition.currency, path)
            _check_at_least(condition.amount_minor, 1, f"{path}.amount_minor")
        case Velocity():
            _check_velocity(condition, path)
        case DeliveredOutside():
            if not condition.countries:
                raise InvalidArgument(f"{path}.countries", "at least one country")
            for i, country in enumerate(condition.countries):
                if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
                    rule = "a country is two upper case letters (ISO 3166-1)"
                    raise InvalidArgument(f"{path}.countries[{i}]", rule)
        case UnitsOver():
            _check_at_least(condition.quantity, 1, f"{path}.quantity")
        case NewCustomer():
            for i, mode in enumerate(condition.modes):
                if mode not in set(DeliveryMode):
                    raise InvalidArgument(f"{path}.modes[{i}]", f"one of {', '.join(DeliveryMode)}")
        case NoEmail():
            pass


def _check_velocity(condition: Velocity, path: str) -> None:
    if not 1 <= condition.hours <= MAX_HOURS:
        raise InvalidArgument(f"{path}.hours", f"1 to {MAX_HOURS}")
    _check_at_least(condition.more_than_orders, 0, f"{path}.more_than_orders")
    _check_at_least(condition.more_than_minor, 0, f"{path}.more_than_minor")
    if not condition.more_than_orders and not condition.more_than_minor:
        raise InvalidArgument(f"{path}.more_than_orders", "say how many orders, or how much money, is too much")
    if condition.more_than_minor:
        _check_currency(condition.currency, path)


def _check_currency(currency: str, path: str) -> None:
    if not is_currency(currency):
        raise InvalidArgument(f"{path}.currency", "the currency is three upper case letters (ISO 4217)")


def _check_at_least(value: int, least: int, path: str) -> None:
    if value < least:
        raise InvalidArgument(path, f"at least {least}")
