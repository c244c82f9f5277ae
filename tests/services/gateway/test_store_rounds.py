"""The store's pages of pick lists, manifests and the shelf, without a browser: what they show and do."""

import httpx
import pytest

from kit.errors import FailedPrecondition
from kit.times import now, to_proto
from oms.inventory.v1 import shelf_service_pb2 as shelf
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.console.store import more_words
from services.gateway.console.store.words import words_in
from tests.services.gateway.fake_store_work import pick_list, pick_work
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

LYON = "/console/store/store-lyon"
LIST, SHELF, MANIFESTS = f"{LYON}/pick-lists/pkl_1", f"{LYON}/shelf", f"{LYON}/manifests"


@pytest.fixture
async def anna(http: httpx.AsyncClient, issuer: Issuer) -> httpx.AsyncClient:
    await sign_in(http, issuer.token(Role.STORE, subject="anna", stores=["store-lyon"]))
    return http


def accepted(world: World, *fulfilment_ids: str) -> list[orders.Fulfilment]:
    works = [world.add_work(one, "store-lyon").fulfilment for one in fulfilment_ids]
    for work in works:
        work.state = orders.FULFILMENT_STATE_ACCEPTED
    return works


def shown(page: httpx.Response) -> str:
    return " ".join(page.text.split())


@pytest.mark.parametrize("path", [LIST, f"{LIST}/print.pdf", SHELF, MANIFESTS, f"{MANIFESTS}/man_1/print.pdf"])
async def test_an_associate_sees_the_own_store_only(http: httpx.AsyncClient, issuer: Issuer, path: str) -> None:
    await sign_in(http, issuer.token(Role.STORE, stores=["store-paris"]))
    assert (await http.get(path)).status_code == 403
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    assert (await http.get(path)).status_code == 403


async def test_works_are_chosen_on_the_list_or_proposed(anna: httpx.AsyncClient, world: World) -> None:
    _, second = accepted(world, "ful_1", "ful_2")
    page = shown(await anna.get(LYON))
    assert ("Pick the next ones together" in page, page.count('name="fulfilment_id"')) == (True, 2)
    second.picking.CopyFrom(orders.Picking(pick_list_id="pkl_1", slot="A", actor="bob", since=to_proto(now())))
    page = shown(await anna.get(LYON))
    assert f'href="{LIST}"' in page
    assert "bob is picking it" in page
    assert 'name="fulfilment_id"' not in page, "one alone is picked as ever"

    led = await anna.post(f"{LYON}/pick-lists", data={"fulfilment_id": ["ful_1", "ful_3"], "key": "k1"})
    assert (led.status_code, led.headers["location"]) == (303, LIST)
    (asked,) = world.calls("OpenPickList")
    assert list(asked.fulfilment_ids) == ["ful_1", "ful_3"]
    world.failures["OpenPickList"] = [FailedPrecondition("BEING_PICKED", "bob is picking it", actor="bob")]
    refused = await anna.post(f"{LYON}/pick-lists", data={})
    assert (refused.status_code, "Somebody else is picking one of them." in refused.text) == (409, True)


async def test_a_list_shows_where_articles_lie_and_whose_units_are(anna: httpx.AsyncClient, world: World) -> None:
    page = await anna.get(LIST)
    assert "A-03-2" in page.text
    assert 'data-shares="B:1 A:2 "' in page.text
    assert 'data-wanted="3"' in page.text
    assert "x-keep-offline" in page.headers
    world.pick_list = pick_list(actor="bob")
    page = await anna.get(LIST)
    assert "This list is of bob." in page.text
    assert 'name="found.1"' not in page.text, "it is his to finish"
    assert "Leave it to others" in page.text


