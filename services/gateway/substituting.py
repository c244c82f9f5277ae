"""What a point may give instead of what its pick lacks: orders has the customer's word, inventory the retailer's.

The units are laid aside before orders is told of them, so that nobody else is sold what is about to lie in a
parcel; the story of the fulfilment takes them over for the order. Who comes too late is told so at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument, OmsError
from oms.inventory.v1 import basket_service_pb2 as baskets
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import picking_service_pb2 as picking
from oms.type.v1 import type_pb2 as types
from services.gateway.clients import Clients
from services.gateway.schemas.work import FulfilmentDetail, Substitute, SubstituteView

# Until the story has them: it has them at once, unless it is down.
_SECONDS = 3600
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Lacking:
    """Work that lacks units, with the article that was ordered by each of its lines."""

    fulfilment_id: str
    channel_id: str
    point_id: str
    ordered: Mapping[int, str]


def lacking(work: FulfilmentDetail) -> Lacking:
    """A work that is picked by itself."""
    ordered = {line.line_number: line.ordered_sku or line.sku for line in work.lines}
    return Lacking(work.id, work.channel_id, work.point_id, ordered)


def lacking_on(one: picking.PickWork) -> Lacking:
    """A work of a pick list."""
    work = one.fulfilment
    ordered = {line.line_number: line.ordered_sku or line.sku for line in work.lines}
    return Lacking(work.fulfilment_id, one.channel_id, work.point_id, ordered)


async def offered(clients: Clients, work: FulfilmentDetail) -> list[SubstituteView]:
    """What may be given instead of the lines of a work, of each line best first."""
    numbers = {line.line_number: line.sku for line in work.lines if line.line_number in work.substitutable}
    others = await others_for(clients, work.point_id, work.channel_id, numbers.values())
    return [
        SubstituteView(line_number=number, **one)
        for number, ordered in sorted(numbers.items())
        for one in others[ordered]
    ]


async def others_for(
    clients: Clients, point_id: str, channel_id: str, skus: Iterable[str]
) -> Mapping[str, list[dict[str, Any]]]:
    """By article, what may be given instead at a point to the customers of a channel, best first."""
    ordered = sorted(set(skus))
    items = await _items(clients, ordered)
    wanted = sorted({sku for one in items.values() for sku in one.substitutes})
    others = await _items(clients, wanted)
    free = await _free(clients, point_id, channel_id, sorted(others))
    return {
        sku: [
            {
                "sku": other,
                "title": others[other].title or other,
                "gtin": others[other].gtin or None,
                "free": free.get(other, 0),
            }
            for other in (items[sku].substitutes if sku in items else ())
            if other in others
        ]
        for sku in ordered
    }


async def laid_aside(
    clients: Clients, work: Lacking, given: Sequence[Substitute], request_id: str
) -> list[orders.SubstitutedUnits]:
    """The units, held for this pick. FailedPrecondition / NOT_PERMITTED, SUBSTITUTE_NOT_FREE."""
    ordered = work.ordered
    items = await _items(clients, sorted({*ordered.values(), *(one.sku for one in given)}))
    for i, one in enumerate(given):
        if one.line_number not in ordered:
            raise InvalidArgument(f"substituted[{i}].line_number", "the fulfilment has no such line")
        own = items.get(ordered[one.line_number])
        permitted = list(own.substitutes) if own else []
        if one.sku not in permitted or one.sku not in items:
            raise FailedPrecondition(
                "NOT_PERMITTED",
                f"{one.sku} is not given instead of {ordered[one.line_number]}",
                field=f"substituted[{i}].sku",
                permitted=", ".join(permitted),
            )
    request = baskets.HoldBasketRequest(
        request_id=f"{request_id}/aside",
        channel_id=work.channel_id,
        basket_id=_basket_of(work),
        lines=[baskets.BasketLine(sku=one.sku, quantity=one.quantity, point_id=work.point_id) for one in given],
        time_to_live_seconds=_SECONDS,
    )
    answer = await clients.act(clients.baskets.HoldBasket, request)
    if not answer.held:
        short = answer.shortfalls[0]
        raise FailedPrecondition(
            "SUBSTITUTE_NOT_FREE",
            f"{short.available} of {short.sku} are free here: others are held, or kept back",
            sku=short.sku,
            available=short.available,
        )
    return [
        orders.SubstitutedUnits(
            line_number=one.line_number, sku=one.sku, quantity=one.quantity, title=items[one.sku].title or one.sku
        )
        for one in given
    ]


async def put_back(clients: Clients, work: Lacking, request_id: str) -> None:
    """The pick was refused; what cannot be given back now expires."""
    request = baskets.ReleaseBasketRequest(
        request_id=f"{request_id}/back", channel_id=work.channel_id, basket_id=_basket_of(work)
    )
    with suppress(OmsError):
        await clients.act(clients.baskets.ReleaseBasket, request)


def _basket_of(work: Lacking) -> str:
    """The story of the fulfilment takes it over by this name."""
    return f"pick.{work.fulfilment_id}"


async def _items(clients: Clients, skus: Sequence[str]) -> Mapping[str, inventory.Item]:
    items: dict[str, inventory.Item] = {}
    for start in range(0, len(skus), _AT_ONCE):
        some = skus[start : start + _AT_ONCE]
        asked = inventory.ListItemsRequest(skus=some, page=types.PageRequest(size=len(some)))
        items |= {one.sku: one for one in (await clients.read(clients.inventory.ListItems, asked)).items}
    return items


async def _free(clients: Clients, point_id: str, channel_id: str, skus: Sequence[str]) -> Mapping[str, int]:
    """What the order's channel may have of each at the point: its safety stock is kept back here too."""
    free: dict[str, int] = {}
    for start in range(0, len(skus), _AT_ONCE):
        asked = inventory.GetAvailabilityRequest(
            channel_id=channel_id, skus=skus[start : start + _AT_ONCE], explain=True
        )
        for one in (await clients.read(clients.inventory.GetAvailability, asked)).availabilities:
            free[one.sku] = sum(at.available for at in one.points if at.point_id == point_id)
    return free
