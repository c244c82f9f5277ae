"""Whatever becomes of an order, its parcels and its cancelled units come to its total, to the cent."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain import capture
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import Leg, Line, Order, Units
from services.orders.domain.plan import unplaced
from services.orders.domain.pricing import goods_minor, shipping_minor
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import NOON, accepted, leg, line, recorded

LINES = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 9), st.just(80_000)),
        st.integers(0, 99_999),
        st.integers(0, 2_000),
        st.integers(0, 999),
    ),
    min_size=1,
    max_size=4,
)


class Life:
    """One order's life, its choices taken from a seed, with what was said about its money."""

    def __init__(self, lines: list[Line], seed: int) -> None:
        self.choose = random.Random(seed)
        self.said_no_longer_due = 0
        order = recorded(*lines)
        legs = self.legs({one.line_number: one.quantity for one in lines})
        self.order = life.release(accepted(order, *legs).order, NOON).order

    def legs(self, wanted: dict[int, int]) -> list[Leg]:
        """The units spread over one or two points."""
        first = {number: self.choose.randint(0, count) for number, count in wanted.items()}
        rest = {number: count - first[number] for number, count in wanted.items()}
        halves = [{n: c for n, c in half.items() if c} for half in (first, rest)]
        return [leg(*half.items(), point=f"store-{i}") for i, half in enumerate(halves) if half]

    def live(self) -> Order:
        """Acts until every unit is delivered or cancelled, checking the sum at each step."""
        for _ in range(60):
            todo = [one for one in self.order.fulfilments if one.state in _NEXT]
            if todo:
                one = self.choose.choice(todo)
                getattr(self, _NEXT[one.state])(one.fulfilment_id)
            elif waiting := dict(unplaced(self.order)):
                self.reroute(waiting)
            else:
                break
            self.check_sum()
        return self.order

    def reroute(self, waiting: dict[int, int]) -> None:
        kept = {number: self.choose.choice([0, count // 2, count]) for number, count in waiting.items()}
        cancelled = [
            Units(number, f"SKU-{number}", count - kept[number])
            for number, count in waiting.items()
            if count > kept[number]
        ]
        legs = self.legs({number: count for number, count in kept.items() if count})
        decision = life.reroute(self.order, legs, cancelled, "NO_STOCK", "dec", NOON)
        self.said_no_longer_due += decision.no_longer_due_minor
        self.order = decision.order

    def offer(self, id_: str) -> None:
        self.order = work.offer(self.order, self.order.fulfilment(id_), NOON).order

    def answer(self, id_: str) -> None:
        one = self.order.fulfilment(id_)
        if self.choose.random() < 0.3:
            self.order = work.refuse_offer(self.order, one, "no_time", "", NOON).order
        else:
            self.order = work.accept_offer(self.order, one, "", NOON).order

    def pick(self, id_: str) -> None:
        one = self.order.fulfilment(id_)
        counts = [
            Units(part.line_number, "", self.choose.choice([0, part.quantity // 2, part.quantity]))
            for part in one.lines
        ]
        self.order = work.record_pick(self.order, one, counts, "", NOON).order

    def pack(self, id_: str) -> None:
        self.order = work.close_parcel(self.order, self.order.fulfilment(id_), 500, "", NOON).order

    def hand_over(self, id_: str) -> None:
        order = self.order
        order = capture.record(order, order.fulfilment(id_), Outcome("captured", "", "", NOON)).order
        self.order = work.hand_over(order, order.fulfilment(id_), "", "", NOON).order

    def deliver(self, id_: str) -> None:
        self.order = work.carrier_event(self.order, self.order.fulfilment(id_), "delivered", NOON).order

    def parcels(self) -> list[int]:
        return [one.parcel.amount_minor for one in self.order.fulfilments if one.parcel]

    def check_sum(self) -> None:
        """At any instant: parcels, cancelled units and units still on their way make the total."""
        lines = self.order.content.lines
        in_parcels = in_state(self.order.ranges, UnitState.PACKED, UnitState.SHIPPED, UnitState.DELIVERED)
        others = [one for one in self.order.ranges if one not in in_parcels]
        fee = 0 if self.parcels() else shipping_minor(lines)
        assert sum(self.parcels()) + goods_minor(lines, others) + fee == self.order.content.total.amount_minor
        assert quantity(self.order.ranges) == sum(one.quantity for one in lines)


_NEXT = {
    FulfilmentState.PLANNED: "offer",
    FulfilmentState.OFFERED: "answer",
    FulfilmentState.ACCEPTED: "pick",
    FulfilmentState.PICKED: "pack",
    FulfilmentState.PACKED: "hand_over",
    FulfilmentState.HANDED_OVER: "deliver",
}


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(0, 2**32))
def test_parcels_and_cancelled_units_come_to_the_total(
    amounts: list[tuple[int, int, int, int]], seed: int
) -> None:
    lines = [
        line(i + 1, quantity=count, net_minor=net, tax_minor=net * rate // 10_000, shipping_minor=fee)
        for i, (count, net, rate, fee) in enumerate(amounts)
    ]
    one = Life(lines, seed)
    order = one.live()
    if unplaced(order) or any(part.state in _NEXT for part in order.fulfilments):
        return
    closed = life.close(order, NOON).order
    assert closed.state in (OrderState.CLOSED, OrderState.CANCELLED)
    assert sum(one.parcels()) + one.said_no_longer_due == closed.content.total.amount_minor


def test_only_the_first_parcel_brings_the_delivery_fee() -> None:
    one = Life([line(1, 3), line(2, 1)], seed=0)
    order = life.release(
        accepted(recorded(line(1, 3), line(2, 1)), leg((1, 2)), leg((1, 1), (2, 1))).order, NOON
    ).order
    one.order = order
    for part in order.fulfilments:
        one.order = work.offer(one.order, one.order.fulfilment(part.fulfilment_id), NOON).order
        one.order = work.accept_offer(one.order, one.order.fulfilment(part.fulfilment_id), "", NOON).order
        all_of_it = [Units(each.line_number, each.sku, each.quantity) for each in part.lines]
        now = one.order.fulfilment(part.fulfilment_id)
        one.order = work.record_pick(one.order, now, all_of_it, "", NOON).order
        one.pack(part.fulfilment_id)
    assert one.parcels() == [4000 + 980, 2000 + 6000]
