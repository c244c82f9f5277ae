"""What channels and life cycles may say."""

from collections.abc import Sequence

from kit.errors import InvalidArgument
from kit.values.money import is_currency
from services.orders.domain.model import GoodwillCap, LatenessRule, LifeCycle, SalesChannel
from services.orders.domain.pricing import BASIS_POINTS


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
    ):
        if value < least:
            raise InvalidArgument(f"life_cycle.{name}", f"at least {least}")
    _check_lateness_rules(one.lateness_rules)
    _check_goodwill_caps(one.goodwill_caps)


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
