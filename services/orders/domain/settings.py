"""What channels and life cycles may say."""

from collections.abc import Sequence

from kit.errors import InvalidArgument
from kit.values.money import is_currency
from services.orders.domain import collection_terms, fraud, notifications, trials
from services.orders.domain.document import check_terms
from services.orders.domain.holds import OF_WORK, WAITING
from services.orders.domain.model import (
    AT_A_TILL,
    ChangeRule,
    Competition,
    GoodwillCap,
    HoldDefault,
    HoldKind,
    HoldRule,
    LatenessRule,
    LifeCycle,
    SalesChannel,
    StatusLabel,
)
from services.orders.domain.pricing import BASIS_POINTS
from services.orders.domain.status import CUSTOMER_STATUSES

MAX_SILENT_DAYS = 365


def check_channels(channels: Sequence[SalesChannel]) -> None:
    """Raises InvalidArgument, naming the field."""
    seen: set[str] = set()
    for i, one in enumerate(channels):
        if not one.channel_id or one.channel_id in seen:
            raise InvalidArgument(f"channels[{i}].channel_id", "each channel has an id of its own")
        seen.add(one.channel_id)
        if not one.name:
            raise InvalidArgument(f"channels[{i}].name", "a channel has a name")
        if not is_currency(one.currency):
            raise InvalidArgument(f"channels[{i}].currency", "the currency is three upper case letters (ISO 4217)")
        if "" in one.brands:
            raise InvalidArgument(f"channels[{i}].brands", "a brand has a name")
        names = [trade.name for trade in one.trades]
        for j, name in enumerate(names):
            if not name or name in names[:j]:
                raise InvalidArgument(f"channels[{i}].trades[{j}].name", "each trade has a name of its own")
        check_terms(f"channels[{i}].documents", one.documents)
        for j, kind in enumerate(one.till_payments):
            if kind not in AT_A_TILL or kind in one.till_payments[:j]:
                raise InvalidArgument(f"channels[{i}].till_payments[{j}]", f"{' and '.join(AT_A_TILL)}, each once")


def check_life_cycle(one: LifeCycle) -> None:
    """Raises InvalidArgument, naming the field."""
    if not one.life_cycle_id:
        raise InvalidArgument("life_cycle.life_cycle_id", "a life cycle has an id")
    for name, value, least in (
        ("cooling_off_seconds", one.cooling_off_seconds, 0),
        ("offer_seconds", one.offer_seconds, 1),
        ("payment_action_seconds", one.payment_action_seconds, 1),
        ("reroute_limit", one.reroute_limit, 0),
        ("promise_tolerance_seconds", one.promise_tolerance_seconds, 0),
        ("prepare_ahead_seconds", one.prepare_ahead_seconds, 0),
        ("loss_decision_seconds", one.loss_decision_seconds, 1),
        ("authorise_ahead_seconds", one.authorise_ahead_seconds, 1),
    ):
        if value < least:
            raise InvalidArgument(f"life_cycle.{name}", f"at least {least}")
    if not 0 <= one.lost_after_days <= MAX_SILENT_DAYS:
        raise InvalidArgument("life_cycle.lost_after_days", f"0 to {MAX_SILENT_DAYS}")
    _check_lateness_rules(one.lateness_rules)
    _check_goodwill_caps(one.goodwill_caps)
    _check_hold_rules(one.hold_rules)
    _check_change_rules(one.change_rules)
    _check_labels(one.labels)
    if one.competition:
        _check_competition(one.competition)
    if one.fraud:
        fraud.check_policy(one.fraud, one.hold_rules)
    trials.check_life_cycle(one)
    notifications.check_life_cycle(one)
    collection_terms.check_terms(one.collection)


def _check_lateness_rules(rules: Sequence[LatenessRule]) -> None:
    """Longer delays come later and give more."""
    for i, one in enumerate(rules):
        path = f"life_cycle.lateness_rules[{i}]"
        if one.late_seconds < 1:
            raise InvalidArgument(f"{path}.late_seconds", "at least 1")
        if not 1 <= one.fee_basis_points <= BASIS_POINTS:
            raise InvalidArgument(f"{path}.fee_basis_points", "1 to 10000 basis points of the delivery fee")
        if i and not rules[i - 1].late_seconds < one.late_seconds:
            raise InvalidArgument(f"{path}.late_seconds", "rules go from the shortest delay to the longest")
        if i and not rules[i - 1].fee_basis_points < one.fee_basis_points:
            raise InvalidArgument(f"{path}.fee_basis_points", "a longer delay gives more than a shorter one")


