"""Finance over REST and in the console: what is asked of the service, and how its answers are told."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from kit import times
from oms.payments.v1 import finance_service_pb2 as pb
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway.auth import Role
from services.gateway.console.chart import Series, chart_of, round_step
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

FILE = b"transaction_id,kind\n"


@pytest.fixture
def finance(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.FINANCE, subject="fiona")


async def test_every_filter_of_operations_reaches_the_service(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    query: dict[str, Any] = {
        "from": "2026-11-20T00:00:00Z",
        "until": "2026-11-21T00:00:00Z",
        "order_id": "ord_1",
        "channel_id": ["web-fr", "app-fr"],
        "point_id": "st-lyon",
        "provider": "stripe",
        "tender_kind": "payment_method_token",
        "kind": ["capture", "refund"],
        "state": "failed",
        "currency": "EUR",
        "size": 7,
    }
    answer = await http.get("/v1/payment-operations", params=query, headers=finance)
    assert answer.status_code == 200, answer.text
    (asked,) = world.calls("ListOperations")
    wanted = asked.filter
    assert (getattr(wanted, "from").seconds, wanted.until.seconds) == (1_795_132_800, 1_795_219_200)
    assert (list(wanted.order_ids), list(wanted.channel_ids)) == (["ord_1"], ["web-fr", "app-fr"])
    assert (list(wanted.point_ids), list(wanted.providers)) == (["st-lyon"], ["stripe"])
    assert (list(wanted.tender_kinds), list(wanted.currencies)) == (["payment_method_token"], ["EUR"])
    assert list(wanted.kinds) == [payments.OPERATION_KIND_CAPTURE, payments.OPERATION_KIND_REFUND]
    assert (list(wanted.states), asked.page.size) == ([payments.OPERATION_STATE_FAILED], 7)
    misspelt = await http.get("/v1/payment-operations", params={"chanel_id": "web-fr"}, headers=finance)
    assert (misspelt.status_code, misspelt.json()["errors"][0]["field"]) == (422, "chanel_id")


@pytest.mark.parametrize(
    ("name", "media_type", "number"),
    [
        ("csv", "text/csv; charset=utf-8", pb.EXPORT_FORMAT_CSV),
        ("parquet", "application/vnd.apache.parquet", pb.EXPORT_FORMAT_PARQUET),
    ],
)
async def test_a_file_of_operations_is_passed_on_as_it_comes(
    http: httpx.AsyncClient, finance: dict[str, str], world: World, name: str, media_type: str, number: int
) -> None:
    query = {"format": name, "state": "succeeded"}
    answer = await http.get("/v1/payment-operations/export", params=query, headers=finance)
    assert (answer.status_code, answer.content) == (200, b"a,b\n1,2\n")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="payment-operations.{name}"'
    (asked,) = world.calls("ExportOperations")
    assert (asked.format, list(asked.filter.states)) == (number, [payments.OPERATION_STATE_SUCCEEDED])


async def test_totals_are_told_with_what_is_kept_apart(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    query = {"from": "2026-11-01", "until": "2026-12-01", "by": ["day", "channel"]}
    answer = await http.get("/v1/payment-totals", params=query, headers=finance)
    first = answer.json()["items"][0]
    assert (first["day"], first["channel_id"], first["tender_kind"]) == ("2026-11-01", "web-fr", None)
    assert (first["kind"], first["amount"]["amount_minor"]) == ("authorize", 12_000)
    (asked,) = world.calls("ListTotals")
    assert list(asked.by) == [pb.TOTAL_BY_DAY, pb.TOTAL_BY_CHANNEL]


async def test_a_settlement_file_and_whose_it_is_reach_the_service(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    query = {"provider": "stripe", "day": "2026-11-20", "file_name": "a.csv"}
    answer = await http.post("/v1/settlements", params=query, content=FILE, headers=finance)
    assert (answer.status_code, answer.json()["settlement_id"]) == (202, "stl_1")
    ((header, content),) = world.calls("StartSettlement")
    assert (header.provider, header.day, header.file_name, header.actor, content) == (
        "stripe",
        "2026-11-20",
        "a.csv",
        "fiona",
        FILE,
    )
    for day in ("20/11/2026", "2026-02-31", "2026-11-20T00:00:00", "1763596800", "1969-12-31", "2200-01-01"):
        wrong = await http.post("/v1/settlements", params=query | {"day": day}, headers=finance)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "day"), day


async def test_settlements_and_differences_are_listed_and_resolved(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    listed = (await http.get("/v1/settlements?provider=stripe", headers=finance)).json()
    assert (listed["items"][0]["fees"], listed["next_cursor"]) == (
        [{"amount_minor": 81, "currency": "EUR"}],
        "Nw==",
    )
    one = (await http.get("/v1/settlements/stl_1", headers=finance)).json()
    assert (one["state"], one["matched"], one["extra"]) == ("done", 2, 1)
    (open_one,) = (await http.get("/v1/settlement-differences", headers=finance)).json()["items"]
    assert (open_one["kind"], open_one["state"], open_one["expected"]) == ("extra", "open", None)
    (asked,) = world.calls("ListSettlementDifferences")
    assert list(asked.states) == [pb.SETTLEMENT_DIFFERENCE_STATE_OPEN]
    address = "/v1/settlement-differences/sdf_1/resolve"
    closed = (await http.post(address, json={"reason": "theirs"}, headers=finance)).json()
    assert (closed["state"], closed["closed_by"], closed["reason"]) == ("closed", "fiona", "theirs")
    assert (await http.post(address, json={"reason": ""}, headers=finance)).status_code == 422


async def test_only_finance_of_all_brands_sees_what_is_summed_over_orders(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    of_brand = issuer.bearer(Role.FINANCE, brands=["Aubier"])
    for address in (
        "/v1/payment-operations/export?format=csv",
        "/v1/payment-totals?from=2026-11-01&until=2026-12-01",
        "/v1/settlements",
        "/v1/settlement-differences",
    ):
        assert (await http.get(address, headers=of_brand)).json()["reason"] == "BRAND_NOT_ALLOWED"
        service = issuer.bearer(Role.CUSTOMER_SERVICE)
        assert (await http.get(address, headers=service)).json()["reason"] == "ROLE_NOT_ALLOWED"


# -- the page ---------------------------------------------------------------------------------------------


async def test_the_page_shows_totals_operations_differences_and_files(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    await sign_in(http, issuer.token(Role.FINANCE))
    page = await http.get("/console/finance?channel_id=&kind=capture&from=&to=")
    assert page.status_code == 200, page.text
    for told in ("120.00 EUR", "40.00 EUR", "15.00 EUR", "700 JPY", "polyline", 'role="img"', "<caption>"):
        assert told in page.text
    assert "txn_&lt;1&gt;" in page.text
    assert "/console/finance/export?kind=capture&amp;format=parquet" in page.text
    (totals,) = world.calls("ListTotals")
    today = times.now().date()
    assert (totals.from_day, totals.until_day) == (str(today - timedelta(days=13)), str(today + timedelta(days=1)))
    (listed,) = world.calls("ListOperations")
    assert list(listed.filter.kinds) == [payments.OPERATION_KIND_CAPTURE]
    file = await http.get("/console/finance/export?kind=capture&format=csv")
    assert (file.status_code, file.content) == (200, b"a,b\n1,2\n")


async def test_the_page_of_one_channel_sums_only_that_one(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    await sign_in(http, issuer.token(Role.FINANCE))
    page = (await http.get("/console/finance?channel_id=app-fr&from=2026-11-01&to=2026-11-01")).text
    assert "15.00 EUR" in page
    assert "120.00 EUR" not in page


@pytest.mark.parametrize(
    "query", ["from=2026-11-02&to=2026-11-01", "from=2020-01-01&to=2026-01-01", "from=x", "a=b"]
)
async def test_a_period_that_cannot_be_is_told_as_a_page(
    http: httpx.AsyncClient, issuer: Issuer, world: World, query: str
) -> None:
    await sign_in(http, issuer.token(Role.FINANCE))
    page = await http.get(f"/console/finance?{query}")
    assert (page.status_code, "<h1>" in page.text) == (422, True)


async def test_the_page_is_of_finance_alone(http: httpx.AsyncClient, issuer: Issuer, world: World) -> None:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    assert (await http.get("/console/finance")).status_code == 403
    assert "/console/finance" not in (await http.get("/console")).text


@pytest.mark.parametrize(("greatest", "step"), [(0, 1), (4, 1), (5, 2), (399, 100), (401, 200), (1_999, 500)])
def test_a_chart_reaches_its_greatest_value_in_round_steps(greatest: int, step: int) -> None:
    assert round_step(greatest) == step


def test_a_chart_draws_each_day_from_left_to_right_and_more_money_higher() -> None:
    today = times.now().date()
    days = [today + timedelta(days=number) for number in range(20)]
    drawn = chart_of(days, [Series("captured", range(20))])
    (line,) = drawn.lines
    assert [x for x, _ in line.dots] == sorted({x for x, _ in line.dots})
    assert [y for _, y in line.dots] == sorted({y for _, y in line.dots}, reverse=True)
    assert (line.dots[0], line.dots[-1][0]) == ((drawn.left, drawn.bottom), drawn.right)
    assert len(drawn.ticks) <= 8
    assert chart_of(days[:1], [Series("captured", [0])]).lines[0].dots[0][1] == drawn.bottom
