"""What is said of positions (SPEC STK-15), on a real database: parts, order, versions, and who hands them in."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest

from kit.errors import InvalidArgument
from services.inventory.domain.facts import (
    Assortment,
    Content,
    Fact,
    FactKind,
    Location,
    Markdown,
    Outcome,
    Plan,
    Record,
    Result,
    SalesRate,
)
from services.inventory.domain.ledger import Position
from services.inventory.merchandising import Merchandising
from tests.services.inventory.shop import NOON, Shop

HOUR = timedelta(hours=1)
DRESS, PAN, SOFA = (Position(sku, "LYON") for sku in ("DRESS", "PAN", "SOFA"))
ASSORTMENT, PLAN, MARKDOWN, SALES_RATE, LOCATION = FactKind
NO_NUMBER = 2**63 - 1


@pytest.fixture
def merchandising(shop: Shop) -> Merchandising:
    return Merchandising(shop.engine)


async def put(
    merchandising: Merchandising,
    said: Mapping[FactKind, Content | None],
    *,
    position: Position = DRESS,
    sequence: int = 0,
    updated_at: datetime | None = None,
    source: str = "erp",
    actor: str = "planner",
    as_of: datetime = NOON,
) -> Result:
    (found,) = await merchandising.put_facts([Record(position, said, source, sequence, updated_at)], actor, as_of)
    return found


async def known(merchandising: Merchandising, position: Position = DRESS) -> Mapping[FactKind, Fact]:
    found = await merchandising.list_facts([position.sku], [position.point_id], Position("", ""), 10)
    return dict(found).get(position, {})


async def contents(merchandising: Merchandising, position: Position = DRESS) -> dict[FactKind, Content | None]:
    return {kind: fact.content for kind, fact in (await known(merchandising, position)).items()}


async def test_what_is_said_is_read_back_whole(merchandising: Merchandising) -> None:
    said: dict[FactKind, Content | None] = {
        ASSORTMENT: Assortment(False),
        PLAN: Plan(True, 2, 6, date(2026, 12, 1)),
        MARKDOWN: Markdown(date(2027, 1, 13), 3_000),
        SALES_RATE: SalesRate(0),
        LOCATION: Location("A-03-2", 30),
    }
    assert (await put(merchandising, said, sequence=7, updated_at=NOON - HOUR)).outcome is Outcome.CHANGED
    assert await contents(merchandising) == said
    (stated,) = {fact.stated for fact in (await known(merchandising)).values()}
    assert (stated.source, stated.source_sequence, stated.source_updated_at) == ("erp", 7, NOON - HOUR)
    assert (stated.actor, stated.recorded_at) == ("planner", NOON)


async def test_what_nobody_spoke_of_is_not_known_which_is_not_no(merchandising: Merchandising) -> None:
    await put(merchandising, {SALES_RATE: SalesRate(5)})
    assert ASSORTMENT not in await known(merchandising)
    await put(merchandising, {ASSORTMENT: Assortment(False)})
    assert (await known(merchandising))[ASSORTMENT].content == Assortment(False)


async def test_a_record_leaves_alone_what_it_does_not_speak_of(merchandising: Merchandising) -> None:
    await put(merchandising, {ASSORTMENT: Assortment(True), PLAN: Plan(True, 1, 3)}, source="erp", sequence=900)
    await put(merchandising, {MARKDOWN: Markdown(date(2027, 1, 13))}, source="prices", sequence=1, actor="bob")
    found = await known(merchandising)
    assert {kind: fact.content for kind, fact in found.items()} == {
        ASSORTMENT: Assortment(True),
        PLAN: Plan(True, 1, 3),
        MARKDOWN: Markdown(date(2027, 1, 13)),
    }
    assert (found[PLAN].stated.actor, found[MARKDOWN].stated.actor) == ("planner", "bob")


async def test_a_fact_is_replaced_whole_and_can_be_taken_back(merchandising: Merchandising) -> None:
    await put(merchandising, {PLAN: Plan(True, 1, 3, date(2026, 12, 1)), ASSORTMENT: Assortment(True)})
    await put(merchandising, {PLAN: Plan(True, 2, 2)})
    assert (await contents(merchandising))[PLAN] == Plan(True, 2, 2), "the next date went with the old plan"
    assert (await put(merchandising, {PLAN: None})).outcome is Outcome.CHANGED
    assert await contents(merchandising) == {PLAN: None, ASSORTMENT: Assortment(True)}
    assert (await put(merchandising, {PLAN: None})).outcome is Outcome.UNCHANGED


async def test_a_late_record_is_dropped_and_said_so_fact_by_fact(merchandising: Merchandising) -> None:
    await put(merchandising, {PLAN: Plan(True, 1, 3)}, sequence=5)
    late = await put(merchandising, {PLAN: Plan(True, 9, 9), ASSORTMENT: Assortment(True)}, sequence=4)
    assert (late.outcome, late.dropped) == (Outcome.CHANGED, (PLAN,)), "of the assortment it is the first word"
    assert await contents(merchandising) == {PLAN: Plan(True, 1, 3), ASSORTMENT: Assortment(True)}
    late = await put(merchandising, {PLAN: Plan(True, 9, 9)}, sequence=4)
    assert (late.outcome, late.dropped) == (Outcome.STALE, (PLAN,))


async def test_what_was_taken_back_does_not_come_back_late(merchandising: Merchandising) -> None:
    await put(merchandising, {PLAN: None}, sequence=5)
    assert (await put(merchandising, {PLAN: Plan(True, 1, 3)}, sequence=4)).outcome is Outcome.STALE
    assert await contents(merchandising) == {PLAN: None}


async def test_the_same_again_moves_its_order_on_but_is_no_version(merchandising: Merchandising) -> None:
    await put(merchandising, {ASSORTMENT: Assortment(True)}, sequence=1)
    assert (await put(merchandising, {ASSORTMENT: Assortment(True)}, sequence=9)).outcome is Outcome.UNCHANGED
    between = await put(merchandising, {ASSORTMENT: Assortment(False)}, sequence=5)
    assert between.outcome is Outcome.STALE
    assert (await known(merchandising))[ASSORTMENT].version == 1


async def test_versions_say_what_it_was_who_changed_it_and_when(merchandising: Merchandising) -> None:
    for n, content in enumerate((Plan(True, 1, 3), Plan(True, 1, 3), Plan(False), None)):
        await put(merchandising, {PLAN: content}, actor=f"planner_{n}", as_of=NOON + n * HOUR)
    await put(merchandising, {ASSORTMENT: Assortment(True)})
    await put(merchandising, {PLAN: Plan(False)}, position=PAN)
    found = [fact for _, fact in await merchandising.list_versions("DRESS", "LYON", NO_NUMBER, 10)]
    assert [(fact.key.kind, fact.version, fact.content) for fact in found] == [
        (ASSORTMENT, 1, Assortment(True)),
        (PLAN, 3, None),
        (PLAN, 2, Plan(False)),
        (PLAN, 1, Plan(True, 1, 3)),
    ]
    assert [fact.stated.actor for fact in found[1:]] == ["planner_3", "planner_2", "planner_0"]
    assert found[1].stated.recorded_at == NOON + 3 * HOUR


async def test_a_rate_that_is_measured_daily_keeps_no_history(merchandising: Merchandising) -> None:
    for thousandths in (100, 200):
        await put(merchandising, {SALES_RATE: SalesRate(thousandths)})
    assert (await known(merchandising))[SALES_RATE].version == 2
    assert await merchandising.list_versions("DRESS", "LYON", NO_NUMBER, 10) == []


async def test_versions_are_read_page_by_page(merchandising: Merchandising) -> None:
    for target in range(5):
        await put(merchandising, {PLAN: Plan(True, 0, target)})
    numbers: list[int] = []
    versions: list[int] = []
    while page := await merchandising.list_versions("DRESS", "LYON", min(numbers, default=NO_NUMBER), 2):
        numbers += [number for number, _ in page]
        versions += [fact.version for _, fact in page]
    assert versions == [5, 4, 3, 2, 1]


async def test_positions_are_listed_in_order_page_by_page_and_by_filter(merchandising: Merchandising) -> None:
    positions = [Position(sku, point_id) for sku in ("SOFA", "DRESS", "PAN") for point_id in ("PARIS", "LYON")]
    said: dict[FactKind, Content | None] = {PLAN: Plan(False), ASSORTMENT: Assortment(True)}
    await merchandising.put_facts([Record(position, said) for position in positions], "planner", NOON)
    found: list[Position] = []
    while page := await merchandising.list_facts([], [], found[-1] if found else Position("", ""), 4):
        assert all(set(facts) == {PLAN, ASSORTMENT} for _, facts in page)
        found += [position for position, _ in page]
    assert found == sorted(positions)
    some = await merchandising.list_facts(["PAN", "SOFA"], ["PARIS"], Position("", ""), 10)
    assert [position for position, _ in some] == [Position("PAN", "PARIS"), Position("SOFA", "PARIS")]


@pytest.mark.parametrize(
    ("position", "field", "reason"),
    [
        (Position("HAT", "LYON"), "facts[1].sku", "UNKNOWN_ITEM"),
        (Position("PAN", "NICE"), "facts[1].point_id", "UNKNOWN_POINT"),
        (Position("P N", "LYON"), "facts[1].sku", "INVALID_FIELD"),
    ],
)
async def test_one_wrong_record_refuses_all_and_is_named(
    merchandising: Merchandising, position: Position, field: str, reason: str
) -> None:
    said = {PLAN: Plan(False)}
    with pytest.raises(InvalidArgument) as refused:
        await merchandising.put_facts([Record(DRESS, said), Record(position, said)], "planner", NOON)
    assert (refused.value.facts["field"], refused.value.reason) == (field, reason)
    assert await known(merchandising) == {}


@pytest.mark.parametrize(("skus", "points", "field"), [(["A"] * 501, [], "skus"), ([], ["A"] * 501, "point_ids")])
async def test_a_list_takes_so_many_filters(
    merchandising: Merchandising, skus: list[str], points: list[str], field: str
) -> None:
    for asked in (
        merchandising.list_facts(skus, points, Position("", ""), 1),
        merchandising.list_cover(skus, points, Position("", ""), 1, NOON),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await asked
        assert refused.value.facts["field"] == field


async def test_sources_that_speak_at_once_of_the_same_positions_lose_nothing(merchandising: Merchandising) -> None:
    positions = [DRESS, PAN, SOFA]

    async def hand_in(n: int) -> list[Result]:
        # Each in another order: nobody waits for another in a circle.
        order = positions[n % 3 :] + positions[: n % 3]
        records = [Record(p, {PLAN: Plan(True, 0, n), MARKDOWN: None}, "erp", n) for p in order]
        return await merchandising.put_facts(records, f"planner_{n}", NOON)

    await asyncio.gather(*(hand_in(n) for n in range(1, 13)))
    for position in positions:
        assert (await contents(merchandising, position))[PLAN] == Plan(True, 0, 12), "the greatest sequence"
        found = await merchandising.list_versions(*position, NO_NUMBER, 50)
        assert [fact.version for _, fact in found] == list(range(len(found), 0, -1))
