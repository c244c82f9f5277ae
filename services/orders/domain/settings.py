"""What channels and life cycles may say."""

from collections.abc import Sequence

from kit.errors import InvalidArgument
from kit.values.money import is_currency
from services.orders.domain.model import LifeCycle, SalesChannel


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
    ):
        if value < least:
            raise InvalidArgument(f"life_cycle.{name}", f"at least {least}")
