"""Files of stock over REST: streamed, not held; and what is told of them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from kit.errors import InvalidArgument
from oms.inventory.v1 import import_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.fakes import NOON, World
from tests.services.gateway.tokens import Issuer

SNAPSHOT: dict[str, Any] = {
    "kind": "snapshot",
    "point_id": ["store-lyon", "store-paris"],
    "absent": "zero",
    "effective_at": "2026-11-20T12:00:00Z",
}
ADDRESS = "/v1/stock/imports"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


async def large(portions: int, size: int) -> AsyncIterator[bytes]:
    for number in range(portions):
        yield bytes([number % 256]) * size


async def test_the_file_and_how_it_is_meant_reach_the_service(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    answer = await http.post(
        ADDRESS,
        params=SNAPSHOT | {"file_name": "a.csv", "brand": "Aubier"},
        content=b"the file",
        headers=planner | {"Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()["job_id"], answer.json()["state"]) == (202, "imp_1", "done")
    ((header, content, _),) = world.calls("StartImport")
    assert content == b"the file"
    assert (header.kind, header.format) == (pb.IMPORT_KIND_SNAPSHOT, pb.IMPORT_FORMAT_CSV)
    assert (header.absent, header.compression) == (pb.ABSENT_RULE_ZERO, pb.IMPORT_COMPRESSION_GZIP)
    assert (list(header.point_ids), list(header.brands)) == (["store-lyon", "store-paris"], ["Aubier"])
    assert (header.actor, header.file_name) == ("paul", "a.csv")
    assert header.effective_at.ToDatetime(NOON.tzinfo) == NOON


async def test_a_file_larger_than_other_bodies_may_be_goes_through_in_portions(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    """The app under test takes other bodies up to 100,000 bytes."""
    terms = {"kind": "delta", "source": "till", "format": "ndjson", "point_type": "store"}
    answer = await http.post(ADDRESS, params=terms, content=large(7, 3 * 1024**2), headers=planner)
    assert answer.status_code == 202
    ((header, content, largest),) = world.calls("StartImport")
    assert content == b"".join([portion async for portion in large(7, 3 * 1024**2)])
    assert largest <= 1024**2
    assert header.point_type == types.POINT_TYPE_STORE


async def test_only_this_endpoint_takes_large_bodies(http: httpx.AsyncClient, planner: dict[str, str]) -> None:
    for address in (f"{ADDRESS}/imp_1/cancel", "/v1/stock/adjustments"):
        answer = await http.post(address, content=b"x" * 200_000, headers=planner)
        assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")


async def test_a_key_makes_two_requests_one(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    for key in ("a", "a", "b"):
        await http.post(ADDRESS, params=SNAPSHOT, content=b"x", headers=planner | {"Idempotency-Key": key})
    first, again, other = (header.request_id for header, _, _ in world.calls("StartImport"))
    assert first == again != other


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "full"}, "kind"),
        ({"absent": "maybe"}, "absent"),
        ({"effective_at": "yesterday"}, "effective_at"),
        ({"point_id": ["a", "a"]}, "point_id"),
        ({"points": "store-lyon"}, "points"),
    ],
)
async def test_a_wrong_parameter_is_named(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, change: dict[str, Any], field: str
) -> None:
    answer = await http.post(ADDRESS, params=SNAPSHOT | change, content=b"x", headers=planner)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert not world.calls("StartImport")


async def test_a_refusal_of_the_service_is_told(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    world.failures["StartImport"] = [InvalidArgument("content", "larger than 1 GiB", "FILE_TOO_LARGE")]
    answer = await http.post(ADDRESS, params=SNAPSHOT, content=b"x", headers=planner)
    assert (answer.status_code, answer.json()["reason"]) == (422, "FILE_TOO_LARGE")


async def test_rejected_records_are_listed_page_by_page(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    answer = await http.get(f"{ADDRESS}/imp_1/rejections?size=5", headers=issuer.bearer(Role.OPERATOR))
    assert answer.json()["items"] == [
        {"line": 3, "reason": "UNKNOWN_ITEM", "detail": "sku: none", "record": "X,store-lyon,1"}
    ]
    (asked,) = world.calls("ListImportRejections")
    assert (asked.job_id, asked.page.size) == ("imp_1", 5)
