"""A ruleset in the words of its text form: the figures in their order, what each means, how its value is written.

Owns names and words; whether a value is right is not judged here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from services.promise.domain.network import PointType
from services.promise.domain.rulesets import Ruleset

NONE = "none"
# What YAML reads as the text that it is, whoever reads it.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", NONE})
# A metre costs a millionth and less of nothing that anybody weighs.
DECIMALS = 6


class Kind(StrEnum):
    """How a figure is written."""

    NAME = auto()  # a word, or none
    WHOLE = auto()  # a whole number
    LIMIT = auto()  # a whole number, or none
    DECIMAL = auto()
    COSTS = auto()  # a whole number for each type of point
    TIERS = auto()  # a list of lists of types of point
    TAGS = auto()  # a list of words
    BLOCK = auto()  # several whole numbers, or none


@dataclass(frozen=True, slots=True)
class Figure:
    """One key of the text form, and of `Ruleset`. `parts`: the keys inside a block."""

    name: str
    kind: Kind
    meaning: tuple[str, ...]
    parts: tuple["Figure", ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that answer one question."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not the same, as the text form writes it before and after."""

    path: str
    before: str
    after: str


GROUPS = (
    Group(
        "What it is",
        (
            Figure("ruleset_id", Kind.NAME, ('Its name. "default" judges every plan.',)),
            Figure("currency", Kind.NAME, ("ISO 4217. Services with rates in another currency are left out.",)),
        ),
    ),
    Group(
        "Which plans there are",
        (
            Figure(
                "max_parcels",
                Kind.WHOLE,
                (
                    "Points that an order leaves from at most, 1 to 20.",
                    "Heavy goods may take several parcels from one.",
                ),
            ),
            Figure("alternatives", Kind.WHOLE, ("Plans that a decision keeps, best first, 1 to 10.",)),
            Figure(
                "max_distance_kilometres",
                Kind.LIMIT,
                ("Kilometres from a point to the destination at most, up to 20100; none: however far.",),
            ),
            Figure(
                "max_delivery_days",
                Kind.LIMIT,
                ("Days from the question to the end of the window at most, up to 365; none: however late.",),
            ),
            Figure(
                "min_split_value_minor",
                Kind.WHOLE,
                (
                    "What each parcel of a split order is worth at least, in minor units at the channel's prices.",
                    "0: any value.",
                ),
            ),
            Figure(
                "max_wait_days",
                Kind.WHOLE,
                (
                    "Days that a parcel may wait for stock to come at most, up to 90, each day begun counted.",
                    "0: stock to come is not used.",
                ),
            ),
            Figure(
                "together_tags",
                Kind.TAGS,
                ("Items with one of these tags leave from one point, those of each tag together.",),
            ),
        ),
    ),
    Group(
        "Which points are asked first",
        (
            Figure(
                "tiers",
                Kind.TIERS,
                (
                    "Types of point in brackets are asked before those of the next brackets, whatever they cost.",
                    "Types that are not named come last. []: all are asked at once.",
                    "Types are warehouse, store, supplier and partner.",
                ),
            ),
        ),
    ),
    Group(
        "What a plan costs: the least total wins",
        (
            Figure(
                "shipping_percent",
                Kind.WHOLE,
                ("Weight of the carriers' rates, 0 to 1000 percent; 100 is what they really cost.",),
            ),
            Figure("preparation_costs", Kind.COSTS, ("Preparing one parcel at a type of point, in minor units.",)),
            Figure(
                "priority_costs",
                Kind.COSTS,
                ("What sending one parcel from a type of point costs beside, in minor units, to prefer others.",),
            ),
            Figure("split_cost_minor", Kind.WHOLE, ("Each parcel after the first, in minor units.",)),
            Figure(
                "distance_cost_minor_per_kilometre",
                Kind.DECIMAL,
                ("Each kilometre from the point to the destination, for each parcel, in minor units.",),
            ),
            Figure(
                "lateness_cost_minor_per_day",
                Kind.WHOLE,
                ("Each day begun after the promised window, in minor units.",),
            ),
            Figure(
                "short_pick_cost_minor",
                Kind.WHOLE,
                (
                    "A unit that the point does not find, in minor units: it counts by how often the point does",
                    "not find such an article. 0: not counted.",
                ),
            ),
            Figure(
                "capacity_pressure_minor",
                Kind.WHOLE,
                (
                    "Each full day of a point that a parcel has to wait for, in minor units; the day with room",
                    "counts by the share that is taken. Points without a limit cost nothing. 0: not counted.",
                ),
            ),
            Figure(
                "waiting_day_minor",
                Kind.WHOLE,
                ("Each day begun that a parcel waits for stock to come, in minor units.",),
            ),
            Figure(
                "low_cover",
                Kind.BLOCK,
                ("A unit of an article that the point would soon miss; none: not counted.",),
                (
                    Figure(
                        "days",
                        Kind.WHOLE,
                        ("Days for which the stock lasts, from which on a unit costs nothing, 1 to 366.",),
                    ),
                    Figure(
                        "cost_minor",
                        Kind.WHOLE,
                        ("What a unit costs where nothing is left for a day, in minor units; falls evenly.",),
                    ),
                ),
            ),
            Figure(
                "markdown",
                Kind.BLOCK,
                ("A unit that would soon be marked down is a gain, where it is sold before; none: not counted.",),
                (
                    Figure("days", Kind.WHOLE, ("Days before the markdown in which it counts, 1 to 366.",)),
                    Figure(
                        "gain_percent",
                        Kind.WHOLE,
                        ("Part of what the unit would lose that counts as a gain, 1 to 100 percent.",),
                    ),
                ),
            ),
        ),
    ),
    Group(
        "Whether parcels meet at a hub",
        (
            Figure(
                "consolidation",
                Kind.BLOCK,
                (
                    "Parcels of an order meet at a point that is able to join them and leave as one shipment,",
                    "where that costs less; none: never.",
                ),
                (
                    Figure(
                        "cost_minor",
                        Kind.WHOLE,
                        ("Each parcel that is joined: unpacked and packed again, in minor units.",),
                    ),
                    Figure(
                        "wait_days",
                        Kind.WHOLE,
                        ("Days that the customer may have it later for that at most, 0 to 30.",),
                    ),
                ),
            ),
        ),
    ),
    Group(
        "After a refusal",
        (
            Figure(
                "replan_ruleset_id",
                Kind.NAME,
                (
                    "The ruleset that judges an order once a point refused it, kept silent or was short;",
                    "none: this one does.",
                ),
            ),
        ),
    ),
)
FIGURES = {figure.name: figure for group in GROUPS for figure in group.figures}


