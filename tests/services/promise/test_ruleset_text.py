"""The text form: what is written can be read again, and what cannot be understood names its line."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import InvalidArgument
from services.promise import ruleset_checks, ruleset_text
from services.promise.domain.network import PointType
from services.promise.domain.ruleset_versions import numbered
from services.promise.domain.ruleset_words import FIGURES, differences, words
from services.promise.domain.rulesets import (
    Consolidation,
    LowCover,
    Markdown,
    PreparationCost,
    PriorityCost,
    Ruleset,
    Tier,
)
from tests.services.promise.network import ruleset

COSTS = st.integers(0, ruleset_checks.MAX_COST_MINOR)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).filter(lambda one: one.lower() != "none")
WORDS = st.one_of(
    st.sampled_from(["no", "Yes", "null", "1.5", "0x1f", "12:30", "2026-01-01", "1e3", "été & hiver", "a: b"]),
    st.from_regex(r"[^\W_][\w .:/+&'-]{0,20}", fullmatch=True).map(str.strip),
)
TAGS = st.lists(WORDS, max_size=5, unique=True)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    types = draw(st.permutations(list(PointType)))[: draw(st.integers(0, 4))]
    ends = sorted({*draw(st.lists(st.integers(1, 4), max_size=3)), len(types)})
    parts = (types[start:end] for start, end in zip([0, *ends], ends, strict=False))
    return tuple(Tier(tuple(part)) for part in parts if part)


def costs(kind: type[PreparationCost] | type[PriorityCost]) -> st.SearchStrategy[tuple[object, ...]]:
    by_type = st.dictionaries(st.sampled_from(list(PointType)), COSTS)
    return by_type.map(lambda found: tuple(kind(*one) for one in found.items()))


RULESETS = st.builds(
    Ruleset,
    ruleset_id=IDS,
    version=st.just(0),
    currency=st.sampled_from(["EUR", "JPY", "NOK"]),
    split_cost_minor=COSTS,
    preparation_costs=costs(PreparationCost),
    distance_cost_minor_per_kilometre=st.integers(0, 10_000_000_000).map(
        lambda millionths: millionths / 1_000_000
    ),
    lateness_cost_minor_per_day=COSTS,
    max_parcels=st.integers(1, 20),
    alternatives=st.integers(1, 10),
    shipping_percent=st.integers(0, 1_000),
    priority_costs=costs(PriorityCost),
    tiers=tiers(),
    max_distance_kilometres=st.integers(0, 20_100),
    max_delivery_days=st.integers(0, 365),
    min_split_value_minor=COSTS,
    together_tags=TAGS.map(tuple),
    consolidation=st.none()
    | st.builds(Consolidation, st.integers(0, ruleset_checks.MAX_COST_MINOR), st.integers(0, 30)),
    low_cover=st.none() | st.builds(LowCover, st.integers(1, 366), st.integers(1, ruleset_checks.MAX_COST_MINOR)),
    markdown=st.none() | st.builds(Markdown, st.integers(1, 366), st.integers(1, 100)),
    short_pick_cost_minor=COSTS,
    capacity_pressure_minor=COSTS,
    max_wait_days=st.integers(0, 90),
    waiting_day_minor=COSTS,
    replan_ruleset_id=st.just("") | IDS,
)
RIGHT = ruleset_text.write(ruleset())


def refused(text: str) -> InvalidArgument:
    """How a text is refused, by its reading or by a check that is told by its line."""
    with pytest.raises(InvalidArgument) as caught:
        _read_and_check(text)
    return caught.value


def _read_and_check(text: str) -> None:
    reading = ruleset_text.read(text)
    try:
        ruleset_checks.check(reading.ruleset)
    except InvalidArgument as error:
        raise reading.located(error) from None


# -- there and back -------------------------------------------------------------------------------------------


@given(RULESETS, st.integers(0, 2**31 - 1))
def test_a_ruleset_is_read_as_it_was_written_and_written_as_it_was_read(found: Ruleset, revision: int) -> None:
    ruleset_checks.check(found)
    text = ruleset_text.write(found, revision)
    reading = ruleset_text.read(text)
    assert reading.revision == (revision or None)
    assert numbered(reading.ruleset, 0) == numbered(found, 0)
    assert ruleset_text.write(reading.ruleset, revision) == text
    assert not differences(found, reading.ruleset)


@given(RULESETS)
def test_any_other_reader_of_yaml_reads_the_same_words(found: Ruleset) -> None:
    read = yaml.safe_load(ruleset_text.write(found))
    assert list(read) == list(FIGURES)
    assert read["together_tags"] == list(found.together_tags)
    assert read["distance_cost_minor_per_kilometre"] == found.distance_cost_minor_per_kilometre
    assert read["tiers"] == [[str(one) for one in tier.point_types] for tier in found.tiers]
    assert read["ruleset_id"] == found.ruleset_id


def test_every_figure_of_a_ruleset_is_a_figure_of_the_text() -> None:
    assert set(FIGURES) == {name for name in Ruleset.__slots__ if name != "version"}


def test_every_figure_is_explained_by_a_sentence_above_it() -> None:
    full = replace(ruleset(), low_cover=LowCover(14, 40), markdown=Markdown(21, 5))
    lines = ruleset_text.write(full, 7).splitlines()
    keys = {line.strip().partition(":")[0] for line in lines if line and not line.strip().startswith("#")}
    assert keys == {*FIGURES, *PointType, "days", "cost_minor", "gain_percent", "revision"}
    for above, line in pairwise(lines):
        key = line.strip().partition(":")[0]
        if line and not line.strip().startswith("#") and key not in set(PointType):
            assert above.strip().startswith("# "), line
            assert above.endswith("."), above


# -- tolerant -------------------------------------------------------------------------------------------------


def test_what_is_missing_has_its_default_and_the_order_does_not_matter() -> None:
    reading = ruleset_text.read("split_cost_minor: 5\ncurrency: EUR\n")
    assert reading.revision is None
    assert reading.ruleset == Ruleset("default", 0, "EUR", 5, (), 0.0, 0, max_parcels=3, alternatives=3)
    assert ruleset_text.read("currency: EUR", "again").ruleset.ruleset_id == "again"
    assert ruleset_text.read("ruleset_id: mine", "again").ruleset.ruleset_id == "mine"


@pytest.mark.parametrize("nothing", ["none", "None", "null", "~", ""])
def test_nothing_may_be_said_in_several_ways(nothing: str) -> None:
    blocks = ("low_cover", "markdown", "consolidation")
    others = ("max_distance_kilometres", "max_delivery_days", "replan_ruleset_id", "tiers", "together_tags")
    text = "currency: EUR\n" + "".join(f"{name}: {nothing}\n" for name in (*blocks, *others))
    assert ruleset_text.read(text).ruleset == ruleset_text.read("currency: EUR").ruleset


def test_lists_may_be_written_line_by_line_and_a_tier_of_one_without_brackets() -> None:
    text = "currency: EUR\ntiers:\n- warehouse\n- - store\n  - partner\ntogether_tags:\n  - set\n  - 'on'\n"
    found = ruleset_text.read(text).ruleset
    assert found.tiers == (Tier((PointType.WAREHOUSE,)), Tier((PointType.STORE, PointType.PARTNER)))
    assert found.together_tags == ("set", "on")


# -- strict ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "path", "reason", "words"),
    [
        ("currency: EUR\nspilt_cost_minor: 5", 2, "", "UNKNOWN_KEY", "the nearest is split_cost_minor"),
        ("currency: EUR\nlow_cover:\n  day: 5", 3, "low_cover", "UNKNOWN_KEY", "the nearest is days"),
        ("preparation_costs:\n  shop: 5", 2, "preparation_costs", "UNKNOWN_KEY", "the nearest is store"),
        ("tiers: [[warehouse],\n  [shop]]", 2, "tiers[1][0]", "UNKNOWN_POINT_TYPE", "the nearest is store"),
        ("currency: EUR\n\ncurrency: EUR", 3, "currency", "DUPLICATE", "stands in line 1 too"),
        ("preparation_costs: {store: 1, store: 2}", 1, "preparation_costs.store", "DUPLICATE", "line 1 too"),
        ("split_cost_minor: '5'", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor: 5.0", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor: 007", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor: 1_000", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor:", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor: [5]", 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("split_cost_minor: " + "9" * 30, 1, "split_cost_minor", "WRONG_TYPE", "a whole number is needed"),
        ("revision: seven", 1, "revision", "WRONG_TYPE", "a whole number is needed"),
        (
            "distance_cost_minor_per_kilometre: .nan",
            1,
            "distance_cost_minor_per_kilometre",
            "WRONG_TYPE",
            "a number",
        ),
        (
            "distance_cost_minor_per_kilometre: 1e3",
            1,
            "distance_cost_minor_per_kilometre",
            "WRONG_TYPE",
            "a number",
        ),
        ("currency: [EUR]", 1, "currency", "WRONG_TYPE", "a word is needed"),
        ("tiers: warehouse", 1, "tiers", "WRONG_TYPE", "a list in brackets is needed"),
        ("low_cover: 5", 1, "low_cover", "WRONG_TYPE", "keys with values are needed"),
        ("- currency", 1, "", "WRONG_TYPE", "keys with values are needed"),
        ("!!python/object:os.system {}", 1, "", "WRONG_TYPE", "keys with values are needed"),
        ("? [currency]\n: EUR", 1, "", "UNKNOWN_KEY", "unknown key ''"),
        ("currency: EUR\ntiers: [", 2, "", "INVALID_YAML", ""),
        ("currency: EUR\n\tmax_parcels: 3", 2, "", "INVALID_YAML", ""),
        ("currency: EUR\n---\ncurrency: EUR", 2, "", "INVALID_YAML", "another document"),
        ("currency: EUR\nmarkdown: \x00", 2, "", "INVALID_YAML", "does not allow"),
        ("currency: *other", 1, "", "INVALID_YAML", "undefined alias"),
        ("# nothing", 1, "", "INVALID_YAML", "the text is empty"),
        ("[" * 10_000, 1, "", "INVALID_YAML", "brackets in brackets"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(
    text: str, line: int, path: str, reason: str, words: str
) -> None:
    error = refused(text)
    assert (error.facts["line"], error.facts["path"], error.reason) == (line, path, reason), error
    assert error.facts["field"] == "text"
    assert words in error.detail
    assert error.detail.startswith(f"line {line}")


@pytest.mark.parametrize(
    ("text", "line", "path", "reason"),
    [
        ("split_cost_minor: -1", 2, "split_cost_minor", "INVALID_FIELD"),
        ("low_cover:\n  cost_minor: 5\n  days: 0", 4, "low_cover.days", "INVALID_FIELD"),
        ("low_cover:\n  days: 5", 2, "low_cover", "INVALID_FIELD"),
        ("preparation_costs:\n  store: 5\n  warehouse: -5", 4, "preparation_costs.warehouse", "INVALID_FIELD"),
        ("tiers: [[store],\n  [warehouse, store]]", 3, "tiers[1][1]", "DUPLICATE"),
        ("tiers:\n  - [store]\n  - [store]", 4, "tiers[1]", "UNREACHABLE_TIER"),
        ("tiers:\n  - []", 3, "tiers[0]", "INVALID_FIELD"),
        ("together_tags: [set,\n  set]", 3, "together_tags[1]", "DUPLICATE"),
    ],
)
def test_what_breaks_a_rule_is_told_by_the_line_that_breaks_it(
    text: str, line: int, path: str, reason: str
) -> None:
    error = refused(f"currency: EUR\n{text}\n")
    assert (error.facts["line"], error.facts["path"], error.reason) == (line, path, reason), error
    assert "ruleset." not in error.detail


def test_what_is_missing_and_needed_is_named() -> None:
    error = refused("max_parcels: 3")
    assert (error.facts["line"], error.facts["path"]) == (1, "currency")


def test_a_text_has_a_greatest_length_and_the_longest_is_read_in_time() -> None:
    head = "currency: EUR\n"
    full = head + "#" * (ruleset_text.MAX_CHARACTERS - len(head))
    assert ruleset_text.read(full).ruleset.currency == "EUR"
    assert refused(full + "#").reason == "TEXT_TOO_LONG"


@given(st.text(max_size=40), st.integers(0, len(RIGHT)))
def test_whatever_is_typed_into_a_text_is_read_or_refused_with_a_line(typed: str, at: int) -> None:
    text = RIGHT[:at] + typed + RIGHT[at:]
    try:
        ruleset_text.read(text)
        return
    except InvalidArgument as refusal:
        error = refusal
    assert 1 <= int(error.facts["line"]) <= text.count("\n") + len(typed) + 1
    assert error.detail.isprintable(), error.detail


# -- what differs ---------------------------------------------------------------------------------------------


def test_what_differs_is_told_in_the_words_of_the_text() -> None:
    before = replace(ruleset(), low_cover=LowCover(14, 40))
    after = replace(
        ruleset(split_cost_minor=350),
        preparation_costs=(PreparationCost(PointType.STORE, 250), PreparationCost(PointType.PARTNER, 5)),
        tiers=(Tier((PointType.WAREHOUSE, PointType.STORE)),),
        max_delivery_days=9,
        replan_ruleset_id="again",
        distance_cost_minor_per_kilometre=0.15,
    )
    assert [(one.path, one.before, one.after) for one in differences(before, after)] == [
        ("max_delivery_days", "none", "9"),
        ("tiers", "[]", "[[warehouse, store]]"),
        ("preparation_costs.warehouse", "100", "0"),
        ("preparation_costs.store", "200", "250"),
        ("preparation_costs.partner", "0", "5"),
        ("split_cost_minor", "300", "350"),
        ("distance_cost_minor_per_kilometre", "0", "0.15"),
        ("low_cover.days", "14", "none"),
        ("low_cover.cost_minor", "40", "none"),
        ("replan_ruleset_id", "none", "again"),
    ]


def test_against_nothing_every_figure_differs() -> None:
    full = replace(ruleset(), low_cover=LowCover(14, 40), max_distance_kilometres=3)
    told = {one.path: one.after for one in differences(None, full)}
    assert told == {path: value for path, value in words(full).items() if value != "none"}
    assert not differences(None, None)


@given(RULESETS, RULESETS)
def test_what_differs_is_empty_only_of_the_same_and_turns_around(one: Ruleset, other: Ruleset) -> None:
    there, back = differences(one, other), differences(other, one)
    assert (not there) == (numbered(one, 0) == numbered(other, 0))
    assert [(a.path, a.before, a.after) for a in there] == [(b.path, b.after, b.before) for b in back]


def test_an_order_of_point_types_or_a_zero_is_no_difference() -> None:
    given_costs = (PreparationCost(PointType.STORE, 200), PreparationCost(PointType.WAREHOUSE, 100))
    zero = PreparationCost(PointType.SUPPLIER, 0)
    for costs_, extra in product((given_costs, given_costs[::-1]), ((), (zero,))):
        assert not differences(ruleset(), ruleset(preparation_costs=(*costs_, *extra)))
