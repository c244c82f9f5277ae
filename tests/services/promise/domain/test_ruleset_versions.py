"""Which version judges a question of which instant, and what may be withdrawn or planned again by."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.promise.domain.ruleset_versions import (
    Rulebook,
    State,
    Version,
    Withdrawal,
    check_not_needed,
    check_replan,
    in_force,
)
from tests.services.promise.network import NOW, ruleset

HOUR = timedelta(hours=1)
TAKEN_BACK = Withdrawal(NOW, "anna", "wrong day")


def version(number: int, hours: float, published: float | None = None, **values: object) -> Version:
    """In force so many hours after NOW; published then too unless an hour is given."""
    at = NOW + hours * HOUR
    content = ruleset(**{"version": number, **values})
    return Version(content, at, at if published is None else NOW + published * HOUR, "anna", "why")


def book(*versions: Version, **values: object) -> Rulebook:
    own_id = versions[0].ruleset.ruleset_id if versions else "default"
    return replace(Rulebook(own_id, 9, "anna", NOW, versions), **values)  # type: ignore[arg-type]


def judging(versions: list[Version], hours: float) -> int:
    found = in_force(versions, NOW + hours * HOUR)
    return found.number if found else 0


# -- the version in force -------------------------------------------------------------------------------------


def test_the_version_that_became_effective_last_judges_from_its_instant_on() -> None:
    found = [version(1, 0), version(2, 5, published=1), version(3, 3, published=2)]
    assert [judging(found, hours) for hours in (0, 2.99, 3, 4.99, 5, 99)] == [1, 1, 3, 3, 2, 2]


def test_of_two_that_become_effective_together_the_later_number_judges() -> None:
    assert judging([version(1, 0), version(2, 5, published=1), version(3, 5, published=2)], 5) == 3


def test_a_withdrawn_version_never_judges() -> None:
    gone = replace(version(2, 5, published=1), withdrawal=TAKEN_BACK)
    assert judging([version(1, 0), gone], 6) == 1
    assert judging([gone], 6) == 0


def test_before_the_first_version_that_one_judges_unless_it_was_scheduled() -> None:
    assert judging([version(1, 0), version(2, 1)], -999) == 1
    assert judging([version(1, 5, published=0)], 4) == 0
    assert judging([version(1, 5, published=0), version(2, 1)], 0) == 2
    assert judging([], 0) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=6), st.integers(-3, 20))
def test_the_order_in_which_versions_are_read_does_not_matter(rows: list[tuple[int, int, bool]], at: int) -> None:
    found = [
        replace(
            version(number, published + later, published=published),
            withdrawal=TAKEN_BACK if later and gone else None,
        )
        for number, (published, later, gone) in enumerate(rows, start=1)
    ]
    assert judging(found, at) == judging(found[::-1], at)
    if number := judging(found, at):
        chosen = found[number - 1]
        assert chosen.withdrawal is None
        standing = [one for one in found if one.withdrawal is None and one.effective_at <= NOW + at * HOUR]
        assert all(one.effective_at <= chosen.effective_at for one in standing)


def test_each_version_has_a_state_and_what_is_to_come_is_in_order() -> None:
    gone = replace(version(4, 9, published=1), withdrawal=TAKEN_BACK)
    found = book(version(1, 0), version(2, 8, published=1), version(3, 1), gone, version(5, 6, published=2))
    states = [found.state(one, NOW + 4 * HOUR) for one in found.versions]
    assert states == [State.SUPERSEDED, State.SCHEDULED, State.IN_FORCE, State.WITHDRAWN, State.SCHEDULED]
    assert [one.number for one in found.scheduled(NOW + 4 * HOUR)] == [5, 2]
    assert [one.number for one in found.live(NOW + 4 * HOUR)] == [3, 5, 2]
    assert found.version(3).number == 3
    with pytest.raises(NotFound, match="VERSION_NOT_FOUND"):
        found.version(6)
    with pytest.raises(NotFound, match="NO_DRAFT"):
        found.the_draft()


# -- what was seen --------------------------------------------------------------------------------------------


def test_who_has_not_seen_the_last_change_is_told_whose_it_was() -> None:
    found = book(version(1, 0))
    found.check_seen(9)
    found.check_seen(None)
    with pytest.raises(Conflict, match="RULESET_CHANGED") as caught:
        found.check_seen(8)
    assert caught.value.facts == {
        "field": "revision",
        "ruleset_id": "default",
        "revision": 9,
        "changed_by": "anna",
    }
    assert "revision 9 is by anna" in caught.value.detail
    with pytest.raises(Conflict, match="there is no ruleset new yet"):
        Rulebook("new").check_seen(1)


# -- planning again -------------------------------------------------------------------------------------------


AGAIN = version(1, 0, ruleset_id="again")
LEANING = ruleset(replan_ruleset_id="again")


def test_a_ruleset_may_plan_again_by_one_that_is_in_force_then() -> None:
    later = version(1, 5, published=0, ruleset_id="again")
    check_replan(LEANING, {"again": book(AGAIN)}, NOW, NOW)
    check_replan(LEANING, {"again": book(later)}, NOW, NOW + 5 * HOUR)
    check_replan(LEANING, {"again": book(later)}, NOW, None)
    with pytest.raises(InvalidArgument, match="UNKNOWN_RULESET"):
        check_replan(LEANING, {"again": book(later)}, NOW, NOW + 4 * HOUR)


@pytest.mark.parametrize(
    ("wanted", "books", "field", "reason"),
    [
        (LEANING, {}, "replan_ruleset_id", "UNKNOWN_RULESET"),
        (LEANING, {"again": Rulebook("again", 1)}, "replan_ruleset_id", "UNKNOWN_RULESET"),
        (
            ruleset(replan_ruleset_id="default"),
            {"default": book(version(1, 0))},
            "replan_ruleset_id",
            "INVALID_FIELD",
        ),
        (
            LEANING,
            {"again": book(version(1, 0, ruleset_id="again", replan_ruleset_id="third"))},
            "replan_ruleset_id",
            "RULESET_CHAIN",
        ),
        (
            LEANING,
            {"again": book(AGAIN, version(2, 9, published=0, ruleset_id="again", replan_ruleset_id="third"))},
            "replan_ruleset_id",
            "RULESET_CHAIN",
        ),
        (LEANING, {"again": book(version(1, 0, ruleset_id="again", currency="CHF"))}, "currency", "INVALID_FIELD"),
        (
            ruleset(ruleset_id="again", replan_ruleset_id="third"),
            {
                "third": book(version(1, 0, ruleset_id="third")),
                "default": book(version(1, 0, replan_ruleset_id="again")),
            },
            "replan_ruleset_id",
            "RULESET_CHAIN",
        ),
        (
            ruleset(ruleset_id="again", currency="CHF"),
            {"default": book(version(1, 0, replan_ruleset_id="again"))},
            "currency",
            "INVALID_FIELD",
        ),
    ],
)
def test_planning_again_ends_at_one_ruleset_that_fits(
    wanted: object, books: dict[str, Rulebook], field: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_replan(wanted, books, NOW, NOW)  # type: ignore[arg-type]
    assert (caught.value.facts["field"], caught.value.reason) == (f"ruleset.{field}", reason)


def test_what_leaned_on_a_ruleset_once_does_not_bind_it() -> None:
    old, new = version(1, -9, replan_ruleset_id="again"), version(2, -1)
    books = {"default": book(old, new), "third": book(version(1, 0, ruleset_id="third"))}
    check_replan(ruleset(ruleset_id="again", replan_ruleset_id="third"), books, NOW, NOW)


def test_a_ruleset_that_another_leans_on_keeps_a_version() -> None:
    leaning = book(version(1, 5, published=0, replan_ruleset_id="again"))
    check_not_needed(book(AGAIN), {"default": leaning}, NOW)
    with pytest.raises(FailedPrecondition, match="RULESET_NEEDED") as caught:
        check_not_needed(Rulebook("again"), {"default": leaning}, NOW)
    assert caught.value.facts["needed_by"] == "default"
