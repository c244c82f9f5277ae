"""Rulesets over REST: as fields or as text, with what was seen and who acts."""

from typing import Any

import httpx
import pytest

from kit.errors import Conflict, InvalidArgument
from oms.promise.v1 import ruleset_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

RULES = "/v1/rulesets/default"
ACTS = {
    "draft/discard": "DiscardDraft",
    "draft/publish": "PublishDraft",
    "versions/3/withdraw": "WithdrawVersion",
    "versions/3/roll-back": "RollBack",
}


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="anna")


async def test_a_ruleset_is_shown_as_it_stands_as_fields_and_as_text(
    http: httpx.AsyncClient, planner: dict[str, str]
) -> None:
    listed = (await http.get("/v1/rulesets", headers=planner)).json()["items"]
    shown = (await http.get(RULES, headers=planner)).json()
    assert listed[0] == shown
    standing = shown["in_force"]
    assert (standing["state"], standing["ruleset"]["version"], standing["published_by"]) == ("in_force", 3, "anna")
    assert standing["ruleset"]["tiers"] == [{"point_types": ["warehouse", "store"]}]
    assert (standing["ruleset"]["markdown"], standing["withdrawn_at"]) == (None, None)
    assert shown["draft"]["text"].startswith("revision: 7")
    assert shown["draft"]["differences"] == [{"path": "low_cover.days", "before": "14", "after": "none"}]
    assert (listed[1]["in_force"], listed[1]["scheduled"], listed[1]["draft"]) == (None, [], None)


async def test_versions_changes_and_differences_are_read(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    page = (await http.get(f"{RULES}/versions?size=1", headers=planner)).json()
    assert (page["items"][0]["ruleset"]["version"], page["next_cursor"]) == (3, "3")
    assert (await http.get(f"{RULES}/versions/3", headers=planner)).json() == page["items"][0]
    (change,) = (await http.get(f"{RULES}/changes", headers=planner)).json()["items"]
    assert (change["act"], change["actor"], change["effective_at"]) == ("saved", "bert", None)
    for query, sides in (("", ("in_force", "draft")), ("?before=3&after=12", ("3", "12"))):
        found = await http.get(f"{RULES}/differences{query}", headers=planner)
        assert found.json()["items"][0]["path"] == "low_cover.days"
        asked = world.calls("CompareRulesets")[-1]
        assert (asked.before, asked.after) == sides
    for query in ("before=newest", "after=0", "after=1.5", "from=3"):
        assert (await http.get(f"{RULES}/differences?{query}", headers=planner)).status_code == 422


async def test_a_draft_is_saved_as_text_or_as_fields_by_who_is_signed_in(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    text = {"text": "revision: 7\ncurrency: EUR\n", "reason": "season"}
    assert (await http.put(f"{RULES}/draft", json=text, headers=planner)).status_code == 200
    asked = world.calls("SaveDraft")[-1]
    assert (asked.ruleset_id, asked.content.text, asked.reason) == ("default", text["text"], "season")
    assert asked.actor == "anna"
    assert not asked.HasField("revision"), "it stands in the text"
    figures = {
        "currency": "EUR",
        "shipping_percent": 0,
        "tiers": [{"point_types": ["store"]}],
        "priority_costs": [{"point_type": "partner", "cost_minor": 5}],
        "markdown": {"days": 21, "gain_percent": 2},
        "distance_cost_minor_per_kilometre": 1,
    }
    body = {"ruleset": figures, "reason": "season", "revision": 0}
    assert (await http.put(f"{RULES}/draft", json=body, headers=planner)).status_code == 200
    asked = world.calls("SaveDraft")[-1]
    ruleset = asked.content.ruleset
    assert (asked.HasField("revision"), asked.revision) == (True, 0)
    assert (ruleset.HasField("shipping_percent"), ruleset.HasField("max_parcels")) == (True, False)
    assert list(ruleset.tiers) == [pb.Tier(point_types=[types.POINT_TYPE_STORE])]
    assert (ruleset.HasField("markdown"), ruleset.HasField("low_cover")) == (True, False)


async def test_what_is_shown_can_be_sent_back(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    shown = (await http.get(RULES, headers=planner)).json()
    body = {"ruleset": shown["in_force"]["ruleset"], "reason": "as it was", "revision": shown["revision"]}
    assert (await http.put(f"{RULES}/draft", json=body, headers=planner)).status_code == 200
    checked = await http.post(f"{RULES}/check", json={"ruleset": body["ruleset"]}, headers=planner)
    assert checked.json()["differences"][0]["after"] == "none"
    sent = world.calls("SaveDraft")[-1].content
    assert sent == world.calls("CheckRuleset")[-1].content
    assert sent.ruleset.low_cover == pb.LowCover(days=14, cost_minor=40)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "body"),
        ({"text": "currency: EUR", "ruleset": {"currency": "EUR"}}, "body"),
        ({"text": ""}, "text"),
        ({"text": "x" * 32_001}, "text"),
        ({"ruleset": {"currency": "euro"}}, "ruleset.currency"),
        ({"ruleset": {}}, "ruleset.currency"),
        ({"ruleset": {"currency": "EUR", "spilt_cost_minor": 1}}, "ruleset.spilt_cost_minor"),
        ({"ruleset": {"currency": "EUR", "split_cost_minor": -1}}, "ruleset.split_cost_minor"),
        ({"ruleset": {"currency": "EUR", "split_cost_minor": "1"}}, "ruleset.split_cost_minor"),
        ({"ruleset": {"currency": "EUR", "shipping_percent": 1001}}, "ruleset.shipping_percent"),
        ({"ruleset": {"currency": "EUR", "low_cover": {"days": 0, "cost_minor": 5}}}, "ruleset.low_cover.days"),
        (
            {"ruleset": {"currency": "EUR", "tiers": [{"point_types": ["store", "shop"]}]}},
            "ruleset.tiers[0].point_types[1]",
        ),
    ],
)
async def test_a_wrong_draft_is_refused_by_field(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, wrong: dict[str, Any], field: str
) -> None:
    body = wrong | {"reason": "season", "revision": 0}
    answer = await http.put(f"{RULES}/draft", json=body, headers=planner)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert not world.calls("SaveDraft")


