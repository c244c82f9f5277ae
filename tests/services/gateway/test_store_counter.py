"""The store's counter without a browser: what waits, whose code is asked for, and what goes back to its shelf."""

from datetime import timedelta

import httpx
import pytest

from kit.errors import FailedPrecondition, TooManyRequests
from kit.times import now
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.console.store import collecting_words
from tests.services.gateway.fake_collections import CODE, waiting
from tests.services.gateway.fake_lockers import COMPARTMENT, kept
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

COUNTER = "/console/store/store-lyon/counter"
WORK = f"{COUNTER}/ful_1"


@pytest.fixture
async def anna(http: httpx.AsyncClient, issuer: Issuer, world: World) -> httpx.AsyncClient:
    """Signed in at her store, where one order waits for its customer."""
    found = world.add_work("ful_1", "store-lyon")
    found.fulfilment.CopyFrom(waiting())
    found.customer_name = "Zoé Plantée"
    await sign_in(http, issuer.token(Role.STORE, subject="anna", stores=["store-lyon"]))
    return http


def put(world: World, state: "orders.FulfilmentState.ValueType", capture: str = "") -> orders.Fulfilment:
    work = world.work["ful_1"].fulfilment
    work.state = state
    if capture:
        work.parcel.capture_state = capture
    return work


async def test_a_parcel_that_does_not_leave_is_unpacked_and_each_article_has_its_shelf(
    anna: httpx.AsyncClient, world: World
) -> None:
    world.unpacked = True
    assert "To put back on the shelf · 2" in (await anna.get("/console/store/store-lyon")).text
    page = (await anna.get(COUNTER)).text
    card = page[page.index('data-put-back="ful_2"') :]
    assert "open the parcel" in card
    assert "SKU-1 · A-03-2" in card
    other = page[page.index('data-put-back="ful_1"') : page.index('data-put-back="ful_2"')]
    assert "open the parcel" not in other


async def test_the_counter_lists_what_waits_and_what_goes_back(anna: httpx.AsyncClient, world: World) -> None:
    page = (await anna.get(COUNTER)).text
    assert 'data-work="ful_1"' in page
    assert "B-12" in page
    assert 'data-put-back="ful_1"' in page
    found = (await anna.get(f"{COUNTER}?order=RD_1")).text
    assert 'data-work="ful_1"' in found
    assert 'data-work="ful_1"' not in (await anna.get(f"{COUNTER}?order=XYZ")).text
    back = await anna.post(WORK, data={"act": "put_back", "key": "k1"})
    assert (back.status_code, back.headers["location"]) == (303, f"{COUNTER}?done=put_back")
    (asked,) = world.calls("ConfirmPutBack")
    assert list(asked.reach.point_ids) == ["store-lyon"]


async def test_whose_it_is_is_shown_and_the_code_is_asked_for(anna: httpx.AsyncClient, world: World) -> None:
    shown = await anna.get(WORK)
    assert shown.status_code == 200
    assert "Zoé Plantée" in shown.text
    assert 'name="code"' in shown.text
    # Nothing with a name is kept on a phone.
    assert "x-keep-offline" not in shown.headers
    sent = {"act": "collect", "key": "k1", "code": CODE.lower(), "taken.1": "1", "document_kind": "passport"}
    done = await anna.post(WORK, data=sent)
    assert done.status_code in (200, 303, 409)
    (asked,) = world.calls("Collect")
    assert (asked.code, asked.document_kind, asked.collected_by, asked.lines[0].quantity) == (
        CODE.lower(),
        "",
        "customer",
        1,
    )
    document = {"act": "collect", "key": "k2", "taken.1": "2", "document_kind": "passport"}
    led = await anna.post(WORK, data=document)
    assert (led.status_code, led.headers["location"]) == (303, f"{WORK}?done=collect")
    assert world.calls("Collect")[-1].document_kind == "passport"
    nothing = await anna.post(WORK, data={"act": "collect", "key": "k3", "taken.1": "0", "code": CODE})
    assert nothing.status_code == 422


async def test_a_wrong_code_is_told_in_the_associates_words(anna: httpx.AsyncClient, world: World) -> None:
    sent = {"act": "collect", "key": "k1", "code": "AAAAAA", "taken.1": "2"}
    told = await anna.post(WORK, data=sent, headers={"Accept-Language": "fr"})
    assert told.status_code == 409
    # Written as HTML writes an apostrophe.
    assert "est pas son code" in told.text
    world.failures["Collect"] = [FailedPrecondition("CODE_LOCKED", "too many")]
    assert "customer service" in (await anna.post(WORK, data=sent)).text


async def test_a_code_alone_leads_to_what_waits_and_is_in_no_address(
    anna: httpx.AsyncClient, world: World
) -> None:
    page = (await anna.get(COUNTER)).text
    # As a scanner or a camera fills it.
    assert f'<form method="post" action="{COUNTER}" class="scan" data-lookup data-plain>' in page
    found = await anna.post(COUNTER, data={"code": CODE.lower()})
    assert found.status_code == 200
    assert "Zoé Plantée" in found.text
    assert f'data-pinned="{WORK}"' in found.text
    assert f'<input name="code" type="hidden" value="{CODE.lower()}">' in found.text
    assert 'id="collection-code"' not in found.text
    (asked,) = world.calls("FindByCode")
    assert list(asked.reach.point_ids) == ["store-lyon"]
    # Asked for again, the page knows no code.
    again = (await anna.get(WORK)).text
    assert (CODE.lower() in again, 'id="collection-code"' in again, 'data-pinned=""' in again) == (
        False,
        True,
        True,
    )
    world.work["ful_1"].fulfilment.collection.locked_at.GetCurrentTime()
    locked = (await anna.post(COUNTER, data={"code": CODE})).text
    assert 'name="code"' not in locked
    assert "Too many wrong codes" in locked


