"""Life cycles and reviews over REST and in the console: what is sent, who sees what, which words are shown."""

from typing import Any

import httpx
import pytest

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.console import languages
from services.gateway.schemas.life_cycles import LifeCycle
from tests.services.gateway.fakes import HOLD, NOON, World
from tests.services.gateway.tokens import Issuer

BODY: dict[str, Any] = LifeCycle.model_json_schema()["examples"][0]
FASHION = "/v1/life-cycles/fashion"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paula")


@pytest.fixture
def suspected(world: World) -> orders.Order:
    """An order that waits for a review."""
    order = world.add_order("ord_1", "web-fr")
    hold = orders.Hold()
    hold.CopyFrom(HOLD)
    hold.kind = "fraud"
    order.holds.append(hold)
    hit = orders.FraudHit(rule="amount", weight=60, reason="more than 800 EUR")
    check = orders.FraudCheck(score=60, band="review", hits=[hit], at=times.to_proto(NOON))
    order.fraud.CopyFrom(check)
    order.customer_labels.append(orders.StatusLabel(status="validated", language="fr", text="En cours"))
    return order


async def test_a_life_cycle_is_published_as_it_is_sent_and_read_back(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    every: list[dict[str, Any]] = [
        {"velocity": {"same": "email", "hours": 24, "more_than_orders": 3}},
        {"delivered_outside": {"countries": ["FR", "BE"]}},
        {"no_email": {}},
        {"units_over": {"quantity": 5}},
        {"new_customer": {"modes": ["home_express"]}},
    ]
    rules = [{"name": f"rule-{i}", "weight": 10, "reason": "so"} | one for i, one in enumerate(every)]
    body = BODY | {"fraud": {"review_at": 20, "rules": [*BODY["fraud"]["rules"], *rules]}}
    answer = await http.put(FASHION, json=body, headers=planner)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["life_cycle_id"], told["version"], told["offer_seconds"]) == ("fashion", 1, 3600)
    sent = world.calls("PublishLifeCycle")[0].life_cycle
    assert [one.WhichOneof("condition") for one in sent.fraud.rules] == [
        "amount_over",
        *(next(iter(one)) for one in every),
    ]
    assert (await http.get(FASHION, headers=planner)).json() == told
    again = {name: value for name, value in told.items() if name not in ("life_cycle_id", "version")}
    assert (await http.put(FASHION, json=again, headers=planner)).json()["version"] == 2, "a view can be sent back"
    assert (await http.get(f"{FASHION}?version=1", headers=planner)).json()["version"] == 1
    assert (await http.get(f"{FASHION}?version=3", headers=planner)).status_code == 404
    listed = (await http.get("/v1/life-cycles", headers=planner)).json()["items"]
    assert [(one["life_cycle_id"], one["version"]) for one in listed] == [("default", 1), ("fashion", 2)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"offer_seconds": "soon"}, "offer_seconds"),
        ({"cooling": 1}, "cooling"),
        ({"hold_rules": [{"kind": "rain"}]}, "hold_rules[0].kind"),
        ({"fraud": {"rules": [{"name": "a", "weight": 1, "reason": "b"}]}}, "fraud.rules[0]"),
    ],
)
async def test_what_cannot_be_a_life_cycle_names_its_field(
    http: httpx.AsyncClient, planner: dict[str, str], change: dict[str, Any], field: str
) -> None:
    answer = await http.put(FASHION, json=BODY | change, headers=planner)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_a_rule_of_orders_names_the_field_of_the_body(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, issuer: Issuer
) -> None:
    world.failures["PublishLifeCycle"] = [InvalidArgument("life_cycle.labels[0].language", "two letters")]
    answer = await http.put(FASHION, json=BODY, headers=planner)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "labels[0].language")
    one_brand = issuer.bearer(Role.SUPPLY_CHAIN, subject="paula", brands=["Aubier"])
    assert (await http.put(FASHION, json=BODY, headers=one_brand)).status_code == 403


async def test_reviews_tell_what_to_decide_and_why(
    http: httpx.AsyncClient, issuer: Issuer, world: World, suspected: orders.Order
) -> None:
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol", brands=["Aubier"])
    answer = await http.get("/v1/reviews?channel_id=web-fr&size=10", headers=service)
    (one,) = answer.json()["items"]
    assert (one["order_id"], one["total"]["amount_minor"], one["hold"]["hold_id"]) == ("ord_1", 5000, "hld_1")
    assert (one["fraud"]["score"], one["fraud"]["hits"][0]["reason"]) == (60, "more than 800 EUR")
    asked = world.calls("ListReviews")[0]
    assert (list(asked.channel_ids), list(asked.brands), asked.page.size) == (["web-fr"], ["Aubier"], 10)
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    assert (await http.get("/v1/reviews", headers=channel)).status_code == 403


async def test_the_score_is_shown_to_reviewers_only(
    http: httpx.AsyncClient, issuer: Issuer, world: World, suspected: orders.Order
) -> None:
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    assert (await http.get("/v1/orders/ord_1", headers=service)).json()["fraud"]["score"] == 60
    entries = (await http.get("/v1/orders/ord_1/timeline", headers=service)).json()["items"]
    assert [one["entry_id"] for one in entries] == [1, 2]
    for role, scope in ((Role.CHANNEL, {"channels": ["web-fr"]}), (Role.FINANCE, {}), (Role.OPERATOR, {})):
        other = issuer.bearer(role, subject="x", **scope)
        seen = await http.get("/v1/orders/ord_1", headers=other)
        assert seen.json()["fraud"] is None
        listed = await http.get("/v1/orders", headers=other)
        entries = await http.get("/v1/orders/ord_1/timeline", headers=other)
        for answer in (seen, listed, entries):
            assert "800 EUR" not in answer.text
            assert "60" not in str(answer.json().get("fraud"))
        assert [one["entry_id"] for one in entries.json()["items"]] == [1]


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", ["fr", "fr", "en"]),
        ("en;q=0.5, de;q=0.9", ["de", "en"]),
        ("fr;q=x, en", ["en"]),
        ("fr;q=0", []),
        ("", []),
    ],
)
def test_languages_are_wanted_in_the_order_of_their_weight(header: str, wanted: list[str]) -> None:
    assert languages.preferred(header) == wanted


def test_words_are_of_the_first_language_that_has_them() -> None:
    labels = {"fr": "En cours", "en": "Under way"}
    assert languages.words(labels, "validated", ["de", "en", "fr"]) == "Under way"
    assert languages.words(labels, "validated", ["de"]) == "validated"
    assert languages.words({}, "validated", ["fr"]) == "validated"


async def test_the_console_speaks_of_an_order_in_the_readers_language(
    http: httpx.AsyncClient, issuer: Issuer, suspected: orders.Order
) -> None:
    token = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")["Authorization"].removeprefix("Bearer ")
    await http.post("/console/login", data={"token": token})
    for path in ("/console/orders/ord_1", "/console/orders"):
        page = await http.get(path, headers={"Accept-Language": "fr-FR,fr;q=0.9"})
        assert "En cours" in page.text
        assert "En cours" not in (await http.get(path, headers={"Accept-Language": "de"})).text
    page = await http.get("/console/orders/ord_1")
    assert "more than 800 EUR (60)" in page.text
