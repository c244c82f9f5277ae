"""A store associate with a phone, in a real browser: by touch and scanner, and without network for a while."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from cli.client import Api, Json, body_of, wait_for
from cli.people import Buyer, Office, Shop, Store
from deploy.local.tokens import Scope
from tests import looks
from tests.end_to_end.journeys import CHANNEL, found_again
from tests.stack import SharedStack

pytestmark = pytest.mark.browser

POINT = "st-nantes"
SKU, GTIN = "BOOT-PHONE-42", "4006381333931"
# Given instead where the customer allows it.
OTHER = "BOOT-PHONE-43"
PHONE: ViewportSize = {"width": 390, "height": 844}
STOCK = 200


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, locale="en-GB")
    yield context
    context.close()


@pytest.fixture(scope="module")
def shop(stack: SharedStack) -> Iterator[Shop]:
    """Sells an article that only the one store has."""
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, CHANNEL)
        like = next(
            item for item in found_again("the articles", shop.items) if item["prices"] and not item["parts"]
        )
        prices = [{"channel_id": CHANNEL, "price": {"amount_minor": 8900, "currency": "EUR"}}]
        new = {"sku": SKU, "gtin": GTIN, "title": "Bottines noires, pointure 42", "brand": like["brand"]}
        new |= {"weight_grams": 900, "prices": prices, "substitutes": [OTHER]}
        other = {
            "sku": OTHER,
            "title": "Bottines noires, pointure 43",
            "brand": like["brand"],
            "weight_grams": 900,
        }
        body_of(api.send("PUT", "/v1/items", "supply_chain", json={"items": [new, other]}))
        there = {SKU: STOCK, OTHER: STOCK}
        deltas = [{"sku": sku, "point_id": POINT, "quantity": units} for sku, units in there.items()]
        receipt = {"deltas": deltas, "cause": "receipt"}
        api.post("/v1/stock/adjustments", "supply_chain", receipt, headers={"Idempotency-Key": "boots"})
        yield shop


def order(shop: Shop, count: int) -> list[str]:
    """So many orders of two units each, for the store."""
    content = shop.order_content([(SKU, 2)], Buyer(postcode="44000", city="Nantes"))
    placed = [shop.place({**content, "channel_order_number": f"PHONE-{number}"}) for number in range(count)]
    return [one["id"] for one in placed]


def open_store(context: BrowserContext, stack: SharedStack) -> Page:
    page = context.new_page()
    page.goto(f"{stack.gateway_url}/console?next=/console/store/{POINT}")
    page.get_by_label("Access token").fill(stack.token("store", Scope(stores=(POINT,))))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nantes")
    return page


def step(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def scan(page: Page, code: str) -> None:
    """As a wedge scanner does: keys without pause, and Enter."""
    page.evaluate("document.activeElement.blur()")
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def is_usable(page: Page) -> None:
    assert page.evaluate(looks.HARD_TO_USE, looks.EVERYTHING) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(looks.HARD_TO_READ) == []
    page.emulate_media(color_scheme="light")
    # Nothing sticks out sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def work_of(shop: Shop, order_id: str) -> Json:
    work: Json
    (work,) = shop.order(order_id)["fulfilments"]
    return work


def test_a_mornings_work_from_the_offer_to_the_carrier(
    phone: BrowserContext, stack: SharedStack, shop: Shop, tmp_path: Path
) -> None:
    page = open_store(phone, stack)
    expect(page.get_by_text("No new offers.")).to_be_visible()
    page.evaluate("window.isStillTheSamePage = true")
    ids = order(shop, 4)
    # They come by themselves.
    expect(page.locator(".card[data-work]")).to_have_count(4, timeout=20_000)
    assert page.evaluate("window.isStillTheSamePage")
    page.screenshot(path=tmp_path / "offers.png")
    is_usable(page)
    page.locator(".card[data-work] a").first.click()
    page.get_by_text("Refuse").click()
    page.screenshot(path=tmp_path / "offer.png")
    is_usable(page)
    page.get_by_role("link", name="Back to the list").click()
    for left in (3, 2, 1, 0):
        page.get_by_role("button", name="Accept").first.click()
        expect(page.get_by_role("navigation").get_by_role("link", name="New")).to_contain_text(str(left))

    for number, order_id in enumerate(ids):
        step(page, "Pick")
        page.locator(".card[data-work] a", has_text=order_id[-6:].upper()).click()
        done = page.locator("#pick button")
        expect(done).to_contain_text("Missing: 2.")
        scan(page, "4006381333948")
        expect(page.locator("#heard")).to_contain_text("of no article here")
        scan(page, GTIN)
        expect(page.locator("#heard")).to_contain_text("1 / 2")
        if number == 0:
            page.screenshot(path=tmp_path / "pick.png")
            is_usable(page)
        page.get_by_role("button", name="One more").click()
        expect(done).to_have_text("Picking done")
        done.click()
        page.get_by_label("Weight of the closed parcel").fill("1950")
        if number == 0:
            page.screenshot(path=tmp_path / "pack.png", full_page=True)
            is_usable(page)
        page.get_by_role("button", name="Close the parcel").click()
        # Its money is taken meanwhile; the page says so, and goes on by itself.
        hand_over = page.get_by_role("button", name="Handed to the carrier")
        expect(hand_over).to_be_visible(timeout=20_000)
        if number == 0:
            page.screenshot(path=tmp_path / "leave.png", full_page=True)
            is_usable(page)
            for paper in ("Packing slip", "Label"):
                address = page.get_by_role("link", name=paper).get_attribute("href")
                printed = phone.request.get(f"{stack.gateway_url}{address}").body()
                sheet = pypdfium2.PdfDocument(printed)[0]
                assert "44000 Nantes" in sheet.get_textpage().get_text_range()
            [code] = zxingcpp.read_barcodes(sheet.render(scale=200 / 72).to_pil())
            assert code.text.startswith("(00)09520417")
        hand_over.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Nantes")
    assert page.evaluate("window.isStillTheSamePage") is None  # The links are links.
    assert {work_of(shop, one)["status"] for one in ids} == {"handed_over"}
    assert {work_of(shop, one)["parcel"]["weight_grams"] for one in ids} == {1950}


def test_a_tap_without_network_is_kept_said_and_done_once_when_it_is_back(
    phone: BrowserContext, stack: SharedStack, shop: Shop, tmp_path: Path
) -> None:
    page = open_store(phone, stack)
    first, second = order(shop, 2)
    cards = page.locator(".card[data-work]")
    expect(cards).to_have_count(2, timeout=20_000)
    # What was shown can be shown again.
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()
    expect(cards).to_have_count(2)
    phone.set_offline(True)
    page.get_by_role("button", name=f"Accept Order {first[-6:].upper()}").click()
    expect(page.locator("#kept")).to_contain_text("Kept on this phone")
    page.reload()
    expect(page.locator("#kept")).to_contain_text(first[-6:].upper())
    expect(page.get_by_role("button", name=f"Accept Order {first[-6:].upper()}")).to_be_disabled()
    page.screenshot(path=tmp_path / "offline.png")
    is_usable(page)
    assert work_of(shop, first)["status"] == "offered"
    phone.set_offline(False)
    expect(page.locator("#kept")).to_be_hidden(timeout=20_000)
    expect(cards).to_have_count(1)
    assert work_of(shop, first)["status"] == "accepted"

    # What somebody else did meanwhile is said, and nothing of it is lost.
    phone.set_offline(True)
    page.get_by_role("button", name=f"Accept Order {second[-6:].upper()}").click()
    expect(page.locator("#kept")).to_contain_text("Kept on this phone")
    shop.cancel(second)
    shop.wait_status(second, "cancelled")
    phone.set_offline(False)
    expect(page.locator("#kept")).to_contain_text("This could not be done", timeout=20_000)
    shop.cancel(first)
    shop.wait_status(first, "cancelled")


# What the server answers instead of the page, until somebody says that it is back.
_ANSWERS_INSTEAD = """(status) => {
    const real = window.fetch;
    window.asked = 0;
    window.isBack = false;
    window.fetch = (...request) => {
        if (window.isBack) return real(...request);
        window.asked += 1;
        return Promise.resolve(new Response("<p>Something else</p>", { status }));
    };
    window.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_stays_while_its_server_is_in_trouble_and_goes_on_afterwards(
    phone: BrowserContext, stack: SharedStack, shop: Shop
) -> None:
    page = open_store(phone, stack)
    page.evaluate(_ANSWERS_INSTEAD, 503)
    page.wait_for_function("window.asked > 0")
    (order_id,) = order(shop, 1)
    page.evaluate("window.isBack = true")
    expect(page.locator(".card[data-work]")).to_have_count(1, timeout=20_000)

    # What is no page of the store, as the one to sign in, is gone to.
    address = page.url
    page.evaluate(_ANSWERS_INSTEAD, 200)
    page.wait_for_function("window.asked === undefined")
    assert page.url == address
    expect(page.locator(".card[data-work]")).to_have_count(1)
    shop.cancel(order_id)
    shop.wait_status(order_id, "cancelled")


def test_a_short_pick_says_what_follows_before_it_is_done(
    phone: BrowserContext, stack: SharedStack, shop: Shop
) -> None:
    (order_id,) = order(shop, 1)
    with Api.of(stack.gateway_url, stack.state) as api:
        store = Store(api, POINT)
        work = store.accept(store.wait_offer(order_id))
    page = open_store(phone, stack)
    page.goto(f"{stack.gateway_url}/console/store/{POINT}/work/{work['id']}")
    scan(page, GTIN)
    expect(page.locator("#short")).to_contain_text("goes to another store")
    page.get_by_role("button", name="Missing: 1. Go on without them").click()
    expect(page.get_by_label("Weight of the closed parcel")).to_be_visible()
    picked = work_of(shop, order_id)
    assert (picked["status"], picked["lines"][0]["quantity"]) == ("picked", 1)
    shop.cancel(order_id)
    shop.wait_status(order_id, "cancelled")


def test_another_article_is_given_instead_of_what_is_missing(
    phone: BrowserContext, stack: SharedStack, shop: Shop, tmp_path: Path
) -> None:
    content = shop.order_content([(SKU, 2)], Buyer(postcode="44000", city="Nantes"))
    content["lines"][0]["allow_substitutes"] = True
    order_id = shop.place({**content, "channel_order_number": "PHONE-INSTEAD"})["id"]
    with Api.of(stack.gateway_url, stack.state) as api:
        store = Store(api, POINT)
        work = store.accept(store.wait_offer(order_id))
        page = open_store(phone, stack)
        page.goto(f"{stack.gateway_url}/console/store/{POINT}/work/{work['id']}")
        scan(page, GTIN)
        page.get_by_role("button", name="pointure 43").last.click()
        expect(page.locator("#short")).to_be_hidden()
        is_usable(page)
        page.screenshot(path=tmp_path / "instead.png", full_page=True)
        page.locator("#pick button").click()
        expect(page.get_by_label("Weight of the closed parcel")).to_be_visible()
        expect(page.get_by_text("instead of Bottines noires, pointure 42")).to_be_visible()
        lines = work_of(shop, order_id)["lines"]
        assert [(one["sku"], one["quantity"], one["ordered_sku"]) for one in lines] == [
            (SKU, 1, ""),
            (OTHER, 1, SKU),
        ]
        shop.cancel(order_id)
        shop.wait_status(order_id, "cancelled")
        office = Office(api)
        wait_for("its hold is given back", lambda: not office.balance(OTHER, POINT)["reserved"])
        assert office.balance(OTHER, POINT)["on_hand"] == STOCK
