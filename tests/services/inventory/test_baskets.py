"""Baskets: laid aside, changed, extended, given up, and taken over by an order (SPEC STK-7)."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.answers import HoldAnswer
from services.inventory.baskets import Baskets
from services.inventory.domain import baskets as domain
from services.inventory.domain import commands, holds
from services.inventory.domain.baskets import BasketLine, HoldBasket
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import BufferRule, Purpose
from services.inventory.domain.holds import HoldLine, Reservation, ReservationState
from services.inventory.domain.ledger import Balance, Book, Cause, Position
from tests.services.inventory.domain.test_image import terms
from tests.services.inventory.shop import EDIT, NOON, SKUS, Shop, item, line, request_id, with_rules

NAME = domain.reservation_id("web", "cart")
MINUTE = timedelta(minutes=1)


class Desk:
    """Short words for what customers do with their baskets."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.baskets = Baskets(shop.engine, shop.bell)

    async def hold(self, *lines: BasketLine, basket_id: str = "cart", **changes: Any) -> HoldAnswer:
        usual = HoldBasket(request_id(), "web", basket_id, lines, 600, False, NOON)
        return await self.baskets.hold(replace(usual, **changes))

    async def held(self, basket_id: str = "cart") -> dict[tuple[str, str], int]:
        found = await self.shop.service.get_reservation(domain.reservation_id("web", basket_id))
        return {(one.sku, one.point_id): one.quantity for one in found.lines}

    async def order(
        self, order_id: str, *lines: HoldLine, basket_id: str = "cart", as_of: datetime = NOON, request: str = ""
    ) -> HoldAnswer:
        basket = domain.reservation_id("web", basket_id)
        return await self.shop.service.reserve(
            commands.Reserve(request or request_id(), order_id, "web", lines, 600, False, as_of, basket=basket)
        )


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop)


# -- laid aside -------------------------------------------------------------------------------------------


async def test_units_lie_where_there_is_most_unless_the_basket_says_where(shop: Shop, desk: Desk) -> None:
    await shop.adjust(2)
    await shop.adjust(3, point_id="PARIS")
    await shop.adjust(9, "PAN")
    answer = await desk.hold(BasketLine("DRESS", 4), BasketLine("PAN", 1, "LYON"))
    assert answer.done
    assert await desk.held() == {("DRESS", "PARIS"): 3, ("DRESS", "LYON"): 1, ("PAN", "LYON"): 1}
    assert await shop.shown() == 1, "what is in baskets is out of the image"
    await shop.assert_sound()


async def test_a_line_that_says_where_comes_before_one_that_does_not(shop: Shop, desk: Desk) -> None:
    await shop.adjust(2)
    await shop.adjust(1, point_id="PARIS")
    assert (await desk.hold(BasketLine("DRESS", 1), BasketLine("DRESS", 2, "LYON"))).done
    assert await desk.held() == {("DRESS", "LYON"): 2, ("DRESS", "PARIS"): 1}


async def test_a_refused_basket_keeps_what_it_had_and_tells_what_there_is(shop: Shop, desk: Desk) -> None:
    await shop.adjust(2)
    await shop.adjust(1, point_id="PARIS")
    refused = await desk.hold(BasketLine("DRESS", 4))
    assert (refused.done, refused.reservation) == (False, None)
    assert [(s.sku, s.point_id, s.requested, s.available) for s in refused.shortfalls] == [("DRESS", "", 4, 3)]
    with pytest.raises(NotFound):
        await desk.held()
    await desk.hold(BasketLine("DRESS", 2))
    refused = await desk.hold(BasketLine("DRESS", 4))
    assert refused.shortfalls[0].available == 3, "its own units can be had again"
    assert await desk.held() == {("DRESS", "LYON"): 2}
    partly = await desk.hold(BasketLine("DRESS", 4), allow_partial=True)
    assert (partly.done, partly.shortfalls[0].available) == (True, 3)
    assert await desk.held() == {("DRESS", "LYON"): 2, ("DRESS", "PARIS"): 1}
    await shop.assert_sound()


async def test_a_basket_holds_what_it_was_last_told_and_lives_from_then_on(shop: Shop, desk: Desk) -> None:
    await shop.adjust(5)
    await shop.adjust(5, "PAN")
    await desk.hold(BasketLine("DRESS", 3))
    answer = await desk.hold(BasketLine("DRESS", 1), BasketLine("PAN", 1), as_of=NOON + 5 * MINUTE)
    assert await desk.held() == {("DRESS", "LYON"): 1, ("PAN", "LYON"): 1}
    assert answer.reservation is not None
    assert answer.reservation.expires_at == NOON + 15 * MINUTE
    movements = await shop.service.list_movements("DRESS", "LYON", 0, 10)
    assert [one.reserved for _, one, _ in movements] == [0, 3, -2], "what it keeps does not move"
    await desk.hold(BasketLine("DRESS", 1), BasketLine("PAN", 1))
    assert len(await shop.service.list_movements("DRESS", "LYON", 0, 10)) == 3


