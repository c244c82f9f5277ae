"""Shelves over real gRPC: translation, pages, errors; and what fails half way leaves nothing behind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import InvalidArgument, NotFound
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import shelf_service_pb2 as pb
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceStub, add_ShelfServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.inventory.domain.receiving import ReceiptLine
from services.inventory.shelf_rpc import ShelfRpc
from tests.services.inventory.shelves import MINUTE, ShelfShop
from tests.services.inventory.shop import NOON

if TYPE_CHECKING:
    from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceAsyncStub

STAMP = times.to_proto(NOON)
ONE = types.PageRequest(size=1)


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.adjust(5)
    return found


@pytest_asyncio.fixture
async def stub(shop: ShelfShop) -> "AsyncIterator[ShelfServiceAsyncStub]":
    server = rpc.build_server()
    add_ShelfServiceServicer_to_server(ShelfRpc(shop.shelf, shop.days, shop.counting), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with rpc.connect(address) as channel:
        found: Any = ShelfServiceStub(channel)
        yield found
    await server.stop(0)


async def test_a_declaration_crosses_the_wire(stub: "ShelfServiceAsyncStub", shop: ShelfShop) -> None:
    one = (await shop.declare(2)).declarations[0]
    await shop.sell(5)
    asked = pb.GetDeclarationRequest(declaration_id=one.declaration_id)
    assert (await stub.GetDeclaration(asked)).declaration == inventory.Declaration(
        declaration_id=one.declaration_id,
        sku="DRESS",
        point_id="LYON",
        quantity=2,
        remaining=0,
        reason=inventory.DECLARATION_REASON_DAMAGED,
        actor="assoc_1",
        source="terminal 3",
        declared_at=STAMP,
        ended_at=STAMP,
        ended_by=inventory.DECLARATION_END_TILL_SALE,
    )
    with pytest.raises(NotFound, match="DECLARATION_NOT_FOUND"):
        await stub.GetDeclaration(pb.GetDeclarationRequest(declaration_id="dec_0"))


async def test_a_sale_and_a_return_cross_the_wire(stub: "ShelfServiceAsyncStub") -> None:
    line: dict[str, Any] = {
        "sku": "DRESS",
        "point_id": "LYON",
        "actor": "till_7",
        "receipt": "4711",
        "as_of": STAMP,
    }
    sold = await stub.RecordTillSale(pb.RecordTillSaleRequest(request_id="1", quantity=7, sold_at=STAMP, **line))
    assert sold.effect == pb.TillEffect(taken=5, unknown=2)
    assert sold.balance == inventory.Balance(sku="DRESS", point_id="LYON")
    back = await stub.RecordTillReturn(
        pb.RecordTillReturnRequest(request_id="2", quantity=1, returned_at=STAMP, **line)
    )
    assert (back.effect, back.balance.on_hand) == (pb.TillEffect(taken=1), 1)


async def test_a_report_crosses_the_wire(stub: "ShelfServiceAsyncStub", shop: ShelfShop) -> None:
    await shop.declare(1)
    request = pb.CloseBusinessDayRequest(request_id="1", point_id="LYON", actor="anna", as_of=STAMP)
    report = (await stub.CloseBusinessDay(request)).report
    assert (report.business_date, report.units, report.line_count) == ("2026-11-20", 1, 1)
    assert report.lines[0].reason == inventory.DECLARATION_REASON_DAMAGED
    asked = pb.GetAdjustmentReportRequest(report_id=report.report_id)
    assert (await stub.GetAdjustmentReport(asked)).report == report
    request.business_date = "20261120"
    with pytest.raises(InvalidArgument) as refusal:
        await stub.CloseBusinessDay(request)
    assert refusal.value.facts["field"] == "business_date"


async def test_a_receipt_keeps_what_was_not_announced_apart_from_none(stub: "ShelfServiceAsyncStub") -> None:
    lines = [
        pb.ReceiptLine(sku="PAN", received=1),
        pb.ReceiptLine(sku="DRESS", expected=0, received=2, damaged=1),
    ]
    answer = await stub.RecordReceipt(
        pb.RecordReceiptRequest(request_id="1", point_id="LYON", reference="asn/1", lines=lines, actor="anna")
    )
    assert list(answer.receipt.lines) == lines
    assert [(one.sku, one.on_hand, one.unavailable) for one in answer.balances] == [
        ("DRESS", 7, 1),
        ("PAN", 1, 0),
    ]


async def test_a_count_is_blind_until_it_is_closed(stub: "ShelfServiceAsyncStub") -> None:
    opened = await stub.OpenCount(
        pb.OpenCountRequest(request_id="1", point_id="LYON", skus=["DRESS", "PAN"], actor="anna")
    )
    count_id = opened.count.count_id
    recorded = await stub.RecordCount(
        pb.RecordCountRequest(
            request_id="2", count_id=count_id, lines=[pb.CountedLine(sku="DRESS", counted=0)], actor="ben"
        )
    )
    for count in (opened.count, recorded.count):
        assert not any(line.HasField("expected") for line in count.lines)
    assert recorded.count.lines[0].HasField("counted"), "none counted is something counted"
    closed = await stub.CloseCount(pb.CloseCountRequest(request_id="3", count_id=count_id, actor="anna"))
    line = closed.count.lines[0]
    assert (line.expected, line.moved, line.difference, line.adjusted) == (5, 0, -5, -5)
    other = await stub.OpenCount(
        pb.OpenCountRequest(request_id="4", point_id="LYON", categories=["home"], actor="anna")
    )
    asked = pb.CancelCountRequest(request_id="5", count_id=other.count.count_id, actor="anna")
    assert (await stub.CancelCount(asked)).count.state == pb.COUNT_STATE_CANCELLED
    found = (await stub.GetCount(pb.GetCountRequest(count_id=other.count.count_id))).count
    assert not any(line.HasField("expected") for line in found.lines), "it may be counted again"


async def test_every_list_goes_on_where_its_page_ended(stub: "ShelfServiceAsyncStub", shop: ShelfShop) -> None:
    for n in range(2):
        day = NOON + timedelta(days=n)
        await shop.declare(1, as_of=day)
        await shop.receive(ReceiptLine("PAN", None, 1 + n, 0), as_of=day)
        await shop.cancel_count((await shop.open_count("PAN", as_of=day)).count_id, day)
        await shop.close_day(as_of=day)
    lists: list[tuple[Callable[[Any], Awaitable[Any]], Any, str]] = [
        (stub.ListDeclarations, pb.ListDeclarationsRequest(with_ended=True), "declarations"),
        (stub.ListReceipts, pb.ListReceiptsRequest(), "receipts"),
        (stub.ListCounts, pb.ListCountsRequest(), "counts"),
        (stub.ListAdjustmentReports, pb.ListAdjustmentReportsRequest(), "reports"),
    ]
    for method, request, name in lists:
        request.point_id = "LYON"
        whole = await method(request)
        request.page.CopyFrom(ONE)
        first = await method(request)
        request.page.cursor = first.page.next_cursor
        second = await method(request)
        assert second.page.next_cursor == ""
        rows = [*getattr(first, name), *getattr(second, name)]
        assert (rows, len(rows)) == (list(getattr(whole, name)), 2)


@pytest.mark.parametrize(
    "cursor", ["bm8", "WyJ5ZXN0ZXJkYXkiLCAiIl0=", "WyJ5ZXN0ZXJkYXkiXQ==", "WyIyMDI2LTAxLTAxIiwgIiJd"]
)
async def test_a_cursor_of_another_list_is_refused(stub: "ShelfServiceAsyncStub", cursor: str) -> None:
    page = types.PageRequest(cursor=cursor)
    for asking in (
        stub.ListDeclarations(pb.ListDeclarationsRequest(point_id="LYON", page=page)),
        stub.ListAdjustmentReports(pb.ListAdjustmentReportsRequest(point_id="LYON", page=page)),
        stub.ListReceipts(pb.ListReceiptsRequest(point_id="LYON", page=page)),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            await asking
        assert refusal.value.facts["field"] == "page.cursor"


async def test_what_fails_half_way_leaves_nothing_and_is_done_once_when_it_is_tried_again(shop: ShelfShop) -> None:
    await shop.declare(1)
    counted = (await shop.open_count("SOFA")).count_id
    await shop.count(counted, 3, "SOFA")

    async def everything() -> list[object]:
        return [
            await shop.sell(2, request="sell"),
            await shop.take_back(1, request="back"),
            await shop.receive(ReceiptLine("PAN", 3, 3, 1), request="receive"),
            await shop.close_day(request="close"),
            await shop.close_count(counted, request="count"),
        ]

    async with shop.engine.begin() as tx:
        await tx.execute(text("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (false) NOT VALID"))
    before = [await shop.balance(sku) for sku in ("DRESS", "PAN", "SOFA")]
    try:
        for act in (
            shop.sell(2, request="sell"),
            shop.take_back(1, request="back"),
            shop.receive(ReceiptLine("PAN", 3, 3, 1), request="receive"),
            shop.close_day(request="close"),
            shop.close_count(counted, request="count"),
            shop.days.close_ended(NOON + timedelta(days=2)),
        ):
            with pytest.raises(Exception, match="broken"):
                await act
    finally:
        async with shop.engine.begin() as tx:
            await tx.execute(text("ALTER TABLE outbox DROP CONSTRAINT broken"))
    assert [await shop.balance(sku) for sku in ("DRESS", "PAN", "SOFA")] == before
    await shop.assert_sound()
    first = await everything()
    assert await everything() == first
    figures = [(one.on_hand, one.unavailable) for one in [await shop.balance(s) for s in ("DRESS", "PAN", "SOFA")]]
    assert figures == [(3, 0), (2, 0), (3, 0)], "the damaged pan was written off"
    await shop.assert_sound()


async def test_a_page_begins_after_the_instant_and_the_name(shop: ShelfShop) -> None:
    twins = [(await shop.declare(1)).declarations[0] for _ in range(3)]
    twins.sort(key=lambda one: one.declaration_id)
    after = (NOON, twins[0].declaration_id)
    found = await shop.shelf.list_declarations("LYON", "", after, 10, with_ended=False)
    assert found == twins[1:]
    assert await shop.shelf.list_declarations("LYON", "", (NOON + MINUTE, ""), 10, with_ended=False) == []
