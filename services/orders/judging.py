"""Fraud checks: what the rules of a life cycle ask of other orders is looked up, and an order is judged."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import store
from services.orders.domain import fraud
from services.orders.domain.fraud_policy import FraudCheck, Trait
from services.orders.domain.model import Buyer, Order
from services.orders.identities import Identities


async def judge(
    tx: AsyncConnection, identities: Identities, one: Order, buyer: Buyer, as_of: datetime
) -> FraudCheck | None:
    """By the rules of its life cycle, of which most have none; other orders are looked at only for rules."""
    return await _judge(tx, one, buyer, identities.of(one.content, buyer), as_of)


async def judge_changed(
    tx: AsyncConnection, identities: Identities, before: store.View, after: Order, buyer: Buyer, as_of: datetime
) -> FraudCheck | None:
    """The same of what a change would make of it, with where it goes then.

    Its means of payment is forgotten by now: its digest is the one that is of nothing else of the order.
    """
    if after.life_cycle.fraud is None:
        return None
    digests = dict(identities.of(after.content, buyer))
    if any(Trait.PAYMENT in look.traits for look in fraud.looks(after)):
        of_buyer = identities.of(before.order.content, before.buyer)
        kept = await store.digests_of(tx, after)
        digests[Trait.PAYMENT] = sorted(kept.difference(*of_buyer.values()))
    return await _judge(tx, after, buyer, digests, as_of)


async def _judge(
    tx: AsyncConnection, one: Order, buyer: Buyer, digests: store.Digests, as_of: datetime
) -> FraudCheck | None:
    looks = fraud.looks(one)
    seen = await store.see(tx, one, digests, looks) if looks else {}
    return fraud.assess(one, buyer, seen, as_of)
