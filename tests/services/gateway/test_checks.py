"""The checks of the running system over REST, where the parts that they ask are away."""

import httpx
import pytest

from services.gateway.auth import Role
from tests.services.gateway.tokens import Issuer


@pytest.fixture
def operator(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.OPERATOR)


@pytest.mark.parametrize("query", ["", "?order_id=ord_1"])
async def test_workflows_that_cannot_be_seen_are_not_taken_for_missing_ones(
    http: httpx.AsyncClient, operator: dict[str, str], query: str
) -> None:
    answer = await http.get(f"/v1/checks/workflows{query}", headers=operator)
    assert (answer.status_code, answer.json()["reason"]) == (503, "WORKFLOWS_UNAVAILABLE")


@pytest.mark.parametrize("cursor", ["x", "eyJhIjoxfQ==", "9Z%5BX4UG%5C", "AAAAAAAA"])
async def test_a_cursor_of_another_list_is_refused_by_its_name(
    http: httpx.AsyncClient, operator: dict[str, str], cursor: str
) -> None:
    answer = await http.get(f"/v1/checks/workflows?cursor={cursor}", headers=operator)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["cursor"]
