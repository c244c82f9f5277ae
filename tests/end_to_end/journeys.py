"""How tests bring an order from placement to its end, as the people of the trade do."""

from collections.abc import Callable
from typing import TypeVar

from cli.client import Api, Json, Problem, wait_for
from cli.demo import CHANNEL
from cli.people import Carrier, Shop, Store

__all__ = ["CHANNEL", "article", "deliver", "found_again", "prepare", "shippers", "well_stocked"]

Found = TypeVar("Found")

_OPEN = ("planned", "offered", "accepted", "picked", "packed")


def found_again(what: str, look: Callable[[], Found]) -> Found:
    """What `look` finds, once the gateway has found a service again that a test has killed."""

    def looked() -> Found | None:
        try:
            return look()
        except Problem as problem:
            if problem.reason != "UNREACHABLE":
                raise
            return None

    return wait_for(what, looked)


def article(shop: Shop, suits: Callable[[dict[str, int]], bool]) -> tuple[str, dict[str, int]]:
    """The first article of the channel whose figures, by point, suit; and the figures."""
    skus = [item["sku"] for item in shop.items()]
    for row in shop.availability(*skus):
        figures = {point["point_id"]: point["available"] for point in row["points"] if point["available"] > 0}
        if suits(figures):
            return row["sku"], figures
    raise AssertionError("no article of the demo retailer suits")


def shippers(figures: dict[str, int]) -> dict[str, int]:
    """Only stores: no warehouse or supplier that would serve the whole order alone."""
    return {point: figure for point, figure in figures.items() if point.startswith("st-")}


def well_stocked(shop: Shop) -> str:
    """An article that every test may take one of."""
    return article(shop, lambda figures: figures.get("wh-orleans", 0) > 50)[0]


def prepare(api: Api, work: Json, missing: int = 0, tracking_code: str = "") -> Json:
    """The point does its work up to the hand-over; the work after it."""
    store = Store(api, work["point_id"])
    offered = store.wait_offer(work["order_id"])
    assert offered["id"] == work["id"]
    store.accept(offered)
    picked = store.pick(offered, missing)
    if picked["status"] == "short":
        return picked
    store.pack(offered)
    store.wait_captured(offered)
    return store.hand_over(offered, tracking_code)


def carry(api: Api, work: Json) -> None:
    """The carrier brings the parcel to the door."""
    carrier = Carrier(api, work["carrier_id"])
    for status in ("in_transit", "delivered"):
        carrier.scan(work["parcel"]["tracking_code"], status)


def deliver(api: Api, order_id: str) -> Json:
    """Everything that is still to do, wherever it is; the order once it is closed."""
    shop = Shop(api, CHANNEL)

    def has_work_or_has_ended(order: Json) -> bool:
        return order["status"] == "closed" or any(one["status"] in _OPEN for one in order["fulfilments"])

    shop.wait_status(order_id, "released", "closed")
    while True:
        order = shop.wait(order_id, "work or the end", has_work_or_has_ended)
        if order["status"] == "closed":
            return order
        work = next(one for one in order["fulfilments"] if one["status"] in _OPEN)
        done = prepare(api, work)
        carry(api, done)