async def test_a_code_that_nothing_has_leaves_the_associate_at_the_counter(
    anna: httpx.AsyncClient, world: World
) -> None:
    wrong = await anna.post(COUNTER, data={"code": "222222"}, headers={"Accept-Language": "fr"})
    assert wrong.status_code == 404
    assert "Rien de ce qui attend ici" in wrong.text
    assert 'data-work="ful_1"' in wrong.text
    assert "222222" not in wrong.text
    world.failures["FindByCode"] = [TooManyRequests("TOO_MANY_CODES", "too many")]
    many = await anna.post(COUNTER, data={"code": CODE})
    assert (many.status_code, "tried again in an hour" in many.text) == (429, True)


async def test_each_state_says_what_to_do(anna: httpx.AsyncClient, world: World) -> None:
    put(world, orders.FULFILMENT_STATE_PICKED)
    assert 'value="ready"' in (await anna.get(WORK)).text
    aside = await anna.post(WORK, data={"act": "ready", "key": "k1", "shelf": "B-12"})
    assert (aside.status_code, aside.headers["location"]) == (303, f"{COUNTER}?done=ready")
    # The list of work leads to the counter, and never to a parcel.
    assert f'href="{WORK}"' in (await anna.get("/console/store/store-lyon?step=picked")).text
    assert "close_parcel" not in (await anna.get("/console/store/store-lyon/work/ful_1")).text
    work = put(world, orders.FULFILMENT_STATE_READY, "pending")
    work.collection.handing_since.GetCurrentTime()
    assert 'name="code"' not in (await anna.get(WORK)).text
    work.collection.ClearField("handing_since")
    put(world, orders.FULFILMENT_STATE_READY, "failed")
    failed = (await anna.get(WORK)).text
    assert 'name="code"' in failed
    assert "last payment failed" in failed
    work.collection.locked_at.GetCurrentTime()
    assert 'name="code"' not in (await anna.get(WORK)).text
    put(world, orders.FULFILMENT_STATE_DELIVERED, "captured")
    assert "Hand it over now" in (await anna.get(WORK)).text
    put(world, orders.FULFILMENT_STATE_CANCELLED)
    assert (await anna.get(WORK)).status_code == 404


async def test_a_compartment_is_booked_filled_and_emptied_before_what_was_in_it_is_put_back(
    anna: httpx.AsyncClient, world: World
) -> None:
    work = put(world, orders.FULFILMENT_STATE_PICKED)
    work.locker.SetInParent()
    assert 'value="compartment"' in (await anna.get(WORK)).text
    booked = await anna.post(WORK, data={"act": "compartment", "key": "k1"})
    assert (booked.status_code, booked.headers["location"]) == (303, f"{WORK}?done=compartment")
    work.CopyFrom(kept(orders.FULFILMENT_STATE_PICKED))
    page = (await anna.get(WORK)).text
    assert "Put it into compartment" in page
    assert COMPARTMENT in page
    await anna.post(WORK, data={"act": "ready", "key": "k2"})
    await anna.post(WORK, data={"act": "ready", "key": "k3", "at_counter": "1"})
    assert [one.at_counter for one in world.calls("MarkReady")] == [False, True]
    work.CopyFrom(kept(orders.FULFILMENT_STATE_READY))
    page = (await anna.get(WORK)).text
    assert 'name="code"' not in page
    assert 'name="taken.1"' not in page, "nobody hands over what its customer takes out"
    assert 'value="take_out"' in page
    await anna.post(WORK, data={"act": "take_out", "key": "k4"})
    assert world.calls("TakeOut")[0].actor == "anna"
    work.CopyFrom(waiting(orders.FULFILMENT_STATE_PICKED))
    work.locker.full_at.GetCurrentTime()
    page = (await anna.get(WORK)).text
    assert "No compartment is free" in page
    assert 'name="shelf"' in page


async def test_what_nobody_collected_in_time_is_seen(anna: httpx.AsyncClient, world: World) -> None:
    until = world.work["ful_1"].fulfilment.collection.keep_until
    for minutes, is_late in ((1, False), (-1, True)):
        until.FromDatetime(now() + timedelta(minutes=minutes))
        for path in (COUNTER, WORK):
            page = (await anna.get(path)).text
            assert ("Nobody came in time" in page, 'class="late"' in page) == (is_late, is_late)


async def test_an_associate_sees_the_own_counter_only(
    http: httpx.AsyncClient, issuer: Issuer, anna: httpx.AsyncClient
) -> None:
    for path in ("/console/store/store-paris/counter", "/console/store/store-paris/counter/ful_1"):
        assert (await anna.get(path)).status_code == 403
        assert (await anna.post(path, data={"act": "put_back"})).status_code in (403, 405)
    await sign_in(http, issuer.token(Role.CHANNEL, subject="web", channels=["web-fr"]))
    assert (await http.get(COUNTER)).status_code == 403


def test_the_counter_speaks_both_languages() -> None:
    english, french = collecting_words.words_in("en"), collecting_words.words_in("fr")
    assert english.keys() == french.keys()
    assert not [name for name in english if not english[name] or not french[name]]
