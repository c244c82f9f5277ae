"""Customer service in a real browser, on the full system: an order is stopped, found, let go and cancelled."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from cli.people import Buyer, Shop
from tests.end_to_end.journeys import well_stocked
from tests.end_to_end.test_console import sign_in
from tests.stack import SharedStack

pytestmark = pytest.mark.browser

CALLER = Buyer(
    name="Odile Caldwell",
    email="odile.caldwell@example.net",
    phone="+33 1 99 00 11 22",
    street="4 rue du Comptoir",
)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        # Nothing of the desk needs a script.
        context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
        yield context.new_page()
        browser.close()


def test_an_order_is_held_found_let_go_and_cancelled_from_the_desk(
    page: Page, stack: SharedStack, shop: Shop
) -> None:
    content = shop.order_content([(well_stocked(shop), 2)], CALLER)
    order_id = shop.place(content)["id"]
    sign_in(page, stack, stack.token("customer_service"))
    page.get_by_role("link", name="Service", exact=False).first.click()
    page.get_by_label("Find a customer or an order").fill(CALLER.email)
    page.get_by_role("button", name="Find").click()
    assert "@" not in page.url
    page.get_by_role("link", name=content["channel_order_number"]).click()
    expect(page.locator("#stock")).to_contain_text("Held for this order now")
    expect(page.locator("#timeline")).to_contain_text("The planner chose")

    page.get_by_role("link", name="Hold the order").click()
    page.get_by_label("Reason").fill("the customer calls back")
    page.get_by_label("And then").select_option("it goes on")
    page.get_by_role("button", name="Hold the order").click()
    expect(page.get_by_role("status")).to_contain_text("Hold the order")

    page.get_by_role("link", name="Service", exact=False).first.click()
    page.get_by_role("link", name="Held by a person").click()
    page.get_by_role("link", name=content["channel_order_number"]).click()
    page.locator("#acts li", has_text="manual hold").get_by_role("link", name="Let it go on").click()
    page.get_by_role("button", name="Let it go on").click()
    expect(page.locator("#timeline")).to_contain_text("may go on")

    page.get_by_role("link", name="Cancel the order").click()
    expect(page.locator(".will")).to_contain_text("2 held units are free to be sold again")
    page.get_by_label("Reason").fill("bought twice")
    page.get_by_role("button", name="Cancel the order").click()
    order = shop.wait_status(order_id, "cancelled")
    assert order["cancellation_reason"] == "bought twice"
    page.reload()
    expect(page.locator("#stock")).to_contain_text("No unit is held")
    expect(page.locator("#timeline")).to_contain_text("The order is cancelled")


def test_several_orders_are_cancelled_at_once_from_the_desk(page: Page, stack: SharedStack, shop: Shop) -> None:
    """Chosen, tried, changed since the first act would be refused, tried again, begun and followed."""
    sku = well_stocked(shop)
    ids = [shop.place(shop.order_content([(sku, 1)], CALLER))["id"] for _ in range(2)]
    sign_in(page, stack, stack.token("customer_service"))
    page.get_by_role("link", name="Service", exact=False).first.click()
    page.get_by_role("link", name="Many orders at once").click()
    page.get_by_label("What is to be done").select_option("have them done elsewhere")
    page.get_by_label("Reason").fill("recalled")
    page.get_by_label("Only these orders").fill("\n".join(ids))
    page.get_by_role("button", name="See what will happen").click()
    tried, facts = page.get_by_role("table"), page.locator(".facts")
    expect(facts).to_contain_text("have them done elsewhere")
    expect(tried).to_contain_text("2 orders are chosen")
    expect(tried).to_contain_text("refused")
    page.get_by_role("button", name="Change").click()
    page.get_by_label("What is to be done").select_option("cancel them")
    page.get_by_role("button", name="See what will happen").click()
    expect(facts).to_contain_text("cancel them")
    expect(tried).to_contain_text("2 orders are chosen")
    expect(tried).not_to_contain_text("refused")
    page.get_by_role("button", name="Cancel them").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cancel, 2 orders")
    for order_id in ids:
        assert shop.wait_status(order_id, "cancelled")["cancellation_reason"] == "recalled"
    # The last result is written a moment after its act.
    while page.get_by_role("link", name="Look again").is_visible():
        page.get_by_role("link", name="Look again").click()
    for order_id in ids:
        expect(page.locator("#results").get_by_role("row", name=order_id)).to_contain_text("done")
