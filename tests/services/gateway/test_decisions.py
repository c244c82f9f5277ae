"""Decisions over REST: who reads them, and how large ones are read in parts."""

import httpx
import pytest

from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]
EXPLANATION = "/v1/decisions/dec_1/explanation"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


async def test_an_order_leads_to_its_decisions_page_by_page(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    page = (await http.get(f"/v1/orders/{ORDER}/decisions?size=1&cursor=3", headers=planner)).json()
    assert page["next_cursor"] == "7"
    (decision,) = page["items"]
    assert (decision["decision_id"], decision["mode"]) == ("dec_1", "home_standard")
    assert decision["plans"][0]["legs"][0]["point_id"] == "store-lyon"
    assert decision["quoted"]["price"] == {"amount_minor": 490, "currency": "EUR"}
    assert "seen" not in decision
    (asked,) = world.calls("ListDecisions")
    assert (asked.order_id, asked.page.size, asked.page.cursor) == (ORDER, 1, "3")


async def test_a_decision_shows_what_it_saw_in_pages(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    found = (await http.get("/v1/decisions/dec_1?sku=SKU-1&size=10", headers=planner)).json()
    assert found["seen"] == [{"sku": "SKU-1", "point_id": "store-lyon", "available": 2}]
    assert found["rejected"][0]["reason"] == "NO_STOCK"
    assert found["points"][0]["type"] == "store"
    assert (found["next_cursor"], found["inputs_hash"]) == ("50", "ab" * 32)
    (asked,) = world.calls("GetDecision")
    assert (list(asked.skus), asked.page.size) == (["SKU-1"], 10)


async def test_a_decision_is_told_in_sentences_with_their_facts(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    told = (await http.get(f"{EXPLANATION}?why_not=store-nice", headers=planner)).json()
    assert told == {
        "decision_id": "dec_1",
        "order_id": ORDER,
        "sections": [
            {
                "name": "split",
                "sentences": [
                    {
                        "code": "NOT_SPLIT",
                        "text": "It is not split: store-lyon had all that is sent.",
                        "facts": {"point_id": "store-lyon"},
                    }
                ],
            }
        ],
    }
    (asked,) = world.calls("ExplainDecision")
    assert (asked.decision_id, asked.why_not_point_id) == ("dec_1", "store-nice")


async def test_a_decision_of_an_order_that_is_hidden_is_answered_like_one_that_does_not_exist(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    mine = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Aubier"])
    other = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Rivage"])
    for tail in ("", "/explanation"):
        assert (await http.get(f"/v1/decisions/dec_1{tail}", headers=mine)).status_code == 200
        hidden = await http.get(f"/v1/decisions/dec_1{tail}", headers=other)
        missing = await http.get(f"/v1/decisions/dec_2{tail}", headers=other)
        assert (hidden.status_code, hidden.json()["reason"]) == (404, "DECISION_NOT_FOUND")
        assert hidden.text == missing.text.replace("dec_2", "dec_1")


async def test_channels_and_stores_do_not_read_where_stock_lies(http: httpx.AsyncClient, issuer: Issuer) -> None:
    for role in (Role.CHANNEL, Role.STORE, Role.FINANCE):
        for address in (f"/v1/orders/{ORDER}/decisions", "/v1/decisions/dec_1", EXPLANATION):
            assert (await http.get(address, headers=issuer.bearer(role))).status_code == 403
