"""Many customers, stores and carriers at once, who work on whatever happens to the system under their hands.

    async with Crowd(stack, hooks, seed=1) as crowd:
        await crowd.place(20)     # kill, cut and fill what you like meanwhile
        await crowd.finish()      # until every order has ended
        await crowd.verify()      # nothing lost, nothing twice, nothing out of order

Everyone repeats a request until it is answered, as a till, a scanner or a shop's back end does. What each of them
means to do follows from the seed alone; what comes of it, from the system. `audit.py` judges the outcome.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from uuid import uuid4

import httpx

from cli.client import Json
from cli.demo import CHANNEL
from cli.people import Buyer, priced
from deploy.local.tokens import Scope
from tests.end_to_end.audit import audit
from tests.end_to_end.gate import Gate
from tests.end_to_end.hooks import Receiver
from tests.end_to_end.kinds import KINDS, Kind
from tests.stack import SharedStack

ENDED = ("closed", "cancelled", "refused")
_CAPTURED = ("captured", "overridden", "not_needed")
_SHIPPING_MINOR = 490
# Each order leaves the stock as it found it for the next one's choice: no order may be refused.
_LEAST_LEFT = 6
_LOOK_AGAIN_SECONDS = 0.4


@dataclass
class Life:
    """One order: what its people mean to do, and what came of it."""

    kind: Kind
    key: str
    content: Json
    # What is left of the intentions of its kind.
    cancels_when: str
    refusals: int
    finds_less: bool
    order_id: str = ""
    # As it stands at last.
    order: Json = field(default_factory=dict)
    # Its cancellation was accepted.
    is_cancelled: bool = False
    # What was told to be missing, by SKU.
    missing: dict[str, int] = field(default_factory=dict)
    # The last act that was refused: of use where an order does not end.
    last_refused: str = ""

    def __str__(self) -> str:
        work = [f"{one['point_id']} {one['status']}" for one in self.order.get("fulfilments", [])]
        return (
            f"{self.order_id or self.key} ({self.kind.name}): {self.order.get('status', 'not placed')} {work}"
            f"{', to be cancelled' if self.is_cancelled else ''} {self.last_refused}".rstrip()
        )


class Crowd:
    """Places orders and sees each of them to its end."""

    def __init__(self, stack: SharedStack, hooks: Receiver, *, seed: int, customers: int = 4) -> None:
        self._stack = stack
        self._hooks = hooks
        self._seed = seed
        self._customers = customers
        self._gate = Gate(stack)
        self._random = random.Random(seed)
        self._intended = 0
        self._items: dict[str, Json] = {}
        self._left: dict[str, int] = {}
        self._lives: list[Life] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._gate.close()

    @property
    def placed(self) -> int:
        """How many placements have been answered."""
        return sum(bool(life.order_id) for life in self._lives)

    @property
    def ended(self) -> int:
        """How many orders have ended."""
        return sum(life.order.get("status") in ENDED for life in self._lives)

    @property
    def repeated(self) -> int:
        """How many requests had to be repeated so far."""
        return self._gate.repeated

    async def until_placed(self, count: int, within_seconds: float = 60) -> None:
        """Return when so many placements have been answered."""
        async with asyncio.timeout(within_seconds):
            while self.placed < count:
                self._raise_failure()
                self._changed.clear()
                await self._changed.wait()

    async def place(self, count: int) -> None:
        """Place so many orders more; whoever has to work on them begins at once."""
        await self._place_all(self._random.choices(KINDS, [kind.weight for kind in KINDS], k=count))

    async def place_each_kind(self) -> None:
        """Place one order of every kind."""
        await self._place_all(KINDS)

    async def _place_all(self, kinds: Sequence[Kind]) -> None:
        if not self._items:
            await self._read_catalogue()
        lives = [self._intend(kind) for kind in kinds]
        self._lives += lives
        waiting = iter(lives)

        async def customer() -> None:
            for life in waiting:
                await self._place(life)

        await asyncio.gather(*(customer() for _ in range(self._customers)))

    async def finish(self, within_seconds: float = 120) -> None:
        """Work until every order has ended; AssertionError names those that did not."""
        pending = set(self._under_way)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=within_seconds)
        self._raise_failure()
        stuck = [str(life) for life in self._lives if life.order.get("status") not in ENDED]
        assert not pending, f"not ended after {within_seconds:.0f} s:\n" + "\n".join(stuck)

    async def verify(self) -> None:
        """AssertionError names everything that is not as it must be."""
        await audit(self._stack, self._gate, self._hooks, self._lives)

    # -- what people mean to do -------------------------------------------------------------------------

    async def _read_catalogue(self) -> None:
        items = (await self._gate.get("/v1/items", "supply_chain", size=500))["items"]
        # Fashion only: every parcel carrier takes it.
        # What is not sold yet would wait for its release date.
        sold = (item for item in items if not item["release_date"])
        self._items = {item["sku"]: item for item in sold if "fashion" in item["category_path"]}
        path, scope = f"/v1/channels/{CHANNEL}/availability", Scope(channels=(CHANNEL,))
        rows = (await self._gate.get(path, "channel", scope, sku=sorted(self._items)))["items"]
        self._left = {row["sku"]: row["available_now"] for row in rows}

    def _intend(self, kind: Kind) -> Life:
        self._intended += 1
        name = f"crowd-{self._seed}-{self._intended}"
        content = {
            **priced(CHANNEL, list(self._items.values()), self._fill_basket(), _SHIPPING_MINOR),
            "channel_order_number": name,
            "customer": Buyer().customer,
            "ship_to": Buyer().address,
            "mode": "home_standard",
            "payment": kind.payment,
            "basket_id": name if kind.from_basket else "",
        }
        # The same seed may be used again on the same system.
        key = f"{name}-{uuid4().hex}"
        return Life(kind, key, content, kind.cancels_when, kind.refusals, kind.finds_less)

    def _fill_basket(self) -> list[tuple[str, int]]:
        """One or two articles, sometimes one of them in two lines."""
        chance = self._random
        plenty = sorted(sku for sku, left in self._left.items() if left >= _LEAST_LEFT)
        assert plenty, "the demo retailer is sold out"
        skus = chance.sample(plenty, k=min(len(plenty), chance.choice([1, 1, 2])))
        if chance.random() < 0.1:
            skus.append(skus[0])
        basket = [(sku, chance.choice([1, 1, 2])) for sku in skus]
        for sku, quantity in basket:
            self._left[sku] -= quantity + 1  # one may be declared missing
        return basket

    # -- customers --------------------------------------------------------------------------------------

    async def _place(self, life: Life) -> None:
        scope = Scope(channels=(CHANNEL,))
        headers = {"Idempotency-Key": life.key}
        if life.kind.from_basket:
            path = f"/v1/channels/{CHANNEL}/baskets/{life.content['basket_id']}"
            lines = [{"sku": line["sku"], "quantity": line["quantity"]} for line in life.content["lines"]]
            held = await self._gate.send("PUT", path, "channel", scope, json={"lines": lines}, headers=headers)
            assert held.status_code == 200, held.text
        answer = await self._gate.send("POST", "/v1/orders", "channel", scope, json=life.content, headers=headers)
        body = answer.json()
        if life.kind.is_declined and body.get("reason") == "PAYMENT_DECLINED":
            life.order_id = body["order_id"]
        else:
            assert answer.status_code in (201, 202), f"not accepted ({answer.status_code} {answer.text}): {life}"
            life.order_id = body["id"]
        self._changed.set()
        task = asyncio.create_task(self._live(life))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failures.append(error)
        self._changed.set()

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    async def _live(self, life: Life) -> None:
        while True:
            life.order = await self._gate.get(f"/v1/orders/{life.order_id}", "customer_service")
            status = life.order["status"]
            if status in ENDED:
                return
            if life.cancels_when in ("placed", status, *(work["status"] for work in life.order["fulfilments"])):
                life.cancels_when = ""
                await self._cancel(life)
            if status == "action_required" and life.kind.approves:
                await self._approve(life.order["next_action_url"])
            for work in life.order["fulfilments"]:
                await self._work(life, work)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _cancel(self, life: Life) -> None:
        path, scope = f"/v1/orders/{life.order_id}/cancel", Scope(channels=(CHANNEL,))
        answer = await self._gate.send("POST", path, "channel", scope, json={"reason": "changed my mind"})
        life.is_cancelled = answer.status_code == 202
        if not life.is_cancelled:
            life.last_refused = _told(answer)

    async def _approve(self, url: str) -> None:
        """On the provider's own page; again at the next look, if the provider was away or has not told us."""
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient() as browser:
                await browser.post(f"{url}/approve")

    # -- stores and carriers ----------------------------------------------------------------------------

    async def _work(self, life: Life, work: Json) -> None:
        """Everything that can be done now; whoever is refused looks again later."""
        while step := self._next_step(life, work):
            action, body = step
            path = f"/v1/fulfilments/{work['id']}/{action}"
            role = "finance" if action == "capture-override" else "store"
            answer = await self._gate.send("POST", path, role, Scope(stores=(work["point_id"],)), json=body)
            if answer.status_code != 200:
                life.last_refused = _told(answer)
                return
            if action == "pick":
                _note_missing(life, work, body)
            work = answer.json()
        if work["status"] == "handed_over":
            await self._scan(life, work)

    def _next_step(self, life: Life, work: Json) -> tuple[str, Json | None] | None:
        match work["status"]:
            case "offered" if life.refusals:
                life.refusals -= 1
                return "refuse", {"reason": "no_time"}
            case "offered":
                return "accept", None
            case "accepted":
                return "pick", self._found(life, work)
            case "picked":
                return "pack", {"weight_grams": 600}
            case "packed" if work["parcel"]["capture_state"] in _CAPTURED:
                return "hand-over", {"tracking_code": ""}
            case "packed" if life.kind.overrides and work["parcel"]["capture_state"] == "failed":
                return "capture-override", {"reason": "paid by bank transfer"}
            case _:
                return None

    def _found(self, life: Life, work: Json) -> Json:
        found = [{"line_number": line["line_number"], "quantity": line["quantity"]} for line in work["lines"]]
        if life.finds_less:
            life.finds_less = False
            found[0]["quantity"] -= 1
        return {"found": found}

    async def _scan(self, life: Life, work: Json) -> None:
        for status in ("in_transit", "delivered"):
            body = {
                "event_id": f"scan-{work['id']}-{status}",
                "carrier_id": work["carrier_id"],
                "tracking_code": work["parcel"]["tracking_code"],
                "status": status,
                "occurred_at": datetime.now(UTC).isoformat(),
            }
            answer = await self._gate.send("POST", "/v1/carrier-events", "carrier", json=body)
            if answer.status_code != 200:
                life.last_refused = _told(answer)
                return


def _note_missing(life: Life, work: Json, body: Json | None) -> None:
    found = {one["line_number"]: one["quantity"] for one in (body or {})["found"]}
    for line in work["lines"]:
        if short := line["quantity"] - found[line["line_number"]]:
            life.missing[line["sku"]] = life.missing.get(line["sku"], 0) + short


def _told(answer: httpx.Response) -> str:
    problem = answer.json()
    return f"{answer.request.url.path}: {answer.status_code} {problem.get('reason')} {problem.get('detail')}"
