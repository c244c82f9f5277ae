"""The text form of a ruleset: YAML with a comment for each figure. Written here and read here, for everyone.

Reading takes any order and gives what is missing its default; it refuses what it does not know, with its line.
Text that was written, read and written again is the same to the letter; comments that people add are not kept.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kit.errors import InvalidArgument
from services.promise.domain.network import PointType
from services.promise.domain.ruleset_words import FIGURES, GROUPS, NONE, Figure, Kind, words
from services.promise.domain.rulesets import (
    DEFAULT_ID,
    Consolidation,
    LowCover,
    Markdown,
    PreparationCost,
    PriorityCost,
    Ruleset,
    Tier,
)

MAX_CHARACTERS = 32_000
DEFAULT_MAX_PARCELS = 3
DEFAULT_ALTERNATIVES = 3
REVISION = "revision"
_HEADER = """\
# Rules by which plans are judged: what may be promised, and where an order ships from.
# Amounts are in minor units of the currency: 250 is 2.50 EUR, and 250 JPY.
# What is left out has its default. These comments are written by the system: say why with each save.
"""
_REVISION_MEANING = "# What this text was taken from: a save is refused when somebody changed the rules since."
_DEFAULTS: Mapping[str, Any] = {
    "ruleset_id": DEFAULT_ID,
    "currency": "",
    "max_parcels": DEFAULT_MAX_PARCELS,
    "alternatives": DEFAULT_ALTERNATIVES,
    "split_cost_minor": 0,
    "preparation_costs": (),
    "distance_cost_minor_per_kilometre": 0.0,
    "lateness_cost_minor_per_day": 0,
}
_BLOCKS: Mapping[str, Callable[..., LowCover | Markdown | Consolidation]] = {
    "low_cover": LowCover,
    "markdown": Markdown,
    "consolidation": Consolidation,
}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?")
_NOTHING = frozenset({"", "~", "null", NONE})
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a text: the line, from 1, and the path in the text's own words."""

    line: int
    path: str

    def wrong(self, why: str, reason: str = "WRONG_TYPE") -> InvalidArgument:
        """An error that names the place."""
        where = f"line {self.line}, {self.path}" if self.path else f"line {self.line}"
        return InvalidArgument("text", f"{where}: {why}", reason, line=self.line, path=self.path)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says; `revision` if it has one. `places`: by the path that checks use, without `ruleset.`."""

    ruleset: Ruleset
    revision: int | None
    places: Mapping[str, Place]

    def located(self, error: InvalidArgument) -> InvalidArgument:
        """An error of a check, told by the line that broke it."""
        field, _, rule = error.detail.partition(": ")
        if not field.startswith("ruleset."):
            return error
        path = field.removeprefix("ruleset.")
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        # What is not written is wrong because it is missing.
        place = self.places.get(path) or Place(1, field.removeprefix("ruleset."))
        return place.wrong(rule, error.reason)


# -- writing --------------------------------------------------------------------------------------------------


def write(ruleset: Ruleset, revision: int = 0) -> str:
    """Every figure with what it means. With a revision: to be edited and saved."""
    lines = [_HEADER]
    if revision:
        lines += [_REVISION_MEANING, f"{REVISION}: {revision}", ""]
    values = words(ruleset)
    for group in GROUPS:
        lines += [f"# -- {group.title} --", ""]
        for figure in group.figures:
            lines += [*_figure(figure, values, figure.name, ""), ""]
    return "\n".join(lines[:-1]) + "\n"


def _figure(figure: Figure, values: Mapping[str, str], path: str, indent: str) -> Iterable[str]:
    for meaning in figure.meaning:
        yield f"{indent}# {meaning}"
    inside = [one for one in values if one.startswith(f"{path}.")]
    if figure.kind is Kind.BLOCK and not inside:
        yield f"{indent}{figure.name}: {NONE}"
    elif not inside:
        yield f"{indent}{figure.name}: {values[path]}"
    else:
        yield f"{indent}{figure.name}:"
        parts = figure.parts or [Figure(one.rpartition(".")[2], Kind.WHOLE, ()) for one in inside]
        for part in parts:
            yield from _figure(part, values, f"{path}.{part.name}", indent + "  ")


# -- reading --------------------------------------------------------------------------------------------------


def read(text: str, ruleset_id: str = "") -> Reading:
    """What a text says. `ruleset_id` is the default of its name. Raises InvalidArgument with the line.

    Not for an event loop: a text of the greatest length takes a tenth of a second.
    """
    root = _compose(text)
    reader = _Reader()
    found: dict[str, Any] = dict(_DEFAULTS)
    if ruleset_id:
        found["ruleset_id"] = ruleset_id
    revision = None
    for name, place, node in _entries(root, Place(_line(root), ""), [REVISION, *FIGURES]):
        if name == REVISION:
            revision = _whole(node, place)
        else:
            found[name] = reader.figure(FIGURES[name], node, place)
    return Reading(Ruleset(version=0, **found), revision, reader.places)


def _compose(text: str) -> yaml.Node:
    if len(text) > MAX_CHARACTERS:
        rule = f"text: must be at most {MAX_CHARACTERS} characters"
        raise InvalidArgument("text", rule, "TEXT_TOO_LONG")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        line = mark.line + 1 if mark else 1
        raise Place(line, "").wrong(broken.problem or "cannot be read as YAML", "INVALID_YAML") from None
    except yaml.reader.ReaderError as broken:
        line = text[: broken.position].count("\n") + 1
        raise Place(line, "").wrong("there is a character that YAML does not allow", "INVALID_YAML") from None
    except RecursionError:
        raise Place(1, "").wrong("brackets in brackets in brackets: nobody can follow", "INVALID_YAML") from None
    if root is None:
        raise Place(1, "").wrong("the text is empty", "INVALID_YAML")
    return root


def _entries(node: yaml.Node, at: Place, known: Iterable[str]) -> Iterable[tuple[str, Place, yaml.Node]]:
    """The known keys of a mapping with their places and values. Raises for one that is unknown or stands twice."""
    # A tag, as in `!!python/object`, makes it something else.
    if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
        raise at.wrong("keys with values are needed, for example currency: EUR")
    names, first_lines = list(known), dict[str, int]()
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        place = Place(_line(key), f"{at.path}.{name}" if at.path else name)
        if name not in names:
            (nearest,) = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.0)
            why = f"unknown key {name[:_SHOWN]!r}; the nearest is {nearest}"
            raise Place(place.line, at.path).wrong(why, "UNKNOWN_KEY")
        if name in first_lines:
            raise place.wrong(f"stands in line {first_lines[name]} too", "DUPLICATE")
        first_lines[name] = place.line
        yield name, place, value


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values, and remembers where each stood."""

    places: dict[str, Place] = field(default_factory=dict)

    def figure(self, figure: Figure, node: yaml.Node, place: Place) -> Any:
        self.places[figure.name] = place
        return _BY_KIND[figure.kind](self, figure, node, place)

    def name(self, figure: Figure, node: yaml.Node, place: Place) -> str:
        return "" if _is_none(node) else _text(node, place)

    def whole(self, figure: Figure, node: yaml.Node, place: Place) -> int:
        return _whole(node, place)

    def limit(self, figure: Figure, node: yaml.Node, place: Place) -> int:
        return 0 if _is_none(node) else _whole(node, place)

    def decimal(self, figure: Figure, node: yaml.Node, place: Place) -> float:
        return float(_number(node, place, _DECIMAL, "a number is needed, for example 0.15"))

    def costs(
        self, figure: Figure, node: yaml.Node, place: Place
    ) -> tuple[PreparationCost, ...] | tuple[PriorityCost, ...]:
        if _is_none(node):
            return ()
        costs = {}
        for i, (name, at, value) in enumerate(_entries(node, place, list(PointType))):
            costs[PointType(name)] = _whole(value, at)
            self.places[f"{figure.name}[{i}].cost_minor"] = at
        if figure.name == "priority_costs":
            return tuple(PriorityCost(*cost) for cost in costs.items())
        return tuple(PreparationCost(*cost) for cost in costs.items())

    def tiers(self, figure: Figure, node: yaml.Node, place: Place) -> tuple[Tier, ...]:
        return tuple(Tier(self._tier(one, at, nth)) for nth, at, one in self._items(node, place, figure.name))

    def _tier(self, node: yaml.Node, place: Place, path: str) -> tuple[PointType, ...]:
        # A type without brackets is a tier of its own.
        if isinstance(node, yaml.ScalarNode):
            return (_point_type(node, place),)
        items = self._items(node, place, f"{path}.point_types")
        return tuple(_point_type(one, at) for _, at, one in items)

    def tags(self, figure: Figure, node: yaml.Node, place: Place) -> tuple[str, ...]:
        return tuple(_text(one, at) for _, at, one in self._items(node, place, figure.name))

    def block(self, figure: Figure, node: yaml.Node, place: Place) -> LowCover | Markdown | Consolidation | None:
        if _is_none(node):
            return None
        parts = dict.fromkeys((part.name for part in figure.parts), 0)
        for name, at, value in _entries(node, place, list(parts)):
            parts[name] = _whole(value, at)
            self.places[f"{figure.name}.{name}"] = at
        return _BLOCKS[figure.name](**parts)

    def _items(self, node: yaml.Node, place: Place, path: str) -> Iterable[tuple[str, Place, yaml.Node]]:
        if _is_none(node):
            return
        if not isinstance(node, yaml.SequenceNode):
            raise place.wrong("a list in brackets is needed, for example [store]; [] for none")
        for i, one in enumerate(node.value):
            at = Place(_line(one), f"{place.path}[{i}]")
            self.places[f"{path}[{i}]"] = at
            yield f"{path}[{i}]", at, one


