"""Guards of a ruleset: each raises InvalidArgument with the path of the field as the caller wrote it."""

import math
import re
from collections.abc import Sequence

from kit.errors import InvalidArgument
from services.promise.domain.network import PointType
from services.promise.domain.ruleset_versions import Edit
from services.promise.domain.ruleset_words import DECIMALS, NONE
from services.promise.domain.rulesets import LowCover, Markdown, PreparationCost, PriorityCost, Ruleset, Tier

# Ten million units of a currency: sums of any plan still fit 64 bits.
MAX_COST_MINOR = 1_000_000_000
MAX_PARCELS = 20
MAX_ALTERNATIVES = 10
MAX_PERCENT = 1_000
MAX_COST_PER_KILOMETRE = 10_000
# Half the way around the Earth, and a little more.
MAX_KILOMETRES = 20_100
MAX_DELIVERY_DAYS = 365
MAX_DAYS = 366
MAX_WAIT_DAYS = 30
# A quarter: nobody waits longer for one parcel instead of two.
MAX_SUPPLY_DAYS = 90
MAX_TAGS = 20
_MAX_TEXT = 200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Any word in any script; what YAML or a terminal would stumble on is none.
_TAG = re.compile(r"[^\W_][\w .:/+&'-]{0,63}")
# ISO 4217, codes of money that is paid with, as amended to 2025.
_CURRENCIES = frozenset(
    re.findall(
        "[A-Z]{3}",
        """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
        CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
        GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
        LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
        NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV
        WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""",
    )
)


def check(ruleset: Ruleset) -> None:
    """Every figure of a ruleset, whatever other rulesets there are."""
    ruleset_id(ruleset.ruleset_id, "ruleset.ruleset_id")
    _require(ruleset.currency in _CURRENCIES, "currency", "must be a currency's code of ISO 4217, for example EUR")
    _within(ruleset.max_parcels, 1, MAX_PARCELS, "max_parcels")
    _within(ruleset.alternatives, 1, MAX_ALTERNATIVES, "alternatives")
    _within(ruleset.max_distance_kilometres, 0, MAX_KILOMETRES, "max_distance_kilometres", "kilometres")
    _within(ruleset.max_delivery_days, 0, MAX_DELIVERY_DAYS, "max_delivery_days", "days")
    _within(ruleset.max_wait_days, 0, MAX_SUPPLY_DAYS, "max_wait_days", "days")
    _amount(ruleset.min_split_value_minor, "min_split_value_minor")
    _tags(ruleset.together_tags)
    _tiers(ruleset.tiers)
    _within(ruleset.shipping_percent, 0, MAX_PERCENT, "shipping_percent", "percent")
    _costs(ruleset.preparation_costs, "preparation_costs")
    _costs(ruleset.priority_costs, "priority_costs")
    _amount(ruleset.split_cost_minor, "split_cost_minor")
    _per_kilometre(ruleset.distance_cost_minor_per_kilometre)
    _amount(ruleset.lateness_cost_minor_per_day, "lateness_cost_minor_per_day")
    _amount(ruleset.short_pick_cost_minor, "short_pick_cost_minor")
    _amount(ruleset.capacity_pressure_minor, "capacity_pressure_minor")
    _amount(ruleset.waiting_day_minor, "waiting_day_minor")
    if ruleset.low_cover is not None:
        _low_cover(ruleset.low_cover)
    if ruleset.markdown is not None:
        _markdown(ruleset.markdown)
    if ruleset.consolidation is not None:
        _amount(ruleset.consolidation.cost_minor, "consolidation.cost_minor")
        _within(ruleset.consolidation.wait_days, 0, MAX_WAIT_DAYS, "consolidation.wait_days", "days")
    if ruleset.replan_ruleset_id:
        ruleset_id(ruleset.replan_ruleset_id, "ruleset.replan_ruleset_id")