async def test_a_repeated_request_gives_the_first_answer(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    first = await desk.hold(BasketLine("DRESS", 1), request_id="r1")
    await shop.release(NAME)
    again = await desk.hold(BasketLine("DRESS", 1), request_id="r1")
    assert (again.done, again.reservation and again.reservation.lines) == (
        True,
        first.reservation and first.reservation.lines,
    )
    assert await shop.shown() == 1
    with pytest.raises(Conflict):
        await desk.hold(BasketLine("DRESS", 2), request_id="r1")


async def test_an_expired_basket_can_be_filled_again_and_not_be_extended(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    await desk.hold(BasketLine("DRESS", 1))
    extended = await desk.baskets.extend("web", "cart", 600, NOON + 9 * MINUTE)
    assert extended.expires_at == NOON + 19 * MINUTE
    assert (await desk.baskets.extend("web", "cart", 60, NOON + 9 * MINUTE)).expires_at == extended.expires_at
    with pytest.raises(FailedPrecondition, match="expired"):
        await desk.baskets.extend("web", "cart", 600, NOON + 19 * MINUTE)
    await shop.service.expire_reservations(NOON + 19 * MINUTE, 10)
    assert await shop.shown() == 1
    with pytest.raises(FailedPrecondition, match="expired"):
        await desk.baskets.extend("web", "cart", 600, NOON)
    assert (await desk.hold(BasketLine("DRESS", 1), as_of=NOON + 20 * MINUTE)).done
    await shop.release(NAME)
    with pytest.raises(FailedPrecondition, match="nothing"):
        await desk.baskets.extend("web", "cart", 600, NOON + 20 * MINUTE)
    with pytest.raises(NotFound):
        await desk.baskets.extend("web", "nobodys", 600, NOON)


async def test_a_basket_of_bundles_is_whole_at_each_point(shop: Shop, desk: Desk) -> None:
    await shop.service.put_items([replace(item("SET"), parts=(Part("DRESS", 1), Part("PAN", 2)))], EDIT)
    for point_id, dresses, pans in (("LYON", 1, 2), ("PARIS", 5, 3)):
        await shop.adjust(dresses, "DRESS", point_id)
        await shop.adjust(pans, "PAN", point_id)
    refused = await desk.hold(BasketLine("SET", 3))
    assert [(s.sku, s.available) for s in refused.shortfalls] == [("SET", 2)]
    assert (await desk.hold(BasketLine("SET", 2), BasketLine("PAN", 1, "PARIS"))).done
    assert await desk.held() == {("SET", "LYON"): 1, ("SET", "PARIS"): 1, ("PAN", "PARIS"): 1}
    assert not (await desk.hold(BasketLine("SET", 2), BasketLine("PAN", 2, "PARIS"))).done
    await shop.assert_sound()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channel_id": "no such"}, "channel_id"),
        ({"channel_id": "nobody"}, "channel_id"),
        ({"basket_id": "a/b"}, "basket_id"),
        ({"basket_id": ""}, "basket_id"),
        ({"time_to_live_seconds": 0}, "time_to_live_seconds"),
        ({"time_to_live_seconds": 86_401}, "time_to_live_seconds"),
        ({"purpose": Purpose.SHOW}, "purpose"),
        ({"lines": ()}, "lines"),
        ({"lines": (BasketLine("DRESS", 0),)}, "lines[0].quantity"),
        ({"lines": (BasketLine("DRESS", 1), BasketLine("", 1))}, "lines[1].sku"),
        ({"lines": (BasketLine("DRESS", 1, "no such"),)}, "lines[0].point_id"),
    ],
)
async def test_a_wrong_basket_names_its_field(desk: Desk, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await desk.hold(*changes.pop("lines", (BasketLine("DRESS", 1),)), **changes)
    assert refused.value.facts["field"] == field


async def test_the_last_unit_is_in_one_basket(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    wanted = [desk.hold(BasketLine("DRESS", 1), basket_id=f"cart-{n}") for n in range(30)]
    assert sum(answer.done for answer in await asyncio.gather(*wanted)) == 1
    await shop.assert_sound()


# -- taken over by an order -------------------------------------------------------------------------------


async def test_an_order_takes_the_units_of_its_basket_over_wherever_they_lie(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    await shop.adjust(1, point_id="PARIS")
    await desk.hold(BasketLine("DRESS", 2))
    assert not (await shop.reserve("ord_2", line("DRESS", 1))).done, "others find nothing"
    answer = await desk.order("ord_1", line("DRESS", 1, "LYON"))
    assert answer.done
    assert await desk.held() == {}, "what the order does not take is free again"
    assert await shop.shown() == 1
    await shop.assert_sound()


async def test_a_refused_order_leaves_the_basket_as_it_is(shop: Shop, desk: Desk) -> None:
    await shop.adjust(3)
    await desk.hold(BasketLine("DRESS", 2))
    refused = await desk.order("ord_1", line("DRESS", 4))
    assert (refused.done, refused.reservation) == (False, None)
    (short,) = refused.shortfalls
    assert (short.requested, short.available, short.free) == (4, 3, 1), "free is what lies beside the basket"
    assert await desk.held() == {("DRESS", "LYON"): 2}
    await shop.assert_sound()


async def test_of_two_orders_of_one_basket_one_gets_its_units(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    await desk.hold(BasketLine("DRESS", 1))
    answers = await asyncio.gather(*(desk.order(f"ord_{n}", line("DRESS", 1)) for n in range(10)))
    assert sum(answer.done for answer in answers) == 1
    await shop.assert_sound()


async def test_an_order_of_a_basket_that_is_gone_takes_what_there_is(shop: Shop, desk: Desk) -> None:
    await shop.adjust(1)
    assert (await desk.order("ord_1", line("DRESS", 1), basket_id="never")).done
    await shop.release("ord_1")
    await desk.hold(BasketLine("DRESS", 1))
    await shop.service.expire_reservations(NOON + 11 * MINUTE, 10)
    assert (await desk.order("ord_2", line("DRESS", 1), as_of=NOON + 11 * MINUTE)).done
    await shop.assert_sound()


async def test_an_order_told_twice_takes_its_basket_once(shop: Shop, desk: Desk) -> None:
    await shop.adjust(2)
    await desk.hold(BasketLine("DRESS", 1))
    first = await desk.order("ord_1", line("DRESS", 1), request="order/ord_1/reserve/1")
    await desk.hold(BasketLine("DRESS", 1))
    assert await desk.order("ord_1", line("DRESS", 1), request="order/ord_1/reserve/1") == first
    assert await desk.held() == {("DRESS", "LYON"): 1}


async def test_baskets_and_their_orders_among_many_never_oversell(shop: Shop, desk: Desk) -> None:
    for point_id in ("LYON", "PARIS"):
        for sku in SKUS[:2]:
            await shop.adjust(6, sku, point_id)
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=1),))], EDIT)

    async def customer(number: int) -> None:
        cart, order_id = f"cart-{number}", f"ord_{number}"
        sku = SKUS[number % 2]
        await desk.hold(BasketLine(sku, 1 + number % 2), basket_id=cart)
        await desk.hold(BasketLine(sku, 1), basket_id=cart)
        held = await desk.held(cart) if number % 3 else {}
        for _, point_id in held:
            await desk.order(order_id, line(sku, 1, point_id), basket_id=cart)

    async def visit(number: int) -> None:
        # Whoever was refused from the first never had a basket.
        with suppress(NotFound):
            await customer(number)

    await asyncio.gather(*(visit(number) for number in range(40)))
    await shop.assert_sound()
    for sku in SKUS[:2]:
        for point_id in ("LYON", "PARIS"):
            assert (await shop.balance(sku, point_id)).free >= 1, "safety stock is never sold"


