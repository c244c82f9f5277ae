"""Reserves that share a transaction: each is answered as if it had come alone, in the order of arrival."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit import db
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from kit.feed import Bell
from services.inventory.answers import HoldAnswer
from services.inventory.domain import commands
from services.inventory.domain.holds import HoldLine, Shortfall
from services.inventory.reserving import Reserving
from tests.conftest import MakeDatabase
from tests.services.inventory.shop import EDIT, NOON, Shop, line, request_id, with_rules
from tests.trips import round_trips


def wish(
    reservation_id: str, *lines: HoldLine, request: str = "", channel_id: str = "web", partial: bool = False
) -> commands.Reserve:
    return commands.Reserve(request or request_id(), reservation_id, channel_id, lines, 600, partial, NOON)


async def together(shop: Shop, *wishes: commands.Reserve) -> Sequence[HoldAnswer | Exception]:
    """In one transaction."""
    answers = await Reserving(shop.engine, Bell()).carry_out(wishes)
    await shop.assert_sound()
    return answers


def held(answer: HoldAnswer | Exception) -> bool:
    assert isinstance(answer, HoldAnswer), answer
    return answer.done


async def test_who_came_first_gets_the_last_units(shop: Shop) -> None:
    await shop.adjust(3)
    await shop.adjust(1, "PAN")
    answers = await together(
        shop,
        wish("ord_1", line("DRESS", 2)),
        wish("ord_2", line("PAN", 1), line("DRESS", 2)),
        wish("ord_3", line("DRESS", 1), line("PAN", 1)),
        wish("ord_4", line("DRESS", 1)),
    )
    assert [held(answer) for answer in answers] == [True, False, True, False]
    refused, too_late = answers[1], answers[3]
    assert isinstance(refused, HoldAnswer)
    assert refused.reservation is None
    assert refused.shortfalls == (Shortfall("DRESS", "LYON", requested=2, available=1, free=1),)
    assert isinstance(too_late, HoldAnswer)
    assert too_late.shortfalls == (Shortfall("DRESS", "LYON", requested=1, available=0, free=0),)
    assert (await shop.balance()).reserved == 3
    for refused_id in ("ord_2", "ord_4"):
        with pytest.raises(NotFound):
            await shop.service.get_reservation(refused_id)


async def test_a_wrong_one_is_told_and_leaves_nothing_behind(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await shop.adjust(9)
    await shop.reserve("ord_old", line("DRESS", 1))
    wrong, other = wish("ord_1", line("DRESS", 1), channel_id="ghost"), wish("ord_old", line("DRESS", 1))
    elsewhere = wish("ord_old", line("DRESS", 1), channel_id="app")
    first, second, third = await together(shop, wrong, elsewhere, wish("ord_2", line("DRESS", 2)))
    assert isinstance(first, InvalidArgument)
    assert first.reason == "UNKNOWN_CHANNEL"
    assert isinstance(second, FailedPrecondition)
    assert second.reason == "OTHER_CHANNEL"
    assert held(third)
    with pytest.raises(NotFound):
        await shop.service.get_reservation("ord_1")
    # Judged anew when it is asked again: nothing was remembered of it.
    await shop.service.put_channels([with_rules(channel_id="ghost")], EDIT)
    assert [held(answer) for answer in await together(shop, wrong, other)] == [True, True]
    assert (await shop.balance()).reserved == 5


async def test_repeats_among_them_are_told_what_the_first_was_told(shop: Shop) -> None:
    await shop.adjust(2)
    first = wish("ord_1", line("DRESS", 2), request="req-a")
    refused = wish("ord_2", line("DRESS", 1), request="req-b")
    told = await together(shop, first, refused)
    await shop.adjust(5)
    again = await together(shop, refused, wish("ord_4", line("DRESS", 1)), first)
    assert [again[2], again[0]] == list(told)
    assert held(again[1])
    [conflict, _] = await together(
        shop, wish("ord_3", line("DRESS", 1), request="req-a"), wish("ord_5", line("DRESS", 1))
    )
    assert isinstance(conflict, Conflict)
    assert (conflict.reason, conflict.facts["field"]) == ("IDEMPOTENCY_CONFLICT", "request_id")
    assert (await shop.balance()).reserved == 4


async def test_of_two_that_use_one_request_at_once_on_two_replicas_the_later_is_told_so(shop: Shop) -> None:
    await shop.adjust(9)
    one, other = (wish(f"ord_{n}", line("DRESS", 1), request="req-a") for n in (1, 2))
    neighbour = wish("ord_3", line("DRESS", 1))
    replicas = [Reserving(shop.engine, Bell()) for _ in range(2)]
    async with shop.engine.connect() as somebody:
        await somebody.execute(text("SELECT 1 FROM balance FOR UPDATE"))
        both = asyncio.gather(replicas[0].carry_out([one]), replicas[1].carry_out([other, neighbour]))
        # Both have looked for an answer, and found none.
        await waiting_for_locks(shop, 2)
        await somebody.rollback()
    [first], [second, third] = await both
    assert held(third)
    assert sorted(type(answer).__name__ for answer in (first, second)) == ["Conflict", "HoldAnswer"]
    lost = "ord_2" if isinstance(second, Conflict) else "ord_1"
    with pytest.raises(NotFound):
        await shop.service.get_reservation(lost)
    assert (await shop.balance()).reserved == 2
    await shop.assert_sound()


async def test_twins_at_once_on_two_replicas_are_told_the_same(shop: Shop) -> None:
    await shop.adjust(9)
    twin = wish("ord_1", line("DRESS", 1), request="req-a")
    replicas = [Reserving(shop.engine, Bell()) for _ in range(2)]
    async with shop.engine.connect() as somebody:
        await somebody.execute(text("SELECT 1 FROM balance FOR UPDATE"))
        both = asyncio.gather(*(replica.carry_out([twin]) for replica in replicas))
        await waiting_for_locks(shop, 2)
        await somebody.rollback()
    first, second = await both
    assert first == second
    assert (await shop.balance()).reserved == 1
    await shop.assert_sound()


async def waiting_for_locks(shop: Shop, sessions: int) -> None:
    query = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(10), shop.engine.connect() as tx:
        while (await tx.execute(query)).scalar_one() < sessions:  # noqa: ASYNC110 - nothing tells of a lock
            await asyncio.sleep(0.01)


async def test_each_adds_to_its_own_reservation_and_is_judged_by_its_own_channel(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(channel_id="app", activated_points=("PARIS",))], EDIT)
    await shop.adjust(4)
    await shop.reserve("ord_1", line("DRESS", 1))
    answers = await together(
        shop,
        wish("ord_1", line("DRESS", 1)),
        wish("ord_2", line("DRESS", 1), channel_id="app"),
        wish("ord_3", line("DRESS", 5), partial=True),
    )
    assert [held(answer) for answer in answers] == [True, False, True]
    assert (await shop.service.get_reservation("ord_1")).lines == (line("DRESS", 2),)
    assert (await shop.service.get_reservation("ord_3")).lines == (line("DRESS", 2),)


async def test_a_crowd_shares_transactions_and_sells_no_unit_twice(shop: Shop) -> None:
    await shop.adjust(20)
    answers = await asyncio.gather(*(shop.reserve(f"ord_{n}", line("DRESS", 1)) for n in range(60)))
    assert sum(answer.done for answer in answers) == 20
    assert (await shop.balance()).reserved == 20
    assert await writers(shop) < 10
    await shop.assert_sound()


async def test_a_row_that_somebody_holds_is_told_in_time_and_keeps_nobody_from_other_rows(
    shop: Shop, make_database: MakeDatabase
) -> None:
    hasty = Shop(db.connect(make_database("inventory").url, lock_seconds=0.5))
    await shop.adjust(20)
    await shop.adjust(20, "PAN")
    wishes = [(f"ord_{n}", line("PAN" if n % 4 else "DRESS", 1)) for n in range(16)]
    async with shop.engine.connect() as somebody:
        await somebody.execute(text("SELECT 1 FROM balance WHERE sku = 'DRESS' FOR UPDATE"))
        async with asyncio.timeout(5):
            answers = await asyncio.gather(
                *(hasty.reserve(holder, wish, request=holder) for holder, wish in wishes), return_exceptions=True
            )
        await somebody.rollback()
    await hasty.engine.dispose()
    for answer, (_, wish) in zip(answers, wishes, strict=True):
        if wish.sku == "PAN":
            assert isinstance(answer, HoldAnswer)
            assert answer.done
        else:
            assert isinstance(answer, DBAPIError)
            assert db.is_held_elsewhere(answer)
    # Nothing of the others stayed behind: they are told anew, and what was held is told again.
    for holder, wish in wishes:
        assert held(await shop.reserve(holder, wish, request=holder))
    assert ((await shop.balance()).reserved, (await shop.balance("PAN")).reserved) == (4, 12)
    await shop.assert_sound()


async def writers(shop: Shop) -> int:
    """How many transactions wrote the reserves in the ledger."""
    query = text("SELECT count(DISTINCT CAST(xmin AS text)) FROM movement WHERE cause = 'reserve'")
    async with shop.engine.begin() as tx:
        return int((await tx.execute(query)).scalar_one())


async def test_holds_are_listed_by_id_and_page_by_page_while_something_is_held(shop: Shop) -> None:
    await shop.adjust(9)
    for number in range(3):
        await shop.reserve(f"ord_{number}", line("DRESS", number + 1))
    await shop.release("ord_1")
    assert [one.reservation_id for one in await shop.service.list_holds(())] == ["ord_0", "ord_2"]
    assert [one.reservation_id for one in await shop.service.list_holds((), "ord_0", 1)] == ["ord_2"]
    [named] = await shop.service.list_holds(["ord_2", "ord_1", "ord_nobody"])
    assert named.lines == (line("DRESS", 3),)
    with pytest.raises(InvalidArgument, match="at most 500"):
        await shop.service.list_holds(["x"] * 501)


async def test_however_many_come_together_they_make_two_trips(shop: Shop, make_database: MakeDatabase) -> None:
    await shop.adjust(500)
    engine = db.connect(make_database("inventory").url, pool_size=1)
    reserving = Reserving(engine, Bell())
    for many in (1, 40):
        wishes = [wish(f"ord_{many}_{n}", line("DRESS", 1)) for n in range(many)]
        assert await round_trips(engine, reserving.carry_out(wishes)) == 2
    await engine.dispose()
    await shop.assert_sound()
