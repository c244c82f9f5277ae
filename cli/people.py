"""The people around an order, each acting over REST with a token of his own: a shop, a store, a carrier.

The demo and the end-to-end tests play them. They know the API and nothing behind it.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cli.client import Api, Json, Problem, wait_for
from deploy.local.tokens import Scope

STANDARD_RATE_BASIS_POINTS = 2000
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Buyer:
    """Who orders, and where it goes."""

    name: str = "Camille Exemple"
    email: str = "camille@example.org"
    phone: str = "+33 1 99 00 12 34"
    street: str = "3 rue de la Barre"
    postcode: str = "69002"
    city: str = "Lyon"
    country: str = "FR"

    @property
    def customer(self) -> Json:
        """As an order names the buyer."""
        return {"name": self.name, "email": self.email, "phone": self.phone}

    @property
    def address(self) -> Json:
        """As an order names the destination."""
        return {
            "name": self.name,
            "street_lines": [self.street],
            "postcode": self.postcode,
            "city": self.city,
            "country": self.country,
        }


class Shop:
    """A sales channel: shows stock and promises, places orders and follows them."""

    def __init__(self, api: Api, channel_id: str) -> None:
        self._api = api
        self.channel_id = channel_id
        self._scope = Scope(channels=(channel_id,))

    def items(self, *skus: str) -> list[Json]:
        """Articles in SKU order: those named, or the first of the catalogue."""
        rows: list[Json] = self._api.get("/v1/items", "supply_chain", size=500, sku=list(skus))["items"]
        return rows

    def availability(self, *skus: str) -> list[Json]:
        """What the channel shows, with the inputs point by point."""
        path = f"/v1/channels/{self.channel_id}/availability"
        rows: list[Json] = self._api.get(path, "channel", self._scope, sku=list(skus), explain=True)["items"]
        return rows

    def promise(
        self, basket: Sequence[tuple[str, int]], buyer: Buyer, personal: Mapping[str, str] = NOTHING
    ) -> Json:
        """The ways to have the basket: `quote_id`, `options`, `not_offered`. `personal`: as in `order_content`."""
        lines: list[Json] = [{"sku": sku, "quantity": quantity} for sku, quantity in basket]
        lines[0]["personalisations"] = list(personal)
        body = {
            "channel_id": self.channel_id,
            "destination": {"country": buyer.country, "postcode": buyer.postcode},
            "lines": lines,
        }
        return self._api.post("/v1/promises", "channel", body, scope=self._scope)

    def order_content(
        self,
        basket: Sequence[tuple[str, int]],
        buyer: Buyer,
        *,
        shipping_minor: int = 0,
        quote_id: str = "",
        payment: Json | None = None,
        personal: Mapping[str, str] = NOTHING,
    ) -> Json:
        """An order priced as the catalogue says; the delivery fee stands on its first line.

        `personal`: the texts that are put on units of that line, by the names that its item has for them.
        """
        items = self.items(*(sku for sku, _ in basket))
        return {
            **priced(self.channel_id, items, basket, shipping_minor, personal),
            "channel_order_number": f"D-{uuid.uuid4().hex[:8]}",
            "customer": buyer.customer,
            "ship_to": buyer.address,
            "mode": "home_standard",
            "quote_id": quote_id,
            "payment": payment or {"payment_method_token": "pm_card_visa"},
        }

    def place(self, content: Json, key: str = "") -> Json:
        """The placed order: `id`, `status`, `promise`... Raises Problem when it is refused."""
        headers = {"Idempotency-Key": key or f"demo-{uuid.uuid4().hex}"}
        return self._api.post("/v1/orders", "channel", content, scope=self._scope, headers=headers)

    def order(self, order_id: str) -> Json:
        """The order as it stands."""
        return self._api.get(f"/v1/orders/{order_id}", "channel", self._scope)

    def codes(self, order_id: str) -> list[Json]:
        """By which the customer collects what is ready."""
        path = f"/v1/orders/{order_id}/collection-codes"
        rows: list[Json] = self._api.get(path, "channel", self._scope)["items"]
        return rows

    def cancel(self, order_id: str, reason: str = "changed my mind") -> Json:
        """Asks for cancellation."""
        return self._api.post(f"/v1/orders/{order_id}/cancel", "channel", {"reason": reason}, scope=self._scope)

    def wait(self, order_id: str, what: str, ready: Callable[[Json], bool], seconds: float = 30) -> Json:
        """The order once it is `ready`."""

        def look() -> Json | None:
            order = self.order(order_id)
            return order if ready(order) else None

        return wait_for(what, look, seconds)

    def wait_status(self, order_id: str, *statuses: str, seconds: float = 30) -> Json:
        """The order once it has one of these statuses."""
        what = f"status {' or '.join(statuses)} of {order_id}"
        return self.wait(order_id, what, lambda order: order["status"] in statuses, seconds)


def priced(
    channel_id: str,
    items: Sequence[Json],
    basket: Sequence[tuple[str, int]],
    shipping_minor: int,
    personal: Mapping[str, str] = NOTHING,
) -> Json:
    """The part of an order that says what is bought and for how much, priced as the catalogue's items say."""
    known = {item["sku"]: item for item in items}
    lines = [
        _line(channel_id, number, known[sku], quantity, NOTHING if number > 1 else personal)
        for number, (sku, quantity) in enumerate(basket, 1)
    ]
    lines[0]["shipping_minor"] = shipping_minor
    total = sum(line["net_minor"] + line["tax_minor"] + line["shipping_minor"] for line in lines)
    return {"channel_id": channel_id, "lines": lines, "total": {"amount_minor": total, "currency": "EUR"}}


