"""Stored value over REST: who may ask what, what is sent on, and where a code never is."""

import httpx
import pytest

from oms.payments.v1 import stored_value_service_pb2 as pb
from services.gateway.auth import Role
from tests.services.gateway.fake_stored_value import CODE
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

PATH = "/v1/stored-value"


@pytest.fixture
def finance(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.FINANCE, subject="anna")


async def test_a_note_is_issued_and_its_code_shown(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    body = {
        "kind": "credit_note",
        "amount": {"amount_minor": 3000, "currency": "EUR"},
        "valid_until": "2199-01-01T00:00:00Z",
        "customer_ref": "c-81",
        "reason": "late",
    }
    sent = [await http.post(PATH, json=body, headers=finance | {"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [201, 201]
    assert (sent[0].json()["id"], sent[0].json()["code"]) == ("svl_1", CODE)
    first, again = world.calls("IssueStoredValue")
    assert first == again
    assert (first.kind, first.actor, first.reason) == (pb.STORED_VALUE_KIND_CREDIT_NOTE, "anna", "late")


async def test_a_code_that_is_not_shown_is_null(http: httpx.AsyncClient, finance: dict[str, str]) -> None:
    answer = await http.post(f"{PATH}/svl_1/code", json={"reason": "lost"}, headers=finance)
    assert answer.json()["code"] is None


async def test_acts_on_one_carry_who_does_them_and_why(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    for act in ("freeze", "unfreeze"):
        assert (
            await http.post(f"{PATH}/svl_1/{act}", json={"reason": "lost"}, headers=finance)
        ).status_code == 200
    asked = world.calls("FreezeStoredValue")
    assert [(one.instrument_id, one.frozen, one.actor, one.reason) for one in asked] == [
        ("svl_1", True, "anna", "lost"),
        ("svl_1", False, "anna", "lost"),
    ]
    body = {"amount": {"amount_minor": -500, "currency": "EUR"}, "reason": "a mistake"}
    assert (await http.post(f"{PATH}/svl_1/adjust", json=body, headers=finance)).status_code == 200
    assert world.calls("AdjustStoredValue")[-1].amount.amount_minor == -500


async def test_filters_and_pages_are_asked_for(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    answer = await http.get(f"{PATH}?kind=gift_card&state=used_up&customer_ref=c-81&size=7", headers=finance)
    assert [one["state"] for one in answer.json()["items"]] == ["active"]
    asked = world.calls("ListStoredValue")[-1]
    assert (asked.kind, asked.state, asked.customer_ref, asked.page.size) == (
        pb.STORED_VALUE_KIND_GIFT_CARD,
        pb.STORED_VALUE_STATE_USED_UP,
        "c-81",
        7,
    )
    moved = await http.get(f"{PATH}/svl_1/movements", headers=finance)
    assert moved.json()["items"][0]["balance_change_minor"] == -2_000


async def test_a_channel_asks_for_itself_only(http: httpx.AsyncClient, issuer: Issuer, world: World) -> None:
    shop = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    answer = await http.post(f"{PATH}/check", json={"code": CODE, "channel_id": "web-fr"}, headers=shop)
    assert answer.json() == {
        "kind": "gift_card",
        "available": {"amount_minor": 0, "currency": "EUR"},
        "valid_until": None,
        "last_four": "04B6",
        "refusal": "stored_value_expired",
    }
    other = await http.post(f"{PATH}/check", json={"code": CODE, "channel_id": "app-fr"}, headers=shop)
    assert (other.status_code, len(world.calls("CheckStoredValue"))) == (403, 1)


async def test_what_was_typed_is_never_quoted(http: httpx.AsyncClient, issuer: Issuer) -> None:
    shop = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    for body in ({"code": f"{CODE}!", "channel_id": "web-fr"}, {"code": CODE, "channel_id": "web-fr", "x": CODE}):
        answer = await http.post(f"{PATH}/check", json=body, headers=shop)
        assert answer.status_code == 422
        assert CODE not in answer.text


async def test_a_token_limited_to_brands_sees_none(http: httpx.AsyncClient, issuer: Issuer, world: World) -> None:
    limited = issuer.bearer(Role.FINANCE, brands=["Aubier"])
    for path in (PATH, f"{PATH}/svl_1", f"{PATH}/svl_1/movements"):
        assert (await http.get(path, headers=limited)).json()["reason"] == "BRAND_NOT_ALLOWED"
    for act in ("freeze", "unfreeze", "code"):
        answer = await http.post(f"{PATH}/svl_1/{act}", json={"reason": "lost"}, headers=limited)
        assert answer.status_code == 403
    assert world.asked == []