async def test_a_text_that_breaks_a_rule_is_told_its_line_and_a_stale_one_whose_change_it_missed(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    line = InvalidArgument("text", "line 2, low_cover: unknown key 'day'", "UNKNOWN_KEY", line=2, path="low_cover")
    stale = Conflict("RULESET_CHANGED", "revision 8 is by bert", field="revision", revision=8, changed_by="bert")
    world.failures["SaveDraft"] = [line, stale]
    body = {"text": "currency: EUR\nlow_cover: {day: 1}", "reason": "season", "revision": 7}
    answer = await http.put(f"{RULES}/draft", json=body, headers=planner)
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["errors"][0]["field"]) == (422, "UNKNOWN_KEY", "text")
    assert problem["facts"] == {"line": "2", "path": "low_cover"}
    answer = await http.put(f"{RULES}/draft", json=body, headers=planner)
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["field"]) == (409, "revision")
    assert problem["facts"] == {"revision": "8", "changed_by": "bert"}


@pytest.mark.parametrize(("path", "call"), ACTS.items())
async def test_an_act_says_who_why_and_what_was_seen_and_a_second_click_is_the_same_act(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, path: str, call: str
) -> None:
    body: dict[str, Any] = {"revision": 7, "reason": "season"}
    for _ in range(2):
        answer = await http.post(f"{RULES}/{path}", json=body, headers=planner)
        assert answer.status_code == 200
    await http.post(f"{RULES}/{path}", json=body | {"revision": 8}, headers=planner)
    await http.post(f"{RULES}/{path}", json=body, headers=planner | {"Idempotency-Key": "k"})
    first, second, later, keyed = world.calls(call)
    assert (first.ruleset_id, first.actor, first.reason, first.revision) == ("default", "anna", "season", 7)
    assert first == second
    assert len({first.request_id, later.request_id, keyed.request_id}) == 3
    if "versions" in path:
        assert first.version == 3
    for wrong, field in (({"reason": "x"}, "revision"), ({"revision": 7}, "reason")):
        answer = await http.post(f"{RULES}/{path}", json=wrong, headers=planner)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("path", ["draft/publish", "versions/3/roll-back"])
async def test_a_publication_may_have_an_instant(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, path: str
) -> None:
    body = {"revision": 7, "reason": "season", "effective_at": "2026-12-01T00:00:00+01:00"}
    answer = await http.post(f"{RULES}/{path}", json=body, headers=planner)
    assert answer.json()["version"] == 4
    assert world.calls(ACTS[path])[-1].effective_at.ToJsonString() == "2026-11-30T23:00:00Z"


async def test_customer_service_reads_rules_and_changes_none(http: httpx.AsyncClient, issuer: Issuer) -> None:
    service = issuer.bearer(Role.CUSTOMER_SERVICE)
    assert (await http.get(RULES, headers=service)).status_code == 200
    body = {"text": "currency: EUR", "reason": "x", "revision": 0}
    assert (await http.put(f"{RULES}/draft", json=body, headers=service)).status_code == 403
    assert (await http.get(RULES, headers=issuer.bearer(Role.STORE))).status_code == 403
