"""The store's pages without a browser: what each step shows, what each form does, and who may see what."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from kit.errors import FailedPrecondition, Unavailable
from kit.times import to_proto
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.console.store import words
from services.gateway.console.store.live import WorkBell
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

LYON = "/console/store/store-lyon"
WORK = f"{LYON}/work/ful_1"
STATES = {
    "offered": orders.FULFILMENT_STATE_OFFERED,
    "accepted": orders.FULFILMENT_STATE_ACCEPTED,
    "picked": orders.FULFILMENT_STATE_PICKED,
    "packed": orders.FULFILMENT_STATE_PACKED,
}
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
async def anna(http: httpx.AsyncClient, issuer: Issuer, world: World) -> httpx.AsyncClient:
    """Signed in, at the one store of hers, where one piece of work is offered."""
    world.add_work("ful_1", "store-lyon")
    await sign_in(http, issuer.token(Role.STORE, subject="anna", stores=["store-lyon"]))
    return http


def put(world: World, state: str, capture: str = "") -> orders.Fulfilment:
    work = world.work["ful_1"].fulfilment
    work.state = STATES[state]
    work.parcel.capture_state = capture
    return work


async def test_who_has_one_store_is_led_to_it_and_who_has_all_may_choose(
    http: httpx.AsyncClient, issuer: Issuer, anna: httpx.AsyncClient
) -> None:
    led = await anna.get("/console/store")
    assert (led.status_code, led.headers["location"]) == (303, LYON)
    await sign_in(http, issuer.token(Role.STORE))
    chosen = await http.get("/console/store")
    assert (chosen.status_code, f'href="{LYON}"' in chosen.text) == (200, True)


@pytest.mark.parametrize("path", [LYON, f"{LYON}/live", WORK])
async def test_an_associate_sees_the_own_store_only(
    http: httpx.AsyncClient, issuer: Issuer, world: World, path: str
) -> None:
    world.add_work("ful_1", "store-lyon")
    await sign_in(http, issuer.token(Role.STORE, stores=["store-paris"]))
    assert (await http.get(path)).status_code == 403
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    assert (await http.get(path)).status_code == 403
    assert (await http.post(WORK, data={"act": "accept"})).status_code == 403
    assert world.calls("AcceptOffer") == []


async def test_work_of_another_store_is_not_reached_through_the_own_one(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_work("ful_1", "store-paris")
    await sign_in(http, issuer.token(Role.STORE, stores=["store-lyon", "store-paris"]))
    assert (await http.get(WORK)).status_code == 404


async def test_the_list_shows_the_first_step_that_has_work_and_the_counts_of_all(
    anna: httpx.AsyncClient, world: World
) -> None:
    world.marks["store-lyon"] = "m1"
    put(world, "picked")
    page = (await anna.get(LYON)).text
    assert 'data-state="picked/m1"' in page
    assert f'href="{WORK}"' in page
    assert f'href="{LYON}?step=picked" aria-current="page"' in " ".join(page.split())
    empty = (await anna.get(LYON, params={"step": "offered"})).text
    assert "No new offers." in empty
    after_the_last = (await anna.get(LYON, params={"step": "offered", "done": "refuse"})).text
    assert 'data-state="picked/m1"' in after_the_last
    assert "Refused" in after_the_last


@pytest.mark.parametrize(
    ("state", "capture", "shown", "hidden"),
    [
        ("offered", "", ["Accept", "Nobody free"], ["Planté", "Secret"]),
        ("accepted", "", ["Picking done", 'name="found.1"', 'data-wanted="2"'], ["Planté", "Secret"]),
        ("picked", "", ["Close the parcel", "Zoé Plantée", "about 10 g"], ["Handed to the carrier"]),
        ("packed", "pending", ["payment is being taken"], ['value="hand_over"']),
        ("packed", "failed", ["Keep the parcel"], ['value="hand_over"']),
        ("packed", "captured", ['value="hand_over"', "Tracking code"], ["Keep the parcel"]),
        ("packed", "overridden", ['value="hand_over"'], ["Keep the parcel"]),
    ],
)
async def test_each_step_shows_what_is_next_and_an_address_only_for_the_label(
    anna: httpx.AsyncClient, world: World, state: str, capture: str, shown: list[str], hidden: list[str]
) -> None:
    put(world, state, capture)
    answer = await anna.get(WORK)
    assert [text for text in shown if text not in answer.text] == []
    assert [text for text in hidden if text in answer.text] == []
    # A phone keeps for a time without network what holds no address.
    assert ("x-keep-offline" in answer.headers) is (state in ("offered", "accepted"))
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("act", "rpc", "fields"),
    [
        ("accept", "AcceptOffer", {}),
        ("refuse", "RefuseOffer", {"reason": "no_staff"}),
        ("pick", "RecordPick", {"found.1": "1"}),
        ("pack", "CloseParcel", {"weight_grams": "700"}),
        ("hand_over", "HandOver", {"tracking_code": "6A1"}),
    ],
)
async def test_an_act_sent_again_with_its_key_is_one_act(
    anna: httpx.AsyncClient, world: World, act: str, rpc: str, fields: dict[str, str]
) -> None:
    put(world, "accepted")
    sent = {"act": act, "key": "key_1", **fields}
    for _ in range(2):
        done = await anna.post(WORK, data=sent)
        assert (done.status_code, done.headers["location"]) == (303, f"{WORK}?done={act}")
    await anna.post(WORK, data=sent | {"key": "key_2"})
    first, again, other = (request.request_id for request in world.calls(rpc))
    assert first == again
    assert first != other
    assert {request.actor for request in world.calls(rpc)} == {"anna"}


async def test_what_a_form_says_reaches_the_service(anna: httpx.AsyncClient, world: World) -> None:
    await anna.post(WORK, data={"act": "refuse", "reason": "damaged"})
    await anna.post(WORK, data={"act": "pick", "found.1": "1", "found.2": "0"})
    await anna.post(WORK, data={"act": "pack", "weight_grams": " 640 "})
    await anna.post(WORK, data={"act": "hand_over", "tracking_code": "6A1"})
    (refused,), (picked,) = world.calls("RefuseOffer"), world.calls("RecordPick")
    (packed,), (handed) = world.calls("CloseParcel"), world.calls("HandOver")
    assert (refused.reason, refused.point_id) == ("damaged", "store-lyon")
    assert [(one.line_number, one.quantity) for one in picked.found] == [(1, 1), (2, 0)]
    assert (packed.weight_grams, handed[0].tracking_code) == (640, "6A1")


async def test_a_missing_unit_offers_what_may_be_given_instead(anna: httpx.AsyncClient, world: World) -> None:
    put(world, "accepted")
    world.substitutes = {"SKU-1": ["PEARS"]}
    assert "PEARS" not in (await anna.get(WORK)).text, "the customer did not say so"
    world.work["ful_1"].substitutable.append(1)
    for language, said in (("en", ["Give instead", "1 here"]), ("fr", ["Donner à la place", "1 ici"])):
        page = (await anna.get(WORK, headers={"Accept-Language": language})).text
        assert [word for word in [*said, 'name="instead.1.PEARS"'] if word not in page] == []
    await anna.post(WORK, data={"act": "pick", "found.1": "1", "instead.1.PEARS": "1", "instead.1.SKU-2": "0"})
    (picked,) = world.calls("RecordPick")
    assert [(one.line_number, one.sku, one.quantity) for one in picked.substituted] == [(1, "PEARS", 1)]
    # Picking goes on while nobody knows what may be given.
    world.failures["ListItems"] = [Unavailable("STOCK_UNKNOWN", "no answer")] * 9
    assert 'value="pick"' in (await anna.get(WORK)).text


async def test_a_page_says_what_was_given_instead_of_what(anna: httpx.AsyncClient, world: World) -> None:
    put(world, "picked")
    line = world.work["ful_1"].fulfilment.lines[0]
    line.sku, line.title, line.ordered_sku = "PEARS", "Pears", "SKU-1"
    page = (await anna.get(WORK)).text
    assert "Pears" in page
    assert "instead of SKU-1" in page
    slip = await anna.get(f"{WORK}/packing-slip.pdf")
    assert slip.status_code == 200


async def test_the_box_that_holds_the_work_is_chosen_unless_the_packer_takes_another(
    anna: httpx.AsyncClient, world: World
) -> None:
    put(world, "picked")
    page = (await anna.get(WORK)).text
    assert '<option value="L" selected>' in page
    await anna.post(WORK, data={"act": "pack", "weight_grams": "640", "box_id": "S"})
    assert [one.box_id for one in world.calls("CloseParcel")] == ["S"]
    # Packing goes on while nobody knows the boxes.
    world.failures["ChooseBox"] = [Unavailable("STOCK_UNKNOWN", "no snapshot yet")] * 9
    page = (await anna.get(WORK)).text
    assert 'value="pack"' in page
    assert "box_id" not in page


async def test_an_offer_accepted_on_the_list_leaves_one_on_the_list(anna: httpx.AsyncClient, world: World) -> None:
    put(world, "accepted")
    done = await anna.post(WORK, data={"act": "accept", "from": "list", "step": "offered"})
    assert done.headers["location"] == f"{LYON}?step=offered&done=accept"


async def test_work_that_is_over_leads_back_to_the_list(anna: httpx.AsyncClient, world: World) -> None:
    world.work["ful_1"].fulfilment.state = orders.FULFILMENT_STATE_HANDED_OVER
    done = await anna.post(WORK, data={"act": "hand_over", "step": "packed"})
    assert done.headers["location"] == f"{LYON}?step=packed&done=hand_over"
    assert "no longer yours" in (await anna.get(WORK)).text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"act": "dance"}, "act"),
        ({"act": "refuse", "reason": "bored"}, "reason"),
        ({"act": "pick"}, "found"),
        ({"act": "pick", "found.1": "-1"}, "found.1"),
        ({"act": "pick", "found.x": "1"}, "found.x"),
        ({"act": "pack", "weight_grams": "1.5"}, "weight_grams"),
        ({"act": "pack", "weight_grams": "0"}, "weight_grams"),
        ({"act": "hand_over", "tracking_code": "a b"}, "tracking_code"),
    ],
)
async def test_a_form_that_says_nonsense_does_nothing(
    anna: httpx.AsyncClient, world: World, fields: dict[str, str], field: str
) -> None:
    answer = await anna.post(WORK, data=fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not {"AcceptOffer", "RefuseOffer", "RecordPick", "CloseParcel", "HandOver"} & {
        name for name, _ in world.asked
    }


async def test_why_an_act_was_not_done_is_said_in_the_readers_language(
    anna: httpx.AsyncClient, world: World
) -> None:
    for language, said in (("en", "somebody else has it"), ("fr-CA,fr;q=0.9", "Trop tard")):
        world.failures["AcceptOffer"] = [FailedPrecondition("OFFER_GONE", "lost", state="lost")]
        answer = await anna.post(WORK, data={"act": "accept"}, headers={"Accept-Language": language})
        assert answer.status_code == 409
        assert said in answer.text
        assert f'lang="{language[:2]}"' in answer.text


async def test_another_site_cannot_act_for_an_associate(anna: httpx.AsyncClient, world: World) -> None:
    answer = await anna.post(WORK, data={"act": "accept"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 401
    assert world.calls("AcceptOffer") == []


async def test_signing_out_removes_what_the_phone_kept(anna: httpx.AsyncClient) -> None:
    assert (await anna.post("/console/logout")).headers["clear-site-data"] == '"storage"'


@pytest.mark.parametrize(
    ("path", "kind"),
    [("store.css", "text/css"), ("store.js", "text/javascript"), ("store-worker.js", "text/javascript")],
)
async def test_files_are_served_to_anybody(http: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await http.get(f"/console/{path}")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)


async def test_what_missed_its_departure_is_said_with_the_instant(anna: httpx.AsyncClient, world: World) -> None:
    today = datetime.now(PARIS).replace(hour=12, minute=0, second=0, microsecond=0)
    work = put(world, "offered")
    work.latest_start.CopyFrom(to_proto(today - timedelta(days=2)))
    work.hand_over_by.CopyFrom(to_proto(today + timedelta(days=2)))
    assert "Should have begun" not in (await anna.get(LYON)).text
    work.start_missed_at.CopyFrom(to_proto(today - timedelta(days=1)))
    for path in (LYON, WORK):
        assert "Should have begun by" in (await anna.get(path)).text, path
    put(world, "packed", "captured")
    assert "Should have begun" not in (await anna.get(LYON)).text
    missed, then = today - timedelta(days=1), today + timedelta(days=1)
    work.hand_over_by.CopyFrom(to_proto(missed))
    work.next_hand_over_by.CopyFrom(to_proto(then))
    for path in (LYON, WORK):
        page = (await anna.get(path, headers={"Accept-Language": "fr"})).text
        assert "A manqué le transporteur de" in page, path
        assert f'prochain passage <time datetime="{then.astimezone(UTC).isoformat()}">demain 12:00' in page, path
    work.next_hand_over_by.CopyFrom(to_proto(missed))
    assert "next pick-up" not in (await anna.get(LYON)).text
    # What its customer collects misses no carrier.
    work.collected = True
    assert "Missed the carrier" not in (await anna.get(LYON)).text


def put_personal(world: World) -> orders.Fulfilment:
    work = put(world, "picked")
    work.lines[0].personalisations.append("engraved_name")
    world.work["ful_1"].texts.add(line_number=1, name="engraved_name", text="Léa <3")
    return work


async def test_what_is_put_on_the_units_is_a_step_before_the_pack(anna: httpx.AsyncClient, world: World) -> None:
    work = put_personal(world)
    page = (await anna.get(WORK)).text
    assert "engraved name: <strong>Léa &lt;3</strong>" in page
    assert ('value="begin"' in page, 'value="pack"' in page, 'value="spoil"' in page) == (True, False, False)
    begun = await anna.post(WORK, data={"act": "begin", "key": "k1.begin"})
    assert (begun.status_code, begun.headers["location"]) == (303, f"{WORK}?done=begin")
    work.personalising_since.GetCurrentTime()
    page = (await anna.get(WORK)).text
    assert ('value="complete"' in page, 'value="pack"' in page, 'value="spoil"' in page) == (True, False, True)
    await anna.post(WORK, data={"act": "complete", "key": "k2.complete"})
    work.personalised_at.GetCurrentTime()
    page = (await anna.get(WORK)).text
    assert ('value="complete"' in page, 'value="pack"' in page, 'value="spoil"' in page) == (False, True, True)
    assert [name for name, _ in world.asked if "Personalisation" in name] == [
        "BeginPersonalisation",
        "CompletePersonalisation",
    ]
    put(world, "packed")
    assert 'value="spoil"' not in (await anna.get(WORK)).text


async def test_spoiled_units_are_told_once(anna: httpx.AsyncClient, world: World) -> None:
    put_personal(world).personalising_since.GetCurrentTime()
    said = {"act": "spoil", "key": "k1.spoil", "spoiled.1": "1"}
    world.failures["ReportSpoiled"] = [Unavailable("ORDERS_AWAY", "away")]
    away = await anna.post(WORK, data=said)
    # Whether it was done is not known: said again, they are the same units.
    assert (away.status_code, 'value="k1.spoil"' in away.text) == (503, True)
    told = await anna.post(WORK, data=said)
    assert (told.status_code, told.headers["location"]) == (303, f"{WORK}?done=spoil")
    first, again = world.calls("ReportSpoiled")
    assert first.request_id == again.request_id
    assert list(again.spoiled) == [orders.PlannedLine(line_number=1, quantity=1)]
    assert (again.actor, list(again.reach.point_ids)) == ("anna", ["store-lyon"])
    for wrong in ({"spoiled.1": "0"}, {"key": ""}):
        assert (await anna.post(WORK, data=said | wrong)).status_code == 422
    world.failures["ReportSpoiled"] = [FailedPrecondition("PAID_ALREADY", "the money is taken")]
    paid = await anna.post(WORK, data=said | {"key": "k2.spoil"}, headers={"Accept-Language": "fr"})
    assert (paid.status_code, "remplacez l&#39;unité en rayon" in paid.text) == (409, True)
    assert 'value="k2.spoil"' not in paid.text
    assert len(world.calls("ReportSpoiled")) == 3


def test_every_word_is_there_in_both_languages_and_differs() -> None:
    english, french = words.words_in("en"), words.words_in("fr")
    same = {name for name, text in english.items() if french[name] == text}
    assert same <= {"article", "articles"}
    assert all(english.values())
    assert all(french.values())


@pytest.mark.parametrize(
    ("instant", "english", "french"),
    [
        (datetime(2026, 3, 2, 17, 5, tzinfo=PARIS), "17:05", "17:05"),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "tomorrow 00:30", "demain 00:30"),
        (datetime(2026, 3, 6, 9, 0, tzinfo=PARIS), "Fri 6 Mar 09:00", "ven. 6 mars 09:00"),
        (datetime(2026, 3, 29, 9, 0, tzinfo=PARIS), "Sun 29 Mar 09:00", "dim. 29 mars 09:00"),
    ],
)
def test_time_is_told_as_on_the_points_wall(instant: datetime, english: str, french: str) -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=PARIS)
    assert words.clock(instant, now, PARIS, "en") == english
    assert words.clock(instant, now, PARIS, "fr") == french


async def test_a_deadline_stands_in_the_zone_of_the_point(anna: httpx.AsyncClient, world: World) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    world.work["ful_1"].fulfilment.hand_over_by.CopyFrom(to_proto(at))
    assert f"{at.astimezone(PARIS):%H:%M}" in (await anna.get(WORK)).text


# -- live -------------------------------------------------------------------------------------------------


async def test_all_pages_of_a_gateway_ask_once_and_each_hears_of_its_own_point(
    anna: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    bell = WorkBell(app.state.clients, poll_seconds=0.01)
    world.marks |= {"store-lyon": "a", "store-paris": "b"}
    with bell.looking_at("store-lyon"), bell.looking_at("store-lyon"), bell.looking_at("store-paris"):
        heard = await asyncio.gather(
            *(bell.changed(point, None, 5) for point in ("store-lyon", "store-lyon", "store-paris"))
        )
        assert heard == ["a", "a", "b"]
        assert {tuple(one.point_ids) for one in world.calls("ListWorkMarks")} == {("store-lyon", "store-paris")}
        world.marks["store-lyon"] = "c"
        assert await bell.changed("store-lyon", "a", 5) == "c"
        assert await bell.changed("store-paris", "b", 0.05) is None
    await asyncio.sleep(0.05)  # the last question may have been on its way
    asked = len(world.calls("ListWorkMarks"))
    await asyncio.sleep(0.05)
    assert len(world.calls("ListWorkMarks")) == asked


async def test_what_was_known_holds_while_orders_is_away(
    anna: httpx.AsyncClient, app: FastAPI, world: World
) -> None:
    bell = WorkBell(app.state.clients, poll_seconds=0.01)
    world.marks["store-lyon"] = "a"
    with bell.looking_at("store-lyon"):
        assert await bell.changed("store-lyon", None, 5) == "a"
        world.failures["ListWorkMarks"] = [Unavailable("UNREACHABLE", "away") for _ in range(6)]
        assert await bell.changed("store-lyon", "a", 0.05) is None
        world.marks["store-lyon"] = "b"
        assert await bell.changed("store-lyon", "a", 5) == "b"


async def test_the_stream_ends_with_the_login(http: httpx.AsyncClient, issuer: Issuer, world: World) -> None:
    world.marks["store-lyon"] = "a"
    soon = int(datetime.now(UTC).timestamp()) + 2
    await sign_in(http, issuer.token(Role.STORE, stores=["store-lyon"], exp=soon))  # type: ignore[arg-type]
    answer = await http.get(f"{LYON}/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("retry: 2000\n\ndata: a\n\n")