async def test_a_list_is_finished_with_what_was_found_and_says_what_goes_back(
    anna: httpx.AsyncClient, world: World
) -> None:
    form = {
        "act": "finish",
        "key": "k1",
        "sku.1": "SKU-1",
        "found.1": "2",
        "wanted.1": "3",
        "reason.1": "other",
        "note.1": "torn",
        "sku.2": "SKU-2",
        "found.2": "1",
        "wanted.2": "1",
        # What the field stands on when nobody touched it.
        "reason.2": "not_found",
    }
    done = await anna.post(LIST, data=form)
    assert "Put back on the shelf: 1" in shown(done)
    (asked,) = world.calls("FinishPickList")
    assert [(one.sku, one.quantity, one.reason, one.note) for one in asked.found] == [
        ("SKU-1", 2, "other", "torn"),
        ("SKU-2", 1, "", ""),
    ]
    world.failures["FinishPickList"] = [FailedPrecondition("PICK_LIST_CLOSED", "the list is closed")]
    refused = await anna.post(LIST, data=form, headers={"Accept-Language": "fr"})
    assert (refused.status_code, "Cette liste est terminée." in refused.text) == (409, True)
    assert (await anna.post(LIST, data={**form, "found.1": "two"})).status_code == 422
    assert len(world.calls("FinishPickList")) == 2


async def test_on_a_walk_each_container_is_given_something_else_where_its_customer_allows_it(
    anna: httpx.AsyncClient, world: World
) -> None:
    world.substitutes = {"SKU-1": ["PEARS"]}
    world.pick_list = pick_list(
        pick_work("A", 16, ("SKU-1", 2), takes_others=True), pick_work("B", 9, ("SKU-1", 1))
    )
    page = await anna.get(LIST)
    # The second to have found units: those of B leave first.
    assert 'data-share="1"' in page.text
    assert "Give instead into A" in page.text
    assert page.text.count('name="instead.') == 1
    form = {"act": "finish", "key": "k1", "sku.1": "SKU-1", "found.1": "2", "wanted.1": "3"}
    await anna.post(LIST, data=form | {"instead.ful_a.1.PEARS": "1"})
    await anna.post(LIST, data=form | {"instead.ful_a.1.PEARS": "0"})
    with_pears, without = world.calls("FinishPickList")
    assert [(one.fulfilment_id, one.units.line_number, one.units.sku) for one in with_pears.substituted] == [
        ("ful_a", 1, "PEARS")
    ]
    assert list(without.substituted) == []
    assert (await anna.post(LIST, data=form | {"instead.ful_a": "1"})).status_code == 422


async def test_the_works_of_a_list_are_left_to_others(anna: httpx.AsyncClient, world: World) -> None:
    led = await anna.post(LIST, data={"act": "put_back"})
    assert (led.status_code, led.headers["location"]) == (303, f"{LYON}?step=accepted&done=put_back")
    assert len(world.calls("PutBackWork")) == 1
    assert (await anna.post(LIST, data={"act": "burn"})).status_code == 422


async def test_one_work_is_picked_with_a_reason_for_what_is_missing(anna: httpx.AsyncClient, world: World) -> None:
    accepted(world, "ful_1")
    page = await anna.get(f"{LYON}/work/ful_1")
    assert 'name="reason.1"' in page.text
    assert "goes to another store" in page.text
    world.work["ful_1"].fulfilment.collected = True
    assert "goes to another store" not in (await anna.get(f"{LYON}/work/ful_1")).text, "its customer waits here"
    form = {"act": "pick", "found.1": "1", "wanted.1": "2", "reason.1": "damaged", "note.1": ""}
    await anna.post(f"{LYON}/work/ful_1", data=form)
    await anna.post(f"{LYON}/work/ful_1", data={**form, "found.1": "2"})
    told = [[(one.line_number, one.reason) for one in asked.missing] for asked in world.calls("RecordPick")]
    assert told == [[(1, "damaged")], []]


async def test_a_parcel_that_weighs_less_than_its_articles_is_looked_at_again(
    anna: httpx.AsyncClient, world: World
) -> None:
    work = world.add_work("ful_1", "store-lyon").fulfilment
    work.state, work.parcel.capture_state = orders.FULFILMENT_STATE_PACKED, "captured"
    for grams, is_told in ((10, False), (8, True)):
        work.parcel.weight_grams = grams
        page = await anna.get(f"{LYON}/work/ful_1")
        assert ("Is everything in it?" in page.text, 'value="hand_over"' in page.text) == (is_told, True)


