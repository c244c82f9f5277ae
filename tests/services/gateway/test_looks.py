"""The pages that people touch, in a browser on canned answers: states that a day at a store seldom brings about.

Everything is large enough to touch, has a name, can be read in light and dark, and fits a phone and a desk.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright, expect

from kit.times import now, to_proto
from oms.orders.v1 import customer_service_pb2 as customers
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests import looks
from tests.services.gateway.fake_collections import CODE, waiting
from tests.services.gateway.fake_customers import customer_order, units
from tests.services.gateway.fake_lockers import kept
from tests.services.gateway.fake_store_work import pick_list, pick_work
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

pytestmark = pytest.mark.browser

LYON = "/console/store/store-lyon"
COUNTER, LIST = f"{LYON}/counter", f"{LYON}/pick-lists/pkl_1"
WORK = f"{COUNTER}/ful_1"
PICKED, READY = orders.FULFILMENT_STATE_PICKED, orders.FULFILMENT_STATE_READY
TITLE = "Bottines noires en cuir, pointure 42"
Open = Callable[[Role, str], Awaitable[Page]]
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture
async def site(http: httpx.AsyncClient, app: FastAPI) -> AsyncIterator[str]:
    """Where a browser finds the gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        await serving


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
def open_as(site: str, browser: Browser, issuer: Issuer) -> Open:
    """A page that somebody has signed in on."""

    async def opened(role: Role, locale: str) -> Page:
        page = await browser.new_page(base_url=site, locale=locale)
        await page.goto("/console")
        await page.get_by_label("Access token").fill(issuer.token(role, subject="anna"))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_load_state()
        return page

    return opened


