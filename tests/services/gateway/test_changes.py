"""Changes over REST: who changes what, what is passed on, and when the answer is still to come."""

from typing import Any

import httpx
import pytest

from kit.errors import FailedPrecondition
from services.gateway.auth import Role
from services.gateway.schemas.orders import ORDER_EXAMPLE
from tests.services.gateway.fake_changes import change
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = "/v1/orders/ord_1"
CONTENT: dict[str, Any] = {name: ORDER_EXAMPLE[name] for name in ("lines", "total", "mode")}


@pytest.fixture
def channel(issuer: Issuer, world: World) -> dict[str, str]:
    """The channel of an order."""
    world.add_order("ord_1", "web-fr")
    return issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])


async def test_units_of_lines_are_cancelled_by_whom_and_in_which_roles(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    body = {"lines": [{"line_number": 1, "quantity": 2}], "reason": "too many"}
    told = await http.post(f"{ORDER}/lines/cancel", json=body, headers=channel | {"Idempotency-Key": "key-1"})
    assert told.status_code == 200
    assert (told.json()["state"], told.json()["status_url"]) == ("applied", f"{ORDER}/changes/chg_1")
    await http.post(f"{ORDER}/lines/cancel", json=body, headers=channel | {"Idempotency-Key": "key-1"})
    await http.post(f"{ORDER}/lines/cancel", json=body, headers=channel)
    first, again, another = world.calls("CancelLines")
    assert [(line.line_number, line.quantity) for line in first.lines] == [(1, 2)]
    assert (first.reason, first.actor, list(first.roles)) == ("too many", "web", ["channel"])
    assert first.request_id == again.request_id != another.request_id
    why = {"line_number": 1, "cancellable": 1}
    world.failures["CancelLines"] = [FailedPrecondition("TOO_LATE_TO_CHANGE", "too late", **why)]
    refused = await http.post(f"{ORDER}/lines/cancel", json=body, headers=channel)
    assert (refused.status_code, refused.json()["reason"]) == (409, "TOO_LATE_TO_CHANGE")
    assert refused.json()["facts"]["cancellable"] == "1"


async def test_an_address_is_passed_on_and_told_to_nobody_else(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    body = {"ship_to": ORDER_EXAMPLE["ship_to"]}
    told = await http.patch(f"{ORDER}/address", json=body, headers=channel)
    assert (told.status_code, told.json()["kind"]) == (200, "address")
    assert "Petit" not in told.text
    assert world.calls("ChangeAddress")[0].ship_to.name == "Ana Petit"


async def test_other_content_is_answered_once_it_is_decided(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    told = await http.put(f"{ORDER}/content", json=CONTENT, headers=channel)
    assert (told.status_code, told.json()["state"]) == (200, "applied")
    asked = world.calls("ProposeChange")[0]
    assert (asked.total.amount_minor, asked.lines[0].quantity, asked.HasField("ship_to")) == (5480, 2, False)
    read = await http.get(f"{ORDER}/changes/chg_1", headers=channel)
    assert read.json() == told.json()
    assert [one["change_id"] for one in (await http.get(ORDER, headers=channel)).json()["changes"]] == ["chg_1"]


async def test_new_texts_are_what_the_article_may_have_and_old_ones_are_not_judged_again(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    (first, *rest) = CONTENT["lines"]

    async def change_to(text: str, **more: Any) -> httpx.Response:
        engraved = first | {"sku": "SKU-1", "personalisations": [{"name": "engraved_name", "text": text}]}
        return await http.put(
            f"{ORDER}/content", json=CONTENT | {"lines": [engraved, *rest]} | more, headers=channel
        )

    for text, reason in (("Zoé Petit", "TEXT_TOO_LONG"), ("Zoé", "")):
        told = await change_to(text, gift_message="Bonne fête")
        assert (told.status_code, told.json().get("reason", "")) == (422 if reason else 200, reason)
    assert [(one.gift_message, one.HasField("gift_message")) for one in world.calls("ProposeChange")] == [
        ("Bonne fête", True)
    ]
    line = world.placed["ord_1"].content.lines.add(line_number=first["line_number"], sku="SKU-1")
    line.personalisations.add(name="engraved_name", text="As ordered then")
    assert (await change_to("As ordered then")).status_code == 200
    assert not world.calls("ProposeChange")[-1].HasField("gift_message")
    assert (await change_to("Zoé", gift_message="two\nlines")).status_code == 422


async def test_a_change_that_takes_its_time_is_followed(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    world.placed["ord_1"].changes.append(change("content", "proposed"))
    told = await http.put(f"{ORDER}/content", json=CONTENT, headers=channel)
    assert (told.status_code, told.headers["Location"]) == (202, f"{ORDER}/changes/chg_1")


async def test_only_who_speaks_for_the_channel_changes_its_orders(
    http: httpx.AsyncClient, channel: dict[str, str], issuer: Issuer
) -> None:
    other = issuer.bearer(Role.CHANNEL, subject="app", channels=["app-fr"])
    assert (await http.put(f"{ORDER}/content", json=CONTENT, headers=other)).status_code == 404
    finance = issuer.bearer(Role.FINANCE, subject="fred")
    assert (await http.put(f"{ORDER}/content", json=CONTENT, headers=finance)).status_code == 403
    unknown = await http.get(f"{ORDER}/changes/chg_9", headers=finance)
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "CHANGE_NOT_FOUND")


async def test_customer_service_ends_a_wait_and_a_channel_does_not(
    http: httpx.AsyncClient, channel: dict[str, str], issuer: Issuer, world: World
) -> None:
    assert (await http.post(f"{ORDER}/plan-again", headers=channel)).status_code == 403
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    told = await http.post(f"{ORDER}/plan-again", headers=service)
    assert (told.status_code, told.json()["kind"], told.json()["state"]) == (200, "plan_again", "applied")
    (asked,) = world.calls("PlanAgain")
    assert (asked.order_id, asked.actor, asked.point_id) == ("ord_1", "carol", "")
    away = {"point_id": "store-lyon", "reason": "flooded"}
    assert (await http.post(f"{ORDER}/plan-again", json=away, headers=service)).status_code == 200
    assert (world.calls("PlanAgain")[-1].point_id, world.calls("PlanAgain")[-1].reason) == tuple(away.values())
    world.failures["PlanAgain"] = [FailedPrecondition("NOTHING_AWAITED", "the order waits for no stock")]
    refused = await http.post(f"{ORDER}/plan-again", headers=service)
    assert (refused.status_code, refused.json()["reason"]) == (409, "NOTHING_AWAITED")
