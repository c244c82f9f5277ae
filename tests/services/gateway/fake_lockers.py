"""Lockers at stores, with canned answers: one compartment is free."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import Unauthenticated
from oms.orders.v1 import locker_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.locker_service_pb2_grpc import LockerServiceServicer, add_LockerServiceServicer_to_server
from tests.services.gateway.fake_collections import NOON, waiting

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

COMPARTMENT = "07"


def kept(state: "orders.FulfilmentState.ValueType") -> orders.Fulfilment:
    """Work with its compartment, in which it lies once it is ready."""
    work = waiting(state)
    locker = orders.Locker(compartment=COMPARTMENT, booked_at=times.to_proto(NOON))
    locker.holds = state == orders.FULFILMENT_STATE_READY
    work.locker.CopyFrom(locker)
    return work


class FakeLockers(LockerServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def BookCompartment(self, request: Any, context: Any) -> pb.BookCompartmentResponse:
        self._world.note("BookCompartment", request)
        return pb.BookCompartmentResponse(fulfilment=kept(orders.FULFILMENT_STATE_PICKED))

    async def TakeOut(self, request: Any, context: Any) -> pb.TakeOutResponse:
        self._world.note("TakeOut", request)
        return pb.TakeOutResponse(fulfilment=waiting())

    async def ReceiveLockerEvents(self, request: Any, context: Any) -> pb.ReceiveLockerEventsResponse:
        self._world.note("ReceiveLockerEvents", request)
        if request.signature == "forged":
            raise Unauthenticated("SIGNATURE_INVALID", "the signature does not prove the bank")
        return pb.ReceiveLockerEventsResponse(taken=2, duplicates=1)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_LockerServiceServicer_to_server(FakeLockers(world), server)