def words(ruleset: Ruleset) -> dict[str, str]:
    """Each figure as text by its path, in order; `low_cover.days` only where there is one."""
    return {path: value for figure in FIGURES.values() for path, value in _written(figure, ruleset)}


def differences(before: Ruleset | None, after: Ruleset | None) -> tuple[Difference, ...]:
    """What is not the same, in the order of the text form. None has no figure at all."""
    old, new = (words(one) if one else {} for one in (before, after))
    known = [path for figure in FIGURES.values() for path in _paths(figure)]
    return tuple(
        Difference(path, old.get(path, NONE), new.get(path, NONE))
        for path in known
        if old.get(path, NONE) != new.get(path, NONE)
    )


def decimal(value: float) -> str:
    """For example `0.15`; exact for what has no more than DECIMALS places."""
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")


def _paths(figure: Figure) -> list[str]:
    if figure.kind is Kind.COSTS:
        return [f"{figure.name}.{point_type}" for point_type in PointType]
    return [f"{figure.name}.{part.name}" for part in figure.parts] or [figure.name]


def _written(figure: Figure, ruleset: Ruleset) -> Iterator[tuple[str, str]]:
    value = getattr(ruleset, figure.name)
    match figure.kind:
        case Kind.COSTS:
            costs = {cost.point_type: cost.cost_minor for cost in value}
            for point_type in PointType:
                yield f"{figure.name}.{point_type}", str(costs.get(point_type, 0))
        case Kind.BLOCK:
            if value is not None:
                for part in figure.parts:
                    yield f"{figure.name}.{part.name}", str(getattr(value, part.name))
        case Kind.DECIMAL:
            yield figure.name, decimal(value)
        case Kind.TIERS:
            yield figure.name, _listed([_listed(tier.point_types) for tier in value])
        case Kind.TAGS:
            yield figure.name, _listed([_word(tag) for tag in value])
        case Kind.NAME:
            yield figure.name, _word(value) if value else NONE
        case Kind.LIMIT:
            yield figure.name, str(value) if value else NONE
        case Kind.WHOLE:
            yield figure.name, str(value)


def _listed(values: list[str] | tuple[str, ...]) -> str:
    return f"[{', '.join(values)}]"


def _word(value: str) -> str:
    """As it is, or in quotes where YAML would take it for something else."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
    return value if plain else json.dumps(value, ensure_ascii=False)
