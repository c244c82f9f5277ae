"""Twenty stores that take the same work at once, over REST, as often as there are orders.

`offer_single_winner`: the share of rounds in which one store has the work, nineteen are told that it is gone, and
the units are held at the winner alone. `offer_p95_ms`: how long a store waits for its answer, all twenty at once.
"""

import asyncio
import statistics
import time
from collections import Counter
from uuid import uuid4

from benchmarks.contest import CHANNEL, content, open_contest, question
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System
from cli.client import Json, body_of
from deploy.local.tokens import Scope

STORES = 20
_SCOPE = Scope(channels=(CHANNEL,))
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.05


async def measure(system: System, rounds: int) -> list[Result]:
    """Rounds one after the other; each is a new order."""
    await open_contest(system.stack.addresses, STORES, rounds)
    await promised(system)
    single, took, held = list[bool](), list[float](), Counter[str]()
    with reading() as taken:
        for _ in range(rounds):
            order_id = await _place(system)
            work = await _offered(system, order_id)
            answers = await asyncio.gather(*(_take(system, one) for one in work))
            took += [seconds * 1000 for _, seconds in answers]
            single.append(await _is_single(system, order_id, Counter(told for told, _ in answers), held))
    p95 = statistics.quantiles(took, n=20)[-1]
    return [
        result("offer_single_winner", [sum(single) / len(single)], taken.load),
        result("offer_p95_ms", [p95], taken.load),
        result("offer_p50_ms", [statistics.median(took)], taken.load),
        result("offer_rounds", [rounds], taken.load),
    ]


async def promised(system: System, channel_id: str = CHANNEL, **asked: str) -> Json:
    """The first option of an answer, when the planner has heard of all that."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        body = question(channel_id, **asked)
        answer = await system.api.send("POST", "/v1/promises", "channel", Scope(channels=(channel_id,)), json=body)
        if answer.is_success and answer.json()["options"]:
            first: Json = answer.json()["options"][0]
            return first
        if time.monotonic() > until:
            raise TimeoutError(f"nothing is promised: {answer.text}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _place(system: System) -> str:
    headers = {"Idempotency-Key": f"offers-{uuid4().hex}"}
    answer = await system.api.send("POST", "/v1/orders", "channel", _SCOPE, json=content(), headers=headers)
    order_id: str = body_of(answer)["id"]
    return order_id


async def _offered(system: System, order_id: str) -> list[Json]:
    """The offers of an order, once all stores have theirs."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = await system.api.send(
            "GET", "/v1/offers", "supply_chain", params={"order_id": order_id, "status": "open", "size": STORES}
        )
        offers: list[Json] = answer.json()["items"]
        if len(offers) == STORES:
            return offers
        if time.monotonic() > until:
            raise TimeoutError(f"{order_id} was offered to {len(offers)} stores")
        await asyncio.sleep(_LOOK_SECONDS)


async def _take(system: System, offer: Json) -> tuple[str, float]:
    """What the store is told, and after how many seconds."""
    address = f"/v1/fulfilments/{offer['fulfilment_id']}/accept"
    began = time.perf_counter()
    answer = await system.api.send("POST", address, "store", Scope(stores=(offer["point_id"],)))
    seconds = time.perf_counter() - began
    return ("won" if answer.is_success else answer.json()["reason"]), seconds


async def _is_single(system: System, order_id: str, told: Counter[str], held: Counter[str]) -> bool:
    """One store has it, with its units beside those of the rounds before, and the others were told."""
    order = (await system.api.send("GET", f"/v1/orders/{order_id}", "customer_service")).json()
    [work] = order["fulfilments"]
    [line] = work["lines"]
    held[work["point_id"]] += line["quantity"]
    balances = await system.api.send("GET", "/v1/stock/balances", "supply_chain", params={"sku": line["sku"]})
    reserved = {one["point_id"]: one["reserved"] for one in balances.json()["items"] if one["reserved"]}
    return told == {"won": 1, "OFFER_GONE": STORES - 1} and reserved == held
