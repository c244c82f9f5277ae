"""The rules of fraud, one by one, and what their scores mean."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kit.errors import InvalidArgument
from kit.values.money import Money
from services.orders.changing import judged
from services.orders.domain import amending, fraud, holds, replacing
from services.orders.domain import order as life
from services.orders.domain.fraud import Look, Seen
from services.orders.domain.fraud_policy import (
    AmountOver,
    Band,
    Condition,
    DeliveredOutside,
    FraudCheck,
    FraudPolicy,
    FraudRule,
    NewCustomer,
    NoEmail,
    Trait,
    UnitsOver,
    Velocity,
)
from services.orders.domain.model import (
    Address,
    Buyer,
    Customer,
    DeliveryMode,
    HoldDefault,
    HoldKind,
    HoldRule,
    LifeCycle,
    Line,
    Order,
    Wanted,
)
from services.orders.domain.settings import check_life_cycle
from services.orders.domain.states import ChangeState, OrderState, UnitState
from tests.services.orders.builders import (
    BUYER,
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    accepted,
    content,
    leg,
    line,
    recorded,
)

# The default order: two units of one line, 64.90 EUR... 5000 net, 1000 tax, 490 delivery.
TOTAL = 6490
HITS = NoEmail()
NAMELESS = replace(BUYER, customer=Customer())


def rule(condition: Condition | None, weight: int = 40, name: str = "rule") -> FraudRule:
    return FraudRule(name, weight, "because", condition)


def judging(*rules: FraudRule, review_at: int = 50, refuse_at: int = 100) -> LifeCycle:
    return replace(LIFE_CYCLE, fraud=FraudPolicy(rules, review_at, refuse_at))


def applies(condition: Condition, buyer: Buyer = BUYER, seen: Seen | None = None, **content: Any) -> bool:
    lines = content.pop("lines", ())
    order = recorded(*lines, life_cycle=judging(rule(condition)), **content)
    known = dict.fromkeys(fraud.looks(order), seen) if seen else {}
    return fraud.assess(order, buyer, known, NOON) is not None


# -- conditions -------------------------------------------------------------------------------------------


def test_an_amount_counts_in_its_currency_and_from_above_the_limit_on() -> None:
    assert recorded().content.total == Money(TOTAL, "EUR")
    assert applies(AmountOver("EUR", TOTAL - 1))
    assert not applies(AmountOver("EUR", TOTAL))
    assert not applies(AmountOver("CHF", 1))


@pytest.mark.parametrize(
    ("condition", "others", "is_fast"),
    [
        (Velocity(Trait.EMAIL, 24, more_than_orders=3), Seen(2, 0), False),
        (Velocity(Trait.EMAIL, 24, more_than_orders=3), Seen(3, 0), True),
        (Velocity(Trait.EMAIL, 24, more_than_minor=10_000, currency="EUR"), Seen(1, 10_000 - TOTAL), False),
        (Velocity(Trait.EMAIL, 24, more_than_minor=10_000, currency="EUR"), Seen(1, 10_001 - TOTAL), True),
        (Velocity(Trait.EMAIL, 24, more_than_minor=1, currency="CHF"), Seen(1, 10_000), False),
        (Velocity(Trait.EMAIL, 24, more_than_minor=TOTAL - 1, currency="EUR"), Seen(), False),
        (Velocity(Trait.EMAIL, 24, 9, more_than_minor=TOTAL, currency="EUR"), Seen(1, 1), True),
    ],
)
def test_haste_is_too_many_orders_or_too_much_money_with_this_one(
    condition: Velocity, others: Seen, is_fast: bool
) -> None:
    assert applies(condition, seen=others) is is_fast


def test_haste_is_looked_for_within_its_hours_and_a_known_buyer_before_the_order() -> None:
    rules = (
        rule(Velocity(Trait.EMAIL, 24, 3), name="a"),
        rule(Velocity(Trait.EMAIL, 24, 5), name="b"),
        rule(Velocity(Trait.PAYMENT, 1, 3), name="c"),
        rule(NewCustomer(), name="d"),
        rule(NoEmail(), name="e"),
    )
    assert fraud.looks(recorded(life_cycle=judging(*rules))) == (
        Look((Trait.EMAIL,), since=NOON - timedelta(hours=24)),
        Look((Trait.PAYMENT,), since=NOON - timedelta(hours=1)),
        Look((Trait.CUSTOMER, Trait.EMAIL), before=NOON),
    )
    assert fraud.looks(recorded()) == ()


def test_goods_that_go_to_a_country_that_is_not_named_are_suspicious() -> None:
    abroad = replace(BUYER, ship_to=Address(country="US"))
    assert applies(DeliveredOutside(("FR", "BE")), abroad)
    assert not applies(DeliveredOutside(("FR", "BE")))


def test_a_buyer_without_an_address_for_mail_is_suspicious() -> None:
    assert not applies(NoEmail())
    assert applies(NoEmail(), NAMELESS)
    assert applies(NoEmail(), replace(BUYER, customer=Customer(email="  ")))


def test_units_of_one_article_count_over_all_lines() -> None:
    twice = line(1, 3), line(2, 3, sku="SKU-1"), line(3, 4)
    assert applies(UnitsOver(5), lines=twice)
    assert not applies(UnitsOver(6), lines=twice)


def test_a_new_customer_is_one_of_whom_no_order_stood_in_a_mode_that_counts() -> None:
    express = NewCustomer(("home_express",))
    assert applies(express, seen=Seen(4, 100, standing=0), mode=DeliveryMode.HOME_EXPRESS)
    assert not applies(express, seen=Seen(4, 100, standing=1), mode=DeliveryMode.HOME_EXPRESS)
    assert not applies(express, mode=DeliveryMode.HOME_STANDARD)
    assert applies(NewCustomer(), mode=DeliveryMode.HOME_STANDARD)


# -- scores -----------------------------------------------------------------------------------------------


def check(*weights: int, review_at: int = 50, refuse_at: int = 100) -> FraudCheck | None:
    rules = [rule(NoEmail(), weight, f"rule-{i}") for i, weight in enumerate(weights)]
    order = recorded(life_cycle=judging(*rules, review_at=review_at, refuse_at=refuse_at))
    return fraud.assess(order, NAMELESS, {}, NOON)


@pytest.mark.parametrize(
    ("weights", "band"),
    [((49,), Band.PASS), ((50,), Band.REVIEW), ((49, 50), Band.REVIEW), ((50, 50), Band.REFUSE)],
)
def test_weights_add_up_and_the_sum_decides(weights: tuple[int, ...], band: Band) -> None:
    found = check(*weights)
    assert found is not None
    assert (found.score, found.band, len(found.hits)) == (sum(weights), band, len(weights))


def test_a_score_of_zero_as_a_limit_is_never_reached() -> None:
    only_reviewed, only_refused = check(1000, refuse_at=0), check(99, review_at=0)
    assert only_reviewed is not None
    assert only_refused is not None
    assert (only_reviewed.band, only_refused.band) == (Band.REVIEW, Band.PASS)


def test_without_rules_or_hits_nothing_is_said() -> None:
    assert fraud.assess(recorded(), NAMELESS, {}, NOON) is None
    assert fraud.assess(recorded(life_cycle=judging(rule(NoEmail()))), BUYER, {}, NOON) is None


# -- what follows -----------------------------------------------------------------------------------------


def accept(order: Order, found: FraudCheck | None, buyer: Buyer = NAMELESS) -> Order:
    return life.accept(order, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON, check=found).order


def reviewed(**rules: Any) -> Order:
    life_cycle = replace(judging(rule(NoEmail(), 50)), **rules)
    order = recorded(life_cycle=life_cycle)
    return accept(order, fraud.assess(order, NAMELESS, {}, NOON))


def test_an_order_to_review_is_held_with_the_deadline_and_the_default_of_its_rule() -> None:
    order = reviewed()
    (hold,) = [one for one in order.holds if one.kind is HoldKind.FRAUD]
    assert (hold.until, hold.default) == (NOON + timedelta(days=2), HoldDefault.CANCEL)
    assert "because" not in hold.reason, "channels see holds"
    assert holds.review_until(order) == hold.until
    assert life.release(order, COOLED).order.state == OrderState.VALIDATED
    undone = life.lapse_holds(order, hold.until or NOON).order
    assert undone.state == OrderState.CANCELLING
    assert holds.review_until(undone) is None
    short = reviewed(hold_rules=(HoldRule(HoldKind.FRAUD, 3600, HoldDefault.RELEASE, ("customer_service",)),))
    assert holds.review_until(short) == NOON + timedelta(hours=1)
    assert life.release(short, NOON + timedelta(hours=1)).order.state == OrderState.RELEASED


def test_who_reviewed_an_order_is_not_asked_for_the_same_reason_again() -> None:
    order = reviewed()
    (hold,) = [one for one in order.holds if one.kind is HoldKind.FRAUD]
    order = holds.release(order, hold.hold_id, "known", "carol", ("customer_service",), NOON).order
    assert fraud.assess(order, NAMELESS, {}, NOON) is None
    stricter = replace(
        order, life_cycle=judging(rule(NoEmail(), 50), rule(AmountOver("EUR", 1), 60, name="amount"))
    )
    found = fraud.assess(stricter, NAMELESS, {}, NOON)
    assert found is not None
    assert [hit.rule for hit in found.hits] == ["amount"]


def test_a_refused_order_stays_as_it_is_until_what_was_begun_is_undone() -> None:
    order = recorded(life_cycle=judging(rule(NoEmail(), 100)))
    kept = accept(order, fraud.assess(order, NAMELESS, {}, NOON))
    assert (kept.state, kept.fulfilments, kept.holds) == (OrderState.RECORDED, (), ())
    assert {one.state for one in kept.ranges} == {UnitState.RECORDED}
    assert fraud.is_refused(kept)
    assert accept(kept, None) == kept, "asked again it is not accepted either"
    refused = life.refuse(kept, fraud.REFUSAL, NOON)
    assert (refused.order.state, refused.order.refusal) == (OrderState.REFUSED, fraud.REFUSAL)
    assert "because" not in str(refused.happenings)


def test_only_the_timeline_tells_the_score_and_events_do_not() -> None:
    for weight in (10, 50, 100):
        order = recorded(life_cycle=judging(rule(NoEmail(), weight)))
        found = fraud.assess(order, NAMELESS, {}, NOON)
        decision = life.accept(order, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON, check=found)
        told = [one for one in decision.happenings if one.told]
        assert not [one for one in told if "rule" in f"{one.text} {one.facts}" or "score" in str(one.facts)]
        (entry,) = [one for one in decision.happenings if one.kind == fraud.CHECKED]
        assert (entry.notes["score"], entry.notes["rules"]) == (weight, ["rule"])


def test_an_order_that_passes_is_accepted_as_ever() -> None:
    order = recorded(life_cycle=judging(rule(NoEmail(), 10)))
    kept = accept(order, fraud.assess(order, NAMELESS, {}, NOON))
    assert (kept.state, holds.review_until(kept)) == (OrderState.VALIDATED, None)
    assert accepted(recorded(), leg((1, 2))).order.fraud is None


# -- changed orders -------------------------------------------------------------------------------------------


BY_AMOUNT = rule(AmountOver("EUR", TOTAL), 60, name="amount")


def of_units(count: int) -> Line:
    return line(1, count, net_minor=2500 * count, tax_minor=500 * count)


def changed(order: Order, check: FraudCheck | None, units: int = 5) -> Order:
    """The order is to be of so many units instead, and the rules say this of it."""
    made = content(of_units(units))
    wanted = Wanted(made.lines, made.total, made.mode)
    order = replacing.propose(order, wanted, "web", ("channel",), NOON).order
    change_id = order.changes[-1].change_id
    order = judged(replacing.apply(order, change_id, [leg((1, units))], PROMISE, "dec_2", NOON, check)).order
    return judged(amending.settle(order, change_id, NOON)).order


def judge(order: Order, units: int, buyer: Buyer = NAMELESS) -> FraudCheck | None:
    return fraud.assess(replace(order, content=content(of_units(units))), buyer, {}, NOON)


def open_reviews(order: Order) -> int:
    return sum(one.kind is HoldKind.FRAUD for one in holds.open_holds(order))


def test_an_order_that_becomes_suspicious_is_held_and_one_that_does_not_is_not() -> None:
    order = accept(recorded(life_cycle=judging(BY_AMOUNT)), None)
    after = changed(order, judge(order, 5))
    assert (after.changes[-1].state, open_reviews(after)) == (ChangeState.APPLIED, 1)
    assert life.release(after, COOLED).order.state is OrderState.VALIDATED
    less = changed(order, judge(order, 1), units=1)
    assert (less.changes[-1].state, less.fraud, open_reviews(less)) == (ChangeState.APPLIED, None, 0)


def test_a_change_to_what_would_not_be_accepted_is_refused_and_the_order_stands() -> None:
    order = accept(recorded(life_cycle=judging(replace(BY_AMOUNT, weight=100))), None)
    after = changed(order, judge(order, 5))
    assert after.changes[-1].refusal is not None
    assert (after.changes[-1].state, after.changes[-1].refusal.reason) == (ChangeState.REFUSED, "FRAUD_SUSPECTED")
    assert (after.content, after.fulfilments, after.fraud) == (order.content, order.fulfilments, None)
    assert life.release(after, COOLED).order.state is OrderState.RELEASED


def test_a_changed_order_is_reviewed_for_what_is_new_only() -> None:
    order = recorded(life_cycle=judging(rule(NoEmail(), 50), BY_AMOUNT, refuse_at=0))
    order = accept(order, judge(order, 2))
    held = changed(order, judge(order, 5))
    assert open_reviews(held) == 1, "the review that is open is of all of it"
    (review,) = [one for one in holds.open_holds(order) if one.kind is HoldKind.FRAUD]
    order = holds.release(order, review.hold_id, "known", "carol", ("customer_service",), NOON).order
    assert open_reviews(changed(order, judge(order, 1), units=1)) == 0
    more = changed(order, judge(order, 5))
    assert open_reviews(more) == 1
    assert more.fraud is not None
    assert (more.fraud.score, [one.rule for one in more.fraud.hits]) == (110, ["rule", "amount"])
    (review,) = [one for one in holds.open_holds(more) if one.kind is HoldKind.FRAUD]
    more = holds.release(more, review.hold_id, "known", "carol", ("customer_service",), NOON).order
    assert open_reviews(changed(more, judge(more, 6), units=6)) == 0, "all that the rules say of it was let pass"


# -- what a life cycle may say ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "policy"),
    [
        ("rules", FraudPolicy((), 1, 2)),
        ("review_at", FraudPolicy((rule(HITS),), 0, 0)),
        ("review_at", FraudPolicy((rule(HITS),), -1, 2)),
        ("refuse_at", FraudPolicy((rule(HITS),), 50, 50)),
        ("rules[0].name", FraudPolicy((rule(HITS, name=""),), 50)),
        ("rules[1].name", FraudPolicy((rule(HITS), rule(HITS)), 50)),
        ("rules[0].weight", FraudPolicy((rule(HITS, 0),), 50)),
        ("rules[0].weight", FraudPolicy((rule(HITS, 1001),), 50)),
        ("rules[0].reason", FraudPolicy((replace(rule(HITS), reason=""),), 50)),
        ("rules[0]", FraudPolicy((rule(None),), 50)),
        ("rules[0].amount_over.currency", FraudPolicy((rule(AmountOver("euro", 1)),), 50)),
        ("rules[0].amount_over.amount_minor", FraudPolicy((rule(AmountOver("EUR", 0)),), 50)),
        ("rules[0].velocity.hours", FraudPolicy((rule(Velocity(Trait.EMAIL, 0, 1)),), 50)),
        ("rules[0].velocity.hours", FraudPolicy((rule(Velocity(Trait.EMAIL, 2161, 1)),), 50)),
        ("rules[0].velocity.more_than_orders", FraudPolicy((rule(Velocity(Trait.EMAIL, 1)),), 50)),
        ("rules[0].velocity.currency", FraudPolicy((rule(Velocity(Trait.EMAIL, 1, 0, 5)),), 50)),
        ("rules[0].delivered_outside.countries", FraudPolicy((rule(DeliveredOutside(())),), 50)),
        ("rules[0].delivered_outside.countries[1]", FraudPolicy((rule(DeliveredOutside(("FR", "be"))),), 50)),
        ("rules[0].units_over.quantity", FraudPolicy((rule(UnitsOver(0)),), 50)),
        ("rules[0].new_customer.modes[0]", FraudPolicy((rule(NewCustomer(("drone",))),), 50)),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_its_field(field: str, policy: FraudPolicy) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_life_cycle(replace(LIFE_CYCLE, fraud=policy))
    assert caught.value.facts["field"] == f"life_cycle.fraud.{field}"


def test_a_review_has_a_deadline() -> None:
    endless = (HoldRule(HoldKind.FRAUD, 0, HoldDefault.RELEASE, ("customer_service",)),)
    check_life_cycle(replace(judging(rule(HITS)), hold_rules=()))
    with pytest.raises(InvalidArgument) as caught:
        check_life_cycle(replace(judging(rule(HITS)), hold_rules=endless))
    assert caught.value.facts["field"] == "life_cycle.hold_rules"
