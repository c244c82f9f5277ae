"""What a file sells, as far as the system does not know it yet: items created and stock received, each once.

An item made here carries a tag with the source, and its stock a key with source and SKU: a run that was killed
half way is taken up where it stopped, and an item that was there before is never touched.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.client import Json, TookTooLong, body_of
from cli.replay.placing import Destination
from cli.replay.sending import Sender
from deploy.local.tokens import Scope
from kit.values.ids import derived_id

_ROLE = "supply_chain"
_SKUS_A_QUESTION = 100
_ITEMS_A_REQUEST = 500
_SEEN_SECONDS = 30
_SEEN_POLL_SECONDS = 0.1
# What the planner says of an article whose stock it has not been told of yet.
_NOT_SEEN = ("UNKNOWN_ITEM", "NO_STOCK")


@dataclass(frozen=True, slots=True)
class Stocking:
    """What a new item gets: the same units at each of the points."""

    source: str
    point_ids: Sequence[str]
    quantity: int
    weight_grams: int = 0
    brand: str = ""

    @property
    def tag(self) -> str:
        """Marks the items that a replay of this source made."""
        return f"replay:{self.source}"


@dataclass(frozen=True, slots=True)
class Created:
    """How many items are new, and the SKU whose stock came last; empty when none came."""

    items: int
    last_sku: str


async def create_unknown(sender: Sender, titles: Mapping[str, str], how: Stocking, at_once: int) -> Created:
    """Creates and stocks the items that nobody knows (SKU: title). Raises Problem, NoAnswer."""
    known = await _known(sender, list(titles))
    unknown = [sku for sku in titles if sku not in known]
    for part in _parts(unknown, _ITEMS_A_REQUEST):
        items = [
            {
                "sku": sku,
                "title": titles[sku],
                "brand": how.brand,
                "weight_grams": how.weight_grams,
                "tags": [how.tag],
            }
            for sku in part
        ]
        await _ask(sender, "PUT", "/v1/items", json={"items": items})
    ours = [sku for sku, tags in known.items() if how.tag in tags]
    left = [*unknown, *await _without_stock(sender, ours, how)]
    if not how.quantity or not left:
        return Created(len(unknown), "")
    # Feeds tell in the order of commits: who sees the last one has seen all.
    *most, last = left
    await _receive_all(sender, most, how, at_once)
    await _receive(sender, last, how)
    return Created(len(unknown), last)


async def wait_seen(sender: Sender, channel_id: str, where: Destination, sku: str) -> None:
    """Returns when the planner knows the stock of an article, if the channel shows any. Raises TookTooLong."""
    scope = Scope(channels=(channel_id,))
    path = f"/v1/channels/{channel_id}/availability"
    shown = await sender.send(sender.deadline(), "GET", path, "channel", scope, params={"sku": sku})
    if not body_of(shown.answer)["items"][0]["available_now"]:
        return
    question = {
        "channel_id": channel_id,
        "destination": {"country": where.country, "postcode": where.postcode},
        "lines": [{"sku": sku, "quantity": 1}],
    }
    deadline = time.monotonic() + _SEEN_SECONDS
    while True:
        asked = await sender.send(sender.deadline(), "POST", "/v1/promises", "channel", scope, json=question)
        promise = body_of(asked.answer)
        if promise["options"] or not any(one["reason"] in _NOT_SEEN for one in promise["not_offered"]):
            return
        if time.monotonic() > deadline:
            raise TookTooLong(f"the planner did not see the stock of {sku} within {_SEEN_SECONDS} s")
        await asyncio.sleep(_SEEN_POLL_SECONDS)


async def _known(sender: Sender, skus: Sequence[str]) -> dict[str, list[str]]:
    """The tags of each item that exists."""
    found: dict[str, list[str]] = {}
    for part in _parts(skus, _SKUS_A_QUESTION):
        page = await _ask(sender, "GET", "/v1/items", params={"sku": part, "size": len(part)})
        found.update({item["sku"]: item["tags"] for item in page["items"]})
    return found


async def _without_stock(sender: Sender, skus: Sequence[str], how: Stocking) -> list[str]:
    """Those whose stock was never received: a run was killed between the two."""
    missing: list[str] = []
    for part in _parts(skus, _SKUS_A_QUESTION):
        query = {"sku": part, "point_id": [how.point_ids[0]], "size": len(part)}
        held = {row["sku"] for row in (await _ask(sender, "GET", "/v1/stock/balances", params=query))["items"]}
        missing += [sku for sku in part if sku not in held]
    return missing


async def _receive_all(sender: Sender, skus: Sequence[str], how: Stocking, at_once: int) -> None:
    waiting = iter(skus)

    async def work() -> None:
        for sku in waiting:
            await _receive(sender, sku, how)

    await asyncio.gather(*(work() for _ in range(at_once)))


async def _receive(sender: Sender, sku: str, how: Stocking) -> None:
    deltas = [{"sku": sku, "point_id": point_id, "quantity": how.quantity} for point_id in how.point_ids]
    await _ask(
        sender,
        "POST",
        "/v1/stock/adjustments",
        json={"deltas": deltas, "cause": "receipt", "source": how.tag},
        headers={"Idempotency-Key": derived_id("replay-stock", how.source, sku)},
    )


async def _ask(sender: Sender, method: str, path: str, **options: Any) -> Json:
    return body_of((await sender.send(sender.deadline(), method, path, _ROLE, **options)).answer)


def _parts(skus: Iterable[str], size: int) -> Iterator[list[str]]:
    whole = list(skus)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
