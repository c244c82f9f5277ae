"""Protobuf messages of fraud: the policy of a life cycle, and what it said of an order."""

from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.fraud_policy import (
    AmountOver,
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
from services.orders.wire import from_instant, one_of

_PATH = "life_cycle.fraud.rules"


def to_policy(message: pb.LifeCycle) -> FraudPolicy | None:
    """None for a life cycle without one."""
    if not message.HasField("fraud"):
        return None
    rules = tuple(
        FraudRule(one.name, one.weight, one.reason, _to_condition(one, f"{_PATH}[{i}]"))
        for i, one in enumerate(message.fraud.rules)
    )
    return FraudPolicy(rules, message.fraud.review_at, message.fraud.refuse_at)


def _to_condition(rule: pb.FraudRule, path: str) -> Condition | None:
    match rule.WhichOneof("condition"):
        case "amount_over":
            return AmountOver(rule.amount_over.currency, rule.amount_over.amount_minor)
        case "velocity":
            one = rule.velocity
            same = one_of(Trait, one.same, f"{path}.velocity.same")
            return Velocity(same, one.hours, one.more_than_orders, one.more_than_minor, one.currency)
        case "delivered_outside":
            return DeliveredOutside(tuple(rule.delivered_outside.countries))
        case "no_email":
            return NoEmail()
        case "units_over":
            return UnitsOver(rule.units_over.quantity)
        case "new_customer":
            return NewCustomer(tuple(rule.new_customer.modes))
        case None:
            return None


def from_policy(one: FraudPolicy | None) -> pb.FraudPolicy | None:
    """To the wire."""
    if one is None:
        return None
    return pb.FraudPolicy(
        rules=[_from_rule(rule) for rule in one.rules], review_at=one.review_at, refuse_at=one.refuse_at
    )


def _from_rule(one: FraudRule) -> pb.FraudRule:
    made = pb.FraudRule(name=one.name, weight=one.weight, reason=one.reason)
    match one.condition:
        case AmountOver(currency, amount_minor):
            made.amount_over.CopyFrom(pb.AmountOver(currency=currency, amount_minor=amount_minor))
        case Velocity(same, hours, orders, amount_minor, currency):
            made.velocity.CopyFrom(
                pb.Velocity(
                    same=same.value,
                    hours=hours,
                    more_than_orders=orders,
                    more_than_minor=amount_minor,
                    currency=currency,
                )
            )
        case DeliveredOutside(countries):
            made.delivered_outside.CopyFrom(pb.DeliveredOutside(countries=countries))
        case NoEmail():
            made.no_email.CopyFrom(pb.NoEmail())
        case UnitsOver(quantity):
            made.units_over.CopyFrom(pb.UnitsOver(quantity=quantity))
        case NewCustomer(modes):
            made.new_customer.CopyFrom(pb.NewCustomer(modes=modes))
    return made


def from_check(one: FraudCheck | None) -> pb.FraudCheck | None:
    """To the wire."""
    if one is None:
        return None
    hits = [pb.FraudHit(rule=hit.rule, weight=hit.weight, reason=hit.reason) for hit in one.hits]
    return pb.FraudCheck(score=one.score, band=one.band.value, hits=hits, at=from_instant(one.at))
