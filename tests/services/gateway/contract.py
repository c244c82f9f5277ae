"""How an endpoint is held against its own description, with the real services behind it.

The fixtures are for whoever imports them.
"""

import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks as openapi_checks

from services.gateway.app import create_app
from services.gateway.auth import Role
from tests.conftest import MakeDatabase
from tests.services.gateway import house
from tests.services.gateway.bodies import request_of
from tests.services.gateway.house import House
from tests.services.gateway.tokens import Issuer


@schemathesis.serializer("application/x-ndjson")
def _as_text(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


_APP = create_app(cast(Any, None), cast(Any, None))


def schema(*, coverage: bool) -> Any:
    """The description as schemathesis reads it; `coverage` adds each boundary of each field, one by one."""
    config = {"phases": {"coverage": {"enabled": coverage, "unexpected-methods": []}}}
    document = json.loads(json.dumps(_APP.openapi()))
    # /readyz tells the truth: nobody works here. Its problem is looked at in test_readiness.
    # /image/stream does not end by itself: test_images reads it.
    return schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(config)).exclude(
        path=["/readyz", "/v1/channels/{channel_id}/image/stream"]
    )


_CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def everything(issuer: Issuer) -> dict[str, str]:
    """A token with every right."""
    return issuer.bearer(*Role, subject="tester")


@pytest.fixture(scope="module")
def gateway(
    make_database: MakeDatabase, temporal_address: str, issuer: Issuer, everything: dict[str, str]
) -> Iterator[House]:
    """The whole house, with one item, point, channel, carrier, order and webhook endpoint in it."""
    databases = {name: make_database(name).url for name in house.SERVICES}
    with house.running(databases, temporal_address, issuer) as running:
        furnish(running.url, everything)
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for thousands of requests."""
    with requests.Session() as session:
        yield session


def furnish(url: str, everything: dict[str, str]) -> None:
    for method, path in (
        ("PUT", "/v1/items"),
        ("PUT", "/v1/stock-points"),
        ("PUT", "/v1/channels"),
        ("PUT", "/v1/carriers"),
        ("POST", "/v1/stock/adjustments"),
        ("PUT", "/v1/expected-deliveries"),
        ("PUT", "/v1/channels/{channel_id}/future-rules"),
        ("PUT", "/v1/preorders"),
        ("PUT", "/v1/merchandising/facts"),
        ("PUT", "/v1/rulesets/{ruleset_id}/draft"),
        ("POST", "/v1/orders"),
        ("POST", "/v1/webhook-endpoints"),
        ("PUT", "/v1/handover-systems"),
    ):
        address, options = request_of(_APP, method, path)
        headers = options.pop("headers") | everything
        answer = httpx.request(method, url + address, headers=headers, timeout=20, **options)
        assert answer.is_success, (method, path, answer.text)


def problems_name_what_is_wrong(ctx: Any, response: Response, case: Case[Any]) -> None:
    """A 422 names at least one field, and no problem repeats a character that a log could not take."""
    if response.status_code != 422:
        return
    problem = response.json()
    state_only = {"NOT_DELIVERABLE", "PAYMENT_DECLINED", "PAYMENT_ACTION_EXPIRED"}
    assert problem["reason"] in state_only or problem.get("errors"), problem


def only_a_file_is_wrong(case: Case[Any]) -> bool:
    """Whether nothing is wrong but a body of text: whatever it is made of, as text it is a right one.

    A header that is missing may be the token, which every request is given.
    """
    if case.media_type is None or "json" in case.media_type or case.meta is None:
        return False
    wrong = {part for part, how in case.meta.components.items() if how.mode.is_negative}
    headers: dict[str, Any] = dict(case.headers or {})
    if headers.get("Content-Encoding", "identity") in ("identity", "gzip"):
        wrong.discard(ParameterLocation.HEADER)
    return wrong == {ParameterLocation.BODY}


def check(case: Case[Any], gateway: House, everything: dict[str, str], session: requests.Session) -> None:
    response = case.call(base_url=gateway.url, session=session, headers=everything, timeout=20)
    checks = [*_CHECKS, problems_name_what_is_wrong]
    sent = parse_qs(urlsplit(str(response.request.url)).query, keep_blank_values=True)
    if not set(case.query or ()) <= set(sent) or only_a_file_is_wrong(case):
        # A wrong parameter that stands for nothing in an address (none, an empty list) was never sent.
        checks.remove(openapi_checks.negative_data_rejection)
    case.validate_response(response, checks=checks)


FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
