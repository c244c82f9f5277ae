"""Transfers on the real database (SPEC STK-16): holds, transit, receipts with discrepancies, races, retries."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.catalogue import BufferRule
from services.inventory.domain.holds import HoldMove, Shortfall
from services.inventory.domain.lanes import Lane, LaneCost, LaneDeparture, Window
from services.inventory.domain.ledger import Balance
from services.inventory.domain.transfers import Act, Outcome, Quantity, Receipt, TransferLine, TransferState
from services.inventory.lanes import Lanes, Load
from services.inventory.store.transfers import InTransit, TransferDifference
from tests.services.inventory.roads import Roads
from tests.services.inventory.shop import EDIT, NOON, Shop, line, with_rules

S = TransferState
DAILY = tuple(LaneDeparture(day, 18 * 60) for day in range(1, 8))
LANE = Lane("lyon-paris", "LYON", "PARIS", DAILY, 1, LaneCost("EUR", 500, 2, 30))


@pytest_asyncio.fixture
async def roads(shop: Shop) -> Roads:
    return Roads(shop)


# -- the way through --------------------------------------------------------------------------------------


async def test_units_are_held_travel_and_arrive(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    asked = await roads.asked(Quantity("DRESS", 3))
    assert asked.state is S.REQUESTED
    assert await shop.shown() == 2, "they leave every image at once"
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=5, reserved=3)

    sent = await roads.dispatch(asked.transfer_id)
    assert (sent.state, sent.in_transit) == (S.DISPATCHED, 3)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=2)
    assert (await shop.balance(point_id="PARIS")).on_hand == 0, "in transit is on hand nowhere"
    assert await roads.transfers.in_transit([], [], ("", "", ""), 10) == [
        InTransit("DRESS", "PARIS", "LYON", asked.transfer_id, 3, None)
    ]

    closed = await roads.receive(asked.transfer_id, Receipt("DRESS", 3))
    assert (closed.state, closed.in_transit, closed.closed_at) == (S.CLOSED, 0, NOON)
    assert await shop.balance(point_id="PARIS") == Balance("DRESS", "PARIS", on_hand=3)
    assert await shop.shown() == 5
    assert await roads.transfers.in_transit([], [], ("", "", ""), 10) == []
    await roads.assert_sound()

    movements = [m for _, m, _ in await shop.service.list_movements("DRESS", "", 0, 10)]
    assert [(m.position.point_id, m.on_hand, m.reserved, m.cause.cause) for m in movements[1:]] == [
        ("LYON", 0, 3, "transfer_request"),
        ("LYON", -3, -3, "transfer_out"),
        ("PARIS", 3, 0, "transfer_in"),
    ]
    assert {m.cause.source for m in movements[1:]} == {asked.transfer_id}
    _, acts = await roads.transfers.get(asked.transfer_id)
    assert [(done.act, done.actor) for done in acts] == [
        (Act.REQUEST, "plan_1"),
        (Act.DISPATCH, "assoc_1"),
        (Act.RECEIVE, "assoc_2"),
    ]
    assert [name for name, _ in await roads.events()] == ["requested", "dispatched", "received", "closed"]


async def test_a_transfer_takes_what_nobody_holds_whatever_a_channel_keeps_back(shop: Shop, roads: Roads) -> None:
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=3),))], EDIT)
    await shop.adjust(6)
    await shop.reserve("ord_1", line("DRESS", 1))
    await shop.declare(2)
    assert await shop.shown() == 0, "3 free, 3 kept back"
    refused = await roads.ask(Quantity("DRESS", 4), Quantity("PAN", 1))
    assert refused.transfer is None
    assert refused.shortfalls == (
        Shortfall("DRESS", "LYON", requested=4, available=3, free=3),
        Shortfall("PAN", "LYON", requested=1, available=0, free=0),
    )
    assert (await shop.balance()).reserved == 1, "a refusal leaves nothing behind"
    assert await roads.events() == []
    await roads.asked(Quantity("DRESS", 1), Quantity("DRESS", 2))
    assert (await shop.balance()).free == 0, "the same article twice counts twice"
    await roads.assert_sound()


async def test_nobody_but_the_transfer_touches_what_it_holds(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    await shop.adjust(5, point_id="PARIS")
    held = (await roads.asked(Quantity("DRESS", 2))).transfer_id
    for act in (
        shop.release(held),
        shop.issue(held, line("DRESS", 1)),
        shop.report_short(held, line("DRESS", 1)),
        shop.move(held, HoldMove("DRESS", "LYON", "PARIS", 1)),
        shop.service.confirm(held, NOON),
    ):
        with pytest.raises(FailedPrecondition, match="HELD_BY_DOCUMENT"):
            await act
    with pytest.raises(FailedPrecondition, match="OTHER_CHANNEL"):
        await shop.reserve(held, line("DRESS", 1))
    assert (await shop.balance()).reserved == 2
    await roads.assert_sound()


# -- discrepancies ----------------------------------------------------------------------------------------


async def test_what_a_picker_does_not_find_is_given_back(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    await shop.adjust(2, "PAN")
    asked = await roads.asked(Quantity("DRESS", 3), Quantity("PAN", 2))
    sent = await roads.dispatch(asked.transfer_id, Quantity("DRESS", 1), Quantity("PAN", 0))
    assert sent.lines == (TransferLine("DRESS", 3, dispatched=1), TransferLine("PAN", 2))
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4)
    assert await shop.balance("PAN") == Balance("PAN", "LYON", on_hand=2)
    assert await roads.declarations() == []
    assert (await roads.receive(asked.transfer_id, Receipt("DRESS", 1))).state is S.CLOSED
    await roads.assert_sound()


async def test_what_is_declared_not_found_does_not_come_back_into_the_image(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    asked = await roads.asked(Quantity("DRESS", 3))
    await roads.dispatch(asked.transfer_id, Quantity("DRESS", 1), not_found=True)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4, unavailable=2)
    assert await roads.declarations() == [("DRESS", "LYON", 2, "not_found")]
    await roads.assert_sound()


@pytest.mark.parametrize("lines", [(Quantity("DRESS", 0),), (Quantity("PAN", 0),)])
async def test_a_dispatch_of_nothing_is_refused(shop: Shop, roads: Roads, lines: tuple[Quantity, ...]) -> None:
    await shop.adjust(5)
    asked = await roads.asked(Quantity("DRESS", 3))
    with pytest.raises(FailedPrecondition, match="NOTHING_DISPATCHED"):
        await roads.dispatch(asked.transfer_id, *lines)
    assert (await roads.transfers.get(asked.transfer_id))[0] == asked


@pytest.mark.parametrize("lines", [(Quantity("DRESS", 4),), (Quantity("DRESS", 1), Quantity("PAN", 1))])
async def test_no_more_leaves_than_was_asked_for(shop: Shop, roads: Roads, lines: tuple[Quantity, ...]) -> None:
    await shop.adjust(9)
    await shop.adjust(9, "PAN")
    asked = await roads.asked(Quantity("DRESS", 3))
    with pytest.raises(FailedPrecondition, match="NOT_HELD"):
        await roads.dispatch(asked.transfer_id, *lines)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=9, reserved=3)
    await roads.assert_sound()


async def test_when_a_count_finds_too_few_the_customers_keep_theirs(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    await shop.reserve("ord_1", line("DRESS", 2), seconds=0)
    asked = await roads.asked(Quantity("DRESS", 3))
    await shop.adjust(-2, cause="count")
    with pytest.raises(FailedPrecondition, match="NOT_ENOUGH_FREE") as refused:
        await roads.dispatch(asked.transfer_id)
    assert refused.value.facts["free"] == 1
    await roads.dispatch(asked.transfer_id, Quantity("DRESS", 1))
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=2, reserved=2)
    await shop.issue("ord_1", line("DRESS", 2))
    await roads.assert_sound()


async def test_missing_units_stay_open_until_a_person_settles_them(shop: Shop, roads: Roads) -> None:
    await shop.adjust(9)
    transfer_id = (await roads.asked(Quantity("DRESS", 9))).transfer_id
    await roads.dispatch(transfer_id)
    first = await roads.receive(transfer_id, Receipt("DRESS", 2))
    second = await roads.receive(transfer_id, Receipt("DRESS", 3))
    assert (first.state, first.in_transit, second.state, second.in_transit) == (S.RECEIVED, 7, S.RECEIVED, 4)

    with pytest.raises(FailedPrecondition, match="NOT_IN_TRANSIT") as refused:
        await roads.settle(transfer_id, "DRESS", 5, Outcome.LOST)
    assert refused.value.facts["in_transit"] == 4

    with pytest.raises(InvalidArgument, match="UNKNOWN_ITEM"):
        await roads.settle(transfer_id, "GHOST", 1, Outcome.LOST)
    await roads.settle(transfer_id, "DRESS", 1, Outcome.FOUND_AT_DESTINATION)
    await roads.settle(transfer_id, "DRESS", 1, Outcome.RETURNED)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=1)
    assert await shop.balance(point_id="PARIS") == Balance("DRESS", "PARIS", on_hand=6)
    closed = await roads.settle(transfer_id, "DRESS", 2, Outcome.LOST)
    assert closed.state is S.CLOSED
    assert closed.lines == (TransferLine("DRESS", 9, dispatched=9, received=6, settled=3, lost=2),)
    _, acts = await roads.transfers.get(transfer_id)
    assert (acts[-1].lines[0].outcome, acts[-1].lines[0].reason) == ("lost", "nobody saw it")
    names = [name for name, _ in await roads.events()]
    assert names == ["requested", "dispatched", "received", "received", "received", "closed"]
    assert (await roads.events())[-1][1] == [
        {"sku": "DRESS", "dispatched": 9, "received": 6, "returned": 1, "lost": 2, "over": 0, "damaged": 0}
    ]
    await roads.assert_sound()


async def test_more_damaged_and_other_articles_than_announced_are_taken_in(shop: Shop, roads: Roads) -> None:
    await shop.adjust(4)
    transfer_id = (await roads.asked(Quantity("DRESS", 4))).transfer_id
    await roads.dispatch(transfer_id)
    closed = await roads.receive(transfer_id, Receipt("DRESS", 5, damaged=2), Receipt("PAN", 1, damaged=1))
    assert closed.state is S.CLOSED
    assert closed.lines == (
        TransferLine("DRESS", 4, dispatched=4, received=4, over=1, damaged=2),
        TransferLine("PAN", 0, over=1, damaged=1),
    )
    assert await shop.balance(point_id="PARIS") == Balance("DRESS", "PARIS", on_hand=5, unavailable=2)
    assert await shop.balance("PAN", "PARIS") == Balance("PAN", "PARIS", on_hand=1, unavailable=1)
    assert await shop.shown() == 3
    assert await roads.declarations() == [("DRESS", "PARIS", 2, "damaged"), ("PAN", "PARIS", 1, "damaged")]
    await roads.assert_sound()


async def test_a_receipt_ends_a_shortage_at_the_destination_first(shop: Shop, roads: Roads) -> None:
    await shop.adjust(2)
    await shop.adjust(2, point_id="PARIS")
    await shop.reserve("ord_1", line("DRESS", 2, "PARIS"), seconds=0)
    await shop.adjust(-2, point_id="PARIS", cause="count")
    transfer_id = (await roads.asked(Quantity("DRESS", 2))).transfer_id
    await roads.dispatch(transfer_id)
    await roads.receive(transfer_id, Receipt("DRESS", 2))
    assert await shop.balance(point_id="PARIS") == Balance("DRESS", "PARIS", on_hand=2, reserved=2)
    assert await shop.shown() == 0
    await roads.assert_sound()


async def test_a_cancelled_transfer_gives_everything_back(shop: Shop, roads: Roads) -> None:
    await shop.adjust(4)
    await shop.adjust(4, "PAN")
    transfer_id = (await roads.asked(Quantity("DRESS", 4), Quantity("PAN", 1))).transfer_id
    cancelled = await roads.cancel(transfer_id)
    assert (cancelled.state, cancelled.closed_at) == (S.CANCELLED, NOON)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4)
    assert await shop.balance("PAN") == Balance("PAN", "LYON", on_hand=4)
    with pytest.raises(FailedPrecondition, match="ILLEGAL_TRANSITION"):
        await roads.dispatch(transfer_id)
    await roads.assert_sound()


# -- wrong requests ---------------------------------------------------------------------------------------


async def test_a_wrong_request_names_its_field_and_writes_nothing(shop: Shop, roads: Roads) -> None:
    await shop.adjust(4)
    for asking, field, reason in (
        (roads.ask(Quantity("DRESS", 1), origin="NOWHERE"), "origin_id", "UNKNOWN_POINT"),
        (roads.ask(Quantity("DRESS", 1), destination="NOWHERE"), "destination_id", "UNKNOWN_POINT"),
        (roads.ask(Quantity("DRESS", 1), destination="LYON"), "destination_id", "INVALID_FIELD"),
        (roads.ask(Quantity("DRESS", 1), Quantity("HAT", 1)), "lines[1].sku", "UNKNOWN_ITEM"),
        (roads.ask(Quantity("DRESS", 0)), "lines[0].quantity", "INVALID_FIELD"),
        (roads.ask(), "lines", "INVALID_FIELD"),
        (roads.ask(Quantity("DRESS", 1), lane_id="none"), "lane_id", "UNKNOWN_LANE"),
        (roads.ask(Quantity("DRESS", 1), expected=Window(NOON, NOON)), "expected.end", "INVALID_FIELD"),
    ):
        with pytest.raises(InvalidArgument) as wrong:
            await asking
        assert (wrong.value.facts["field"], wrong.value.reason) == (field, reason)
    for act in (roads.dispatch("trf_none"), roads.cancel("trf_none"), roads.transfers.get("trf_none")):
        with pytest.raises(NotFound, match="TRANSFER_NOT_FOUND"):
            await act
    transfer_id = (await roads.asked(Quantity("DRESS", 1))).transfer_id
    await roads.dispatch(transfer_id)
    with pytest.raises(InvalidArgument) as wrong:
        await roads.receive(transfer_id, Receipt("DRESS", 1), Receipt("HAT", 1))
    assert (wrong.value.facts["field"], wrong.value.reason) == ("lines[1].sku", "UNKNOWN_ITEM")
    with pytest.raises(InvalidArgument) as wrong:
        await roads.receive(transfer_id, Receipt("DRESS", 1, damaged=2))
    assert wrong.value.facts["field"] == "lines[0].damaged"
    assert (await shop.balance(point_id="PARIS")).on_hand == 0
    await roads.assert_sound()


# -- repeats and races ------------------------------------------------------------------------------------


async def test_each_act_is_done_once_and_a_repeat_gets_the_first_answer(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    for _ in range(2):
        refused = await roads.ask(Quantity("DRESS", 9), request="too-many")
        assert refused.transfer is None
        asked = await roads.asked(Quantity("DRESS", 4), request="ask")
    await shop.adjust(9)
    assert await roads.ask(Quantity("DRESS", 9), request="too-many") == refused, "a refusal is an answer too"
    first = await roads.dispatch(asked.transfer_id, request="go")
    partial = await roads.receive(asked.transfer_id, Receipt("DRESS", 1, damaged=1), request="some")
    lost = await roads.settle(asked.transfer_id, "DRESS", 3, Outcome.LOST, request="gone")
    assert await roads.asked(Quantity("DRESS", 4), request="ask") == asked
    assert await roads.dispatch(asked.transfer_id, request="go") == first
    again = await roads.receive(asked.transfer_id, Receipt("DRESS", 1, damaged=1), request="some")
    assert again == partial
    assert await roads.settle(asked.transfer_id, "DRESS", 3, Outcome.LOST, request="gone") == lost
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await roads.receive(asked.transfer_id, Receipt("DRESS", 2), request="some")
    assert await roads.declarations() == [("DRESS", "PARIS", 1, "damaged")]
    await roads.assert_sound()


async def test_of_two_dispatches_at_once_one_leaves(shop: Shop, roads: Roads) -> None:
    await shop.adjust(5)
    transfer_id = (await roads.asked(Quantity("DRESS", 3))).transfer_id
    outcomes = await asyncio.gather(*(roads.dispatch(transfer_id) for _ in range(4)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, FailedPrecondition)]
    assert [one.reason for one in refused] == ["ILLEGAL_TRANSITION"] * 3
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=2)
    await roads.assert_sound()


@pytest.mark.parametrize("turn", range(4))
async def test_cancel_against_dispatch_one_wins_and_the_other_is_told(shop: Shop, roads: Roads, turn: int) -> None:
    await shop.adjust(5)
    transfer_id = (await roads.asked(Quantity("DRESS", 3))).transfer_id
    acts = [roads.cancel(transfer_id), roads.dispatch(transfer_id)]
    outcomes = await asyncio.gather(*(acts if turn % 2 else reversed(acts)), return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, FailedPrecondition)]) == 1
    transfer, acted = await roads.transfers.get(transfer_id)
    assert len(acted) == 2
    on_hand = 5 if transfer.state is S.CANCELLED else 2
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=on_hand)
    await roads.assert_sound()


async def test_for_the_last_units_customers_and_transfers_have_one_winner(shop: Shop, roads: Roads) -> None:
    await shop.adjust(2)
    await shop.adjust(2, "PAN")
    both = (Quantity("DRESS", 2), Quantity("PAN", 2))
    outcomes = await asyncio.gather(
        *(roads.ask(*both) for _ in range(5)),
        *(shop.reserve(f"ord_{n}", line("PAN", 2), line("DRESS", 2)) for n in range(5)),
    )
    granted = [one for one in outcomes if getattr(one, "transfer", None) or getattr(one, "done", False)]
    assert len(granted) == 1
    assert (await shop.balance()).free == (await shop.balance("PAN")).free == 0
    await roads.assert_sound()


async def test_transfers_against_each_other_never_deadlock(shop: Shop, roads: Roads) -> None:
    for point_id in ("LYON", "PARIS"):
        for sku in ("DRESS", "PAN"):
            await shop.adjust(30, sku, point_id)

    async def journey(n: int) -> None:
        ends = {"origin": "LYON", "destination": "PARIS"}
        if n % 2:
            ends = {"origin": "PARIS", "destination": "LYON"}
        units = (Quantity("PAN", 1), Quantity("DRESS", 1))
        transfer_id = (await roads.asked(*(units if n % 3 else reversed(units)), **ends)).transfer_id
        await roads.dispatch(transfer_id)
        await roads.receive(transfer_id, Receipt("PAN", 1), Receipt("DRESS", 1))

    await asyncio.gather(*(journey(n) for n in range(12)))
    for point_id in ("LYON", "PARIS"):
        assert (await shop.balance(point_id=point_id)).on_hand == 30
    await roads.assert_sound()


# -- lanes ------------------------------------------------------------------------------------------------


async def test_only_lanes_that_differ_are_written(shop: Shop) -> None:
    lanes = Lanes(shop.engine)
    back = Lane("back", "PARIS", "LYON", DAILY, 2)
    assert await lanes.put([LANE, back]) == 2
    assert await lanes.put([LANE, back]) == 0
    assert await lanes.put([LANE, Lane("back", "PARIS", "LYON", DAILY, 3)]) == 1
    assert [lane.lane_id for lane in await lanes.listed([])] == ["back", "lyon-paris"]
    assert await lanes.listed(["WAREHOUSE"]) == []
    assert (await lanes.listed(["LYON"]))[1] == LANE
    with pytest.raises(InvalidArgument) as wrong:
        await lanes.put([Lane("x", "LYON", "NOWHERE", DAILY, 1)])
    assert wrong.value.facts["field"] == "lanes[0].destination_id"
    assert await lanes.delete(["back", "never"]) == 1
    assert await lanes.delete(["back"]) == 0
    with pytest.raises(NotFound, match="LANE_NOT_FOUND"):
        await lanes.schedule("back", NOON, 1, Load())


async def test_a_transfer_is_expected_when_its_lane_arrives_counted_again_when_it_leaves(
    shop: Shop, roads: Roads
) -> None:
    lanes = Lanes(shop.engine)
    await lanes.put([LANE, Lane("slow", "LYON", "PARIS", DAILY, 9)])
    schedule = await lanes.schedule("lyon-paris", NOON, 2, Load(parcels=1, units=10, weight_grams=1500))
    assert [run.cut_off_at for run in schedule.runs] == [
        datetime(2026, 11, 20, 17, tzinfo=UTC),
        datetime(2026, 11, 21, 17, tzinfo=UTC),
    ]
    assert schedule.cost is not None
    assert schedule.cost.amount_minor == 500 + 20 + 45

    await shop.adjust(9)
    asked = await roads.asked(Quantity("DRESS", 1))
    assert (asked.lane_id, asked.expected) == ("lyon-paris", schedule.runs[0].arrives)
    sent = await roads.dispatch(asked.transfer_id, as_of=NOON + timedelta(days=3))
    arrives = schedule.runs[0].arrives
    day = timedelta(days=3)
    assert sent.expected == Window(arrives.start + day, arrives.end + day)
    assert (await roads.transfers.in_transit(["DRESS"], ["PARIS"], ("", "", ""), 9))[0].expected == sent.expected

    said = Window(NOON, NOON + timedelta(hours=2))
    told = await roads.ask(Quantity("DRESS", 1), lane_id="slow", expected=said)
    assert told.transfer is not None
    assert (told.transfer.lane_id, told.transfer.expected) == ("slow", said)
    with pytest.raises(InvalidArgument, match="OTHER_LANE"):
        await roads.ask(Quantity("DRESS", 1), lane_id="slow", destination="WAREHOUSE")


# -- reads ------------------------------------------------------------------------------------------------


async def test_transfers_are_listed_by_point_and_state_in_pages(shop: Shop, roads: Roads) -> None:
    await shop.adjust(9)
    await shop.adjust(9, point_id="PARIS")
    first = await roads.asked(Quantity("DRESS", 1))
    second = await roads.asked(Quantity("DRESS", 1), origin="PARIS", destination="WAREHOUSE")
    third = await roads.asked(Quantity("DRESS", 1), destination="WAREHOUSE")
    third = await roads.cancel(third.transfer_id)
    listed = roads.transfers.listed
    assert await listed([], [], "", 9) == [first, second, third], "in the order in which they were asked for"
    assert await listed(["LYON"], [], "", 9) == [first, third]
    assert await listed(["WAREHOUSE"], [S.REQUESTED], "", 9) == [second]
    assert await listed([], [], first.transfer_id, 1) == [second]


async def test_a_line_that_the_ledger_tells_otherwise_is_found(shop: Shop, roads: Roads) -> None:
    await shop.adjust(9)
    transfer_id = (await roads.asked(Quantity("DRESS", 4))).transfer_id
    await roads.dispatch(transfer_id)
    await roads.receive(transfer_id, Receipt("DRESS", 1))
    requested = (await roads.asked(Quantity("DRESS", 2))).transfer_id
    async with shop.engine.begin() as tx:
        await tx.execute(text("UPDATE transfer_line SET received = 2 WHERE dispatched = 4"))
        await tx.execute(text("DELETE FROM reservation_line"))
    assert await roads.transfers.find_differences() == (
        2,
        [
            TransferDifference(transfer_id, "DRESS", "received", line=2, ledger=1),
            TransferDifference(requested, "DRESS", "held", line=2, ledger=0),
        ],
    )