def edit(found: Edit) -> None:
    """Which ruleset, who acts on it and why."""
    ruleset_id(found.ruleset_id, "ruleset_id")
    if found.revision is not None and found.revision < 0:
        raise InvalidArgument("revision", "revision: must be 0 or more")
    line(found.actor, "actor")
    line(found.reason, "reason")


def ruleset_id(found: str, field: str) -> None:
    """An id that can stand in an address and in a text."""
    if not _ID.fullmatch(found) or found.lower() == NONE:
        rule = f'must be 1 to 64 letters, digits, dots, dashes or underscores, and not "{NONE}"'
        raise InvalidArgument(field, f"{field}: {rule}")


def line(found: str, field: str) -> None:
    """One line of text that must not be empty."""
    if not found.strip() or len(found) > _MAX_TEXT or not found.isprintable():
        raise InvalidArgument(field, f"{field}: must be one line of 1 to {_MAX_TEXT} characters")


def _tiers(tiers: Sequence[Tier]) -> None:
    named: dict[PointType, int] = {}
    for i, tier in enumerate(tiers):
        types = tier.point_types
        _require(bool(types), f"tiers[{i}].point_types", "must name at least one type of point")
        _require(
            not all(one in named for one in types),
            f"tiers[{i}]",
            "is never reached: all its types were named before",
            "UNREACHABLE_TIER",
        )
        for j, one in enumerate(types):
            where = f"tiers[{i}].point_types[{j}]"
            _require(one not in types[:j], where, f"{one} stands twice in the tier", "DUPLICATE")
            _require(one not in named, where, f"{one} stands in tier {named.get(one, 0) + 1} too", "DUPLICATE")
        named |= dict.fromkeys(types, i)


def _costs(costs: Sequence[PreparationCost | PriorityCost], name: str) -> None:
    seen: set[PointType] = set()
    for i, cost in enumerate(costs):
        _require(
            cost.point_type not in seen, f"{name}[{i}].point_type", f"{cost.point_type} stands twice", "DUPLICATE"
        )
        _amount(cost.cost_minor, f"{name}[{i}].cost_minor")
        seen.add(cost.point_type)


def _tags(tags: Sequence[str]) -> None:
    _require(len(tags) <= MAX_TAGS, "together_tags", f"must be at most {MAX_TAGS} tags")
    for i, tag in enumerate(tags):
        rule = "must be 1 to 64 letters, digits, spaces or .:/+&'-_, and begin with a letter or digit"
        _require(bool(_TAG.fullmatch(tag)) and tag == tag.strip(), f"together_tags[{i}]", rule)
        _require(tag not in tags[:i], f"together_tags[{i}]", f"{tag} stands twice", "DUPLICATE")


def _low_cover(found: LowCover) -> None:
    _within(found.days, 1, MAX_DAYS, "low_cover.days", "days")
    _within(found.cost_minor, 1, MAX_COST_MINOR, "low_cover.cost_minor")


def _markdown(found: Markdown) -> None:
    _within(found.days, 1, MAX_DAYS, "markdown.days", "days")
    _within(found.gain_percent, 1, 100, "markdown.gain_percent", "percent")


def _per_kilometre(found: float) -> None:
    field = "distance_cost_minor_per_kilometre"
    in_range = math.isfinite(found) and 0 <= found <= MAX_COST_PER_KILOMETRE
    _require(in_range, field, f"must be from 0 to {MAX_COST_PER_KILOMETRE}")
    _require(round(found, DECIMALS) == found, field, f"must have at most {DECIMALS} decimals")


def _amount(found: int, name: str) -> None:
    _within(found, 0, MAX_COST_MINOR, name)


def _within(found: int, least: int, most: int, name: str, unit: str = "") -> None:
    _require(least <= found <= most, name, f"must be from {least} to {most} {unit}".rstrip())


def _require(holds: bool, name: str, rule: str, reason: str = "INVALID_FIELD") -> None:
    if not holds:
        raise InvalidArgument(f"ruleset.{name}", f"ruleset.{name}: {rule}", reason)