# -- the rule by itself -----------------------------------------------------------------------------------

_stock = st.fixed_dictionaries({"LYON": st.integers(0, 5), "ORLEANS": st.integers(0, 5)})
_lines = st.lists(
    st.builds(BasketLine, st.just("PAN"), st.integers(1, 4), st.sampled_from(["", "LYON", "ORLEANS"])),
    min_size=1,
    max_size=3,
)


@given(_stock, st.lists(_lines, min_size=1, max_size=3), st.booleans())
def test_a_basket_holds_all_that_it_wants_or_as_much_as_there_is(
    stock: dict[str, int], contents: list[list[BasketLine]], allow_partial: bool
) -> None:
    book = Book(Balance("PAN", point_id, on_hand=units) for point_id, units in stock.items())
    fresh = holds.opened(NAME, "web", 600, NOON)
    basket: Reservation | None = None
    for lines in contents:
        before = basket.held() if basket else Counter[Position]()
        after, shortfalls = domain.lay_aside(
            book, terms(), basket, fresh, lines, Cause("reserve", "test"), allow_partial=allow_partial
        )
        basket = after or basket
        held = basket.held() if basket else Counter[Position]()
        wanted = sum(one.quantity for one in lines)
        named = Counter[str]()
        for one in lines:
            named[one.point_id] += one.quantity if one.point_id else 0
        fits = all(stock[p] >= q for p, q in named.items() if p) and wanted <= sum(stock.values())
        assert bool(shortfalls) == (not fits)
        if after is None:
            assert held == before
            assert shortfalls
        elif not shortfalls:
            assert sum(held.values()) == wanted
            assert all(held[Position("PAN", p)] >= q for p, q in named.items() if p)
        for point_id, units in stock.items():
            balance = book.balance(Position("PAN", point_id))
            assert balance.reserved == held[Position("PAN", point_id)] <= units
    assert basket is None or basket.state is ReservationState.HELD