async def is_well(page: Page, *, touched: str = looks.EVERYTHING, least: int = 16) -> None:
    for width, height in (DESK, PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        where = (page.url, width)
        assert await page.evaluate(looks.HARD_TO_USE, touched) == [], where
        assert await page.evaluate(looks.TOO_SMALL, least) == [], where
        assert await page.evaluate(looks.TOO_WIDE) == 0, where
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(looks.HARD_TO_READ) == [], where
    await page.emulate_media(color_scheme="light")
    assert await page.evaluate(looks.HARD_TO_READ) == [], where


def put(world: World, work: orders.Fulfilment, days_left: int = 7) -> orders.Fulfilment:
    """At the counter, with words as long as they get."""
    found = world.work.get("ful_1") or world.add_work("ful_1", "store-lyon")
    found.customer_name = "Zoé Plantée-Dumoulin de la Rivière"
    found.fulfilment.CopyFrom(work)
    found.fulfilment.lines[0].title = TITLE
    found.fulfilment.collection.keep_until.CopyFrom(to_proto(now() + timedelta(days=days_left)))
    if found.fulfilment.state == PICKED:
        found.fulfilment.ClearField("collection")
    return found.fulfilment


async def test_the_counter_and_its_lockers(open_as: Open, world: World) -> None:
    page = await open_as(Role.STORE, "fr-FR")
    world.unpacked = True
    put(world, waiting(), days_left=-1).collection.locked_at.GetCurrentTime()
    for path in (COUNTER, WORK):
        await page.goto(path)
        await is_well(page)
    put(world, waiting())
    await page.goto(WORK)
    await page.locator("summary", has_text="code").click()
    await is_well(page)
    await page.goto(COUNTER)
    await page.locator("#code").fill("222222")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await is_well(page)
    await page.locator("#code").fill(CODE)
    await page.keyboard.press("Enter")
    await expect(page.locator("#collector")).to_be_visible()
    await is_well(page)
    in_it, booked, to_book, full = kept(READY), kept(PICKED), waiting(PICKED), waiting(PICKED)
    to_book.locker.SetInParent()
    full.locker.full_at.GetCurrentTime()
    for work in (in_it, booked, to_book, full):
        put(world, work)
        await page.goto(WORK)
        await expect(page.locator(".act button").first).to_be_visible()
        await is_well(page)


async def test_what_missed_its_carrier_and_what_is_given_instead(open_as: Open, world: World) -> None:
    page = await open_as(Role.STORE, "fr-FR")
    found = world.add_work("ful_2", "store-lyon")
    work, at = found.fulfilment, now()
    work.state, work.carrier_id, work.lines[0].title = orders.FULFILMENT_STATE_ACCEPTED, "colisvite", TITLE
    work.hand_over_by.CopyFrom(to_proto(at - timedelta(hours=2)))
    work.next_hand_over_by.CopyFrom(to_proto(at + timedelta(hours=20)))
    world.substitutes = {"SKU-1": ["PEARS", "SKU-2"]}
    found.substitutable.append(1)
    for path in (LYON, f"{LYON}/work/ful_2"):
        await page.goto(path)
        await expect(page.locator(".alert")).to_be_visible()
        await is_well(page)


async def test_on_a_walk_no_more_is_given_than_a_container_lacks_or_is_free(open_as: Open, world: World) -> None:
    world.substitutes = {"SKU-1": ["PEARS"]}
    takes, refuses = pick_work("A", 16, ("SKU-1", 2), takes_others=True), pick_work("B", 9, ("SKU-1", 1))
    world.pick_list = pick_list(takes, refuses, pick_work("C", 17, ("SKU-1", 1), takes_others=True))
    page = await open_as(Role.STORE, "en-GB")
    await page.goto(LIST)
    instead = {slot: page.locator("details", has_text=f"Give instead into {slot}") for slot in "ABC"}
    done, more = page.locator("#pick button"), page.get_by_role("button", name="One more: Title of SKU-1")
    await expect(instead["B"]).to_have_count(0)
    await instead["C"].locator("summary").click()
    await is_well(page)
    await instead["C"].get_by_role("button", name="One more").click()
    await expect(done).to_contain_text("Missing: 3.")
    # One is free: it is in C.
    await instead["A"].locator("summary").click()
    await instead["A"].get_by_role("button", name="One more").click()
    await expect(done).to_contain_text("Missing: 3.")
    for _ in range(3):
        await more.click()
    # Of B and A all is found; only C lacks one, and has it.
    await expect(instead["A"]).to_be_hidden()
    await expect(done).to_have_text("All put into the containers")
    await done.click()
    await expect(page.get_by_text("Put back on the shelf:")).to_be_visible()
    (asked,) = world.calls("FinishPickList")
    assert [(one.fulfilment_id, one.units.sku, one.units.quantity) for one in asked.substituted] == [
        ("ful_c", "PEARS", 1)
    ]


async def test_many_orders_at_once_at_the_desk(open_as: Open, world: World) -> None:
    page = await open_as(Role.CUSTOMER_SERVICE, "en-GB")
    world.add_order("ord_1", "web-fr")
    await page.goto("/console/service/bulk")
    await is_well(page, touched=looks.FIELDS, least=14)
    await page.get_by_label("What is to be done").select_option("plan_again")
    await page.get_by_label("Work at").fill("store-lyon")
    await page.get_by_role("button", name="See what will happen").click()
    await expect(page.get_by_text("What would happen now")).to_be_visible()
    await is_well(page, touched=looks.FIELDS, least=14)
    for path in ("/console/service/bulk/blk_1", "/console/service", "/console/service/orders/ord_1"):
        await page.goto(path)
        await is_well(page, touched=looks.FIELDS, least=14)


async def test_the_customers_page_with_a_compartment(browser: Browser, site: str, world: World) -> None:
    until = to_proto(now() + timedelta(days=7))
    there = customers.CustomerParcel(
        stage="to_collect",
        point_id="store-lyon",
        code=CODE,
        compartment="07",
        keep_until=until,
        units=units(TITLE, quantity=2),
    )
    world.linked["one"] = customer_order(parcels=[there])
    page = await browser.new_page(base_url=site, locale="fr-FR")
    await page.goto("/track/one")
    await expect(page.get_by_text(CODE)).to_be_visible()
    await is_well(page)