_BY_KIND: Mapping[Kind, Callable[[_Reader, Figure, yaml.Node, Place], Any]] = {
    Kind.NAME: _Reader.name,
    Kind.WHOLE: _Reader.whole,
    Kind.LIMIT: _Reader.limit,
    Kind.DECIMAL: _Reader.decimal,
    Kind.COSTS: _Reader.costs,
    Kind.TIERS: _Reader.tiers,
    Kind.TAGS: _Reader.tags,
    Kind.BLOCK: _Reader.block,
}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_plain(node: yaml.Node) -> bool:
    """A word without quotes."""
    return isinstance(node, yaml.ScalarNode) and node.style is None


def _is_none(node: yaml.Node) -> bool:
    return _is_plain(node) and node.value.lower() in _NOTHING


def _text(node: yaml.Node, place: Place) -> str:
    # As it is written: a country that is called NO is no truth value, and 007 no number.
    if not isinstance(node, yaml.ScalarNode) or _is_none(node):
        raise place.wrong("a word is needed")
    return str(node.value)


def _number(node: yaml.Node, place: Place, form: re.Pattern[str], why: str) -> str:
    if not (_is_plain(node) and form.fullmatch(node.value)):
        raise place.wrong(why)
    return str(node.value)


def _whole(node: yaml.Node, place: Place) -> int:
    return int(_number(node, place, _WHOLE, "a whole number is needed, for example 250"))


def _point_type(node: yaml.Node, place: Place) -> PointType:
    name = _text(node, place)
    if name not in set(PointType):
        (nearest,) = difflib.get_close_matches(name.lower(), list(PointType), n=1, cutoff=0.0)
        why = f"unknown type of point {name[:_SHOWN]!r}; the nearest is {nearest}"
        raise place.wrong(why, "UNKNOWN_POINT_TYPE")
    return PointType(name)