def _line(channel_id: str, number: int, item: Json, quantity: int, personal: Mapping[str, str]) -> Json:
    surcharges = [one["surcharges"] for one in item.get("personalisations", []) if one["name"] in personal]
    prices = [one for some in (item["prices"], *surcharges) for one in some if one["channel_id"] == channel_id]
    paid = sum(one["price"]["amount_minor"] for one in prices) * quantity
    net = round(paid * 10_000 / (10_000 + STANDARD_RATE_BASIS_POINTS))
    return {
        "line_number": number,
        "sku": item["sku"],
        "brand": item["brand"],
        "title": item["title"],
        "quantity": quantity,
        "net_minor": net,
        "tax_minor": paid - net,
        "tax_rate_basis_points": STANDARD_RATE_BASIS_POINTS,
        "shipping_minor": 0,
        "discounts": [],
        "personalisations": [{"name": name, "text": text} for name, text in personal.items()],
    }


class Store:
    """The people of one stock point."""

    def __init__(self, api: Api, point_id: str) -> None:
        self._api = api
        self.point_id = point_id
        self.scope = Scope(stores=(point_id,))

    def work(self, order_id: str) -> Json | None:
        """The open work for an order in the point's list."""
        rows = self._api.rows(f"/v1/points/{self.point_id}/work", "store", self.scope, size=200)
        return next((work for work in rows if work["order_id"] == order_id), None)

    def wait_offer(self, order_id: str) -> Json:
        """The work for an order once it is offered."""

        def look() -> Json | None:
            work = self.work(order_id)
            return work if work and work["status"] == "offered" else None

        return wait_for(f"an offer of {order_id} to {self.point_id}", look)

    def accept(self, work: Json) -> Json:
        """Takes the work."""
        return self._act(work, "accept")

    def refuse(self, work: Json, reason: str = "no_time") -> Json:
        """Does not take the work."""
        return self._act(work, "refuse", {"reason": reason})

    def pick(self, work: Json, missing: int = 0) -> Json:
        """Finds everything but `missing` units of the first line."""
        found = [{"line_number": line["line_number"], "quantity": line["quantity"]} for line in work["lines"]]
        found[0]["quantity"] -= missing
        return self._act(work, "pick", {"found": found})

    def personalise(self, work: Json) -> Json:
        """Puts on the units what was ordered, from beginning to end."""
        self._act(work, "personalisation-begin")
        return self._act(work, "personalisation-complete")

    def texts(self, work: Json) -> list[Json]:
        """What is to be put on them."""
        texts: list[Json] = self._api.get(f"/v1/fulfilments/{work['id']}", "store", self.scope)["texts"]
        return texts

    def pack(self, work: Json, weight_grams: int = 600) -> Json:
        """Closes the parcel."""
        return self._act(work, "pack", {"weight_grams": weight_grams})

    def hand_over(self, work: Json, tracking_code: str = "") -> Json:
        """Gives the parcel to the carrier."""
        return self._act(work, "hand-over", {"tracking_code": tracking_code})

    def receive(self, work: Json) -> Json:
        """Opens a parcel that another point sent here, in which all is there."""
        units = [{"line_number": line["line_number"], "quantity": line["quantity"]} for line in work["lines"]]
        return self._act(work, "receive", {"units": units})

    def put_aside(self, work: Json, shelf: str = "") -> Json:
        """Keeps what was picked for its customer."""
        return self._act(work, "ready", {"shelf": shelf})

    def book_compartment(self, work: Json) -> Json:
        """Asks the store's locker for one; `locker.compartment` is empty when none is free."""
        return self._act(work, "compartment")

    def collect(self, work: Json, code: str) -> Json:
        """Hands over what waits to whoever has the code."""
        return self._act(work, "collect", {"code": code})

    def wait_captured(self, work: Json) -> Json:
        """The work once its parcel may leave."""

        def look() -> Json | None:
            seen = self._api.get(f"/v1/fulfilments/{work['id']}", "store", self.scope)
            if seen["parcel"] and seen["parcel"]["capture_state"] == "failed":
                raise CaptureFailed(f"the capture for {work['id']} failed")
            return seen if seen["parcel"] and seen["parcel"]["capture_state"] != "pending" else None

        return wait_for(f"the capture for {work['id']}", look)

    def _act(self, work: Json, action: str, body: Json | None = None) -> Json:
        return self._api.post(f"/v1/fulfilments/{work['id']}/{action}", "store", body, scope=self.scope)


