"""A store associate's whole morning, on a phone in a real browser: 30 offers, from the first tap to the driver."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypdfium2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from cli.client import Api, Json, body_of, wait_for
from cli.people import Buyer, Office, Shop, Store
from deploy.local.tokens import Scope
from kit.values.gs1 import check_digit
from tests.end_to_end.journeys import CHANNEL
from tests.end_to_end.test_store import PHONE, browser, is_usable, phone, step
from tests.stack import SharedStack

__all__ = ["browser", "phone"]

pytestmark = pytest.mark.browser

POINT = "st-lille"
OFFERS, REFUSED = 30, 2
# Where they lie: the hats come before the shirts on the walk; nobody said where the bags are.
SHIRT, HAT, BAG = "MORNING-SHIRT", "MORNING-HAT", "MORNING-BAG"
LOCATIONS = {SHIRT: ("A-02-1", 20), HAT: ("B-01-3", 10)}
GTINS = {
    sku: body + check_digit(body)
    for sku, body in ((SHIRT, "20000000001"), (HAT, "20000000002"), (BAG, "20000000003"))
}


@pytest.fixture(scope="module")
def api(stack: SharedStack) -> Iterator[Api]:
    with Api.of(stack.gateway_url, stack.state) as api:
        yield api


@pytest.fixture(scope="module")
def shop(api: Api) -> Shop:
    """Sells three articles that only the one store has."""
    shop = Shop(api, CHANNEL)
    like = wait_for("the articles", lambda: next((one for one in shop.items() if one["prices"]), None))
    prices = [{"channel_id": CHANNEL, "price": {"amount_minor": 2900, "currency": "EUR"}}]
    items = [
        {
            "sku": sku,
            "gtin": gtin,
            "title": sku.title(),
            "brand": like["brand"],
            "weight_grams": 300,
            "prices": prices,
        }
        for sku, gtin in GTINS.items()
    ]
    body_of(api.send("PUT", "/v1/items", "supply_chain", json={"items": items}))
    deltas = [{"sku": sku, "point_id": POINT, "quantity": 100} for sku in GTINS]
    receipt = {"deltas": deltas, "cause": "receipt"}
    api.post("/v1/stock/adjustments", "supply_chain", receipt, headers={"Idempotency-Key": "morning"})
    facts = [
        {"sku": sku, "point_id": POINT, "location": {"location": location, "walk_order": order}}
        for sku, (location, order) in LOCATIONS.items()
    ]
    body_of(api.send("PUT", "/v1/merchandising/facts", "supply_chain", json={"facts": facts}))
    return shop


def placed(shop: Shop) -> list[str]:
    """30 orders: a shirt each, with every third a hat, with every tenth two bags."""

    def place(number: int) -> str:
        basket = [(SHIRT, 1)] + ([(HAT, 1)] if number % 3 == 0 else []) + ([(BAG, 2)] if number % 10 == 0 else [])
        content = shop.order_content(basket, Buyer(postcode="59800", city="Lille"))
        return str(shop.place({**content, "channel_order_number": f"MORNING-{number}"})["id"])

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(place, range(OFFERS)))


def work_list(api: Api, *statuses: str) -> list[Json]:
    scope = Store(api, POINT).scope
    return list(api.rows(f"/v1/points/{POINT}/work", "store", scope, status=list(statuses), size=200))


def count_of(page: Page, name: str, count: int) -> None:
    expect(page.get_by_role("navigation").get_by_role("link", name=name)).to_contain_text(str(count))


def scan(page: Page, code: str) -> None:
    """As a scanner does that types into the field; how fast is not told apart there."""
    field = page.locator("#code")
    field.fill(code)
    field.press("Enter")


def pick_by_list(page: Page, folder: Path, *, damaged: bool) -> int:
    """Everything on the next list is scanned, but perhaps one shirt, which is damaged; how many works it had."""
    page.get_by_role("button", name="Pick the next ones together").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pick list")
    lines = page.locator(".line[data-wanted]")
    walk = [name for name in lines.locator("strong").all_text_contents() if name != BAG.title()]
    assert walk == [sku.title() for sku in (HAT, SHIRT) if sku.title() in walk]
    works = page.locator(".slots li").count()
    if damaged:
        page.screenshot(path=folder / "pick-list.png")
        is_usable(page)
    for number in range(lines.count()):
        line = lines.nth(number)
        sku = next(sku for sku in GTINS if sku.title() == line.locator("strong").text_content())
        missing = 1 if damaged and sku == SHIRT else 0
        for _ in range(int(line.get_attribute("data-wanted") or 0) - missing):
            scan(page, GTINS[sku])
        expect(page.locator("#heard")).to_contain_text(f"{sku.title()}: ")
        expect(page.locator("#heard")).to_contain_text("into")
        if missing:
            line.get_by_text("Why is it missing?").click()
            line.get_by_label("Reason").select_option("damaged")
            page.screenshot(path=folder / "missing.png")
            is_usable(page)
    page.locator("#pick button").click()
    expect(page.get_by_text("List done")).to_be_visible()
    return works


def pack_one(page: Page) -> None:
    page.locator(".card[data-work] a").first.click()
    about = page.get_by_label("Weight of the closed parcel")
    about.fill(about.get_attribute("placeholder") or "")
    page.get_by_role("button", name="Close the parcel").click()
    expect(page.get_by_text("Parcel closed")).to_be_visible()
    page.goto(f"{page.url.partition('/work/')[0]}?step=picked")


@pytest.mark.attack
def test_a_morning_of_thirty_offers(
    phone: BrowserContext, stack: SharedStack, api: Api, shop: Shop, tmp_path: Path
) -> None:
    ids = placed(shop)
    wait_for("the offers", lambda: len(work_list(api, "offered")) == OFFERS or None)
    page = phone.new_page()
    page.goto(f"{stack.gateway_url}/console?next=/console/store/{POINT}")
    page.get_by_label("Access token").fill(stack.token("store", Scope(stores=(POINT,))))
    page.get_by_role("button", name="Sign in").click()
    count_of(page, "New", OFFERS)

    for left in range(OFFERS - 1, OFFERS - 1 - REFUSED, -1):
        page.locator(".card[data-work] a").first.click()
        page.get_by_text("Refuse").click()
        page.get_by_role("button", name="Nobody free").click()
        count_of(page, "New", left)
    for left in range(OFFERS - REFUSED - 1, -1, -1):
        page.get_by_role("button", name="Accept").first.click()
        count_of(page, "New", left)

    step(page, "Pick")
    page.screenshot(path=tmp_path / "to-pick.png")
    is_usable(page)
    picked = 0
    while picked < OFFERS - REFUSED:
        picked += pick_by_list(page, tmp_path, damaged=picked == 0)
        page.get_by_role("link", name="Pack").click()
        if picked < OFFERS - REFUSED:
            step(page, "Pick")
            count_of(page, "Pick", OFFERS - REFUSED - picked)
    declared = api.get(f"/v1/points/{POINT}/declarations", "supply_chain", sku=SHIRT)["items"]
    assert [(one["quantity"], one["reason"]) for one in declared] == [(1, "damaged")]

    to_pack = len(work_list(api, "picked"))
    assert OFFERS - REFUSED - 1 <= to_pack <= OFFERS - REFUSED, (
        "a work of the damaged shirt alone is no work any more"
    )
    step(page, "Pack")
    for left in range(to_pack, 0, -1):
        count_of(page, "Pack", left)
        pack_one(page)

    wait_for("the money", lambda: all(_is_paid(one) for one in work_list(api, "packed")) or None)
    page.goto(f"{stack.gateway_url}/console/store/{POINT}/manifests")
    is_usable(page)
    carriers = page.get_by_role("button", name="All handed over")
    expect(carriers.first).to_be_visible()
    gone = carriers.count()
    for left in range(gone - 1, -1, -1):
        carriers.first.click()
        expect(carriers).to_have_count(left)
        expect(page.locator(".notice.good")).to_contain_text("handed over")
    page.screenshot(path=tmp_path / "manifests.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.screenshot(path=tmp_path / "manifests-wide.png")
    page.set_viewport_size(PHONE)
    is_usable(page)
    assert work_list(api) == []
    manifests = api.get(f"/v1/points/{POINT}/manifests", "store", Store(api, POINT).scope, size=gone)["items"]
    assert sum(len(one["parcels"]) for one in manifests) == to_pack
    address = page.get_by_role("link", name="Manifest").first.get_attribute("href")
    paper = pypdfium2.PdfDocument(phone.request.get(f"{stack.gateway_url}{address}").body())
    assert manifests[0]["parcels"][0]["sscc"] in paper[0].get_textpage().get_text_range()
    statuses = [work["status"] for one in ids for work in shop.order(one)["fulfilments"]]
    assert statuses.count("handed_over") == to_pack


def test_the_shelf_is_declared_and_counted_by_scan(
    phone: BrowserContext, stack: SharedStack, api: Api, shop: Shop, tmp_path: Path
) -> None:
    page = phone.new_page()
    page.goto(f"{stack.gateway_url}/console?next=/console/store/{POINT}/shelf")
    page.get_by_label("Access token").fill(stack.token("store", Scope(stores=(POINT,))))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shelf")
    # A scanner types into a page that listens.
    page.wait_for_load_state()
    scan(page, GTINS[HAT])
    expect(page.get_by_text("Location B-01-3")).to_be_visible()
    page.screenshot(path=tmp_path / "shelf.png")
    is_usable(page)
    page.get_by_role("button", name="Being sold").click()
    expect(page.get_by_text("Declared unavailable: 1")).to_be_visible()
    declared = api.get(f"/v1/points/{POINT}/declarations", "supply_chain", sku=HAT)["items"]
    assert [(one["remaining"], one["reason"]) for one in declared] == [(1, "being_sold")]

    before = Office(api).balance(HAT, POINT)["on_hand"]
    scan(page, GTINS[HAT])
    counted = page.locator("section", has_text="Count").last
    counted.get_by_label("Units").fill(str(before - 3))
    counted.get_by_role("button", name="Counted").click()
    expect(page.get_by_text("Difference to the books: -3")).to_be_visible()
    balance = Office(api).balance(HAT, POINT)
    assert (balance["on_hand"], balance["unavailable"]) == (before - 3, 0), "a count sees what was declared"


def _is_paid(work: Json) -> bool:
    return work["parcel"]["capture_state"] in ("captured", "not_needed")
