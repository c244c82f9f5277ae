"""Pauses (SPEC STK-17): they begin and end by the clock, in the image, in reserves and moves, and in the feed."""

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.holds import HoldMove, Shortfall
from services.inventory.domain.ledger import Position
from services.inventory.domain.pause_commands import StartPause
from services.inventory.domain.pauses import Pause, Pauses
from services.inventory.pauses import Pausing
from services.inventory.watch import StockMessage
from tests.services.inventory.shop import EDIT, NOON, Shop, line, request_id, with_rules
from tests.services.inventory.test_watch import next_change, snapshot, watching

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def pausing(shop: Shop) -> Pausing:
    return Pausing(shop.engine, shop.bell)


async def start(
    pausing: Pausing,
    *,
    point_id: str = "",
    sku: str = "",
    channel_id: str = "",
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    request: str = "",
    as_of: datetime = NOON,
) -> Pause:
    return await pausing.start(
        StartPause(
            request or request_id(), point_id, sku, channel_id, "burst pipe", from_at, until_at, "plan_1", as_of
        )
    )


async def shown(shop: Shop, at: datetime = NOON, sku: str = "DRESS", channel_id: str = "web") -> tuple[int, str]:
    (figure,) = await shop.service.get_availability(channel_id, [sku], now=at)
    return figure.available_now, figure.zero_reason


async def test_a_paused_point_adds_nothing_and_the_other_points_go_on(shop: Shop, pausing: Pausing) -> None:
    await shop.adjust(5)
    await shop.adjust(2, point_id="PARIS")
    await start(pausing, point_id="LYON")
    assert await shown(shop) == (2, "")
    refused = await shop.reserve("ord_1", line("DRESS", 1))
    assert refused.shortfalls == (Shortfall("DRESS", "LYON", requested=1, available=0, free=5),)
    assert (await shop.reserve("ord_1", line("DRESS", 1, "PARIS"))).done


async def test_when_every_point_is_paused_the_figure_says_why(shop: Shop, pausing: Pausing) -> None:
    await shop.service.put_channels([with_rules(activated_points=("LYON",))], EDIT)
    await shop.adjust(5)
    await start(pausing, point_id="LYON")
    assert await shown(shop) == (0, "PAUSED: burst pipe")


@pytest.mark.parametrize("keys", [{"sku": "DRESS"}, {"channel_id": "web"}, {"sku": "DRESS", "channel_id": "web"}])
async def test_a_paused_item_or_channel_is_an_explicit_zero(
    shop: Shop, pausing: Pausing, keys: dict[str, str]
) -> None:
    await shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    for sku in ("DRESS", "PAN"):
        await shop.adjust(5, sku)
    await start(pausing, **keys)  # type: ignore[arg-type]
    assert await shown(shop) == (0, "PAUSED: burst pipe")
    assert await shown(shop, sku="PAN") == ((0, "PAUSED: burst pipe") if "sku" not in keys else (5, ""))
    assert await shown(shop, channel_id="app") == ((5, "") if "channel_id" in keys else (0, "PAUSED: burst pipe"))
    assert not (await shop.reserve("ord_1", line("DRESS", 1))).done


async def test_an_item_paused_at_a_point_is_sold_from_the_others(shop: Shop, pausing: Pausing) -> None:
    for sku in ("DRESS", "PAN"):
        await shop.adjust(5, sku)
        await shop.adjust(1, sku, "PARIS")
    await start(pausing, point_id="LYON", sku="DRESS")
    assert await shown(shop) == (1, "")
    assert await shown(shop, sku="PAN") == (6, "")


async def test_a_pause_begins_and_ends_by_the_clock_to_the_instant(shop: Shop, pausing: Pausing) -> None:
    await shop.adjust(9)
    await start(pausing, sku="DRESS", from_at=NOON + HOUR, until_at=NOON + 2 * HOUR)
    sold = 0
    for at, open_for_sale in (
        (NOON, True),
        (NOON + HOUR - TICK, True),
        (NOON + HOUR, False),
        (NOON + 2 * HOUR - TICK, False),
        (NOON + 2 * HOUR, True),
    ):
        assert (await shown(shop, at))[0] == (9 - sold if open_for_sale else 0)
        answer = await shop.reserve(f"ord_{at.timestamp()}", line("DRESS", 1), seconds=0, as_of=at)
        assert answer.done == open_for_sale, at
        sold += answer.done


