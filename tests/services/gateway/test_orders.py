"""Orders over REST: views, lists, cancellation, money."""

import httpx
import pytest

from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import WINDOW, World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]


@pytest.fixture
def service(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CUSTOMER_SERVICE, subject="ines")


async def test_an_order_is_shown_whole(http: httpx.AsyncClient, service: dict[str, str], world: World) -> None:
    order = world.add_order(ORDER, "web-fr")
    order.ranges.add(line_number=1, from_unit=0, to_unit=2, state="allocated", fulfilment_id="ful_1")
    order.fulfilments.add(
        fulfilment_id="ful_1",
        point_id="store-lyon",
        state=orders.FULFILMENT_STATE_PACKED,
        window=WINDOW,
        parcel=orders.Parcel(
            parcel_id="par_1", amount=types.Money(amount_minor=5000, currency="EUR"), capture_state="captured"
        ),
    )
    shown = (await http.get(f"/v1/orders/{ORDER}", headers=service)).json()
    assert shown["id"] == ORDER
    assert shown["status"] == "validated"
    assert shown["mode"] == "home_standard"
    assert shown["total"] == {"amount_minor": 5000, "currency": "EUR"}
    assert shown["customer"]["name"] == "Zoé Plantée"
    assert shown["units"] == [
        {"line_number": 1, "from_unit": 0, "to_unit": 2, "state": "allocated", "fulfilment_id": "ful_1"}
    ]
    (work,) = shown["fulfilments"]
    assert (work["id"], work["status"], work["parcel"]["id"]) == ("ful_1", "packed", "par_1")
    assert work["parcel"]["tracking_code"] is None
    assert shown["refusal"] is None
    assert shown["next_action_url"] is None


