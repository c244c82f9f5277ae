"""MerchandisingService in the inventory process over real gRPC: wiring, translation, errors, pages."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kit import rpc
from kit.errors import InvalidArgument
from kit.times import to_proto
from oms.inventory.v1 import inventory_service_pb2 as stock
from oms.inventory.v1 import merchandising_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceStub
from oms.type.v1 import type_pb2 as types
from services.inventory.domain.facts import FactKind, Outcome
from services.inventory.domain.picks import Depth
from services.inventory.domain.sales import NoCover, RateSource
from services.inventory.merchandising_translate import DEPTHS, KINDS, NO_COVERS, OUTCOMES, SOURCES
from tests.conftest import MakeDatabase
from tests.processes import running

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceAsyncStub

NOW = datetime.now(UTC)
FACTS = pb.PositionFacts(
    sku="PAN",
    point_id="LYON",
    assortment=pb.Assortment(in_assortment=False),
    plan=pb.ReplenishmentPlan(is_replenished=True, min_quantity=2, target_quantity=6, next_date="2026-12-01"),
    markdown=pb.Markdown(from_date="2027-01-13", basis_points=3000),
    sales_rate=pb.SalesRate(daily_thousandths=250),
    location=pb.ShelfLocation(location="A-03-2", walk_order=30),
    source="erp",
    source_sequence=7,
    source_updated_at=to_proto(NOW),
)


@pytest.fixture
async def stubs(
    make_database: MakeDatabase, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"]]:
    """The process with two items at two stores, and three units of one of them."""
    address = f"127.0.0.1:{unused_tcp_port_factory()}"
    database = make_database("inventory")
    database.clean()
    async with (
        running("services.inventory", address, {"OMS_DATABASE_URL": database.url}),
        rpc.connect(address) as channel,
    ):
        inventory: InventoryServiceAsyncStub = InventoryServiceStub(channel)
        merchandising: MerchandisingServiceAsyncStub = MerchandisingServiceStub(channel)
        items = [stock.Item(sku=sku, category_path=["home"]) for sku in ("PAN", "POT")]
        await inventory.PutItems(stock.PutItemsRequest(items=items, actor="test"))
        points = [
            stock.StockPoint(
                point_id=point_id,
                type=types.POINT_TYPE_STORE,
                position=types.Position(),
                country="FR",
                time_zone="Europe/Paris",
            )
            for point_id in ("LYON", "PARIS")
        ]
        await inventory.PutStockPoints(stock.PutStockPointsRequest(points=points, actor="test"))
        shop = stock.Channel(channel_id="web", currency="EUR", activated_points=["LYON"])
        await inventory.PutChannels(stock.PutChannelsRequest(channels=[shop], actor="test"))
        delta = stock.StockDelta(sku="PAN", point_id="LYON", quantity=3)
        await inventory.AdjustStock(
            stock.AdjustStockRequest(
                request_id="in", deltas=[delta], cause=stock.Cause(cause="receipt", actor="wms")
            )
        )
        yield merchandising, inventory


async def put(stub: "MerchandisingServiceAsyncStub", *facts: pb.PositionFacts) -> list[pb.FactsResult]:
    answer = await stub.PutPositionFacts(pb.PutPositionFactsRequest(facts=facts, actor="planner"))
    return list(answer.results)


def test_every_word_of_the_domain_has_one_on_the_wire() -> None:
    for words, numbers in (
        (FactKind, KINDS),
        (Depth, DEPTHS),
        (Outcome, OUTCOMES),
        ([None, *RateSource], SOURCES),
        ([None, *NoCover], NO_COVERS),
    ):
        assert list(words) == list(numbers)


async def test_facts_go_in_whole_and_come_back_as_they_were_with_who_said_them(
    stubs: tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    merchandising, _ = stubs
    (result,) = await put(merchandising, FACTS)
    assert (result.sku, result.point_id, result.outcome) == ("PAN", "LYON", pb.FACTS_OUTCOME_CHANGED)
    (found,) = (await merchandising.ListPositionFacts(pb.ListPositionFactsRequest(skus=["PAN"]))).facts
    assert (found.plan.stated.actor, found.plan.stated.source, found.plan.stated.source_sequence) == (
        "planner",
        "erp",
        7,
    )
    # What was read may be sent back: it says the same.
    again = pb.PositionFacts()
    again.CopyFrom(found)
    again.source, again.source_sequence = "erp", 8
    assert [one.outcome for one in await put(merchandising, again)] == [pb.FACTS_OUTCOME_UNCHANGED]
    for kind in ("assortment", "plan", "markdown", "sales_rate", "location"):
        getattr(found, kind).ClearField("stated")
        assert getattr(found, kind) == getattr(FACTS, kind)


async def test_an_empty_fact_takes_it_back_and_late_ones_are_named(
    stubs: tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    merchandising, _ = stubs
    await put(merchandising, FACTS)
    empty: dict[str, Any] = {"sku": "PAN", "point_id": "LYON", "source": "erp"}
    nothing = pb.PositionFacts(
        assortment=pb.Assortment(),
        plan=pb.ReplenishmentPlan(),
        markdown=pb.Markdown(),
        sales_rate=pb.SalesRate(),
        source_sequence=8,
        **empty,
    )
    await put(merchandising, nothing)
    (found,) = (await merchandising.ListPositionFacts(pb.ListPositionFactsRequest())).facts
    assert not found.assortment.HasField("in_assortment")
    assert found.assortment.stated.source_sequence == 8
    late = pb.PositionFacts(assortment=pb.Assortment(in_assortment=True), source_sequence=6, **empty)
    (result,) = await put(merchandising, late)
    assert (result.outcome, list(result.dropped)) == (pb.FACTS_OUTCOME_STALE, [pb.FACT_KIND_ASSORTMENT])


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"plan": pb.ReplenishmentPlan(min_quantity=2, target_quantity=6)}, "plan.is_replenished"),
    ({"plan": pb.ReplenishmentPlan(is_replenished=True, next_date="1.12.2026")}, "plan.next_date"),
    ({"markdown": pb.Markdown(basis_points=10)}, "markdown.from_date"),
    ({"markdown": pb.Markdown(from_date="2026-02-30")}, "markdown.from_date"),
    ({"markdown": pb.Markdown(from_date="2026-02-03", basis_points=10_001)}, "markdown.basis_points"),
    ({"sales_rate": pb.SalesRate(daily_thousandths=-1)}, "sales_rate.daily_thousandths"),
    ({"sku": "HAT"}, "sku"),
)


async def test_a_wrong_field_is_named_with_its_record(
    stubs: tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    merchandising, _ = stubs
    for wrong, field in WRONG:
        record = {"sku": "PAN", "point_id": "PARIS", "assortment": pb.Assortment(in_assortment=True), **wrong}
        with pytest.raises(InvalidArgument) as refused:
            await put(merchandising, FACTS, pb.PositionFacts(**record))
        assert refused.value.facts["field"] == f"facts[1].{field}"


async def test_versions_come_newest_first_page_by_page(
    stubs: tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    merchandising, _ = stubs
    for plan in (
        pb.ReplenishmentPlan(is_replenished=True, target_quantity=3),
        pb.ReplenishmentPlan(is_replenished=False),
        pb.ReplenishmentPlan(),
    ):
        await put(merchandising, pb.PositionFacts(sku="PAN", point_id="LYON", plan=plan))
    asked = pb.ListFactVersionsRequest(sku="PAN", point_id="LYON", page=types.PageRequest(size=2))
    first = await merchandising.ListFactVersions(asked)
    asked.page.cursor = first.page.next_cursor
    last = await merchandising.ListFactVersions(asked)
    assert not last.page.next_cursor
    found = [*first.versions, *last.versions]
    assert [(one.kind, one.version) for one in found] == [(pb.FACT_KIND_PLAN, n) for n in (3, 2, 1)]
    assert [one.content_json for one in found[:1]] == [""], "it was taken back"
    assert json.loads(found[2].content_json) == {
        "is_replenished": True,
        "min_quantity": 0,
        "target_quantity": 3,
    }
    assert found[0].stated.actor == "planner"


async def test_cover_and_find_rates_follow_what_is_sold_and_picked(
    stubs: tuple["MerchandisingServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    merchandising, inventory = stubs
    (cover,) = (await merchandising.ListCover(pb.ListCoverRequest())).covers
    assert (cover.no_cover, cover.daily_thousandths) == (pb.NO_COVER_NO_SALES, 0)
    assert not cover.HasField("cover_days_tenths")
    line = stock.HoldLine(sku="PAN", point_id="LYON", quantity=1)
    await inventory.Reserve(
        stock.ReserveRequest(request_id="r", reservation_id="ord_1", channel_id="web", lines=[line])
    )
    await inventory.Issue(stock.IssueRequest(request_id="i", reservation_id="ord_1", lines=[line]))
    (cover,) = (await merchandising.ListCover(pb.ListCoverRequest(point_ids=["LYON"]))).covers
    assert (cover.sold, cover.days, cover.available, cover.cover_days_tenths) == (1, 1, 2, 20)
    assert cover.rate_source == pb.RATE_SOURCE_COMPUTED
    await put(
        merchandising,
        pb.PositionFacts(sku="PAN", point_id="LYON", sales_rate=pb.SalesRate(daily_thousandths=4000)),
    )
    (cover,) = (await merchandising.ListCover(pb.ListCoverRequest())).covers
    assert (cover.rate_source, cover.cover_days_tenths) == (pb.RATE_SOURCE_IMPORTED, 5)
    before = pb.ListCoverRequest(as_of=to_proto(NOW - timedelta(days=1)))
    (cover,) = (await merchandising.ListCover(before)).covers
    assert (cover.sold, cover.days) == (0, 0)

    asked = pb.ListFindRatesRequest(category="home", page=types.PageRequest(size=3))
    found: list[pb.FindRate] = []
    while True:
        answer = await merchandising.ListFindRates(asked)
        found += answer.rates
        if not answer.page.next_cursor:
            break
        asked.page.cursor = answer.page.next_cursor
    assert [(one.point_id, one.depth) for one in found] == [
        (point_id, depth) for point_id in ("LYON", "PARIS") for depth in DEPTHS.values()
    ]
    assert [(one.found, one.asked) for one in found][2] == (1, 1)
    assert {one.rate_basis_points for one in found} == {10_000}
    with pytest.raises(InvalidArgument) as refused:
        await merchandising.ListFindRates(pb.ListFindRatesRequest(depths=[pb.DEPTH_UNSPECIFIED]))
    assert refused.value.facts["field"] == "depths[0]"
