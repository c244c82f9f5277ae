"""The console in a real browser: sign in, the list of orders, an order with its timeline."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.local.tokens import ALL, Scope
from tests.end_to_end.conftest import PLANTED, Delivered
from tests.stack import SharedStack

pytestmark = pytest.mark.browser


DESK, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = getattr(request, "param", DESK)
    context = browser.new_context(viewport={"width": width, "height": height})
    yield context.new_page()
    context.close()


def sign_in(page: Page, stack: SharedStack, token: str) -> None:
    page.goto(f"{stack.gateway_url}/console")
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("page", [DESK, PHONE], ids=["desk", "phone"], indirect=True)
def test_customer_service_finds_an_order_and_reads_its_timeline(
    page: Page, stack: SharedStack, delivered: Delivered, tmp_path: Path
) -> None:
    sign_in(page, stack, stack.token("customer_service"))
    page.get_by_role("link", name="Orders", exact=False).first.click()
    expect(page.get_by_role("heading", name="Orders")).to_be_visible()
    page.screenshot(path=tmp_path / "orders.png", full_page=True)

    page.get_by_role("link", name=delivered.content["channel_order_number"]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("closed")
    expect(page.locator("#customer")).to_contain_text(PLANTED.name)
    expect(page.locator("#payment")).to_contain_text("Captured")
    timeline = page.locator("#timeline li")
    assert timeline.count() >= 10
    expect(timeline.first).to_contain_text("received")
    expect(timeline.last).to_contain_text("closed")
    page.screenshot(path=tmp_path / "order.png", full_page=True)
    # Nothing sticks out sideways, on a phone neither.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_channel_reads_its_own_orders_only(page: Page, stack: SharedStack, delivered: Delivered) -> None:
    sign_in(page, stack, stack.token("channel", Scope(channels=("web-fr",))))
    page.goto(f"{stack.gateway_url}/console/orders/{delivered.order_id}")
    expect(page.locator("body")).not_to_contain_text(PLANTED.name)
    expect(page.locator("h1")).to_contain_text("not found", ignore_case=True)


def test_a_wrong_token_does_not_open_the_console(page: Page, stack: SharedStack) -> None:
    sign_in(page, stack, stack.token("store", Scope(stores=(ALL,)))[:-8] + "AAAAAAAA")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
