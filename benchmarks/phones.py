"""The store's pages: how long a page of 50 offers takes, when a new one is on it, and what 200 phones cost.

All phones look at one store and are connected while new offers come. `store_offer_seen_p95_ms`: from the instant
of the offer until a phone that was told has the page with it. `store_phones_gateway_mib`: the gateway's memory
meanwhile.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import uuid4

import httpx
import psutil

from benchmarks.contest import CHANNEL, content, open_contest
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.offers import promised
from benchmarks.system import System
from cli.client import body_of
from deploy.local.tokens import Scope
from kit import times

PHONES = 200
_OFFERS = 50
_PAGES = 200
_NEW = 40
_POINT = "st-contest-00"
_PAGE = f"/console/store/{_POINT}"
_SCOPE = Scope(channels=(CHANNEL,))
_PATIENCE_SECONDS = 60.0
_MIB = 1024 * 1024


async def measure(system: System) -> list[Result]:
    """One store with 50 offers, and then some more."""
    await open_contest(system.stack.addresses, 1, _OFFERS + _NEW)
    await promised(system)
    for _ in range(_OFFERS):
        await _place(system)
    async with _phone(system) as phone:
        await _shown(phone, _OFFERS)
        with reading() as taken:
            await system.settle()
            pages = [await _milliseconds(phone) for _ in range(_PAGES)]
            async with AsyncExitStack() as connected:
                heard = [asyncio.Event() for _ in range(PHONES)]
                for one in heard:
                    await connected.enter_async_context(_connected(system, one))
                seen = [await _new_offer(system, phone, heard[0]) for _ in range(_NEW)]
                memory = psutil.Process(system.pids["gateway"]).memory_info().rss / _MIB
    return [
        result("store_page_p95_ms", [statistics.quantiles(pages, n=20)[-1]], taken.load),
        result("store_page_p50_ms", [statistics.median(pages)], taken.load),
        result("store_offer_seen_p95_ms", [statistics.quantiles(seen, n=20)[-1]], taken.load),
        result("store_phones_gateway_mib", [memory], taken.load),
    ]


@asynccontextmanager
async def _phone(system: System) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in at the store."""
    url = system.stack.gateway_url
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE_SECONDS, follow_redirects=True) as client:
        token = system.stack.token("store", Scope(stores=(_POINT,)))
        (await client.post("/console/login", data={"token": token})).raise_for_status()
        yield client


@asynccontextmanager
async def _connected(system: System, heard: asyncio.Event) -> AsyncIterator[None]:
    """A phone that is told of changes, and sets `heard` each time."""
    async with _phone(system) as phone, phone.stream("GET", f"{_PAGE}/live") as stream:
        stream.raise_for_status()

        async def listen() -> None:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    heard.set()

        listening = asyncio.create_task(listen())
        try:
            yield
        finally:
            listening.cancel()


async def _milliseconds(phone: httpx.AsyncClient) -> float:
    began = time.perf_counter()
    page = await phone.get(_PAGE)
    if page.text.count("data-work=") != _OFFERS:
        raise ValueError(f"the page has {page.text.count('data-work=')} offers")
    return (time.perf_counter() - began) * 1000


async def _shown(phone: httpx.AsyncClient, count: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (await phone.get(_PAGE)).text.count("data-work=") < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def _new_offer(system: System, phone: httpx.AsyncClient, heard: asyncio.Event) -> float:
    """Milliseconds from the offer until the phone has a page that shows it."""
    heard.clear()
    order_id = await _place(system)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            await heard.wait()
            heard.clear()
            if order_id[-6:].upper() in (await phone.get(_PAGE)).text:
                break
    shown = times.now()
    asked = {"order_id": order_id, "size": 1}
    [offer] = body_of(await system.api.send("GET", "/v1/offers", "supply_chain", params=asked))["items"]
    return (shown - datetime.fromisoformat(offer["offered_at"])).total_seconds() * 1000


async def _place(system: System) -> str:
    headers = {"Idempotency-Key": f"phones-{uuid4().hex}"}
    answer = await system.api.send("POST", "/v1/orders", "channel", _SCOPE, json=content(), headers=headers)
    order_id: str = body_of(answer)["id"]
    return order_id
