"""Bulk actions over REST: tried, begun, followed, stopped, and by whom."""

from typing import Any

import httpx

from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

CANCEL: dict[str, Any] = {
    "act": "cancel",
    "reason": "recalled",
    "filter": {"channel_id": "web-fr", "status": "released", "late": True},
}
RELEASE: dict[str, Any] = {"act": "release_hold", "hold_kind": "fraud", "filter": {"held_for": "fraud"}}


async def test_a_set_is_tried_unless_it_is_said_to_begin(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    headers = issuer.bearer(Role.CUSTOMER_SERVICE)
    tried = (await http.post("/v1/bulk-actions", json=CANCEL, headers=headers)).json()
    assert (tried["id"], tried["orders"]) == (None, 3)
    assert [(one["status"], one["reason"], one["orders"]) for one in tried["verdicts"]] == [
        ("released", None, 2),
        ("released", "TOO_LATE_TO_CANCEL", 1),
    ]
    assert not world.calls("StartBulkAction")
    keyed = headers | {"Idempotency-Key": "recall-7"}
    for _ in range(2):
        begun = (await http.post("/v1/bulk-actions", json=CANCEL | {"dry_run": False}, headers=keyed)).json()
        assert (begun["id"], begun["pending"]) == ("blk_1", 3)
    first, second = world.calls("StartBulkAction")
    assert first == second
    assert (first.wish.channel_ids, first.wish.late, first.wish.roles) == (["web-fr"], True, ["customer_service"])
    (asked,) = world.calls("PreviewBulkAction")
    assert asked.wish == first.wish


async def test_results_are_read_in_pages_and_as_a_file(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    headers = issuer.bearer(Role.SUPPLY_CHAIN)
    page = (await http.get("/v1/bulk-actions/blk_1/results?size=1", headers=headers)).json()
    assert (page["items"][0]["state"], page["next_cursor"]) == ("done", "1")
    assert (await http.get("/v1/bulk-actions/blk_1", headers=headers)).json()["refused"] == 1
    file = await http.get("/v1/bulk-actions/blk_1/results.csv", headers=headers)
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.splitlines() == [
        "number,order_id,state,reason,detail,decided_at",
        "1,ord_1,done,,,2026-11-20T12:00:00Z",
        "2,ord_2,refused,TOO_LATE_TO_CANCEL,,",
    ]
    assert (await http.post("/v1/bulk-actions/blk_1/stop", headers=headers)).json()["stopped"] == 2


async def test_who_may_not_cancel_one_may_not_cancel_many(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    planner = issuer.bearer(Role.SUPPLY_CHAIN)
    assert (await http.post("/v1/bulk-actions", json=CANCEL, headers=planner)).status_code == 403
    assert (await http.post("/v1/bulk-actions", json=RELEASE, headers=planner)).status_code == 200
    limited = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Aubier"])
    for method, path in (("POST", ""), ("GET", "/blk_1"), ("GET", "/blk_1/results.csv"), ("POST", "/blk_1/stop")):
        body = RELEASE if not path else None
        answer = await http.request(method, f"/v1/bulk-actions{path}", json=body, headers=limited)
        assert (answer.status_code, answer.json()["reason"]) == (403, "BRAND_NOT_ALLOWED")
    service = issuer.bearer(Role.CUSTOMER_SERVICE)
    for wrong in ({"act": "explode"}, {"filter": {"mood": "bad"}}):
        assert (await http.post("/v1/bulk-actions", json=CANCEL | wrong, headers=service)).status_code == 422
