"""What must be true of orders that have ended, whatever happened to the system meanwhile.

Looks from outside (REST, the provider's own books, the webhooks that arrived) and, for the order of events only,
into the outboxes. What is told later than an order's end (webhooks, a release at the provider) is awaited.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from cli.client import Api, Json
from cli.doctor import examine
from tests.end_to_end.gate import Gate
from tests.end_to_end.hooks import Receiver
from tests.stack import SharedStack

if TYPE_CHECKING:
    from tests.end_to_end.crowd import Life

# A relay that died with a delivery in its hands holds its claim for 15 s; a provider's release is swept.
_SETTLED_WITHIN_SECONDS = 60
_LOOK_AGAIN_SECONDS = 0.5
_LEFT = ("handed_over", "delivered")
_NAMES = ("on_hand", "reserved", "unavailable", "short")


async def audit(stack: SharedStack, gate: Gate, hooks: Receiver, lives: "Sequence[Life]") -> None:
    """AssertionError names everything that is not as it must be."""
    assert lives, "nothing was placed"
    wrong = [f"answered as a defect: {one}" for one in gate.internal_errors]
    for life in lives:
        wrong += _wrong_end(life)
    wrong += await _wrong_stock(gate, lives)
    wrong += await _once_settled(lambda: _wrong_money(stack, gate, lives))
    wrong += await _once_settled(lambda: _wrong_webhooks(stack, hooks, lives))
    # A worker that died right after it told of an order's end has its task done by another, ten seconds later.
    wrong += await _once_settled(lambda: _told_by_the_doctor(stack, {life.order_id for life in lives}))
    assert not wrong, "\n".join(wrong)


async def _told_by_the_doctor(stack: SharedStack, order_ids: set[str]) -> list[str]:
    """What `oms doctor` finds of these orders, and of no order in particular."""
    with Api.of(stack.gateway_url, stack.state) as api:
        found = await asyncio.to_thread(examine, api, pause_seconds=2)
    wrong = [f"the doctor cannot see {check}: {why}" for check, why in found.unknown.items()]
    return wrong + [f"the doctor: {one}" for one in found.differences if one.order_id in {"", *order_ids}]


async def _once_settled(look: Any) -> list[str]:
    deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN_SECONDS
    while True:
        wrong: list[str] = await look()
        if not wrong or asyncio.get_running_loop().time() > deadline:
            return wrong
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


# -- the order ---------------------------------------------------------------------------------------------


def _wrong_end(life: "Life") -> list[str]:
    allowed: tuple[str, ...] = ("cancelled",) if life.is_cancelled else ("closed",)
    if life.kind.is_declined:
        allowed = ("refused",)
    if (life.kind.refusals > 1 or life.missing) and not _delivered(life):
        allowed = ("closed", "cancelled")  # nothing was had anywhere
    if life.order["status"] in allowed:
        return []
    return [f"{life} should be {' or '.join(allowed)}: {life.order['refusal'] or ''}"]


def _delivered(life: "Life") -> Counter[str]:
    """Units at the customer's, by SKU."""
    skus = {line["line_number"]: line["sku"] for line in life.order["lines"]}
    units = Counter[str]()
    for one in life.order["units"]:
        if one["state"] == "delivered":
            units[skus[one["line_number"]]] += one["to_unit"] - one["from_unit"]
    return units


# -- stock -------------------------------------------------------------------------------------------------


async def _wrong_stock(gate: Gate, lives: "Sequence[Life]") -> list[str]:
    """Of each article: balances are the sums of their movements, and each order took what it was given."""
    wrong: list[str] = []
    concerned = defaultdict(list)
    for life in lives:
        for sku in {line["sku"] for line in life.order["lines"]}:
            concerned[sku].append(life)
    for sku, its_lives in concerned.items():
        by_point: dict[str, Counter[str]] = defaultdict(Counter)
        by_order: dict[str, Counter[str]] = defaultdict(Counter)
        async for row in gate.rows("/v1/stock/movements", "supply_chain", sku=sku, size=500):
            moved = {name: row[f"{name}_delta"] for name in _NAMES}
            by_point[row["point_id"]].update(moved)
            by_order[row["reservation_id"]].update(moved)
        async for row in gate.rows("/v1/stock/balances", "supply_chain", sku=sku, size=500):
            ledger = {name: by_point[row["point_id"]][name] for name in _NAMES}
            balance = {name: row[name] for name in _NAMES}
            if ledger != balance:
                wrong.append(f"{sku} at {row['point_id']}: the balance is {balance}, its movements say {ledger}")
        for life in its_lives:
            wrong += _wrong_moves(life, sku, by_order[life.order_id])
    return wrong


def _wrong_moves(life: "Life", sku: str, moved: Counter[str]) -> list[str]:
    missing = life.missing.get(sku, 0)
    wanted = {"on_hand": -_delivered(life)[sku], "reserved": 0, "unavailable": missing, "short": 0}
    found = {name: moved[name] for name in _NAMES}
    if life.order["status"] == "cancelled" and 0 <= found["unavailable"] <= missing:
        # The cancellation may have come before anyone acted on what the picker had told.
        wanted["unavailable"] = found["unavailable"]
    return [] if found == wanted else [f"{life}: {sku} moved {found}, not {wanted}"]