async def test_a_list_is_filtered_and_paged(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    query = "channel_id=web-fr&status=action_required&channel_order_number=W-1&size=7&cursor=abc"
    page = (await http.get(f"/v1/orders?{query}", headers=service)).json()
    assert page["next_cursor"] == "more"
    (asked,) = world.calls("ListOrders")
    assert list(asked.channel_ids) == ["web-fr"]
    assert asked.state == orders.ORDER_STATE_ACTION_REQUIRED
    assert (asked.page.size, asked.page.cursor, asked.channel_order_number) == (7, "abc", "W-1")
    assert not asked.late


async def test_a_late_order_shows_what_was_told_and_why(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    order = world.add_order(ORDER, "web-fr")
    order.current_promise.CopyFrom(WINDOW)
    order.late_since.CopyFrom(WINDOW.start)
    order.compensation.CopyFrom(types.Money(amount_minor=245, currency="EUR"))
    parcel = orders.ParcelPromise(fulfilment_id="ful_1", window=WINDOW, cause="hand_over_missed")
    order.promise_changes.add(at=WINDOW.start, window=WINDOW, parcels=[parcel])
    (listed,) = (await http.get("/v1/orders?late=true", headers=service)).json()["items"]
    assert world.calls("ListOrders")[-1].late
    shown = (await http.get(f"/v1/orders/{ORDER}", headers=service)).json()
    window = listed["current_promise"]
    assert shown["current_promise"] == window
    assert shown["late_since"] == listed["late_since"] == window["start"]
    assert shown["compensation"] == {"amount_minor": 245, "currency": "EUR"}
    told = {"fulfilment_id": "ful_1", "window": window, "cause": "hand_over_missed"}
    assert shown["promise_changes"] == [{"at": window["start"], "window": window, "parcels": [told]}]


async def test_a_repeated_cancellation_is_one_request_and_names_who_asked(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    for reason in ("changed my mind", "changed my mind", "too late"):
        answer = await http.post(f"/v1/orders/{ORDER}/cancel", json={"reason": reason}, headers=service)
        assert (answer.status_code, answer.json()) == (202, {"id": ORDER, "status": "cancelling"})
    first, again, other = world.calls("RequestCancellation")
    assert first == again
    assert first.request_id != other.request_id
    assert first.actor == "ines"


async def test_a_timeline_tells_its_facts_as_json(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    (entry,) = (await http.get(f"/v1/orders/{ORDER}/timeline", headers=service)).json()["items"]
    assert entry["data"] == {"legs": 1}
    assert entry["text"] == "The order was validated."
    assert entry["fulfilment_id"] is None


async def test_money_is_shown(http: httpx.AsyncClient, service: dict[str, str]) -> None:
    payment = (await http.get(f"/v1/orders/{ORDER}/payment", headers=service)).json()
    assert payment["status"] == "authorized"
    assert payment["operations"][0]["kind"] == "authorize"
    assert payment["captured"] is None


async def test_an_availability_is_asked_in_the_callers_order(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    answer = await http.get("/v1/channels/web-fr/availability?sku=B&sku=A/1&explain=true", headers=service)
    assert [one["sku"] for one in answer.json()["items"]] == ["B", "A/1"]
    (asked,) = world.calls("GetAvailability")
    assert (asked.channel_id, asked.explain) == ("web-fr", True)
    for query in ("", "?sku=A&sku=A", "?sku=%20", "?sku=A&explain=perhaps"):
        assert (await http.get(f"/v1/channels/web-fr/availability{query}", headers=service)).status_code == 422


async def test_a_quote_counts_the_cooling_off_and_numbers_its_lines(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    basket = {
        "channel_id": "web-fr",
        "destination": {"country": "FR", "postcode": "69002"},
        "lines": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}],
    }
    body = (await http.post("/v1/promises", json=basket, headers=service)).json()
    assert body["quote_id"] == "quo_1"
    assert body["options"][0]["price"] == {"amount_minor": 490, "currency": "EUR"}
    assert body["not_offered"] == [{"mode": "home_express", "reason": "NO_CARRIER", "detail": ""}]
    (asked,) = world.calls("Quote")
    assert [line.line_number for line in asked.lines] == [1, 2]
    assert asked.cooling_off_until.seconds - asked.as_of.seconds == 1800
    assert not asked.HasField("not_before")
    assert not asked.may_consolidate
    assert not asked.may_wait

    told = basket | {"not_before": "2026-11-20T14:00:00+02:00", "may_consolidate": True, "may_wait": True}
    body = (await http.post("/v1/promises", json=told, headers=service)).json()
    assert [one["release_date"] for one in body["options"]] == ["", "2026-11-21"]
    assert [bool(one["waits_until"]) for one in body["options"]] == [False, True]
    assert world.calls("Quote")[1].not_before.ToJsonString() == "2026-11-20T12:00:00Z"
    assert not world.calls("Quote")[1].HasField("cooling_off_until")
    assert world.calls("Quote")[1].may_consolidate
    assert world.calls("Quote")[1].may_wait


async def test_a_page_of_articles_is_promised_each_for_itself(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    page = {
        "channel_id": "web-fr",
        "destination": {"country": "FR", "postcode": "69002"},
        "skus": ["A", "B"],
    }
    body = (await http.post("/v1/promises/listing", json=page, headers=service)).json()
    assert [item["sku"] for item in body["items"]] == ["A", "B"]
    option = body["items"][0]["options"][0]
    assert (option["mode"], option["point_id"]) == ("click_and_collect", "store-lyon")
    (asked,) = world.calls("QuoteListing")
    assert asked.cooling_off_until.seconds - asked.as_of.seconds == 1800
    for skus in ([], ["A", "A"], [f"S{n}" for n in range(51)], [""]):
        refused = await http.post("/v1/promises/listing", json=page | {"skus": skus}, headers=service)
        assert refused.status_code == 422, skus


async def test_a_quote_is_asked_for_a_store_and_for_appointments(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    window = {"start": "2026-11-20T14:00:00+01:00", "end": "2026-11-20T16:00:00+01:00"}
    basket = {
        "channel_id": "web-fr",
        "destination": {"point_id": "store-lyon"},
        "lines": [{"sku": "A", "quantity": 1}],
        "appointments": [{"window": window, "service_id": "lorry"}],
    }
    body = (await http.post("/v1/promises", json=basket, headers=service)).json()
    assert (body["options"][0]["point_id"], body["options"][0]["appointment"]) == ("", None)
    (asked,) = world.calls("Quote")
    assert (asked.destination.point_id, asked.destination.postcode) == ("store-lyon", "")
    assert asked.appointments[0].service_id == "lorry"
    assert asked.appointments[0].window.start.ToJsonString() == "2026-11-20T13:00:00Z"
    for wrong in (
        {},
        {"country": "FR"},
        {"country": "FR", "point_id": "store-lyon"},
        {"country": "FR", "postcode": " "},
    ):
        refused = await http.post("/v1/promises", json=basket | {"destination": wrong}, headers=service)
        assert refused.status_code == 422, wrong
