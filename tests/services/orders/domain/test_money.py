"""Whatever becomes of an order, its parcels and its cancelled units come to its total, to the cent."""

import random
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition
from kit.values.money import Money
from services.orders.domain import amending, capture, refunds
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.dues import no_longer_due_minor
from services.orders.domain.model import (
    CaptureMoment,
    GoodwillCap,
    Leg,
    Line,
    Order,
    RefundKind,
    RefundWish,
    Units,
)
from services.orders.domain.money_back import left_of, sent_units
from services.orders.domain.parcels import Scan, carrier_event
from services.orders.domain.plan import unplaced
from services.orders.domain.pricing import goods_minor, shipping_minor, taken_minor
from services.orders.domain.ranges import quantity
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, accepted, leg, line, recorded

# When money is taken of what is bought; what is tried at home is in test_trials.py.
BEFORE_IT_LEAVES = [one for one in CaptureMoment if one is not CaptureMoment.TRIAL]
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
    """One order's life, its choices taken from a seed, with what was said about its money.

    `hard`: captures fail too, and people give parcels up, some of whose money comes all the same.
    """

    def __init__(
        self,
        lines: list[Line],
        seed: int,
        moment: CaptureMoment = CaptureMoment.SHIPMENT,
        *,
        hard: bool = False,
    ) -> None:
        self.choose = random.Random(seed)
        self.said_no_longer_due = 0
        # Of given-up parcels whose money came: refunded by the story of the order.
        self.returned = 0
        self.is_hard = hard
        order = recorded(*lines, life_cycle=replace(LIFE_CYCLE, capture_at=moment, goodwill_caps=(_CAP,)))
        legs = self.legs({one.line_number: one.quantity for one in order.content.sent})
        self.captured = taken_minor(order.content.taken)
        self.order = accepted(order, *legs).order
        if self.choose.random() < 0.3:
            self.drop()
        self.order = life.release(self.order, COOLED).order
        if self.order.charge:
            self.captured += self.order.charge.amount_minor
            self.order = capture.record_of_order(self.order, _CAPTURED).order

    def drop(self) -> None:
        """In cooling-off, the customer does not want some units of a line; all of them he would cancel."""
        sent = self.order.content.sent
        some = self.choose.choice(sent) if sent else None
        count = self.choose.randint(1, some.quantity) if some else 0
        if some is None or count == sum(one.quantity for one in sent):
            return
        wish = (Units(some.line_number, "", count),)
        after = amending.cancel_lines(self.order, wish, "", "web", ("channel",), NOON).order
        self.said_no_longer_due += no_longer_due_minor(self.order, after)
        self.order = amending.settle(after, after.changes[-1].change_id, NOON).order

    def legs(self, wanted: dict[int, int]) -> list[Leg]:
        """The units spread over one or two points."""
        first = {number: self.choose.randint(0, count) for number, count in wanted.items()}
        rest = {number: count - first[number] for number, count in wanted.items()}
        halves = [{n: c for n, c in half.items() if c} for half in (first, rest)]
        return [leg(*half.items(), point=f"store-{i}") for i, half in enumerate(halves) if half]

    def live(self, steps: int = 60) -> Order:
        """Acts until every unit is delivered or cancelled, checking the sum at each step."""
        for _ in range(steps):
            todo = [one for one in self.order.fulfilments if one.state in _NEXT]
            if todo:
                one = self.choose.choice(todo)
                getattr(self, _NEXT[one.state])(one.fulfilment_id)
            elif waiting := dict(unplaced(self.order, "")):
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

    def capture(self, id_: str) -> bool:
        """False when the parcel was given up."""
        parcel = self.order.fulfilment(id_).parcel
        assert parcel is not None
        if parcel.capture_state != CaptureState.PENDING:
            return True
        if self.is_hard and self.choose.random() < 0.3:
            failed = Outcome("failed", "declined", "", NOON)
            self.order = capture.record(self.order, self.order.fulfilment(id_), failed).order
            assert capture.failed_since(self.order) == NOON
            if self.choose.random() < 0.5:
                self.give_up(id_, is_late=self.choose.random() < 0.5)
                return False
        self.order = capture.record(self.order, self.order.fulfilment(id_), _CAPTURED).order
        self.captured += parcel.amount_minor
        return True

    def give_up(self, id_: str, *, is_late: bool) -> None:
        """Its units are cancelled; their money, where it came all the same, goes back."""
        self.order = capture.give_up(self.order, self.order.fulfilment(id_), "stolen", "", NOON).order
        one = self.order.fulfilment(id_)
        assert one.parcel is not None
        if is_late:
            self.order = capture.record(self.order, one, _CAPTURED).order
            self.captured += one.parcel.amount_minor
        units = [Units(part.line_number, part.sku, part.quantity) for part in one.lines]
        decision = life.reroute(self.order, [], units, "payment_failed", "", NOON, given_up=id_)
        self.order = decision.order
        assert is_late or not decision.captured_minor
        self.returned += decision.captured_minor
        self.said_no_longer_due += decision.no_longer_due_minor

    def pick(self, id_: str) -> None:
        one = self.order.fulfilment(id_)
        counts = [
            Units(part.line_number, "", self.choose.choice([0, part.quantity // 2, part.quantity]))
            for part in one.lines
        ]
        self.order = work.record_pick(self.order, one, counts, "", NOON).order
        if self.order.fulfilment(id_).parcel:
            self.capture(id_)

    def pack(self, id_: str) -> None:
        self.order = work.close_parcel(self.order, self.order.fulfilment(id_), 500, "", NOON).order

    def hand_over(self, id_: str) -> None:
        if self.capture(id_):
            self.order = work.hand_over(self.order, self.order.fulfilment(id_), "", "", NOON).order

    def deliver(self, id_: str) -> None:
        scan = Scan("e1", "T1", "delivered", NOON)
        self.order = carrier_event(self.order, self.order.fulfilment(id_), scan, NOON).order

    def parcels(self) -> list[int]:
        """What the parcels bring that were not given up."""
        return [
            one.parcel.amount_minor
            for one in self.order.fulfilments
            if one.parcel and one.state != FulfilmentState.CANCELLED
        ]

    def refunded(self) -> int:
        return sum(one.amount_minor for one in self.order.refunds)

    def is_over(self) -> bool:
        return not unplaced(self.order, "") and not any(one.state in _NEXT for one in self.order.fulfilments)

    def check_sum(self) -> None:
        """At any instant: parcels, cancelled units and units still on their way make the total."""
        lines = self.order.content.lines
        in_parcels = {one.fulfilment_id for one in self.order.fulfilments if one.parcel}
        others = [one for one in self.order.ranges if one.fulfilment_id not in in_parcels]
        brought = sum(
            one.parcel.shipping_minor
            for one in self.order.fulfilments
            if one.parcel and one.state != FulfilmentState.CANCELLED
        )
        fee = shipping_minor(lines) - brought
        assert fee in (0, shipping_minor(lines)), "the fee comes whole, and once"
        assert sum(self.parcels()) + goods_minor(lines, others) + fee == self.order.content.total.amount_minor
        assert quantity(self.order.ranges) == sum(one.quantity for one in lines)


_CAPTURED = Outcome("captured", "", "", NOON)
_CAP = GoodwillCap("boss", "EUR", 10**12)
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
    if not one.is_over():
        return
    closed = life.close(order, NOON).order
    assert closed.state in (OrderState.CLOSED, OrderState.CANCELLED)
    assert sum(one.parcels()) + one.said_no_longer_due == closed.content.total.amount_minor


def _lines(amounts: list[tuple[int, int, int, int]]) -> list[Line]:
    return [
        line(
            i + 1,
            quantity=count,
            net_minor=net,
            tax_minor=net * rate // 10_000,
            tax_rate_basis_points=rate,
            shipping_minor=fee,
        )
        for i, (count, net, rate, fee) in enumerate(amounts)
    ]


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(0, 2**32), st.sampled_from(BEFORE_IT_LEAVES))
def test_what_is_captured_less_what_is_given_back_is_what_was_sent_at_any_moment_of_capture(
    amounts: list[tuple[int, int, int, int]], seed: int, moment: CaptureMoment
) -> None:
    one = Life(_lines(amounts), seed, moment, hard=True)
    one.live()
    if not one.is_over():
        return
    lines, total = one.order.content.lines, one.order.content.total.amount_minor
    sent = sent_units(one.order)
    # A parcel that was closed before the one with the fee was given up does not bring it any more.
    parcels = [work.parcel for work in one.order.fulfilments if work.parcel]
    brought = any(each.shipping_minor and each.capture_state == CaptureState.CAPTURED for each in parcels)
    has_fee = bool(sent) and (brought or one.order.charge is not None)
    kept = goods_minor(lines, sent) + (shipping_minor(lines) if has_fee else 0)
    assert one.captured - one.refunded() - one.returned == kept
    assert one.captured + one.said_no_longer_due == total
    assert one.captured <= total
    assert capture.failed_since(one.order) is None


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(0, 2**32), st.sampled_from(BEFORE_IT_LEAVES))
def test_all_that_was_taken_can_be_given_back_once_and_every_tax_with_it(
    amounts: list[tuple[int, int, int, int]], seed: int, moment: CaptureMoment
) -> None:
    one = Life(_lines(amounts), seed, moment)
    one.live()
    if not one.is_over():
        return
    taken = left_of(replace(one.order, refunds=()))
    assert taken.amount_minor == one.captured
    for _ in range(8):
        give_back(one)
    _wish(one, RefundWish(RefundKind.GOODS, "other", "", "", whole=True))
    _wish(one, RefundWish(RefundKind.DELIVERY_FEE, "other", "", "", whole=True))
    if left := left_of(one.order).amount_minor:
        _wish(one, RefundWish(RefundKind.GOODWILL, "other", "", "", ("boss",), amount=Money(left, "EUR")))
    assert one.refunded() == one.captured
    given: dict[int, tuple[int, int]] = {}
    for part in (part for refund in one.order.refunds for part in refund.taxes):
        net, tax = given.get(part.tax_rate_basis_points, (0, 0))
        given[part.tax_rate_basis_points] = net + part.net_minor, tax + part.tax_minor
    was = {rate: (part.net_minor, part.tax_minor) for rate, part in taken.parts.items() if part.gross_minor}
    assert given == was
    ranges = sorted(
        (each.line_number, each.from_unit, each.to_unit) for refund in one.order.refunds for each in refund.units
    )
    assert all(former[0] != later[0] or former[2] <= later[1] for former, later in pairwise(ranges)), (
        "a unit is refunded once"
    )


def give_back(one: Life) -> None:
    """Something that may be left, or nothing."""
    left = left_of(one.order)
    kind = one.choose.choice((RefundKind.GOODS, RefundKind.GOODWILL, RefundKind.DELIVERY_FEE))
    if kind == RefundKind.GOODS and left.units:
        some = one.choose.choice(left.units)
        units = (Units(some.line_number, "", one.choose.randint(1, some.quantity)),)
        _wish(one, RefundWish(kind, "withdrawal", "", "", lines=units))
    elif kind == RefundKind.GOODWILL and left.amount_minor:
        amount = Money(one.choose.randint(1, left.amount_minor), "EUR")
        _wish(one, RefundWish(kind, "gesture", "", "", ("boss",), amount=amount))
    elif kind == RefundKind.DELIVERY_FEE and left.fee_minor:
        amount = Money(one.choose.randint(1, left.fee_minor), "EUR")
        _wish(one, RefundWish(kind, "late", "", "", amount=amount))


def _wish(one: Life, wish: RefundWish) -> None:
    """Whatever is answered, no more is given back than was taken."""
    with suppress(FailedPrecondition):
        one.order = refunds.request(one.order, wish, NOON).order
    left = left_of(one.order)
    assert one.refunded() + left.amount_minor == one.captured - one.returned
    assert all(part.gross_minor >= 0 and part.tax_minor >= 0 for part in left.parts.values())
    assert left.fee_minor >= 0


def test_only_the_first_parcel_brings_the_delivery_fee() -> None:
    one = Life([line(1, 3), line(2, 1)], seed=0)
    order = life.release(
        accepted(recorded(line(1, 3), line(2, 1)), leg((1, 2)), leg((1, 1), (2, 1))).order, COOLED
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
