"""The life of rulesets on a real database: drafts, publication, schedules, rolling back, and who did what."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.promise import ruleset_text
from services.promise.domain.ruleset_versions import Act, Edit, Rulebook, State
from services.promise.domain.ruleset_words import Difference
from services.promise.rulesets import Content, Rulesets
from tests.services.promise.conftest import publish
from tests.services.promise.network import NOW, ruleset

HOUR = timedelta(hours=1)
_ids = count(1)


@pytest.fixture
def rulesets(promise_db: AsyncEngine) -> Rulesets:
    return Rulesets(promise_db)


def edit(revision: int | None, **values: Any) -> Edit:
    """By anna, at NOW, with a request id of its own."""
    given: dict[str, Any] = {
        "ruleset_id": "default",
        "revision": revision,
        "actor": "anna",
        "reason": "cheaper splits",
        "as_of": NOW,
        "request_id": f"req_{next(_ids)}",
    }
    return Edit(**(given | values))


async def save(rulesets: Rulesets, revision: int | None, content: Content, **values: Any) -> Rulebook:
    return await rulesets.save_draft(edit(revision, **values), content)


async def publish_draft(
    rulesets: Rulesets, revision: int, effective_at: datetime | None = None, **values: Any
) -> Rulebook:
    return (await rulesets.publish_draft(edit(revision, **values), effective_at, b"")).book


async def count_rows(database: AsyncEngine, table: str) -> int:
    async with database.connect() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


def told(found: Sequence[Difference]) -> list[tuple[str, str, str]]:
    return [(one.path, one.before, one.after) for one in found]


# -- drafts ---------------------------------------------------------------------------------------------------


async def test_a_draft_is_saved_changed_compared_and_published(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    saved = await save(rulesets, 1, ruleset(split_cost_minor=250))
    assert saved.draft is not None
    assert (saved.revision, saved.draft.saved_by, saved.draft.reason) == (2, "anna", "cheaper splits")
    changed = await save(rulesets, 2, ruleset(split_cost_minor=200, max_parcels=2))
    assert changed.revision == 3
    assert told(await rulesets.compare("default", "in_force", "draft", NOW)) == [
        ("max_parcels", "3", "2"),
        ("split_cost_minor", "300", "200"),
    ]
    book = await publish_draft(rulesets, 3)
    standing = book.in_force(NOW)
    assert standing is not None
    assert (standing.number, standing.ruleset.split_cost_minor, standing.published_by) == (2, 200, "anna")
    assert (book.revision, book.draft) == (4, None)
    assert told(await rulesets.compare("default", "2", "1", NOW)) == [
        ("max_parcels", "2", "3"),
        ("split_cost_minor", "200", "300"),
    ]


async def test_a_draft_of_a_new_ruleset_is_its_first_change(rulesets: Rulesets) -> None:
    book = await save(rulesets, 0, ruleset(ruleset_id="season"), ruleset_id="season")
    assert (book.revision, book.versions) == (1, ())
    assert await rulesets.listed() == [book]
    with pytest.raises(NotFound, match="NOTHING_IN_FORCE"):
        await rulesets.compare("season", "in_force", "draft", NOW)
    assert (await publish_draft(rulesets, 1, ruleset_id="season")).versions[0].number == 1


async def test_a_save_that_has_not_seen_the_last_change_is_refused_and_loses_nothing(rulesets: Rulesets) -> None:
    await save(rulesets, 0, ruleset(), actor="bert")
    with pytest.raises(Conflict, match="RULESET_CHANGED") as caught:
        await save(rulesets, 0, ruleset(split_cost_minor=1))
    assert (caught.value.facts["revision"], caught.value.facts["changed_by"]) == (1, "bert")
    await publish_draft(rulesets, 1)
    # Nobody has a draft open, but what anna began from is no longer so.
    for stale in (0, 1, 3):
        with pytest.raises(Conflict, match="RULESET_CHANGED"):
            await save(rulesets, stale, ruleset(split_cost_minor=1))
    assert (await save(rulesets, 2, ruleset(split_cost_minor=1))).revision == 3


async def test_of_ten_who_save_at_once_one_is_heard_and_nine_are_told(rulesets: Rulesets) -> None:
    await save(rulesets, 0, ruleset())
    saves = (save(rulesets, 1, ruleset(split_cost_minor=1_000 + i)) for i in range(10))
    answers = await asyncio.gather(*saves, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 9 + ["Rulebook"]
    assert (await rulesets.get("default")).revision == 2


async def test_the_same_draft_again_changes_nothing_whatever_was_seen(rulesets: Rulesets) -> None:
    first = await save(rulesets, 0, ruleset())
    assert await save(rulesets, 0, ruleset()) == first
    costs = (*ruleset().preparation_costs[::-1],)
    assert await save(rulesets, 77, ruleset(preparation_costs=costs, version=5)) == first


async def test_a_text_brings_the_revision_that_it_was_taken_from(rulesets: Rulesets) -> None:
    wanted = ruleset_text.write(ruleset())
    book = await save(rulesets, None, wanted)
    with pytest.raises(InvalidArgument, match="REVISION_MISSING") as caught:
        await save(rulesets, None, wanted.replace("max_parcels: 3", "max_parcels: 4"))
    assert "it is 1 now, by anna" in caught.value.detail
    changed = ruleset_text.write(ruleset(max_parcels=2), book.revision)
    assert (await save(rulesets, None, changed, ruleset_id="")).revision == 2
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await save(rulesets, None, changed.replace("max_parcels: 2", "max_parcels: 4"))
    with pytest.raises(InvalidArgument, match="REVISION_MISMATCH"):
        await save(rulesets, 2, changed)


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (ruleset(max_parcels=0), "ruleset.max_parcels", "INVALID_FIELD"),
        (ruleset(ruleset_id="other"), "ruleset.ruleset_id", "OTHER_RULESET"),
        (ruleset(replan_ruleset_id="again"), "ruleset.replan_ruleset_id", "UNKNOWN_RULESET"),
        ("currency: EUR\nmax_parcels: 0", "text", "INVALID_FIELD"),
        ("currency: EUR\nruleset_id: other", "text", "OTHER_RULESET"),
        ("currency: EUR\nreplan_ruleset_id: again", "text", "UNKNOWN_RULESET"),
    ],
)
async def test_a_draft_is_checked_when_it_is_saved(
    rulesets: Rulesets, content: Content, field: str, reason: str
) -> None:
    for attempt in (save(rulesets, 0, content), rulesets.check("default", content, NOW)):
        with pytest.raises(InvalidArgument) as caught:
            await attempt
        assert (caught.value.facts["field"], caught.value.reason) == (field, reason)
        assert caught.value.facts.get("line", 2) == 2
    assert await rulesets.listed() == []


async def test_a_check_tells_how_it_was_understood_and_what_differs(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    new = await rulesets.check("default", "currency: EUR", NOW)
    assert ("currency", "none", "EUR") in told(new.differences)
    await publish(promise_db, ruleset())
    found = await rulesets.check("default", ruleset_text.write(ruleset(max_parcels=2), 5), NOW)
    assert found.ruleset.max_parcels == 2
    assert found.text == ruleset_text.write(ruleset(max_parcels=2))
    assert told(found.differences) == [("max_parcels", "3", "2")]
    assert (await rulesets.get("default")).revision == 1


async def test_a_draft_is_thrown_away_once(rulesets: Rulesets, promise_db: AsyncEngine) -> None:
    await publish(promise_db, ruleset())
    await save(rulesets, 1, ruleset(max_parcels=2))
    away = edit(2, reason="not now")
    book = await rulesets.discard_draft(away, b"1")
    assert (book.draft, book.revision) == (None, 3)
    assert await rulesets.discard_draft(away, b"1") == book
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await rulesets.discard_draft(away, b"2")
    with pytest.raises(NotFound, match="NO_DRAFT"):
        await rulesets.discard_draft(edit(3), b"")
    with pytest.raises(NotFound, match="NO_DRAFT"):
        await publish_draft(rulesets, 3)


# -- publication ----------------------------------------------------------------------------------------------


async def test_versions_are_scheduled_side_by_side_and_each_takes_over_at_its_instant(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    for revision, hours, parcels in ((1, 48, 5), (3, 24, 4)):
        await save(rulesets, revision, ruleset(max_parcels=parcels))
        await publish_draft(rulesets, revision + 1, NOW + hours * HOUR)
    book = await rulesets.get("default")
    assert [one.number for one in book.scheduled(NOW)] == [3, 2]
    judging = [book.in_force(NOW + hours * HOUR) for hours in (0, 23, 24, 47, 48)]
    assert [one.ruleset.max_parcels for one in judging if one] == [3, 3, 4, 4, 5]


async def test_a_publication_is_not_in_the_past_and_not_of_what_is_so_anyway(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    await save(rulesets, 1, ruleset(max_parcels=2))
    with pytest.raises(InvalidArgument, match="not be in the past") as caught:
        await publish_draft(rulesets, 2, NOW - timedelta(seconds=1))
    assert caught.value.facts["field"] == "effective_at"
    await publish_draft(rulesets, 2, NOW + HOUR)
    await save(rulesets, 3, ruleset())
    with pytest.raises(FailedPrecondition, match="NOTHING_TO_PUBLISH"):
        await publish_draft(rulesets, 4)
    # After what is scheduled it is a change.
    assert (await publish_draft(rulesets, 4, NOW + 2 * HOUR)).versions[-1].number == 3


async def test_a_publication_that_is_asked_for_again_is_made_once(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await save(rulesets, 0, ruleset())
    asked = edit(1)
    answers = await asyncio.gather(*(rulesets.publish_draft(asked, None, b"1") for _ in range(5)))
    assert {answer.version for answer in answers} == {1}
    assert await count_rows(promise_db, "ruleset") == 1
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await rulesets.publish_draft(asked, None, b"2")
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await publish_draft(rulesets, 1)


async def test_what_was_right_when_it_was_saved_is_checked_again(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset(ruleset_id="again"))
    await save(rulesets, 0, ruleset(replan_ruleset_id="again"))
    await publish(promise_db, ruleset(ruleset_id="third"))
    await publish(promise_db, ruleset(ruleset_id="again", replan_ruleset_id="third"))
    with pytest.raises(InvalidArgument, match="RULESET_CHAIN"):
        await publish_draft(rulesets, 1)
    assert (await rulesets.get("default")).draft is not None


async def test_whoever_sets_a_system_up_publishes_once_and_leaves_drafts_alone(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    first = await publish(promise_db, ruleset(version=7))
    assert first.number == 1
    assert await publish(promise_db, ruleset()) == first
    drafted = await save(rulesets, 1, ruleset(max_parcels=2))
    assert (await publish(promise_db, ruleset(max_parcels=4))).number == 2
    book = await rulesets.get("default")
    assert (book.draft, book.revision) == (drafted.draft, 3)
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await publish_draft(rulesets, 2)
    _, from_text = await rulesets.publish(edit(None, ruleset_id=""), ruleset_text.write(ruleset(max_parcels=5)))
    assert (from_text.number, from_text.ruleset.max_parcels) == (3, 5)
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await rulesets.publish(edit(None, ruleset_id=""), ruleset_text.write(ruleset(max_parcels=6), 3))


async def test_ten_publishers_at_once_make_ten_versions(rulesets: Rulesets, promise_db: AsyncEngine) -> None:
    found = await asyncio.gather(*(publish(promise_db, ruleset(split_cost_minor=1_000 + i)) for i in range(10)))
    assert sorted(version.number for version in found) == list(range(1, 11))
    standing = (await rulesets.get("default")).in_force(NOW)
    assert standing is not None
    assert standing.number == 10


async def test_a_publication_by_a_clock_that_is_behind_still_takes_over(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    late = await publish(promise_db, ruleset(max_parcels=2), NOW - timedelta(seconds=1))
    assert late.effective_at == NOW
    assert (await rulesets.get("default")).in_force(NOW) == late


async def test_published_versions_and_changes_cannot_be_changed(promise_db: AsyncEngine) -> None:
    await publish(promise_db, ruleset())
    for statement in (
        "UPDATE ruleset SET effective_at = now()",
        "DELETE FROM ruleset",
        "UPDATE ruleset_change SET actor = 'nobody'",
        "DELETE FROM ruleset_change",
    ):
        async with promise_db.connect() as tx:
            with pytest.raises(DBAPIError, match="append-only"):
                await tx.execute(text(statement))


# -- withdrawing and rolling back -----------------------------------------------------------------------------


async def test_a_schedule_is_withdrawn_before_it_takes_effect_and_not_after(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    await save(rulesets, 1, ruleset(max_parcels=2))
    await publish_draft(rulesets, 2, NOW + HOUR)
    late = NOW + HOUR
    with pytest.raises(FailedPrecondition, match="VERSION_EFFECTIVE"):
        await rulesets.withdraw(edit(3, as_of=late), 2, b"")
    away = edit(3, reason="strike", as_of=late - timedelta(seconds=1))
    book = await rulesets.withdraw(away, 2, b"")
    assert await rulesets.withdraw(away, 2, b"") == book
    assert [book.state(one, late) for one in book.versions] == [State.IN_FORCE, State.WITHDRAWN]
    withdrawal = book.version(2).withdrawal
    assert withdrawal is not None
    assert (withdrawal.actor, withdrawal.reason) == ("anna", "strike")
    with pytest.raises(FailedPrecondition, match="VERSION_WITHDRAWN"):
        await rulesets.withdraw(edit(4), 2, b"")
    with pytest.raises(NotFound, match="VERSION_NOT_FOUND"):
        await rulesets.withdraw(edit(4), 3, b"")
    assert (await publish(promise_db, ruleset(max_parcels=4))).number == 3


async def test_a_version_that_another_ruleset_waits_for_is_not_withdrawn(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await save(rulesets, 0, ruleset(ruleset_id="again"), ruleset_id="again")
    await publish_draft(rulesets, 1, NOW + HOUR, ruleset_id="again")
    await save(rulesets, 0, ruleset(replan_ruleset_id="again"))
    with pytest.raises(InvalidArgument, match="UNKNOWN_RULESET"):
        await publish_draft(rulesets, 1)
    await publish_draft(rulesets, 1, NOW + 2 * HOUR)
    with pytest.raises(FailedPrecondition, match="RULESET_NEEDED"):
        await rulesets.withdraw(edit(2, ruleset_id="again"), 1, b"")
    await rulesets.withdraw(edit(2), 1, b"")
    await rulesets.withdraw(edit(2, ruleset_id="again"), 1, b"")


async def test_rolling_back_publishes_an_older_version_again_and_says_which(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    first = await publish(promise_db, ruleset())
    await publish(promise_db, ruleset(max_parcels=2))
    drafted = await save(rulesets, 2, ruleset(max_parcels=9))
    back = edit(3, reason="too many splits")
    done = await rulesets.roll_back(back, 1, None, b"1")
    assert (await rulesets.roll_back(back, 1, None, b"1")).version == done.version == 3
    standing = done.book.in_force(NOW)
    assert standing is not None
    assert standing.ruleset == replace(first.ruleset, version=3)
    assert (standing.restored, standing.reason) == (1, "too many splits")
    assert done.book.draft == drafted.draft
    with pytest.raises(FailedPrecondition, match="NOTHING_TO_PUBLISH"):
        await rulesets.roll_back(edit(4), 1, None, b"")
    with pytest.raises(NotFound, match="VERSION_NOT_FOUND"):
        await rulesets.roll_back(edit(4), 9, None, b"")
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await rulesets.roll_back(edit(3), 2, None, b"")
    planned = await rulesets.roll_back(edit(4), 2, NOW + HOUR, b"")
    assert [one.number for one in planned.book.scheduled(NOW)] == [4]


# -- who did what ---------------------------------------------------------------------------------------------


async def test_every_act_is_kept_with_who_when_why_before_and_after(
    rulesets: Rulesets, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset())
    await save(rulesets, 1, ruleset(max_parcels=2), as_of=NOW + HOUR)
    await save(rulesets, 2, ruleset(max_parcels=4), actor="bert", reason="no, more", as_of=NOW + 2 * HOUR)
    await publish_draft(rulesets, 3, NOW + 9 * HOUR, as_of=NOW + 3 * HOUR)
    await rulesets.withdraw(edit(4, as_of=NOW + 4 * HOUR), 2, b"")
    await save(rulesets, 5, ruleset(max_parcels=5), as_of=NOW + 5 * HOUR)
    await rulesets.discard_draft(edit(6, as_of=NOW + 6 * HOUR), b"")
    await publish(promise_db, ruleset(max_parcels=7), NOW + 7 * HOUR)
    await rulesets.roll_back(edit(8, as_of=NOW + 8 * HOUR), 1, None, b"")
    found = await rulesets.list_changes("default", 99, 99)

    def parcels(change: Any) -> tuple[int, int]:
        return tuple(side.max_parcels if side else 0 for side in (change.before, change.after))  # type: ignore[return-value]

    assert [(one.revision, one.act, one.version, parcels(one)) for one in found] == [
        (9, Act.ROLLED_BACK, 4, (7, 3)),
        (8, Act.PUBLISHED, 3, (3, 7)),
        (7, Act.DISCARDED, 0, (5, 3)),
        (6, Act.SAVED, 0, (3, 5)),
        (5, Act.WITHDRAWN, 2, (4, 3)),
        (4, Act.PUBLISHED, 2, (3, 4)),
        (3, Act.SAVED, 0, (2, 4)),
        (2, Act.SAVED, 0, (3, 2)),
        (1, Act.PUBLISHED, 1, (0, 3)),
    ]
    assert (found[6].actor, found[6].reason, found[6].at) == ("bert", "no, more", NOW + 2 * HOUR)
    assert (found[0].restored, found[5].effective_at) == (1, NOW + 9 * HOUR)
    assert [one.revision for one in await rulesets.list_changes("default", 5, 2)] == [4, 3]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"actor": ""}, "actor"),
        ({"reason": " "}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"revision": -1}, "revision"),
        ({"ruleset_id": "a b"}, "ruleset_id"),
    ],
)
async def test_an_act_names_who_why_and_what_was_seen(
    rulesets: Rulesets, values: dict[str, Any], field: str
) -> None:
    wrong = replace(edit(0), **values)
    acts = [
        rulesets.discard_draft(wrong, b""),
        rulesets.publish_draft(wrong, None, b""),
        rulesets.withdraw(wrong, 1, b""),
        rulesets.roll_back(wrong, 1, None, b""),
    ]
    if field != "ruleset_id":
        acts.append(rulesets.save_draft(wrong, ruleset()))
    for act in acts:
        with pytest.raises(InvalidArgument) as caught:
            await act
        assert caught.value.facts["field"] == field


async def test_what_does_not_exist_is_not_found(rulesets: Rulesets) -> None:
    for act in (
        rulesets.get("default"),
        rulesets.list_changes("default", 9, 9),
        rulesets.compare("default", "1", "2", NOW),
        rulesets.publish_draft(edit(0), None, b""),
        rulesets.roll_back(edit(0), 1, None, b""),
    ):
        with pytest.raises(NotFound, match="RULESET_NOT_FOUND"):
            await act
    await save(rulesets, 0, ruleset())
    for side in ("newest", "-1", "1.0", "²", "1" * 20):
        with pytest.raises(InvalidArgument) as caught:
            await rulesets.compare("default", side, "draft", NOW)
        assert caught.value.facts["field"] == "before"
    with pytest.raises(NotFound, match="VERSION_NOT_FOUND"):
        await rulesets.compare("default", "draft", "1", NOW)
