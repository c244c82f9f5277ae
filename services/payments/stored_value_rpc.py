"""StoredValueService over gRPC: translation only."""

from datetime import datetime

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.payments.v1 import stored_value_service_pb2 as pb
from oms.payments.v1.stored_value_service_pb2_grpc import StoredValueServiceServicer
from oms.type.v1 import type_pb2
from services.payments import stored_value_store as store
from services.payments.domain.stored_value import (
    Act,
    Instrument,
    InstrumentKind,
    InstrumentState,
    Line,
    balance_of,
)
from services.payments.paging import (
    LARGEST_SWEEP,
    SWEEP,
    bounded,
    cursor_at,
    filter_of,
    page_size,
    read_cursor,
    read_number,
)
from services.payments.stored_value import Issue, Steer, StoredValueService

KIND = {kind: pb.StoredValueKind.Value(f"STORED_VALUE_KIND_{kind.name}") for kind in InstrumentKind}
STATE = {state: pb.StoredValueState.Value(f"STORED_VALUE_STATE_{state.name}") for state in InstrumentState}
ACT = {act: pb.StoredValueAct.Value(f"STORED_VALUE_ACT_{act.name}") for act in Act}
_KIND_BACK: dict[int, InstrumentKind] = {number: kind for kind, number in KIND.items()}
_STATE_BACK: dict[int, InstrumentState] = {number: state for state, number in STATE.items()}


class StoredValueRpc(StoredValueServiceServicer):
    """One method per RPC of the proto."""

    def __init__(self, service: StoredValueService) -> None:
        self._service = service

    async def IssueStoredValue(
        self, request: pb.IssueStoredValueRequest, context: object
    ) -> pb.IssueStoredValueResponse:
        kind = filter_of("kind", request.kind, _KIND_BACK)
        if kind is None:
            raise InvalidArgument("kind", "say what it is")
        issued, code = await self._service.issue(
            Issue(
                request_id=request.request_id,
                kind=kind,
                amount=_money(request.amount),
                valid_until=times.field_or_none(request, "valid_until"),
                channels=tuple(request.channels),
                single_use=request.single_use,
                customer_ref=request.customer_ref,
                cause=request.reason,
                actor=request.actor,
                code=request.code,
            )
        )
        return pb.IssueStoredValueResponse(stored_value=_out(issued, times.now()), code=code)

    async def GetStoredValue(
        self, request: pb.GetStoredValueRequest, context: object
    ) -> pb.GetStoredValueResponse:
        found = await self._service.get(request.instrument_id)
        return pb.GetStoredValueResponse(stored_value=_out(found, times.now()))

    async def ListStoredValue(
        self, request: pb.ListStoredValueRequest, context: object
    ) -> pb.ListStoredValueResponse:
        now = times.now()
        wanted = store.Wanted(
            now=now,
            kind=filter_of("kind", request.kind, _KIND_BACK),
            customer_ref=request.customer_ref,
            state=filter_of("state", request.state, _STATE_BACK),
            after=read_cursor(request.page.cursor),
        )
        rows, more = await self._service.listed(wanted, page_size(request.page.size))
        last = cursor_at(rows[-1].issued_at, rows[-1].instrument_id) if more else ""
        return pb.ListStoredValueResponse(
            stored_values=[_out(row, now) for row in rows], page=type_pb2.PageInfo(next_cursor=last)
        )

    async def ListStoredValueLines(
        self, request: pb.ListStoredValueLinesRequest, context: object
    ) -> pb.ListStoredValueLinesResponse:
        of = await self._service.get(request.instrument_id)
        after = read_number(request.page.cursor)
        rows, more = await self._service.lines(request.instrument_id, after, page_size(request.page.size))
        return pb.ListStoredValueLinesResponse(
            lines=[_line_out(line, of.terms.currency) for _, line in rows],
            page=type_pb2.PageInfo(next_cursor=str(rows[-1][0]) if more else ""),
        )

    async def FreezeStoredValue(
        self, request: pb.FreezeStoredValueRequest, context: object
    ) -> pb.FreezeStoredValueResponse:
        found = await self._service.freeze(_steer(request), frozen=request.frozen)
        return pb.FreezeStoredValueResponse(stored_value=_out(found, times.now()))

    async def AdjustStoredValue(
        self, request: pb.AdjustStoredValueRequest, context: object
    ) -> pb.AdjustStoredValueResponse:
        found = await self._service.adjust(_steer(request), _money(request.amount))
        return pb.AdjustStoredValueResponse(stored_value=_out(found, times.now()))

    async def RenewStoredValueCode(
        self, request: pb.RenewStoredValueCodeRequest, context: object
    ) -> pb.RenewStoredValueCodeResponse:
        found, code = await self._service.new_code(_steer(request))
        return pb.RenewStoredValueCodeResponse(stored_value=_out(found, times.now()), code=code)

    async def CheckStoredValue(
        self, request: pb.CheckStoredValueRequest, context: object
    ) -> pb.CheckStoredValueResponse:
        worth = await self._service.check(request.code, request.channel_id, request.customer_ref, request.currency)
        of = worth.instrument
        return pb.CheckStoredValueResponse(
            kind=KIND[of.terms.kind],
            available=_amount(of, worth.available),
            valid_until=times.to_proto(of.terms.valid_until) if of.terms.valid_until else None,
            last_four=of.last_four,
            refusal=worth.refusal,
        )

    async def ExpireStoredValue(
        self, request: pb.ExpireStoredValueRequest, context: object
    ) -> pb.ExpireStoredValueResponse:
        limit = bounded("limit", request.limit, LARGEST_SWEEP, SWEEP)
        expired = await self._service.expire(times.field_or_now(request, "as_of"), limit)
        return pb.ExpireStoredValueResponse(expired=expired)


def _money(amount: type_pb2.Money) -> Money:
    return Money(amount.amount_minor, amount.currency)


def _steer(
    request: pb.FreezeStoredValueRequest | pb.AdjustStoredValueRequest | pb.RenewStoredValueCodeRequest,
) -> Steer:
    return Steer(request.request_id, request.instrument_id, request.reason, request.actor)


def _amount(of: Instrument, amount_minor: int) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=amount_minor, currency=of.terms.currency)


def _out(of: Instrument, now: datetime) -> pb.StoredValue:
    terms = of.terms
    return pb.StoredValue(
        instrument_id=of.instrument_id,
        kind=KIND[terms.kind],
        state=STATE[of.state(now)],
        last_four=of.last_four,
        issued=_amount(of, terms.issued),
        balance=_amount(of, of.balance),
        held=_amount(of, of.held),
        valid_until=times.to_proto(terms.valid_until) if terms.valid_until else None,
        channels=terms.channels,
        single_use=terms.single_use,
        customer_ref=terms.customer_ref,
        cause=terms.cause,
        actor=terms.actor,
        issued_at=times.to_proto(of.issued_at),
    )


def _line_out(line: Line, currency: str) -> pb.StoredValueLine:
    balance, held = balance_of(line)
    return pb.StoredValueLine(
        act=ACT[line.act],
        amount=type_pb2.Money(amount_minor=line.amount_minor, currency=currency),
        debit=line.debit,
        credit=line.credit,
        balance_change_minor=balance,
        held_change_minor=held,
        order_id=line.why.order_id,
        cause=line.why.cause,
        actor=line.why.actor,
        recorded_at=times.to_proto(line.why.now),
    )