async def test_reserves_that_share_a_transaction_are_each_judged_at_their_own_instant(
    shop: Shop, pausing: Pausing
) -> None:
    await shop.adjust(20)
    await start(pausing, channel_id="web", from_at=NOON + HOUR)
    instants = [NOON + HOUR * (n % 2) for n in range(16)]
    answers = await asyncio.gather(
        *(shop.reserve(f"ord_{n}", line("DRESS", 1), as_of=at) for n, at in enumerate(instants))
    )
    assert [answer.done for answer in answers] == [at == NOON for at in instants]


async def test_what_is_reserved_stays_can_be_issued_and_nothing_moves_in(shop: Shop, pausing: Pausing) -> None:
    await shop.adjust(5)
    await shop.adjust(5, point_id="PARIS")
    await shop.reserve("ord_1", line("DRESS", 2), seconds=0)
    await shop.reserve("ord_2", line("DRESS", 1, "PARIS"), seconds=0)
    await start(pausing, point_id="LYON")
    moved = await shop.move("ord_2", HoldMove("DRESS", "PARIS", "LYON", 1))
    assert not moved.done
    assert moved.shortfalls == (Shortfall("DRESS", "LYON", requested=1, available=0, free=3),)
    assert (await shop.move("ord_1", HoldMove("DRESS", "LYON", "PARIS", 1))).done, "away from it is allowed"
    await shop.issue("ord_1", line("DRESS", 1))
    assert (await shop.balance()).on_hand == 4
    await shop.assert_sound()


async def test_a_pause_that_is_lifted_ends_at_once_and_one_to_come_is_called_off(
    shop: Shop, pausing: Pausing
) -> None:
    await shop.adjust(5)
    now, later = await start(pausing, sku="DRESS"), await start(pausing, sku="DRESS", from_at=NOON + HOUR)
    lifted = await pausing.lift(now.pause_id, "plan_2", NOON + TICK)
    assert (lifted.lifted_by, lifted.lifted_at) == ("plan_2", NOON + TICK)
    assert await shown(shop, NOON + TICK) == (5, "")
    await pausing.lift(later.pause_id, "plan_2", NOON + TICK)
    assert await shown(shop, NOON + 2 * HOUR) == (5, "")
    assert await pausing.lift(now.pause_id, "plan_3", NOON + HOUR) == lifted, "again gives the same"
    over = await start(pausing, sku="PAN", until_at=NOON + HOUR)
    with pytest.raises(FailedPrecondition, match="PAUSE_OVER"):
        await pausing.lift(over.pause_id, "plan_2", NOON + HOUR)
    with pytest.raises(NotFound, match="PAUSE_NOT_FOUND"):
        await pausing.lift("pau_none", "plan_2", NOON)


async def test_a_pause_is_started_once_and_a_wrong_one_names_its_field(shop: Shop, pausing: Pausing) -> None:
    first = await start(pausing, sku="DRESS", request="once")
    assert await start(pausing, sku="DRESS", request="once", as_of=NOON + HOUR) == first
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await start(pausing, sku="PAN", request="once")
    for wrong, field, reason in (
        ({}, "point_id", "INVALID_FIELD"),
        ({"point_id": "NOWHERE"}, "point_id", "UNKNOWN_POINT"),
        ({"sku": "HAT"}, "sku", "UNKNOWN_ITEM"),
        ({"channel_id": "ghost"}, "channel_id", "UNKNOWN_CHANNEL"),
        ({"sku": "DRESS", "until_at": NOON}, "until_at", "INVALID_FIELD"),
        ({"sku": "DRESS", "from_at": NOON + HOUR, "until_at": NOON + HOUR}, "until_at", "INVALID_FIELD"),
    ):
        with pytest.raises(InvalidArgument) as error:
            await start(pausing, **wrong)
        assert (error.value.facts["field"], error.value.reason) == (field, reason)
    listed = await pausing.listed(NOON, "", 9, include_ended=True)
    assert [pause.pause_id for pause in listed] == [first.pause_id]


