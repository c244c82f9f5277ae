"""Errors as callers see them, and as logs do not."""

import json
import logging
from typing import Any

import httpx
import pytest

from kit.errors import DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, Unavailable
from services.gateway.auth import Role
from services.gateway.schemas.orders import ORDER_EXAMPLE
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]


@pytest.fixture
def service(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CUSTOMER_SERVICE) | {"Idempotency-Key": "key-1"}


def problem_of(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["reason"]) == (status, status, reason), body
    assert body["type"] == "urn:oms:problem:" + reason.lower().replace("_", "-")
    assert body["title"]
    assert body["detail"]
    return body


def changed(path: str, value: Any) -> dict[str, Any]:
    """The example order with one value replaced; `...` removes it."""
    body: Any = json.loads(json.dumps(ORDER_EXAMPLE))
    at = body
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return dict(body)


@pytest.mark.parametrize(
    ("path", "value", "field", "rule"),
    [
        ("lines.0.quantity", 0, "lines[0].quantity", "greater_than_equal"),
        ("lines.0.quantity", -1, "lines[0].quantity", "RETURN_NOT_SUPPORTED"),
        ("lines.0.quantity", "2", "lines[0].quantity", "int_type"),
        ("lines.0.quantity", True, "lines[0].quantity", "int_type"),
        ("lines.0.quantity", 2**63, "lines[0].quantity", "less_than_equal"),
        ("lines.0.quantity", 10**400, "lines[0].quantity", "less_than_equal"),
        ("lines.0.net_minor", 2**70, "lines[0].net_minor", "less_than_equal"),
        ("lines.0.net_minor", 12.5, "lines[0].net_minor", "int_type"),
        ("lines.0.sku", "", "lines[0].sku", "string_too_short"),
        ("lines.0.sku", "A\x00B", "lines[0].sku", "string_pattern_mismatch"),
        ("lines.0.title", "a\x00b", "lines[0].title", "string_pattern_mismatch"),
        ("lines.0.title", "x" * 201, "lines[0].title", "string_too_long"),
        ("lines.0.colour", "navy", "lines[0].colour", "extra_forbidden"),
        ("lines", [], "lines", "too_short"),
        ("lines", None, "lines", "list_type"),
        ("channel_id", ..., "channel_id", "missing"),
        ("channel_id", "a b", "channel_id", "string_pattern_mismatch"),
        ("ship_to.country", "fr", "ship_to.country", "string_pattern_mismatch"),
        ("ship_to.street_lines", ["a\nb"], "ship_to.street_lines[0]", "string_pattern_mismatch"),
        ("total.currency", "EURO", "total.currency", "string_pattern_mismatch"),
        ("mode", "teleport", "mode", "literal_error"),
        ("mode", "unspecified", "mode", "literal_error"),
        ("payment", {}, "payment", "exactly_one"),
        (
            "payment",
            {"payment_method_token": "a", "paid_by_channel_reference": "b"},
            "payment",
            "exactly_one",
        ),
        ("payment.payment_method_token", "", "payment.payment_method_token", "string_too_short"),
        ("customer.name", "\x00", "customer.name", "string_pattern_mismatch"),
        ("source_placed_at", 1767225600, "source_placed_at", "value_error"),
        ("source_placed_at", "1767225600", "source_placed_at", "value_error"),
        ("source_placed_at", "2026-01-01T00:00:00", "source_placed_at", "timezone_aware"),
        ("source_placed_at", "2026-13-01T00:00:00Z", "source_placed_at", "datetime_from_date_parsing"),
        ("source_placed_at", "1969-12-31T23:59:59Z", "source_placed_at", "value_error"),
    ],
    ids=str,
)
async def test_a_wrong_order_names_its_field_and_its_rule(
    http: httpx.AsyncClient, service: dict[str, str], world: World, path: str, value: Any, field: str, rule: str
) -> None:
    answer = await http.post("/v1/orders", json=changed(path, value), headers=service)
    reason = rule if rule.isupper() else "INVALID_REQUEST"
    body = problem_of(answer, 422, reason)
    assert [(one["field"], one["rule"]) for one in body["errors"]] == [(field, rule)]
    assert not world.asked


