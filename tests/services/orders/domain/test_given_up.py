"""Several losses of one line, open at once: whatever is decided first, each parcel's money is its very units'."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import capture, choosing, customer_view, invoicing, money_back, parcels, refunds, watch
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    CustomerChoice,
    Decision,
    Fulfilment,
    LostParcel,
    RefundKind,
    RefundWish,
    UnitRange,
    Units,
)
from services.orders.domain.parcels import Scan, carrier_event
from services.orders.domain.plan import unplaced
from services.orders.domain.pricing import goods_minor
from services.orders.domain.ranges import in_fulfilment, in_state, quantity
from services.orders.domain.states import CaptureState, OrderState, UnitState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, accepted, leg, line, recorded

HOUR = timedelta(hours=1)
FAILED = Outcome("failed", "declined", "", NOON)
CAPTURED = Outcome("captured", "", "", NOON)
# No sum of a few minor units.
FEE = 1_000_003


class Fate(StrEnum):
    """What becomes of a parcel."""

    REFUNDED = "lost and refunded"
    NOT_SENT_AGAIN = "lost and nowhere to be had again"
    SENT_AGAIN = "lost and sent again"
    UNPAID = "given up, and never paid"
    LATE = "given up, and paid all the same"
    REFUSED = "refused, and nowhere to be had"
    ELSEWHERE = "refused, and sent from elsewhere"


STEPS = {
    Fate.REFUNDED: ("refund",),
    Fate.NOT_SENT_AGAIN: ("send_again", "find_no_place"),
    Fate.SENT_AGAIN: ("send_again", "find_place"),
    Fate.UNPAID: ("give_up", "cancel"),
    Fate.LATE: ("give_up", "money_comes", "cancel"),
    Fate.REFUSED: ("refuse", "cancel_refused"),
    Fate.ELSEWHERE: ("refuse", "plan_elsewhere"),
}
LOST = (Fate.REFUNDED, Fate.NOT_SENT_AGAIN, Fate.SENT_AGAIN)
GIVEN_UP = (Fate.UNPAID, Fate.LATE)


def is_paid(one: Fulfilment) -> bool:
    return one.parcel is not None and one.parcel.capture_state == CaptureState.CAPTURED


class Losses:
    """One line whose units were spread over parcels with fates of their own, and what was said of the money."""

    def __init__(
        self, counts: Sequence[int], fates: Sequence[Fate], amount: int, fee: int, first: int = 0
    ) -> None:
        one = line(1, sum(counts), net_minor=amount, tax_minor=amount * 2000 // 10_000, shipping_minor=fee)
        order = recorded(one, life_cycle=replace(LIFE_CYCLE, lost_parcel=LostParcel.ASK))
        legs = [leg((1, count), point=f"store-{i}") for i, count in enumerate(counts)]
        self.order = life.release(accepted(order, *legs).order, COOLED).order
        self.ids = [one.fulfilment_id for one in self.order.fulfilments]
        self.own = {id_: in_fulfilment(self.order.ranges, id_) for id_ in self.ids}
        self.fates = dict(zip(self.ids, fates, strict=True))
        self.fee = fee
        self.captured = self.voided = self.returned = 0
        # Who is packed first brings the fee.
        for id_ in (*self.ids[first:], *self.ids[:first]):
            self.prepare(id_)

    def live(self, turns: Sequence[int]) -> None:
        """Takes the next step of these parcels, one after the other."""
        steps = {id_: iter(STEPS[fate]) for id_, fate in self.fates.items()}
        for number in turns:
            id_ = self.ids[number]
            getattr(self, next(steps[id_]))(id_)
            self.check(id_)

    def goods(self, id_: str) -> int:
        """What the very units of a parcel bear."""
        return goods_minor(self.order.content.lines, self.own[id_])

    def units(self, id_: str) -> list[Units]:
        return [Units(1, "", quantity(self.own[id_]))]

    # The steps.

    def prepare(self, id_: str) -> None:
        self.order = work.offer(self.order, self.order.fulfilment(id_), NOON).order
        if self.fates.get(id_) in (Fate.REFUSED, Fate.ELSEWHERE):
            return
        self.order = work.accept_offer(self.order, self.order.fulfilment(id_), "", NOON).order
        found = [Units(1, "", self.order.fulfilment(id_).lines[0].quantity)]
        self.order = work.record_pick(self.order, self.order.fulfilment(id_), found, "", NOON).order
        self.order = work.close_parcel(self.order, self.order.fulfilment(id_), 500, "", NOON).order
        if self.fates.get(id_) in GIVEN_UP:
            self.order = capture.record(self.order, self.order.fulfilment(id_), FAILED).order
            return
        self.pay(id_)
        self.order = work.hand_over(self.order, self.order.fulfilment(id_), "", "", NOON).order
        if self.fates.get(id_) in LOST:
            self.order = carrier_event(
                self.order, self.order.fulfilment(id_), Scan("e1", "T1", "lost", NOON + HOUR), NOON + HOUR
            ).order

    def pay(self, id_: str) -> None:
        parcel = self.order.fulfilment(id_).parcel
        assert parcel is not None
        if parcel.capture_state != CaptureState.NOT_NEEDED:
            self.order = capture.record(self.order, self.order.fulfilment(id_), CAPTURED).order
            self.captured += parcel.amount_minor

    def refund(self, id_: str) -> None:
        self.order = parcels.decide(self.order, self.order.fulfilment(id_), "refund", "carol", NOON).order
        self.check_refund(id_)

    def send_again(self, id_: str) -> None:
        self.order = parcels.decide(self.order, self.order.fulfilment(id_), "reship", "carol", NOON).order

    def find_no_place(self, id_: str) -> None:
        gone = self.units(id_)
        self.order = life.reroute(self.order, [], gone, "parcel_lost", "", NOON, replaces=id_).order
        self.check_refund(id_)

    def find_place(self, id_: str) -> None:
        legs = [leg((1, quantity(self.own[id_])), point="store-far")]
        decision = life.reroute(self.order, legs, [], "parcel_lost", "dec", NOON, replaces=id_)
        self.order = decision.order
        assert in_fulfilment(self.order.ranges, decision.created[0].fulfilment_id) == tuple(
            replace(one, state=UnitState.ALLOCATED, fulfilment_id=decision.created[0].fulfilment_id)
            for one in self.own[id_]
        )
        self.prepare(decision.created[0].fulfilment_id)

    def give_up(self, id_: str) -> None:
        self.order = capture.give_up(self.order, self.order.fulfilment(id_), "stolen", "carol", NOON).order

    def money_comes(self, id_: str) -> None:
        self.pay(id_)

    def cancel(self, id_: str) -> None:
        gone = life.reroute(self.order, [], self.units(id_), "payment_failed", "", NOON, given_up=id_)
        cancelled = in_state(gone.order.ranges, UnitState.CANCELLED)
        for one in self.own[id_]:
            assert any(each.from_unit <= one.from_unit and one.to_unit <= each.to_unit for each in cancelled)
        goods, fee = self.goods(id_), self.fee
        is_late = self.fates[id_] is Fate.LATE
        assert gone.captured_minor == (goods if is_late else 0)
        assert gone.no_longer_due_minor - (0 if is_late else goods) in (0, fee)
        self.took(gone)

    def refuse(self, id_: str) -> None:
        self.order = work.refuse_offer(self.order, self.order.fulfilment(id_), "no_time", "", NOON).order

    def cancel_refused(self, id_: str) -> None:
        self.took(life.reroute(self.order, [], self.units(id_), "no_time", "", NOON))

    def plan_elsewhere(self, id_: str) -> None:
        legs = [leg((1, quantity(self.own[id_])), point="store-far")]
        decision = life.reroute(self.order, legs, [], "no_time", "dec", NOON)
        self.took(decision)
        self.prepare(decision.created[0].fulfilment_id)

    def took(self, decision: Decision) -> None:
        self.order = decision.order
        self.voided += decision.no_longer_due_minor
        self.returned += decision.captured_minor

    # What is true after each.

    def check_refund(self, id_: str) -> None:
        own = tuple(UnitRange(one.line_number, one.from_unit, one.to_unit) for one in self.own[id_])
        mine = [one for one in self.order.refunds if one.units == own and own]
        assert [one.amount_minor - one.shipping_minor for one in mine] == [self.goods(id_)] or not self.goods(id_)

    def refunded(self) -> int:
        return sum(one.amount_minor for one in self.order.refunds)

    def check(self, id_: str) -> None:
        left = money_back.left_of(self.order).amount_minor
        # What came for units that are to be cancelled is the story's to give back.
        waiting = [
            self.goods(one)
            for one in self.ids
            if self.fates[one] is Fate.LATE
            and is_paid(self.order.fulfilment(one))
            and any(each.state is UnitState.UNPLACED for each in in_fulfilment(self.order.ranges, one))
        ]
        assert self.captured == self.refunded() + self.returned + left + sum(waiting), id_
        assert self.refunded() + self.returned <= self.captured
        assert self.captured + self.voided - self.fees_too_many() <= self.order.content.total.amount_minor

    def fees_too_many(self) -> int:
        """What a parcel that was given up brought although another one had brought the fee."""
        fees = [one.parcel.shipping_minor for one in self.order.fulfilments if is_paid(one) and one.parcel]
        return max(0, sum(fees) - self.fee)

    def check_end(self) -> None:
        """Every minor unit was captured or given up; what was captured and not given back is what arrives."""
        total = self.order.content.total.amount_minor
        assert self.captured + self.voided - self.fees_too_many() == total
        kept = in_state(self.order.ranges, UnitState.SHIPPED)
        goods = goods_minor(self.order.content.lines, kept)
        rest = self.captured - self.refunded() - self.returned
        assert rest - goods in ((0, self.fee) if kept else (0,))


@st.composite
def losses(draw: st.DrawFn) -> tuple[Losses, list[int]]:
    counts = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    fates = [draw(st.sampled_from(list(Fate))) for _ in counts]
    first = draw(st.integers(0, len(counts) - 1))
    one = Losses(counts, fates, draw(st.integers(0, 999)), draw(st.sampled_from((0, FEE))), first)
    turns = [number for number, fate in enumerate(fates) for _ in STEPS[fate]]
    random.Random(draw(st.integers(0, 2**32))).shuffle(turns)
    return one, turns


@settings(max_examples=200, deadline=None)
@given(losses())
def test_each_refund_is_that_of_the_very_units_of_its_parcel(drawn: tuple[Losses, list[int]]) -> None:
    one, turns = drawn
    one.live(turns)
    one.check_end()


def test_two_given_up_parcels_and_a_lost_one_in_whatever_order() -> None:
    for turns in set(permutations((0, 0, 0, 1, 1, 1, 2))):
        # 100 over 7 units: the first two bear 28, the next two 29.
        one = Losses((2, 2, 3), (Fate.LATE, Fate.LATE, Fate.REFUNDED), 84, FEE)
        assert [one.goods(id_) for id_ in one.ids] == [28, 29, 43]
        one.live(turns)
        one.check_end()
        assert one.captured == one.refunded() + one.returned == 100 + FEE
        assert life.close(one.order, NOON).order.state is OrderState.CLOSED


def test_what_was_given_up_is_cancelled_and_not_what_looks_for_a_place_beside_it() -> None:
    one = Losses((2, 2), (Fate.REFUSED, Fate.LATE), 84, 0, first=1)
    one.live((0, 1, 1))
    given_up = one.ids[1]
    assert (unplaced(one.order, ""), unplaced(one.order, given_up)) == ({1: 2}, {1: 2})
    gone = life.reroute(one.order, [], one.units(given_up), "payment_failed", "", NOON, given_up=given_up)
    states = [(each.from_unit, each.state, each.fulfilment_id) for each in gone.order.ranges]
    assert states == [(0, UnitState.UNPLACED, ""), (2, UnitState.CANCELLED, "")]
    assert gone.captured_minor == one.goods(given_up)
    again = life.reroute(gone.order, [leg((1, 2))], [], "no_time", "dec", NOON)
    assert in_fulfilment(again.order.ranges, again.created[0].fulfilment_id)[0].from_unit == 0


def test_units_that_were_given_up_before_they_were_known_as_such_are_cancelled_too() -> None:
    one = Losses((2,), (Fate.UNPAID,), 84, FEE)
    one.give_up(one.ids[0])
    nameless = tuple(replace(each, fulfilment_id="") for each in one.order.ranges)
    gone = life.reroute(
        replace(one.order, ranges=nameless),
        [],
        one.units(one.ids[0]),
        "payment_failed",
        "",
        NOON,
        given_up=one.ids[0],
    )
    assert (gone.no_longer_due_minor, gone.captured_minor) == (100 + FEE, 0)
    assert {each.state for each in gone.order.ranges} == {UnitState.CANCELLED}


def test_what_was_given_up_is_sent_from_nowhere_and_never_counts_as_lost() -> None:
    one = Losses((2,), (Fate.UNPAID,), 84, FEE)
    one.give_up(one.ids[0])
    with pytest.raises(InvalidArgument):
        life.reroute(one.order, [leg((1, 2))], [], "payment_failed", "dec", NOON, given_up=one.ids[0])
    with pytest.raises(InvalidArgument):
        life.reroute(one.order, [], one.units(one.ids[0]), "", "", NOON, one.ids[0], given_up=one.ids[0])
    with pytest.raises(FailedPrecondition):
        life.reroute(one.order, [leg((1, 2))], [], "no_time", "dec", NOON)


def test_an_order_is_not_late_because_a_parcel_was_given_up() -> None:
    one = Losses((2, 2), (Fate.SENT_AGAIN, Fate.UNPAID), 84, 0)
    one.refund(one.ids[0])
    one.give_up(one.ids[1])
    assert watch.judge(Decision(one.order), NOON + HOUR).order.late_since is None
    other = Losses((2, 2), (Fate.SENT_AGAIN, Fate.UNPAID), 84, 0)
    other.send_again(other.ids[0])
    other.give_up(other.ids[1])
    assert watch.judge(Decision(other.order), NOON + HOUR).order.late_since == NOON + HOUR


def test_money_that_the_story_gives_back_is_given_back_by_nobody_else() -> None:
    one = Losses((2, 2), (Fate.LATE, Fate.UNPAID), 84, FEE)
    one.live((0, 0))
    assert money_back.left_of(one.order).units == ()
    wish = RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True)
    with pytest.raises(FailedPrecondition) as caught:
        refunds.request(one.order, wish, NOON)
    assert caught.value.reason == "NOTHING_TO_REFUND"
    (bill,) = invoicing.bills(one.order, ())
    assert (bill.lines, bill.amount_minor) == ((), FEE), "no goods were sold"


def test_a_fee_that_two_parcels_brought_goes_back_once() -> None:
    for late_first in (True, False):
        one = Losses((2, 2), (Fate.LATE, Fate.ELSEWHERE), 84, FEE)
        late, other = one.ids
        one.refuse(other)
        one.give_up(late)
        made = life.reroute(one.order, [leg((1, 2), point="store-far")], [], "no_time", "dec", NOON)
        one.order, new = made.order, made.created[0].fulfilment_id
        one.fates[new] = Fate.UNPAID
        one.prepare(new)
        for id_ in (late, new) if late_first else (new, late):
            one.pay(id_)
            if id_ == late:
                one.cancel(late)
        (refund,) = one.order.refunds
        assert (refund.kind, refund.amount_minor, refund.shipping_minor) == (RefundKind.DELIVERY_FEE, FEE, FEE)
        assert (one.captured, one.returned, one.refunded()) == (100 + 2 * FEE, one.goods(late), FEE)
        assert money_back.left_of(one.order).amount_minor == one.captured - one.returned - FEE
        assert money_back.left_of(one.order).fee_minor == FEE


def test_its_customer_reads_of_what_was_given_up_that_it_is_cancelled() -> None:
    one = Losses((2, 2), (Fate.REFUSED, Fate.UNPAID), 84, 0)
    one.live((0, 1))
    seen = customer_view.see(one.order, False, NOON)
    assert ([each.quantity for each in seen.unplaced], [each.quantity for each in seen.cancelled]) == ([2], [2])


def test_a_question_is_not_about_units_that_were_given_up() -> None:
    one = Losses((2, 2), (Fate.REFUSED, Fate.UNPAID), 84, 0)
    one.live((1,))
    asked = CustomerChoice("1", one.ids[0], "store-0", "not_found", tuple(one.units(one.ids[0])), (), NOON, NOON)
    assert choosing.still_homeless(one.order, asked) == ()
    one.refuse(one.ids[0])
    assert [each.quantity for each in choosing.still_homeless(one.order, asked)] == [2]


def test_late_money_of_the_rest_goes_back_with_it_once_something_was_taken_along() -> None:
    along = line(1, 1, taken_at_point_id="store-lyon", shipping_minor=0)
    rest = line(2, 7, net_minor=84, tax_minor=16, shipping_minor=FEE)
    order = accepted(recorded(along, rest), leg((2, 7))).order
    order = life.release(order, COOLED).order
    sent = next(one for one in order.fulfilments if not one.taken).fulfilment_id
    order = work.offer(order, order.fulfilment(sent), NOON).order
    order = work.accept_offer(order, order.fulfilment(sent), "", NOON).order
    order = work.record_pick(order, order.fulfilment(sent), [Units(2, "", 7)], "", NOON).order
    order = work.close_parcel(order, order.fulfilment(sent), 500, "", NOON).order
    order = capture.record(order, order.fulfilment(sent), FAILED).order
    order = capture.give_up(order, order.fulfilment(sent), "stolen", "carol", NOON).order
    before = capture.record(order, order.fulfilment(sent), CAPTURED).order
    before = life.request_cancellation(before, "no more", "carol", NOON).order
    after = life.request_cancellation(order, "no more", "carol", NOON).order
    after = capture.record(after, after.fulfilment(sent), CAPTURED).order
    for one in (before, after):
        assert [each.amount_minor for each in one.refunds] == [100 + FEE]