class CaptureFailed(Exception):
    """A parcel's money could not be captured."""


class Carrier:
    """A carrier that scans parcels."""

    def __init__(self, api: Api, carrier_id: str) -> None:
        self._api = api
        self._carrier_id = carrier_id

    def scan(self, tracking_code: str, status: str) -> Json:
        """For example `in_transit` or `delivered`, now."""
        body = {
            "event_id": f"scan-{uuid.uuid4().hex}",
            "carrier_id": self._carrier_id,
            "tracking_code": tracking_code,
            "status": status,
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        return self._api.post("/v1/carrier-events", "carrier", body)


class Service:
    """Customer service, when it decides something."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def declare_lost(self, work: Json, reason: str, cause: str = "lost") -> Json:
        """Knows that a parcel does not arrive."""
        body = {"cause": cause, "reason": reason}
        return self._api.post(f"/v1/fulfilments/{work['id']}/declare-lost", "customer_service", body)

    def decide(self, work: Json, decision: str) -> Json:
        """`reship` or `refund`."""
        path = f"/v1/fulfilments/{work['id']}/decide"
        return self._api.post(path, "customer_service", {"decision": decision})


class Office:
    """Customer service, finance and supply chain: they see, and do not act."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def order(self, order_id: str) -> Json:
        """The order with everything."""
        return self._api.get(f"/v1/orders/{order_id}", "customer_service")

    def timeline(self, order_id: str) -> list[Json]:
        """What happened to the order, oldest first."""
        entries: list[Json] = self._api.get(f"/v1/orders/{order_id}/timeline", "customer_service")["items"]
        return entries

    def payment(self, order_id: str) -> Json | None:
        """The order's payment with its operations; None when it has none (yet)."""
        try:
            return self._api.get(f"/v1/orders/{order_id}/payment", "finance")
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    def balance(self, sku: str, point_id: str) -> Json:
        """What the point holds of the article."""
        rows = self._api.get("/v1/stock/balances", "supply_chain", sku=sku, point_id=point_id)["items"]
        none = {"sku": sku, "point_id": point_id, "on_hand": 0, "reserved": 0, "unavailable": 0, "short": 0}
        found: Json = rows[0] if rows else none
        return found

    def moved(self, sku: str, order_id: str) -> Json:
        """What the order has done to the article's stock so far: sums of its movements over all points."""
        sums = {"on_hand": 0, "reserved": 0, "unavailable": 0, "short": 0}
        for movement in self._api.rows("/v1/stock/movements", "supply_chain", sku=sku, size=500):
            if movement["reservation_id"] == order_id:
                for name in sums:
                    sums[name] += movement[f"{name}_delta"]
        return sums
