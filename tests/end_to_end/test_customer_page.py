"""A customer's page by its link, and the dashboard of those who steer, in a real browser on the whole system."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli.client import Api
from cli.people import Shop
from tests.end_to_end.conftest import PLANTED, PLANTED_WORDS, Delivered
from tests.end_to_end.journeys import CHANNEL
from tests.end_to_end.test_store import PHONE, is_usable
from tests.stack import SharedStack

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, locale="fr-FR")
    yield context.new_page()
    context.close()


def test_a_customer_follows_an_order_and_cancels_another(
    page: Page, stack: SharedStack, delivered: Delivered
) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, CHANNEL)
        fresh = shop.place(shop.order_content([(delivered.sku, 1)], PLANTED, shipping_minor=490))["id"]
        links = [
            api.post(f"/v1/orders/{order_id}/customer-link", "customer_service", {"days": 1})["url"]
            for order_id in (delivered.order_id, fresh)
        ]
    page.goto(links[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Livrée")
    expect(page.locator("body")).to_contain_text("Europe/Paris")
    is_usable(page)
    assert [word for word in PLANTED_WORDS if word in page.content()] == []

    page.goto(links[1])
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirmée")
    is_usable(page)
    page.get_by_role("link", name="Annuler cette commande").click()
    is_usable(page)
    page.get_by_role("button", name="Oui, l'annuler").click()
    expect(page.get_by_role("status")).to_have_text("Votre commande est annulée.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Annulée")

    page.goto(f"{links[1][:-4]}AAAA")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page inconnue")


def test_who_steers_sees_what_was_delivered_in_figures(
    page: Page, stack: SharedStack, delivered: Delivered
) -> None:
    page.goto(f"{stack.gateway_url}/console")
    page.get_by_label("Access token").fill(stack.token("supply_chain"))
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{stack.gateway_url}/console/dashboard?channel_id={CHANNEL}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    for figure in ("Offers and answers of stores", "Short picks", "From placed to handed over"):
        assert page.get_by_role("region", name=figure).locator("tbody tr").count() > 0, figure