def _check_goodwill_caps(caps: Sequence[GoodwillCap]) -> None:
    """One for each role and currency."""
    seen: set[tuple[str, str]] = set()
    for i, one in enumerate(caps):
        path = f"life_cycle.goodwill_caps[{i}]"
        if not one.role:
            raise InvalidArgument(f"{path}.role", "say whose cap it is")
        if not is_currency(one.currency):
            raise InvalidArgument(f"{path}.currency", "the currency is three upper case letters (ISO 4217)")
        if one.amount_minor < 0:
            raise InvalidArgument(f"{path}.amount_minor", "an amount is not negative")
        if (one.role, one.currency) in seen:
            raise InvalidArgument(f"{path}.role", "a role has one cap for each currency")
        seen.add((one.role, one.currency))


def _check_hold_rules(rules: Sequence[HoldRule]) -> None:
    """One for each kind; what the plan dates has no seconds, and only what has a date of its own may cancel."""
    seen: set[HoldKind] = set()
    for i, one in enumerate(rules):
        path = f"life_cycle.hold_rules[{i}]"
        if one.kind in seen:
            raise InvalidArgument(f"{path}.kind", "a kind has one rule")
        seen.add(one.kind)
        if one.seconds < 0:
            raise InvalidArgument(f"{path}.seconds", "at least 0")
        if one.seconds and one.kind in OF_WORK:
            raise InvalidArgument(f"{path}.seconds", "the date of such a hold comes from the plan: 0")
        if one.seconds and one.kind is HoldKind.COOLING_OFF:
            raise InvalidArgument(f"{path}.seconds", "cooling_off_seconds says how long: 0")
        if one.default is HoldDefault.CANCEL and not one.seconds:
            raise InvalidArgument(f"{path}.default", "only a hold with seconds of its own may cancel the order")
        if one.default is HoldDefault.WAIT and one.kind not in WAITING:
            raise InvalidArgument(f"{path}.default", "only what waits for goods waits on: release or cancel")
        if one.default is HoldDefault.CANCEL and one.kind is HoldKind.CONSOLIDATION:
            raise InvalidArgument(f"{path}.default", "what waits at a hub goes on without the rest, or waits on")
        if one.kind is HoldKind.CHANGE and (one.roles or one.default is HoldDefault.CANCEL):
            raise InvalidArgument(f"{path}.roles", "a change ends its hold by itself: no roles, release")
        if "" in one.roles:
            raise InvalidArgument(f"{path}.roles", "a role has a name")


def _check_change_rules(rules: Sequence[ChangeRule]) -> None:
    seen: set[tuple[str, str]] = set()
    for i, one in enumerate(rules):
        if (one.change, one.role) in seen:
            raise InvalidArgument(f"life_cycle.change_rules[{i}].role", "a role has one rule for each change")
        seen.add((one.change, one.role))


def _check_labels(labels: Sequence[StatusLabel]) -> None:
    seen: set[tuple[str, str]] = set()
    for i, one in enumerate(labels):
        path = f"life_cycle.labels[{i}]"
        if one.status not in CUSTOMER_STATUSES:
            raise InvalidArgument(f"{path}.status", f"one of {', '.join(sorted(CUSTOMER_STATUSES))}")
        if not (len(one.language) == 2 and one.language.isascii() and one.language.islower()):
            raise InvalidArgument(f"{path}.language", "two lower case letters (ISO 639-1)")
        if not one.text:
            raise InvalidArgument(f"{path}.text", "a label has a text")
        if (one.status, one.language) in seen:
            raise InvalidArgument(f"{path}.language", "a status has one label in each language")
        seen.add((one.status, one.language))


def _check_competition(one: Competition) -> None:
    """Rings, each of somebody, with time to answer."""
    if not one.rings:
        raise InvalidArgument("life_cycle.competition.rings", "at least one ring")
    for i, size in enumerate(one.rings):
        if size < 1:
            raise InvalidArgument(f"life_cycle.competition.rings[{i}]", "at least 1 point")
    if one.ring_seconds < 1:
        raise InvalidArgument("life_cycle.competition.ring_seconds", "at least 1")
