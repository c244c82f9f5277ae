"""Stored value with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.payments.v1 import stored_value_service_pb2 as pb
from oms.payments.v1.stored_value_service_pb2_grpc import (
    StoredValueServiceServicer,
    add_StoredValueServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

CODE = "0000-0000-0000-04B6"


def _euros(minor: int) -> types.Money:
    return types.Money(amount_minor=minor, currency="EUR")


CARD = pb.StoredValue(
    instrument_id="svl_1",
    kind=pb.STORED_VALUE_KIND_GIFT_CARD,
    state=pb.STORED_VALUE_STATE_ACTIVE,
    last_four="04B6",
    issued=_euros(5_000),
    balance=_euros(3_000),
    held=_euros(0),
    channels=["web-fr"],
    issued_at=times.to_proto(times.now()),
)
LINE = pb.StoredValueLine(
    act=pb.STORED_VALUE_ACT_SPEND,
    amount=_euros(2_000),
    debit="held",
    credit="spent",
    balance_change_minor=-2_000,
    held_change_minor=-2_000,
    order_id="ord_1",
    recorded_at=times.to_proto(times.now()),
)


class FakeStoredValue(StoredValueServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def IssueStoredValue(self, request: Any, context: Any) -> pb.IssueStoredValueResponse:
        self._world.note("IssueStoredValue", request)
        return pb.IssueStoredValueResponse(stored_value=CARD, code=CODE)

    async def GetStoredValue(self, request: Any, context: Any) -> pb.GetStoredValueResponse:
        self._world.note("GetStoredValue", request)
        return pb.GetStoredValueResponse(stored_value=CARD)

    async def ListStoredValue(self, request: Any, context: Any) -> pb.ListStoredValueResponse:
        self._world.note("ListStoredValue", request)
        return pb.ListStoredValueResponse(stored_values=[CARD])

    async def ListStoredValueLines(self, request: Any, context: Any) -> pb.ListStoredValueLinesResponse:
        self._world.note("ListStoredValueLines", request)
        return pb.ListStoredValueLinesResponse(lines=[LINE])

    async def FreezeStoredValue(self, request: Any, context: Any) -> pb.FreezeStoredValueResponse:
        self._world.note("FreezeStoredValue", request)
        return pb.FreezeStoredValueResponse(stored_value=CARD)

    async def AdjustStoredValue(self, request: Any, context: Any) -> pb.AdjustStoredValueResponse:
        self._world.note("AdjustStoredValue", request)
        return pb.AdjustStoredValueResponse(stored_value=CARD)

    async def RenewStoredValueCode(self, request: Any, context: Any) -> pb.RenewStoredValueCodeResponse:
        self._world.note("RenewStoredValueCode", request)
        return pb.RenewStoredValueCodeResponse(stored_value=CARD)

    async def CheckStoredValue(self, request: Any, context: Any) -> pb.CheckStoredValueResponse:
        self._world.note("CheckStoredValue", request)
        return pb.CheckStoredValueResponse(
            kind=CARD.kind, available=_euros(0), last_four="04B6", refusal="stored_value_expired"
        )


def register(world: "World", server: grpc.aio.Server) -> None:
    add_StoredValueServiceServicer_to_server(FakeStoredValue(world), server)  # type: ignore[abstract]