async def test_a_carrier_takes_all_and_the_page_says_what_stays_and_why(
    anna: httpx.AsyncClient, world: World
) -> None:
    for name in ("ful_1", "ful_2"):
        work = world.add_work(name, "store-lyon").fulfilment
        work.state, work.carrier_id = orders.FULFILMENT_STATE_PACKED, "colisvite"
    page = shown(await anna.get(MANIFESTS))
    assert "<strong>colisvite</strong>" in page
    assert "2 parcels" in page
    assert f'href="{LYON}/manifests"' in shown(await anna.get(LYON, params={"step": "packed"}))
    closed = shown(await anna.post(MANIFESTS, data={"carrier_id": "colisvite", "key": "k1"}))
    assert "Manifest 41 · 1 parcel handed over" in closed
    assert "The order is stopped: keep the parcel." in closed
    assert f'href="{MANIFESTS}/man_1/print.pdf"' in closed
    world.failures["CloseManifest"] = [FailedPrecondition("NOTHING_TO_HAND_OVER", "nothing")]
    refused = await anna.post(MANIFESTS, data={"carrier_id": "colisvite"})
    assert "No parcel waits for this carrier." in refused.text


@pytest.mark.parametrize("code", ["4006381333931", "SKU-1"])
async def test_an_article_is_found_by_what_a_scanner_reads(anna: httpx.AsyncClient, code: str) -> None:
    page = await anna.get(SHELF, params={"code": code})
    assert "Location A-03-2" in shown(page)
    assert 'value="SKU-1"' in page.text


@pytest.mark.parametrize("code", ["4006381333948", "no such code", "é"])
async def test_a_code_of_no_article_is_told_so(anna: httpx.AsyncClient, world: World, code: str) -> None:
    page = await anna.get(SHELF, params={"code": code})
    assert (page.status_code, "This code is of no article." in page.text) == (404, True)
    assert (await anna.get(SHELF)).status_code == 200


async def test_units_are_declared_unavailable_once(anna: httpx.AsyncClient, world: World) -> None:
    form = {"act": "declare", "sku": "SKU-1", "quantity": "2", "reason": "damaged", "key": "k1"}
    led = await anna.post(SHELF, data=form)
    assert (led.status_code, led.headers["location"]) == (303, f"{SHELF}?done=declare&units=2")
    await anna.post(SHELF, data=form)
    first, second = world.calls("DeclareUnavailable")
    assert (first.sku, first.quantity, first.cause.actor, first.request_id) == (
        "SKU-1",
        2,
        "anna",
        second.request_id,
    )
    assert "Declared unavailable: 2" in shown(await anna.get(led.headers["location"]))
    assert (await anna.post(SHELF, data={**form, "reason": "eaten"})).status_code == 422
    assert (await anna.post(SHELF, data={**form, "quantity": "-1"})).status_code == 422


async def test_an_article_is_counted_in_one_go(anna: httpx.AsyncClient, world: World) -> None:
    form = {"act": "count", "sku": "SKU-1", "quantity": "5", "damaged": "1", "key": "k1"}
    led = await anna.post(SHELF, data=form)
    assert led.status_code == 303, led.text
    (opened,), (recorded,) = world.calls("OpenCount"), world.calls("RecordCount")
    assert list(opened.skus) == ["SKU-1"]
    assert [(one.sku, one.counted, one.damaged) for one in recorded.lines] == [("SKU-1", 5, 1)]
    assert len(world.calls("CloseCount")) == 1
    assert isinstance(recorded, shelf.RecordCountRequest)


def test_every_word_is_there_in_both_languages() -> None:
    for name, pair in {**more_words.WORDS, **more_words.PROBLEMS}.items():
        assert all(pair), name
    assert words_in("fr")["shelf"] == "Rayon"
