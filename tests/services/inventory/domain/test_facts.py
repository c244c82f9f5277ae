"""What sources say of positions: later word wins for each fact by itself; records that break a rule are named."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import facts
from services.inventory.domain.facts import (
    Assortment,
    Content,
    Fact,
    FactKey,
    FactKind,
    Location,
    Markdown,
    Outcome,
    Plan,
    Record,
    SalesRate,
    Stated,
)
from services.inventory.domain.ledger import Position
from tests.services.inventory.shop import NOON

HOUR = timedelta(hours=1)
PAN = Position("PAN", "LYON")
KEY = FactKey("PAN", "LYON", FactKind.ASSORTMENT)

stated = st.builds(
    Stated,
    st.sampled_from(["erp", "prices"]),
    st.integers(0, 5),
    st.none() | st.integers(0, 5).map(lambda hours: NOON + hours * HOUR),
    st.just("planner"),
    st.just(NOON),
)
told = st.builds(Fact, st.just(KEY), st.none() | st.builds(Assortment, st.booleans()), stated)


def record(content: Content | None, kind: FactKind, **changes: object) -> Record:
    return replace(Record(PAN, {kind: content}), **changes)  # type: ignore[arg-type]


def said(sequence: int = 0, *, source: str = "erp", hours: int | None = None, carried: bool = True) -> Fact:
    updated_at = None if hours is None else NOON + hours * HOUR
    return Fact(KEY, Assortment(carried), Stated(source, sequence, updated_at, "planner", NOON))


@pytest.mark.parametrize(
    ("known", "sent", "outcome"),
    [
        (said(3), said(2, carried=False), Outcome.STALE),
        (said(3), said(3, carried=False), Outcome.CHANGED),
        (said(3), said(4), Outcome.UNCHANGED),
        # The sequence of one source decides before its instants.
        (said(3, hours=2), said(4, hours=1, carried=False), Outcome.CHANGED),
        (said(3, hours=2), said(3, hours=1, carried=False), Outcome.STALE),
        (said(3, hours=2), said(3, carried=False), Outcome.CHANGED),
        # Two sources count each for itself: only their instants compare.
        (said(900), said(1, source="prices", carried=False), Outcome.CHANGED),
        (said(1, hours=2), said(900, source="prices", hours=1, carried=False), Outcome.STALE),
    ],
)
def test_the_later_word_wins(known: Fact, sent: Fact, outcome: Outcome) -> None:
    after, found = facts.revised(known, sent)
    assert found is outcome
    assert after.content == (known if outcome is Outcome.STALE else sent).content


@given(told, st.lists(told, max_size=6))
def test_a_version_counts_the_changes_and_nothing_else(first: Fact, later: list[Fact]) -> None:
    now, changes = first, 0
    for one in later:
        after, outcome = facts.revised(now, one)
        changes += outcome is Outcome.CHANGED
        assert (after.content != now.content) == (outcome is Outcome.CHANGED)
        assert (after is now) == (outcome is Outcome.STALE)
        # Handed in again at once it is never late, and never another version.
        again, repeated = facts.revised(after, one)
        assert (repeated, again) == ((Outcome.STALE, after) if again is after else (Outcome.UNCHANGED, after))
        now = after
    assert now.version == 1 + changes


def test_a_record_has_changed_if_any_fact_has_and_is_stale_if_all_are() -> None:
    plan, markdown = FactKind.PLAN, FactKind.MARKDOWN
    changed, unchanged, stale = Outcome.CHANGED, Outcome.UNCHANGED, Outcome.STALE
    for outcomes, expected, dropped in (
        ({plan: changed, markdown: stale}, changed, (markdown,)),
        ({plan: unchanged, markdown: stale}, unchanged, (markdown,)),
        ({plan: stale, markdown: stale}, stale, (plan, markdown)),
        ({plan: unchanged}, unchanged, ()),
    ):
        found = facts.result(PAN, outcomes)
        assert (found.outcome, found.dropped) == (expected, dropped)


def test_taking_back_what_nobody_said_changes_nothing() -> None:
    assert facts.first(said()) is Outcome.CHANGED
    assert facts.first(replace(said(), content=None)) is Outcome.UNCHANGED


DAY = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (record(Plan(True, -1, 3), FactKind.PLAN), "plan.min_quantity"),
        (record(Plan(True, 0, 10**10), FactKind.PLAN), "plan.target_quantity"),
        (record(Plan(True, 5, 3), FactKind.PLAN), "plan.target_quantity"),
        (record(Plan(False, 0, 3), FactKind.PLAN), "plan.is_replenished"),
        (record(Plan(False, next_date=DAY), FactKind.PLAN), "plan.is_replenished"),
        (record(Plan(True, 1, 3, date(2200, 1, 1)), FactKind.PLAN), "plan.next_date"),
        (record(Markdown(date(1969, 12, 31)), FactKind.MARKDOWN), "markdown.from_date"),
        (record(Markdown(DAY, 0), FactKind.MARKDOWN), "markdown.basis_points"),
        (record(Markdown(DAY, 10_001), FactKind.MARKDOWN), "markdown.basis_points"),
        (record(SalesRate(-1), FactKind.SALES_RATE), "sales_rate.daily_thousandths"),
        (record(SalesRate(10**12 + 1), FactKind.SALES_RATE), "sales_rate.daily_thousandths"),
        (record(SalesRate(0), FactKind.SALES_RATE, source_sequence=-1), "source_sequence"),
        (record(SalesRate(0), FactKind.SALES_RATE, source="a\nb"), "source"),
        (record(SalesRate(0), FactKind.SALES_RATE, position=Position("", "LYON")), "sku"),
        (record(SalesRate(0), FactKind.SALES_RATE, position=Position("PAN", "a b")), "point_id"),
        (record(Location(""), FactKind.LOCATION), "location.location"),
        (record(Location("A" * 65), FactKind.LOCATION), "location.location"),
        (record(Location("A\n1"), FactKind.LOCATION), "location.location"),
        (record(Location("A", -1), FactKind.LOCATION), "location.walk_order"),
        (Record(PAN, {}), ""),
    ],
)
def test_a_record_that_breaks_a_rule_is_named_with_its_field(sent: Record, field: str) -> None:
    right = record(Assortment(True), FactKind.ASSORTMENT, position=Position("SOFA", "LYON"))
    (problem,) = facts.check([right, sent], "planner")
    assert problem.field == "facts[1]" + (f".{field}" if field else "")


@pytest.mark.parametrize(
    "content",
    [
        Plan(is_replenished=False),
        Plan(True, 0, 0),
        Plan(True, 2, 2, DAY),
        Markdown(DAY),
        Markdown(DAY, 1),
        Markdown(DAY, 10_000),
        SalesRate(0),
        SalesRate(10**12),
        Location("A", 10**9),
        None,
    ],
)
def test_what_lies_at_the_edge_of_a_rule_may_be_said(content: Content | None) -> None:
    kinds = {Plan: FactKind.PLAN, Markdown: FactKind.MARKDOWN, SalesRate: FactKind.SALES_RATE}
    kinds |= {Location: FactKind.LOCATION}
    assert not list(facts.check([record(content, kinds.get(type(content), FactKind.PLAN))], "planner"))


def test_a_request_says_who_hands_it_in_and_speaks_of_each_position_once() -> None:
    one = record(SalesRate(1), FactKind.SALES_RATE)
    assert [problem.field for problem in facts.check([one], "")] == ["actor"]
    assert [problem.field for problem in facts.check([one, one], "planner")] == ["facts[1]"]
    assert [problem.field for problem in facts.check([], "planner")] == ["facts"]
    many = [replace(one, position=Position(f"SKU-{n}", "LYON")) for n in range(1_001)]
    assert [problem.field for problem in facts.check(many, "planner")] == ["facts"]


def test_plain_values_leave_out_what_is_not_known() -> None:
    assert facts.plain(Markdown(DAY)) == {"from_date": "2026-12-01"}
    assert facts.plain(Plan(False)) == {"is_replenished": False, "min_quantity": 0, "target_quantity": 0}
