"""Parcels over every process: what the simulated carriers post becomes the order's; what is lost is sent again."""

from collections.abc import Iterator

import httpx
import pytest

from cli.client import Api, Json
from cli.people import Buyer, Office, Service, Shop
from tests.end_to_end.conftest import PLANTED_WORDS
from tests.end_to_end.journeys import prepare, well_stocked
from tests.end_to_end.test_journey import amounts, demo, oms, order_in
from tests.stack import SharedStack


class Carriers:
    """The simulated carriers, with the key of the system."""

    def __init__(self, stack: SharedStack) -> None:
        self._http = httpx.Client(
            base_url=f"http://{stack.addresses['carrier']}",
            headers={"Authorization": f"Bearer {stack.stack.keys.carrier_api_key}"},
        )

    def close(self) -> None:
        self._http.close()

    def announce(self, work: Json) -> str:
        """The tracking code of the work's parcel."""
        body = {"reference": work["id"], "weight_grams": 600}
        answer = self._http.post(f"/{work['carrier_id']}/shipments", json=body).raise_for_status()
        return str(answer.json()["tracking_code"])

    def fault(self, kind: str, tracking_code: str) -> None:
        self._http.post("/_faults", json={"kind": kind, "tracking_code": tracking_code}).raise_for_status()

    def play(self, work: Json, fate: str) -> None:
        path = f"/_desk/{work['carrier_id']}/{work['parcel']['tracking_code']}/fate"
        self._http.post(path, json={"fate": fate}).raise_for_status()


@pytest.fixture
def carriers(stack: SharedStack) -> Iterator[Carriers]:
    made = Carriers(stack)
    yield made
    made.close()


def sent(api: Api, shop: Shop, carriers: Carriers) -> Json:
    """The work of an order whose parcel was handed over with the carrier's own tracking code."""
    placed = shop.place(shop.order_content([(well_stocked(shop), 1)], Buyer(), shipping_minor=490))
    order = shop.wait_status(placed["id"], "released")
    work = order["fulfilments"][0]
    return prepare(api, work, tracking_code=carriers.announce(work))


def test_what_a_carrier_posts_twice_and_out_of_order_is_told_once(
    stack: SharedStack, api: Api, shop: Shop, office: Office, carriers: Carriers
) -> None:
    work = sent(api, shop, carriers)
    for kind in ("duplicate", "out_of_order"):
        carriers.fault(kind, work["parcel"]["tracking_code"])
    carriers.play(work, "absent_once")
    order = shop.wait_status(work["order_id"], "closed")
    (done,) = order["fulfilments"]
    assert (done["status"], done["parcel"]["failed_deliveries"]) == ("delivered", 1)
    assert done["parcel"]["proof"] == {"signed": True, "photo_reference": None}
    told = [entry["kind"] for entry in office.timeline(order["id"])]
    assert [told.count(kind) for kind in ("parcel.delivery_failed", "fulfilment.delivered")] == [1, 1]
    assert "A. Neighbour" not in str(office.timeline(order["id"])) + str(order)
    assert not any(word in str(office.timeline(order["id"])) for word in PLANTED_WORDS)
    page = httpx.get(
        f"{stack.gateway_url}/console/orders/{order['id']}",
        cookies=_signed_in(stack),
    )
    assert "signed for" in page.text


def test_a_parcel_that_is_refused_comes_back_and_is_refunded(
    api: Api, shop: Shop, office: Office, carriers: Carriers
) -> None:
    work = sent(api, shop, carriers)
    carriers.play(work, "refused")
    order = shop.wait_status(work["order_id"], "closed")
    assert (order["customer_status"], order["fulfilments"][0]["parcel"]["failure_reason"]) == (
        "returned",
        "refused",
    )

    def is_refunded(_: Json) -> bool:
        return bool(amounts(office.payment(order["id"]))["refunded"] == order["total"]["amount_minor"])

    shop.wait(order["id"], "the refund", is_refunded)


def test_a_lost_parcel_waits_on_the_list_and_is_refunded_by_a_command(
    stack: SharedStack, api: Api, shop: Shop, office: Office, carriers: Carriers
) -> None:
    work = sent(api, shop, carriers)
    Service(api).declare_lost(work, "the claims desk says so")
    listed = oms(stack, "order", "list", "--undecided-loss")
    assert work["order_id"] in listed.stdout
    assert "decide by" in oms(stack, "order", "show", work["order_id"]).stdout.replace("\n", " ")
    done = oms(stack, "order", "decide", work["id"], "refund")
    assert (done.exit_code, done.stdout) == (0, "its units are refunded\n")
    assert "ALREADY_DECIDED" in oms(stack, "order", "decide", work["id"], "reship").output
    assert shop.wait_status(work["order_id"], "closed")["customer_status"] == "refunded"
    told = [one["kind"] for one in office.timeline(work["order_id"])[-3:]]
    assert set(told) == {"order.closed", "order.refund_succeeded", "document.issued"}, "a credit note too"


def test_the_demo_sends_a_lost_parcel_again(stack: SharedStack, office: Office) -> None:
    done = demo(stack, "--lose")
    assert done.returncode == 0, done.stdout + done.stderr
    lost, again = office.order(order_in(done.stdout))["fulfilments"]
    assert (lost["status"], again["status"], again["replaces"]) == ("lost", "delivered", lost["id"])


def _signed_in(stack: SharedStack) -> httpx.Cookies:
    answer = httpx.post(f"{stack.gateway_url}/console/login", data={"token": stack.token("customer_service")})
    return answer.cookies
