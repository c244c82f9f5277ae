"""Many orders at once from the desk: tried, begun once, followed, stopped, and by whom."""

import re

import httpx
import pytest

from kit.errors import InvalidArgument
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

BULK = "/console/service/bulk"
CANCEL = {"act": "cancel", "reason": "recalled", "channel_id": "web-fr", "held_for": "", "late": "yes"}


@pytest.fixture
async def at_desk(http: httpx.AsyncClient, issuer: Issuer) -> httpx.AsyncClient:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE, subject="carla"))
    return http


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))


async def test_a_set_is_tried_and_what_was_tried_is_begun_once(at_desk: httpx.AsyncClient, world: World) -> None:
    tried = await at_desk.post(BULK, data=CANCEL | {"order_ids": "ord_1\r\nord_2", "step": "look"})
    assert tried.status_code == 200
    assert "3 orders are chosen" in tried.text
    assert '<span class="bad">refused</span>: it has left' in tried.text
    assert not world.calls("StartBulkAction")
    body = hidden(tried.text) | {"step": "do"}
    for _ in range(2):
        begun = await at_desk.post(BULK, data=body)
        assert (begun.status_code, begun.headers["location"]) == (303, f"{BULK}/blk_1")
    first, second = world.calls("StartBulkAction")
    assert first == second
    assert (first.actor, first.wish.act, first.wish.late, first.wish.hold_kind) == ("carla", "cancel", True, "")
    assert (list(first.wish.channel_ids), list(first.wish.order_ids)) == (["web-fr"], ["ord_1", "ord_2"])
    (looked,) = world.calls("PreviewBulkAction")
    assert looked.wish == first.wish


async def test_what_was_filled_in_can_be_changed_and_is_kept_when_it_is_refused(
    at_desk: httpx.AsyncClient, world: World
) -> None:
    again = await at_desk.post(BULK, data=CANCEL | {"step": "change", "key": "key_1"})
    assert 'value="recalled"' in again.text
    assert hidden(again.text) == {"key": "key_1"}
    assert not world.asked
    world.failures["PreviewBulkAction"] = [InvalidArgument("filter", "choose fewer", "TOO_MANY_ORDERS")]
    refused = await at_desk.post(BULK, data=CANCEL | {"step": "look"})
    assert (refused.status_code, "filter: choose fewer" in refused.text) == (422, True)
    assert 'value="recalled"' in refused.text
    for wrong, says in (({"act": "explode"}, "act: one of the choices"), ({"act": "release_hold"}, "held_for:")):
        answer = await at_desk.post(BULK, data=CANCEL | wrong | {"step": "do"})
        assert (answer.status_code, says in answer.text) == (422, True)
    assert not world.calls("StartBulkAction")
    elsewhere = await at_desk.post(BULK, data=CANCEL, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 401


async def test_holds_that_orders_are_chosen_by_are_released(at_desk: httpx.AsyncClient, world: World) -> None:
    await at_desk.post(BULK, data={"act": "release_hold", "held_for": "fraud", "step": "do"})
    (begun,) = world.calls("StartBulkAction")
    assert (begun.wish.hold_kind, begun.wish.held_for) == ("fraud", "fraud")


async def test_the_work_of_a_point_is_done_elsewhere(at_desk: httpx.AsyncClient, world: World) -> None:
    wish = {"act": "plan_again", "point_id": "store-lyon", "reason": "flooded"}
    tried = (await at_desk.post(BULK, data=wish | {"step": "look"})).text
    assert "planned again, or stay" in tried
    for said in ("<dd>have them done elsewhere</dd>", "<dd>flooded</dd>", "<dd>store-lyon</dd>"):
        assert said in tried, "what was filled in stands beside what it would do"
    await at_desk.post(BULK, data=wish | {"step": "do"})
    (begun,) = world.calls("StartBulkAction")
    assert (begun.wish.act, begun.wish.point_id, begun.wish.reason) == ("plan_again", "store-lyon", "flooded")


async def test_it_is_followed_order_by_order_and_can_be_stopped(at_desk: httpx.AsyncClient, world: World) -> None:
    page = (await at_desk.get(f"{BULK}/blk_1")).text
    assert "Cancel, 3 orders" in page
    assert 'href="/console/service/orders/ord_1"' in page
    assert 'href="?cursor=1"' in page
    last = (await at_desk.get(f"{BULK}/blk_1?cursor=1")).text
    assert "refused: too late to cancel" in last
    assert "Stop:" not in last, "all are decided on"
    file = await at_desk.get(f"{BULK}/blk_1/results.csv")
    assert file.text.splitlines()[1] == "1,ord_1,done,,,2026-11-20T12:00:00Z"
    stopped = await at_desk.post(f"{BULK}/blk_1/stop")
    assert (stopped.status_code, stopped.headers["location"]) == (303, f"{BULK}/blk_1")
    assert len(world.calls("StopBulkAction")) == 1


async def test_what_the_queue_shows_is_chosen_where_that_can_be_said(at_desk: httpx.AsyncClient) -> None:
    queue = "/console/service"
    assert f'href="{BULK}"' in (await at_desk.get(queue)).text
    for reason, chosen in (
        ("held_fraud", "fraud"),
        ("held_payment", "payment"),
        ("held_manual", "manual"),
        ("late", "yes"),
        ("payment_failed", "yes"),
        ("unclaimed", "yes"),
    ):
        page = (await at_desk.get(f"{queue}?reason={reason}&channel_id=web-fr")).text
        (link,) = re.findall(rf'href="({BULK}[^"]*)"', page)
        form = (await at_desk.get(link.replace("&amp;", "&"))).text
        assert 'value="web-fr"' in form
        assert form.count(" selected>") == form.count(f'<option value="{chosen}" selected>') == 1
    assert f'href="{BULK}"' in (await at_desk.get(f"{queue}?reason=held_stock")).text, "others wait as planned"
    at_point = (await at_desk.get(f"{queue}?reason=late&point_id=store-lyon")).text
    assert f'href="{BULK}?point_id=store-lyon&amp;late=yes"' in at_point
    narrower = (await at_desk.get(f"{queue}?reason=late&brand=Aubier")).text
    assert f'href="{BULK}"' in narrower, "a brand cannot be said there: more would be chosen than is shown"


async def test_who_may_not_cancel_one_may_not_cancel_many(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    await sign_in(http, issuer.token(Role.SUPPLY_CHAIN))
    form = (await http.get(BULK)).text
    assert 'value="release_hold"' in form
    assert 'value="cancel"' not in form
    assert (await http.post(BULK, data=CANCEL | {"step": "do"})).status_code == 422
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE, brands=["Aubier"]))
    assert BULK not in (await http.get("/console/service")).text
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/blk_1"), ("GET", "/blk_1/results.csv")):
        assert (await http.request(method, f"{BULK}{path}", data=CANCEL)).status_code == 403
    assert (await http.post(f"{BULK}/blk_1/stop")).status_code == 403
    assert not {name for name, _ in world.asked} & {"StartBulkAction", "GetBulkAction", "StopBulkAction"}
