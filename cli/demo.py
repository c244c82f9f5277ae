"""`oms demo`: an order goes the whole way on the running system, over REST only, with everyone played.

Ends with exit code 0 only if the order, its stock and its money are where they must be at the end.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from cli import show
from cli.client import Api, Json, Problem, TookTooLong, wait_for
from cli.people import Buyer, CaptureFailed, Carrier, Office, Service, Shop, Store
from cli.state import DEFAULT_STATE, StateOption, running_system

# The channel with the short cooling-off, so that the order can be followed in one sitting.
CHANNEL = "app-fr"
_MAX_REFUSALS = 1
_MAX_LOSSES = 1


class Differs(Exception):
    """The order did not end as it must; says in what."""


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    sku: Annotated[str, typer.Option(help="The article; one that several stores have unless given.")] = "",
    quantity: Annotated[int, typer.Option(min=1, help="How many units.")] = 1,
    refuse_first: Annotated[bool, typer.Option(help="The first point refuses; the next one does it.")] = False,
    cancel: Annotated[bool, typer.Option(help="The customer cancels while it is still possible.")] = False,
    lose: Annotated[bool, typer.Option(help="The carrier loses the first parcel; it is sent again.")] = False,
    personalise: Annotated[str, typer.Option(help="What the customer has put on it, for example a name.")] = "",
    collect: Annotated[bool, typer.Option(help="The customer collects it at a store near by.")] = False,
    to_store: Annotated[bool, typer.Option(help="The same at a store that lacks it: it is sent there.")] = False,
    locker: Annotated[bool, typer.Option(help="The same from a locker of the store, opened with a code.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Place an order and follow it to the customer's door, with its stock and its money at each step."""
    console = show.console()
    running = running_system(state)
    with Api.of(running.gateway_url, state) as api:
        kind = SentToStoreJourney if to_store else CollectedJourney if collect else Journey
        journey = kind(api, console, sku, quantity, personalise)
        if locker:
            journey = LockerJourney(api, console, sku, quantity, doors=f"http://{running.addresses['locker']}")
        try:
            if isinstance(journey, CollectedJourney):
                journey.to_the_counter()
            elif cancel:
                journey.to_cancellation()
            else:
                journey.to_the_door(
                    refusals=_MAX_REFUSALS if refuse_first else 0, losses=_MAX_LOSSES if lose else 0
                )
        except (Problem, TookTooLong, Differs, CaptureFailed, httpx.HTTPError) as error:
            console.print(f"\n[red]The order did not go the way it must.[/] {escape(str(error))}", soft_wrap=True)
            if journey.order_id:
                console.print(f"Look at it: oms order show {journey.order_id}")
            raise typer.Exit(1) from None