async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(
    http: httpx.AsyncClient, service: dict[str, str]
) -> None:
    for text in (
        json.dumps(changed("lines.0.title", "\ud800")),
        json.dumps(ORDER_EXAMPLE | {"\udfff" * 300: 1}),
    ):
        answer = await http.post(
            "/v1/orders", content=text, headers=service | {"Content-Type": "application/json"}
        )
        assert problem_of(answer, 422, "INVALID_REQUEST")["errors"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b'"\xc3\x28"', 400),
        (b"[" * 50_000, 400),
        (b"1" * 5_000, 400),
        (b"null", 422),
        (b"", 422),
        (b"NaN", 422),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_a_body_that_is_no_json_object_is_a_problem(
    http: httpx.AsyncClient, service: dict[str, str], content: bytes, status: int
) -> None:
    answer = await http.post("/v1/orders", content=content, headers=service | {"Content-Type": "application/json"})
    body = problem_of(answer, status, "MALFORMED_BODY" if status == 400 else "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "body"


async def test_another_content_type_is_a_problem(http: httpx.AsyncClient, service: dict[str, str]) -> None:
    body = json.dumps(ORDER_EXAMPLE)
    answer = await http.post("/v1/orders", content=body, headers=service | {"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("size=0", "size"),
        ("size=501", "size"),
        ("size=many", "size"),
        ("status=lost", "status"),
        ("cursor=%00", "cursor"),
        ("channel_id=%00", "channel_id"),
        ("chanel_id=web-fr", "chanel_id"),
        ("channel_order_number=" + "9" * 300, "channel_order_number"),
    ],
)
async def test_a_wrong_filter_names_itself(
    http: httpx.AsyncClient, service: dict[str, str], query: str, field: str
) -> None:
    body = problem_of(await http.get(f"/v1/orders?{query}", headers=service), 422, "INVALID_REQUEST")
    assert [one["field"] for one in body["errors"]] == [field]


@pytest.mark.parametrize("order_id", ["%00", "a%0Ab", "x" * 101, "-x", "é"])
async def test_a_wrong_path_names_its_parameter(
    http: httpx.AsyncClient, service: dict[str, str], order_id: str
) -> None:
    body = problem_of(await http.get(f"/v1/orders/{order_id}", headers=service), 422, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "order_id"


@pytest.mark.parametrize(
    "occurred_at",
    [
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "1969-12-31T23:59:59Z",
        "2026-03-02T09:30:00",
        "yesterday",
        1772443800,
        None,
    ],
    ids=str,
)
async def test_an_instant_outside_of_what_services_keep_is_refused(
    http: httpx.AsyncClient, issuer: Issuer, occurred_at: Any, world: World
) -> None:
    event = {
        "event_id": "e1",
        "carrier_id": "c",
        "tracking_code": "t",
        "status": "delivered",
        "occurred_at": occurred_at,
    }
    answer = await http.post("/v1/carrier-events", json=event, headers=issuer.bearer(Role.CARRIER))
    assert problem_of(answer, 422, "INVALID_REQUEST")["errors"][0]["field"] == "occurred_at"
    assert not world.asked


@pytest.mark.parametrize("key", [None, "", "x" * 201, "a\tb", "clé".encode()], ids=str)
async def test_placing_needs_a_printable_key_of_at_most_200_characters(
    http: httpx.AsyncClient, issuer: Issuer, key: Any, world: World
) -> None:
    headers = issuer.bearer(Role.CHANNEL) | ({} if key is None else {"Idempotency-Key": key})
    answer = await http.post("/v1/orders", json=ORDER_EXAMPLE, headers=headers)
    body = problem_of(answer, 422, "IDEMPOTENCY_KEY_REQUIRED" if key is None else "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "Idempotency-Key"
    assert not world.asked


async def test_a_key_used_with_other_content_names_the_field(
    http: httpx.AsyncClient, service: dict[str, str]
) -> None:
    assert (await http.post("/v1/orders", json=ORDER_EXAMPLE, headers=service)).status_code == 202
    other = changed("total.amount_minor", 1)
    body = problem_of(await http.post("/v1/orders", json=other, headers=service), 409, "IDEMPOTENCY_CONFLICT")
    assert body["errors"] == [
        {
            "field": "total",
            "rule": "IDEMPOTENCY_CONFLICT",
            "detail": "the key was used with other content",
        }
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidArgument("lines[0].tax_minor", "not the rate", "TAX_MISMATCH", expected_minor=3), 422),
        (FailedPrecondition("TOO_LATE_TO_CANCEL", "a parcel has left", state="released"), 409),
        (Unavailable("DATABASE_UNAVAILABLE", "away"), 503),
        (Unavailable("STORAGE_FULL", "no space left"), 503),
        (DeadlineExceeded("DEADLINE_EXCEEDED", "late"), 504),
        (Internal("INTERNAL", "an internal error; it was logged"), 500),
    ],
    ids=lambda value: getattr(value, "reason", str(value)),
)
async def test_what_a_service_says_reaches_the_caller(
    http: httpx.AsyncClient, service: dict[str, str], world: World, error: Any, status: int
) -> None:
    world.add_order(ORDER, "web-fr")
    world.failures["RequestCancellation"] = [error]
    answer = await http.post(f"/v1/orders/{ORDER}/cancel", json={"reason": "x"}, headers=service)
    body = problem_of(answer, status, error.reason)
    if "field" in error.facts:
        assert body["errors"][0]["field"] == error.facts["field"]
        assert body["facts"] == {"expected_minor": "3"}
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_read_is_tried_again_once_when_its_service_is_away_and_an_act_is_not(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    away = Unavailable("UNREACHABLE", "away")
    world.failures["GetOrder"] = [away]
    assert (await http.get(f"/v1/orders/{ORDER}", headers=service)).status_code == 200
    world.failures["GetOrder"] = [away, away]
    assert (await http.get(f"/v1/orders/{ORDER}", headers=service)).status_code == 503

    world.failures["RequestCancellation"] = [away]
    cancelled = await http.post(f"/v1/orders/{ORDER}/cancel", json={"reason": "x"}, headers=service)
    assert cancelled.status_code == 503


async def test_a_large_body_is_refused_by_its_announced_and_by_its_real_size(
    http: httpx.AsyncClient, service: dict[str, str]
) -> None:
    async def drip() -> Any:
        for _ in range(20):
            yield b"x" * 10_000

    for content in (b"x" * 100_001, drip()):
        answer = await http.post("/v1/orders", content=content, headers=service)
        assert problem_of(answer, 413, "BODY_TOO_LARGE")["errors"][0]["field"] == "body"


async def test_an_unknown_address_and_a_wrong_method_are_problems(http: httpx.AsyncClient) -> None:
    problem_of(await http.get("/v1/nothing"), 404, "NO_SUCH_ENDPOINT")
    wrong = await http.patch("/v1/orders")
    problem_of(wrong, 405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"]


async def test_logs_hold_nothing_of_what_was_sent(
    http: httpx.AsyncClient, service: dict[str, str], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await http.post("/v1/orders", json=changed("customer.name", "Plantée\x00"), headers=service)
    await http.post("/v1/orders", json=changed("customer.plantee", "Plantée"), headers=service)
    await http.post("/v1/orders", json=changed("customer.name", "Plantée"), headers=service)
    # A defect whose message quotes a customer.
    world.add_order(ORDER, "web-fr", customer_status="Plantée", state=0)
    answer = await http.get(f"/v1/orders/{ORDER}", headers=service)
    problem_of(answer, 500, "INTERNAL")
    assert "Plantée" not in answer.text
    assert "defect: ValidationError" in caplog.text
    ours = [record for record in caplog.records if not record.name.startswith(("grpc", "asyncio"))]
    assert not any("lant" in record.getMessage() for record in ours)