# -- money -------------------------------------------------------------------------------------------------


async def _wrong_money(stack: SharedStack, gate: Gate, lives: "Sequence[Life]") -> list[str]:
    """The provider's books, our ledger and the parcels that left say the same."""
    intents: dict[str, list[Json]] = defaultdict(list)
    async with httpx.AsyncClient(base_url=f"http://{stack.addresses['payment_provider']}", timeout=30) as provider:
        for intent in (await provider.get("/_books")).json()["intents"]:
            intents[intent["order_id"]].append(intent)
    wrong: list[str] = []
    for life in lives:
        answer = await gate.send("GET", f"/v1/orders/{life.order_id}/payment", "finance")
        if answer.status_code == 200:
            wrong += _wrong_amounts(life, answer.json(), intents[life.order_id])
        elif life.order["status"] == "closed" or intents[life.order_id]:
            wrong.append(f"{life} has no payment with us; the provider has {intents[life.order_id]}")
    return wrong


def _wrong_amounts(life: "Life", payment: Json, intents: list[Json]) -> list[str]:
    ours = {name: payment[name]["amount_minor"] for name in ("authorized", "captured", "voided", "refunded")}
    theirs = {name: sum(one[name] for one in intents) for name in ("captured", "refunded", "capturable")}
    parcels = [one["parcel"] for one in life.order["fulfilments"] if one["status"] in _LEFT]
    done = [one for one in payment["operations"] if one["state"] == "succeeded"]
    if life.kind.is_paid_by_channel:
        due = life.order["total"]["amount_minor"] - sum(one["amount"]["amount_minor"] for one in parcels)
        asked = sum(one["amount"]["amount_minor"] for one in done if one["kind"] == "refund")
        right = asked == due and not intents
        return [] if right else [f"{life}: {asked} asked of the channel, not {due}; provider's {intents}"]
    left = sum(one["amount"]["amount_minor"] for one in parcels if one["capture_state"] == "captured")
    captures = [one for one in done if one["kind"] == "capture"]
    rules = {
        "captured at the provider as with us": theirs["captured"] == ours["captured"],
        "refunded at the provider as with us": theirs["refunded"] == ours["refunded"],
        # Finance let the parcel go unpaid, and may still take the money.
        "what was not captured is let go": life.kind.overrides or theirs["capturable"] == 0,
        "authorised is captured or void": life.kind.overrides
        or ours["authorized"] == ours["captured"] + ours["voided"],
        "kept is what left": ours["captured"] - ours["refunded"] == left,
        "one capture for each parcel": len({one["cause"] for one in captures}) == len(captures),
        "nothing of a delivered order was refunded": life.is_cancelled or ours["refunded"] == 0,
    }
    return [
        f"{life}: not so: {rule}; ours {ours}, provider's {theirs}, parcels {left}"
        for rule, holds in rules.items()
        if not holds
    ]


# -- webhooks ----------------------------------------------------------------------------------------------


async def _wrong_webhooks(stack: SharedStack, hooks: Receiver, lives: "Sequence[Life]") -> list[str]:
    """Each order's events arrived in the order of their commits, all of them. The last one may come twice."""
    arrived = [event["id"] for event in hooks.verified()]
    wrong: list[str] = []
    for source in ("orders", "payments", "inventory"):
        committed = await _committed(stack, source, [life.order_id for life in lives])
        order_of = {event_id: order_id for order_id, ids in committed.items() for event_id in ids}
        by_order: dict[str, list[str]] = defaultdict(list)
        for event_id in arrived:
            by_order[order_of.get(event_id, "")].append(event_id)
        for life in lives:
            wrong += _wrong_arrivals(f"{life}, {source}", committed[life.order_id], by_order[life.order_id])
    return wrong


def _wrong_arrivals(what: str, committed: list[str], arrived: list[str]) -> list[str]:
    places = [committed.index(event_id) for event_id in arrived]
    if places != sorted(places):
        return [f"{what}: webhooks out of order: {places}"]
    missing = sorted(set(range(len(committed))) - set(places))
    return [f"{what}: no webhook of the events {missing} of {len(committed)}"] if missing else []


async def _committed(stack: SharedStack, source: str, order_ids: list[str]) -> dict[str, list[str]]:
    """The ids of the orders' events of a service, in the order of their commits."""
    url = stack.database_url(source).replace("postgresql+psycopg://", "postgresql://")
    found: dict[str, list[str]] = defaultdict(list)
    query = "SELECT order_id, event_id FROM outbox WHERE order_id = ANY(%s) ORDER BY sequence NULLS LAST"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        async for order_id, event_id in await connection.execute(query, (order_ids,)):
            found[order_id].append(event_id)
    return found
