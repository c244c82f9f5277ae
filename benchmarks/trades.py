"""What a whole life of one order leaves in Temporal, by the life cycle of its trade in the demo: counts, no times.

`history_events_<life cycle>`: the events of the order and its one fulfilment together, from placement to closed,
of an order as it is usual there: fashion and fresh food are sent home, furniture comes by appointment, luxury is
engraved, a pre-order waits for the day of its article with its means of payment kept. Nobody can wait here for
cooling-off, appointments and release dates: customer service lets go what holds an order, and of a pre-order the
day is brought forward in the database of orders.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg

from benchmarks.budget import events
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import RESTING_CHANNEL, System
from cli.client import Api, Json
from cli.people import Buyer, Carrier, Shop, Store
from kit import temporal
from workflows.starting import order_workflow_id

_FURNITURE, _UNRELEASED = "CBIB-CHENE", "CJEU-ARCHIPEL"
_FREE = 59_00
_OUT_NOW = "UPDATE fulfilment SET hand_over_from = now() - interval '1 hour' WHERE order_id = %s"


async def measure(system: System) -> list[Result]:
    """One life of each."""
    stack = system.stack
    client = await temporal.connect(stack.addresses["temporal"], "default", stack.keys.codec_keys)
    with reading() as taken:
        found = dict[str, int]()
        for trade in ("fashion", "fresh_food", "heavy_goods", "luxury", "pre_order"):
            order_id, fulfilment_id = await asyncio.to_thread(partial(_live, system, trade))
            stories = (order_workflow_id(order_id), f"fulfilment/{fulfilment_id}")
            found[trade] = sum([await events(client, one) for one in stories])
    return [result(f"history_events_{trade}", [count], taken.load) for trade, count in found.items()]


def _live(system: System, trade: str) -> tuple[str, str]:
    """One order from placement until it is closed; its id and that of its fulfilment."""
    with Api.of(system.stack.gateway_url, system.stack.options.state) as api:
        shop = Shop(api, RESTING_CHANNEL)
        order_id: str = shop.place(_content(api, shop, trade) | {"trade": trade})["id"]
        order = shop.wait_status(order_id, "validated", "released")
        (work,) = order["fulfilments"]
        _let_go(api, order)
        shop.wait_status(order_id, "released")
        if trade == "pre_order":
            _bring_forward(system, order_id)
        store = Store(api, work["point_id"])
        work = store.wait_offer(order_id)
        store.accept(work)
        store.pick(work)
        if trade == "luxury":
            store.wait_captured(work)
            store.personalise(work)
        store.pack(work)
        store.wait_captured(work)
        gone = store.hand_over(work)
        for status in ("in_transit", "delivered"):
            Carrier(api, gone["carrier_id"]).scan(gone["parcel"]["tracking_code"], status)
        shop.wait_status(order_id, "closed")
    return order_id, work["id"]


def _content(api: Api, shop: Shop, trade: str) -> Json:
    """What is usually ordered so."""
    buyer = Buyer()
    if trade == "heavy_goods":
        booking = api.post(f"/v1/delivery-slots/{_slot(api, buyer)}/holds", "customer_service", _where(buyer))
        content = shop.order_content([(_FURNITURE, 1)], buyer, shipping_minor=_FREE)
        return content | {"mode": "appointment", "booking_id": booking["id"]}
    if trade == "pre_order":
        return shop.order_content([(_UNRELEASED, 1)], buyer)
    if trade == "luxury":
        item = next(one for one in shop.items() if one["personalisations"] and _is_shown(shop, one["sku"]))
        text = {item["personalisations"][0]["name"]: "Zoé"}
        return shop.order_content([(item["sku"], 1)], buyer, personal=text)
    sku = next(one["sku"] for one in shop.items() if not one["release_date"] and _is_shown(shop, one["sku"]))
    return shop.order_content([(sku, 1)], buyer)


def _is_shown(shop: Shop, sku: str) -> bool:
    return bool(shop.availability(sku)[0]["available_now"] > 0)


def _where(buyer: Buyer) -> Json:
    return {"channel_id": RESTING_CHANNEL, "country": buyer.country, "postcode": buyer.postcode}


def _slot(api: Api, buyer: Buyer) -> str:
    """The first in which the furniture can come."""
    until = (datetime.now(UTC).date() + timedelta(days=28)).isoformat()
    found = api.get(
        "/v1/delivery-slots",
        "customer_service",
        country=buyer.country,
        postcode=buyer.postcode,
        until_date=until,
        carrier_id="vallier",
        service_id="vallier-rendez-vous",
    )
    return str(found["items"][0]["id"])


def _let_go(api: Api, order: Json) -> None:
    """Holds of its work first: what it waits for decides when its money is needed."""
    held = [one for one in order["holds"] if not one["ended_at"]]
    for hold in sorted(held, key=lambda one: not one["fulfilment_id"]):
        api.post(
            f"/v1/orders/{order['id']}/holds/{hold['hold_id']}/release", "customer_service", {"reason": "counted"}
        )


def _bring_forward(system: System, order_id: str) -> None:
    url = system.stack.database_url("orders").replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute(_OUT_NOW, (order_id,)).rowcount != 1:
            raise ValueError(f"{order_id} has no work of one point")
