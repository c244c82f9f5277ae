"""Pick lists as people walk them: the works of orders joined with where inventory says that their articles lie."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kit.errors import OmsError
from kit.times import from_proto
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import merchandising_service_pb2 as merchandising
from oms.orders.v1 import picking_service_pb2 as picking
from oms.type.v1 import type_pb2 as types
from services.gateway import substituting
from services.gateway.clients import Clients
from services.gateway.reading import fulfilment_values
from services.gateway.schemas.picking import PickListView

_AT_ONCE = 500
# After every place that inventory knows.
_NOWHERE = 2**31


@dataclass
class _Article:
    sku: str
    title: str
    shares: list[dict[str, Any]] = field(default_factory=list)


async def walked(clients: Clients, found: picking.PickList) -> PickListView:
    """A list with its articles in walking order. Without inventory it has no locations, and the work goes on."""
    articles = _articles(found)
    items = await items_of(clients, sorted(articles))
    places = await shelves_of(clients, found.point_id, sorted(articles))
    await _offer_others(clients, found, articles.values())

    def turn(one: _Article) -> tuple[int, str, str, str]:
        place = places.get(one.sku)
        return (
            (place.walk_order, place.location, one.title, one.sku) if place else (_NOWHERE, "", one.title, one.sku)
        )

    return PickListView.model_validate(
        {
            "id": found.pick_list_id,
            "point_id": found.point_id,
            "actor": found.actor,
            "opened_at": from_proto(found.opened_at),
            "closed_at": from_proto(found.closed_at) if found.HasField("closed_at") else None,
            "works": [_work(one) for one in found.works],
            "articles": [
                {
                    "sku": one.sku,
                    "title": one.title,
                    "gtin": items[one.sku].gtin or None if one.sku in items else None,
                    "location": places[one.sku].location if one.sku in places else None,
                    "quantity": sum(share["quantity"] for share in one.shares),
                    "shares": one.shares,
                }
                for one in sorted(articles.values(), key=turn)
            ],
        }
    )


async def items_of(clients: Clients, skus: Sequence[str]) -> dict[str, inventory.Item]:
    """For the codes that scanners read, and weights; what inventory does not tell now is left out."""
    items: dict[str, inventory.Item] = {}
    with suppress(OmsError):
        for start in range(0, len(skus), _AT_ONCE):
            some = skus[start : start + _AT_ONCE]
            asked = inventory.ListItemsRequest(skus=some, page=types.PageRequest(size=len(some)))
            items |= {one.sku: one for one in (await clients.read(clients.inventory.ListItems, asked)).items}
    return items


async def shelves_of(
    clients: Clients, point_id: str, skus: Sequence[str]
) -> dict[str, merchandising.ShelfLocation]:
    """Where they lie at a point; what inventory does not tell now is left out."""
    places: dict[str, merchandising.ShelfLocation] = {}
    with suppress(OmsError):
        for start in range(0, len(skus), _AT_ONCE):
            some = skus[start : start + _AT_ONCE]
            asked = merchandising.ListPositionFactsRequest(
                skus=some, point_ids=[point_id], page=types.PageRequest(size=len(some))
            )
            for one in (await clients.read(clients.merchandising.ListPositionFacts, asked)).facts:
                # One that was taken back still says who did.
                if one.location.location:
                    places[one.sku] = one.location
    return places


def _articles(found: picking.PickList) -> dict[str, _Article]:
    """Of the works that are still to be picked; a unit goes to what must leave first, as orders decides."""
    articles: dict[str, _Article] = {}
    for one in sorted((work for work in found.works if work.is_open), key=_due):
        for line in one.fulfilment.lines:
            article = articles.setdefault(line.sku, _Article(line.sku, line.title or line.sku))
            share = {"fulfilment_id": one.fulfilment.fulfilment_id, "line_number": line.line_number}
            article.shares.append({"slot": one.slot, "quantity": line.quantity, "substitutes": [], **share})
    return articles


async def _offer_others(clients: Clients, found: picking.PickList, articles: Iterable[_Article]) -> None:
    """To each share what may be given instead of it. Without inventory nothing is, and the work goes on."""
    works = {one.fulfilment.fulfilment_id: one for one in found.works}
    by_channel: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for article in articles:
        for share in article.shares:
            work = works[share["fulfilment_id"]]
            if share["line_number"] in work.substitutable:
                by_channel.setdefault(work.channel_id, []).append((article.sku, share))
    with suppress(OmsError):
        for channel_id, shares in by_channel.items():
            skus = {sku for sku, _ in shares}
            others = await substituting.others_for(clients, found.point_id, channel_id, skus)
            for sku, share in shares:
                share["substitutes"] = [{"line_number": share["line_number"], **one} for one in others[sku]]


def _due(one: picking.PickWork) -> tuple[datetime, str]:
    return from_proto(one.fulfilment.hand_over_by), one.fulfilment.fulfilment_id


def _work(one: picking.PickWork) -> dict[str, object]:
    values = fulfilment_values(one.fulfilment)
    return {
        **{name: values[name] for name in ("order_id", "status", "hand_over_by", "lines")},
        "slot": one.slot,
        "fulfilment_id": one.fulfilment.fulfilment_id,
        "channel_order_number": one.channel_order_number or None,
        "is_open": one.is_open,
    }
