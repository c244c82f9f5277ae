"""oms.payments.v1.FinanceService over gRPC: translates requests and answers, and nothing else."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.payments.v1 import finance_service_pb2 as pb
from oms.payments.v1 import payments_service_pb2 as payments_pb
from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceServicer
from oms.type.v1 import type_pb2 as types
from services.payments.domain.reconciling import DifferenceKind, DifferenceState, Verdict
from services.payments.exporting import CsvWriter, ParquetWriter, Writer
from services.payments.filters import number_cursor, read_filter, read_number_cursor
from services.payments.history import History
from services.payments.history_store import Total
from services.payments.settlement_store import Counts, Difference, Settlement
from services.payments.settlements import Header, Settlements

Row = TypeVar("Row")
_LARGEST_PAGE = 500
_PAGE = 50
# gRPC takes 4 MiB by default.
_PART_BYTES = 1024**2
_WRITERS: dict[int, Callable[[], Writer]] = {
    pb.EXPORT_FORMAT_CSV: CsvWriter,
    pb.EXPORT_FORMAT_PARQUET: ParquetWriter,
}
_BY = {
    pb.TOTAL_BY_DAY: "day",
    pb.TOTAL_BY_CHANNEL: "channel_id",
    pb.TOTAL_BY_PROVIDER: "provider",
    pb.TOTAL_BY_TENDER_KIND: "tender_kind",
}
_STATES = {
    "received": pb.SETTLEMENT_STATE_RECEIVED,
    "running": pb.SETTLEMENT_STATE_RUNNING,
    "done": pb.SETTLEMENT_STATE_DONE,
    "failed": pb.SETTLEMENT_STATE_FAILED,
}
_DIFFERENCE_KINDS = {
    DifferenceKind.MISSING: pb.SETTLEMENT_DIFFERENCE_KIND_MISSING,
    DifferenceKind.EXTRA: pb.SETTLEMENT_DIFFERENCE_KIND_EXTRA,
    DifferenceKind.DIFFERENT_AMOUNT: pb.SETTLEMENT_DIFFERENCE_KIND_DIFFERENT_AMOUNT,
    DifferenceKind.DIFFERENT_CURRENCY: pb.SETTLEMENT_DIFFERENCE_KIND_DIFFERENT_CURRENCY,
}
_DIFFERENCE_STATES = {
    DifferenceState.WAITING: pb.SETTLEMENT_DIFFERENCE_STATE_WAITING,
    DifferenceState.OPEN: pb.SETTLEMENT_DIFFERENCE_STATE_OPEN,
    DifferenceState.CLOSED: pb.SETTLEMENT_DIFFERENCE_STATE_CLOSED,
}
_DIFFERENCE_STATES_IN = {number: state for state, number in _DIFFERENCE_STATES.items()}


class FinanceRpc(FinanceServiceServicer):
    """One method per RPC of the proto."""

    def __init__(self, history: History, settlements: Settlements) -> None:
        self._history = history
        self._settlements = settlements

    async def ExportOperations(
        self, request: pb.ExportOperationsRequest, context: object
    ) -> AsyncIterator[pb.ExportOperationsResponse]:
        if request.format not in _WRITERS:
            raise InvalidArgument("format", "csv or parquet")
        async for part in self._history.export(read_filter(request.filter), _WRITERS[request.format]):
            for start in range(0, len(part), _PART_BYTES):
                yield pb.ExportOperationsResponse(content=part[start : start + _PART_BYTES])

    async def ListTotals(self, request: pb.ListTotalsRequest, context: object) -> pb.ListTotalsResponse:
        if not set(request.by) <= _BY.keys():
            raise InvalidArgument("by", "not a value of this field")
        from_day, until_day = _day("from_day", request.from_day), _day("until_day", request.until_day)
        found = await self._history.totals(from_day, until_day, [_BY[number] for number in request.by])
        return pb.ListTotalsResponse(totals=map(_total_out, found))

    async def StartSettlement(
        self, request_iterator: AsyncIterator[pb.StartSettlementRequest], context: Any
    ) -> pb.StartSettlementResponse:
        parts = aiter(request_iterator)
        first = await anext(parts, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidArgument("header", "the first message is the header")
        header = first.header
        asked = Header(header.request_id, header.provider, _day("day", header.day), header.file_name, header.actor)
        started = await self._settlements.start(asked, _content(parts))
        return pb.StartSettlementResponse(settlement=_settlement_out(*started))

    async def GetSettlement(self, request: pb.GetSettlementRequest, context: object) -> pb.GetSettlementResponse:
        found = await self._settlements.get(request.settlement_id)
        return pb.GetSettlementResponse(settlement=_settlement_out(*found))

    async def ListSettlements(
        self, request: pb.ListSettlementsRequest, context: object
    ) -> pb.ListSettlementsResponse:
        before, size = _asked(request.page)
        found = await self._settlements.list(request.provider, before, size + 1)
        rows, page = _split(found, size, lambda one: one[0].number)
        return pb.ListSettlementsResponse(settlements=[_settlement_out(*one) for one in rows], page=page)

    async def ListSettlementDifferences(
        self, request: pb.ListSettlementDifferencesRequest, context: object
    ) -> pb.ListSettlementDifferencesResponse:
        if not set(request.states) <= _DIFFERENCE_STATES_IN.keys():
            raise InvalidArgument("states", "not a value of this field")
        states = [_DIFFERENCE_STATES_IN[number] for number in request.states]
        before, size = _asked(request.page)
        found = await self._settlements.differences(
            states, request.provider, request.settlement_id, before, size + 1
        )
        rows, page = _split(found, size, lambda one: one.number)
        return pb.ListSettlementDifferencesResponse(differences=map(_difference_out, rows), page=page)

    async def ResolveSettlementDifference(
        self, request: pb.ResolveSettlementDifferenceRequest, context: object
    ) -> pb.ResolveSettlementDifferenceResponse:
        closed = await self._settlements.resolve(request.difference_id, request.reason, request.actor)
        return pb.ResolveSettlementDifferenceResponse(difference=_difference_out(closed))


async def _content(parts: AsyncIterator[pb.StartSettlementRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "content":
            raise InvalidArgument("content", "after the header there is only content")
        yield part.content


def _day(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(field, "a day is written as YYYY-MM-DD") from None


def _asked(page: types.PageRequest) -> tuple[int, int]:
    if not 0 <= page.size <= _LARGEST_PAGE:
        raise InvalidArgument("page.size", f"1 to {_LARGEST_PAGE}, or 0 for {_PAGE}")
    return read_number_cursor(page.cursor), page.size or _PAGE


def _split(
    found: Sequence[Row], size: int, number_of: Callable[[Row], int]
) -> tuple[Sequence[Row], types.PageInfo]:
    rows = found[:size]
    more = len(found) > size
    return rows, types.PageInfo(next_cursor=number_cursor(number_of(rows[-1])) if more else "")


def _money_out(amount: Money | None) -> types.Money | None:
    return types.Money(amount_minor=amount.amount_minor, currency=amount.currency) if amount else None


def _total_out(total: Total) -> pb.Total:
    return pb.Total(
        day=total.day.isoformat() if total.day else "",
        channel_id=total.channel_id or "",
        provider=total.provider or "",
        tender_kind=total.tender_kind or "",
        kind=payments_pb.OperationKind.Value(f"OPERATION_KIND_{total.kind.name}"),
        amount=types.Money(amount_minor=total.amount_minor, currency=total.currency),
        operations=total.operations,
    )


def _settlement_out(one: Settlement, counts: Counts) -> pb.Settlement:
    return pb.Settlement(
        settlement_id=one.settlement_id,
        provider=one.provider,
        day=one.day.isoformat(),
        file_name=one.file_name,
        actor=one.actor,
        sha256=one.digest.hex(),
        bytes=one.bytes,
        state=_STATES[one.state],
        reason=one.reason,
        detail=one.detail,
        received_at=times.to_proto(one.received_at),
        ended_at=times.to_proto(one.ended_at) if one.ended_at else None,
        lines=sum(counts.verdicts.values()),
        matched=counts.verdicts.get(Verdict.MATCHED, 0),
        different_amount=counts.verdicts.get(Verdict.DIFFERENT_AMOUNT, 0),
        different_currency=counts.verdicts.get(Verdict.DIFFERENT_CURRENCY, 0),
        extra=counts.verdicts.get(Verdict.EXTRA, 0),
        fees_only=counts.verdicts.get(Verdict.FEE, 0),
        missing=counts.missing,
        fees=[types.Money(amount_minor=fee.amount_minor, currency=fee.currency) for fee in counts.fees],
    )


def _difference_out(one: Difference) -> pb.SettlementDifference:
    return pb.SettlementDifference(
        difference_id=one.difference_id,
        provider=one.provider,
        day=one.day.isoformat(),
        kind=_DIFFERENCE_KINDS[one.kind],
        state=_DIFFERENCE_STATES[one.state],
        settlement_id=one.settlement_id,
        transaction_id=one.transaction_id,
        operation_id=one.operation_id,
        order_id=one.order_id,
        expected=_money_out(one.expected),
        found=_money_out(one.found),
        found_at=times.to_proto(one.found_at),
        closed_at=times.to_proto(one.closed_at) if one.closed_at else None,
        closed_by=one.closed_by,
        reason=one.reason,
    )