async def test_pauses_are_listed_while_they_matter(shop: Shop, pausing: Pausing) -> None:
    short = await start(pausing, sku="DRESS", until_at=NOON + HOUR)
    long = await start(pausing, sku="PAN")
    listed = await pausing.listed(NOON, "", 9, include_ended=False)
    assert [pause.pause_id for pause in listed] == [short.pause_id, long.pause_id]
    assert [p.pause_id for p in await pausing.listed(NOON + HOUR, "", 9, include_ended=False)] == [long.pause_id]
    assert len(await pausing.listed(NOON + HOUR, "", 9, include_ended=True)) == 2
    assert [p.pause_id for p in await pausing.listed(NOON, short.pause_id, 1, include_ended=True)] == [
        long.pause_id
    ]


# -- the feed ---------------------------------------------------------------------------------------------


def told(message: StockMessage) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(p.sku, p.point_id): tuple(terms.channel_id for terms in p.channels) for p in message.positions}


@pytest.mark.parametrize("keys", [{"point_id": "LYON"}, {"sku": "DRESS"}, {"channel_id": "web"}])
async def test_replicas_are_told_when_the_clock_begins_and_ends_a_pause(
    shop: Shop, pausing: Pausing, keys: dict[str, str]
) -> None:
    await shop.adjust(5)
    await start(pausing, from_at=NOON + HOUR, until_at=NOON + 2 * HOUR, **keys)  # type: ignore[arg-type]
    known = (await snapshot(shop)).sequence
    assert await pausing.tell(NOON + HOUR - TICK) == 0
    for at, channels in ((NOON + HOUR, ()), (NOON + 2 * HOUR, ("web",))):
        assert await pausing.tell(at) == 1
        assert await pausing.tell(at) == 0, "once"
        async with aclosing(watching(shop, known)) as watch:  # type: ignore[type-var]
            while ("DRESS", "LYON") not in told(message := await anext(watch)):
                pass
        assert told(message)[("DRESS", "LYON")] == channels
        known = message.sequence


async def test_replicas_are_told_at_once_of_a_pause_that_a_person_starts_or_lifts(
    shop: Shop, pausing: Pausing
) -> None:
    await shop.adjust(5)
    known = (await snapshot(shop)).sequence
    pause = await start(pausing, point_id="LYON")
    message = await next_change(shop, known)
    assert told(message) == {("DRESS", "LYON"): ()}
    assert (await snapshot(shop)).positions[Position("DRESS", "LYON")].channels == (), "a snapshot knows it too"
    await pausing.lift(pause.pause_id, "plan_1", NOON + HOUR)
    assert told(await next_change(shop, message.sequence)) == {("DRESS", "LYON"): ("web",)}
    assert await pausing.tell(NOON + 2 * HOUR) == 0, "nothing is left to tell"


async def test_a_pause_that_was_missed_whole_leaves_the_replicas_right(shop: Shop, pausing: Pausing) -> None:
    await shop.adjust(5)
    await start(pausing, sku="DRESS", from_at=NOON + HOUR, until_at=NOON + 2 * HOUR)
    assert await pausing.tell(NOON + 9 * HOUR) == 1
    (terms,) = (await snapshot(shop)).positions[Position("DRESS", "LYON")].channels
    assert terms.channel_id == "web"


# -- the rule ---------------------------------------------------------------------------------------------


def test_a_pause_stops_what_all_its_keys_name_together() -> None:
    pauses = Pauses([Pause("p", "LYON", "DRESS", "web", "why", NOON)])
    assert pauses.reason_for("DRESS", "LYON", "web", NOON) == "PAUSED: why"
    for keys in (
        ("PAN", "LYON", "web"),
        ("DRESS", "PARIS", "web"),
        ("DRESS", "LYON", "app"),
        ("DRESS", "", "web"),
    ):
        assert pauses.reason_for(*keys, NOON) == "", keys
    assert pauses.reason_everywhere("DRESS", ["LYON"], "web", NOON) == "PAUSED: why"
    assert pauses.reason_everywhere("DRESS", ["LYON", "PARIS"], "web", NOON) == ""
    assert pauses.reason_everywhere("DRESS", [], "web", NOON) == ""
