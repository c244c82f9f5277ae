"""Every endpoint against its own description, with the real services behind it: whatever is sent, no answer is a
defect, each answer is described, and a refused request is told which field is wrong."""

import json
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, Response
from schemathesis.specs.openapi import checks as openapi_checks

from services.gateway.app import create_app
from services.gateway.auth import Role
from tests.conftest import MakeDatabase
from tests.services.gateway import house
from tests.services.gateway.bodies import request_of
from tests.services.gateway.house import House
from tests.services.gateway.tokens import Issuer

_APP = create_app(cast(Any, None), cast(Any, None))
_SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(_APP.openapi())))
_CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
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


def furnish(url: str, everything: dict[str, str]) -> None:
    for method, path in (
        ("PUT", "/v1/items"),
        ("PUT", "/v1/stock-points"),
        ("PUT", "/v1/channels"),
        ("PUT", "/v1/carriers"),
        ("POST", "/v1/stock/adjustments"),
        ("POST", "/v1/orders"),
        ("POST", "/v1/webhook-endpoints"),
    ):
        address, options = request_of(_APP, method, path)
        headers = options.pop("headers") | everything
        answer = httpx.request(method, url + address, headers=headers, timeout=20, **options)
        assert answer.is_success, (method, path, answer.text)


def problems_name_what_is_wrong(ctx: Any, response: Response, case: Case) -> None:
    """A 422 names at least one field, and no problem repeats a character that a log could not take."""
    if response.status_code != 422:
        return
    problem = response.json()
    state_only = {"NOT_DELIVERABLE", "PAYMENT_DECLINED", "PAYMENT_ACTION_EXPIRED"}
    assert problem["reason"] in state_only or problem.get("errors"), problem


@_SCHEMA.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_endpoint_keeps_its_promises(case: Case, gateway: House, everything: dict[str, str]) -> None:
    case.call_and_validate(
        base_url=gateway.url,
        headers=everything,
        checks=_CHECKS,
        additional_checks=[problems_name_what_is_wrong],
        timeout=20,
    )


def test_the_examples_of_the_description_work(gateway: House, everything: dict[str, str]) -> None:
    answer = httpx.get(f"{gateway.url}/v1/orders", headers=everything)
    (order,) = [one for one in answer.json()["items"] if one["channel_order_number"] == "W-100234"]
    assert order["status"] == "recorded", "no worker: it waits for one"
    balances = httpx.get(f"{gateway.url}/v1/stock/balances", headers=everything).json()["items"]
    assert balances
