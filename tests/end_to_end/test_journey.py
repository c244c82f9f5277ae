"""The journeys of an order over every process: as `oms demo` shows them, and the ones with a turn in them."""

import json
import re
import subprocess
import sys

from typer.testing import CliRunner, Result

from cli.client import Api, Json
from cli.main import app
from cli.people import Buyer, Office, Shop, Store
from tests.end_to_end.conftest import Delivered
from tests.end_to_end.journeys import article, carry, deliver, prepare, shippers
from tests.stack import SharedStack


def demo(stack: SharedStack, *words: str) -> subprocess.CompletedProcess[str]:
    """`oms demo` on the running system, as a command of its own."""
    command = [sys.executable, "-m", "cli.main", "demo", *words, "--state", str(stack.state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def oms(stack: SharedStack, *words: str) -> Result:
    """Any other command, in this process: it starts sooner."""
    return CliRunner().invoke(app, [*words, "--state", str(stack.state)])


def order_in(output: str) -> str:
    found = re.search(r"ord_[0-9a-f]{32}", output)
    assert found, output
    return found[0]


def amounts(payment: Json | None) -> dict[str, int]:
    assert payment is not None
    return {name: payment[name]["amount_minor"] for name in ("authorized", "captured", "voided", "refunded")}


def test_the_demo_ends_delivered_captured_and_closed(stack: SharedStack, office: Office) -> None:
    done = demo(stack)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in (
        "available on app-fr",
        "placed",
        "accepts",
        "picks",
        "packs",
        "hands over",
        "delivered",
        "closed",
    ):
        assert word in done.stdout
    order = office.order(order_in(done.stdout))
    assert (order["status"], order["customer_status"]) == ("closed", "delivered")
    total = order["total"]["amount_minor"]
    paid = amounts(office.payment(order["id"]))
    assert paid == {"authorized": total, "captured": total, "voided": 0, "refunded": 0}


def test_the_demo_goes_to_the_next_point_when_the_first_refuses(stack: SharedStack, office: Office) -> None:
    done = demo(stack, "--refuse-first")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = office.order(order_in(done.stdout))["fulfilments"]
    assert (first["status"], first["refusal_reason"], second["status"]) == ("refused", "no_time", "delivered")
    assert first["point_id"] != second["point_id"]


def test_the_demo_has_a_name_engraved_where_it_can_be(stack: SharedStack, office: Office) -> None:
    done = demo(stack, "--personalise", "Zoé")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "to put on line 1: Zoé" in done.stdout
    order = office.order(order_in(done.stdout))
    (work,) = order["fulfilments"]
    assert (work["status"], work["lines"][0]["personalisations"]) == ("delivered", ["engraved_name"])
    assert work["personalised_at"] is not None


def test_the_demo_shows_everything_undone_after_a_cancellation(stack: SharedStack, office: Office) -> None:
    done = demo(stack, "--cancel")
    assert done.returncode == 0, done.stdout + done.stderr
    order = office.order(order_in(done.stdout))
    assert order["status"] == "cancelled"
    assert amounts(office.payment(order["id"]))["captured"] == 0


def test_the_demo_fails_with_a_clear_word_when_the_order_cannot_be_placed(stack: SharedStack) -> None:
    unknown = oms(stack, "demo", "--sku", "NO-SUCH-ARTICLE")
    assert (unknown.exit_code, "there is no article NO-SUCH-ARTICLE" in unknown.stdout) == (1, True)
    too_many = oms(stack, "demo", "--quantity", "90000", "--sku", "ODRS-ALIZE-NV-36")
    assert (too_many.exit_code, "not offered" in too_many.stdout) == (1, True)


def test_an_order_is_shown_as_a_page_and_as_json(stack: SharedStack, delivered: Delivered) -> None:
    page = oms(stack, "order", "show", delivered.order_id)
    assert page.exit_code == 0, page.stderr
    for word in ("closed", "delivered", "69002 Lyon", "captured", delivered.sku):
        assert word in page.stdout
    as_json = oms(stack, "order", "show", delivered.order_id, "--json")
    assert json.loads(as_json.stdout)["id"] == delivered.order_id
    assert delivered.order_id in oms(stack, "order", "list", "--size", "500").stdout
    assert delivered.order_id not in oms(stack, "order", "list", "--late", "--size", "500").stdout
    missing = oms(stack, "order", "show", "ord_00000000000000000000000000000000")
    assert (missing.exit_code, "ORDER_NOT_FOUND" in missing.stderr) == (1, True)


def test_an_order_that_no_point_can_serve_alone_is_split_and_says_so(
    stack: SharedStack, api: Api, shop: Shop, office: Office
) -> None:
    def needs_two(figures: dict[str, int]) -> bool:
        units = sorted(figures.values(), reverse=True)
        return figures == shippers(figures) and len(units) > 2 and units[1] > 1

    sku, figures = article(shop, needs_two)
    wanted = max(figures.values()) + 1
    placed = shop.place(shop.order_content([(sku, wanted)], Buyer(), shipping_minor=490))
    order = deliver(api, placed["id"])
    assert order["customer_status"] == "delivered"
    assert len({work["point_id"] for work in order["fulfilments"]}) == len(order["fulfilments"]) == 2
    explained = oms(stack, "explain", order["id"], "--why-not", order["fulfilments"][0]["point_id"])
    assert explained.exit_code == 0, explained.stderr
    for words in ("It is split because no single point had every unit", "is used.", "that is proved", "ruleset"):
        assert words in explained.stdout

    # Each parcel was captured for itself; the delivery fee with the first.
    payment = office.payment(order["id"])
    assert payment is not None
    captures = [one for one in payment["operations"] if one["kind"] == "capture"]
    assert sorted(one["amount"]["amount_minor"] for one in captures) == sorted(
        work["parcel"]["amount"]["amount_minor"] for work in order["fulfilments"]
    )
    assert amounts(payment)["captured"] == order["total"]["amount_minor"]
    assert office.moved(sku, order["id"]) == {"on_hand": -wanted, "reserved": 0, "unavailable": 0, "short": 0}


def test_units_that_a_picker_does_not_find_come_from_another_point(api: Api, shop: Shop, office: Office) -> None:
    def has_others(figures: dict[str, int]) -> bool:
        return figures == shippers(figures) and len([one for one in figures.values() if one > 1]) > 2

    sku, _ = article(shop, has_others)
    placed = shop.place(shop.order_content([(sku, 2)], Buyer(), shipping_minor=490))
    released = shop.wait_status(placed["id"], "released")
    first = released["fulfilments"][0]
    before = office.balance(sku, first["point_id"])["unavailable"]
    carry(api, prepare(api, first, missing=1))
    order = deliver(api, placed["id"])

    assert order["customer_status"] == "delivered"
    assert first["point_id"] not in [work["point_id"] for work in order["fulfilments"][1:]]
    assert {(units["state"], units["to_unit"] - units["from_unit"]) for units in order["units"]} == {
        ("delivered", 1)
    }
    assert office.balance(sku, first["point_id"])["unavailable"] == before + 1
    assert office.moved(sku, order["id"]) == {"on_hand": -2, "reserved": 0, "unavailable": 1, "short": 0}
    assert amounts(office.payment(order["id"]))["captured"] == order["total"]["amount_minor"]


def test_a_store_sees_only_its_own_work(api: Api, shop: Shop) -> None:
    sku, _ = article(shop, lambda figures: figures == shippers(figures) and len(figures) > 1)
    placed = shop.place(shop.order_content([(sku, 1)], Buyer(), shipping_minor=490))
    work = shop.wait_status(placed["id"], "released")["fulfilments"][0]
    other = "st-rennes" if work["point_id"] != "st-rennes" else "st-lille"
    assert Store(api, other).work(placed["id"]) is None
    stranger = Store(api, other)
    refused = api.send("POST", f"/v1/fulfilments/{work['id']}/accept", "store", stranger.scope)
    assert refused.status_code == 404
    shop.cancel(placed["id"])
    shop.wait_status(placed["id"], "cancelled")
