"""What finance is told, with canned answers."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.payments.v1 import finance_service_pb2 as pb
from oms.payments.v1 import payments_service_pb2 as payments
from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceServicer, add_FinanceServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


class FakeFinance(FinanceServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ExportOperations(self, request: Any, context: Any) -> AsyncIterator[pb.ExportOperationsResponse]:
        self._world.note("ExportOperations", request)
        for part in (b"a,b\n", b"1,2\n"):
            yield pb.ExportOperationsResponse(content=part)

    async def ListTotals(self, request: Any, context: Any) -> pb.ListTotalsResponse:
        self._world.note("ListTotals", request)
        return pb.ListTotalsResponse(
            totals=[
                total(request.from_day, payments.OPERATION_KIND_AUTHORIZE, 12_000),
                total(request.from_day, payments.OPERATION_KIND_CAPTURE, 4_000),
                total(request.from_day, payments.OPERATION_KIND_REFUND, 1_500, channel_id="app-fr"),
                total(request.from_day, payments.OPERATION_KIND_CAPTURE, 700, "JPY"),
            ]
        )

    async def StartSettlement(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> pb.StartSettlementResponse:
        parts = [part async for part in request_iterator]
        content = b"".join(part.content for part in parts[1:])
        self._world.note("StartSettlement", (parts[0].header, content))
        return pb.StartSettlementResponse(settlement=settlement())

    async def GetSettlement(self, request: Any, context: Any) -> pb.GetSettlementResponse:
        self._world.note("GetSettlement", request)
        return pb.GetSettlementResponse(settlement=settlement())

    async def ListSettlements(self, request: Any, context: Any) -> pb.ListSettlementsResponse:
        self._world.note("ListSettlements", request)
        page = types.PageInfo(next_cursor="Nw==")
        return pb.ListSettlementsResponse(settlements=[settlement()], page=page)

    async def ListSettlementDifferences(self, request: Any, context: Any) -> pb.ListSettlementDifferencesResponse:
        self._world.note("ListSettlementDifferences", request)
        return pb.ListSettlementDifferencesResponse(differences=[difference()])

    async def ResolveSettlementDifference(
        self, request: Any, context: Any
    ) -> pb.ResolveSettlementDifferenceResponse:
        self._world.note("ResolveSettlementDifference", request)
        closed = difference(
            state=pb.SETTLEMENT_DIFFERENCE_STATE_CLOSED,
            closed_at=times.to_proto(times.now()),
            closed_by=request.actor,
            reason=request.reason,
        )
        return pb.ResolveSettlementDifferenceResponse(difference=closed)


def total(day: str, kind: Any, minor: int, currency: str = "EUR", channel_id: str = "web-fr") -> pb.Total:
    amount = types.Money(amount_minor=minor, currency=currency)
    tender_kind = "payment_method_token"
    return pb.Total(
        day=day, channel_id=channel_id, tender_kind=tender_kind, kind=kind, amount=amount, operations=2
    )


def settlement() -> pb.Settlement:
    return pb.Settlement(
        settlement_id="stl_1",
        provider="stripe",
        day="2026-11-20",
        state=pb.SETTLEMENT_STATE_DONE,
        lines=3,
        matched=2,
        extra=1,
        received_at=times.to_proto(times.now()),
        fees=[types.Money(amount_minor=81, currency="EUR")],
    )


def difference(**values: Any) -> pb.SettlementDifference:
    given: dict[str, Any] = {"state": pb.SETTLEMENT_DIFFERENCE_STATE_OPEN} | values
    return pb.SettlementDifference(
        difference_id="sdf_1",
        provider="stripe",
        day="2026-11-20",
        kind=pb.SETTLEMENT_DIFFERENCE_KIND_EXTRA,
        settlement_id="stl_1",
        transaction_id="txn_<1>",
        found=types.Money(amount_minor=4_000, currency="EUR"),
        found_at=times.to_proto(times.now()),
        **given,
    )


def register(world: "World", server: grpc.aio.Server) -> None:
    add_FinanceServiceServicer_to_server(FakeFinance(world), server)