class Journey:
    """One order from the product page to its end."""

    def __init__(self, api: Api, console: Console, sku: str, quantity: int, text: str = "") -> None:
        self._api = api
        self._console = console
        self._shop = Shop(api, CHANNEL)
        self._office = Office(api)
        self._buyer = Buyer()
        self._sku = sku
        self._quantity = quantity
        self._text = text
        self.order_id = ""

    def to_the_door(self, refusals: int, losses: int = 0) -> None:
        """Placed, released, prepared, carried, delivered, closed. Raises Differs if it ends otherwise."""
        self._place()
        self._tell("released", self._shop.wait_status(self.order_id, "released"))
        while work := self._next_work():
            store = Store(self._api, work["point_id"])
            work = store.wait_offer(self.order_id)
            if refusals:
                refusals -= 1
                store.refuse(work)
                self._tell(f"{store.point_id} refuses: no time", self._wait_another(work))
                continue
            self._prepare(store, work)
            if losses:
                losses -= 1
                self._lose(self._fulfilment(work["id"]))
            else:
                self._carry(self._fulfilment(work["id"]))
        self._tell("closed", self._shop.wait_status(self.order_id, "closed", "cancelled"))
        self._tell_timeline()
        self._check_delivered()
        self._console.print(f"\n[green]Delivered, captured, closed.[/] oms order show {self.order_id}")

    def to_cancellation(self) -> None:
        """Placed, then cancelled in cooling-off: everything is undone. Raises Differs if not."""
        self._place()
        self._shop.cancel(self.order_id)
        self._tell("cancelled", self._shop.wait_status(self.order_id, "cancelled"))
        self._tell_timeline()
        self._check_undone()
        self._console.print(f"\n[green]Cancelled, and everything undone.[/] oms order show {self.order_id}")

    # -- steps ------------------------------------------------------------------------------------------

    def _place(self) -> None:
        self._sku = self._sku or self._choose_article()
        item = self._shop.items(self._sku)
        if not item:
            raise Differs(f"there is no article {self._sku}")
        if self._text and not item[0]["personalisations"]:
            raise Differs(f"nothing is put on {self._sku}")
        self._console.print(f"[bold]{escape(item[0]['title'])}[/] ({self._sku}), {self._quantity} wanted")
        shown = self._shop.availability(self._sku)[0]["available_now"]
        self._console.print(f"available on {CHANNEL}: {shown}")
        basket = [(self._sku, self._quantity)]
        personal = {item[0]["personalisations"][0]["name"]: self._text} if self._text else {}
        promise = self._shop.promise(basket, self._buyer, personal)
        placed = self._shop.place(self._content(basket, promise, personal))
        self.order_id = placed["id"]
        order = self._shop.wait(
            self.order_id, "an outcome of the placement", lambda one: one["status"] != "recorded"
        )
        if order["status"] != "validated":
            raise Differs(f"the order is {order['status']}, not validated")
        self._tell("placed", order)

    def _content(self, basket: list[tuple[str, int]], promise: Json, personal: dict[str, str]) -> Json:
        """What is ordered of what was promised: standard delivery."""
        price = self._tell_promise(promise)
        return self._shop.order_content(
            basket, self._buyer, shipping_minor=price, quote_id=promise["quote_id"], personal=personal
        )

    def _prepare(self, store: Store, work: Json) -> None:
        point = store.point_id
        store.accept(work)
        self._tell(f"{point} accepts", self._order())
        store.pick(work)
        self._tell(f"{point} picks", self._order())
        if any(line["personalisations"] for line in work["lines"]):
            for one in store.texts(work):
                self._console.print(f"to put on line {one['line_number']}: {escape(one['text'])}")
            store.personalise(work)
            self._tell(f"{point} personalises", self._order())
        store.pack(work)
        store.wait_captured(work)
        self._tell(f"{point} packs, the parcel is paid", self._order())
        store.hand_over(work)
        self._wait_issued()
        self._tell(f"{point} hands over", self._order())

    def _carry(self, work: Json) -> None:
        carrier = Carrier(self._api, work["carrier_id"])
        for word in ("in_transit", "delivered"):
            carrier.scan(work["parcel"]["tracking_code"], word)
            self._tell(f"{work['carrier_id']} says {word.replace('_', ' ')}", self._order())

    def _lose(self, work: Json) -> None:
        Carrier(self._api, work["carrier_id"]).scan(work["parcel"]["tracking_code"], "lost")
        self._tell(f"{work['carrier_id']} says lost", self._order())
        Service(self._api).decide(work, "reship")
        self._tell("customer service sends it again", self._wait_another(work))

    def _choose_article(self) -> str:
        """One that several stores can send, best one that the warehouse does not have: stores are the story."""
        if self._text:
            return next(str(item["sku"]) for item in self._shop.items() if item["personalisations"])
        best = ""
        for row in self._shown():
            points = [point for point in row["points"] if point["available"] >= self._quantity]
            if len(points) > 1 and not any(point["point_id"].startswith("wh-") for point in points):
                return str(row["sku"])
            best = best or (row["sku"] if len(points) > 1 else "")
        if not best:
            raise Differs(f"no article of the channel has {self._quantity} at two points; give one with --sku")
        return best

    def _shown(self) -> Iterator[Json]:
        """What the channel shows of each article that it has a price for."""
        items = self._api.rows("/v1/items", "supply_chain", size=500)
        priced = (item["sku"] for item in items if any(price["channel_id"] == CHANNEL for price in item["prices"]))
        while skus := list(islice(priced, 500)):
            yield from self._shop.availability(*skus)

    # -- looking ----------------------------------------------------------------------------------------

    def _order(self) -> Json:
        return self._shop.order(self.order_id)

    def _fulfilment(self, fulfilment_id: str) -> Json:
        work: Json = next(one for one in self._order()["fulfilments"] if one["id"] == fulfilment_id)
        return work

    def _next_work(self) -> Json | None:
        """Work that is still to be done at a point."""
        open_work = [one for one in self._order()["fulfilments"] if one["status"] in ("planned", "offered")]
        return open_work[0] if open_work else None

    def _wait_another(self, refused: Json) -> Json:
        """The order once it has work in place of the refused one."""

        def has_another(order: Json) -> bool:
            return any(one["round"] > refused["round"] for one in order["fulfilments"])

        return self._shop.wait(self.order_id, "another point", has_another)

    def _wait_issued(self) -> None:
        """Until the units that left have left stock: that follows a hand-over at once, but is another's act."""

        def has_left(order: Json) -> bool:
            return bool(self._office.moved(self._sku, self.order_id)["on_hand"] == -_units_sent(order))

        self._shop.wait(self.order_id, "the units' leaving stock", has_left)

    # -- telling ----------------------------------------------------------------------------------------

    def _tell(self, what: str, order: Json) -> None:
        words = ", ".join(show.status(order[name]) for name in ("status", "fine_status"))
        words += f"; for the customer {show.status(order['customer_status'])}"
        self._console.print(f"\n[bold]{what}[/]: {words}")
        shown = {point["point_id"]: point for point in self._shop.availability(self._sku)[0]["points"]}
        for point_id in dict.fromkeys(work["point_id"] for work in order["fulfilments"]):
            held = self._office.balance(self._sku, point_id)
            free = shown.get(point_id, {}).get("available", 0)
            self._console.print(
                f"  stock  {point_id}: on hand {held['on_hand']}  reserved {held['reserved']}  "
                f"available for {CHANNEL} {free}"
            )
        self._console.print(f"  money  {show.payment(self._office.payment(self.order_id))}")

    def _tell_promise(self, promise: Json) -> int:
        """Shows what can be promised; answers the price of the standard delivery, in minor units."""
        for option in promise["options"]:
            carbon = f"{option['carbon']['grams_co2e']} g CO2e" if option["carbon"] else "no carbon figure"
            self._console.print(
                f"  {option['mode']}: {show.window(option['window'])} if ordered before "
                f"{show.moment(option['order_before'])}, {show.money(option['price'])}, "
                f"{option['parcels']} parcel(s), {carbon}{_later(option)}"
            )
        for one in promise["not_offered"]:
            self._console.print(f"  {one['mode']}: not offered, {one['reason']} {escape(one['detail'])}")
        standard = [option for option in promise["options"] if option["mode"] == "home_standard"]
        if not standard:
            raise Differs("standard delivery is not offered")
        price: int = standard[0]["price"]["amount_minor"] if standard[0]["price"] else 0
        return price

    def _tell_timeline(self) -> None:
        self._console.print("\n[bold]what happened[/]")
        self._console.print(show.timeline(self._office.timeline(self.order_id)))

    # -- judging ----------------------------------------------------------------------------------------

    def _check_delivered(self) -> None:
        order, total = self._order(), self._order()["total"]["amount_minor"]
        self._check(
            order,
            {"status": "closed", "customer_status": "delivered"},
            {"authorized": total, "captured": total, "voided": 0, "refunded": 0},
            {"on_hand": -_units_sent(order), "reserved": 0},
        )

    def _check_undone(self) -> None:
        order = self._order()
        total = order["total"]["amount_minor"]
        self._check(
            order,
            {"status": "cancelled", "customer_status": "cancelled"},
            {"authorized": total, "captured": 0, "voided": total, "refunded": 0},
            {"on_hand": 0, "reserved": 0},
        )

    def _check(self, order: Json, words: Json, amounts: Json, moves: Json) -> None:
        payment = self._office.payment(self.order_id) or {}
        paid = {name: (payment.get(name) or {}).get("amount_minor", 0) for name in amounts}
        moved = self._office.moved(self._sku, self.order_id)
        wanted = {**words, **amounts, **{f"{name} moved": value for name, value in moves.items()}}
        found = {name: order[name] for name in words} | paid | {f"{name} moved": moved[name] for name in moves}
        wrong = [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
        if wrong:
            raise Differs("; ".join(wrong))


class CollectedJourney(Journey):
    """One order from the product page to the counter."""

    mode = "click_and_collect"

    def to_the_counter(self) -> None:
        """Placed, released, picked, put aside, collected, closed. Raises Differs if it ends otherwise."""
        self._place()
        self._tell("released", self._shop.wait_status(self.order_id, "released"))
        store, work = self._fetch()
        self._put_aside(store, work)
        code = self._code()
        self._console.print(f"the customer's code: [bold]{code}[/]")
        self._hand_over(store, work, code)
        self._wait_collected(work)
        self._wait_issued()
        self._tell("the customer has it, and it is paid", self._order())
        self._tell("closed", self._shop.wait_status(self.order_id, "closed", "cancelled"))
        self._tell_timeline()
        self._check_delivered()
        self._console.print(f"\n[green]Collected, captured, closed.[/] oms order show {self.order_id}")

    def _fetch(self) -> tuple[Store, Json]:
        """The store, and its work with all that is collected there."""
        work = self._next_work()
        if work is None:
            raise Differs("no store has the work")
        store = Store(self._api, work["point_id"])
        work = store.wait_offer(self.order_id)
        store.accept(work)
        store.pick(work)
        self._tell(f"{store.point_id} accepts and picks", self._order())
        return store, work

    def _put_aside(self, store: Store, work: Json) -> None:
        store.put_aside(work, "B-12")
        self._tell(f"{store.point_id} puts it aside", self._order())

    def _hand_over(self, store: Store, work: Json, code: str) -> None:
        store.collect(work, code)

    def _content(self, basket: list[tuple[str, int]], promise: Json, personal: dict[str, str]) -> Json:
        offered = [one for one in promise["options"] if one["mode"] == self.mode]
        if not offered:
            raise Differs("it is not collected at any store near the customer")
        self._tell_promise(promise)
        content = self._shop.order_content(basket, self._buyer, quote_id=promise["quote_id"], personal=personal)
        return content | {"mode": self.mode, "collect_at_point_id": offered[0]["point_id"]}

    def _choose_article(self) -> str:
        """The first that a store near the customer hands over so."""
        for row in self._shown():
            if not any(point["available"] >= self._quantity for point in row["points"]):
                continue
            promise = self._shop.promise([(row["sku"], self._quantity)], self._buyer)
            if self._is_fit(promise["options"]):
                return str(row["sku"])
        raise Differs("no store near the customer hands anything over")

    def _is_fit(self, options: list[Json]) -> bool:
        return any(one["mode"] == self.mode for one in options)

    def _code(self) -> str:
        return str(self._shop.codes(self.order_id)[0]["code"])

    def _wait_collected(self, work: Json) -> None:
        wait_for(f"the payment of {work['id']}", lambda: self._fulfilment(work["id"])["status"] == "delivered")


class SentToStoreJourney(CollectedJourney):
    """The same where the store lacks it: another point sends it, and the store puts aside what came."""

    mode = "ship_to_store"

    def _fetch(self) -> tuple[Store, Json]:
        sent = next((one for one in self._order()["fulfilments"] if one["joins"]), None)
        if sent is None:
            raise Differs("no other point sends it")
        sender = Store(self._api, sent["point_id"])
        self._prepare(sender, sender.wait_offer(self.order_id))
        waiting = self._fulfilment(sent["joins"])
        store = Store(self._api, waiting["point_id"])
        store.receive(self._fulfilment(sent["id"]))
        self._tell(f"{store.point_id} receives what {sender.point_id} sent", self._order())
        self._shop.wait(
            self.order_id,
            "what was received",
            lambda order: any(
                one["id"] == waiting["id"] and one["status"] == "picked" for one in order["fulfilments"]
            ),
        )
        return store, self._fulfilment(waiting["id"])

    def _is_fit(self, options: list[Json]) -> bool:
        """No store near by has it, so that one of them has nothing itself."""
        return super()._is_fit(options) and not any(one["mode"] == CollectedJourney.mode for one in options)


class LockerJourney(CollectedJourney):
    """The same from a compartment of the store's locker, which the customer opens; it is paid before."""

    mode = "store_locker"

    def __init__(self, api: Api, console: Console, sku: str, quantity: int, *, doors: str) -> None:
        super().__init__(api, console, sku, quantity)
        # Near the store that has lockers.
        self._buyer = Buyer(street="14 rue du Roule", postcode="75001", city="Paris")
        self._doors = doors
        self._compartment = ""

    def _put_aside(self, store: Store, work: Json) -> None:
        store.wait_captured(work)
        self._compartment = store.book_compartment(work)["locker"]["compartment"]
        if not self._compartment:
            raise Differs(f"no compartment of {store.point_id} is free")
        store.put_aside(work)
        self._tell(f"{store.point_id} puts it into compartment {self._compartment}", self._order())

    def _hand_over(self, store: Store, work: Json, code: str) -> None:
        at = f"{self._doors}/_doors/{store.point_id}/{self._compartment}"
        httpx.post(at, json={"code": code}).raise_for_status()


def _units_sent(order: Json) -> int:
    """Units that have left their points; those of a lost parcel leave twice, those sent to a store only once."""
    joined = {one["joins"] for one in order["fulfilments"]}
    gone = [
        one
        for one in order["fulfilments"]
        if one["status"] in ("handed_over", "delivered", "lost") and one["id"] not in joined
    ]
    return sum(line["quantity"] for one in gone for line in one["lines"])


def _later(option: Json) -> str:
    """Why an option is as late as it is."""
    waits = f", from stock to come by {show.moment(option['waits_until'])}" if option["waits_until"] else ""
    release = f", released on {escape(option['release_date'])}" if option["release_date"] else ""
    return waits + release
